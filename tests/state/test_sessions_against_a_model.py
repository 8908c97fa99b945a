"""A session with branches, rounds, merges, reverts and a schema that moves on does what plain lists do.

The model knows no database, no patches and no code of ours: a branch is a list of versions, a version
a dictionary and the numbers of the pieces of work that are in it. `--hypothesis-profile=soak` runs it long.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from dissensus_state.errors import Conflict, NotFound
from dissensus_state.journal import Journal
from dissensus_state.records import Change, Proposal
from dissensus_state.sessions import Session
from dissensus_state.shapes import Add, Append, MergeByKey, SharedState
from dissensus_state.store import Store
from dissensus_state.transactions import Transaction
from dissensus_state.upcasting import upcaster

SHARES = {"sqlite": 1, "postgresql": 0.4}
"""How many of the profile's examples run on each database."""


class First(SharedState):
    """One field of each kind."""

    __qualname__ = "Sheet"
    a: int = 0
    note: str = ""
    lines: Annotated[list[str], Append] = []
    total: Annotated[int, Add] = 0
    answers: Annotated[dict[str, int], MergeByKey] = {}


class Second(SharedState, version=2):
    """A field has another name, and one is new."""

    __qualname__ = "Sheet"
    b: int = 0
    note: str = ""
    lines: Annotated[list[str], Append] = []
    total: Annotated[int, Add] = 0
    answers: Annotated[dict[str, int], MergeByKey] = {}
    fresh: str = "new"

    @upcaster(1)
    @staticmethod
    def a_is_b(state: dict[str, Any]) -> dict[str, Any]:
        """The only step."""
        return {"b": state.pop("a"), **state}


Asked = tuple[str, str, Any]
SMALL = st.integers(0, 9)
READ = st.sampled_from(["a", "note", "lines", "total", "answers", "answers/x"])
ASKED: st.SearchStrategy[Asked] = st.one_of(
    st.tuples(st.just("set"), st.sampled_from(["a", "answers/x"]), SMALL),
    st.tuples(st.just("set"), st.just("note"), st.sampled_from(["", "secret", "known"])),
    st.tuples(st.just("append"), st.just("lines"), st.lists(st.sampled_from("pqr"), min_size=1, max_size=2)),
    st.tuples(st.just("add"), st.just("total"), st.integers(-3, 5)),
    st.tuples(
        st.just("merge"), st.just("answers"), st.dictionaries(st.sampled_from("xyz"), SMALL, min_size=1)
    ),
)
PICK = st.integers(0, 99)


@dataclass(eq=False)
class Version:
    """A state, the work that is in it, and what was asked for to make it."""

    state: dict[str, Any]
    generation: int
    work: frozenset[int]
    asked: list[Asked] = field(default_factory=list)
    lifts: bool = False
    takes_back: range = range(0)


def taken_back(versions: list[Version], stretch: range) -> bool:
    """Whether one of these versions was taken back, by one from outside that was not taken back itself."""
    standing: dict[int, range] = {}
    for number in reversed(range(len(versions))):
        if not any(number in taken for taken in standing.values()):
            standing[number] = versions[number].takes_back
    return any(number not in stretch and set(taken) & set(stretch) for number, taken in standing.items())


@dataclass
class Open:
    """A transaction on a branch, and what it read and asked for."""

    real: Transaction
    branch: str
    base: int
    state: dict[str, Any]
    reads: list[str] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)


def done(state: dict[str, Any], asked: list[Asked]) -> dict[str, Any]:
    """What a state is after some work."""
    after = deepcopy(state)
    for verb, path, value in asked:
        name, _, key = path.partition("/")
        if key:
            after[name][key] = value
        elif verb in {"append", "add"}:
            after[name] += value
        elif verb == "merge":
            after[name].update(value)
        else:
            after[name] = value
    return after


def lifted(version: Version, generation: int) -> Version:
    """A version in the shape of a generation."""
    if version.generation == generation:
        return version
    state = deepcopy(version.state)
    state = {"b": state.pop("a"), **state, "fresh": "new"}
    return Version(state, generation, version.work, lifts=True)


def overlap(one: str, other: str) -> bool:
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def writes(asked: list[Asked]) -> list[tuple[str, str]]:
    """Which verb at which path: a merge writes its keys."""
    return [
        place
        for verb, path, value in asked
        for place in ([(verb, f"{path}/{key}") for key in value] if verb == "merge" else [(verb, path)])
    ]


@dataclass
class Joined:
    """Two states brought together, what clashes with both values, and what no simple model knows."""

    state: dict[str, Any]
    clashes: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)


def joined(base: Any, ours: Any, theirs: Any) -> Joined:
    """Two states that grew from one."""
    found = Joined(deepcopy(ours))
    for name, mine in ours.items():
        was, other = base[name], theirs[name]
        if other == was:
            continue
        if mine == was:
            found.state[name] = other
        elif name == "total":
            found.state[name] = mine + other - was
        elif name == "lines":
            _join_lines(found, was, mine, other)
        elif name == "answers":
            _join_answers(found, was, mine, other)
        elif mine != other:
            found.clashes[f"/{name}"] = (mine, other)
    return found


def _join_lines(found: Joined, was: list[str], mine: list[str], other: list[str]) -> None:
    if mine[: len(was)] != was:
        found.unsure.add("lines")
    elif other[: len(was)] == was:
        found.state["lines"] = mine + other[len(was) :]
    elif other == was[: len(other)]:
        found.state["lines"] = other + mine[len(was) :]
    else:
        found.unsure.add("lines")


def _join_answers(found: Joined, was: dict[str, int], mine: dict[str, int], other: dict[str, int]) -> None:
    for key in sorted({*was, *mine, *other}):
        before, one, two = was.get(key), mine.get(key), other.get(key)
        if two in {before, one}:
            continue
        if one != before:
            found.clashes[f"/answers/{key}"] = (one, two)
        elif two is None:
            del found.state["answers"][key]
        else:
            found.state["answers"][key] = two


class Model(RuleBasedStateMachine):
    """The rules by which a session and its model are driven."""

    url: ClassVar[str]

    @initialize()
    def create(self) -> None:
        self.store = Store.open(self.url)
        self.left: list[Store] = []
        self.schema: Any = First
        session: Session[Any] = self.store.create(First(answers={"x": 0}))
        self.name = session.name
        self.branches = {"main": [Version(session.raw(), 1, frozenset())]}
        self.closed: set[str] = set()
        self.open: list[Open] = []
        self.count = 0
        self.sessions: dict[str, Session[Any]] = {"main": session}

    # The world around

    @rule()
    def crash_and_reopen(self) -> None:
        self.left.append(self.store)  # as it is, with whatever it has open
        self.store = Store.open(self.url)
        self._reopened()

    @precondition(lambda self: self.schema is First)
    @rule(migrates=st.booleans())
    def evolve(self, *, migrates: bool) -> None:
        self.schema = Second
        self._reopened()
        if migrates:
            for name in set(self.branches) - self.closed:
                self.sessions[name].migrate()
                self._lift(name)

    def _reopened(self) -> None:
        self.open.clear()
        main = self.store.session(self.name, self.schema)
        self.sessions = {name: main.on(name) for name in self.branches}

    @property
    def generation(self) -> int:
        return 1 if self.schema is First else 2

    def _here(self, asked: list[Asked]) -> list[Asked]:
        """What is asked for, in the names of today's schema."""
        return [
            (verb, "b" if self.schema is Second and path == "a" else path, value)
            for verb, path, value in asked
        ]

    def _lift(self, branch: str) -> Version:
        """The head of a branch in today's shape; by a version of its own, if it is not in it."""
        versions = self.branches[branch]
        head = lifted(versions[-1], self.generation)
        if head is not versions[-1]:
            versions.append(head)
        return head

    def _add(
        self, branch: str, state: dict[str, Any], asked: list[Asked], more: frozenset[int] = frozenset()
    ) -> None:
        head = self._lift(branch)
        self.count += 1
        work = head.work | more | {self.count}
        self.branches[branch].append(Version(state, self.generation, work, asked))

    def _pick(self, names: list[str], pick: int) -> str:
        return sorted(names)[pick % len(names)]

    def _living(self, pick: int) -> str:
        return self._pick([name for name in self.branches if name not in self.closed], pick)

    # Transactions and rounds

    @rule(pick=PICK, reads=st.lists(READ, max_size=2), asked=st.lists(ASKED, min_size=1, max_size=3))
    def begin(self, pick: int, reads: list[str], asked: list[Asked]) -> None:
        branch = self._living(pick)
        self.open.append(self._begun(branch, reads, asked))

    def _begun(self, branch: str, reads: list[str], asked: list[Asked]) -> Open:
        session, versions = self.sessions[branch], self.branches[branch]
        state = lifted(versions[-1], self.generation).state
        tx = Open(session.transaction(f"author {branch}"), branch, len(versions) - 1, state)
        for _, path, _ in self._here([("", path, None) for path in reads]):
            name, _, key = path.partition("/")
            assert tx.real.read(path) == (state[name][key] if key else state[name])
            tx.reads.append(path)
        for verb, path, value in self._here(asked):
            if verb == "append":
                tx.real.append(path, *value)
            else:
                getattr(tx.real, verb)(path, value)
            tx.asked.append((verb, path, value))
        return tx

    @precondition(lambda self: self.open)
    @rule(pick=PICK)
    def commit(self, pick: int) -> None:
        self._commit(self.open.pop(pick % len(self.open)))

    def _commit(self, tx: Open) -> None:
        if tx.branch in self.closed:
            with pytest.raises(Conflict):
                tx.real.__exit__(None)
            return
        if self._contested(tx.branch, tx.base, tx.reads, tx.asked):
            with pytest.raises(Conflict) as caught:
                tx.real.__exit__(None)
            assert caught.value.context["retry"]
            return
        tx.real.__exit__(None)
        self._add(tx.branch, done(self._lift(tx.branch).state, tx.asked), tx.asked)
        assert tx.real.commit is not None
        assert tx.real.commit.version == len(self.branches[tx.branch]) - 1

    def _contested(self, branch: str, base: int, reads: list[str], asked: list[Asked]) -> bool:
        unseen = self.branches[branch][base + 1 :]
        if unseen and unseen[0].lifts:
            del unseen[0]
        others = [place for version in unseen for place in writes(version.asked)]
        return any(overlap(read, path) for read in reads for _, path in others) or any(
            overlap(path, other) and not (verb == other_verb in {"append", "add"} and path == other)
            for verb, path in writes(asked)
            for other_verb, other in others
        )

    @rule(pick=PICK, reads=st.lists(READ, max_size=1), late=ASKED, early=ASKED)
    def overtake(self, pick: int, reads: list[str], late: Asked, early: Asked) -> None:
        branch = self._living(pick)
        second = self._begun(branch, reads, [late])
        self._commit(self._begun(branch, [], [early]))
        self._commit(second)

    @rule(pick=PICK, asked=ASKED, early=st.none() | ASKED, void=st.booleans())
    def propose(self, pick: int, asked: Asked, early: Asked | None, *, void: bool) -> None:
        branch = self._living(pick)
        session = self.sessions[branch]
        journal = Journal(session)
        base = len(self.branches[branch]) - 1 + (self.branches[branch][-1] is not self._lift(branch))
        opened = journal.begin("step", base, [])
        assert opened is not None
        verb, path, value = self._here([asked])[0]
        made = Proposal("ana", (session.shape.operation(tuple(path.split("/")), value, verb),), (), 0.5)
        round_ = journal.propose(opened[0], [made])
        if early is not None:
            self._commit(self._begun(branch, [], [early]))
        change = Change("ana", made.patch, base)
        if void:
            journal.close(round_, "void")
        elif self._contested(branch, base, [], [(verb, path, value)]):
            with pytest.raises(Conflict):
                journal.commit(round_, change)
        else:
            journal.commit(round_, change)
            self._add(
                branch, done(self.branches[branch][-1].state, [(verb, path, value)]), [(verb, path, value)]
            )

    # Branches

    @precondition(lambda self: len(self.branches) < 4)
    @rule(pick=PICK, at=PICK)
    def fork(self, pick: int, at: int) -> None:
        source = self._pick(list(self.branches), pick)
        version = at % len(self.branches[source])
        name = f"branch-{len(self.branches)}"
        self.sessions[name] = self.sessions[source].fork(name, version)
        self.branches[name] = self.branches[source][: version + 1]

    @precondition(lambda self: len(self.branches) - len(self.closed) > 2)
    @rule(pick=PICK)
    def close(self, pick: int) -> None:
        name = self._living(pick)
        self.sessions[name].close_branch()
        self.closed.add(name)

    @precondition(lambda self: len(self.branches) > 1)
    @rule(into=PICK, source=PICK, settlement=st.sampled_from(["ours", "theirs"]))
    def merge(self, into: int, source: int, settlement: str) -> None:
        branch = self._living(into)
        other = self._pick([name for name in self.branches if name != branch], source)
        base = self._base(branch, other)
        if base is None:
            return
        session = self.sessions[branch]
        result = session.merge(other, author="ana")
        ours, theirs = (lifted(self.branches[name][-1], self.generation) for name in (branch, other))
        model = joined(base.state, ours.state, theirs.state)
        state, clashes = model.state, model.clashes
        if result.commit is None and not result.conflicts:
            assert theirs.work <= ours.work or ours.work <= theirs.work
            assert state == ours.state
            return
        assert not theirs.work <= ours.work or any(version.lifts for version in self.branches[other])
        assert sorted(one.path for one in result.conflicts if one.path != "/lines") == sorted(clashes)
        for one in result.conflicts:
            session.settle(one.conflict, settlement, author="ben")
        if result.conflicts:
            result = session.merge(other, author="ana")
        assert result.commit is not None
        for path, both in clashes.items():
            _put(state, path, both[settlement == "theirs"])
        if model.unsure:
            state["lines"] = session.raw()["lines"]
        self._add(branch, state, _changes(ours.state, state), theirs.work)

    def _base(self, branch: str, other: str) -> Version | None:
        """A version that holds exactly the work that both have; there may be none."""
        ours, theirs = self.branches[branch], self.branches[other]
        shared = ours[-1].work & theirs[-1].work
        found = (version for version in reversed([*ours, *theirs]) if version.work == shared)
        one = next(found, None)
        return None if one is None else lifted(one, self.generation)

    @rule(pick=PICK, first=PICK, more=st.integers(0, 1))
    def revert(self, pick: int, first: int, more: int) -> None:
        branch = self._living(pick)
        versions = self.branches[branch]
        if len(versions) < 2:
            return
        first = 1 + first % (len(versions) - 1)
        last = min(first + more, len(versions) - 1)
        before, after, now = (
            lifted(versions[n], self.generation).state for n in (first - 1, last, len(versions) - 1)
        )
        model = joined(after, now, before)
        state, clashes = model.state, model.clashes
        if model.unsure:
            return
        session = self.sessions[branch]
        done = taken_back(versions, range(first, last + 1))
        if done or clashes or state == now:
            with pytest.raises(Conflict if clashes and not done else NotFound):
                session.revert(first, last, author="ana")
            return
        session.revert(first, last, author="ana")
        self._add(branch, state, _changes(now, state))
        self.branches[branch][-1].takes_back = range(first, last + 1)

    @rule(pick=PICK, at=PICK)
    def redact(self, pick: int, at: int) -> None:
        branch = self._living(pick)
        versions = self.branches[branch]
        version = at % len(versions)
        setters = [n for n in range(version + 1) if sets_note(versions[n])]
        if not setters or versions[version].state["note"] not in {"secret", "known"}:
            return
        found = self.sessions[branch].redact("note", version, author="ana", reason="it is private")
        writer = versions[setters[-1]]
        for others in self.branches.values():
            if writer in others:
                _redact(others[others.index(writer) :])
        head = self._lift(branch)
        self._add(branch, deepcopy(head.state), [])
        assert found.commit.version == len(versions) - 1

    # What must always be so

    @rule(pick=PICK, at=PICK)
    def look_back(self, pick: int, at: int) -> None:
        branch = self._pick(list(self.branches), pick)
        version = at % len(self.branches[branch])
        there = self.branches[branch][version]
        assert self.sessions[branch].raw(version) == there.state
        assert self.sessions[branch].raw(version, lifted=True) == lifted(there, self.generation).state

    @invariant()
    def every_head_is_what_the_model_says(self) -> None:
        for name, versions in getattr(self, "branches", {}).items():
            session = self.sessions[name]
            assert session.head == len(versions) - 1
            state = lifted(versions[-1], self.generation).state
            assert session.current().plain == state
            assert session.state == self.schema.model_validate(state)

    def teardown(self) -> None:
        if not hasattr(self, "branches"):
            return
        for name, versions in self.branches.items():
            session = self.sessions[name]
            assert session.verify().versions == session.replay().versions == len(versions)
            assert [state for _, state in session.versions()] == [version.state for version in versions]
        for store in (self.store, *self.left):
            store.close()


def sets_note(version: Version) -> bool:
    return any(path == "note" for _, path, _ in version.asked)


def _redact(versions: list[Version]) -> None:
    """Put the mask where the first of these versions wrote a note, until another one does."""
    for version in versions:
        if version is not versions[0] and sets_note(version):
            return
        version.state["note"] = "[redacted]"


def _put(state: dict[str, Any], path: str, value: Any) -> None:
    name, _, key = path[1:].partition("/")
    if not key:
        state[name] = value
    elif value is None:
        state[name].pop(key, None)
    else:
        state[name][key] = value


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[Asked]:
    """What a merge or a revert changed, for whoever has not seen it: as the store would write it."""
    found: list[Asked] = []
    for name, value in after.items():
        was = before[name]
        if name == "answers":
            keys = [key for key in {**was, **value} if was.get(key) != value.get(key)]
            found += [("set", f"answers/{key}", None) for key in keys]
        elif value != was and name == "total":
            found.append(("add", name, value - was))
        elif value != was:
            grown = name == "lines" and value[: len(was)] == was
            found.append(("append" if grown else "set", name, value))
    return found


def test_sessions_do_what_a_naive_model_does(database_url: str, backend: str) -> None:
    class Bound(Model):
        url = database_url

    examples = max(1, round(settings.default.max_examples * SHARES[backend]))
    run_state_machine_as_test(Bound, settings=settings(max_examples=examples, stateful_step_count=25))
