"""The sessions of a database: which there are, and how one is entered that begins or is brought here."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from . import policies
from .engines import Statement, Work, insert_absent
from .errors import Conflict, NotFound
from .readers import SessionInfo
from .tables import sessions
from .values import parse, store

_insert_session = insert_absent(sessions)
_all_sessions = Statement(
    sa.select(
        *sessions.c["session_id", "name", "schema", "schema_version", "key_fields", "created_at"]
    ).order_by(sessions.c.session_id)
)
_by_name = Statement(sa.select(sessions.c.session_id).where(sessions.c.name == sa.bindparam("name")))
_last_session = Statement(sa.select(sa.func.max(sessions.c.session_id)))


def every(work: Work) -> list[SessionInfo]:
    """All sessions, oldest first, whatever the clocks said when they were made."""
    return [
        SessionInfo(sid, name, schema, version, parse(keys), at)
        for sid, name, schema, version, keys, at in work.all(_all_sessions)
    ]


def named(work: Work, name: str | None) -> SessionInfo:
    """The session of that name; without one, the only one there is.

    Raises:
        NotFound: there is no such session, or none or several to choose from.
    """
    found, where = every(work), work.database.name
    names = ", ".join(info.name for info in found[-10:]) or "none"
    if name is None:
        if len(found) != 1:
            raise NotFound(
                f"{where} holds {len(found)} sessions: {names}", next_step="Name one (`--session`)"
            )
        return found[0]
    for info in found:
        if info.name == name:
            return info
    raise NotFound(f"There is no session {name!r} in {where}; there are: {names}")


def enter(work: Work, info: SessionInfo, past_keys: str | None = None, *, beyond: int = 0) -> SessionInfo:
    """Write a session down under the next number of this database, or of its tenant.

    Args:
        past_keys: The keys of its lists under older versions of its schema, as they are stored.
        beyond: How many numbers are left free before its own, for those who begin sessions meanwhile: they
            need not wait for a long transaction.

    Raises:
        Conflict: there is one of that name.
    """
    before_all = policies.first(work.database.tenant)
    while True:
        row = work.one(_last_session)
        numbered = replace(info, session_id=1 + beyond + ((row and row[0]) or before_all))
        if work.run(_insert_session, **_row(numbered, past_keys)) == 1:
            return numbered
        if work.one(_by_name, name=info.name) is not None:
            raise Conflict(
                f"There is a session {info.name!r} already",
                next_step="Open it, or choose another name",
            )


def _row(info: SessionInfo, past_keys: str | None) -> dict[str, object]:
    return {
        "session_id": info.session_id,
        "name": info.name,
        "schema": info.schema,
        "schema_version": info.schema_version,
        "key_fields": store(info.keys),
        "past_keys": past_keys,
        "created_at": info.created_at,
    }
