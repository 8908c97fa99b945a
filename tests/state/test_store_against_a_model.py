"""A store with several transactions open at once does what a dictionary and a list of commits do."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
)

from dissensus_state.errors import Conflict
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from dissensus_state.transactions import Transaction
from inquiries import Notes

Asked = tuple[str, str, Any]

ADDING = {"append", "add", "union"}
SMALL = st.integers(0, 9)
ANSWERS = st.dictionaries(st.sampled_from("xyz"), SMALL, min_size=1)
READ = st.sampled_from(["a", "lines", "total", "tags", "answers", "answers/x"])
ASKED: st.SearchStrategy[Asked] = st.one_of(
    st.tuples(st.just("set"), st.sampled_from(["a", "answers/x"]), SMALL),
    st.tuples(st.just("set"), st.just("answers"), ANSWERS.map(lambda items: {"x": 0, **items})),
    st.tuples(st.just("append"), st.just("lines"), st.lists(st.text(max_size=3), min_size=1, max_size=2)),
    st.tuples(st.just("add"), st.just("total"), SMALL),
    st.tuples(st.just("union"), st.just("tags"), st.lists(st.sampled_from("pqr"), min_size=1)),
    st.tuples(st.just("merge"), st.just("answers"), ANSWERS),
)


@dataclass
class Open:
    """A transaction, and what it read and asked for, in plain words."""

    real: Transaction
    base: int
    reads: set[str] = field(default_factory=set)
    asked: list[Asked] = field(default_factory=list)


def _do(state: dict[str, Any], asked: list[Asked]) -> dict[str, Any]:
    after = {**state, "lines": [*state["lines"]], "answers": {**state["answers"]}}
    for verb, path, value in asked:
        if path.startswith("answers/"):
            after["answers"][path[8:]] = value
        elif verb == "append":
            after["lines"] += value
        elif verb == "add":
            after["total"] += value
        elif verb == "union":
            after["tags"] = sorted({*after["tags"], *value})
        else:
            after[path] = value
    return after


def _inside(one: str, other: str) -> bool:
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


class Model(RuleBasedStateMachine):
    """The rules by which a store and its model are driven."""

    opened = Bundle("opened")

    @initialize()
    def create(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.url = str(Path(self.folder.name) / "state.db")
        self.stores = [Store.open(self.url)]
        self.sessions: list[Session[Notes]] = [self.stores[0].create(Notes(answers={"x": 0}))]
        self.states = [self.sessions[0].raw()]
        self.history: list[list[Asked]] = [[]]

    @precondition(lambda self: len(self.sessions) < 3)
    @rule()
    def open_again(self) -> None:
        self.stores.append(Store.open(self.url))
        self.sessions.append(self.stores[-1].session(schema=Notes))

    @rule(which=st.integers(0, 2), read=st.lists(READ, max_size=2), first=ASKED, target=opened)
    def begin(self, which: int, read: list[str], first: Asked) -> Open:
        session = self.sessions[which % len(self.sessions)]
        tx = Open(session.transaction(f"author {which}"), len(self.states) - 1, set(read))
        for path in read:
            assert tx.real.read(path) == self._at(tx, path)
        self.go_on(tx, first)
        return tx

    def _at(self, tx: Open, path: str) -> Any:
        name, _, key = path.partition("/")
        value = _do(self.states[tx.base], tx.asked)[name]
        return value[key] if key else value

    @rule(tx=opened, asked=ASKED)
    def go_on(self, tx: Open, asked: Asked) -> None:
        verb, path, value = asked
        if verb == "append":
            tx.real.append(path, *value)
        else:
            getattr(tx.real, verb)(path, value)
        parts = [("merge", f"{path}/{key}", value[key]) for key in value] if verb == "merge" else [asked]
        tx.asked += parts

    @rule(tx=opened, path=READ)
    def read(self, tx: Open, path: str) -> None:
        assert tx.real.read(path) == self._at(tx, path)
        tx.reads.add(path)

    @rule(tx=consumes(opened))
    def commit(self, tx: Open) -> None:
        if self._contested(tx):
            with pytest.raises(Conflict) as caught:
                tx.real.__exit__(None)
            assert (caught.value.context["expected"], caught.value.context["retry"]) == (tx.base, True)
            return
        tx.real.__exit__(None)
        assert tx.real.commit is not None
        assert (tx.real.commit.base, tx.real.commit.version) == (tx.base, len(self.states))
        self.states.append(_do(self.states[-1], tx.asked))
        self.history.append(tx.asked)

    def _contested(self, tx: Open) -> bool:
        unseen = [asked for commit in self.history[tx.base + 1 :] for asked in commit]
        stale = any(_inside(read, path) for read in tx.reads for _, path, _ in unseen)
        return stale or any(
            _inside(path, other) and not (verb == other_verb and path == other and verb in ADDING)
            for verb, path, _ in tx.asked
            for other_verb, other, _ in unseen
        )

    @rule(which=st.integers(0, 2), read=st.lists(READ, max_size=1), late=ASKED, early=ASKED)
    def overtake(self, which: int, read: list[str], late: Asked, early: Asked) -> None:
        second = self.begin(which, read, late)
        self.commit(self.begin(which + 1, [], early))
        self.commit(second)

    @rule(data=st.data())
    def look_back(self, data: st.DataObject) -> None:
        version = data.draw(st.integers(0, len(self.states) - 1))
        for session in self.sessions:
            assert session.raw(version) == self.states[version]

    @invariant()
    def every_process_sees_the_same(self) -> None:
        for session in getattr(self, "sessions", []):
            assert session.head == len(self.states) - 1
            assert session.current().state == self.states[-1]
            assert session.state == Notes.model_validate(self.states[-1])

    def teardown(self) -> None:
        if not hasattr(self, "stores"):
            return
        found = self.sessions[0].verify(), self.sessions[-1].replay()
        assert [item.versions for item in found] == [len(self.states)] * 2
        for store in self.stores:
            store.close()
        self.folder.cleanup()


TestAStoreAgainstItsModel = Model.TestCase
TestAStoreAgainstItsModel.settings = settings(max_examples=25, stateful_step_count=20)
