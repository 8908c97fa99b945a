"""G12: a session written under an older schema stays readable, and can be gone on from."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import state_workers
from dissensus_state import tables
from dissensus_state.errors import (
    Conflict,
    InvariantViolated,
    SchemaNewer,
    SchemaRefused,
    Tampered,
    UpcastFailed,
)
from dissensus_state.merging import Append, MergeByKey
from dissensus_state.patches import apply
from dissensus_state.records import Change
from dissensus_state.schema_check import check_schema, try_schema
from dissensus_state.sessions import Session
from dissensus_state.shapes import SharedState, invariant, shape_of
from dissensus_state.store import Store
from dissensus_state.transitions import decide_all
from dissensus_state.upcasting import lift, upcaster
from dissensus_state.values import canonical
from generations import First, Grown, Named, Note, Second, Third, written
from tampering import forge, rows

HISTORY = (tables.commits, tables.snapshots, tables.blobs)


def opened_as(session: Session[Any], schema: type[SharedState]) -> Session[Any]:
    """The session as a program with this schema opens it."""
    return Store(session.database).session(session.name, schema)


def stored(session: Session[Any]) -> list[Any]:
    """Everything the database holds of a session's history, to the byte."""
    return [
        [
            {k: bytes(v) if isinstance(v, memoryview) else v for k, v in row.items()}
            for row in rows(session, table)
        ]
        for table in HISTORY
    ]


@contextmanager
def nothing_is_written(session: Session[Any]) -> Iterator[None]:
    before = stored(session)
    yield
    assert stored(session) == before


@pytest.fixture
def old(store: Store) -> Session[First]:
    return written(store)


# Reading


def test_g12_every_version_is_read_in_the_shape_of_today(old: Session[First]) -> None:
    new = opened_as(old, Third)
    with nothing_is_written(old):
        assert new.at(0).title == "Pumps"
        assert new.at(1).body == "It stopped"
        assert new.at(2).claims == [Named(name="claim 7", text="the valve")]
        assert new.at(3).milliseconds == 1500
        assert new.state == new.at(3)
        assert new.state.notes == [Note(text=t) for t in ("at nine", "with a bang", "in the dark")]


def test_g12_and_in_the_shape_of_its_time(old: Session[First]) -> None:
    new = opened_as(old, Third)
    assert new.at(3, First) == old.state
    assert new.at(3, First).seconds == 1.5
    assert new.at(3, Second).seconds == 1.5
    assert new.at(3, Second).body == "It stopped"
    new.migrate()
    assert new.at(3, First) == old.at(3)
    with pytest.raises(SchemaNewer):
        new.at(4, Second)


def test_g12_what_is_stored_is_given_as_it_stands_or_lifted(old: Session[First]) -> None:
    new = opened_as(old, Third)
    assert new.raw(3) == old.raw(3)
    assert new.raw(3)["text"] == "It stopped"
    assert new.raw(3, lifted=True) == lift(shape_of(Third), old.raw(3), 1)
    assert new.raw(lifted=True)["milliseconds"] == 1500
    assert (new.schema_version(3), new.schema_version()) == (1, 1)


def test_g12_a_new_field_with_a_default_is_there_in_every_version_and_can_be_written(
    old: Session[First],
) -> None:
    new = opened_as(old, Grown)
    assert new.at(0).tags == ["new"]
    with new.transaction("ana", "work") as tx:
        assert tx.read("tags") == ["new"]
        tx.append("tags", "used")
    assert new.state.tags == ["new", "used"]


# Writing


def test_g12_the_first_write_lifts_the_head_by_a_commit_of_its_own(old: Session[First]) -> None:
    before, new = stored(old), opened_as(old, Third)
    with new.transaction("cleo", "work") as tx:
        assert tx.read("milliseconds") == 1500
        tx.append("notes", Note(text="it was dry", source="cleo"))
    change, lifting = new.log(limit=2)
    assert (lifting.version, lifting.author, lifting.transition) == (4, "schema", None)
    assert (lifting.source, lifting.schema_version) == ({"upcast": [1, 3]}, 3)
    assert (change.version, change.base, change.author, change.source) == (5, 4, "cleo", None)
    assert new.state.notes[-1] == Note(text="it was dry", source="cleo")
    commits, snapshots, blobs = stored(new)
    assert (commits[:4], snapshots, blobs) == (before[0], before[1], before[2])
    assert new.replay().versions == new.verify().versions == 6
    assert new.verify().other_schema == 4


def test_g12_a_write_that_is_refused_leaves_no_migration(old: Session[First]) -> None:
    new = opened_as(old, Third)
    refused = new.transaction("cleo", "work")
    refused.set("milliseconds", -1)
    with nothing_is_written(old), pytest.raises(InvariantViolated):
        refused.__exit__(None)
    assert new.head == 3
    assert new.events()[-1].kind == "refused"


def test_g12_a_migration_and_the_write_that_needed_it_are_there_together_or_not_at_all(
    old: Session[First],
) -> None:
    new = opened_as(old, Third)
    change = Change("ana", (new.shape.operation(("title",), "Valves"),), 3, transition="work")
    with nothing_is_written(old), pytest.raises(KeyboardInterrupt), new.writing() as work:
        assert new.commit_in(work, change)[0].version == 5
        raise KeyboardInterrupt
    assert (new.head, new.info.schema_version, old.state.title) == (3, 1, "Pumps")
    assert new.commit(change).version == 5


def test_g12_a_session_is_lifted_when_it_is_asked_for_and_once_only(old: Session[First]) -> None:
    new = opened_as(old, Third)
    made = new.migrate("cleo")
    assert made is not None
    assert (made.version, made.author) == (4, "cleo")
    assert new.raw() == lift(shape_of(Third), old.raw(3), 1)
    assert new.migrate() is None
    assert opened_as(old, Third).migrate() is None
    assert new.head == 4


def test_g12_a_migration_names_what_differs_and_no_more(store: Store) -> None:
    old = store.create(First(title="long " * 10_000, answers={"a": "x" * 100, "b": "y" * 100}))
    made = opened_as(old, Second).migrate()
    assert made is not None
    assert {operation.path[0] for operation in made.patch} == {"text", "body", "tags"}


def test_g12_a_session_can_be_lifted_version_by_version(old: Session[First]) -> None:
    opened_as(old, Second).migrate()
    last = opened_as(old, Third)
    with last.transaction("cleo", "work") as tx:
        tx.set("title", "Valves")
    sources = [commit.source for commit in last.log(limit=3)]
    assert sources == [None, {"upcast": [2, 3]}, {"upcast": [1, 2]}]
    assert (last.at(3).body, last.at(4).milliseconds) == ("It stopped", 1500)
    assert last.verify().other_schema == 5
    assert last.replay().versions == 7


class Renamed(SharedState, version=2):
    """The list that has grown has another name."""

    __qualname__ = "Report"
    title: str = ""
    phase: Literal["open", "closed"] = "open"
    text: str = ""
    seconds: float = 0
    lines: Annotated[list[str], Append] = []
    claims: Annotated[list[Any], MergeByKey("id")] = []
    answers: Annotated[dict[str, str], MergeByKey] = {}

    @upcaster(1)
    @staticmethod
    def notes_are_lines(state: dict[str, Any]) -> dict[str, Any]:
        return {**{name: value for name, value in state.items() if name != "notes"}, "lines": state["notes"]}


def test_g12_versions_on_both_sides_of_a_migration_are_read_through_their_snapshots(
    database_url: str,
) -> None:
    with Store.open(database_url) as store:
        old = written(store)
        for number in range(30):
            with old.transaction("ana", "work") as tx:
                tx.append("notes", f"{number} " * 1000)
        new = store.session(old.name, Renamed)
        for number in range(30):
            with new.transaction("ben") as tx:
                tx.append("lines", f"{number} " * 1000)
        kept = {row["version"] for row in rows(new, tables.snapshots)}
    with Store.open(database_url) as store:
        new = store.session(schema=Renamed)
        lifted_at = next(commit.version for commit in new.log() if commit.source)
        assert min(kept) < lifted_at < max(kept)
        for commit, state in new.versions():
            assert new.raw(commit.version) == state
            field = "notes" if commit.version < lifted_at else "lines"
            assert new.at(commit.version).lines == state[field]
        assert new.verify().versions == new.replay().versions == 3 + 1 + 30 + 1 + 30


def test_g12_what_the_session_says_of_itself_follows(old: Session[First], store: Store) -> None:
    opened_as(old, Third).migrate()
    (info,) = [info for info in store.sessions() if info.name == old.name]
    assert (info.schema_version, info.keys) == (3, {"claims": "name"})
    assert store.session(old.name, Third).state.milliseconds == 1500


def test_g12_workers_that_lift_at_once_make_one_migration(database_url: str) -> None:
    with Store.open(database_url) as first:
        old = written(first)
        stores = [Store.open(database_url) for _ in range(4)]
        barrier = threading.Barrier(len(stores))
        made: list[Any] = []

        def work(number: int) -> None:
            session = stores[number].session(old.name, Third)
            barrier.wait()
            made.append(session.migrate())
            with session.transaction(f"worker {number}", "work") as tx:
                tx.append("notes", Note(text=str(number)))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(len(stores))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for other in stores:
            other.close()
        assert sum(commit is not None for commit in made) == 1
        new = first.session(old.name, Third)
        assert [commit.source for commit in new.log()].count({"upcast": [1, 3]}) == 1
        assert new.head == 3 + 1 + 4
        assert {note.text for note in new.state.notes[3:]} == {"0", "1", "2", "3"}
        assert new.verify().versions == 9


def test_g12_processes_that_lift_at_once_make_one_migration(database_url: str) -> None:
    with Store.open(database_url) as store:
        old = written(store)
        workers = [
            subprocess.Popen(
                [sys.executable, state_workers.__file__, "lift", database_url, str(number)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for number in range(3)
        ]
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        assert [worker.communicate()[0] for worker in workers] == ["done\n"] * 3
        new = store.session(old.name, Third)
        assert [commit.source for commit in new.log()].count({"upcast": [1, 3]}) == 1
        assert new.head == new.verify().versions - 1 == 3 + 1 + 3


def test_g12_threads_that_commit_together_lift_once_and_a_batch_that_is_refused_not_at_all(
    old: Session[First],
) -> None:
    new = opened_as(old, Third)
    good = Change("ana", (new.shape.operation(("title",), "Valves"),), 3, transition="work")
    also = Change("ben", (new.shape.operation(("body",), "dry"),), 3, transition="work")
    bad = Change("cleo", (new.shape.operation(("milliseconds",), -1),), 3, transition="work")
    place = (new.session_id, new.branch)
    with nothing_is_written(old):
        with new.writing() as work:
            outcomes, head, passed = decide_all(work, *place, None, new.shape, [bad, bad])
        assert [type(item) for item in outcomes] == [InvariantViolated] * 2
        assert (head.version, passed) == (3, [])
    with new.writing() as work:
        outcomes, head, passed = decide_all(work, *place, None, new.shape, [good, bad, also])
    assert isinstance(outcomes[1], InvariantViolated)
    assert [item.version for item in passed] == [4, 5, 6]
    assert (head.version, new.head, new.state.title, new.state.body) == (6, 6, "Valves", "dry")
    assert [commit.base for commit in new.log(limit=3)] == [4, 4, 3]
    assert new.verify().versions == 7


def test_g12_a_step_that_was_made_before_the_schema_moved_on_is_not_made_again(old: Session[First]) -> None:
    with old.transaction("ana", "work", key="once") as tx:
        tx.set("title", "Valves")
    new = opened_as(old, Third)
    again = new.transaction("ana", "work", key="once")
    again.set("title", "Valves")
    with nothing_is_written(old):
        again.__exit__(None)
    assert again.commit is not None
    assert (again.commit.version, again.commit.schema_version) == (4, 1)


def test_g12_each_branch_is_lifted_by_itself(old: Session[First]) -> None:
    old.fork("side", 2)
    new = opened_as(old, Third)
    new.migrate()
    side = new.on("side")
    assert (side.schema_version(), side.state.milliseconds, side.state.body) == (1, 0, "It stopped")
    tried = [item for item in try_schema(Store(new.database), Third) if item.session == old.name]
    assert [(item.branch, item.version, item.schema_version) for item in tried] == [
        ("main", 4, 3),
        ("side", 2, 1),
    ]
    with side.transaction("ben", "work") as tx:
        tx.append("notes", Note(text="aside"))
    assert [commit.source for commit in side.log(limit=2)] == [None, {"upcast": [1, 3]}]
    assert side.verify().versions == side.replay().versions == 5
    assert side.blame("/claims/7", 2).commit.version == 2
    assert [item.path for item in side.diff(1, 2)] == ["/answers/why", "/claims/7"]
    assert len(new.state.notes) == 3


def test_g12_branches_of_two_schema_versions_are_merged_in_the_newer_shape(old: Session[First]) -> None:
    aside = old.fork("side", 2)
    with aside.transaction("ben", "work") as tx:
        tx.append("notes", "aside")
        tx.set("text", "It stopped twice")
    new = opened_as(old, Third)
    with new.transaction("cleo", "work") as tx:
        tx.set("title", "Valves")
    made = new.merge("side", author="cleo").commit
    assert made is not None
    assert (made.version, made.schema_version) == (6, 3)
    assert (new.state.title, new.state.body) == ("Valves", "It stopped twice")
    assert [note.text for note in new.state.notes][-2:] == ["in the dark", "aside"]
    assert new.verify().versions == 7


def test_g12_a_merge_and_a_revert_lift_the_head_first(old: Session[First]) -> None:
    aside = old.fork("side", 3)
    with aside.transaction("ben", "work") as tx:
        tx.set("title", "Valves")
    new = opened_as(old, Third)
    made = new.merge("side", author="cleo").commit
    assert made is not None
    assert (made.version, made.base, new.log(limit=2)[1].source) == (5, 4, {"upcast": [1, 3]})
    side = new.on("side")
    back = side.revert(1, author="cleo")
    assert (back.version, side.state.body, side.state.title) == (6, "", "Valves")
    assert [note.text for note in side.state.notes] == ["in the dark"]
    assert [commit.source for commit in side.log(limit=2)][1] == {"upcast": [1, 3]}
    assert (new.verify().versions, side.verify().versions) == (6, 7)


def test_g12_code_with_the_older_schema_is_refused_and_loses_nothing(old: Session[First]) -> None:
    late = old.transaction("ana", "work")
    late.append("notes", "too late")
    new = opened_as(old, Third)
    new.migrate()
    with nothing_is_written(old), pytest.raises(SchemaNewer) as caught:
        late.__exit__(None)
    assert caught.value.code == "schema.newer"
    assert "Open it with the newer code" in str(caught.value)
    assert new.events()[-1].body["code"] == "schema.newer"
    for refused in (lambda: old.state, lambda: old.transaction("ana", "work"), lambda: old.at(4)):
        with pytest.raises(SchemaNewer):
            refused()
    assert old.at(3).text == "It stopped"
    assert old.raw() == new.raw()
    assert len(old.log()) == 5


def test_g12_who_has_seen_the_head_lifted_goes_on_after_another_has_lifted_it(old: Session[First]) -> None:
    new = opened_as(old, Third)
    late = new.transaction("ben", "work")
    late.set("title", late.read("body"))
    opened_as(old, Third).migrate()
    late.__exit__(None)
    assert late.commit is not None
    assert (late.commit.base, late.commit.version, new.state.title) == (4, 5, "It stopped")
    assert new.verify().versions == 6


def test_g12_nothing_is_rebased_over_a_migration_that_it_has_not_seen(old: Session[First]) -> None:
    new = opened_as(old, Third)
    late = new.transaction("ben", "work")
    late.append("notes", Note(text="late"))
    with old.transaction("ana", "work") as tx:
        tx.set("title", "changed in the old shape")
    opened_as(old, Third).migrate()
    with pytest.raises(Conflict) as caught:
        late.__exit__(None)
    assert caught.value.context["retry"]
    assert "lifted the state to schema version 3" in caught.value.message
    new.transact(lambda tx: tx.append("notes", Note(text="late")), "ben", "work")
    assert new.state.notes[-1].text == "late"


def test_g12_a_round_of_the_older_shape_is_not_committed_in_the_new_one(old: Session[First]) -> None:
    new = opened_as(old, Third)
    patch = (new.shape.operation(("title",), "Valves"),)
    with nothing_is_written(old), pytest.raises(Conflict):
        new.commit(Change("ana", patch, 3, transition="work", round=1))


# What cannot be lifted


class Broken(SharedState, version=2):
    __qualname__ = "Report"
    title: str = ""

    @upcaster(1)
    @staticmethod
    def no_longer(state: dict[str, Any]) -> dict[str, Any]:
        return {"title": state["text"][:2] or state["nothing"]}


def test_g12_what_cannot_be_lifted_is_refused_and_stays(old: Session[First]) -> None:
    new = opened_as(old, Broken)
    assert new.at(3).title == "It"
    with pytest.raises(UpcastFailed) as caught:
        new.at(0)
    told = caught.value.context
    assert (told["session"], told["version"], told["upcast"]) == (old.name, 0, "1 -> 2")
    assert "KeyError: 'nothing'" in caught.value.message
    assert old.at(0).title == "Pumps"


def test_g12_a_rule_that_the_lifted_state_breaks_is_named_unless_evidence_is_given(store: Store) -> None:
    old = written(store, seconds=-2)
    new = opened_as(old, Third)
    with nothing_is_written(old):
        with pytest.raises(InvariantViolated, match="time does not run backwards"):
            new.migrate()
        with pytest.raises(InvariantViolated), new.transaction("ana", "work"):
            pass
    assert new.state.milliseconds == -2000
    assert new.migrate(evidence=["the clock was set back"]) is not None
    assert new.verify().versions == 5


def test_g12_another_schema_is_refused_unless_it_says_that_it_was_called_so(
    old: Session[First], store: Store
) -> None:
    class Memo(Third, version=3):
        pass

    class Paper(Third, version=3):
        formerly = ("Report",)

    with pytest.raises(SchemaRefused):
        store.session(old.name, Memo)
    new = store.session(old.name, Paper)
    new.migrate()
    assert store.session(old.name, Paper).state.milliseconds == 1500
    with pytest.raises(SchemaRefused):
        store.session(old.name, Third)


# Verifying


def raised(session: Session[Any], version: int, **values: Any) -> str:
    forge(session, version, **values)
    with pytest.raises(Tampered) as caught:
        session.verify()
    assert caught.value.context["version"] == version
    return caught.value.message


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"transition": "work"}, "a migration reads nothing, takes no transition"),
        ({"reads": '["/title"]'}, "a migration reads nothing"),
        ({"key": "once"}, "a migration reads nothing"),
        ({"base": 2}, "ana changed /notes, /seconds in version 3"),
        ({"source": '{"upcast":[2,3]}'}, "does not lead from schema version 1 to 3"),
        ({"source": '{"upcast":[1,4]}'}, "does not lead from schema version 1 to 3"),
        ({"source": '{"upcast":"all"}'}, "does not lead from schema version 1 to 3"),
        ({"source": None}, "moves the schema version from 1 without lifting"),
        ({"schema_version": 1}, "does not lead from schema version 1 to 1"),
    ],
)
def test_g12_a_migration_is_a_door_for_nothing_else(
    old: Session[First], values: dict[str, Any], said: str
) -> None:
    opened_as(old, Third).migrate()
    without_schema = Session(old.database, old.info, None)
    assert without_schema.verify().versions == 5
    assert said in raised(without_schema, 4, **values)


def test_g12_a_commit_that_says_it_is_a_migration_is_none(old: Session[First]) -> None:
    without_schema = Session(old.database, old.info, None)
    assert "does not lead" in raised(without_schema, 3, source='{"upcast":[1,1]}')


def test_g12_with_the_schema_at_hand_the_lift_is_made_again_and_compared(old: Session[First]) -> None:
    new = opened_as(old, Third)
    made = new.migrate()
    assert made is not None
    patch = [operation.to_json() for operation in made.patch]
    forged = canonical([*patch, ["set", "/title", "Bribes"]])
    assert "something else than to lift" in raised(new, 4, patch=forged)
    assert Session(old.database, old.info, None).verify().versions == 5


def test_g12_older_commits_are_not_held_to_rules_that_came_later(old: Session[First]) -> None:
    with old.transaction("ana", "close"):
        pass
    new = opened_as(old, Third)
    assert new.shape.machine.transitions["close"].review
    new.migrate()
    assert (new.verify().versions, new.verify().other_schema) == (6, 5)


# Diff and blame across versions


def test_g12_a_lifted_value_is_blamed_on_the_migration_and_before_it_on_its_author(
    old: Session[First],
) -> None:
    new = opened_as(old, Third)
    new.migrate()
    assert new.blame("/body").authors == ("schema",)
    assert new.blame("/text", 3).authors == ("ana",)
    assert new.blame("/claims/claim 7").commit.version == 4
    assert new.blame("/claims/7", 3).commit.version == 2
    assert (new.blame("/answers/why").commit.version, new.blame("/title").commit.version) == (2, 0)


def test_g12_lists_are_compared_by_their_key_in_each_version_and_else_by_position(
    old: Session[First],
) -> None:
    new = opened_as(old, Third)
    new.migrate()
    with new.transaction("ana", "work") as tx:
        tx.merge("claims", [Named(name="claim 8", text="the pump")])
    assert [item.path for item in new.diff(1, 2)] == ["/answers/why", "/claims/7"]
    assert [item.path for item in new.diff(4, 5)] == ["/claims/claim 8"]
    across = {item.path: item.kind for item in new.diff(3, 4)}
    assert across["/claims/0/id"] == "removed"
    assert across["/claims/0/name"] == "added"
    assert across["/text"] == "removed"


# Trying a schema


def test_g12_a_dry_run_says_which_heads_a_new_schema_would_break(own_store: Store) -> None:
    good, bad, short = written(own_store), written(own_store, seconds=-1), own_store.create(First())

    own_store.create(Other())
    tried = list(try_schema(own_store, Third))
    assert {item.session for item in tried} == {good.name, bad.name, short.name}
    (found,) = check_schema(own_store, Third)
    assert (found.session, found.branch, found.version, found.schema_version) == (bad.name, "main", 3, 1)
    (breach,) = found.breaches
    assert (breach.code, breach.rule) == ("invariant.violated", "time_does_not_run_backwards")
    assert (breach.path, breach.value) == ("/milliseconds", '{"/milliseconds":-1000}')
    (found,) = check_schema(own_store, Broken)
    (breach,) = found.breaches
    assert (found.session, breach.code, breach.upcast) == (short.name, "schema.upcast_failed", "1 -> 2")
    assert check_schema(own_store, First) == []


class Other(SharedState):
    n: int = 0


def test_g12_a_dry_run_changes_nothing(own_store: Store) -> None:
    session = written(own_store, seconds=-1)
    session.record("note", {})
    everything = dump(session)
    check_schema(own_store, Third, history=True)
    check_schema(own_store, Broken, history=True)
    assert dump(session) == everything


def dump(session: Session[Any]) -> list[Any]:
    with session.database.engine.connect() as connection:
        return [
            [str(row) for row in connection.execute(sa.select(table))]
            for table in tables.metadata.sorted_tables
        ]


def test_g12_a_dry_run_can_try_where_each_schema_version_begins_and_ends(own_store: Store) -> None:
    session = written(own_store)
    opened_as(session, Second).migrate()
    tried = list(try_schema(own_store, Third, history=True))
    assert [(item.version, item.schema_version) for item in tried] == [(0, 1), (3, 1), (4, 2)]
    assert [found.version for found in check_schema(own_store, Broken, history=True)] == [0, 4]


def test_g12_a_head_that_is_newer_or_damaged_is_listed_and_the_others_are_tried(own_store: Store) -> None:
    newer, damaged, good = written(own_store), written(own_store), written(own_store)
    opened_as(newer, Third).migrate()
    forge(damaged, 3, patch='[["set","/nowhere/at/all",1]]')
    found = {item.session: item.breaches[0].code for item in check_schema(own_store, Second)}
    assert found == {newer.name: "schema.newer", damaged.name: "not_found"}
    assert good.name in {item.session for item in try_schema(own_store, Second)}


def test_g12_a_rule_that_breaks_off_is_listed(own_store: Store) -> None:
    class Strict(Third, version=3):
        formerly = ("Report",)

        @upcaster(2)
        @staticmethod
        def milliseconds_and_names(state: dict[str, Any]) -> dict[str, Any]:
            return Third.milliseconds_and_names(state)

        @invariant()
        @staticmethod
        def there_is_a_first_claim(_: Any, after: Any) -> bool:
            return bool(after.claims[0])

    session = own_store.create(First())
    (found,) = check_schema(own_store, Strict)
    (breach,) = found.breaches
    assert (found.session, breach.code) == (session.name, "invariant.violated")
    assert "IndexError" in breach.message
    assert json.loads(json.dumps(found.as_dict()))["breaches"][0]["rule"] == "there_is_a_first_claim"


# The law

line = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
claims = st.fixed_dictionaries({"id": st.sampled_from("123"), "text": line})
steps = st.one_of(
    st.tuples(st.just("text"), line),
    st.tuples(st.just("title"), line),
    st.tuples(st.just("seconds"), st.integers(0, 10**6).map(lambda n: n / 8)),
    st.tuples(st.just("notes"), st.lists(line, max_size=3)),
    st.tuples(st.just("claims"), st.lists(claims, max_size=2, unique_by=lambda claim: claim["id"])),
    st.tuples(st.just("answers"), st.dictionaries(line, line, max_size=2)),
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    old_steps=st.lists(steps, max_size=6),
    new_notes=st.lists(line, max_size=3),
    schema=st.sampled_from([Second, Third]),
)
def test_g12_lifting_what_was_folded_is_folding_what_was_lifted(
    store: Store, old_steps: list[Any], new_notes: list[str], schema: type[SharedState]
) -> None:
    old = store.create(First())
    for name, value in old_steps:
        with old.transaction("ana", "work") as tx:
            tx.write(name, value)
    head, before, shape = old.head, stored(old), shape_of(schema)
    new = opened_as(old, schema)
    lifted = [lift(shape, old.raw(version), 1) for version in range(head + 1)]
    for version in range(head + 1):
        assert new.at(version) == shape.typed(lifted[version])
        assert new.at(version, First) == old.at(version)
    made = new.migrate()
    assert made is not None
    assert canonical(apply(old.raw(head), made.patch)) == canonical(lifted[head]) == canonical(new.raw())
    for text in new_notes:
        with new.transaction("ben", "work") as tx:
            tx.append("notes", Note(text=text))
    after = stored(new)
    assert after[0][: head + 1] == before[0]
    assert [new.raw(version, lifted=True) for version in range(head + 1)] == lifted
    assert [note.text for note in new.state.notes] == [
        *(note["text"] for note in lifted[head]["notes"]),
        *new_notes,
    ]
    assert new.verify().versions == new.replay().versions == head + 2 + len(new_notes)
