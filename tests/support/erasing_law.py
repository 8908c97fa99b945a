"""Sessions that are grown at random, with forks, and cut at random, beside a naive model of them.

Every text in them is another one. The model keeps every state of every branch, and replaces the one text
in all of them.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from dissensus_state.errors import Pruned
from dissensus_state.patches import get
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from dissensus_state.values import parse_path
from inquiries import Claim, Notes

VERBS = st.sampled_from(["set", "append", "merge", "union", "claims", "inside", "long", "add"])
STEPS = st.sampled_from(["write"] * 6 + ["fork", "redact", "redact", "prune", "compact", "reopen"])


@dataclass
class Model:
    """Every state of every branch, by hand, and from which version on it can be read."""

    states: dict[str, list[Any]] = field(default_factory=dict)
    bases: dict[str, tuple[str, int]] = field(default_factory=dict)
    pruned: dict[str, int] = field(default_factory=dict)
    redacted: set[str] = field(default_factory=set)


class Law:
    """A session that is grown and cut, beside its model."""

    def __init__(self, store: Store, data: st.DataObject) -> None:
        self.store, self.data = store, data
        self.texts = (f"text number {number} é" for number in itertools.count(100))
        session = store.create(Notes(text=next(self.texts)))
        self.name = session.name
        self.model = Model({"main": [session.raw()]}, pruned={"main": 0})
        self.open = {"main": session}

    def branch(self) -> str:
        return self.data.draw(st.sampled_from(sorted(self.open)), "branch")

    def write(self) -> None:
        name = self.branch()
        session = self.open[name]
        with session.transaction("ana") as tx:
            for _ in range(self.data.draw(st.integers(1, 2), "operations")):
                self._operation(tx)
        self.model.states[name].append(session.raw())

    def _operation(self, tx: Any) -> None:
        text, verb = next(self.texts), self.data.draw(VERBS, "verb")
        if verb == "set":
            tx.set("text", text)
        elif verb == "append":
            tx.append("lines", text, next(self.texts))
        elif verb == "merge":
            tx.merge("answers", {self.data.draw(st.sampled_from("xyz")): {"said": text}})
        elif verb == "union":
            tx.union("tags", [text])
        elif verb == "claims":
            tx.merge("claims", [Claim(id=self.data.draw(st.sampled_from("pq")), text=text)])
        elif verb == "inside":
            tx.set("anything", {"deep": [text, next(self.texts)]})
        elif verb == "long":
            tx.append("lines", text * 1500)
        else:
            tx.add("total", 2)

    def fork(self) -> None:
        name = self.branch()
        session, first = self.open[name], self.model.pruned[name]
        version = self.data.draw(st.integers(first, len(self.model.states[name]) - 1), "version")
        new = f"b{len(self.model.states)}"
        self.open[new] = session.fork(new, version)
        self.model.states[new] = self.model.states[name][: version + 1]
        self.model.bases[new] = (name, version)
        self.model.pruned[new] = first

    def redact(self) -> None:
        name = self.branch()
        states = self.model.states[name]
        version = self.data.draw(st.integers(self.model.pruned[name], len(states) - 1), "version")
        places = [
            place for place in _texts(states[version], ()) if _read(states[version], place) != "[redacted]"
        ]
        if not places:
            return
        place = self.data.draw(st.sampled_from(places), "place")
        text = _read(states[version], place)
        path = "/" + "/".join(_by_key(states[version], place))
        done = self.open[name].redact(path, version, author="chair", reason="the law")
        assert done.remains == ()
        self.model.redacted.add(text)
        for branch, kept in self.model.states.items():
            self.model.states[branch] = [_sorted(_without(state, text)) for state in kept]
        self.model.states[name].append(self.model.states[name][-1])

    def prune(self) -> None:
        name = self.branch()
        session, first = self.open[name], self.model.pruned[name]
        if first + 1 >= len(self.model.states[name]):
            return
        before = self.data.draw(st.integers(first + 1, len(self.model.states[name]) - 1), "before")
        plan = session.plan_prune(before)
        if plan.forbidden_by:
            return
        session.prune(plan, author="chair")
        self.model.states[name].append(self.model.states[name][-1])
        for branch in self.model.states:
            if branch == name or self._shares(name, branch) >= before:
                self.model.pruned[branch] = before

    def _shares(self, one: str, other: str) -> int:
        """The newest version that two branches have in common."""
        mine, its = self._line(one), self._line(other)
        return max((min(mine[name], its[name]) for name in mine.keys() & its.keys()), default=-1)

    def _line(self, name: str) -> dict[str, int]:
        found, upto = {name: 10**9}, 10**9
        while name in self.model.bases:
            name, version = self.model.bases[name]
            upto = min(upto, version)
            found[name] = upto
        return found

    def compact(self) -> None:
        session = self.open[self.branch()]
        session.compact(session.plan_compact())

    def reopen(self) -> None:
        session = self.store.session(self.name, Notes)
        self.open = {name: session.on(name) for name in self.open}

    def check(self) -> None:
        """Everything is as the model has it, and every chain verifies."""
        for name, session in self.open.items():
            states = self.model.states[name]
            assert session.head == len(states) - 1
            assert _sorted(session.raw()) == _sorted(states[-1])
            first = self.model.pruned[name]
            for version, state in enumerate(states):
                if version >= first:
                    assert _sorted(session.raw(version)) == _sorted(state), (name, version)
            if first:
                _is_pruned(session, first - 1)
            assert session.verify().versions == len(states)
            assert session.replay().versions == len(states) - first
            assert json.loads(session.state.model_dump_json())["text"] == states[-1]["text"]


def _is_pruned(session: Session[Notes], version: int) -> None:
    try:
        session.raw(version)
    except Pruned:
        return
    raise AssertionError(f"version {version} can be read")


def _texts(value: Any, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    if isinstance(value, str):
        return [path] if path[-1] != "id" else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for name, item in items for place in _texts(item, (*path, str(name)))]


def _read(state: Any, place: tuple[str, ...]) -> Any:
    return get(state, parse_path("/" + "/".join(place)))


def _by_key(state: Any, place: tuple[str, ...]) -> tuple[str, ...]:
    if place[0] != "claims":
        return place
    return (place[0], state["claims"][int(place[1])]["id"], *place[2:])


def _without(value: Any, text: str) -> Any:
    if isinstance(value, str):
        return "[redacted]" if value == text else value
    if isinstance(value, list):
        return [_without(item, text) for item in value]
    return {name: _without(item, text) for name, item in value.items()} if isinstance(value, dict) else value


def _sorted(state: Any) -> Any:
    """A set that holds a replacement has it once, in its place."""
    return {**state, "tags": sorted(set(state["tags"]))}
