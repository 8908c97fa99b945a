"""What can be said of an installation and of a database before anything goes wrong.

Nothing is made or changed: a file is opened for reading, and what SQLite lays beside it for that
is gone afterwards.
"""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import URL

from . import migrations, views
from .addresses import shown
from .engines import read_url
from .errors import DatabaseFailed
from .sqlite_files import WAL_BYTES

Status: TypeAlias = Literal["ok", "warning", "problem"]

OLDEST_SQLITE = (3, 37, 0)
OLDEST_POSTGRESQL = 13
_MENDED = (3, 51, 3)
_LARGE = 256 << 20
_LITTLE_SPACE, _NO_SPACE = 1 << 30, 100 << 20
_SKEW_SECONDS, _WRONG_SECONDS = 1.0, 60.0
_DISTANT = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "fuse.sshfs", "fuse.glusterfs"}


class Check(NamedTuple):
    """One thing that was looked at: what was found, how it is, and what to do about it."""

    check: str
    status: Status
    found: str
    next_step: str = ""


def installation() -> Iterator[Check]:
    """Python and the databases' drivers."""
    yield Check("python", "ok", platform.python_version())
    yield _sqlite_version(sqlite3.sqlite_version_info)
    yield _driver()


def _sqlite_version(version: tuple[int, ...]) -> Check:
    name = ".".join(map(str, version))
    if version < OLDEST_SQLITE:
        return Check("sqlite", "problem", f"{name} is too old", "Use a Python with SQLite 3.37 or newer")
    if version >= _MENDED:
        return Check("sqlite", "ok", f"{name}, without the WAL-reset bug")
    return Check(
        "sqlite",
        "warning",
        f"{name} has the WAL-reset bug, from which a lock keeps all that dissensus itself writes",
        "Let no other program write to its files, or use a Python with SQLite 3.51.3 or newer",
    )


def _driver() -> Check:
    try:
        return Check("psycopg", "ok", metadata.version("psycopg"))
    except metadata.PackageNotFoundError:
        return Check("psycopg", "ok", "not installed: for PostgreSQL, pip install 'dissensus[postgres]'")


def database(address: str) -> Iterator[Check]:
    """A database: whether it can be reached, is ours, whole, and durable.

    Raises:
        DatabaseFailed: the address is none.
    """
    url = read_url(address)
    name = shown(url)
    try:
        engine, checks = _opened(url)
    except DatabaseFailed as error:
        yield Check("connection", "problem", error.message, error.next_step)
        return
    try:
        with engine.connect() as connection:
            yield Check("connection", "ok", name)
            yield _revision(connection, name)
            yield from _views(connection)
            for check in checks:
                yield from check(connection)
    except sa.exc.SQLAlchemyError as error:
        failed = migrations.told(error, name)
        yield Check("reading", "problem", failed.message, failed.next_step)
    finally:
        engine.dispose()


_Checks: TypeAlias = "list[Callable[[sa.Connection], Iterator[Check]]]"


def _opened(url: URL) -> tuple[sa.Engine, _Checks]:
    if url.get_backend_name() == "postgresql":
        from .postgresql import Pooled

        return Pooled(url).engine, [_server, _role, _clock]
    path = Path(url.database or "").absolute()
    if not path.is_file():
        raise DatabaseFailed(f"There is no database file {path}", next_step="Name one that is there")

    def in_file(connection: sa.Connection) -> Iterator[Check]:
        yield from _journal(connection, path)
        yield _contents(connection, path)
        yield from _folder(path)

    return _reading_engine(path), [in_file]


def _reading_engine(path: Path) -> sa.Engine:
    """Opened so that nothing is left behind.

    Who may only read leaves SQLite's two files beside a database, if they were not there; whoever
    may write takes them away again, but would first empty a log that somebody else has left.
    """
    mode = "ro" if Path(f"{path}-wal").exists() else "rw"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, isolation_level=None)
        connection.execute("PRAGMA query_only=ON").close()
        return connection

    return sa.create_engine("sqlite://", creator=connect, poolclass=sa.pool.NullPool)


def _revision(connection: sa.Connection, name: str) -> Check:
    try:
        stands_at = migrations.standing(connection, name)
        migrations.check(stands_at, name)
    except DatabaseFailed as error:
        return Check("revision", "problem", error.message, error.next_step)
    if stands_at is None:
        return Check("revision", "warning", "the database is empty", "Make a session in it")
    return Check("revision", "ok", stands_at)


def _views(connection: sa.Connection) -> Iterator[Check]:
    """Whether the views for people who ask in SQL are there, in a database that should have them."""
    found = sa.inspect(connection)
    if not found.has_table("branches") or migrations.standing(connection, "") != migrations.HEAD:
        return
    missing = [name for name in views.NAMES if name not in found.get_view_names()]
    if missing:
        next_step = "Take it back to revision 0005 with alembic, and run `dissensus db upgrade` again"
        yield Check("views", "warning", f"missing: {', '.join(missing)}", next_step)
    else:
        yield Check("views", "ok", ", ".join(views.NAMES))


def _one(connection: sa.Connection, statement: str) -> Any:
    return connection.exec_driver_sql(statement).scalar()


def _journal(connection: sa.Connection, path: Path) -> Iterator[Check]:
    mode = _one(connection, "PRAGMA journal_mode")
    if mode == "wal":
        yield Check("journal", "ok", "wal, flushed on every commit (synchronous=FULL)")
    else:
        yield Check("journal", "warning", str(mode), "Open it with dissensus, which sets it to wal")
    wal = Path(f"{path}-wal")
    size = wal.stat().st_size if wal.exists() else 0
    if size > 8 * WAL_BYTES:
        next_step = "End what has been reading for long; the next commits make it small again"
        yield Check("log", "warning", f"{_mib(size)} in {wal.name}", next_step)
    else:
        yield Check("log", "ok", _mib(size))


def _contents(connection: sa.Connection, path: Path) -> Check:
    kind = "integrity_check" if path.stat().st_size <= _LARGE else "quick_check"
    said = [str(row[0]) for row in connection.exec_driver_sql(f"PRAGMA {kind}(3)")]
    if said == ["ok"]:
        return Check("contents", "ok", f"whole ({kind})")
    return Check(
        "contents", "problem", "; ".join(said)[:300], "Restore a backup, then run `dissensus verify`"
    )


def _folder(path: Path) -> Iterator[Check]:
    if os.access(path, os.W_OK) and os.access(path.resolve().parent, os.W_OK):
        yield Check("rights", "ok", "the file and its folder may be written")
    else:
        next_step = "To write, give yourself the right to write the file and its folder"
        yield Check("rights", "warning", "the file or its folder may not be written", next_step)
    kind = _file_system(path.resolve())
    if kind in _DISTANT:
        next_step = "Keep SQLite's files on a disk of this machine, or use PostgreSQL"
        yield Check("file system", "problem", f"{kind}: locks and memory are not shared", next_step)
    elif kind:
        yield Check("file system", "ok", kind)
    yield _space(shutil.disk_usage(path).free)


def _space(free: int) -> Check:
    status: Status = "problem" if free < _NO_SPACE else "warning" if free < _LITTLE_SPACE else "ok"
    return Check("disk", status, f"{_mib(free)} free", "" if status == "ok" else "Free some space")


def _file_system(path: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """The kind of file system that a path is on, where the system tells."""
    try:
        lines = [line.split() for line in mounts.read_text("utf-8").splitlines()]
    except OSError:
        return ""
    found = [(mount, kind) for _, mount, kind, *_ in lines if path.is_relative_to(mount)]
    return max(found, key=lambda item: len(item[0]), default=("", ""))[1]


def _mib(size: int) -> str:
    return f"{size / (1 << 20):,.1f} MiB"


_SAFE = {
    "fsync": "A crash of the machine can spoil the database",
    "full_page_writes": "A crash of the machine can spoil the database",
    "synchronous_commit": "A crash of the server can lose what was acknowledged",
}


def _server(connection: sa.Connection) -> Iterator[Check]:
    version = str(_one(connection, "SHOW server_version"))
    old = int(_one(connection, "SHOW server_version_num")) < OLDEST_POSTGRESQL * 10_000
    next_step = f"Use PostgreSQL {OLDEST_POSTGRESQL} or newer" if old else ""
    yield Check("server", "problem" if old else "ok", version, next_step)
    for setting, danger in _SAFE.items():
        if _one(connection, f"SHOW {setting}") == "off":
            yield Check(setting, "problem", f"off: {danger.lower()}", f"Set {setting} = on")
        else:
            yield Check(setting, "ok", "on")
    encoding = str(_one(connection, "SHOW server_encoding"))
    if encoding == "UTF8":
        yield Check("encoding", "ok", encoding)
    else:
        yield Check("encoding", "problem", encoding, "Make the database again with ENCODING 'UTF8'")
    if _one(connection, "SELECT pg_is_in_recovery()"):
        yield Check("standby", "warning", "this server can only be read", "To write, name the primary")


def _role(connection: sa.Connection) -> Iterator[Check]:
    found = connection.exec_driver_sql(
        "SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
    ).one()
    if found[1] or found[2]:
        power = "is a superuser" if found[1] else "has BYPASSRLS"
        next_step = "Where tenants must not see each other, connect as a role without that"
        yield Check("role", "warning", f"{found[0]} {power}: row-level security does not bind it", next_step)
    else:
        yield Check("role", "ok", str(found[0]))


def _clock(connection: sa.Connection) -> Iterator[Check]:
    before = time.time()
    there = float(_one(connection, "SELECT extract(epoch FROM clock_timestamp())"))
    yield _skew(there - (before + time.time()) / 2)


def _skew(seconds: float) -> Check:
    found = f"the server's is {abs(seconds):.1f} s {'ahead' if seconds > 0 else 'behind'}"
    if abs(seconds) <= _SKEW_SECONDS:
        return Check("clock", "ok", found)
    status: Status = "problem" if abs(seconds) > _WRONG_SECONDS else "warning"
    return Check("clock", status, found, "Let both machines set their clocks by NTP")
