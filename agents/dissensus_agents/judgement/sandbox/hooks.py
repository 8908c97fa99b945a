"""The second wall: what Python itself refuses, before the kernel is asked.

An audit hook (PEP 578) can't be taken away, and sees what Python's own functions do. It is no wall against
native code, nor against a program that knows how to reach past Python's functions: where the kernel's walls
are missing, it keeps the careless out, and not the hostile.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
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
    "os.remove": 1,
    "os.rmdir": 1,
    "os.mkdir": 1,
    "os.truncate": 1,
    "os.rename": 2,
    "sqlite3.connect": 1,
}
"""Events about places that are written, and how many of their arguments are such places."""

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def hook(readable: Sequence[str], writable: str) -> Callable[[str, tuple[Any, ...]], None]:
    """An audit hook that lets files be read below these places, and written below one."""
    real, fspath, fsdecode, join = os.path.realpath, os.fspath, os.fsdecode, os.path.join
    own = real(writable)
    known = tuple(real(place) for place in readable)

    def is_below(place: Any, allowed: tuple[str, ...]) -> bool:
        if isinstance(place, int) or place is None:
            return True
        path = real(fsdecode(fspath(place)))
        return any(path == one or path.startswith(join(one, "")) for one in allowed)

    def refuse(event: str, what: object = "") -> None:
        raise PermissionError(f"not allowed here: {event} {what}".rstrip())

    def check(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            writes = isinstance(flags, int) and flags & _WRITING
            if not is_below(path, (own,) if writes else (own, *known)):
                refuse("open", path)
        elif event == "import":
            if arguments[0] in STRANGE:
                refuse("import", arguments[0])
        elif event in READS:
            if not is_below(arguments[0], (own, *known)):
                refuse(event, arguments[0])
        elif event in WRITES:
            places = arguments[: WRITES[event]]
            if places != (":memory:",) and not all(is_below(place, (own,)) for place in places):
                refuse(event, places[0])
        elif event == "os.symlink":
            if not is_below(arguments[1], (own,)):
                refuse(event, arguments[1])
        elif event.startswith(NEVER):
            refuse(event)

    return check


def put_up(readable: Sequence[str], writable: str) -> None:
    """Put the wall up, and take what goes around it out of reach."""
    for name in [name for name in sys.modules if name.partition(".")[0] in {*STRANGE, "kernel"}]:
        del sys.modules[name]
    sys.addaudithook(hook(readable, writable))
