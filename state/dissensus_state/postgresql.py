"""Reading and writing on PostgreSQL: a pool of connections that commit each statement by itself.

What is a transaction says so (`BEGIN …`, one exchange with the server); a single statement needs
none, and so costs one exchange.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from .addresses import shown
from .errors import DatabaseFailed, OutcomeUnknown
from .tables import metadata

Row = Sequence[Any]
Done = tuple[int, Row | None]

CONNECT_SECONDS = 10
POOL = 32
_WAIT_SECONDS = 30
_ALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}
"""A server that went away without a word is noticed within a minute; an address may say otherwise."""
_PREPARED = 256
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class _Line(NamedTuple):
    """A connection with its one cursor, how to hear whether the server has hung up, and whose it is."""

    connection: Any
    cursor: Any
    poll: select.poll
    process: int

    def check_ours(self) -> None:
        """A forked child may not end what its parent began."""
        if self.process != os.getpid():
            raise DatabaseFailed(
                "This process was forked in the middle of a transaction, which is its parent's",
                next_step="Fork outside of transactions",
            )


_inherited: list[_Line] = []
"""In a forked child, its parent's connections: they are kept, for closing one would end it for both."""


class Pooled:
    """The connections to one PostgreSQL database."""

    def __init__(self, url: URL) -> None:
        patience = {} if "connect_timeout" in url.query else {"connect_timeout": CONNECT_SECONDS}
        try:
            self.engine = sa.create_engine(url, poolclass=sa.pool.NullPool, connect_args=patience)
            import psycopg
        except ModuleNotFoundError:
            raise DatabaseFailed(
                "PostgreSQL needs the driver psycopg, which is not installed",
                next_step="pip install 'dissensus[postgres]'",
            ) from None
        self.compiler: sa.Dialect = make_url("postgresql+asyncpg://").get_dialect()()
        """This one numbers its parameters ($1, …), as the server does; the driver is not needed for that."""
        self.errors: tuple[type[Exception], ...] = (psycopg.Error, sa.exc.SQLAlchemyError)
        self._name = shown(url)
        self._arguments = {**patience, **self.engine.dialect.create_connect_args(url)[1]}
        self._room = threading.BoundedSemaphore(POOL)
        self._idle: list[_Line] = []

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while (line := self._idle_line()) is not None:
            line.connection.close()
        self.engine.dispose()

    def peek(self, text: str, values: Sequence[Any]) -> Row | None:
        """The first row of one SELECT."""
        with self._line() as line:
            row: Row | None = line.cursor.execute(text, values).fetchone()
            return row

    def alone(self, text: str, values: Sequence[Any]) -> Done:
        """What one writing statement changed, and its first row; it is committed."""
        with self._line() as line, self._answered(line):
            cursor = line.cursor.execute(text, values)
            return cursor.rowcount, cursor.fetchone() if cursor.description else None

    @contextmanager
    def reading(self) -> Iterator[Any]:
        """A transaction that sees one moment."""
        with self._line() as line:
            line.cursor.execute(_READ)
            yield line.cursor

    @contextmanager
    def writing(self) -> Iterator[Any]:
        """A transaction that is committed on leaving, and rolled back on any error."""
        with self._line() as line:
            line.cursor.execute("BEGIN")
            yield line.cursor
            line.check_ours()
            with self._answered(line):
                line.connection.commit()

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """The server orders those who write."""
        yield

    @contextmanager
    def overwriting(self) -> Iterator[None]:
        """The server keeps what it keeps."""
        yield

    def vacuum(self) -> tuple[str, ...]:
        """Let the space of what was deleted be used again, where the role may; what is left to others."""
        for name in metadata.tables:
            self.alone(f"VACUUM {name}", ())
        return (
            "PostgreSQL overwrites the bytes as it uses the space again; `VACUUM FULL` does so at once",
            "Its write-ahead log, replicas and backups keep them until they are recycled",
        )

    def keep_wal(self) -> None:
        """PostgreSQL always writes ahead."""

    @contextmanager
    def _line(self) -> Iterator[_Line]:
        """A connection; what it leaves open is rolled back.

        One that was interrupted in the middle of an exchange with the server is thrown away: nothing
        can be said to it any more.
        """
        if not self._room.acquire(timeout=_WAIT_SECONDS):
            raise DatabaseFailed(
                f"All {POOL} connections to {self._name} were in use for over {_WAIT_SECONDS} s",
                next_step="Keep transactions short, or let fewer threads share a store",
            )
        try:
            line = self._idle_line() or self._connect()
            try:
                yield line
                line.check_ours()
                line.connection.rollback()
            except Exception:
                with suppress(*self.errors, DatabaseFailed):
                    line.check_ours()
                    line.connection.rollback()
                raise
            except BaseException:
                if line.process == os.getpid():
                    line.connection.close()
                raise
            finally:
                if not line.connection.closed:
                    self._idle.append(line)
        finally:
            self._room.release()

    def _idle_line(self) -> _Line | None:
        """One that the server has not hung up on: nothing is to be heard from it."""
        with suppress(IndexError):
            while True:
                line = self._idle.pop()
                if line.process != os.getpid():
                    _inherited.append(line)
                    continue
                if not line.connection.closed and not line.poll.poll(0):
                    return line
                line.connection.close()
        return None

    def _connect(self) -> _Line:
        import psycopg
        from psycopg.types.numeric import Int8BinaryDumper

        connection = psycopg.connect(**{**_ALIVE, **self._arguments}, autocommit=True)
        connection.prepared_max = _PREPARED
        connection.adapters.register_dumper(int, Int8BinaryDumper)
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        cursor = psycopg.RawCursor(connection)
        cursor.format = psycopg.pq.Format.BINARY  # bytes as they are, not as hexadecimal text
        return _Line(connection, cursor, poll, os.getpid())

    @contextmanager
    def _answered(self, line: _Line) -> Iterator[None]:
        """Where the connection breaks before the answer has come, nobody knows what it was."""
        try:
            yield
        except self.errors as error:
            if not line.connection.closed:
                raise
            said = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            raise OutcomeUnknown(
                f"{self._name} did not answer whether the commit was made: {said}"
            ) from error
