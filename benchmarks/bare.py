"""The floor: a transition with nothing but the drivers, one insert and one guarded update.

There is a table of sessions (the head and two scalars) and one of transitions (the finding as JSON,
in a row of its own). Each is as durable as our commits: SQLite with WAL and `synchronous=FULL`,
PostgreSQL with fsync on and its defaults.

- `RawSqlite`: `BEGIN IMMEDIATE`, the two statements and `COMMIT` through `sqlite3`.
- `RawPostgres`: the same four through one cursor of psycopg, prepared. Of the ways to run two
  statements it takes the least CPU of the client; a figure against the floor is against this.
- `RawPipelined`: the same in psycopg's pipeline, one round trip: less waiting, and more CPU.
- `RawOneStatement`: both as one statement with a common table expression.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import ClassVar

import psycopg
from findings import OneByOne, Update, canonical
from places import conninfo, is_sqlite, path_of

_SESSIONS = """
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY, head INTEGER NOT NULL, status TEXT NOT NULL, step INTEGER NOT NULL
)"""
_TRANSITIONS = """
CREATE TABLE transitions (
    session INTEGER NOT NULL, version INTEGER NOT NULL, finding TEXT NOT NULL, PRIMARY KEY (session, version)
)"""


class Overtaken(RuntimeError):
    """The guarded update found another head."""


class RawSqlite(OneByOne):
    """One connection of `sqlite3`."""

    def __init__(self, url: str, session: int = 1) -> None:
        path = path_of(url)
        new = not Path(path).exists()
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=120)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        if new:
            for table in (_SESSIONS, _TRANSITIONS):
                self._connection.execute(table)
        self._session = session
        self._head = 0
        self._connection.execute("INSERT INTO sessions VALUES (?, 0, 'open', 0)", (session,))

    def commit(self, update: Update) -> None:
        """One transition."""
        execute = self._connection.execute
        head, text = self._head + 1, canonical(update.finding)
        execute("BEGIN IMMEDIATE")
        execute("INSERT INTO transitions VALUES (?, ?, ?)", (self._session, head, text))
        moved = execute(
            "UPDATE sessions SET head = ?, status = ?, step = ? WHERE id = ? AND head = ?",
            (head, update.status, update.step, self._session, self._head),
        )
        if moved.rowcount != 1:
            raise Overtaken
        execute("COMMIT")
        self._head = head

    def close(self) -> None:
        """Close, which moves the WAL into the file."""
        self._connection.close()


class RawPostgres(OneByOne):
    """One cursor of psycopg."""

    insert: ClassVar = "INSERT INTO transitions VALUES (%s, %s, %s)"
    update: ClassVar = "UPDATE sessions SET head = %s, status = %s, step = %s WHERE id = %s AND head = %s"

    def __init__(self, url: str, session: int = 1) -> None:
        self._connection = psycopg.connect(conninfo(url), autocommit=True, prepare_threshold=0)
        self._cursor = self._connection.cursor()
        self._session = session
        self._head = 0
        self._cursor.execute("SELECT to_regclass('sessions')")
        if self._cursor.fetchone() == (None,):
            for table in (_SESSIONS, _TRANSITIONS):
                self._cursor.execute(table)
        self._cursor.execute("INSERT INTO sessions VALUES (%s, 0, 'open', 0)", (session,))

    def commit(self, update: Update) -> None:
        """One transition."""
        self._cursor.execute("BEGIN")
        self._both(update)
        self._cursor.execute("COMMIT")
        self._head += 1

    def _both(self, update: Update) -> None:
        head = self._head + 1
        self._cursor.execute(self.insert, (self._session, head, canonical(update.finding)))
        moved = (head, update.status, update.step, self._session, self._head)
        if self._cursor.execute(self.update, moved).rowcount != 1:
            raise Overtaken

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class RawPipelined(RawPostgres):
    """The same in one round trip; the guard is looked at when all answers are there."""

    def commit(self, update: Update) -> None:
        """One transition."""
        head = self._head + 1
        with self._connection.pipeline():
            self._cursor.execute("BEGIN")
            self._cursor.execute(self.insert, (self._session, head, canonical(update.finding)))
            self._cursor.execute(self.update, (head, update.status, update.step, self._session, self._head))
            self._cursor.execute("COMMIT")
        self._head = head


class RawOneStatement(RawPostgres):
    """The same with both statements as one, which commits by itself."""

    both: ClassVar = (
        "WITH moved AS (UPDATE sessions SET head = %s, status = %s, step = %s WHERE id = %s AND head = %s "
        "RETURNING id, head) INSERT INTO transitions SELECT id, head, %s FROM moved"
    )

    def commit(self, update: Update) -> None:
        """One transition."""
        head, text = self._head + 1, canonical(update.finding)
        values = (head, update.status, update.step, self._session, self._head, text)
        if self._cursor.execute(self.both, values).rowcount != 1:
            raise Overtaken
        self._head = head


def floor(url: str, session: int = 1) -> RawSqlite | RawPostgres:
    """The floor of a database."""
    return RawSqlite(url, session) if is_sqlite(url) else RawPostgres(url, session)
