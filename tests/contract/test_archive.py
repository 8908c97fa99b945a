"""A session is handed on as one file, and taken into another database: the same history, the same hashes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from by_hand import answered, begun, concluded, to_judging
from dissensus_state import tables
from dissensus_state.archive import FORMS
from dissensus_state.archive_records import KINDS
from dissensus_state.chain import chained, cited
from dissensus_state.commits import SAID, between, stored_patch
from dissensus_state.errors import ArchiveRefused, Conflict, NotFound
from dissensus_state.journal import Journal
from dissensus_state.records import Budget
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from dissensus_state.touches import by_author
from dissensus_state.values import digest
from generations import Third, written
from inquiries import Finding, Inquiry, Notes, does
from tampering import rows, storied, write


def _file(session: Session[Any]) -> bytes:
    out = io.BytesIO()
    session.export(out)
    return out.getvalue()


def _records(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


@pytest.fixture
def other() -> Iterator[Store]:
    """Another database."""
    with Store.open("sqlite://") as opened:
        yield opened


def _whole(store: Store) -> Session[Inquiry]:
    """A session in which every kind of record stands."""
    session = storied(store)
    session.fork("idea", 2)
    session.tag("first", 1)
    session.grade(1, right=["ana"], wrong=["ben"], by="chair", detail="It was the valve")
    session.set_budget(Budget(usd=5, tokens=10_000))
    return session


def test_what_is_taken_in_is_the_same_session(store: Store, other: Store) -> None:
    session = _whole(store)
    data = _file(session)
    taken = other.import_session(io.BytesIO(data), schema=Inquiry)
    assert (taken.name, taken.info.schema, taken.info.keys) == (
        session.name,
        session.info.schema,
        session.info.keys,
    )
    assert taken.verify() == session.verify()
    assert taken.state == session.state
    assert taken.replay() == session.replay()
    assert [taken.raw(version) for version in range(6)] == [session.raw(version) for version in range(6)]
    assert [one.hash for one in taken.log()] == [one.hash for one in session.log()]
    assert taken.rounds() == session.rounds()
    assert taken.round(1) == session.round(1)
    assert taken.grades() == session.grades()
    assert taken.events() == session.events()
    assert taken.tags() == session.tags()
    assert taken.branches() == session.branches()
    assert taken.accounts == session.accounts
    assert taken.on("idea").verify() == session.on("idea").verify()


def test_from_one_database_to_the_other_and_back_the_files_are_the_same(
    store: Store, own_store: Store, other: Store
) -> None:
    data = _file(_whole(store))
    there = other.import_session(io.BytesIO(data))
    back = own_store.import_session(io.BytesIO(_file(there)))
    assert _file(there) == _file(back) == data


def test_nothing_rests_on_the_number_or_the_name_of_a_session(own_store: Store, store: Store) -> None:
    session = storied(store)
    for _ in range(3):
        own_store.create(Notes())
    taken = own_store.import_session(io.BytesIO(_file(session)), "another", Inquiry)
    assert taken.name == "another"
    assert taken.session_id != session.session_id
    assert taken.verify().head == session.verify().head
    mine, its = _file(session).splitlines()[1:-1], _file(taken).splitlines()[1:-1]
    assert mine == its


def test_a_session_that_was_taken_in_goes_on(own_store: Store, store: Store) -> None:
    session = storied(store)
    taken = own_store.import_session(io.BytesIO(_file(session)), schema=Inquiry)
    idea = taken.fork("idea", 3)
    with idea.transaction("ana", "gather") as tx:
        tx.append("findings", Finding(text="Something new"))
    assert idea.verify().versions == 5
    assert idea.state.findings[-1].text == "Something new"
    assert taken.verify() == session.verify()


def test_an_open_round_is_resumed_where_it_was_taken_in(own_store: Store, store: Store) -> None:
    session = store.create(Inquiry(), budget=Budget(usd=1))
    with session.transaction("scout", "gather") as tx:
        tx.append("findings", Finding(text="The valve was open"))
    to_judging(session)
    journal = Journal(session)
    round_, sent = begun(journal, "conclude", "ana", "ben")
    journal.settle([answered(sent[0], cost=3)])
    taken = own_store.import_session(io.BytesIO(_file(session)), schema=Inquiry)
    assert taken.budget.held == session.budget.held > 0
    again = Journal(taken)
    last = again.last_round()
    assert last is not None
    assert (last.round, last.status) == (round_.round, "open")
    again.settle([answered(call, cost=3) for call in again.calls(last) if call.status == "sent"])
    assert taken.budget.held == 0


def test_documents_are_found_where_they_were_taken_in(own_store: Store, store: Store) -> None:
    session = storied(store)
    taken = own_store.import_session(io.BytesIO(_file(session)))
    assert taken.library.documents() == session.library.documents()
    assert taken.library.search("valve") == session.library.search("valve") != []
    assert taken.library.verify() == 1


def test_the_index_of_the_commits_is_there_after_an_import(own_store: Store, store: Store) -> None:
    session = store.create(Notes())
    for number in range(300):
        session.transact(does("append", "lines", f"line {number}"), "ana")
    taken = own_store.import_session(io.BytesIO(_file(session)), schema=Notes)
    assert rows(taken, tables.branches)[0]["indexed"] == 255
    assert rows(taken, tables.touches)
    with taken.reading() as work:
        assert by_author(work, taken.session_id, "main", "ana", limit=300) == list(range(300, 0, -1))
    assert taken.blame("/lines/17").commit.version == 18


def test_any_version_of_a_long_history_is_read_from_snapshots_that_were_made_anew(
    own_store: Store, store: Store
) -> None:
    session = store.create(Notes())
    for number in range(60):
        session.transact(does("append", "lines", f"{number} " + "x" * 2_000), "ana")
    session.fork("idea", 40).transact(does("set", "text", "y" * 40_000), "ben")
    taken = own_store.import_session(io.BytesIO(_file(session)), schema=Notes)
    assert len(rows(taken, tables.snapshots)) >= 3
    assert [taken.raw(version) for version in (0, 17, 44, 60)] == [
        session.raw(version) for version in (0, 17, 44, 60)
    ]
    assert taken.on("idea").state == session.on("idea").state
    assert taken.verify() == session.verify()


def test_what_was_redacted_and_pruned_stays_so(own_store: Store, store: Store) -> None:
    session = store.create(Notes())
    for number in range(20):
        session.transact(does("append", "lines", f"line number {number}"), "ana")
    session.redact("/lines/3", author="clerk", reason="asked for")
    session.prune(session.plan_prune(12), author="clerk")
    data = _file(session)
    assert [one["type"] for one in _records(data)].count("state") == 1
    taken = own_store.import_session(io.BytesIO(data), schema=Notes)
    assert taken.verify() == session.verify()
    assert taken.state == session.state
    assert [taken.raw(version) for version in range(12, 22)] == [
        session.raw(version) for version in range(12, 22)
    ]
    with pytest.raises(NotFound, match="pruned"):
        taken.raw(11)
    assert _file(taken) == data


def test_a_merge_and_its_conflicts_are_taken_along(own_store: Store, store: Store) -> None:
    session = store.create(Notes(text="before"))
    idea = session.fork("idea")
    idea.transact(does("set", "text", "i" * 70_000), "ben")
    session.transact(does("set", "text", "main's"), "ana")
    assert session.merge("idea", author="ana").conflicts
    session.settle(1, "theirs", author="ana")
    data = _file(session)
    taken = own_store.import_session(io.BytesIO(data), schema=Notes)
    assert taken.conflicts() == session.conflicts()
    assert taken.merge("idea", author="ana").commit is not None
    assert taken.state.text == "i" * 70_000
    assert taken.verify().versions == 3
    assert _file(own_store.import_session(io.BytesIO(_file(taken)), "again", Notes)).count(b"\n")


def test_numbers_stay_exact(own_store: Store, store: Store) -> None:
    session = store.create(Notes())
    values = [10**30, -(2**63) - 1, 2**64, 1e16, 1.5e300, 0.1, 1e-7, 123456789012345678901.5, 10**21]
    session.transact(does("set", "anything", {"numbers": values}), "ana")
    taken = own_store.import_session(io.BytesIO(_file(session)), schema=Notes)
    assert taken.raw() == session.raw()
    assert taken.verify() == session.verify()


def test_a_database_file_opens_as_it_is_and_is_taken_in_as_well(
    store: Store, own_store: Store, tmp_path: Path
) -> None:
    session = _whole(store)
    made = session.export(tmp_path / "copy.db", "sqlite")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("copy.db")] == ["copy.db"]
    assert made.bytes == (tmp_path / "copy.db").stat().st_size
    with Store.open(str(tmp_path / "copy.db")) as copy:
        assert copy.session(session.name, Inquiry).verify() == session.verify()
        assert _file(copy.session()) == _file(session)
    taken = own_store.import_session(tmp_path / "copy.db", schema=Inquiry)
    assert _file(taken) == _file(session)


def test_one_of_several_sessions_of_a_database_file_is_named(own_store: Store, tmp_path: Path) -> None:
    path = tmp_path / "several.db"
    with Store.open(str(path)) as several:
        several.create(Notes(), name="one")
        several.create(Notes(text="the second"), name="two")
    with pytest.raises(NotFound, match="holds 2 sessions: one, two"):
        own_store.import_session(path)
    assert own_store.import_session(path, session="two", schema=Notes).state.text == "the second"
    with pytest.raises(NotFound, match="There is no session 'three'"):
        own_store.import_session(path, session="three")


def test_an_answer_says_what_was_written(store: Store, tmp_path: Path) -> None:
    session = storied(store)
    path = tmp_path / "session.jsonl"
    made = session.export(path)
    assert made.as_dict() == {
        "path": str(path),
        "form": "jsonl",
        "session": session.name,
        "heads": {"main": {"version": 5, "hash": session.verify().head}},
        "counts": dict(made.counts),
        "bytes": path.stat().st_size,
        "digest": made.digest,
        "redacted": [],
        "left_out": [],
        "left": [],
    }
    header, *records, end = _records(path.read_bytes())
    assert header["heads"] == dict(made.heads)
    assert end == {"type": "end", "lines": len(records) + 1, "sha256": made.digest}
    assert {word: number for word, number in header["counts"].items() if number} == {
        "branch": 1,
        "blob": 2,
        "model": 2,
        "round": 1,
        "call": 2,
        "proposal": 2,
        "ruling": 1,
        "commit": 6,
        "account": 1,
        "document": 1,
        "passage": 2,
    }


def test_a_second_session_of_the_same_name_is_refused_and_nothing_of_it_stays(store: Store) -> None:
    session = storied(store)
    before = len(rows(session, tables.commits))
    with pytest.raises(Conflict, match="already"):
        store.import_session(io.BytesIO(_file(session)))
    assert len(rows(session, tables.commits)) == before


def test_a_form_that_there_is_not_is_refused(store: Store, tmp_path: Path) -> None:
    session = store.create(Notes())
    with pytest.raises(ArchiveRefused, match="There is no form 'xml'") as caught:
        session.export(tmp_path / "x", "xml")
    assert caught.value.next_step == f"Choose one of {', '.join(FORMS)}"
    with pytest.raises(ArchiveRefused, match="cannot be written into a stream"):
        session.export(io.BytesIO(), "sqlite")


def test_the_same_session_gives_the_same_bytes_at_any_time(store: Store) -> None:
    session = storied(store)
    assert _file(session) == _file(session)


def test_a_round_that_was_ruled_on_is_told_with_all_that_was_said(store: Store) -> None:
    session = store.create(Inquiry())
    with session.transaction("scout", "gather") as tx:
        tx.append("findings", Finding(text="The valve was open"))
    concluded(session)
    records = _records(_file(session))
    (call, _) = [one for one in records if one["type"] == "call"]
    assert (call["answer"], call["reasoning"], call["raw"]) == (
        "The valve.",
        "ana thought about it.",
        '{"choices": []}',
    )
    (ruling,) = [one for one in records if one["type"] == "ruling"]
    assert (ruling["decision"], ruling["body"]["dissent"]) == ("uphold", ["ben"])


def test_a_history_under_several_versions_of_its_schema_is_the_same(own_store: Store, store: Store) -> None:
    name = written(store).name
    session = store.session(name, Third)
    with session.transaction("ana", "work", key="later") as tx:
        tx.set("body", "It stopped again")
    data = _file(session)
    taken = own_store.import_session(io.BytesIO(data), schema=Third)
    assert json.loads(data.splitlines()[0])["past_keys"] == {"1": {"claims": "id"}}
    assert taken.verify() == session.verify()
    assert taken.state == session.state
    assert [taken.at(version) for version in range(6)] == [session.at(version) for version in range(6)]
    assert taken.blame("/claims/claim 7").commit == session.blame("/claims/claim 7").commit
    assert _file(taken) == data


def test_g08_a_chain_that_covers_its_values_as_a_whole_holds_as_well(own_store: Store, store: Store) -> None:
    session = storied(store)
    previous = b""
    with session.writing() as work:
        made = list(between(work, session.session_id, "main", -1))
        texts = [stored_patch(work, session.session_id, "main", one.version) for one in made]
        cites = [cited(work, session.session_id, one.round, whole=True) for one in made]
    for one, text, digest_ in zip(made, texts, cites, strict=True):
        said = {name: getattr(one, name) for name in SAID}
        previous = chained(previous, digest(text).hex(), digest_, said, "whole")
        key = {"session_id": session.session_id, "branch": "main", "version": one.version}
        write(session, tables.commits, key, {"hash": previous})
    (branch,) = rows(session, tables.branches)
    write(session, tables.branches, branch, {"head_hash": previous})
    data = _file(session)
    taken = own_store.import_session(io.BytesIO(data), schema=Inquiry)
    assert taken.verify() == session.verify()
    assert _file(taken) == data


def test_every_column_is_in_the_file_or_made_anew() -> None:
    derived = {"snapshots", "touches", "terms"}
    left = {"answers", "sessions"}
    here = {"session_id"}
    for name, table in tables.metadata.tables.items():
        if "session_id" not in table.c or name in derived | left:
            continue
        (kind,) = [one for one in KINDS.values() if one.table is table]
        assert {column.name for column in table.c} == {*kind.fields, *kind.fixed} | here, name
