"""Tenants of one PostgreSQL database see nothing of each other, whatever they ask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from dissensus_state import tenants
from dissensus_state.engines import Database
from dissensus_state.store import Store
from dissensus_state.tables import metadata
from postgres import Postgres

OWNER, APP, SEER = "owner", "app", "seer"
GUARDED = tenants.guarded()
MANY = 400


@dataclass(frozen=True)
class House:
    """A database with two tenants, and who may log in to it."""

    server: Postgres
    name: str

    def url(self, role: str = "postgres") -> str:
        return self.server.url(self.name).replace("postgres@", f"{role}@")

    def store(self, tenant: str | None, role: str = APP) -> Store:
        return Store.open(self.url(role), tenant=tenant)


@pytest.fixture(scope="module")
def roles(postgres: Postgres) -> None:
    """Who owns the tables, whom the application logs in as, and one that no policy holds."""
    with _superuser(postgres.url()) as connection:
        for command in (f"{OWNER} LOGIN", f"{APP} LOGIN", f"{SEER} LOGIN BYPASSRLS"):
            connection.execute(sa.text(f"CREATE ROLE {command}"))


@pytest.fixture(scope="module")
def house(postgres: Postgres, roles: None) -> Iterator[House]:
    """Two tenants, `acme` and `globex`, each with rows in every table that has a session."""
    built = _house(postgres, "tenants")
    with _superuser(built.url()) as connection:
        for name in GUARDED:
            for tenant in (1, 2):
                _fill(connection, metadata.tables[name], tenant)
        connection.execute(sa.text("ANALYZE"))
    yield built
    postgres.drop(built.name)


def _house(server: Postgres, name: str) -> House:
    server.create(name)
    with _superuser(server.url(name)) as connection:
        connection.execute(sa.text(f"GRANT ALL ON SCHEMA public TO {OWNER}"))
    built = House(server, name)
    Store.open(built.url(OWNER)).close()
    database = Database(built.url(OWNER))
    tenants.enable(database, APP)
    assert [tenants.add(database, name).tenant for name in ("acme", "globex")] == [1, 2]
    database.close()
    return built


def _superuser(url: str) -> Any:
    return sa.create_engine(url, poolclass=sa.pool.NullPool).begin()


def _row(table: sa.Table, session_id: int, n: int) -> dict[str, Any]:
    """A row of any table: what it says is of no matter."""
    made = {int: n, str: f"t{n}", bytes: b"%d" % n, float: 0.5}
    return {column.name: made[column.type.python_type] for column in table.columns} | {
        "session_id": session_id
    }


def _fill(connection: sa.Connection, table: sa.Table, tenant: int) -> None:
    first = tenants.first(tenant) + 1
    of_one = table.name not in {"sessions", "ledger"}
    rows = [_row(table, first + (n % 4 if of_one else n), n) for n in range(MANY)]
    connection.execute(sa.insert(table), rows)


@pytest.fixture(scope="module")
def acme(house: House) -> Iterator[Store]:
    """The store of one of the two tenants."""
    with house.store("acme") as opened:
        yield opened


@pytest.fixture
def connection(acme: Store) -> Iterator[sa.Connection]:
    """A connection of that store, on which any SQL can be said; nothing of it stays."""
    with acme.database.engine.connect() as opened:
        yield opened


def _all_rows(house: House, table: sa.Table) -> list[Any]:
    with _superuser(house.url()) as connection:
        return list(connection.execute(sa.select(table).order_by(*table.primary_key)))


OURS = range(tenants.first(1), tenants.first(2))
THEIRS = range(tenants.first(2), tenants.first(3))


def _only_ours(numbers: sa.ScalarResult[int]) -> int:
    """How many rows there are, all of them ours."""
    found = list(numbers)
    assert all(number in OURS for number in found)
    return len(found)


@pytest.mark.parametrize("name", GUARDED)
def test_a_tenant_reads_its_own_rows_alone(name: str, house: House, connection: sa.Connection) -> None:
    table = metadata.tables[name]
    theirs = next(row for row in _all_rows(house, table) if row.session_id in THEIRS)
    key = [column == theirs._mapping[column.name] for column in table.primary_key]
    assert _only_ours(connection.scalars(sa.select(table.c.session_id))) == MANY
    assert connection.execute(sa.select(table).where(*key)).all() == []
    assert connection.scalar(sa.text(f"SELECT count(*) FROM {name} WHERE session_id >= {THEIRS.start}")) == 0
    assert _only_ours(connection.scalars(sa.text(f"SELECT session_id FROM {name} t ORDER BY t"))) == MANY


@pytest.mark.parametrize("name", GUARDED)
def test_a_tenant_changes_and_removes_its_own_rows_alone(
    name: str, house: House, connection: sa.Connection
) -> None:
    table = metadata.tables[name]
    before = _all_rows(house, table)
    for change in (sa.update(table).values(session_id=table.c.session_id), sa.delete(table)):
        there = change.where(table.c.session_id >= THEIRS.start)
        assert connection.execute(there).rowcount == 0
    assert connection.execute(sa.delete(table)).rowcount == MANY
    connection.commit()
    try:
        assert _all_rows(house, table) == [row for row in before if row.session_id in THEIRS]
    finally:
        with _superuser(house.url()) as again:
            again.execute(sa.insert(table), [row._asdict() for row in before if row.session_id in OURS])
    assert _all_rows(house, table) == before


@pytest.mark.parametrize("name", GUARDED)
def test_a_tenant_puts_nothing_among_the_rows_of_another_and_does_not_learn_what_is_there(
    name: str, house: House, connection: sa.Connection
) -> None:
    table = metadata.tables[name]
    there = next(row for row in _all_rows(house, table) if row.session_id in THEIRS)
    free = _row(table, THEIRS.start + 10**6, 1)
    own = sa.update(table).values(session_id=THEIRS.start + 10**6)
    either = postgresql.insert(table)
    said = {
        _refused(connection, statement, values)
        for statement, values in (
            (sa.insert(table), free),
            (sa.insert(table), there._asdict()),
            (either.on_conflict_do_nothing(), there._asdict()),
            (either.on_conflict_do_update(index_elements=table.primary_key, set_={"session_id": 1}), free),
            (own, {}),
        )
    }
    assert said == {f'new row violates row-level security policy for table "{name}"'}


def _refused(connection: sa.Connection, statement: sa.Executable, values: dict[str, Any]) -> str:
    """What the database says to a statement that it refuses, of which nothing stays."""
    with pytest.raises(sa.exc.ProgrammingError) as caught, connection.begin_nested():
        connection.execute(statement, values or None)
    return str(caught.value.orig).strip().splitlines()[0]


@pytest.mark.parametrize("name", GUARDED)
def test_no_way_leads_round_the_policies(name: str, connection: sa.Connection) -> None:
    copied = connection.connection.cursor()
    with copied.copy(f"COPY {name} (session_id) TO STDOUT") as rows:
        assert sum(int(number) in OURS for (number,) in rows.rows()) == MANY
    for command in (
        f"TRUNCATE {name}",
        f"ALTER TABLE {name} DISABLE ROW LEVEL SECURITY",
        f"DROP POLICY dissensus_tenant ON {name}",
    ):
        assert "permission denied" in (said := _refused(connection, sa.text(command), {})) or (
            "must be owner" in said
        )
    connection.execute(sa.text("SET LOCAL row_security = off"))
    assert "would be affected by row-level security" in _refused(
        connection, sa.text(f"SELECT session_id FROM {name}"), {}
    )


@pytest.mark.parametrize("role", [APP, OWNER])
@pytest.mark.parametrize("name", GUARDED)
def test_a_connection_that_is_no_tenants_sees_no_row_at_all(name: str, role: str, house: House) -> None:
    table = metadata.tables[name]
    with _superuser(house.url(role)) as connection:
        for command in ("SELECT 1", "SET LOCAL dissensus.tenant = ''", "RESET ALL"):
            connection.execute(sa.text(command))
            assert connection.execute(sa.select(table)).all() == []
            assert connection.execute(sa.delete(table)).rowcount == 0
            _refused(connection, sa.insert(table), _row(table, OURS.start + 10**6, 1))
