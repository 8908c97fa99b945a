"""Where a benchmark's databases stand: a folder of SQLite files, or a PostgreSQL server.

Every side gets a database of its own, made for the run and removed after it: beside the file that
`--database` names, or on the server that it names (whoever it names must be allowed to make
databases). Without a name the SQLite files lie in a temporary folder, and a PostgreSQL server is
started that flushes every commit.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import psycopg
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.engine import URL

from dissensus_state.engines import read_url

TICKS = os.sysconf("SC_CLK_TCK")
SUPPORT = Path(__file__).parents[1] / "tests/support"


class Place(Protocol):
    """Where databases can be made."""

    backend: str

    def fresh(self, label: str) -> str:
        """The URL of a new, empty database."""

    def drop(self, url: str) -> None:
        """Remove one that was made, once nobody has it open."""


class Folder:
    """SQLite files in one folder."""

    backend = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = itertools.count()

    def fresh(self, label: str) -> str:
        """The URL of a file that is not there yet, in a folder of its own."""
        folder = self._folder / f"{label}-{next(self._count)}"
        folder.mkdir()
        return f"sqlite:///{folder}/{label}.db"

    def drop(self, url: str) -> None:
        """Remove a file with its folder, once nobody has it open."""
        shutil.rmtree(Path(path_of(url)).parent)


class Server:
    """Databases of one PostgreSQL server.

    Attributes:
        pid: The server's first process, where it runs on this machine.
    """

    backend = "postgresql"

    def __init__(self, url: str) -> None:
        self._url = read_url(url)
        self._made: list[str] = []
        self._count = itertools.count()
        self._connection = psycopg.connect(conninfo(url), autocommit=True)
        self.pid = _parent_of(self._connection.info.backend_pid)
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            row = self._connection.execute(sql.SQL("SHOW {}").format(sql.SQL(setting))).fetchone()
            if row != ("on",):
                print(
                    f"{setting} is off on this server: its figures are none of a durable one", file=sys.stderr
                )

    def fresh(self, label: str) -> str:
        """The URL of a new database."""
        name = f"bench_{os.getpid()}_{label}_{next(self._count)}"
        self._connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        self._made.append(name)
        return self._url.set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Remove a database, once nobody is connected to it."""
        name = read_url(url).database or ""
        self._connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        self._made.remove(name)

    def cpu(self) -> float | None:
        """The CPU seconds that the server has spent so far, those of ended processes included."""
        return None if self.pid is None else _cpu_of_family(self.pid)

    def flushes(self) -> int:
        """How often the server has flushed its log, by its own count.

        A backend tells its count when it is idle for a second or ends, so close connections before.
        """
        version = self._connection.info.server_version
        asked = (
            "SELECT sum(fsyncs)::bigint FROM pg_stat_io WHERE object = 'wal'"
            if version >= 180000
            else "SELECT wal_sync FROM pg_stat_wal"
        )
        row = self._connection.execute(asked).fetchone()
        return int(row[0]) if row else 0

    def remove(self) -> None:
        """Drop what is left of what was made."""
        for name in tuple(self._made):
            self.drop(str(self._url.set(database=name)))
        self._connection.close()


@contextmanager
def places(database: str | None) -> Iterator[Iterator[Folder | Server]]:
    """The places that are to be measured, one after the other: the named one, or one of each kind."""
    named = [database] if database else ["sqlite", "postgresql"]
    yield (place for name in named for place in _opened(name))


def _opened(name: str) -> Iterator[Folder | Server]:
    if name in {"postgresql", "postgres"}:
        with own_postgres() as url:
            yield from _served(url)
    elif name == "sqlite" or is_sqlite(name):
        beside = None if name == "sqlite" else Path(path_of(name)).resolve().parent
        with tempfile.TemporaryDirectory(prefix="bench-", dir=beside) as folder:
            yield Folder(Path(folder))
    else:
        yield from _served(name)


@contextmanager
def own_postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server that flushes every commit; it is gone afterwards."""
    sys.path.append(str(SUPPORT))
    from postgres import Postgres

    with Postgres(durable=True) as server:
        yield server.url()


def _served(url: str) -> Iterator[Server]:
    server = Server(url)
    try:
        yield server
    finally:
        server.remove()


def is_sqlite(url: str) -> bool:
    """Whether a URL names a SQLite file."""
    return read_url(url).get_backend_name() == "sqlite"


def path_of(url: str) -> str:
    """The file of a SQLite URL."""
    return read_url(url).database or ""


def conninfo(url: str) -> str:
    """A PostgreSQL URL as the drivers take it."""
    address: URL = read_url(url)
    return address.set(drivername="postgresql").render_as_string(hide_password=False)


def bytes_on_disk(url: str) -> int:
    """The size of a database when all of it stands in its files and nobody has it open.

    A SQLite file is measured with what lies beside it; a PostgreSQL database after a CHECKPOINT.
    """
    if is_sqlite(url):
        file = Path(path_of(url))
        return sum(path.stat().st_size for path in file.parent.glob(file.name + "*"))
    return _after_checkpoint(url, "pg_database_size(current_database())")


def bytes_of_tables(url: str) -> int:
    """The same without what PostgreSQL keeps in every database: all our tables with their indexes."""
    if is_sqlite(url):
        return bytes_on_disk(url)
    ours = "relkind = 'r' AND relnamespace = 'public'::regnamespace"
    return _after_checkpoint(url, f"(SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE {ours})")


def _after_checkpoint(url: str, expression: str) -> int:
    engine = sa.create_engine(read_url(url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("CHECKPOINT"))
        size = connection.execute(sa.text(f"SELECT {expression}")).scalar_one()
    engine.dispose()
    return int(size)


def _parent_of(backend: int) -> int | None:
    """The server's first process, if the backend with which we speak runs on this machine."""
    try:
        status = Path(f"/proc/{backend}/stat").read_text()
    except OSError:
        return None
    return int(status.rpartition(")")[2].split()[1]) if "(postgres)" in status else None


def _cpu_of_family(first: int) -> float:
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == first:
            ticks += int(fields[11]) + int(fields[12])
        elif stat.parent.name == str(first):
            ticks += sum(map(int, fields[11:15]))
    return ticks / TICKS
