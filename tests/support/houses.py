"""A PostgreSQL database with two tenants, and the roles that log in to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa

from dissensus_state import policies, tenants
from dissensus_state.engines import Database
from dissensus_state.store import Store
from dissensus_state.tables import metadata
from postgres import Postgres

ROLES = {
    "owner": "LOGIN",
    "app": "LOGIN",
    "seer": "LOGIN BYPASSRLS IN ROLE app",
    "acme_app": "LOGIN",
    "member": "LOGIN IN ROLE app",
}
"""Who owns the tables; the application; one that no policy holds; one tenant's own; one too many."""

OURS = range(policies.first(1), policies.first(2))
THEIRS = range(policies.first(2), policies.first(3))
"""The numbers of the sessions of `acme` and of `globex`."""

GUARDED = policies.guarded()
MANY = 1000


@dataclass(frozen=True)
class House:
    """A database, and who may log in to it."""

    server: Postgres
    name: str

    def url(self, role: str = "postgres") -> str:
        """Its address for a role; by default the superuser."""
        return self.server.url(self.name).replace("postgres@", f"{role}@")

    def store(self, tenant: str | None, role: str = "app") -> Store:
        """Its store, opened as an application does."""
        return Store.open(self.url(role), tenant=tenant)

    def database(self, role: str = "owner") -> closing[Database]:
        """The database as those who look after it open it."""
        return closing(Database(self.url(role)))

    def rows(self, table: sa.Table) -> list[Any]:
        """All rows of all tenants."""
        with logged_in(self.url()) as connection:
            return list(connection.execute(sa.select(table).order_by(*table.primary_key)))


@contextmanager
def logged_in(url: str) -> Iterator[sa.Connection]:
    """A connection without a tenant, in a transaction that is committed."""
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        yield connection


@contextmanager
def built(server: Postgres, name: str, *names: str) -> Iterator[House]:
    """A database that `owner` owns, with these tenants; without any if none is named."""
    server.create(name)
    with logged_in(server.url(name)) as connection:
        there = set(connection.scalars(sa.text("SELECT rolname FROM pg_roles")))
        for role, what in ROLES.items():
            if role not in there:
                connection.execute(sa.text(f"CREATE ROLE {role} {what}"))
        connection.execute(sa.text("GRANT ALL ON SCHEMA public TO owner"))
    house = House(server, name)
    Store.open(house.url("owner")).close()
    if names:
        with house.database() as database:
            tenants.enable(database, "app")
            assert [tenants.add(database, each).tenant for each in names] == [*range(1, len(names) + 1)]
    yield house
    server.drop(name)


def row(table: sa.Table, session_id: int, n: int) -> dict[str, Any]:
    """A row of any table: what it says is of no matter."""
    made: dict[type, Any] = {int: n, str: f"t{n}", bytes: b"%d" % n, float: 0.5}
    values = {column.name: made[column.type.python_type] for column in table.columns}
    return {**values, "session_id": session_id}


def fill(house: House) -> None:
    """Give both tenants rows in every table that has a session."""
    with logged_in(house.url()) as connection:
        for name in GUARDED:
            table = metadata.tables[name]
            once = len(table.primary_key) == 1 or name == "ledger"
            for own in (OURS, THEIRS):
                rows = [row(table, own.start + 1 + (n if once else n % 50), n) for n in range(MANY)]
                connection.execute(sa.insert(table), rows)
        connection.execute(sa.text("ANALYZE"))


def refused(connection: sa.Connection, statement: sa.Executable | str, **values: Any) -> str:
    """What the database says to a statement that it refuses, of which nothing stays."""
    said = sa.text(statement) if isinstance(statement, str) else statement
    with pytest.raises(sa.exc.ProgrammingError) as caught, connection.begin_nested():
        connection.execute(said, values or None)
    return str(caught.value.orig).strip().splitlines()[0]
