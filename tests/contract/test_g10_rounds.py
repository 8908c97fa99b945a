"""G10: a replay holds each commit against the round that it ended, and names the first thing that differs."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from by_hand import answered, begun, proposes
from dissensus_state import commits, replay, tables
from dissensus_state.blobs import pack
from dissensus_state.errors import Diverged, Tampered
from dissensus_state.journal import Journal
from dissensus_state.records import Change
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from inquiries import Inquiry, Notes, does
from tampering import changed, rows, storied

FLOOD = '[["set","/verdict","a flood"]]'


@pytest.fixture(scope="module")
def stories() -> dict[str, Session[Inquiry]]:
    """The session of each database, made once."""
    return {}


@pytest.fixture
def story(store: Store, backend: str, stories: dict[str, Session[Inquiry]]) -> Session[Inquiry]:
    """A session whose fifth version ended a round under a ruling, to be left as it was."""
    if backend not in stories:
        stories[backend] = storied(store)
    return stories[backend]


def test_g10_the_rounds_and_the_answers_that_commits_rest_on_are_counted(story: Session[Inquiry]) -> None:
    found = story.replay()
    assert (found.versions, found.rounds, found.answers, found.calls) == (6, 1, 2, 0)


@pytest.mark.parametrize(
    ("table", "of", "values", "field"),
    [
        ("commits", {"version": 5}, {"patch": FLOOD}, "patch"),
        ("commits", {"version": 5}, {"author": "carl"}, "author"),
        ("commits", {"version": 5}, {"round": 9}, "round"),
        ("commits", {"version": 5}, {"base": 2}, "round: base"),
        ("rounds", {}, {"status": "rejected"}, "round: status"),
        ("rounds", {}, {"base": 2}, "round: base"),
        ("proposals", {"agent": "ana"}, {"patch": FLOOD}, "ruling: binding"),
        ("proposals", {"agent": "ana"}, {"status": "dissent"}, "proposal of ana: status"),
        ("proposals", {"agent": "ben"}, {"status": "accepted"}, "proposal of ben: status"),
        ("proposals", {"agent": "ben"}, {"status": "abstained"}, "proposal of ben: patch"),
        ("proposals", {"agent": "ben"}, {"attempt": 7}, "proposal of ben: answer"),
        ("calls", {"agent": "ben"}, {"status": "failed"}, "proposal of ben: answer"),
        ("calls", {"agent": "ben"}, {"answer": None}, "proposal of ben: answer"),
        ("rulings", {}, {"decision": "reject"}, "ruling: decision"),
        ("rulings", {}, {"binding": b"another"}, "ruling: binding"),
    ],
)
def test_g10_a_commit_that_is_not_what_its_round_ended_in_is_named_with_the_field_and_both_values(
    story: Session[Inquiry], table: str, of: dict[str, Any], values: dict[str, Any], field: str
) -> None:
    there = tables.metadata.tables[table]
    row = next(row for row in rows(story, there) if of.items() <= row.items())
    with changed(story, there, row, **values), pytest.raises(Diverged) as caught:
        story.replay()
    error = caught.value
    assert (error.code, error.exit_code) == ("replay.diverged", 5)
    assert (error.context["version"], error.context["field"]) == (5, field)
    assert error.context["expected"] != error.context["actual"]
    if field.endswith("answer"):
        assert error.context["call"].startswith("ben, attempt ")
    assert story.replay().versions == 6


def test_g10_a_ruling_that_is_gone_leaves_a_commit_without_one(story: Session[Inquiry]) -> None:
    there = tables.metadata.tables["rulings"]
    (row,) = rows(story, there)
    with changed(story, there, row, round=77), pytest.raises(Diverged) as caught:
        story.replay()
    assert caught.value.context["field"] in {"ruling", "proposal of ben: status"}


def test_g10_what_an_unreviewed_round_committed_is_held_to_what_was_proposed(store: Store) -> None:
    session = store.create(Notes())
    journal = Journal(session)
    opened, sent = begun(journal, "write", "ana", "ben")
    journal.settle([answered(call) for call in sent])
    made = [proposes(session, "ana", lines=["one"]), proposes(session, "ben", lines=["two"])]
    both = (session.shape.operation(("lines",), ["one", "two"]),)
    journal.commit(opened, Change("ana+ben", both, 0, (("findings",),)), None, made)
    assert session.replay().rounds == 1
    row = next(row for row in rows(session, tables.commits) if row["version"] == 1)
    more = '[["append","/lines",["one","three","two"]]]'
    with changed(session, tables.commits, row, patch=more), pytest.raises(Diverged) as caught:
        session.replay()
    context = caught.value.context
    assert (context["field"], "three" in context["actual"], "three" in context["expected"]) == (
        "patch",
        True,
        False,
    )


def test_g10_a_version_that_is_missing_is_named(own_store: Store) -> None:
    session = own_store.create(Notes())
    for number in range(5):
        session.transact(does("append", "lines", str(number)), "ana")
    where = tables.commits.c.session_id == session.session_id
    with session.database.exclusively(), session.database.engine.begin() as connection:
        connection.execute(sa.delete(tables.commits).where(where, tables.commits.c.version == 3))
    with pytest.raises(Diverged, match="A version is missing") as caught:
        session.replay()
    assert caught.value.context["version"] == 3
    with session.database.exclusively(), session.database.engine.begin() as connection:
        connection.execute(sa.delete(tables.commits).where(where, tables.commits.c.version > 2))
    with pytest.raises(Diverged, match="The head is not the last commit") as caught:
        session.replay()
    assert (caught.value.context["expected"], caught.value.context["actual"]) == ("5", "2")


def test_g10_a_snapshot_that_cannot_be_unpacked_and_one_of_no_version_are_found(
    notes: Session[Notes],
) -> None:
    for number in range(8):
        notes.transact(does("append", "lines", f"{number}" * 9_000), "ana")
    row = rows(notes, tables.snapshots)[1]
    with changed(notes, tables.snapshots, row, state=b"\x07none"), pytest.raises(Tampered) as tampered:
        notes.replay()
    assert tampered.value.context["version"] == row["version"]
    with changed(notes, tables.snapshots, row, version=900), pytest.raises(Diverged) as caught:
        notes.replay()
    assert caught.value.context["field"] == "snapshot"
    text = pack(b"{}")
    with changed(notes, tables.snapshots, row, state=text, size=2), pytest.raises(Diverged) as caught:
        notes.replay()
    assert (caught.value.context["version"], caught.value.context["field"]) == (row["version"], "snapshot")


def test_g10_a_long_history_is_read_in_pages_and_no_state_is_shared_with_what_is_read_elsewhere(
    notes: Session[Notes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "_ROWS", 3)
    for number in range(10):
        notes.transact(does("merge", "answers", {f"q{number % 4}": number}), "ana")
        notes.transact(does("set", f"/answers/q{number % 3}", [number]), "ben")
    before = [notes.raw(version) for version in range(21)]
    assert notes.replay().versions == 21
    with notes.reading() as work:
        found = [state for _, state in replay.versions(work, notes.session_id, notes.branch)]
    assert found == before
    fork = notes.fork("idea", 7)
    fork.transact(does("append", "lines", "on the fork"), "ana")
    assert (fork.replay().versions, fork.verify().versions) == (9, 9)
