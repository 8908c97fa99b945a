"""A value is taken away for good: from every table and file, on every branch, and the chain still holds."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated, Any, Literal

import pytest
import sqlalchemy as sa
from alembic import command
from pydantic import BaseModel

from by_hand import answered, begun, change, proposes, rules, to_judging
from dissensus_state import migrations, tables
from dissensus_state.blobs import gone, header, reference
from dissensus_state.chain import chained
from dissensus_state.commits import SAID
from dissensus_state.errors import Conflict, Denied, NotFound, Refused, Tampered, ValueRefused
from dissensus_state.journal import Journal
from dissensus_state.rights import Rights
from dissensus_state.sessions import Session
from dissensus_state.shapes import Append, MergeByKey, SharedState, Union
from dissensus_state.store import Store
from dissensus_state.values import canonical, digest, parse_list
from erasing import CANARY, files_with, standing
from inquiries import Finding, Inquiry, Notes, does
from tampering import changed, rows, storied, write


class Person(BaseModel):
    """Somebody, under a name of their own."""

    id: str
    name: str = ""
    age: int = 0


class Register(SharedState):
    """People, and what is said of them; the clerk may rule on them."""

    people: Annotated[list[Person], MergeByKey("id")] = []
    remarks: Annotated[list[Person], Append] = []
    names: Annotated[set[str], Union] = set()
    kind: Literal["open", "closed"] = "open"
    about: dict[str, Any] = {}
    note: str = ""

    rights = [
        Rights("clerk", rule={"people", "remarks", "names", "about", "kind"}),
        Rights("*", read="/", commit="/"),
    ]


def grown(session: Session[Notes], count: int = 40) -> None:
    """Some more commits, enough for snapshots."""
    for number in range(count):
        session.transact(does("append", "lines", f"line {number} " + "x" * 1000), "ana")


def redacted(session: Session[Any], path: str, **options: Any) -> Any:
    return session.redact(path, author="chair", reason="asked for by the person", **options)


def without(state: Any, text: str = CANARY) -> Any:
    """A state in which a text was replaced."""
    return json.loads(json.dumps(state, ensure_ascii=False).replace(text, "[redacted]"))


def test_g08_a_redacted_value_is_in_no_table_and_in_no_file_and_the_chain_still_verifies(
    own_store: Store, backend: str
) -> None:
    session = own_store.create(Notes(text="before"))
    session.transact(does("set", "text", CANARY), "ana")
    grown(session)
    session.transact(does("set", "text", "after"), "ana")
    before = [session.raw(version) for version in range(session.head + 1)]
    assert standing(session)
    done = redacted(session, "/text", version=5)
    assert (done.version, done.branch, done.remains) == (1, "main", ())
    assert done.erased["operations"] == 1
    assert done.erased["snapshots"] >= 1
    assert standing(session) == []
    if backend == "sqlite":
        assert files_with(session) == []
        assert done.left == ()
    else:
        assert "backups" in done.left[1]
    assert [session.raw(version) for version in range(len(before))] == [without(state) for state in before]
    verified = session.verify()
    assert (verified.versions, verified.redacted) == (session.head + 1, 1)
    assert session.replay().versions == session.head + 1


def test_the_history_says_who_took_a_value_away_and_why(notes: Session[Notes]) -> None:
    notes.transact(does("set", "text", CANARY), "ana")
    done = redacted(notes, "text")
    said = notes.log(1)[0]
    assert said == done.commit
    assert (said.author, said.patch) == ("chair", ())
    assert said.source is not None
    told = said.source["redact"]
    assert (told["version"], told["path"], told["reason"]) == (1, "/text", "asked for by the person")
    assert CANARY not in json.dumps(said.source)
    (operation,) = notes.commit_at(1).patch
    assert operation.gone is not None
    assert (operation.value, operation.gone[0]) == ("[redacted]", "redacted")


def test_another_process_that_remembers_the_value_does_not_bring_it_back(
    own_store: Store, database_url: str, backend: str
) -> None:
    own_store.create(Notes(), name="notes").transact(does("set", "text", CANARY), "ana")
    with Store.open(database_url) as elsewhere:
        other = elsewhere.session("notes", Notes)
        grown(other, 10)
        assert other.state.text == CANARY
        session = own_store.session("notes", Notes)
        redacted(session, "/text")
        grown(other, 60)
        assert other.state.text == "[redacted]"
        assert standing(other) == []
        assert other.verify().redacted == 1
        assert session.state == other.state
    if backend == "sqlite":
        assert files_with(session) == []


def test_a_transaction_on_a_branch_whose_head_did_not_move_forgets_the_value_too(
    own_store: Store, database_url: str
) -> None:
    session = own_store.create(Notes(), name="notes")
    session.transact(does("set", "text", CANARY), "ana")
    session.fork("side")
    with Store.open(database_url) as elsewhere:
        side = elsewhere.session("notes", Notes).on("side")
        with side.transaction("ben") as tx:
            tx.append("lines", "one")
            redacted(session, "/text")
        assert side.remembered.state["text"] == "[redacted]"
        assert side.verify().redacted == 1


def test_bytes_that_were_left_behind_before_are_gone_from_the_file_as_well(
    own_store: Store, backend: str
) -> None:
    if backend == "postgresql":
        pytest.skip("its administrator's")
    session = own_store.create(Notes())
    session.transact(does("set", "text", CANARY), "ana")
    with session.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA secure_delete=OFF")
        for _ in range(200):
            connection.exec_driver_sql(
                "INSERT INTO events SELECT 1, 1 + coalesce(max(event), 0), 'x', 0, '', 0, ? FROM events",
                (CANARY,),
            )
        connection.exec_driver_sql("DELETE FROM events")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    assert files_with(session)
    redacted(session, "/text")
    assert files_with(session) == []


def test_a_value_that_a_snapshot_was_taken_of_at_once_goes_from_that_too(own_store: Store) -> None:
    session = own_store.create(Notes())
    session.transact(does("append", "lines", CANARY + "x" * 20_000), "ana")
    assert [row["version"] for row in rows(session, tables.snapshots)] == [1]
    redacted(session, "/lines/0")
    assert standing(session) == []
    assert session.verify().redacted == 1


def test_every_branch_that_has_the_commit_in_it_is_rid_of_the_value(own_store: Store) -> None:
    session = own_store.create(Notes())
    before = session.fork("before")
    session.transact(does("set", "text", CANARY), "ana")
    grown(session, 20)
    side = session.fork("side", 12)
    grown(side, 30)
    deeper = side.fork("deeper")
    deeper.transact(does("set", "text", "else"), "ben")
    states = {one.branch: one.raw() for one in (before, session, side, deeper)}
    redacted(side, "/text")
    assert standing(session) == []
    for one in (before, session, side, deeper):
        assert one.verify().redacted == (one is not before)
        assert one.raw() == without(states[one.branch])
        assert own_store.session(session.name, Notes).on(one.branch).state == one.state


def test_the_value_goes_from_the_version_that_was_named_though_it_was_written_twice(own_store: Store) -> None:
    session = own_store.create(Notes())
    for note in (CANARY, CANARY, "nothing"):
        session.transact(does("set", "text", note), "ana")
    done = session.redact("/text", 2, author="ana", reason="asked")
    assert (done.version, session.raw(2)["text"]) == (2, "[redacted]")
    assert [one.as_dict()["version"] for one in done.remains] == [1]  # what was written otherwise is told
    session.redact("/text", 1, author="ana", reason="asked")
    assert CANARY not in json.dumps([state for _, state in session.versions()])
    assert session.verify().versions == session.head + 1


def test_what_is_said_on_another_branch_counts_only_if_that_branch_is_whole(own_store: Store) -> None:
    session = own_store.create(Notes())
    session.transact(does("set", "text", CANARY), "ana")
    side = session.fork("side")
    redacted(side, "/text")
    assert session.verify().redacted == 1
    (row,) = [row for row in rows(session, tables.commits) if row["branch"] == "side"]
    with changed(session, tables.commits, row, author="mallory"), pytest.raises(Tampered) as caught:
        session.verify()
    assert caught.value.context["branch"] == "side"


def test_a_round_loses_what_its_agents_said_and_its_ruling_still_binds(
    own_store: Store, backend: str
) -> None:
    session = own_store.create(Inquiry())
    with session.transaction("scout", "gather") as tx:
        tx.append("findings", Finding(text="The valve was open", source="log"))
    to_judging(session)
    journal = Journal(session)
    opened, sent = begun(journal, "conclude", "ana", "ben")
    answer = json.dumps({"verdict": CANARY, "reasoning": f"I think {CANARY}"})
    raw = json.dumps({"choices": [{"message": {"content": answer}}]}).encode()
    journal.settle(
        [
            replace(answered(sent[0], answer), raw=raw, reasoning=CANARY),
            replace(answered(sent[1], "The pump."), detail={"heard": CANARY}),
        ]
    )
    made = (proposes(session, "ana", verdict=CANARY), proposes(session, "ben", verdict=f"not {CANARY}"))
    review = {"disagreements": [{"path": "/verdict", "positions": [{"value": CANARY}]}]}
    round_ = journal.propose(opened, made, review)
    ruling = rules(round_, made, upheld=("ana",), dissent=("ben",), cause=f"ben misread {CANARY}")
    asked = replace(change(session, made[0]), evidence=({"quotation": CANARY}, {"quotation": "open"}))
    journal.commit(round_, asked, ruling)
    session.record("refused", {"message": f"given: {CANARY!r}"})
    session.grade(round_.round, wrong=["ana"], by="eva", detail=f"nobody said {CANARY}")
    assert {name.partition(".")[0] for name in standing(session)} >= {
        "calls", "commits", "events", "grades", "proposals", "rounds", "rulings",
    }  # fmt: skip

    done = redacted(session, "/verdict")

    assert standing(session) == []
    assert done.remains == ()
    counts = {"proposals": 2, "rulings": 1, "recordings": 2, "evidence": 1, "events": 1, "grades": 1}
    assert {name: done.erased[name] for name in counts} == counts
    if backend == "sqlite":
        assert files_with(session) == []
    assert session.state.verdict == "[redacted]"
    assert session.verify().rounds == 1
    _, proposals, calls, rulings = session.round(1)
    assert [item.status for item in proposals] == ["accepted", "dissent"]
    assert (calls[0].answer, calls[0].reasoning, calls[1].answer) == ("[redacted]", "[redacted]", "The pump.")
    assert (rulings[0].gone, rulings[0].reason, rulings[0].decision) == (True, "[redacted]", "uphold")
    assert session.commit_at(3).evidence[1] == {"quotation": "open"}
    assert session.blame("/verdict").authors == ("ana",)


def test_recordings_are_left_where_that_is_asked_for_and_named(own_store: Store) -> None:
    session = own_store.create(Inquiry(findings=[Finding(text="open")]))
    to_judging(session)
    journal = Journal(session)
    opened, sent = begun(journal, "conclude", "ana")
    journal.settle([answered(sent[0], CANARY)])
    made = (proposes(session, "ana", verdict=CANARY),)
    round_ = journal.propose(opened, made, {"asked": True})
    journal.commit(round_, change(session, made[0]), rules(round_, made, upheld=("ana",)))
    done = redacted(session, "/verdict", recordings=False)
    assert set(standing(session)) == {"calls.answer"}
    assert [one.path for one in done.remains] == ["the recordings of round 1"]
    assert session.verify().rounds == 1


def test_where_an_equal_text_still_stands_is_said(own_store: Store) -> None:
    session = own_store.create(Notes())
    for author, path in (("ana", "text"), ("ben", "anything")):
        session.transact(does("set", path, f"I saw {CANARY}" if author == "ben" else CANARY), author)
    done = redacted(session, "/text")
    assert [(one.branch, one.version, one.path) for one in done.remains] == [
        ("main", 2, "/anything"),
        ("main", 3, "/anything"),
    ]
    assert redacted(session, "/anything").remains == ()
    assert standing(session) == []
    assert session.verify().redacted == 2


def test_a_large_value_that_is_kept_aside_goes_too(own_store: Store, backend: str) -> None:
    session = own_store.create(Notes())
    session.transact(does("set", "text", CANARY * 10_000), "ana")
    assert "blobs.data" in standing(session)
    assert redacted(session, "/text").erased["blobs"] == 1
    assert standing(session) == []
    if backend == "sqlite":
        assert files_with(session) == []
    assert session.verify().redacted == 1


def test_a_part_of_a_part_can_be_redacted_again(notes: Session[Notes]) -> None:
    notes.transact(does("set", "anything", {"who": {"name": CANARY, "town": "Ulm city"}, "n": 1}), "ana")
    redacted(notes, "/anything/who/name")
    redacted(notes, "/anything/who/town")
    assert notes.state.anything == {"who": {"name": "[redacted]", "town": "[redacted]"}, "n": 1}
    assert notes.verify().redacted == 1


@pytest.fixture
def register(store: Store) -> Session[Register]:
    """A register with one person in each field."""
    session = store.create(Register())
    person = Person(id="p1", name=CANARY, age=42)
    with session.transaction("ana") as tx:
        tx.merge("people", [Person(id="p0", name="Zoe"), person])
        tx.append("remarks", Person(id="r0"), person)
        tx.union("names", {"Zoe", CANARY, "Abe"})
        tx.set("about", {"p1": CANARY})
        tx.set("note", CANARY)
    return session


CLERK: dict[str, Any] = {"author": "clerk", "reason": "wrong person"}


@pytest.mark.parametrize(
    ("path", "read"),
    [
        ("/people/p1/name", lambda state: state.people[1].name),
        ("/remarks/1/name", lambda state: state.remarks[1].name),
        ("/about/p1", lambda state: state.about["p1"]),
    ],
)
def test_a_value_is_found_by_its_path_whatever_operation_wrote_it(
    register: Session[Register], path: str, read: Any
) -> None:
    register.redact(path, **CLERK)
    assert read(register.state) == "[redacted]"
    assert register.verify().redacted == 1


@pytest.mark.parametrize("number", range(4))
def test_of_several_appends_in_one_commit_the_right_one_loses_its_item(
    notes: Session[Notes], number: int
) -> None:
    lines = ["first one", "second one", "third one", "fourth one"]
    with notes.transaction("ana") as tx:
        tx.append("lines", *lines[:1])
        tx.append("lines", *lines[1:3])
        tx.append("lines", *lines[3:])
    redacted(notes, f"/lines/{number}")
    lines[number] = "[redacted]"
    assert notes.state.lines == lines
    assert notes.verify().redacted == 1


def test_an_item_of_a_set_is_taken_out_of_it(register: Session[Register]) -> None:
    place = register.raw()["names"].index(CANARY)
    register.redact(f"/names/{place}", **CLERK)
    assert register.state.names == {"Zoe", "[redacted]", "Abe"}
    assert register.verify().redacted == 1


def test_for_numbers_a_replacement_must_be_given_and_keys_stay(register: Session[Register]) -> None:
    with pytest.raises(ValueRefused, match="For 42 at /people/p1/age nothing can stand by itself"):
        register.redact("/people/p1", **CLERK)
    with pytest.raises(ValueRefused, match="The 'id' of an item stays"):
        register.redact("/people/p1", replacement={"id": "p9", "name": "", "age": 0}, **CLERK)
    register.redact("/people/p1", replacement={"id": "p1", "name": "", "age": 0}, **CLERK)
    assert register.state.people[1] == Person(id="p1")
    assert register.verify().redacted == 1


@pytest.mark.parametrize(
    ("path", "options", "said"),
    [
        ("/kind", {}, "does not fit|Input should be"),
        ("/people/p1/age", {"replacement": "old"}, "does not fit|Input should be"),
        ("/about/p1", {"replacement": CANARY}, "The replacement is what stands there"),
    ],
)
def test_a_replacement_that_the_schema_does_not_allow_is_refused_and_changes_nothing(
    register: Session[Register], path: str, options: dict[str, Any], said: str
) -> None:
    register.transact(does("set", "kind", "closed"), "ana")
    before = register.raw(), register.head
    with pytest.raises(Refused, match=said):
        register.redact(path, **options, **CLERK)
    assert (register.raw(), register.head) == before
    assert register.events()[-1].kind == "refused"
    assert register.verify().redacted == 0


def test_g06_only_who_may_rule_on_a_path_may_redact_it(register: Session[Register]) -> None:
    with pytest.raises(Denied) as caught:
        register.redact("/note", **CLERK)
    assert caught.value.context["right"] == "rule"
    with pytest.raises(Denied):
        register.redact("/people/p1/name", author="ana", reason="mine")
    assert register.state.note == CANARY
    assert [event.kind for event in register.events()] == ["refused", "refused"]


def test_a_value_that_several_commits_wrote_is_redacted_part_by_part(notes: Session[Notes]) -> None:
    notes.transact(does("merge", "answers", {"x": CANARY}), "ana")
    notes.transact(does("merge", "answers", {"y": CANARY}), "ben")
    with pytest.raises(Refused, match="Version 2 wrote only a part of /answers"):
        redacted(notes, "/answers")
    redacted(notes, "/answers/y")
    redacted(notes, "/answers/x")
    assert notes.state.answers == {"x": "[redacted]", "y": "[redacted]"}
    assert notes.verify().redacted == 2


def test_a_replacement_over_which_the_later_history_does_not_fold_is_refused(notes: Session[Notes]) -> None:
    notes.transact(does("set", "anything", {"inner": {"name": CANARY}}), "ana")
    notes.transact(does("set", "anything/inner/town", "Ulm"), "ben")
    before = notes.raw()
    with pytest.raises(Refused, match="does not fit the replacement") as caught:
        redacted(notes, "/anything", version=1, replacement="nothing")
    assert "replacement" in caught.value.next_step
    assert notes.raw() == before
    assert notes.verify().redacted == 0


def test_what_never_stood_there_cannot_be_redacted(notes: Session[Notes]) -> None:
    with pytest.raises(NotFound):
        redacted(notes, "/answers/nobody")
    with pytest.raises(NotFound):
        redacted(notes, "/text", version=7)


def test_a_closed_branch_can_be_rid_of_a_value_too(notes: Session[Notes]) -> None:
    notes.transact(does("set", "text", CANARY), "ana")
    notes.close_branch(author="ana")
    redacted(notes, "/text")
    assert notes.state.text == "[redacted]"
    with pytest.raises(Conflict):
        notes.transact(does("set", "text", "more"), "ana")


def test_what_was_merged_from_another_branch_verifies_after_a_redaction(own_store: Store) -> None:
    session = own_store.create(Notes())
    side = session.fork("side")
    side.transact(does("set", "text", CANARY), "ana")
    session.transact(does("set", "a", 7), "ben")
    session.merge("side", author="chair")
    done = redacted(side, "/text")
    assert ("main", 2, "/text") in [(one.branch, one.version, one.path) for one in done.remains]
    assert session.verify().redacted == 0
    redacted(session, "/text")
    assert session.verify().redacted == 1
    assert standing(session) == []


def test_a_merge_whose_conflict_was_settled_verifies_after_a_redaction(own_store: Store) -> None:
    session = own_store.create(Notes())
    side = session.fork("side")
    side.transact(does("set", "text", CANARY), "ana")
    session.transact(does("set", "text", "ours"), "ben")
    (conflict,) = session.merge("side", author="chair").conflicts
    session.settle(conflict.conflict, {"value": f"both: {CANARY}"}, author="chair")
    assert session.merge("side", author="chair").commit is not None
    redacted(side, "/text", replacement="somebody")
    assert session.verify().redacted == 0
    redacted(session, "/text")
    assert standing(session) == []
    for one in (session, side):
        assert one.verify().redacted == 1


def test_g08_a_value_that_somebody_made_vanish_as_if_it_had_been_redacted_is_found(
    own_store: Store,
) -> None:
    session = own_store.create(Notes())
    session.transact(does("set", "text", "guilty"), "ana")
    session.transact(does("set", "a", 1), "ana")
    row = rows(session, tables.commits)[1]
    (item,) = parse_list(row["patch"])
    for how, value in (("redacted", "innocent"), ("pruned", None)):
        name = reference(bytes.fromhex(header(item)[2]))
        forged = canonical([["set", "/text", value, None, how, name]])
        with changed(session, tables.commits, row, patch=forged), pytest.raises(Tampered) as caught:
            session.verify()
        assert caught.value.context["version"] == 1
        assert f"a value of it was {how}, and no commit says so" in caught.value.message
    assert session.verify().redacted == 0


def test_g08_a_replacement_that_was_changed_afterwards_is_found(own_store: Store) -> None:
    session = own_store.create(Notes())
    session.transact(does("set", "text", CANARY), "ana")
    redacted(session, "/text")
    row = rows(session, tables.commits)[1]
    forged = row["patch"].replace("[redacted]", "he did it")
    with changed(session, tables.commits, row, patch=forged), pytest.raises(Tampered) as caught:
        session.verify()
    assert caught.value.context["version"] == 1


def test_a_session_whose_chain_covers_values_as_a_whole_is_left_as_it_is(own_store: Store) -> None:
    session = own_store.create(Notes())
    session.transact(does("set", "text", CANARY), "ana")
    previous = b""
    for row, commit in zip(rows(session, tables.commits), reversed(session.log()), strict=True):
        said = {name: getattr(commit, name) for name in SAID}
        previous = chained(previous, digest(row["patch"]).hex(), None, said, "whole")
        write(session, tables.commits, row, {"hash": previous})
    write(session, tables.branches, rows(session, tables.branches)[0], {"head_hash": previous})
    assert session.verify().versions == 2
    for erase in (
        lambda: redacted(session, "/text"),
        lambda: session.prune(session.plan_prune(1), author="chair"),
    ):
        with pytest.raises(Refused, match="begun by an older dissensus"):
            erase()
    assert session.verify().versions == 2


def test_a_database_with_a_redacted_value_is_not_taken_back_to_tables_that_know_of_none(
    own_store: Store,
) -> None:
    session = own_store.create(Notes())
    session.transact(does("set", "text", CANARY), "ana")
    redacted(session, "/text")
    with pytest.raises(sa.exc.InvalidRequestError, match="redacted values"):
        command.downgrade(migrations.config(session.database), "0001")
    migrations.upgrade(session.database)
    assert session.verify().redacted == 1


def test_g08_an_answer_that_somebody_made_vanish_is_found(own_store: Store) -> None:
    session = storied(own_store)
    for row in rows(session, tables.calls):
        with (
            changed(session, tables.calls, row, answer=gone(row["answer"])),
            pytest.raises(Tampered) as caught,
        ):
            session.verify()
        assert "something of round 1 was taken away, and no commit says so" in caught.value.message
