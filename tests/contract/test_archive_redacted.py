"""A copy that is handed on without something: it is in no byte of the file, which says so and verifies."""

from __future__ import annotations

import io
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from by_hand import answered, begun, change, in_review, proposes, rules, to_judging
from canaries import Searched
from dissensus_state import tables
from dissensus_state.archive import FORMS
from dissensus_state.errors import ArchiveRefused, Denied, NotFound, Refused, Tampered, ValueRefused
from dissensus_state.journal import Journal
from dissensus_state.rights import Rights
from dissensus_state.sessions import Session
from dissensus_state.shapes import SharedState
from dissensus_state.store import Store
from erasing import CANARY, forms
from inquiries import Claim, Finding, Inquiry, Notes, does
from tampering import changed, rows


def _file(session: Session[Any], **asked: Any) -> bytes:
    out = io.BytesIO()
    session.export(out, **asked)
    return out.getvalue()


def _taken(data: bytes, schema: type[SharedState]) -> Session[Any]:
    return Store.open("sqlite://").import_session(io.BytesIO(data), schema=schema)


def _everywhere(store: Store) -> Session[Inquiry]:
    """A session that has the canary in its state, in a round with all recordings, an event and a document."""
    session = store.create(Inquiry())
    with session.transaction("scout", "gather") as tx:
        tx.append("findings", Finding(text="The valve was open"), Finding(text=CANARY, source="log"))
        tx.evidence({"quoted": CANARY})
    session.fork("idea")
    session.library.add("log.txt", "text", [("line 1", f"It said: {CANARY}."), ("line 2", "Nothing")], b"log")
    session.record("heard", {"what": CANARY})
    to_judging(session)
    journal = Journal(session)
    opened, sent = begun(journal, "conclude", "ana", "ben")
    journal.settle([answered(call, json.dumps({"verdict": CANARY}), cost=3) for call in sent])
    made = [
        proposes(session, "ana", verdict=f"It was {CANARY}"),
        proposes(session, "ben", verdict="the pump"),
    ]
    opened = journal.propose(opened, made, {"disagreements": ["/verdict"]})
    ruling = rules(opened, made, upheld=("ben",), dissent=("ana",), cause=f"It is not {CANARY}")
    journal.commit(opened, change(session, made[1]), ruling)
    return session


def test_the_redacted_value_is_in_no_byte_of_the_file(store: Store, tmp_path: Path) -> None:
    session = _everywhere(store)
    before = _file(session)
    assert any(form.encode() in before for form in forms())
    for form in FORMS:
        path = tmp_path / f"copy.{form}"
        made = session.export(path, form, redact=["/findings/1/text"], author="clerk")
        data = path.read_bytes()
        assert not [form for form in forms() if form.encode() in data]
        searched = Searched({"canary": CANARY})
        searched.look(data, "file")
        if form == "sqlite":
            assert searched.rows(f"sqlite:///{path}") > 100
        assert searched.found == []
        assert made.redacted == ("/findings/1/text",)
    assert _file(session) == before


def test_the_copy_says_who_took_it_out_and_why_and_verifies(store: Store) -> None:
    session = _everywhere(store)
    taken = _taken(_file(session, redact=["/findings/1/text"], author="clerk"), Inquiry)
    verified = taken.verify()
    assert (verified.rules_checked, verified.redacted) == (True, 1)
    assert taken.on("idea").verify().redacted == 1
    newest = taken.log(1)[0]
    assert newest.author == "clerk"
    assert newest.source is not None
    assert newest.source["redact"]["reason"] == "export"
    assert taken.state.findings[1].text == "[redacted]"
    assert session.head + 1 == taken.head


def test_an_equal_text_elsewhere_is_taken_out_as_well(store: Store) -> None:
    session = store.create(Notes(text="first"))
    session.transact(does("append", "lines", CANARY, "other"), "ana")
    session.transact(does("set", "text", f"so {CANARY} it is"), "ana")
    session.transact(does("set", "text", "overwritten"), "ana")
    session.transact(does("merge", "claims", [Claim(id="k", text=CANARY)]), "ana")
    session.transact(does("set", "anything", {"deep": [CANARY]}), "ana")
    data = _file(session, redact=["/lines/0"])
    assert not [form for form in forms() if form.encode() in data]
    taken = _taken(data, Notes)
    assert taken.verify().redacted == 4
    assert taken.state.lines == ["[redacted]", "other"]
    assert taken.state.claims == [Claim(id="k", text="[redacted]")]
    assert taken.at(2).text != f"so {CANARY} it is"


def test_every_value_that_ever_stood_at_the_path_is_taken_out(store: Store) -> None:
    session = store.create(Notes(text="first of all"))
    for said in (CANARY, "other words of hers", ""):
        session.transact(does("set", "text", said), "ana")
    session.transact(does("merge", "claims", [Claim(id="k", text=CANARY)]), "ana")
    idea = session.fork("idea", 2)
    idea.transact(does("set", "text", "said aside"), "ben")
    data = _file(session, redact=["/text"])
    for gone in (*forms(), "first of all", "other words of hers", "said aside"):
        assert gone.encode() not in data
    taken = _taken(data, Notes)
    assert {taken.at(version).text for version in range(5)} == {"[redacted]"}
    assert taken.state.claims == [Claim(id="k", text="[redacted]")]
    assert taken.on("idea").state.text == "[redacted]"
    taken.verify()
    taken.on("idea").verify()


def test_what_is_gone_at_the_head_is_taken_out_of_what_came_before(store: Store) -> None:
    session = store.create(Notes())
    session.transact(does("set", "anything", {"deep": CANARY}), "ana")
    session.transact(does("set", "anything", None), "ana")
    for path in ("/anything", "/anything/deep"):
        data = _file(session, redact=[path])
        assert not [form for form in forms() if form.encode() in data]
        assert _taken(data, Notes).verify().redacted == 1
    assert session.at(1).anything == {"deep": CANARY}
    with pytest.raises(NotFound, match="There is nothing at /anything/other"):
        session.export(io.BytesIO(), redact=["/anything/other"])


def test_what_cannot_be_taken_out_everywhere_refuses_the_file(store: Store, tmp_path: Path) -> None:
    session = store.create(Notes())
    session.transact(does("merge", "answers", {CANARY: 1}), "ana")
    session.transact(does("append", "lines", CANARY), "ana")
    path = tmp_path / "copy"
    path.write_text("what was there")
    for form in FORMS:
        with pytest.raises(Refused, match=r'still stands in line .*"type":"commit"') as caught:
            session.export(path, form, redact=["/lines/0"])
        assert CANARY not in str(caught.value)
        assert path.read_text() == "what was there"
        assert [one.name for one in tmp_path.iterdir()] == ["copy"]


def test_a_round_that_is_not_settled_and_holds_it_refuses_the_file(store: Store) -> None:
    session = store.create(Inquiry())
    with session.transaction("scout", "gather") as tx:
        tx.append("findings", Finding(text="the valve"))
    to_judging(session)
    in_review(session)
    with pytest.raises(Refused, match="round 1, which is not settled"):
        _file(session, redact=["/findings/0/text"])


def test_a_number_is_replaced_by_what_is_given(store: Store) -> None:
    session = store.create(Notes())
    session.transact(does("set", "a", 4711), "ana")
    with pytest.raises(ValueRefused, match="nothing can stand by itself"):
        _file(session, redact=["/a"])
    assert _taken(_file(session, redact={"/a": 0}), Notes).state.a == 0


def test_redacting_needs_the_schema_the_path_and_the_right(store: Store) -> None:
    class Guarded(SharedState):
        secret: str = "not to be seen"

        rights = [Rights("chair", read="/", rule="/"), Rights("*", read="/", commit="/")]

    session = store.create(Guarded())
    with pytest.raises(Refused, match=r"its schema .* is needed"):
        _file(store.session(session.name), redact=["/secret"])
    with pytest.raises(NotFound):
        _file(session, redact=["/nothing"], author="chair")
    with pytest.raises(Denied):
        _file(session, redact=["/secret"], author="ana")
    taken = _taken(_file(session, redact=["/secret"], reasoning=False, author="chair"), Guarded)
    assert taken.verify().rules_checked
    assert taken.state.secret == "[redacted]"


@pytest.mark.parametrize("what", ["raw", "reasoning", "prompts"])
def test_what_was_left_out_is_gone_and_the_chain_explains_it(store: Store, what: str) -> None:
    session = _ruled(store)
    data = _file(session, **{what: False})
    header, *records = [json.loads(line) for line in data.splitlines()]
    assert header["left_out"] == [what]
    key = {"raw": "raw", "reasoning": "reasoning", "prompts": "request"}[what]
    gone = "redacted" if what == "prompts" else "gone"
    calls = [one for one in records if one["type"] == "call"]
    assert calls
    assert all(list(one[key]) == [gone] for one in calls)
    kept = {"raw", "reasoning", "answer"} - {key}
    assert all(isinstance(one[name], str) for one in calls for name in kept)
    taken = _taken(data, Inquiry)
    assert taken.verify().rules_checked
    said = taken.log(1)[0]
    assert said.source == {"omit": {"what": [what], "upto": 1, "reason": "export"}}
    assert said.patch == ()
    assert taken.state == session.state
    assert _file(taken) == data


def test_everything_that_can_be_left_out_is_left_out_at_once(store: Store) -> None:
    data = _file(_ruled(store), raw=False, reasoning=False, prompts=False)
    for text in (b"thought about it", b"choices", b"Why did it stop? Why"):
        assert text not in data
    taken = _taken(data, Inquiry)
    assert taken.verify().rules_checked
    assert {call.reasoning for call in taken.round(1)[2]} == {"[redacted]"}


def test_g08_what_vanished_and_was_not_left_out_is_found(store: Store) -> None:
    session = _ruled(store)
    with Store.open("sqlite://") as other:
        taken = other.import_session(io.BytesIO(_file(session, reasoning=False)), schema=Inquiry)
        (row, _) = rows(taken, tables.calls)
        from dissensus_state.blobs import gone

        assert taken.verify().rules_checked
        with (
            changed(taken, tables.calls, row, answer=gone(row["answer"])),
            pytest.raises(Tampered, match="taken away, and no commit says so"),
        ):
            taken.verify()
    with Store.open("sqlite://") as other:
        whole = other.import_session(io.BytesIO(_file(session)), schema=Inquiry)
        (row, _) = rows(whole, tables.calls)
        with (
            changed(whole, tables.calls, row, reasoning=gone(row["reasoning"])),
            pytest.raises(Tampered, match="taken away, and no commit says so"),
        ):
            whole.verify()


def test_the_session_itself_stays_as_it_was(store: Store) -> None:
    session = _ruled(store)
    before, head = _file(session), session.head
    _file(session, redact=["/findings/0/text"], raw=False, reasoning=False, prompts=False)
    assert (_file(session), session.head) == (before, head)


def test_a_closed_branch_says_what_was_left_out_as_well(store: Store) -> None:
    session = _ruled(store)
    session.close_branch()
    assert _taken(_file(session, prompts=False), Inquiry).verify().rules_checked


def test_nothing_of_the_copy_stays_where_it_was_made(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    _file(_ruled(store), redact=["/findings/0/text"])
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_part_cannot_be_left_out(store: Store) -> None:
    from dissensus_state import archive

    session = _ruled(store)
    source = archive.Source(session.database, session.info, "main", None)
    with pytest.raises(ArchiveRefused, match="'answers' cannot be left out"):
        archive.export(source, io.BytesIO(), archive.Asked("jsonl", {}, ["answers"], "ana"))


def test_a_database_file_of_a_copy_has_nothing_in_its_free_pages(store: Store, tmp_path: Path) -> None:
    session = _everywhere(store)
    session.export(tmp_path / "copy.db", "sqlite", redact=["/findings/1/text"], prompts=False)
    with sqlite3.connect(tmp_path / "copy.db") as connection:
        assert connection.execute("PRAGMA freelist_count").fetchone() == (0,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def _ruled(store: Store) -> Session[Inquiry]:
    """A session with one round that a ruling has settled."""
    session = store.create(Inquiry())
    with session.transaction("scout", "gather") as tx:
        tx.append("findings", Finding(text="The hatch was open"))
    to_judging(session)
    journal, round_, made = in_review(session)
    journal.commit(round_, change(session, made[0]), rules(round_, made, upheld=("ana",), dissent=("ben",)))
    return session


def test_the_tables_of_a_copy_are_those_of_a_new_database(store: Store, tmp_path: Path) -> None:
    _ruled(store).export(tmp_path / "copy.db", "sqlite")
    with Store.open(str(tmp_path / "copy.db")) as copy:
        found = set(sa.inspect(copy.database.engine).get_table_names())
    assert set(tables.metadata.tables) <= found
