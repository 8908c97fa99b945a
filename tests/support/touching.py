"""Histories grown at random, with everything that a history can hold, and blocks of four versions.

What the index says of them is held to what the commits themselves say.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any

from hypothesis import strategies as st

from dissensus_state import indexing, marks, touches
from dissensus_state.errors import DissensusError
from dissensus_state.sessions import Session
from dissensus_state.shapes import Add, Append, MergeByKey, SharedState, Union
from dissensus_state.store import Store
from inquiries import Claim

STEPS = st.sampled_from(["write"] * 12 + ["fork", "merge", "revert", "redact", "prune", "migrate", "reopen"])
VERBS = [
    "set", "same", "text", "append", "append", "append", "append", "many", "rewrite", "item", "union", "add",
    "merge", "again", "remove", "claims", "deep", "deeper", "inside", "nested", "long",
]  # fmt: skip
PATHS = [
    "/a", "/text", "/lines", "/lines/0", "/lines/2", "/lines/0/said", "/lines/11", "/tags", "/tags/0",
    "/total", "/answers", "/answers/x", "/answers/x/said", "/answers/y/said/1", "/claims", "/claims/x",
    "/claims/y/text", "/anything", "/anything/x", "/anything/x/y", "/anything/z/0", "/more", "/none",
]  # fmt: skip
AUTHORS = st.sampled_from(["ana", "ben", "cy"])


class Before(SharedState):
    """What everything begins with."""

    __qualname__ = "Pad"
    a: int = 0
    text: str = ""
    anything: Any = None
    lines: Annotated[list[Any], Append] = []
    tags: Annotated[set[str], Union] = set()
    total: Annotated[float, Add] = 0
    answers: Annotated[dict[str, Any], MergeByKey] = {}
    claims: Annotated[list[Claim], MergeByKey("id")] = []


class After(Before, version=2):
    """The same with a field more."""

    __qualname__ = "Pad"
    more: int = 7


def small_blocks(monkeypatch: Any) -> None:
    """Let a block of the index be four versions."""
    for module in (marks, touches, indexing):
        monkeypatch.setattr(module, "BLOCK", 4)
    monkeypatch.setattr(indexing, "_BEHIND", 4)


class Grower:
    """A session that is grown at random, with its branches."""

    def __init__(self, store: Store, data: st.DataObject) -> None:
        self.store, self.data = store, data
        lines = data.draw(st.sampled_from([[], ["first"], ["x" * 70_000]]), "lines")
        session: Session[Any] = store.create(Before(text="begun", lines=lines))
        self.name = session.name
        self.open: dict[str, Session[Any]] = {"main": session}
        self.schema: type[SharedState] = Before
        self.number = 0

    @staticmethod
    def long(store: Store, commits: int) -> Session[Any]:
        """A session that was appended to so often, and wrote some words and numbers again and again."""
        session: Session[Any] = store.create(Before(total=1))
        for number in range(commits):
            with session.transaction(f"agent {number % 9}") as tx:
                tx.append("lines", f"line {number}")
                tx.add("total", 1)
                tx.set("text", str(number // 2))
        return session

    def grow(self, steps: int) -> None:
        for _ in range(steps):
            with suppress(DissensusError):  # a merge that is contested, a revert of nothing: tried in vain
                getattr(self, self.data.draw(STEPS, "step"))()

    def _some(self) -> Session[Any]:
        return self.open[self.data.draw(st.sampled_from(sorted(self.open)), "branch")]

    def write(self) -> None:
        with self._some().transaction(self.data.draw(AUTHORS, "author")) as tx:
            for verb in self.data.draw(st.lists(st.sampled_from(VERBS), min_size=1, max_size=2), "verbs"):
                self._operation(tx, verb)

    def _operation(self, tx: Any, verb: str) -> None:
        self.number += 1
        new, key = f"word number {self.number}", self.data.draw(st.sampled_from("xyz"), "key")
        few = self.data.draw(st.integers(0, 2), "few")
        many = [f"{new} {n}" for n in range(self.data.draw(st.integers(0, 5), "n"))] if verb == "many" else []
        doing, path, value = {
            "set": (tx.set, "a", few),
            "same": (tx.set, "text", "begun"),
            "text": (tx.set, "text", new),
            "rewrite": (tx.set, "lines", [new] * few),
            "item": (tx.set, f"/lines/{few}", {"said": new}),
            "inside": (tx.set, f"/lines/{few}/said", new),
            "union": (tx.union, "tags", [key]),
            "add": (tx.add, "total", few),
            "merge": (tx.merge, "answers", {key: {"said": [new]}}),
            "again": (tx.merge, "answers", {key: 1, "w": 1}),
            "nested": (tx.append, f"/answers/{key}/said", new),
            "claims": (tx.merge, "claims", [Claim(id=key, text=str(few))]),
            "deep": (tx.set, "anything", {"x": {"y": few}, "z": [few]}),
            "deeper": (tx.set, "/anything/x/y", few),
            "append": (tx.append, "lines", new),
            "long": (tx.append, "lines", new * 8_000),
        }.get(verb, (None, "", None))
        if doing is not None:
            doing(path, value)
        elif verb == "many":
            tx.append("lines", *many)
        else:
            tx.remove(f"/answers/{key}")

    def fork(self) -> None:
        session, name = self._some(), f"b{len(self.open)}"
        self.open[name] = session.fork(name, self.data.draw(st.integers(0, session.head), "version"))

    def merge(self) -> None:
        self._some().merge(self._some().branch, author="ana")

    def revert(self) -> None:
        session = self._some()
        session.revert(self.data.draw(st.integers(1, max(1, session.head)), "version"), author="ben")

    def redact(self) -> None:
        session = self._some()
        paths = ["/lines/0", "/lines", "/text", "/answers/x", "/anything/x", "/claims/x/text", "/tags/0"]
        path = self.data.draw(st.sampled_from(paths), "path")
        shorter: dict[str, Any] = {"replacement": ["gone"]} if path == "/lines" else {}
        session.redact(
            path, self.data.draw(st.integers(0, session.head), "version"), author="cy", reason="x", **shorter
        )

    def prune(self) -> None:
        session = self._some()
        session.prune(
            session.plan_prune(self.data.draw(st.integers(1, max(1, session.head)), "before")), author="cy"
        )

    def migrate(self) -> None:
        self.schema = After
        self.reopen()
        self._some().migrate("dee")

    def reopen(self) -> None:
        session = self.store.session(self.name, self.schema)
        self.open = {name: session.on(name) for name in self.open}
