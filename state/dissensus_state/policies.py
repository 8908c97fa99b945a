"""Row-level security of PostgreSQL: which rows of every table a connection sees.

A tenant's sessions have numbers of its own range, `tenant << 32 | n`, so that every table is kept
apart by the first column of its primary key, and no policy costs an index. Which tenant a
connection is, says a setting; where it is not set no row is seen at all. A role that is bound sees
one tenant's rows whatever it sets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256

import sqlalchemy as sa

from .engines import TENANT, Statement, Work
from .tables import VERSION_TABLE, metadata
from .views import NAMES

BITS = 32
"""How many bits of a session's number count the sessions of its tenant."""

POLICY = "dissensus_tenant"
ASKED = "dissensus.tenant_name"
"""The setting by which an application's role sees one row of `tenants`, the one it can name."""

_NAMES = "uq_sessions_name_tenant"
_NUMBER = f"NULLIF(current_setting('{TENANT}', true), '')::bigint"
_NAMED = f"name = current_setting('{ASKED}', true)"

_tables = Statement(
    sa.text(
        f"""SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (
            SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = '{POLICY}')
        FROM pg_class c WHERE c.relname = ANY(:names) AND pg_table_is_visible(c.oid)
            AND c.relkind IN ('r', 'p') ORDER BY 1"""  # noqa: S608 - a constant
    )
)
_users = Statement(
    sa.text(
        """SELECT DISTINCT pg_get_userbyid(a.grantee) FROM pg_class c, aclexplode(c.relacl) a
        WHERE c.oid = 'sessions'::regclass AND a.privilege_type = 'INSERT'
            AND a.grantee NOT IN (0, c.relowner)"""
    )
)
_bound = Statement(
    sa.text(
        f"""SELECT pg_get_userbyid(polroles[1]), substring(polname FROM '^{POLICY}_([0-9]+)_')::bigint
        FROM pg_policy WHERE polrelid = 'sessions'::regclass AND polname ~ '^{POLICY}_[0-9]+_'"""  # noqa: S608
    )
)


_reach = Statement(
    sa.text(
        """SELECT rolname FROM pg_roles WHERE rolname <> :role AND pg_has_role(:role, oid, 'MEMBER')
            AND has_table_privilege(oid, 'sessions', 'SELECT') ORDER BY 1 LIMIT 1"""
    )
)


def guarded() -> tuple[str, ...]:
    """The tables whose rows belong to a tenant: all that have a `session_id`."""
    return tuple(name for name, table in sorted(metadata.tables.items()) if "session_id" in table.c)


def first(tenant: int | None) -> int:
    """The number below all sessions of a tenant."""
    return (tenant or 0) << BITS


def closed(work: Work) -> dict[str, bool]:
    """The tables of tenants that are there, and whether a policy guards each."""
    return {str(name): bool(is_closed) for name, is_closed in work.all(_tables, names=list(guarded()))}


def users(work: Work) -> set[str]:
    """The roles beside the owner that may write sessions."""
    return {str(role) for (role,) in work.all(_users)}


def bound(work: Work) -> dict[str, int]:
    """The roles that see one tenant's rows whatever they set, and which."""
    return {str(role): int(tenant) for role, tenant in work.all(_bound)}


def close(work: Work) -> None:
    """Guard every table; sessions are then named once in each tenant."""
    for table in closed(work):
        _run(work, _guard(table))
    _run(
        work,
        [
            "ALTER TABLE sessions DROP CONSTRAINT IF EXISTS uq_sessions_name",
            f"CREATE UNIQUE INDEX IF NOT EXISTS {_NAMES} ON sessions (name, (session_id >> {BITS}))",
            "ALTER TABLE tenants ENABLE ROW LEVEL SECURITY",
            f"DROP POLICY IF EXISTS {POLICY} ON tenants",
            f"CREATE POLICY {POLICY} ON tenants FOR SELECT USING ({_NAMED})",
        ],
    )


def _guard(table: str) -> Iterator[str]:
    own = _between(f"{_NUMBER} << {BITS}", f"({_NUMBER} + 1) << {BITS}")
    yield f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"
    yield f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY"
    yield f"DROP POLICY IF EXISTS {POLICY} ON {table}"
    yield f"CREATE POLICY {POLICY} ON {table} USING ({own}) WITH CHECK ({own})"


def _between(low: str, high: str) -> str:
    """A range that the index of every primary key can be searched for."""
    return f"session_id >= ({low}) AND session_id < ({high})"


def grant(work: Work, role: str) -> None:
    """Give an application what it needs: it can neither make tenants nor change tables."""
    to = _quoted(work, role)
    asked = ", ".join([*_granted_views(work), "tenants", VERSION_TABLE])
    _run(
        work,
        [
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON {', '.join(closed(work))} TO {to}",
            f"GRANT SELECT ON {asked} TO {to}",
        ],
    )


_VIEWS_ASK = 150_000
"""From this version of PostgreSQL on a view can ask as whoever asks it; before, it would ask as its owner,
whom the policies do not hold to one tenant."""

_views = Statement(
    sa.text(
        """SELECT c.relname, current_setting('server_version_num')::int FROM pg_class c
        WHERE c.relname = ANY(:names) AND c.relkind = 'v' AND pg_table_is_visible(c.oid) ORDER BY 1"""
    )
)


_unseen = Statement(
    sa.text(
        """SELECT current_setting('server_version_num')::int FROM pg_class c WHERE c.relname = ANY(:names)
        AND c.relkind = 'v' AND pg_table_is_visible(c.oid) AND NOT has_table_privilege(:role, c.oid, 'SELECT')
        LIMIT 1"""
    )
)


def lacks_views(work: Work) -> bool:
    """Whether an application may not ask a view that it could."""
    found = [work.one(_unseen, names=list(NAMES), role=role) for role in sorted(users(work))]
    return any(row is not None and row[0] >= _VIEWS_ASK for row in found)


def _granted_views(work: Work) -> list[str]:
    """The views that an application may ask: they ask as it, so that the policies hold."""
    found = [str(name) for name, version in work.all(_views, names=list(NAMES)) if version >= _VIEWS_ASK]
    _run(work, [f"ALTER VIEW {name} SET (security_invoker = true)" for name in found])
    return found


def reach(work: Work, role: str) -> str | None:
    """Another role that this one can become, and as which it would see what it asks for."""
    row = work.one(_reach, role=role)
    return None if row is None else str(row[0])


def bind(work: Work, role: str, tenant: int) -> None:
    """Let a role see the rows of one tenant alone, in every table, whatever it sets."""
    own = _between(str(first(tenant)), str(first(tenant + 1)))
    name = f"{POLICY}_{tenant}_{sha256(role.encode()).hexdigest()[:16]}"
    for table, rows in [*((table, own) for table in closed(work)), ("tenants", f"tenant = {tenant}")]:
        restricted = f"AS RESTRICTIVE TO {_quoted(work, role)} USING ({rows}) WITH CHECK ({rows})"
        _run(
            work,
            [f"DROP POLICY IF EXISTS {name} ON {table}", f"CREATE POLICY {name} ON {table} {restricted}"],
        )


def _quoted(work: Work, name: str) -> str:
    """A name as it stands in a statement."""
    preparer = work.database.engine.dialect.identifier_preparer
    return preparer.quote_identifier(name).replace(":", "\\:")


def _run(work: Work, commands: Iterable[str]) -> None:
    for command in commands:
        work.run(Statement(sa.text(command)))
