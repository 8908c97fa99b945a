"""Waiting for one's turn to write: among the threads of a process, and among processes.

Both locks serve those who wait in bounded time, and neither wakes anybody up to look again.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections import deque
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue

if sys.platform == "win32":
    import msvcrt

    def _seize(handle: int) -> None:
        """Wait for the lock; Windows gives up every ten seconds."""
        while True:
            try:
                msvcrt.locking(handle, msvcrt.LK_LOCK, 1)
            except OSError:
                continue
            return

    def _seize_now(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

    def _release(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _seize(handle: int) -> None:
        """Wait for the lock in the kernel's queue."""
        fcntl.flock(handle, fcntl.LOCK_EX)

    def _seize_now(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _release(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_UN)


_HELD = (BlockingIOError, PermissionError) if sys.platform == "win32" else (BlockingIOError,)
_NONE = -1


class Turn:
    """A lock among threads that serves them in the order in which they came."""

    __slots__ = ("_mutex", "_owner", "_waiting")

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._owner: int | None = None

    @property
    def mine(self) -> bool:
        """Whether it is this thread's turn."""
        return self._owner == threading.get_ident()

    def take(self, patience: float) -> bool:
        """Wait for the turn, at most so many seconds; whether it has come."""
        with self._mutex:
            if self._owner is None:
                self._owner = threading.get_ident()
                return True
            called = threading.Lock()
            called.acquire()
            self._waiting.append(called)
        return self._await(called, patience)

    def _await(self, called: threading.Lock, patience: float) -> bool:
        came = False
        try:
            came = called.acquire(timeout=patience)
        finally:
            with self._mutex:
                if came or called not in self._waiting:  # called just when we would leave
                    self._owner = threading.get_ident()
                else:
                    self._waiting.remove(called)
        if not came and self._owner == threading.get_ident():
            self.give()
        return came

    def give(self) -> None:
        """Hand the turn to whoever has waited longest."""
        with self._mutex:
            if self._waiting:
                self._owner = 0
                self._waiting.popleft().release()
            else:
                self._owner = None


class FileLock:
    """A lock among processes: the operating system's lock on a file beside what it guards.

    It is gone with its holder, however that ends. Whoever leaves removes the file; so whoever gets
    the lock looks whether the file is still the one that others would lock.

    Args:
        path: The file of the lock.
        mode: Its permissions, where it has to be made.
    """

    __slots__ = ("_doorman", "_handle", "_mode", "path")

    def __init__(self, path: Path, mode: int = 0o666) -> None:
        self.path = path
        self._mode = mode
        self._handle = _NONE
        self._doorman: _Doorman | None = None

    def take(self, patience: float) -> bool:
        """Wait for the lock, at most so many seconds; whether it was given.

        Raises:
            OSError: the file cannot be made, or its file system has no locks.
        """
        while True:
            if self._handle == _NONE:
                self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT, self._mode)
            if not self._taken_now() and not self._awaited(patience):
                return False
            if self._is_current():
                return True
            self.leave()

    def give(self) -> None:
        """Let the next one have it."""
        _release(self._handle)

    def close(self) -> None:
        """Leave, and remove the file unless somebody holds the lock."""
        if self._handle == _NONE:
            return
        with suppress(OSError):
            if self._taken_now():
                if self._is_current():
                    self.path.unlink()
                _release(self._handle)
        self.leave()

    def leave(self) -> None:
        """Close the handle. In a forked child it is a copy, and the lock stays its parent's."""
        if self._handle != _NONE:
            os.close(self._handle)
            self._handle = _NONE

    def _taken_now(self) -> bool:
        try:
            _seize_now(self._handle)
        except _HELD:
            return False
        return True

    def _awaited(self, patience: float) -> bool:
        """Wait in the kernel's queue, which knows no time limit, and so on a thread of its own."""
        if patience <= 0:
            return False
        doorman = self._doorman or _Doorman()
        self._doorman = None
        wait = _Wait(self._handle)
        try:
            doorman.asked.put(wait)
            wait.served.acquire(timeout=patience)
        finally:
            if wait.over():
                self._doorman = doorman
            else:
                self._handle = _NONE
        if wait.failed is not None:
            raise wait.failed
        return self._doorman is not None

    def _is_current(self) -> bool:
        """Asked of the handle: to look a name up costs more than all the rest of a commit's Python."""
        return os.fstat(self._handle).st_nlink > 0


class _Wait:
    """One wait for a lock; where nobody waits for it any more, the handle is closed once it is served."""

    def __init__(self, handle: int) -> None:
        self.served = threading.Lock()
        self.served.acquire()
        self.failed: OSError | None = None
        self._handle = handle
        self._mutex = threading.Lock()
        self._over = self._left = False

    def over(self) -> bool:
        """Whether it was served; if not, it is left alone with the handle."""
        with self._mutex:
            self._left = not self._over
            return self._over

    def serve(self) -> None:
        """Wait, on the doorman's thread."""
        try:
            _seize(self._handle)
        except OSError as error:
            self.failed = error
        with self._mutex:
            self._over = True
            if self._left:
                if self.failed is None:
                    _release(self._handle)
                os.close(self._handle)
            self.served.release()


class _Doorman:
    """A thread that waits in place of others, kept between waits: to start one costs more than a commit."""

    def __init__(self) -> None:
        self.asked: SimpleQueue[_Wait | None] = SimpleQueue()
        threading.Thread(
            target=_stand, args=(self.asked,), name="dissensus waits to write", daemon=True
        ).start()
        weakref.finalize(self, self.asked.put, None)


def _stand(asked: SimpleQueue[_Wait | None]) -> None:
    while (wait := asked.get()) is not None:
        wait.serve()
