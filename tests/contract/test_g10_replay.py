"""G10: replay rebuilds every version bit for bit, and names the first that differs."""

from __future__ import annotations

import pytest

from dissensus_state import tables
from dissensus_state.blobs import pack, unpack_text
from dissensus_state.errors import Diverged
from dissensus_state.replay import versions
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from dissensus_state.values import canonical, digest, parse
from inquiries import Inquiry, Notes, does
from tampering import LONG, changed, rows, storied


def test_g10_every_version_is_rebuilt_bit_for_bit(store: Store) -> None:
    session = storied(store)
    found = session.replay()
    assert (found.versions, found.calls) == (6, 0)
    assert found.digest == digest(canonical(session.raw())).hex()
    with session.reading() as work:
        for commit, state in versions(work, session.session_id, session.branch):
            assert canonical(state) == canonical(session.raw(commit.version))
            assert session.at(commit.version) == Inquiry.model_validate(state)


def test_g10_a_process_that_starts_now_sees_what_one_that_was_there_all_along_sees(
    own_store: Store, database_url: str
) -> None:
    there = storied(own_store)
    with Store.open(database_url) as elsewhere:
        new = elsewhere.session(schema=Inquiry)
        assert canonical(new.current().plain) == canonical(there.current().plain)
        assert new.state == there.remembered_state == there.state
        assert new.current().hash == there.log(1)[0].hash


def test_g10_the_snapshots_that_several_processes_take_in_turn_are_one_chain(
    own_store: Store, database_url: str
) -> None:
    one = own_store.create(Notes())
    with Store.open(database_url) as elsewhere:
        other = elsewhere.session(schema=Notes)
        for number in range(12):
            (other if number % 2 else one).transact(does("append", "lines", f"{number}" * 9_000), "ana")
        assert other.replay().versions == one.verify().versions == 13
    steps = rows(one, tables.snapshots)
    assert len(steps) > 3
    assert [parse(unpack_text(step["state"]))["after"] for step in steps[1:]] == [
        step["version"] for step in steps[:-1]
    ]


def test_g10_a_snapshot_that_the_commits_do_not_add_up_to_is_named(store: Store) -> None:
    session = storied(store)
    (row,) = rows(session, tables.snapshots)
    there = parse(unpack_text(row["state"]))
    text = canonical({**there, "=": {**there["="], "doubts": 7}})
    with (
        changed(session, tables.snapshots, row, state=pack(text.encode()), size=len(text)),
        pytest.raises(Diverged) as caught,
    ):
        session.replay()
    error = caught.value
    assert (error.code, error.exit_code, error.context["version"]) == ("replay.diverged", 5, row["version"])
    assert error.context["expected"] == digest(text).hex()
    assert error.context["actual"] == digest(canonical(there)).hex()


def test_g10_snapshots_are_taken_as_the_history_outgrows_them_and_change_nothing(
    notes: Session[Notes],
) -> None:
    for number in range(12):
        notes.transact(does("append", "lines", f"{number} " + "x" * 5_000), "ana")
    kept = [row["version"] for row in rows(notes, tables.snapshots)]
    assert kept == [4, 8, 12]
    for version in range(13):
        assert [line.split()[0] for line in notes.raw(version)["lines"]] == [str(n) for n in range(version)]
    assert notes.verify().versions == notes.replay().versions == 13


def test_g10_a_large_value_is_stored_once_whoever_writes_it(notes: Session[Notes]) -> None:
    for path in ("text", "anything", "/answers/x", "text"):
        notes.transact(does("set", path, LONG), "ana")
    assert len(rows(notes, tables.blobs)) == 1
    assert max(len(row["patch"]) for row in rows(notes, tables.commits)) < 1_000
    assert notes.state.text == notes.state.answers["x"] == notes.at(1).text == LONG
    assert notes.commit_at(1).patch[0].value == LONG
    assert notes.replay().versions == 5
