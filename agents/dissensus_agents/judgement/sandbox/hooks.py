"""The second wall: what Python itself refuses, before the kernel is asked.

An audit hook (PEP 578) can't be taken away, and sees what Python's own functions do. It is no wall against
native code, nor against a program that knows how to reach past Python's functions: where the kernel's walls
are missing, it keeps the careless out, and not the hostile.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

NEVER = (
    "socket.", "subprocess.", "ctypes.", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.system",
    "os.kill", "os.startfile", "os.chmod", "os.chown", "os.lchown", "os.chflags", "os.link", "os.utime",
    "os.setxattr", "os.removexattr", "os.lockf", "pty.", "syslog.", "signal.pthread_kill", "resource.",
    "sqlite3.enable_load_extension", "sqlite3.load_extension", "webbrowser.", "urllib.", "ftplib.",
    "smtplib.", "imaplib.", "poplib.", "nntplib.", "telnetlib.", "http.client.",
)  # fmt: skip
"""How the events begin that are refused whatever they are about."""

STRANGE = frozenset({"ctypes", "_ctypes", "_posixsubprocess", "_multiprocessing", "_posixshmem", "resource"})
"""Modules that are not imported."""

READS = frozenset({"os.listdir", "os.scandir", "os.chdir", "os.walk", "os.fwalk"})
WRITES = {
    "os.remove": (0, 1),
    "os.rmdir": (0, 1),
    "os.mkdir": (0, 1),
    "os.truncate": (0, 1),
    "os.rename": (0, 2),
    "os.symlink": (1, 2),
    "sqlite3.connect": (0, 1),
}
"""Events about places that are written, and which of their arguments are such places."""

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Hook:
    """An audit hook that lets files be read below some places, and written below one."""

    def __init__(self, readable: Sequence[str], writable: str) -> None:
        self._real, self._join = os.path.realpath, os.path.join
        self._own = (self._real(writable),)
        self._known = (*self._own, *map(self._real, readable))

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Raise PermissionError where something is not allowed."""
        if not self._allows(event, arguments):
            what = str(arguments[0])[:200] if arguments and event != "socket.__new__" else ""
            raise PermissionError(f"not allowed here: {event} {what}".rstrip())

    def _allows(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "open":
            flags = arguments[2]
            writes = isinstance(flags, int) and flags & _WRITING
            return self._is_below(arguments[0], self._own if writes else self._known)
        if event == "import":
            return arguments[0] not in STRANGE
        if event in READS:
            return self._is_below(arguments[0], self._known)
        if event in WRITES:
            first, last = WRITES[event]
            return all(self._is_below(place, self._own) for place in arguments[first:last])
        return not event.startswith(NEVER)

    def _is_below(self, place: Any, allowed: tuple[str, ...]) -> bool:
        if place is None or isinstance(place, int) or place == ":memory:":
            return True
        path = self._real(os.fsdecode(place))
        return any(path == one or path.startswith(self._join(one, "")) for one in allowed)


def put_up(readable: Sequence[str], writable: str) -> None:
    """Put the wall up, and take what goes around it out of reach."""
    for name in [name for name in sys.modules if name.partition(".")[0] in {*STRANGE, "kernel"}]:
        del sys.modules[name]
    sys.addaudithook(Hook(readable, writable))
