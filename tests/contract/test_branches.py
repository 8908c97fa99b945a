"""Branches: a name, and where it begins. Forked in no time, closed for good, tagged, told apart."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import event

from by_hand import begun, change, proposes
from dissensus_state import tables
from dissensus_state.errors import BranchClosed, Conflict, LeaseLost, NotFound, Tampered, ValueRefused
from dissensus_state.journal import Journal
from dissensus_state.sessions import Session
from inquiries import Inquiry, Notes, does, nothing_changes
from tampering import changed, rows

LONG = "A" * 70_000


def put(session: Session[Any], *does_what: Any, author: str = "ana", **options: Any) -> None:
    """One commit of one operation."""
    session.transact(does(*does_what), author, **options)


@pytest.fixture
def lived(notes: Session[Notes]) -> Session[Notes]:
    """A session of four versions after the first, with a value that is kept aside."""
    for number in range(1, 4):
        put(notes, "set", "a", number)
    put(notes, "set", "text", LONG)
    return notes


def test_a_fork_begins_where_it_was_forked_and_goes_its_own_way(lived: Session[Notes]) -> None:
    idea = lived.fork("idea", 2)
    assert (idea.head, idea.state.a, idea.state.text) == (2, 2, "")
    put(idea, "set", "a", 20)
    assert (idea.state.a, lived.state.a, lived.head) == (20, 3, 4)
    assert [commit.branch for commit in idea.log()] == ["idea", "main", "main", "main"]
    assert idea.at(1) == lived.at(1)
    assert idea.verify().versions == idea.replay().versions == 4
    assert lived.verify().versions == 5


@pytest.mark.parametrize("version", [0, 1, 2, 3, 4, None])
def test_a_fork_of_a_fork_may_begin_anywhere_in_what_the_fork_is_made_of(
    lived: Session[Notes], version: int | None
) -> None:
    idea = lived.fork("idea", 3)
    put(idea, "set", "text", LONG + "B")
    deeper = idea.fork("deeper", version)
    at = 4 if version is None else version
    assert (deeper.head, deeper.raw()) == (at, idea.raw(at))
    put(deeper, "set", "b", 7)
    put(idea, "set", "b", 8)
    assert (deeper.state.b, idea.state.b, lived.state.b) == (7, 8, 0)
    assert [deeper.verify().versions, deeper.replay().versions] == [at + 2] * 2
    assert deeper.blame("/a").commit == idea.blame("/a", at).commit


def test_a_fork_writes_as_little_after_a_long_history_as_after_a_short_one(lived: Session[Notes]) -> None:
    def written(name: str) -> tuple[int, int]:
        before = _all_rows(lived)
        statements: list[str] = []
        listening = (lived.database.engine, "before_cursor_execute", lambda *said: statements.append(said[2]))
        event.listen(*listening)
        lived.fork(name)
        event.remove(*listening)
        new = [row for row in _all_rows(lived) if row not in before]
        return len(new), len(statements)

    early = written("early")
    for number in range(300):
        put(lived, "append", "lines", f"line {number}")
    assert written("later") == early
    assert early[0] == 2, "its row, and the event that tells of it"


def _all_rows(session: Session[Any]) -> list[str]:
    """Every row of the session, as text."""
    return [
        f"{table.name}: {row}"
        for table in tables.metadata.sorted_tables
        if "session_id" in table.c
        for row in rows(session, table)
    ]


def test_a_version_is_read_on_a_fork_by_the_same_statements_as_on_its_origin(lived: Session[Notes]) -> None:
    for number in range(120):
        put(lived, "append", "lines", f"line {number} " * 40)
    idea = lived.fork("idea")

    def read(session: Session[Notes], version: int) -> int:
        statements: list[Any] = []

        def count(_: Any, __: Any, statement: str, *___: Any) -> None:
            if "patch" in statement or "snapshots" in statement:
                statements.append(statement)

        event.listen(session.database.engine, "before_cursor_execute", count)
        session.raw(version)
        event.remove(session.database.engine, "before_cursor_execute", count)
        return len(statements)

    for version in (0, 5, 60, 124):
        assert idea.raw(version) == lived.raw(version)
        assert read(idea, version) <= read(lived, version) + 1, "a look for a snapshot of its own"


def test_snapshots_of_a_fork_go_on_from_those_of_its_origin(notes: Session[Notes]) -> None:
    def write(session: Session[Notes]) -> None:
        for number in range(40):
            put(session, "append", "lines", f"{session.branch} {number} " * 120)
            put(session, "set", "a", number)

    write(notes)
    idea = notes.fork("idea", 50)
    write(idea)
    write(notes)
    deeper = idea.fork("deeper", 100)
    write(deeper)
    kept = {row["branch"] for row in rows(notes, tables.snapshots)}
    assert kept == {"main", "idea", "deeper"}
    for session in (notes, idea, deeper):
        assert session.verify().versions == session.replay().versions == session.head + 1
        states = [state for _, state in session.versions()]
        for version in (0, 30, 60, 61, 99, 100, 101, session.head):
            assert session.raw(version) == states[version]


@pytest.mark.parametrize("name", ["main", "idea"])
def test_there_is_one_branch_of_a_name(lived: Session[Notes], name: str) -> None:
    lived.fork("idea")
    with pytest.raises(Conflict, match=f"There is a branch '{name}' already") as caught, _unchanged(lived):
        lived.fork(name)
    assert caught.value.context["retry"] is False


def _unchanged(session: Session[Any]) -> Any:
    return nothing_changes(session)


def test_of_many_who_fork_the_same_name_at_once_from_several_branches_one_succeeds(
    lived: Session[Notes],
) -> None:
    origins = [lived, *(lived.fork(f"origin-{number}") for number in range(3))]
    start = threading.Barrier(8)

    def fork(number: int) -> str:
        start.wait()
        try:
            return origins[number % 4].fork("same").branch
        except Conflict as conflict:
            return conflict.code

    with ThreadPoolExecutor(8) as pool:
        outcomes = sorted(pool.map(fork, range(8)))
    assert outcomes == ["conflict"] * 7 + ["same"]
    assert [one.name for one in lived.branches()].count("same") == 1


def test_branches_of_one_session_that_are_written_at_once_number_their_rounds_and_events_apart(
    lived: Session[Notes],
) -> None:
    branches = [lived.fork(f"idea-{number}") for number in range(4)]

    def write(session: Session[Notes]) -> None:
        journal = Journal(session)
        for number in range(5):
            session.record("note", {"n": number})
            round_, _ = begun(journal)
            journal.close(round_, "void")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, branches))
    assert [item.round for item in lived.rounds()] == list(range(1, 21))
    assert [item.event for item in lived.events()] == list(range(1, 25))


@pytest.mark.parametrize(
    "name", ["", "HEAD", "v12", "12", "r3", "a b", "a~1", "a..b", "a/", "-a", "x" * 101, "a\n", "é\x00"]
)
def test_a_name_that_a_revision_could_mean_otherwise_is_refused(lived: Session[Notes], name: str) -> None:
    with _unchanged(lived):
        for take in (lived.fork, lived.tag):
            with pytest.raises(ValueRefused, match="is no name for a"):
                take(name)
    assert [one.name for one in lived.branches()] == ["main"]


@pytest.mark.parametrize("version", [-1, 5, 10**17])
def test_what_is_not_there_cannot_be_forked_or_tagged(lived: Session[Notes], version: int) -> None:
    for take in (lived.fork, lived.tag):
        with pytest.raises(NotFound, match="the head is 4"):
            take("idea", version)
    with pytest.raises(NotFound, match="There is no branch 'none'"):
        lived.on("none")


def test_a_key_used_before_a_fork_is_known_on_both_branches_and_one_used_after_it_on_its_own(
    lived: Session[Notes],
) -> None:
    put(lived, "add", "total", 1, key="before")
    idea = lived.fork("idea")
    early = lived.fork("early", 2)
    put(lived, "add", "total", 1, key="after")
    for session, total in ((lived, 2), (idea, 1), (early, 0)):
        assert session.state.total == total
        put(session, "add", "total", 1, key="before")
        put(session, "add", "total", 1, key="after")
    assert (lived.state.total, idea.state.total, early.state.total) == (2, 2, 2)


def test_nothing_is_committed_to_a_closed_branch_and_it_stays_readable(lived: Session[Notes]) -> None:
    idea = lived.fork("idea")
    put(idea, "set", "b", 5)
    journal = Journal(idea)
    idea.close_branch()
    with _unchanged(idea):
        for attempt in (
            lambda: put(idea, "set", "b", 6),
            lambda: idea.merge("main", author="ana"),
            lambda: idea.revert(5, author="ana"),
            lambda: begun(journal),
        ):
            with pytest.raises(BranchClosed, match="The branch 'idea' is closed") as caught:
                attempt()
            assert (caught.value.code, caught.value.exit_code) == ("branch.closed", 4)
    assert idea.verify().versions == 6
    assert lived.merge("idea", author="ana").commit is not None
    assert lived.state.b == 5
    assert idea.fork("again").state.b == 5
    assert [one.name for one in lived.branches() if one.closed_at is not None] == ["idea"]


def test_a_branch_is_closed_once(lived: Session[Notes]) -> None:
    idea = lived.fork("idea")
    idea.close_branch(author="ana")
    closed = lived.branches()[0].closed_at
    idea.close_branch(author="ben")
    assert lived.branches()[0].closed_at == closed
    assert [item.body for item in lived.events() if item.kind == "closed"] == [{"author": "ana"}]


def test_a_tag_names_a_version_until_it_is_removed(lived: Session[Notes]) -> None:
    idea = lived.fork("idea")
    put(idea, "set", "b", 5)
    idea.tag("best", author="ana")
    idea.tag("best", 5)
    with pytest.raises(Conflict, match="The tag 'best' stands for version 5 of 'idea'"):
        lived.tag("best")
    with pytest.raises(Conflict, match="There is a branch 'idea'"):
        lived.tag("idea")
    assert [(one.name, one.branch, one.version, one.author) for one in lived.tags()] == [
        ("best", "idea", 5, "ana")
    ]
    lived.remove_tag("best")
    assert lived.tags() == []
    with pytest.raises(NotFound, match="There is no tag 'best'"):
        lived.remove_tag("best")
    lived.tag("best", 0)
    told = [item.kind for item in lived.events()]
    assert told == ["forked", "tagged", "tagged", "untagged", "tagged"]


def test_rounds_and_money_of_a_session_are_shared_by_its_branches(inquiry: Session[Inquiry]) -> None:
    idea = inquiry.fork("idea")
    ours, theirs = Journal(inquiry), Journal(idea)
    one, _ = begun(ours, "doubt")
    other, _ = begun(theirs, "doubt", "ana", "ben")
    assert (one.round, other.round, inquiry.budget.held) == (1, 2, 10)
    made = proposes(idea, "ana", doubts=1)
    theirs.commit(other, change(idea, made, transition="doubt"), made=[made])
    assert (idea.state.doubts, inquiry.state.doubts) == (1, 0)
    assert [item.branch for item in inquiry.rounds()] == ["main", "idea"]
    last = Journal(idea).last_round()
    assert last is not None
    assert last.round == 2
    assert idea.verify().rounds == 1
    with pytest.raises(LeaseLost):
        begun(theirs)


@pytest.mark.parametrize(
    ("column", "value"), [("base_branch", "other"), ("base_version", 1), ("base_version", 3), ("head", 7)]
)
def test_g08_where_a_fork_begins_cannot_be_changed_behind_our_back(
    lived: Session[Notes], column: str, value: Any
) -> None:
    other = lived.fork("other", 1)
    put(other, "set", "b", 1)
    put(other, "set", "b", 2)
    idea = lived.fork("idea", 2)
    (row,) = [row for row in rows(lived, tables.branches) if row["branch"] == "idea"]
    for _ in range(2):
        with changed(lived, tables.branches, row, **{column: value}), pytest.raises(Tampered):
            idea.verify()
        assert idea.verify().versions == idea.head + 1
        put(idea, "set", "b", 3)
        (row,) = [row for row in rows(lived, tables.branches) if row["branch"] == "idea"]


def test_g08_a_branch_that_was_made_its_own_origin_is_no_endless_loop(lived: Session[Notes]) -> None:
    idea = lived.fork("idea")
    deeper = idea.fork("deeper")
    (row,) = [row for row in rows(lived, tables.branches) if row["branch"] == "idea"]
    with changed(lived, tables.branches, row, base_branch="deeper"), pytest.raises(Tampered):
        deeper.verify()
