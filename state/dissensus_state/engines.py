"""Opening SQLite and PostgreSQL, and running statements on them.

Statements are written in SQLAlchemy Core and compiled once for each database; what runs in the hot
path is then the driver's own cursor with a prepared text. Every driver error is translated here,
at one border. The connections are in `sqlite` and in `postgresql`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.sql.compiler import SQLCompiler

from .addresses import shown
from .errors import DatabaseFailed, DiskFull, ValueRefused
from .sqlite import InMemory, OnFile
from .sqlite_files import BUSY_SECONDS
from .values import is_unicode

if TYPE_CHECKING:
    from .postgresql import Pooled

Row = Sequence[Any]
Parameters = Mapping[str, Any]


TENANT = "dissensus.tenant"
"""The setting by which PostgreSQL's policies know which tenant a connection is."""

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


def _of_tenant(url: URL, tenant: int | None) -> URL:
    """The address of connections that are of a tenant from their first moment on.

    What they were begun with is what RESET ALL and DISCARD ALL lead back to.
    """
    if tenant is None:
        return url
    given = url.query.get("options", os.environ.get("PGOPTIONS", ""))
    options = [given] if isinstance(given, str) else given
    return url.update_query_dict({"options": " ".join([*options, f"-c {TENANT}={tenant}"]).strip()})


class Statement:
    """A Core statement, compiled once for each database; its parameters are given by name."""

    __slots__ = ("_core", "_texts")

    def __init__(self, core: sa.ClauseElement | dict[str, sa.ClauseElement]) -> None:
        self._core = core
        self._texts: dict[str, _Text] = {}

    def bound(self, database: Database, values: Parameters) -> tuple[str, list[Any]]:
        """The SQL text for this database, and the values in the order in which it asks for them.

        Raises:
            ValueRefused: one of the databases cannot hold a value, whichever this one is (G13).
        """
        for name, value in values.items():
            kind = type(value)
            if kind is str:
                if len(value) <= _SHORT_NAME and value.isascii() and "\x00" not in value:
                    continue
            elif name not in NAMES and (value is None or (kind is int and _LEAST <= value <= _MOST)):
                continue
            if name not in _CANONICAL and not _storable(name, value):
                raise ValueRefused(f"The {name.rstrip('_')} {ascii(value)[:80]} cannot be stored")
        text, names, constants = self._texts.get(database.backend) or self._compile(database)
        if constants:
            values = {**constants, **values}
        return text, [values[name] for name in names]

    def _compile(self, database: Database) -> _Text:
        core = self._core[database.backend] if isinstance(self._core, dict) else self._core
        compiled = cast(SQLCompiler, core.compile(dialect=database.compiler))
        constants = {
            name: parameter.value for name, parameter in compiled.binds.items() if not parameter.required
        }
        text = _Text(str(compiled), tuple(compiled.positiontup or ()), constants)
        self._texts[database.backend] = text
        return text


class _Text(NamedTuple):
    sql: str
    names: tuple[str, ...]
    constants: Parameters


_CANONICAL = frozenset({"patch", "reads", "evidence", "source"})
"""What is only ever given texts that `values.canonical` has written."""

_LEAST, _MOST = -(2**63), 2**63 - 1


NAMES = {
    "account": 1_100,
    "account_": 1_100,
    "author": 16_000,
    "agent": 1_000,
    "agent_": 1_000,
    "branch": 1_000,
    "branch_": 1_000,
    "key": 1_000,
    "key_": 1_000,
    "kind": 1_000,
    "lineage": 1_000,
    "name": 1_000,
    "step": 1_000,
    "transition": 1_000,
}
"""Values that are names, with how many bytes they may have: PostgreSQL's indexes hold no longer ones."""

_OPTIONAL = frozenset({"branch", "key", "key_", "transition"})
_SHORT_NAME, _ANY = 250, 2**31


def _storable(name: str, value: Any) -> bool:
    """Whether both databases hold it: PostgreSQL's texts have no U+0000, their integers 64 bits."""
    if isinstance(value, str):
        sound = "\x00" not in value and is_unicode(value)
        return sound and (len(value) <= _SHORT_NAME or len(value.encode()) <= NAMES.get(name, _ANY))
    if name in NAMES:
        return value is None and name in _OPTIONAL
    return not isinstance(value, int) or _LEAST <= value <= _MOST


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


class Writing:
    """A transaction that writes. It is written out, for each commit goes through it."""

    __slots__ = ("_database", "_errors", "_inner")

    def __init__(
        self, database: Database, inner: AbstractContextManager[Any], errors: tuple[type[Exception], ...]
    ) -> None:
        self._database = database
        self._inner = inner
        self._errors = errors

    def __enter__(self) -> Work:
        try:
            return Work(self._database, self._inner.__enter__(), writes=True)
        except self._errors as error:
            raise translate(error, self._database.name, writing=True) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._inner.__exit__(kind, error, trace)
        except self._errors as failed:
            raise translate(failed, self._database.name, writing=True) from failed
        if isinstance(error, self._errors):
            raise translate(error, self._database.name, writing=True) from error


def wall_clock() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Database:
    """One database, opened: transactions for reading and for writing.

    Args:
        url: As `read_url` takes it; `sqlite://` is a database in memory, for this object alone.
        clock: Milliseconds since 1970; replay puts the recorded times in.
        tenant: Whose rows all its connections see, where PostgreSQL keeps tenants apart.
    """

    def __init__(self, url: str, clock: Callable[[], int] = wall_clock, tenant: int | None = None) -> None:
        self.url = read_url(url)
        self.backend = self.url.get_backend_name()
        self.clock = clock
        self.tenant = tenant
        self.in_memory = self.backend == "sqlite" and self.url.database in {None, "", ":memory:"}
        self._connections = _connections(_of_tenant(self.url, tenant), in_memory=self.in_memory)
        self._errors = self._connections.errors
        self.compiler = self._connections.compiler

    @property
    def engine(self) -> sa.Engine:
        """SQLAlchemy's own connections, for migrations; on SQLite, write `exclusively`."""
        return self._connections.engine

    @property
    def name(self) -> str:
        """The address without its password."""
        return shown(self.url)

    def close(self) -> None:
        """Give all connections back."""
        self._connections.close()

    def keep_wal(self) -> None:
        """Write ahead: readers of other processes never block, nor are blocked. The file remembers it."""
        with self._translating():
            self._connections.keep_wal()

    def peek(self, statement: Statement, **values: Any) -> Row | None:
        """The first row of one SELECT that stands for itself: one exchange with the server.

        It sees what is committed, and nothing of a transaction that is open.
        """
        text, bound = statement.bound(self, values)
        try:
            return self._connections.peek(text, bound)
        except self._errors as error:
            raise translate(error, self.name) from error

    def alone(self, statement: Statement, **values: Any) -> int:
        """Run one writing statement that commits by itself; the number of rows it changed.

        It costs one exchange with the server, and on SQLite one turn as the writer.

        Raises:
            OutcomeUnknown: the connection broke before the answer came.
            DatabaseFailed: nothing was committed.
        """
        return self._alone(statement, values)[0]

    def alone_one(self, statement: Statement, **values: Any) -> Row | None:
        """Like `alone`; the first row of its RETURNING, or None."""
        return self._alone(statement, values)[1]

    def _alone(self, statement: Statement, values: Parameters) -> tuple[int, Row | None]:
        text, bound = statement.bound(self, values)
        try:
            return self._connections.alone(text, bound)
        except self._errors as error:
            raise translate(error, self.name, writing=True) from error

    def writing(self) -> Writing:
        """A transaction that is committed on leaving, and rolled back on any error.

        Raises:
            OutcomeUnknown: the connection broke before the answer to the commit came.
            DatabaseFailed: nothing was committed.
        """
        return Writing(self, self._connections.writing(), self._errors)

    @contextmanager
    def reading(self) -> Iterator[Work]:
        """A transaction that sees one moment of the database and changes nothing."""
        with self._translating(), self._connections.reading() as cursor:
            yield Work(self, cursor, writes=False)

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            raise translate(error, self.name) from error

    def overwriting(self) -> AbstractContextManager[None]:
        """What is deleted meanwhile is overwritten, where the database does that."""
        return self._connections.overwriting()

    def vacuum(self) -> tuple[str, ...]:
        """Give back the space of what was deleted; sentences on what is left to others."""
        with self._translating():
            return self._connections.vacuum()

    def exclusively(self) -> AbstractContextManager[None]:
        """On SQLite, nobody else writes meanwhile: what uses `engine` to write does so in here."""
        return self._connections.exclusively()


def _connections(url: URL, *, in_memory: bool) -> OnFile | InMemory | Pooled:
    if url.get_backend_name() == "postgresql":
        from .postgresql import Pooled

        return Pooled(url)
    return InMemory(url) if in_memory else OnFile(url)


_NEXT_STEPS = {
    "42501": "Log in as a role that may do that: the tables' owner, or one that was given the right",
    "55P03": "End what holds the tables, and do it again",
}
"""What to do where PostgreSQL says no: SQLSTATEs of missing rights and of a lock that did not come."""


def translate(error: Exception, name: str, *, writing: bool = False) -> DatabaseFailed:
    """A driver's error as ours: what happened to which database, and what to do."""
    cause = getattr(error, "orig", None) or error
    said = (str(cause).strip().splitlines() or [type(cause).__name__])[0][:300]
    nothing = "; nothing was committed" if writing else ""
    if "disk is full" in said or getattr(cause, "sqlstate", "") == "53100":
        return DiskFull(f"The disk of {name} is full: {said}{nothing}")
    if "locked" in said:
        return DatabaseFailed(
            f"{name} was held by another process for over {BUSY_SECONDS} s: {said}{nothing}",
            next_step="Find what holds it open for writing, end it, and start again",
        )
    if "readonly" in said or "unable to open" in said:
        return DatabaseFailed(
            f"{name}: {said}{nothing}", next_step="Give yourself the right to write the file and its folder"
        )
    if "malformed" in said:
        return DatabaseFailed(
            f"{name} is damaged: {said}{nothing}", next_step="Restore a backup, then run `dissensus verify`"
        )
    then = _NEXT_STEPS.get(getattr(cause, "sqlstate", None) or "", "")
    return DatabaseFailed(f"{name}: {said}{nothing}", next_step=then)
