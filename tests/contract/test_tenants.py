"""Tenants of one PostgreSQL database see nothing of each other in any table, whatever they ask."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

import dissensus_state
from dissensus_state import tenants
from dissensus_state.engines import Statement
from dissensus_state.store import Store
from dissensus_state.tables import VERSION_TABLE, metadata
from dissensus_state.views import NAMES as VIEWS
from houses import GUARDED, MANY, OURS, THEIRS, House, built, fill, logged_in, refused, row
from postgres import Postgres


@pytest.fixture(scope="module")
def house(postgres: Postgres) -> Iterator[House]:
    """Two tenants, `acme` and `globex`, each with rows in every table that has a session."""
    with built(postgres, "tenants", "acme", "globex") as made:
        fill(made)
        yield made


@pytest.fixture(scope="module")
def acme(house: House) -> Iterator[Store]:
    """The store of one of the two tenants."""
    with house.store("acme") as opened:
        yield opened


@pytest.fixture(scope="module")
def bound(postgres: Postgres) -> Iterator[House]:
    """The same, where `acme_app` is bound to `acme`."""
    with built(postgres, "bound", "acme", "globex") as made:
        fill(made)
        with made.database() as database:
            tenants.bind(database, "acme", "acme_app")
        yield made


@pytest.fixture
def connection(acme: Store) -> Iterator[sa.Connection]:
    """A connection of that store, on which any SQL can be said; nothing of it stays."""
    with acme.database.engine.connect() as opened:
        yield opened


def _only_ours(numbers: sa.ScalarResult[int]) -> int:
    """How many rows there are, all of them ours."""
    found = list(numbers)
    assert all(number in OURS for number in found)
    return len(found)


@pytest.mark.parametrize("name", GUARDED)
def test_a_tenant_reads_its_own_rows_alone(name: str, house: House, connection: sa.Connection) -> None:
    table = metadata.tables[name]
    theirs = next(row for row in house.rows(table) if row.session_id in THEIRS)
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
    before = house.rows(table)
    for change in (sa.update(table).values(session_id=table.c.session_id), sa.delete(table)):
        there = change.where(table.c.session_id >= THEIRS.start)
        assert connection.execute(there).rowcount == 0
    assert connection.execute(sa.delete(table)).rowcount == MANY
    connection.commit()
    try:
        assert house.rows(table) == [row for row in before if row.session_id in THEIRS]
    finally:
        with logged_in(house.url()) as again:
            again.execute(sa.insert(table), [row._asdict() for row in before if row.session_id in OURS])
    assert house.rows(table) == before


@pytest.mark.parametrize("name", GUARDED)
def test_a_tenant_puts_nothing_among_the_rows_of_another_and_does_not_learn_what_is_there(
    name: str, house: House, connection: sa.Connection
) -> None:
    table = metadata.tables[name]
    there = next(row for row in house.rows(table) if row.session_id in THEIRS)
    free = row(table, THEIRS.start + 10**6, 1)
    own = sa.update(table).values(session_id=THEIRS.start + 10**6)
    either = postgresql.insert(table)
    said = {
        refused(connection, statement, **values)
        for statement, values in (
            (sa.insert(table), free),
            (sa.insert(table), there._asdict()),
            (either.on_conflict_do_nothing(), there._asdict()),
            (either.on_conflict_do_update(index_elements=table.primary_key, set_={"session_id": 1}), free),
            (own, {}),
        )
    }
    assert said == {f'new row violates row-level security policy for table "{name}"'}


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
        assert "permission denied" in (said := refused(connection, command)) or ("must be owner" in said)
    connection.execute(sa.text("SET LOCAL row_security = off"))
    assert "would be affected by row-level security" in refused(connection, f"SELECT session_id FROM {name}")


@pytest.mark.parametrize("role", ["app", "owner"])
@pytest.mark.parametrize("name", GUARDED)
def test_a_connection_that_is_no_tenants_sees_no_row_at_all(name: str, role: str, house: House) -> None:
    table = metadata.tables[name]
    with logged_in(house.url(role)) as connection:
        for command in ("SELECT 1", "SET LOCAL dissensus.tenant = ''", "RESET ALL"):
            connection.execute(sa.text(command))
            assert connection.execute(sa.select(table)).all() == []
            assert connection.execute(sa.delete(table)).rowcount == 0
            refused(connection, sa.insert(table), **row(table, OURS.start + 10**6, 1))


@pytest.mark.parametrize("name", GUARDED)
def test_a_role_of_one_tenant_sees_its_rows_alone_whatever_it_sets(name: str, bound: House) -> None:
    table = metadata.tables[name]
    with logged_in(bound.url("acme_app")) as connection:
        for number, seen in ((0, 0), (1, MANY), (2, 0)):
            connection.execute(sa.text(f"SET LOCAL dissensus.tenant = '{number}'"))
            assert _only_ours(connection.scalars(sa.select(table.c.session_id))) == seen
            assert connection.execute(sa.delete(table).where(table.c.session_id > OURS.stop)).rowcount == 0
            there = row(table, (number << 32) + 10**6, 1)
            if number != 1:
                assert "row-level security" in refused(connection, sa.insert(table), **there)


def test_every_table_that_has_a_session_is_guarded_once_there_are_tenants(house: House) -> None:
    with logged_in(house.url()) as connection:
        found = connection.execute(
            sa.text(
                """SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, p.polcmd, p.polpermissive
                FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                LEFT JOIN pg_policy p ON p.polrelid = c.oid
                WHERE a.attname = 'session_id' AND c.relkind IN ('r', 'p')"""
            )
        ).all()
    assert sorted(found) == [(name, True, True, "*", True) for name in GUARDED]


def test_the_application_is_given_what_it_needs_and_no_more(house: House) -> None:
    read_only = {"tenants", VERSION_TABLE, *VIEWS}
    with logged_in(house.url()) as connection:
        given = connection.execute(
            sa.text(
                """SELECT c.relname, a.privilege_type FROM pg_class c, aclexplode(c.relacl) a
                WHERE pg_get_userbyid(a.grantee) = 'app' AND c.relnamespace = 'public'::regnamespace"""
            )
        ).all()
    rights = {name: {right for each, right in given if each == name} for name, _ in given}
    assert rights == {
        **{name: {"SELECT", "INSERT", "UPDATE", "DELETE"} for name in GUARDED},
        **{name: {"SELECT"} for name in read_only},
    }


_VALUES: dict[type, Any] = {str: "t1", bytes: b"1"}


def _statements() -> dict[str, sa.ClauseElement]:
    """Every statement of the state that asks for rows of one session, or for a session by its name."""
    found = {}
    for module in pkgutil.iter_modules(dissensus_state.__path__, "dissensus_state."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, Statement):
                core = value._core
                core = core["postgresql"] if isinstance(core, dict) else core
                text = str(core.compile(dialect=postgresql.dialect()))
                if "session_id = %(" in text or "sessions.name = %(" in text:
                    found[f"{module.name.rpartition('.')[2]}.{name}"] = core
    return found


STATEMENTS = _statements()


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_the_policies_cost_no_statement_its_index(name: str, connection: sa.Connection) -> None:
    compiled = STATEMENTS[name].compile(dialect=connection.dialect)
    values = {
        bind: OURS.start + 1 if bind.startswith("session_id") else _VALUES.get(parameter.type.python_type, 1)
        for bind, parameter in compiled.binds.items()
        if parameter.required
    }
    plan = connection.exec_driver_sql(f"EXPLAIN {compiled}", compiled.construct_params(values))
    lines = [line for (line,) in plan]
    assert not [line for line in lines if "Seq Scan" in line], lines
    assert any("Index Cond" in line for line in lines), lines


@pytest.mark.parametrize("name", GUARDED)
def test_a_question_after_all_rows_looks_at_the_tenants_own_range_alone(
    name: str, connection: sa.Connection
) -> None:
    connection.execute(sa.text("SET LOCAL enable_seqscan = off"))
    plan = "\n".join(connection.scalars(sa.text(f"EXPLAIN SELECT max(session_id) FROM {name}")))
    assert f"using pk_{name}" in plan or f"using uq_{name}_session_id" in plan
    assert plan.count("Index Cond") == 1
    assert "Filter" not in plan
