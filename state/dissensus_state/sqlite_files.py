"""SQLite's files as a process has them open: one connection that writes, others that read.

Every write and every checkpoint happens on the writer and under one lock among processes, on a
file beside the database (`inquiry.db-writer`). It gives all who write their turn, and keeps SQLite
3.7.0 to 3.51.2 from the bug by which two connections that write or checkpoint at the same moment
can spoil the file (https://www.sqlite.org/wal.html, "The WAL-reset bug"). Readers open the file
for reading only, and so can neither write nor checkpoint, not even when they are closed.
"""

from __future__ import annotations

import ctypes
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from weakref import WeakValueDictionary

from .errors import DatabaseFailed
from .locks import FileLock, Turn

BUSY_SECONDS = 120
WAL_BYTES = 8 << 20
"""Beyond this the write-ahead log is emptied with some patience for those who still read it."""

_STEP = 4 << 20
_PATIENCE_MS = 50
_EMPTYING_MS = 2000
_PAGE = 4096
_PAGES = 1000
_CACHED = 256
_LOOK = 32
"""After so many commits the size of the log is looked at."""

Identity = tuple[int, int]


class Held(NamedTuple):
    """What whoever writes holds: the turn among threads, the lock among processes, the writer."""

    turn: Turn
    lock: FileLock
    writer: sqlite3.Connection


class File:
    """A database file as this process has it open, by whatever name and how often."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.users = 0
        self._mode = path.stat().st_mode & 0o666
        self._begin()

    def _begin(self) -> None:
        self.turn = Turn()
        self.lock = FileLock(Path(f"{self.path}-writer"), self._mode)
        self.readers: list[sqlite3.Connection] = []
        self._opened: list[sqlite3.Connection] = []
        self._writer: sqlite3.Connection | None = None
        self._wal = Path(f"{self.path}-wal")
        self._commits = 0
        self._wal_limit = WAL_BYTES

    def take(self) -> Held:
        """Wait until nobody else writes, in this process or in another; give it back soon.

        Raises:
            DatabaseFailed: it was not our turn for `BUSY_SECONDS`, or the lock cannot be had.
        """
        turn = self.turn
        if turn.mine or not turn.take(BUSY_SECONDS):
            raise self._busy(turn)
        try:
            self._take(self.lock)
            held = Held(turn, self.lock, self._writer or self._open_writer())
        except BaseException:
            turn.give()
            raise
        return held

    def give(self, held: Held) -> None:
        """Let the next one write."""
        if self.lock is held.lock:
            held.lock.give()
        held.turn.give()

    @contextmanager
    def exclusively(self) -> Iterator[sqlite3.Connection]:
        """The writer, while nobody else writes."""
        held = self.take()
        try:
            yield held.writer
        finally:
            self.give(held)

    def _busy(self, turn: Turn) -> DatabaseFailed:
        if turn.mine:
            return DatabaseFailed(
                f"A write to {self.path} began inside of another one of the same thread",
                next_step="End the first one before",
            )
        return DatabaseFailed(
            f"{self.path} was held by another thread for over {BUSY_SECONDS} s",
            next_step="Keep transactions short",
        )

    def _take(self, lock: FileLock) -> None:
        try:
            taken = lock.take(BUSY_SECONDS)
        except OSError as error:
            raise DatabaseFailed(
                f"The lock {lock.path} cannot be had: {error.strerror}",
                next_step="Give yourself the right to write the file and its folder",
            ) from error
        if not taken:
            raise DatabaseFailed(
                f"{self.path} was held by another process for over {BUSY_SECONDS} s",
                next_step="Find what holds it open for writing, end it, and start again",
            )

    def _open_writer(self) -> sqlite3.Connection:
        writer = _connect(str(self.path))
        writer.execute(f"PRAGMA wal_autocheckpoint={_PAGES}").close()
        self._opened.append(writer)
        self._writer = writer
        return writer

    def owns(self, connection: sqlite3.Connection) -> bool:
        """Whether a writer is still ours: after a fork it is the parent's."""
        return self._writer is connection

    def check_ours(self, connection: sqlite3.Connection) -> None:
        """A forked child may not end what its parent began.

        Raises:
            DatabaseFailed: that is what it would do.
        """
        if not self.owns(connection):
            raise DatabaseFailed(
                f"This process was forked in the middle of a write to {self.path}, which is its parent's",
                next_step="Fork outside of transactions",
            )

    def reader(self) -> sqlite3.Connection:
        """A connection that can read and do nothing else; put it back into `readers`."""
        with suppress(IndexError):
            return self.readers.pop()
        reader = _connect(f"{self.path.as_uri()}?mode=ro", uri=True)
        reader.execute("PRAGMA query_only=ON").close()
        self._opened.append(reader)
        return reader

    def discard(self, reader: sqlite3.Connection) -> None:
        """Close a reader that cannot be put back."""
        self._opened.remove(reader)
        reader.close()

    def keep_wal_small(self, writer: sqlite3.Connection) -> None:
        """Empty the write-ahead log, where readers kept SQLite from doing so by the way.

        What was committed is safe, whatever comes of this: no failure leaves it.
        """
        self._commits += 1
        if self._commits % _LOOK:
            return
        with suppress(OSError, sqlite3.Error):
            size = self._wal.stat().st_size
            if size > self._wal_limit:
                self._empty_wal(writer, size)

    def _empty_wal(self, writer: sqlite3.Connection, size: int) -> None:
        writer.execute(f"PRAGMA busy_timeout={_PATIENCE_MS}").close()
        try:
            held = writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0][0]
        finally:
            writer.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}").close()
        self._wal_limit = size + _STEP if held else WAL_BYTES
        pages = self._wal_limit // _PAGE if held else _PAGES
        writer.execute(f"PRAGMA wal_autocheckpoint={pages}").close()

    def empty_wal(self, writer: sqlite3.Connection) -> bool:
        """Empty the write-ahead log; False where somebody reads it for longer than a moment."""
        writer.execute(f"PRAGMA busy_timeout={_EMPTYING_MS}").close()
        try:
            held = writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0][0]
        finally:
            writer.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}").close()
        return not held

    def close(self) -> None:
        """Close all connections, the writer last and under the lock: it may checkpoint."""
        if self._writer is None:
            self._close_connections()
            return
        with suppress(DatabaseFailed), self.exclusively():
            self._close_connections()
        self._close_connections()
        self.lock.close()

    def _close_connections(self) -> None:
        self.readers = []
        opened = sorted(self._opened, key=lambda connection: connection is self._writer)
        self._opened, self._writer = [], None
        for connection in opened:
            connection.close()

    def begin_anew(self) -> None:
        """In a forked child: never touch the parent's connections, not even to close them."""
        for connection in self._opened:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
        self.lock.leave()
        self._begin()


def _connect(address: str, *, uri: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(
        address,
        uri=uri,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_CACHED,
    )
    connection.execute("PRAGMA synchronous=FULL").close()
    return connection


class _Files:
    """The files that are open in this process, by what they are and not by their names."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: WeakValueDictionary[Identity, File] = WeakValueDictionary()

    def open(self, path: Path) -> File:
        """The file at a path, for one more user; it is made if it is not there."""
        with self._lock:
            identity = _identity(path)
            file = self._open.get(identity) or File(path)
            self._open[identity] = file
            file.users += 1
            return file

    def close(self, file: File) -> None:
        """One user less; the last one closes it."""
        with self._lock:
            file.users -= 1
            if file.users:
                return
            for identity, other in list(self._open.items()):
                if other is file:
                    del self._open[identity]
        file.close()

    def begin_anew(self) -> None:
        """In a forked child."""
        self._lock = threading.Lock()
        for file in list(self._open.values()):
            file.begin_anew()


def _identity(path: Path) -> Identity:
    if not path.exists():
        sqlite3.connect(path).close()
    found = path.stat()
    return found.st_dev, found.st_ino


files = _Files()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=files.begin_anew)
