"""The process that stands between us and what nobody vouches for.

It is run as a script (`python -I -S -E -B warden.py FOLDER`), gets one job as a line of JSON on its standard
input, forks the process that does it, and gives one report on its standard output. It ends what was begun
and empties the folder also when whoever asked is gone: then its input ends. When it is killed itself, the
kernel kills the forked process (on Linux).

    asks ──job──▶ warden ──fork──▶ [limits, walls] ──▶ work
         ◀report─        ◀─what it told, what it printed──
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import resource
import selectors
import shutil
import signal
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

LINUX = sys.platform.startswith("linux")

if TYPE_CHECKING:
    from . import hooks, kernel, work
else:  # as a script it is in no package, and sees only what lies beside it
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    import hooks
    import work

    if LINUX:
        import kernel
    del sys.path[0]

TOLD = 2_000_000
"""Bytes that are taken of what the work tells."""

TICK = 0.02
"""Seconds between two looks at the folder."""

OPEN_FILES = 48

ENTRY = 4096
"""Bytes that a file or folder counts for beside what is in it, so that there are not too many of them."""

SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo")
"""Where the libraries of the system are, which modules of Python need."""


def main() -> None:
    """Do one job."""
    folder = sys.argv[1]
    job = json.loads(sys.stdin.buffer.readline())
    try:
        report = Watch(job, folder).report()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(report))
        sys.stdout.flush()


class Watch:
    """The watch over one forked process."""

    def __init__(self, job: dict[str, Any], folder: str) -> None:
        self._job, self._folder = job, folder
        self._printed, self._told = b"", b""
        self._word = os.urandom(16).hex()  # what the work tells begins with it: others know it not
        self._why = ""
        self._ended: list[Any] = []

    def report(self) -> dict[str, Any]:
        """Begin, wait for the end or for a limit, and say what was seen."""
        printing, told = os.pipe(), os.pipe()
        begun = time.monotonic()
        child = os.fork()
        if child == 0:
            _behind_walls(self._job, self._folder, printing[1], (told[1], self._word))
        os.close(printing[1])
        os.close(told[1])
        try:
            self._look(child, printing[0], told[0], begun + self._job["clock"])
        finally:
            if not self._ended:
                _kill(child)
                self._ended = list(os.wait4(child, 0)[1:])
        status, used = self._ended
        lines = self._told.decode(errors="replace").split("\n")
        return {
            "why": self._why or self._end(status, used),
            "status": os.waitstatus_to_exitcode(status),
            "printed": self._printed[: self._job["output"]].decode(errors="replace"),
            "told": [line.removeprefix(self._word) for line in lines if line.startswith(self._word)],
        }

    def _end(self, status: int, used: resource.struct_rusage) -> str:
        if not os.WIFSIGNALED(status):
            return "end"
        number = os.WTERMSIG(status)
        spent = used.ru_utime + used.ru_stime >= self._job["seconds"] / 2
        if number == signal.SIGXCPU or (number == signal.SIGKILL and spent):  # the kernel counts in ticks
            return "cpu"
        return "killed" if number == signal.SIGKILL else "signal"

    def _look(self, child: int, printing: int, told: int, deadline: float) -> None:
        """Read what comes, until the process is gone or has to go."""
        with selectors.DefaultSelector() as ready:
            for there in (0, printing, told):
                os.set_blocking(there, False)
                ready.register(there, selectors.EVENT_READ)
            while not self._why:
                for key, _ in ready.select(TICK):
                    if not self._read(key.fd, printing):
                        ready.unregister(key.fd)
                if self._is_over_the_files(child):
                    self._why = "files"
                elif time.monotonic() > deadline:
                    self._why = "time"
                elif self._is_gone(child):
                    while self._read(told, printing):
                        pass
                    while self._read(printing, printing) and not self._why:
                        pass
                    return

    def _read(self, there: int, printing: int) -> bool:
        """Take a piece of what comes there; whether there was one."""
        try:
            piece = os.read(there, 65536)
        except BlockingIOError:
            return False
        if there == 0:
            self._why = "" if piece else "gone"
        elif there == printing:
            self._printed += piece
            self._why = "output" if len(self._printed) > self._job["output"] else self._why
        else:
            self._told += piece
            self._why = "told" if len(self._told) > TOLD else self._why
        return bool(piece)

    def _is_gone(self, child: int) -> bool:
        if hasattr(os, "waitid"):
            return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        gone, *ended = os.wait4(child, os.WNOHANG)  # macOS, before Python 3.13
        self._ended = ended if gone else []
        return bool(gone)

    def _is_over_the_files(self, child: int) -> bool:
        most = self._job["files"]
        return most is not None and _size(self._folder, child, most) > most


def _kill(child: int) -> None:
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(child, signal.SIGKILL)


def _size(folder: str, child: int, most: int) -> int:
    """About how many bytes the files of a folder take, those that are open and have no name as well."""
    found = 0
    left = [folder]
    while left and found <= most:
        with contextlib.suppress(OSError), os.scandir(left.pop()) as entries:
            for entry in entries:
                found += _bytes(entry.stat(follow_symlinks=False)) + ENTRY
                if entry.is_dir(follow_symlinks=False):
                    left.append(entry.path)
    with contextlib.suppress(OSError), os.scandir(f"/proc/{child}/fd") as opened:
        for entry in opened:
            with contextlib.suppress(OSError):
                seen = os.stat(entry.path)  # noqa: PTH116
                found += _bytes(seen) if seen.st_nlink == 0 else 0
    return found


def _bytes(seen: os.stat_result) -> int:
    return max(seen.st_size if seen.st_nlink else 0, seen.st_blocks * 512)


def _behind_walls(job: dict[str, Any], folder: str, printing: int, telling: tuple[int, str]) -> None:
    """Become the process that does the work; this never returns."""
    try:
        _work(job, folder, printing, *telling)
    finally:
        work.ended()


def _work(job: dict[str, Any], folder: str, printing: int, told: int, word: str) -> None:
    parent = os.getppid()
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for there, wanted in ((nothing, 0), (printing, 1), (printing, 2)):
        os.dup2(there, wanted)
    tell = work.teller(os.dup2(told, 3), word)
    os.closerange(4, 1 << 12)
    try:
        missing = _walls(job, folder, parent)
    except OSError as error:
        tell({"stage": "walls", "error": str(error)})
        return
    tell({"stage": "walls", "missing": missing})
    try:
        work.WORK[job["kind"]](job, tell)
    except BaseException as error:  # noqa: BLE001 - a defect of ours, or too little memory
        tell({"stage": "work", "error": f"{type(error).__name__}: {error}"[:300]})


def _walls(job: dict[str, Any], folder: str, parent: int) -> list[str]:
    """Put up limits and walls; which walls this machine has not, where that is allowed."""
    os.chdir(folder)
    missing: list[str] = []
    readable = [*sys.path, f"{sys.base_prefix}/lib", *SYSTEM]
    if not LINUX:
        _limit(job)
        if job["walls"] != "none":
            _miss(job, missing, f"files and calls: {sys.platform} has no walls that dissensus knows")
    else:
        kernel.die_with(parent)
        _limit(job)
        kernel.drop_rights()
        if job["walls"] != "none":
            _put_up(job, missing, "files", lambda: kernel.wall_files(readable, folder))
            _put_up(job, missing, "calls", kernel.wall_calls)
    if job["walls"] != "none":
        hooks.put_up(readable, folder)
    return missing


def _put_up(job: dict[str, Any], missing: list[str], name: str, wall: Callable[[], None]) -> None:
    try:
        wall()
    except kernel.NoWall as error:
        _miss(job, missing, f"{name}: {error.args[-1]}")


def _miss(job: dict[str, Any], missing: list[str], what: str) -> None:
    if job["walls"] == "kernel":
        raise OSError(what)
    missing.append(what)


def _limit(job: dict[str, Any]) -> None:
    size = job["files"] if job["files"] is not None else 1 << 26
    seconds = math.ceil(job["seconds"])
    for limit, most in (
        (resource.RLIMIT_AS, job["memory"]),
        (resource.RLIMIT_CPU, seconds + 1),
        (resource.RLIMIT_FSIZE, size),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(limit)
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS knows RLIMIT_AS and refuses it
            resource.setrlimit(limit, (min(seconds, bound) if limit == resource.RLIMIT_CPU else bound, bound))


if __name__ == "__main__":
    main()
