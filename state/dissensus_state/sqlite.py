"""Reading and writing on SQLite: a file that processes share, or a database in memory."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import URL

from .errors import DatabaseFailed
from .locks import Turn
from .sqlite_files import BUSY_SECONDS, File, files

Row = Sequence[Any]
Done = tuple[int, Row | None]

PAGE_BYTES = 8192
"""Of a new file: commits of about a KiB leave less room unused than in pages of half that size."""

ERRORS = (sqlite3.Error, sa.exc.SQLAlchemyError)


class OnFile:
    """The connections to a database file: this process's one writer, and readers."""

    errors = ERRORS

    def __init__(self, url: URL) -> None:
        self._path = Path(url.database or "")
        if not self._path.parent.is_dir():
            raise DatabaseFailed(
                f"There is no folder {self._path.parent} for the file {self._path.name}",
                next_step="Make the folder first",
            )
        self.engine = _engine(
            url, sa.pool.NullPool, f"page_size={PAGE_BYTES}", "synchronous=FULL", "wal_autocheckpoint=0"
        )
        self.compiler = compiler()
        self._file: File | None = None

    @property
    def file(self) -> File:
        """The file, as this process has it open."""
        if self._file is None:
            self._file = files.open(self._path)
        return self._file

    def close(self) -> None:
        """Give the file back; whoever is the last closes it."""
        file, self._file = self._file, None
        if file is not None:
            files.close(file)

    def peek(self, text: str, values: Sequence[Any]) -> Row | None:
        """The first row of one SELECT."""
        file = self.file
        reader = file.reader()
        try:
            cursor = reader.execute(text, values)
            row: Row | None = cursor.fetchone()
            cursor.close()
        except BaseException:
            file.discard(reader)
            raise
        file.readers.append(reader)
        return row

    def alone(self, text: str, values: Sequence[Any]) -> Done:
        """What one writing statement changed, and its first row; it is committed."""
        file = self.file
        with file.exclusively() as writer:
            done = _done(writer, text, values)
            file.keep_wal_small(writer)
        return done

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Cursor]:
        """A transaction that sees one moment."""
        file = self.file
        readers, reader = file.readers, file.reader()
        cursor = reader.cursor()
        try:
            cursor.execute("BEGIN")
            yield cursor
        finally:
            if file.readers is readers:
                cursor.close()
                reader.rollback()
                readers.append(reader)

    def writing(self) -> _Writing:
        """A transaction that is committed on leaving, and rolled back on any error."""
        return _Writing(self.file)

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Nobody else writes meanwhile; for statements that run on `engine`."""
        with self.file.exclusively():
            yield

    @contextmanager
    def overwriting(self) -> Iterator[None]:
        """What this process deletes meanwhile is overwritten with zeros."""
        with self.file.exclusively() as writer:
            (before,) = writer.execute("PRAGMA secure_delete").fetchone()
            writer.execute("PRAGMA secure_delete=ON").close()
        try:
            yield
        finally:
            with self.file.exclusively() as writer:
                writer.execute(f"PRAGMA secure_delete={before:d}").close()

    def vacuum(self) -> tuple[str, ...]:
        """Write the file anew and empty the write-ahead log; what could not be done."""
        with self.file.exclusively() as writer:
            writer.execute("VACUUM").close()
            emptied = self.file.empty_wal(writer)
        if emptied:
            return ()
        return ("Somebody is reading: the write-ahead log keeps what it had until it is emptied (`compact`)",)

    def keep_wal(self) -> None:
        """Write ahead, so that readers and the writer do not wait for each other. The file remembers it."""
        reader = self.file.reader()
        (mode,) = reader.execute("PRAGMA journal_mode").fetchone()
        if mode == "wal":
            self.file.readers.append(reader)
            return
        self.file.discard(reader)  # it would go on believing in the mode that it has seen
        with self.file.exclusively() as writer:
            _until_free(lambda: writer.execute("PRAGMA journal_mode=WAL").close())


class _Writing:
    """A write to a file. It is written out, for each commit goes through it (a generator costs more)."""

    __slots__ = ("_cursor", "_file", "_held")

    def __init__(self, file: File) -> None:
        self._file = file

    def __enter__(self) -> sqlite3.Cursor:
        self._held = self._file.take()
        try:
            self._cursor = self._held.writer.cursor()
            self._cursor.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._file.give(self._held)
            raise
        return self._cursor

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        file, writer = self._file, self._held.writer
        try:
            if kind is None:
                file.check_ours(writer)
                self._cursor.execute("COMMIT")
                self._cursor.close()
                file.keep_wal_small(writer)
        finally:
            if file.owns(writer) and writer.in_transaction:
                _roll_back(writer)
            file.give(self._held)


class InMemory:
    """The one connection of a database that is gone with it."""

    errors = ERRORS

    def __init__(self, url: URL) -> None:
        self.engine = _engine(url, sa.pool.StaticPool, "synchronous=OFF")
        self.compiler = compiler()
        self._turn = Turn()

    @property
    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection = self.engine.raw_connection().driver_connection  # type: ignore[assignment]
        return connection

    def close(self) -> None:
        """Nothing of it is left."""
        self.engine.dispose()

    def peek(self, text: str, values: Sequence[Any]) -> Row | None:
        """The first row of one SELECT."""
        with self.exclusively():
            return _done(self._connection, text, values)[1]

    def alone(self, text: str, values: Sequence[Any]) -> Done:
        """What one writing statement changed, and its first row."""
        with self.exclusively():
            return _done(self._connection, text, values)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Cursor]:
        """The database, while nobody writes but this thread."""
        with self.exclusively():
            yield self._connection.cursor()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Cursor]:
        """A transaction that is kept on leaving, and rolled back on any error."""
        with self.exclusively():
            connection = self._connection
            cursor = connection.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Nobody but this thread uses it meanwhile."""
        if self._turn.mine:
            yield
            return
        if not self._turn.take(BUSY_SECONDS):
            raise DatabaseFailed(f"The database in memory was held by a thread for over {BUSY_SECONDS} s")
        try:
            yield
        finally:
            self._turn.give()

    @contextmanager
    def overwriting(self) -> Iterator[None]:
        """Memory that is given back is not looked after."""
        yield

    def vacuum(self) -> tuple[str, ...]:
        """Give back what is not used."""
        with self.exclusively():
            self._connection.execute("VACUUM").close()
        return ()

    def keep_wal(self) -> None:
        """Nothing is written ahead of memory."""


def compiler() -> sa.Dialect:
    """What gives a statement the text in which the driver takes its parameters by position."""
    return SQLiteDialect_pysqlite(paramstyle="qmark")


def _engine(url: URL, pool: type[sa.Pool], *pragmas: str) -> sa.Engine:
    engine = sa.create_engine(
        url,
        poolclass=pool,
        connect_args={"check_same_thread": False, "timeout": BUSY_SECONDS, "isolation_level": None},
    )

    def prepare(connection: Any, _: Any) -> None:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}").close()

    sa.event.listen(engine, "connect", prepare)
    return engine


def _done(connection: sqlite3.Connection, text: str, values: Sequence[Any]) -> Done:
    cursor = connection.execute(text, values)
    rows = cursor.fetchall()
    count = cursor.rowcount
    cursor.close()
    return count, rows[0] if rows else None


def _roll_back(connection: sqlite3.Connection) -> None:
    """Where even that fails, SQLite has done it already."""
    with suppress(sqlite3.Error):
        connection.rollback()


def _until_free(function: Callable[[], Any]) -> None:
    """SQLite does not wait by itself where others use a file whose mode is to change."""
    patience = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            function()
        except sqlite3.Error as error:
            if "locked" not in str(error) or time.monotonic() > patience:
                raise
            time.sleep(0.01)
        else:
            return
