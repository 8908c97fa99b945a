"""States of the past with the schema version they are of, as stored and lifted.

The ground of whatever reads or writes across schema versions: forks, merges and reverts too.
"""

from __future__ import annotations

import functools

import sqlalchemy as sa

from . import commits
from .engines import Statement, Work
from .errors import NotFound
from .lineages import lineage
from .shapes import Shape
from .tables import commits as commits_table
from .tables import sessions
from .upcasting import check_known, lift
from .values import JSON, parse_object, store

_schema_version = Statement(
    sa.select(commits_table.c.schema_version).where(
        commits_table.c.session_id == sa.bindparam("session_id"),
        commits_table.c.branch == sa.bindparam("branch"),
        commits_table.c.version == sa.bindparam("version"),
    )
)
_versions = sa.select(
    sessions.c.schema, sessions.c.schema_version, sessions.c.key_fields, sessions.c.past_keys
).where(sessions.c.session_id == sa.bindparam("session_id"))
_read_versions = Statement(_versions)
_lock_versions = Statement(_versions.with_for_update())
_move_versions = Statement(
    sa.update(sessions)
    .where(sessions.c.session_id == sa.bindparam("session_id_"))
    .values(
        schema=sa.bindparam("schema"),
        schema_version=sa.bindparam("schema_version"),
        key_fields=sa.bindparam("key_fields"),
        past_keys=sa.bindparam("past_keys"),
    )
)


def schema_version(work: Work, session_id: int, branch: str, version: int) -> int:
    """The schema version that a version of a branch is stored in."""
    for segment in lineage(work, session_id, branch):
        if segment.after < version <= segment.upto:
            row = work.one(_schema_version, session_id=session_id, branch=segment.branch, version=version)
            if row is not None:
                return int(row[0])
    raise NotFound(f"There is no version {version}", branch=branch)


def stored_at(work: Work, session_id: int, branch: str, version: int) -> tuple[JSON, int]:
    """The state at a version as it is stored, and its schema version."""
    state = commits.state_at(work, session_id, branch, version)
    return state, schema_version(work, session_id, branch, version)


def lifted_at(work: Work, session_id: int, branch: str, version: int, shape: Shape) -> JSON:
    """The state at a version in the shape of a schema; see `upcasting.lift` for what it raises."""
    number = schema_version(work, session_id, branch, version)
    check_known(shape, number)
    return lift(shape, commits.state_at(work, session_id, branch, version), number)


def keys_of(work: Work, session_id: int, number: int) -> dict[str, str]:
    """Of the lists that merge by key under a schema version: which field is the key."""
    row = work.one(_read_versions, session_id=session_id)
    if row is None:
        return {}
    if row[1] == number:
        return parse_object(row[2])
    past = parse_object(row[3] or "{}").get(str(number))
    return past if isinstance(past, dict) else {}


def known_keys(work: Work, session_id: int) -> dict[int, dict[str, str]]:
    """The same for every schema version that the session was ever written under, by number."""
    row = work.one(_read_versions, session_id=session_id)
    if row is None:
        return {}
    past = parse_object(row[3] or "{}")
    return {int(row[1]): parse_object(row[2]), **{int(n): keys for n, keys in past.items()}}


class Keys:
    """The key fields of a session's schema versions, each read once."""

    def __init__(self, work: Work, session_id: int) -> None:
        self._read = functools.partial(keys_of, work, session_id)
        self._known: dict[int, dict[str, str]] = {}

    def of(self, number: int) -> dict[str, str]:
        """The same as `keys_of`."""
        if number not in self._known:
            self._known[number] = self._read(number)
        return self._known[number]


def shared_keys(work: Work, session_id: int, one: int, other: int) -> dict[str, str]:
    """The keys on which two schema versions agree; other lists are compared by position."""
    keys = keys_of(work, session_id, one)
    if one == other:
        return keys
    others = keys_of(work, session_id, other)
    return {name: key for name, key in keys.items() if others.get(name) == key}


def follow(work: Work, session_id: int, shape: Shape) -> None:
    """Let the session's row say its newest schema version, and remember the keys of the older ones."""
    row = work.one(_lock_versions, session_id=session_id)
    if row is None or row[1] == shape.version:
        return
    name, number, keys, past = row[0], row[1], parse_object(row[2]), parse_object(row[3] or "{}")
    if number < shape.version:
        past[str(number)] = keys
        name, number, keys = shape.name, shape.version, shape.keys
    else:
        past.setdefault(str(shape.version), shape.keys)
    work.run(
        _move_versions,
        session_id_=session_id,
        schema=name,
        schema_version=number,
        key_fields=store(keys),
        past_keys=store(past),
    )
