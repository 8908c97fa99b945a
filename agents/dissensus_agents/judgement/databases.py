"""One question to a database of the user's: SQLite in a process of its own, PostgreSQL read only."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import quote, urlsplit

from ..errors import GraphError
from .sandbox.asking import Limits, NoSandbox, in_sandbox

MAX_BYTES: Final = 1_000_000
"""Bytes of an answer that are read."""

ROW_BYTES: Final = 100_000
"""Bytes of one row that are read."""

_MEMORY_MB: Final = 512

DANGEROUS: Final = (
    "pg_read_server_files",
    "pg_write_server_files",
    "pg_execute_server_program",
    "pg_signal_backend",
)
"""Roles whose members can do more to a server than read its tables, also in a read-only transaction."""


class Unreached(Exception):
    """The question could not be put; that says nothing of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a database says: the names of the columns, the rows, and whether there are more of them."""

    names: Sequence[str]
    rows: Sequence[Sequence[Any]]
    more: bool = False


Ask: TypeAlias = Callable[[str], Answer]
"""Puts a question; raises ValueError where it can't be answered, `Unreached` where it was not put."""


def asker_of(url: str, *, seconds: float, rows: int, superuser: bool) -> Ask:
    """How a database of this URL is asked.

    Raises:
        GraphError: There is no such kind of database, or the file is not there to be named.
    """
    kind = urlsplit(url).scheme.partition("+")[0]
    if kind == "sqlite" and url.partition(":///")[2]:
        return _SQLite(url.partition(":///")[2].partition("?")[0], seconds, rows)
    if kind in {"postgresql", "postgres"}:
        return _Postgres(f"postgresql{url[url.index(':') :]}", seconds, rows, superuser)
    raise GraphError(
        f"No database of the kind {kind or 'without a name'!r} can be asked",
        next_step="Give sqlite:///file.db or postgresql://…",
    )


@dataclass(frozen=True, slots=True)
class _SQLite:
    file: str
    seconds: float
    rows: int

    def __call__(self, sql: str) -> Answer:
        file = Path(self.file).absolute()
        if not file.is_file():
            raise Unreached(f"there is no file {file.name}")
        uri = f"file:{quote(str(file))}?mode=ro"
        job = {"uri": uri, "sql": sql, "rows": self.rows, "bytes": MAX_BYTES}
        try:
            report = in_sandbox("sqlite", job, Limits(self.seconds, _MEMORY_MB, 64, 16), "none")
        except NoSandbox as error:
            raise Unreached(str(error)) from error
        if not report.told:
            slow = f"it gave no answer in {self.seconds:g} seconds"
            raise Unreached(slow if report.why in _SLOW else report.why)
        found = report.told[0]
        if found.get("broke"):
            raise Unreached(str(found["error"]))
        if not found["ok"]:
            raise ValueError(found["error"])
        return Answer(found["names"], found["rows"], bool(found["more"]))


_SLOW: Final = frozenset({"cpu", "time"})


@dataclass(frozen=True, slots=True)
class _Postgres:
    url: str
    seconds: float
    rows: int
    superuser: bool

    def __call__(self, sql: str) -> Answer:
        try:
            import psycopg
        except ImportError as error:
            raise Unreached('PostgreSQL needs the extra: pip install "dissensus[postgres]"') from error
        try:
            with psycopg.connect(self.url, connect_timeout=max(2, int(self.seconds))) as connection:
                connection.autocommit = True
                return self._asked(psycopg, connection, sql)
        except (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable) as error:
            raise Unreached(f"it gave no answer in {self.seconds:g} seconds") from error
        except (psycopg.errors.InsufficientResources, psycopg.errors.OperatorIntervention) as error:
            raise Unreached(_first_line(error)) from error
        except psycopg.OperationalError as error:
            raise Unreached(_first_line(error)) from error
        except psycopg.Error as error:
            raise ValueError(_first_line(error)) from error

    def _asked(self, psycopg: Any, connection: Any, sql: str) -> Answer:
        """Ask within a transaction that may read only, and that is rolled back whatever happens.

        The extended protocol takes one statement, and a cursor takes nothing but a SELECT. The rows come as
        JSON made by the server, cut there to what is read of one.
        """
        timeout = int(self.seconds * 1000)
        connection.execute("BEGIN READ ONLY")
        for limit in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            connection.execute(f"SET LOCAL {limit} = {timeout}")
        self._refuse_power(connection)
        late = threading.Timer(self.seconds, connection.cancel)  # a query can lift the server's own limits
        late.daemon = True
        late.start()
        try:
            # A query that ends in a comment, or closes a parenthesis that it did not open, stays one SELECT.
            row = f"left(row_to_json(answer)::text, {ROW_BYTES + 1})"
            inner = f"SELECT {row} FROM (\n{_bare(sql)}\n) AS answer"  # noqa: S608 - what it is for
            _exec(psycopg, connection, f"DECLARE asked NO SCROLL CURSOR FOR {inner}")
            return self._fetched(connection)
        finally:
            late.cancel()
            if not connection.closed and connection.info.transaction_status != _UNKNOWN:
                connection.execute("ROLLBACK")

    def _fetched(self, connection: Any) -> Answer:
        """The rows, a few at a time, until there are none, or more than is read."""
        end = time.monotonic() + self.seconds
        texts: list[str] = []
        while len(texts) <= self.rows and sum(map(len, texts)) <= MAX_BYTES:
            if time.monotonic() > end:
                raise Unreached(f"it gave no answer in {self.seconds:g} seconds")
            batch = [row[0] for row in connection.execute(f"FETCH FORWARD {_BATCH} FROM asked")]
            texts += batch
            if len(batch) < _BATCH:
                break
        return self._read(texts)

    def _refuse_power(self, connection: Any) -> None:
        """A superuser's SELECT can read the server's files, also where the role was set to another one."""
        if self.superuser:
            return
        found = connection.execute(
            "SELECT rolsuper, session_user::text, ARRAY(SELECT rolname::text FROM pg_roles r WHERE "
            "rolname = ANY(%s) AND pg_has_role(session_user, r.oid, 'MEMBER')) "
            "FROM pg_roles WHERE rolname = session_user",
            [list(DANGEROUS)],
        ).fetchone()
        if found[0] or found[2]:
            power = "is a superuser" if found[0] else f"is a member of {', '.join(found[2])}"
            raise Unreached(
                f"the login {found[1]} {power}, whose queries can reach the server's files and other "
                "sessions: give the URL of a login that may only read, or say superuser=True"
            )

    def _read(self, texts: Sequence[str]) -> Answer:
        if any(len(text) > ROW_BYTES for text in texts):
            raise ValueError(f"a row is longer than {ROW_BYTES:,} characters")
        size, kept = 0, []
        for text in texts[: self.rows]:
            size += len(text)
            if size > MAX_BYTES:
                break
            kept.append(json.loads(text, object_pairs_hook=list))
        names = [name for name, _ in kept[0]] if kept else []
        rows = [[value for _, value in row] for row in kept]
        return Answer(names, rows, len(kept) < len(texts))


_BATCH: Final = 50
"""Rows that are fetched at once."""

_UNKNOWN: Final = 4
"""The state of a transaction whose connection is gone (libpq's PQTRANS_UNKNOWN)."""


def _exec(psycopg: Any, connection: Any, sql: str) -> None:
    """One statement by the extended protocol, which refuses a second one behind a semicolon."""
    result = connection.pgconn.exec_params(sql.encode(), None)
    if result.status != psycopg.pq.ExecStatus.COMMAND_OK:
        raise psycopg.errors.error_from_result(result)


def _bare(sql: str) -> str:
    return sql.strip().removesuffix(";")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
