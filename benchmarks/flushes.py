"""How often a side has a disk flushed, for each commit.

On PostgreSQL the server counts the flushes of its log (`pg_stat_io`, before version 18
`pg_stat_wal`). On SQLite they are counted where they are called: by `strace`, or, where that is not
to be had, by a library that stands before libc's `fsync` and `fdatasync` and is compiled for this.

A side is run twice, without a commit and with so many; the difference is what the commits cost,
with the checkpoints that fall among them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from places import Folder, Server
from turns import SCRIPT, SideFailed

_SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void count(void) {
    int file = open(getenv("FLUSHES_FILE"), O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (file < 0 || write(file, ".", 1) != 1) abort();
    close(file);
}
int fsync(int file) { count(); return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(file); }
int fdatasync(int file) { count(); return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(file); }
"""
STATS_SECONDS = 1.5
"""A server's processes tell their counts a second apart."""


class CannotCount(RuntimeError):
    """Nothing here can count flushes."""


def flushes(name: str, place: Folder | Server, commits: int) -> float:
    """The flushes for each commit of a side.

    Raises:
        CannotCount: on SQLite, where there is neither strace nor a C compiler.
    """
    with TemporaryDirectory(prefix="flushes-") as folder:
        without = _counted(name, place, 0, Path(folder) / "without")
        return (_counted(name, place, commits, Path(folder) / "with") - without) / commits


def _counted(name: str, place: Folder | Server, commits: int, folder: Path) -> int:
    folder.mkdir()
    command = [sys.executable, str(SCRIPT), name, place.fresh(name), "1"]
    if isinstance(place, Server):
        time.sleep(STATS_SECONDS)
        before = place.flushes()
        _run(command, commits)
        time.sleep(STATS_SECONDS)
        return place.flushes() - before
    if _strace_works():
        calls = folder / "calls"
        traced = ["strace", "-f", "-qq", "-e", "trace=fsync,fdatasync", "-e", "signal=none", "-o", str(calls)]
        _run([*traced, *command], commits)
        return sum("sync(" in line for line in calls.read_text().splitlines())
    told = folder / "told"
    told.touch()
    _run(command, commits, {"LD_PRELOAD": str(_shim(folder)), "FLUSHES_FILE": str(told)})
    return told.stat().st_size


def _run(command: list[str], commits: int, environment: dict[str, str] | None = None) -> None:
    asked = f"{commits}\n" if commits else ""
    ran = subprocess.run(
        command,
        input=asked,
        text=True,
        stdout=subprocess.PIPE,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    if ran.returncode:
        raise SideFailed(f"{' '.join(command)} ended with {ran.returncode}")


def _strace_works() -> bool:
    """It may be there and not be let."""
    if not shutil.which("strace"):
        return False
    tried = subprocess.run(["strace", "-qq", "-e", "trace=none", "true"], capture_output=True, check=False)
    return tried.returncode == 0


def _shim(folder: Path) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise CannotCount("To count the flushes of SQLite, install strace or a C compiler")
    source, library = folder / "shim.c", folder / "shim.so"
    source.write_text(_SHIM)
    built = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
    subprocess.run(built, check=True, capture_output=True)
    return library
