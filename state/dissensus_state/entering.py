"""Writing a session down under a number and a name of its own, whether it begins or is brought here."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from . import policies
from .engines import Statement, Work, insert_absent
from .errors import Conflict
from .readers import SessionInfo
from .tables import sessions
from .values import store

_insert_session = insert_absent(sessions)
_by_name = Statement(sa.select(sessions.c.session_id).where(sessions.c.name == sa.bindparam("name")))
_last_session = Statement(sa.select(sa.func.max(sessions.c.session_id)))


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
