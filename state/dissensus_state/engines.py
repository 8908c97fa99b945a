"""Opening SQLite and PostgreSQL, and running statements on them.

Statements are written in SQLAlchemy Core and compiled once for each database; what runs in the hot
path is then the driver's own cursor with a prepared text. Every driver error is translated here,
at one border.

SQLite: one writer connection per process, `BEGIN IMMEDIATE`, WAL, `synchronous=FULL` (one flush a
commit), and only the writer moves the WAL into the file. PostgreSQL: a pool of connections; the
lock on the branch's row orders the writers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path as FilePath
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.sql.compiler import SQLCompiler

from .errors import DatabaseFailed, DiskFull, DissensusError, ValueRefused
from .values import is_unicode

Row = Sequence[Any]
Parameters = Mapping[str, Any]

BUSY_SECONDS = 120
CONNECT_SECONDS = 10

_DRIVERS = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
}


def read_url(url: str) -> URL:
    """The URL of a database from what users write: a URL, or the path of a SQLite file.

    Raises:
        DatabaseFailed: it is neither, or names a database other than SQLite and PostgreSQL.
    """
    if url and "://" not in url:
        return URL.create("sqlite", database=url)
    try:
        parsed = make_url(url)
        return parsed.set(drivername=_DRIVERS[parsed.get_backend_name()])
    except (ArgumentError, KeyError, ValueError):
        raise DatabaseFailed(
            f"{url.rpartition('@')[2]!r} is not the address of a database",
            next_step="Write a file such as inquiry.db, sqlite:///inquiry.db, or postgresql://host/name",
        ) from None


class Statement:
    """A Core statement, compiled once for each database, with parameters by name."""

    __slots__ = ("_core", "_texts")

    def __init__(self, core: sa.ClauseElement | dict[str, sa.ClauseElement]) -> None:
        self._core = core
        self._texts: dict[str, tuple[str, Parameters]] = {}

    def bound(self, database: Database, values: Parameters) -> tuple[str, Parameters]:
        """The SQL text for this database, and the values with the statement's own constants.

        Raises:
            ValueRefused: one of the databases cannot hold a value, whichever this one is (G13).
        """
        for name, value in values.items():
            if not _storable(value) or (name in NAMES and not _is_name(name, value)):
                raise ValueRefused(f"The {name.rstrip('_')} {ascii(value)[:80]} cannot be stored")
        text, constants = self._texts.get(database.backend) or self._compile(database)
        return text, {**constants, **values} if constants else values

    def _compile(self, database: Database) -> tuple[str, Parameters]:
        core = self._core[database.backend] if isinstance(self._core, dict) else self._core
        compiled = cast(SQLCompiler, core.compile(dialect=database.compiler))
        constants = {
            name: parameter.value for name, parameter in compiled.binds.items() if not parameter.required
        }
        self._texts[database.backend] = str(compiled), constants
        return self._texts[database.backend]


def _storable(value: Any) -> bool:
    """Whether both databases hold it: PostgreSQL's texts have no U+0000, their integers 64 bits."""
    if isinstance(value, str):
        return "\x00" not in value and is_unicode(value)
    return not isinstance(value, int) or -(2**63) <= value < 2**63


NAMES = {
    "author": 16_000,
    "agent": 1_000,
    "agent_": 1_000,
    "branch": 1_000,
    "branch_": 1_000,
    "key": 1_000,
    "kind": 1_000,
    "lineage": 1_000,
    "name": 1_000,
    "step": 1_000,
    "transition": 1_000,
}
"""Values that are names, with how many bytes they may have: PostgreSQL's indexes hold no longer ones."""

_OPTIONAL = frozenset({"branch", "key", "transition"})


def _is_name(name: str, value: Any) -> bool:
    if value is None:
        return name in _OPTIONAL
    return isinstance(value, str) and (4 * len(value) <= NAMES[name] or len(value.encode()) <= NAMES[name])


def insert(table: sa.Table) -> Statement:
    """Insert one row with every column given."""
    return Statement(sa.insert(table).values(_all_columns(table)))


def insert_absent(table: sa.Table) -> Statement:
    """Insert one row, or leave the one that has its key."""
    values = _all_columns(table)
    return Statement(
        {
            "sqlite": sqlite.insert(table).values(values).on_conflict_do_nothing(),
            "postgresql": postgresql.insert(table).values(values).on_conflict_do_nothing(),
        }
    )


def _all_columns(table: sa.Table) -> dict[str, sa.BindParameter[Any]]:
    return {column.name: sa.bindparam(column.name) for column in table.columns}


class Work:
    """An open transaction: what every function that touches the database is given."""

    __slots__ = ("_cursor", "clock", "database", "writes")

    def __init__(self, database: Database, cursor: Any, *, writes: bool) -> None:
        self.database = database
        self.clock = database.clock
        self.writes = writes
        self._cursor = cursor

    def run(self, statement: Statement, **values: Any) -> int:
        """Execute; the number of rows it changed."""
        self._cursor.execute(*statement.bound(self.database, values))
        return int(self._cursor.rowcount)

    def run_all(self, statement: Statement, rows: Sequence[Parameters]) -> None:
        """Execute once for each row."""
        bound = [statement.bound(self.database, row) for row in rows]
        if len(bound) == 1:
            self._cursor.execute(*bound[0])
        elif bound:
            self._cursor.executemany(bound[0][0], [values for _, values in bound])

    def one(self, statement: Statement, **values: Any) -> Row | None:
        """The first row, or None."""
        self._cursor.execute(*statement.bound(self.database, values))
        row: Row | None = self._cursor.fetchone()
        return row

    def all(self, statement: Statement, **values: Any) -> list[Row]:
        """All rows."""
        self._cursor.execute(*statement.bound(self.database, values))
        return list(self._cursor.fetchall())

    def pages(self, statement: Statement, size: int = 500, **values: Any) -> Iterator[Row]:
        """All rows, fetched a page at a time."""
        self._cursor.execute(*statement.bound(self.database, values))
        while rows := self._cursor.fetchmany(size):
            yield from rows


def wall_clock() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Database:
    """One database, opened: transactions for reading and for writing.

    Args:
        url: As `read_url` takes it; `sqlite://` is a database in memory, for this object alone.
        clock: Milliseconds since 1970; replay puts the recorded times in.
    """

    def __init__(self, url: str, clock: Callable[[], int] = wall_clock) -> None:
        self.url = read_url(url)
        self.backend = self.url.get_backend_name()
        self.clock = clock
        self.in_memory = self.backend == "sqlite" and self.url.database in {None, "", ":memory:"}
        self.engine = _engine(self.url, in_memory=self.in_memory)
        self.compiler = _compiler(self.engine)
        self._lock = threading.RLock()
        self._writer: Any = None

    @property
    def name(self) -> str:
        """The address without its password."""
        return self.url.render_as_string(hide_password=True)

    def close(self) -> None:
        """Give all connections back."""
        with self._lock:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
            self.engine.dispose()

    def keep_wal(self) -> None:
        """Write ahead: readers of other processes never block, nor are blocked. The file remembers it."""
        if self.backend == "sqlite" and not self.in_memory:
            with self._translated(), self._connection() as connection:
                self._until_free(lambda: connection.execute("PRAGMA journal_mode=WAL").close())

    def _until_free(self, function: Callable[[], Any]) -> None:
        """SQLite does not wait by itself where several processes change the mode of a new file at once."""
        patience = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                function()
            except self._driver_errors as error:
                if "locked" not in str(error) or time.monotonic() > patience:
                    raise
                time.sleep(0.01)
            else:
                return

    @contextmanager
    def writing(self) -> Iterator[Work]:
        """A transaction that is committed on leaving, and rolled back on any error."""
        with self._translated(), self._connection() as connection:
            cursor = connection.cursor()
            try:
                if self.backend == "sqlite":
                    cursor.execute("BEGIN IMMEDIATE")
                yield Work(self, cursor, writes=True)
                connection.commit()
            except BaseException:
                _quietly(connection.rollback, self._driver_errors)
                raise
            finally:
                cursor.close()

    @contextmanager
    def reading(self) -> Iterator[Work]:
        """A transaction that sees one moment of the database and changes nothing."""
        if self.in_memory:
            with self._translated(), self._connection() as connection:
                yield Work(self, connection.cursor(), writes=False)
            return
        with self._translated(), self._pooled() as connection:
            cursor = connection.cursor()
            if self.backend == "sqlite":
                cursor.execute("BEGIN")
            else:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield Work(self, cursor, writes=False)

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        """The process's writer on SQLite, a connection of the pool on PostgreSQL."""
        if self.backend == "sqlite":
            with self._lock:
                if self._writer is None:
                    self._writer = self.engine.raw_connection()
                yield self._writer.driver_connection
            return
        with self._pooled() as connection:
            yield connection

    @contextmanager
    def _pooled(self) -> Iterator[Any]:
        """A connection of the pool, rolled back on its return.

        One that was interrupted in the middle of an exchange with the server is thrown away: nothing
        can be said to it any more.
        """
        connection = self.engine.raw_connection()
        try:
            yield connection
        except BaseException as error:
            if not isinstance(error, Exception):
                connection.invalidate()
            raise
        finally:
            connection.close()

    @property
    def _driver_errors(self) -> tuple[type[Exception], ...]:
        return (self.engine.dialect.loaded_dbapi.Error, sa.exc.SQLAlchemyError)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DissensusError:
            raise
        except self._driver_errors as error:
            raise translate(error, self.name) from error


def translate(error: Exception, name: str) -> DatabaseFailed:
    """A driver's error as ours: what happened to which database, and what to do."""
    cause = getattr(error, "orig", None) or error
    said = (str(cause).strip().splitlines() or [type(cause).__name__])[0][:300]
    if "disk is full" in said or getattr(cause, "sqlstate", "") == "53100":
        return DiskFull(f"The disk of {name} is full: {said}")
    if "locked" in said:
        return DatabaseFailed(
            f"{name} was held by another process for over {BUSY_SECONDS} s: {said}",
            next_step="Find what holds it open for writing, end it, and start again",
        )
    if "readonly" in said or "unable to open" in said:
        return DatabaseFailed(
            f"{name}: {said}", next_step="Give yourself the right to write the file and its folder"
        )
    return DatabaseFailed(f"{name}: {said}")


def _quietly(function: Callable[[], Any], errors: tuple[type[Exception], ...]) -> None:
    """Roll back; where even that fails the connection is gone, and with it the transaction."""
    try:
        function()
    except errors:
        return


def _engine(url: URL, *, in_memory: bool) -> Engine:
    if url.get_backend_name() == "postgresql":
        return _postgresql(url)
    if not in_memory:
        _check_folder(FilePath(url.database or ""))
    engine = sa.create_engine(
        url,
        poolclass=sa.pool.StaticPool if in_memory else sa.pool.QueuePool,
        connect_args={"check_same_thread": False, "timeout": BUSY_SECONDS, "isolation_level": None},
    )
    sa.event.listen(engine, "connect", _in_memory if in_memory else _durable)
    return engine


def _postgresql(url: URL) -> Engine:
    try:
        return sa.create_engine(
            url, pool_size=8, max_overflow=24, connect_args={"connect_timeout": CONNECT_SECONDS}
        )
    except ModuleNotFoundError:
        raise DatabaseFailed(
            "PostgreSQL needs the driver psycopg, which is not installed",
            next_step="pip install 'dissensus[postgres]'",
        ) from None


def _check_folder(path: FilePath) -> None:
    if not path.parent.is_dir():
        raise DatabaseFailed(
            f"There is no folder {path.parent} for the file {path.name}",
            next_step="Make the folder first",
        )


def _durable(connection: Any, _: Any) -> None:
    """Flush on every commit; the file itself stays as it is until it is known to be ours."""
    connection.execute("PRAGMA synchronous=FULL").close()


def _in_memory(connection: Any, _: Any) -> None:
    """Nothing here outlives the process, so nothing is flushed."""
    connection.execute("PRAGMA synchronous=OFF").close()


def _compiler(engine: Engine) -> sa.Dialect:
    """A dialect that compiles parameters by name, as the drivers take them from a mapping."""
    if engine.dialect.name == "sqlite":
        return SQLiteDialect_pysqlite(paramstyle="named")
    return engine.dialect
