"""The moments at which a process that writes can be cut short: between all statements that change something.

They are observed at the drivers, whatever code stands above them, and named by the step of the program
and the statement that was run last. What follows a statement, up to the next that changes something, is
one moment: whenever the process dies in it, the same is stored. So a `SELECT` makes no moment of its own.
"""

from __future__ import annotations

import os
import re
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable, Container
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")

_CHANGES = re.compile(
    r"(?<!FOR )(?<!DO )\b(INSERT|UPDATE|DELETE|CREATE|DROP|ALTER)\b"
    r"(?: OR \w+| INTO| FROM| TABLE| UNIQUE| INDEX| IF NOT EXISTS)*\s+\"?(\w+)",
    re.IGNORECASE,
)
_CONTROLS = re.compile(
    r"\s*(COMMIT|SAVEPOINT|RELEASE|PRAGMA wal_checkpoint|PRAGMA journal_mode)", re.IGNORECASE
)


def name_of(statement: object) -> str | None:
    """What a statement changes, such as `INSERT commits`; None if nothing."""
    if not isinstance(statement, str):
        return None
    control = _CONTROLS.match(statement)
    if control:
        return control[1]
    found = _CHANGES.findall(statement)
    return " + ".join(f"{verb.upper()} {table}" for verb, table in found) or None


class Points:
    """Every point that this process reaches, and what is to happen there.

    Args:
        reached: Called with the name of each point.
    """

    def __init__(self, reached: Callable[[str], None]) -> None:
        self._reached = reached
        self._step = ""
        self._last = ""
        self._seen: Counter[str] = Counter()

    def begin(self, step: str) -> None:
        """The program goes on to its next step."""
        if self._last:
            self._reached(self._last)
        self._step, self._last = step, ""
        self._seen.clear()

    def around(self, what: str | None, run: Callable[[], ResultT]) -> ResultT:
        """Run something; the moment before it is a point."""
        if what is None:
            return run()
        self._seen[what] += 1
        name = what if self._seen[what] == 1 else f"{what} {self._seen[what]}"
        self._reached(self._last or f"{self._step}: before {name}")
        self._last = f"{self._step}: after {name}"
        return run()

    def watch(self) -> None:
        """Observe every connection that this process opens from now on."""
        _watch_sqlite(self)
        _watch_psycopg(self)


def killing_at(points: Container[str], say: Callable[[str], None]) -> Callable[[str], None]:
    """Die with SIGKILL at the first point that is not among these."""

    def reached(name: str) -> None:
        if name not in points:
            say(f"at {name}")
            os.kill(os.getpid(), signal.SIGKILL)

    return reached


def killing_after(count: int, say: Callable[[str], None]) -> Callable[[str], None]:
    """Die with SIGKILL at the point with this number, counted from 1."""
    left = count

    def reached(name: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            say(f"at {name}")
            os.kill(os.getpid(), signal.SIGKILL)

    return reached


def _watch_sqlite(points: Points) -> None:
    class Cursor(sqlite3.Cursor):
        def execute(self, sql: str, *parameters: Any) -> Any:
            return points.around(name_of(sql), lambda: super(Cursor, self).execute(sql, *parameters))

        def executemany(self, sql: str, *parameters: Any) -> Any:
            return points.around(name_of(sql), lambda: super(Cursor, self).executemany(sql, *parameters))

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

        def commit(self) -> None:
            points.around("COMMIT" if self.in_transaction else None, super().commit)

    connect = sqlite3.dbapi2.connect

    def watched(*arguments: Any, **options: Any) -> Any:
        return connect(*arguments, **{"factory": Connection, **options})

    sqlite3.connect = sqlite3.dbapi2.connect = watched


def _watch_psycopg(points: Points) -> None:
    import psycopg

    def wrap(kind: type[Any], method: str, name: Callable[..., str | None]) -> None:
        plain = getattr(kind, method)

        def watched(self: Any, *arguments: Any, **options: Any) -> Any:
            return points.around(name(self, *arguments), lambda: plain(self, *arguments, **options))

        setattr(kind, method, watched)

    def committed(connection: psycopg.Connection[Any]) -> str | None:
        idle = connection.info.transaction_status is psycopg.pq.TransactionStatus.IDLE
        return None if idle else "COMMIT"

    wrap(psycopg.Cursor, "execute", lambda _, query, *__: name_of(query))
    wrap(psycopg.Cursor, "executemany", lambda _, query, *__: name_of(query))
    wrap(psycopg.Connection, "commit", committed)
