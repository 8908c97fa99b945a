"""G8: the history is hash-chained, and `verify` names the first commit that could not have been."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from by_hand import begun, proposes
from by_hand import change as asked
from dissensus_state import tables
from dissensus_state.blobs import reference
from dissensus_state.errors import Tampered
from dissensus_state.journal import Journal
from dissensus_state.records import Proposal
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from inquiries import Inquiry, does
from tampering import changed, forge, rows, storied

HELD = {
    "commits": "branch version author transition round base isolation reads patch evidence key at "
    "schema_version hash source",
    "rounds": "round branch step base status started_at again_of note review",
    "proposals": "round agent status patch reads confidence attempt detail",
    "rulings": "round n author decision binding body at",
    "calls": "round agent attempt model status request answer reasoning reasoning_kind raw input_tokens "
    "output_tokens cached_tokens reasoning_tokens estimated reserved cost sent_at latency_ms ttft_ms "
    "finish_reason detail written_tokens holds echo",
    "models": "model name lineage price frame",
    "snapshots": "version size state since",
    "blobs": "digest data",
    "branches": "branch head head_hash",
    "ledger": "account held spent",
    "documents": "document name kind digest content passages characters",
    "passages": "document passage place digest data",
}
"""Every column that the chain, a replay, the ledger or the digest of a document holds fast."""

FREE = {
    "branches": "lease_epoch base_branch base_version closed_at watched_until pruned rewritten indexed",
    "conflicts": "conflict branch version source_branch source_version path base ours theirs status "
    "settlement settled_by at",  # until they are merged: then the merge holds all of it (test_merges)
    "grades": "round agent n is_right basis author version detail at",  # said after the round was settled
    "tags": "tag branch version author at",  # names that anybody may take away and give again
    "ledger": "hard_limit unpriced soft_limit warned day",  # the user's to change
    "snapshots": "branch",  # one that is gone is only slower
    "answers": "digest source round agent attempt at",  # where to look for an answer: it is checked there
    "documents": "at detail",  # what else there is to tell about them
    "touches": "branch what spot block versions",  # made of the commits: test_touches
    "terms": "term segment postings",  # made of the passages: `Library.verify` holds it to them
}

COLUMNS = [(name, column) for name, columns in HELD.items() for column in columns.split()]


@pytest.fixture(scope="module")
def stories() -> dict[str, Session[Inquiry]]:
    """The session of each database, made once."""
    return {}


@pytest.fixture
def story(store: Store, backend: str, stories: dict[str, Session[Inquiry]]) -> Session[Inquiry]:
    """A session with something in every table, to be left as it was."""
    if backend not in stories:
        stories[backend] = storied(store)
    return stories[backend]


def _other(value: Any, column: sa.Column[Any]) -> Any:
    """Another value that the column can hold."""
    match value, column.type:
        case bytes(), _:
            return value[:-1] + bytes([value[-1] ^ 1])
        case str(), _:
            return value[:-1] + chr(ord(value[-1]) ^ 1)
        case None, sa.LargeBinary():
            return b"x"
        case None, sa.Text():
            return "x"
    return (value or 0) + 1000


def _version_of(table: str, row: dict[str, Any]) -> int | None:
    """The version that a change of this row makes impossible."""
    if table in {"commits", "snapshots"}:
        return int(row["version"])
    return {"rounds": 5, "proposals": 5, "rulings": 5, "calls": 5, "models": 5}.get(table)


def test_g08_every_stored_column_is_either_held_fast_or_named_as_free() -> None:
    for name, table in tables.metadata.tables.items():
        if name in {"sessions", "events", "tenants"}:
            continue
        named = f"session_id {HELD.get(name, '')} {FREE.get(name, '')}".split()
        assert sorted(named) == sorted(column.name for column in table.columns)


def test_g08_an_untouched_history_verifies(story: Session[Inquiry]) -> None:
    found = story.verify()
    assert (found.versions, found.rounds, found.rules_checked) == (6, 1, True)
    assert found.head == story.log(1)[0].hash.hex()


@pytest.mark.parametrize(("name", "column"), COLUMNS)
def test_g08_whatever_is_changed_behind_our_back_is_found_and_the_first_bad_version_named(
    story: Session[Inquiry], name: str, column: str
) -> None:
    table = tables.metadata.tables[name]
    for row in rows(story, table):
        other = _other(row[column], table.c[column])
        with changed(story, table, row, **{column: other}), pytest.raises(Tampered) as caught:
            story.verify()
        expected = _version_of(name, row)
        if expected is not None and (name, column) != ("snapshots", "version"):
            assert caught.value.context["version"] == expected, caught.value.message
        assert (caught.value.code, caught.value.exit_code) == ("verify.tampered", 5)
    assert story.verify().versions == 6


@pytest.mark.parametrize(
    "change", [{"confidence": 0.9}, {"status": "abstained"}, {"status": "dissent"}, {"attempt": 2}]
)
def test_g08_a_proposal_that_nobody_ruled_on_is_held_fast_too(
    inquiry: Session[Inquiry], change: dict[str, Any]
) -> None:
    journal = Journal(inquiry)
    round_, _ = begun(journal, "doubt", "ana", "ben")
    made = proposes(inquiry, "ana", doubts=1)
    silent = Proposal("ben", (), (), status="abstained", detail={"why": "no answer"})
    journal.commit(round_, asked(inquiry, made, transition="doubt"), made=[made, silent])
    assert inquiry.verify().rounds == 1
    for row in rows(inquiry, tables.proposals):
        if change.items() <= row.items():
            continue
        with changed(inquiry, tables.proposals, row, **change), pytest.raises(Tampered) as caught:
            inquiry.verify()
        assert caught.value.context["version"] == 2


def test_g08_a_tampered_value_is_not_handed_out_as_if_it_were_none(story: Session[Inquiry]) -> None:
    (patch,) = [row["patch"] for row in rows(story, tables.commits) if row["version"] == 1]
    (blob,) = [row for row in rows(story, tables.blobs) if reference(row["digest"]) in patch]
    with (
        changed(story, tables.blobs, blob, data=b"\x00other"),
        pytest.raises(Tampered, match="is not what was kept"),
    ):
        story.commit_at(1)


@pytest.mark.parametrize("version", range(6))
def test_g08_a_commit_that_is_gone_is_missed(store: Store, version: int) -> None:
    session = storied(store)
    where = (tables.commits.c.session_id == session.session_id, tables.commits.c.version == version)
    with session.database.engine.begin() as connection:
        connection.execute(sa.delete(tables.commits).where(*where))
    with pytest.raises(Tampered) as caught:
        session.verify()
    assert caught.value.context["version"] == version


def test_g08_two_commits_that_changed_places_are_found(store: Store) -> None:
    session = storied(store)
    one, two = rows(session, tables.commits)[2:4]
    for row, version in ((one, 99), (two, 2), ({**one, "version": 99}, 3)):
        with session.database.engine.begin() as connection:
            where = [column == row[column.name] for column in tables.commits.primary_key]
            connection.execute(sa.update(tables.commits).where(*where).values(version=version))
    with pytest.raises(Tampered) as caught:
        session.verify()
    assert caught.value.context["version"] == 2


FORGED = [
    pytest.param(3, {"isolation": None}, 3, "ana changed /findings in version 2", id="a stale read"),
    pytest.param(3, {"base": 7}, 3, "its base version 7 did not exist", id="a base of the future"),
    pytest.param(1, {"patch": '[["set","/none/x",1]]'}, 1, "There is nothing at /none", id="nowhere"),
    pytest.param(5, {"round": None}, 5, "'conclude' is committed under a ruling only", id="no ruling"),
    pytest.param(5, {"base": 3}, 5, "no ruling is bound to its proposals", id="another base"),
    pytest.param(1, {"patch": '[["add","/doubts",9]]'}, 1, "its snapshot is not", id="another past"),
]  # fmt: skip


@pytest.mark.parametrize(("version", "values", "named", "why"), FORGED)
def test_g08_a_chain_made_anew_does_not_admit_what_could_not_have_been_admitted(
    store: Store, version: int, values: dict[str, Any], named: int, why: str
) -> None:
    session = storied(store)
    forge(session, 0)
    session.verify()
    forge(session, version, **values)
    with pytest.raises(Tampered) as caught:
        session.verify()
    assert why in caught.value.message
    assert caught.value.context["version"] == named


def test_g08_without_the_schema_everything_but_its_machine_is_checked(store: Store) -> None:
    session = storied(store)
    bare: Session[Inquiry] = store.session(session.name)
    assert bare.verify().rules_checked is False
    forge(session, 4, author="somebody else")
    assert bare.verify().versions == 6
    (row,) = [row for row in rows(session, tables.commits) if row["version"] == 4]
    with changed(session, tables.commits, row, author="ana"), pytest.raises(Tampered):
        bare.verify()


def test_g08_money_that_no_call_explains_is_found(story: Session[Inquiry]) -> None:
    (account,) = rows(story, tables.ledger)
    with changed(story, tables.ledger, account, spent=7), pytest.raises(Tampered) as caught:
        story.verify()
    assert caught.value.message == (
        "The ledger says 0 nano-USD held and 7 spent; the calls add up to 0 and 6"
    )


def test_g08_a_history_goes_on_after_it_was_verified(notes: Session[Any]) -> None:
    for number in range(3):
        notes.transact(does("set", "a", number), "ana")
        assert notes.verify().versions == number + 2


VALUES: list[tuple[type[sa.types.TypeEngine[Any]], st.SearchStrategy[Any]]] = [
    (sa.LargeBinary, st.binary(max_size=40)),
    (sa.Text, st.text(st.characters(codec="utf-8"), max_size=40)),
    (sa.Float, st.floats(0, 1)),
    (sa.Integer, st.integers(100, 2**31 - 1)),
]


@settings(max_examples=60)
@given(data=st.data())
def test_g08_one_value_changed_at_random_is_found(data: st.DataObject, flipped: Session[Inquiry]) -> None:
    name, column = data.draw(st.sampled_from(COLUMNS))
    table = tables.metadata.tables[name]
    row = data.draw(st.sampled_from(rows(flipped, table)))
    other = data.draw(next(found for kind, found in VALUES if isinstance(table.c[column].type, kind)))
    assume(other != row[column])
    with changed(flipped, table, row, **{column: other}), pytest.raises(Tampered):
        flipped.verify()


@pytest.fixture(scope="module")
def flipped() -> Any:
    """A session in memory, whose values are changed one at a time."""
    with Store.open("sqlite://") as store:
        yield storied(store)
