"""A filled database goes to an older revision and back while others write, and is whole at any moment."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import migrating
from dissensus_state import migrations, tables
from dissensus_state.engines import Database
from dissensus_state.errors import NeedsMigration
from dissensus_state.records import Commit
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from dissensus_state.values import canonical, digest
from inquiries import Inquiry, Notes, does
from migrating import migrate
from tampering import storied

WRITERS = 4
ROUNDS = 3
OLD = "0001"


def _filled(url: str) -> dict[str, str]:
    """A database with sessions of both kinds, large values and snapshots; the hash of each history."""
    with Store.open(url) as store:
        storied(store, documents=False)
        session = store.create(Notes(), name="busy")
        for number in range(30):
            session.transact(does("append", "lines", f"{number}" * 3_000), "ana")
        session.transact(does("set", "text", "long" * 20_000), "ana")
        return {one.name: _content(one) for one in _sessions(store)}


def _sessions(store: Store) -> list[Session[Any]]:
    names = {info.name: info.schema for info in store.sessions()}
    schemas = {"Notes": Notes, "Inquiry": Inquiry}
    return [store.session(name, schemas[schema.rpartition(":")[2]]) for name, schema in names.items()]


def _content(session: Session[Any], upto: int | None = None) -> str:
    """The hash of a history as users see it: every commit, state, round, event, and the money."""
    told: list[Any] = [repr(commit) for commit in _log(session, upto)]
    told += [state for commit, state in session.versions() if upto is None or commit.version <= upto]
    told += [repr(session.round(one.round)) for one in session.rounds()]
    told += [repr(one) for one in session.events()] if upto is None else []
    return digest(canonical([*told, repr(session.budget)])).hex()


def _log(session: Session[Any], upto: int | None) -> list[Commit]:
    return session.log(1_000_000, None if upto is None else upto + 1)


def _check_whole(url: str, before: dict[str, str], upto: dict[str, int] | None = None) -> None:
    """Every session holds what it held, verifies and replays."""
    with Store.open(url) as store:
        for session in _sessions(store):
            found = session.verify().versions, session.replay().versions
            assert found == (session.head + 1,) * 2
            limit = upto and upto.get(session.name)
            assert _content(session, limit) == before[session.name]


def _start(*arguments: object, output: Path | None = None) -> subprocess.Popen[str]:
    command = [sys.executable, migrating.__file__, *map(str, arguments)]
    if output is None:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with output.open("w") as file:
        return subprocess.Popen(command, stdout=file, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_g03_writers_lose_and_double_nothing_while_the_database_goes_back_and_on(
    database_url: str, tmp_path: Path
) -> None:
    _filled(database_url)
    with Store.open(database_url) as store:
        known = {one.name: one.head for one in _sessions(store)}
        before = {one.name: _content(one, known[one.name]) for one in _sessions(store)}
    stop = tmp_path / "stop"
    outputs = [tmp_path / f"writer {worker}" for worker in range(WRITERS)]
    with _writing(database_url, stop, outputs) as writers:
        _wait_for_acknowledgements(outputs, writers)
        database = Database(database_url)
        for _ in range(ROUNDS):
            for revision in (OLD, migrations.HEAD):
                migrate(database, revision)
                time.sleep(0.1)
            _wait_for_acknowledgements(outputs, writers)
        database.close()
        stop.touch()
        errors = [writer.communicate(timeout=60)[1] for writer in writers]
        assert [writer.returncode for writer in writers] == [0] * WRITERS, errors
    _check_acknowledged(database_url, [output.read_text().splitlines() for output in outputs])
    _check_whole(database_url, before, known)


@contextmanager
def _writing(url: str, stop: Path, outputs: list[Path]) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that write until they are told to stop, or killed."""
    writers = [
        _start("write", url, "busy", worker, stop, output=output) for worker, output in enumerate(outputs)
    ]
    try:
        yield writers
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()


def _wait_for_acknowledgements(outputs: list[Path], writers: list[subprocess.Popen[str]]) -> None:
    """Until each writer has been acknowledged something more."""
    before = [output.read_text().count("ack ") for output in outputs]
    until = time.monotonic() + 30
    while any(
        output.read_text().count("ack ") <= count for output, count in zip(outputs, before, strict=True)
    ):
        assert time.monotonic() < until, "a writer does not go on"
        assert all(writer.poll() is None for writer in writers), "a writer has ended"
        time.sleep(0.01)


def _check_acknowledged(url: str, told: list[list[str]]) -> None:
    failures = Counter(line for lines in told for line in lines if line.startswith("failed"))
    assert failures, "no writer met the old revision: nothing was tried"
    with Store.open(url) as store:
        session = store.session("busy", Notes)
        lines = Counter(line.split()[0] for line in session.state.lines if ":" in line)
        assert set(lines.values()) == {1}
        acknowledged = 0
        for worker, output in enumerate(told):
            acks = [line.split() for line in output if line.startswith("ack")]
            assert acks
            for _, number, version in acks:
                assert session.commit_at(int(version)).key == f"{worker}:{number}"
            acknowledged += len(acks)
        assert acknowledged <= len(lines) <= acknowledged + WRITERS


@pytest.mark.slow
@pytest.mark.parametrize("revision", [OLD, migrations.HEAD])
def test_g11_a_migration_that_is_killed_leaves_the_old_or_the_new_revision_whole(
    database_url: str, revision: str
) -> None:
    before = _filled(database_url)
    other = migrations.HEAD if revision == OLD else OLD
    database = Database(database_url)
    schemas = {}
    for one in (*reversed(migrations.revisions()), *migrations.revisions(), revision, other):
        migrate(database, one)
        schemas[one] = _schema(database)
    asked = int(_start("migrate", database_url, revision, -1).communicate(timeout=60)[0].split()[1])
    migrate(database, other)
    seen = set()
    for statement in sorted({*range(0, asked, max(1, asked // 4)), asked - 1}):
        killed = _start("migrate", database_url, revision, statement)
        killed.communicate(timeout=60)
        assert killed.returncode == -9
        stands_at = migrations.revision(database)
        seen.add(stands_at)
        assert stands_at in schemas
        assert _schema(database) == schemas[stands_at]
        migrate(database, other)
    migrate(database, migrations.HEAD)
    database.close()
    assert other in seen
    _check_whole(database_url, before)


def _schema(database: Database) -> dict[str, Any]:
    inspector = sa.inspect(database.engine)
    return {
        table: (
            [
                (column["name"], str(column["type"]), column["nullable"])
                for column in inspector.get_columns(table)
            ],
            sorted((index["name"] or "", *index["column_names"]) for index in inspector.get_indexes(table)),
        )
        for table in sorted(inspector.get_table_names())
    }


def _lose(session: Session[Notes], what: str) -> None:
    """Put something into a database that the first revision cannot hold."""
    if what == "forks":
        session.fork("idea")
    elif what == "closed branches":
        session.close_branch()
    elif what == "tags":
        session.tag("good")
    elif what == "conflicts":
        row = {"session_id": session.session_id, "conflict": 1, "branch": "main", "version": 0, "path": "/a"}
        more = {"source_branch": "idea", "source_version": 0, "status": "open", "at": 0}
        with session.database.engine.begin() as connection:
            connection.execute(tables.conflicts.insert().values(**row, **more))
    elif what == "grades":
        _put(session, tables.grades)
    elif what == "tenants":
        with session.database.engine.begin() as connection:
            connection.execute(tables.tenants.insert().values(tenant=1, name="one", created_at=0))
    elif what == "redacted values":
        session.transact(does("set", "text", "a secret"), "ana")
        session.redact("text", author="ana", reason="it is private")
    elif what == "pruned commits":
        session.transact(does("set", "text", "long ago"), "ana")
        session.prune(session.plan_prune(1), author="ana")
    elif what == "merges, reverts or lifted states":
        session.transact(does("set", "a", 1), "ana")
        session.revert(1, author="ana")
    else:
        _put(session, tables.metadata.tables[PUT[what][0]], **PUT[what][1])


PUT: dict[str, tuple[str, dict[str, Any]]] = {
    "budgets beside the session's money": ("ledger", {"account": "total/calls"}),
    "soft limits": ("ledger", {"account": "total", "soft_limit": 1, "unpriced": "allow"}),
    "policies of a budget": (
        "ledger",
        {"account": "total", "unpriced": '{"in_flight":"return","unpriced":"allow"}'},
    ),
    "documents": ("documents", {}),
    "calls that are held or partial": ("calls", {"status": "held"}),
    "calls with what revision 0003 records of them": ("calls", {"holds": '{"tokens":1}'}),
}
"""What revision 0003 alone can hold: a row of which table, and what is in it."""


def _put(session: Session[Any], table: sa.Table, **values: Any) -> None:
    """Put a row into a table; it says no more than it must."""
    made: dict[type, Any] = {int: 0, str: "t", bytes: b"t", float: 0.5}
    needed = {each.name: made[each.type.python_type] for each in table.columns if not each.nullable}
    row = {**needed, "session_id": session.session_id, **values}
    where = [table.c[each.name] == row[each.name] for each in table.primary_key]
    with session.database.engine.begin() as connection:
        connection.execute(sa.delete(table).where(*where))
        connection.execute(sa.insert(table).values(**row))


NEEDS = {
    "forks": "0002",
    "closed branches": "0002",
    "merges, reverts or lifted states": "0002",
    "tags": "0002",
    "conflicts": "0002",
    "redacted values": "0002",
    "pruned commits": "0002",
    "tenants": "0002",
    **dict.fromkeys(PUT, "0003"),
    "grades": "0004",
}
"""What a database may hold, and the first revision that can."""


@pytest.mark.parametrize("what", NEEDS)
def test_going_back_is_refused_rather_than_to_lose_something(own_store: Store, what: str) -> None:
    session = own_store.create(Notes(a=0))
    _lose(session, what)
    schema, content = _schema(own_store.database), _content(session)
    with pytest.raises(sa.exc.InvalidRequestError, match=f"holds {what}, .*nothing was changed"):
        migrate(own_store.database, OLD)
    assert migrations.revision(own_store.database) == NEEDS[what]
    migrate(own_store.database, migrations.HEAD)
    assert (_schema(own_store.database), _content(session)) == (schema, content)


def test_a_store_is_not_opened_at_the_old_revision_and_goes_on_after_it(database_url: str) -> None:
    before = _filled(database_url)
    database = Database(database_url)
    migrate(database, OLD)
    with pytest.raises(NeedsMigration, match=f"stands at revision {OLD}"):
        Store.open(database_url)
    migrate(database, migrations.HEAD)
    database.close()
    _check_whole(database_url, before)


def test_g10_who_has_a_session_open_all_along_goes_on_as_if_nothing_had_been(own_store: Store) -> None:
    session = own_store.create(Notes())
    for number in range(12):
        session.transact(does("append", "lines", f"{number}" * 9_000), "ana")
    for revision in (OLD, migrations.HEAD):
        migrate(own_store.database, revision)
    for number in range(12):
        session.transact(does("append", "lines", f"{number}" * 9_000), "ana")
        assert session.raw(session.head)["lines"] == session.state.lines
    assert session.verify().versions == session.replay().versions == 25
