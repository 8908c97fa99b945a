"""Tenants of one PostgreSQL database, kept apart by row-level security.

The owner of the tables enables and makes them here. An application opens its store for one tenant:
a `Store` has connections of its own, which are of that tenant from their first moment on.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from . import policies
from .addresses import shown, to_copy
from .engines import TENANT, Database, Statement, Work, insert, read_url
from .errors import Conflict, NotFound, TenantRefused, ValueRefused
from .tables import tenants

DEFAULT = "default"
"""The tenant 0, to whom belongs what was there before there were tenants."""

MAX_TENANT = 2**31 - 2
MAX_NAME = 200

_ADD = "Make it as the tables' owner with `dissensus db tenants add URL NAME`"

_all_seeing = Statement(
    sa.text(
        """SELECT rolname, rolsuper FROM pg_roles
        WHERE (rolsuper OR rolbypassrls) AND CASE WHEN CAST(:role AS text) IS NULL
            THEN rolname IN (current_user, session_user) ELSE rolname = :role END"""
    )
)
_seen_as = Statement(sa.text(f"SELECT current_setting('{TENANT}', true), row_security_active('sessions')"))
_role = Statement(sa.text("SELECT current_user WHERE row_security_active('tenants')"))
_ask = Statement(sa.text(f"SELECT set_config('{policies.ASKED}', :name, true)"))
_patience = Statement(sa.text("SET LOCAL lock_timeout = '30s'"))
_turn = Statement(sa.text("SELECT pg_advisory_xact_lock(7238911)"))
_lock = Statement(sa.text("LOCK TABLE tenants IN SHARE ROW EXCLUSIVE MODE"))
_insert = insert(tenants)
_by_name = Statement(sa.select(tenants.c.tenant).where(tenants.c.name == sa.bindparam("name")))
_last = Statement(sa.select(sa.func.max(tenants.c.tenant)))
_all = Statement(sa.select(tenants.c.tenant, tenants.c.name, tenants.c.created_at).order_by(tenants.c.tenant))


@dataclass(frozen=True, slots=True)
class Tenant:
    """Whose sessions they are."""

    tenant: int
    name: str
    created_at: int


def enable(database: Database, role: str | None = None) -> None:
    """Keep the tenants of a database apart from now on; again, it mends what is missing.

    It needs the role that owns the tables, and no worker that holds them for long. What was there
    before belongs to the tenant `default`. All of it happens, or nothing.

    Args:
        database: One that has its tables.
        role: The application's role, which is given what it needs and no more; those that use the
            sessions already are given the same for tables that were made since.

    Raises:
        TenantRefused: it is a SQLite file, or the role would see every tenant's rows.
        DatabaseFailed: the tables belong to another role, are in use, or there is no such role.
    """
    _on_postgresql(database.backend, database.name)
    with database.writing() as work:
        if role is not None:
            _check_role(work, role)
        work.run(_patience)
        work.run(_turn)
        policies.close(work)
        for user in policies.users(work) | ({role} if role else set()):
            policies.grant(work, user)
        for bound, tenant in policies.bound(work).items():
            policies.bind(work, bound, tenant)
        if work.one(_by_name, name=DEFAULT) is None:
            work.run(_insert, tenant=0, name=DEFAULT, created_at=work.clock())


def mend(database: Database) -> None:
    """Keep tenants apart in what was made since, where they are in the rest: tables and views."""
    if database.backend != "postgresql":
        return
    with database.reading() as work:
        closed = set(policies.closed(work).values())
        lacking = True in closed and policies.lacks_views(work)
    if closed == {True, False} or lacking:
        enable(database)


def add(database: Database, name: str) -> Tenant:
    """Make a tenant.

    Raises:
        Conflict: there is one of that name.
        ValueRefused: the name is empty, too long, or cannot be printed.
        TenantRefused: the database has no tenants, or the role does not own the tables.
    """
    _check_name(name)
    _on_postgresql(database.backend, database.name)
    with database.writing() as work:
        _check_administers(work)
        work.run(_lock)
        if work.one(_by_name, name=name) is not None:
            raise Conflict(f"There is a tenant {name!r} already", next_step="Choose another name")
        row = work.one(_last)
        made = Tenant(1 + ((row and row[0]) or 0), name, work.clock())
        if made.tenant > MAX_TENANT:
            raise TenantRefused(f"{database.name} has no number left for another tenant")
        work.run(_insert, tenant=made.tenant, name=made.name, created_at=made.created_at)
    return made


def bind(database: Database, name: str, role: str) -> None:
    """Give a tenant a role of its own, which sees that tenant's rows alone, whatever it sets.

    A setting guards against errors of an application, not against SQL of a stranger: who may run
    that needs a role that is bound.

    Raises:
        NotFound: there is no such tenant.
        Conflict: the role is another tenant's.
        TenantRefused: the role sees, or can become one that sees, the rows of others.
        DatabaseFailed: there is no such role.
    """
    _on_postgresql(database.backend, database.name)
    with database.writing() as work:
        _check_administers(work)
        work.run(_patience)
        _check_role(work, role)
        row = work.one(_by_name, name=name)
        if row is None:
            raise NotFound(f"There is no tenant {name!r} in {database.name}", next_step=_ADD)
        if policies.bound(work).get(role, row[0]) != row[0]:
            raise Conflict(
                f"The role {role!r} is bound to another tenant", next_step="Make a role for each tenant"
            )
        policies.grant(work, role)
        policies.bind(work, role, row[0])
        if other := policies.reach(work, role):
            raise TenantRefused(
                f"The role {role!r} is a member of {other!r}, as which it would see other tenants",
                next_step="Take it out of that role: REVOKE … FROM …",
            )


def listing(database: Database) -> list[Tenant]:
    """All tenants, in the order of their numbers.

    Raises:
        TenantRefused: the database has no tenants, or the role does not own the tables.
    """
    _on_postgresql(database.backend, database.name)
    with database.reading() as work:
        _check_administers(work)
        return [Tenant(*row) for row in work.all(_all)]


def is_enabled(work: Work) -> bool:
    """Whether this database keeps tenants apart.

    Raises:
        TenantRefused: it does so in some tables and not in others.
    """
    if work.database.backend != "postgresql":
        return False
    closed = policies.closed(work)
    unguarded = [name for name, is_closed in closed.items() if not is_closed]
    if 0 < len(unguarded) < len(closed):
        name = work.database.name
        raise TenantRefused(
            f"{name} keeps tenants apart, but not in {', '.join(unguarded)}",
            next_step=f"As the tables' owner, run `dissensus db tenants enable {name}` again",
        )
    return bool(closed) and not unguarded


def opened(database: Database, name: str | None) -> Database:
    """A database as one tenant sees it: itself where there are none, else one of that tenant's own.

    Raises:
        TenantRefused: it is opened without a tenant that it needs, or with one that it has not; or
            by a role that would see the rows of all.
    """
    if database.backend != "postgresql":
        return database
    with database.reading() as work:
        number = _number(work, name)
    if number is None:
        return database
    database.close()
    own = Database(database.url.render_as_string(hide_password=False), database.clock, number)
    try:
        _confirm(own)
    except BaseException:
        own.close()
        raise
    return own


def check_url(url: str) -> None:
    """Refuse tenants of a SQLite file, before the file is made."""
    parsed = read_url(url)
    _on_postgresql(parsed.get_backend_name(), shown(parsed))


def _number(work: Work, name: str | None) -> int | None:
    database = work.database
    if not is_enabled(work):
        if name is not None:
            raise _not_enabled(database)
        return None
    if name is None:
        raise TenantRefused(
            f"{database.name} holds the sessions of several tenants, and none was named",
            next_step="Name one: Store.open(url, tenant=NAME), --tenant NAME, or DISSENSUS_TENANT",
        )
    _check_name(name)
    _check_role(work)
    work.one(_ask, name=name)
    row = work.one(_by_name, name=name)
    if row is None:
        raise TenantRefused(
            f"There is no tenant {name!r} in {database.name}",
            next_step=_ADD,
        )
    return int(row[0])


def _confirm(database: Database) -> None:
    """See that a connection is the tenant's: a pooler between may drop what it does not know."""
    with database.reading() as work:
        row = work.one(_seen_as)
    if row is None or row[0] != str(database.tenant) or not row[1]:
        raise TenantRefused(
            f"{database.name} does not take the tenant from a connection's options",
            next_step="Connect to PostgreSQL itself, or through a pooler that keeps sessions and options",
        )


def _check_role(work: Work, role: str | None = None) -> None:
    """Refuse a role, or the one that is logged in, that no policy holds."""
    row = work.one(_all_seeing, role=role)
    if row is None:
        return
    what = "is a superuser" if row[1] else "has BYPASSRLS"
    raise TenantRefused(
        f"The role {row[0]!r} {what} and would see the rows of all tenants",
        next_step=(
            "Let the application log in as a role with neither: CREATE ROLE app LOGIN; then"
            f" `dissensus db tenants enable {to_copy(work.database.url)} --role app`"
        ),
    )


def _check_administers(work: Work) -> None:
    """Refuse where there are no tenants, and a role that would see none of them."""
    if not is_enabled(work):
        raise _not_enabled(work.database)
    if row := work.one(_role):
        raise TenantRefused(
            f"The role {row[0]!r} does not look after the tenants of {work.database.name}",
            next_step="Log in as the owner of the tables",
        )


def _check_name(name: str) -> None:
    if not 0 < len(name) <= MAX_NAME or not name.isprintable() or name != name.strip():
        raise ValueRefused(
            f"{ascii(name)[:80]} cannot be the name of a tenant",
            next_step=f"Give up to {MAX_NAME} printable characters, with no space at the ends",
        )


def _on_postgresql(backend: str, name: str) -> None:
    if backend != "postgresql":
        raise TenantRefused(
            f"{name} is SQLite, which has no row-level security",
            next_step="Give each tenant a file of its own, or use PostgreSQL",
        )


def _not_enabled(database: Database) -> TenantRefused:
    return TenantRefused(
        f"{database.name} has no tenants",
        next_step=f"Run `dissensus db tenants enable {to_copy(database.url)}`"
        " as the tables' owner, or name none",
    )
