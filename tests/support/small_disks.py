"""Disks so small that they get full: a tmpfs, mounted by root or in a namespace of an ordinary user.

As a program (`in_namespace`) it fills one with a SQLite database and tells what came of it.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dissensus_state.errors import DatabaseFailed
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from inquiries import Notes, does

LINE = 30_000
RESERVE = 1 << 20
"""Bytes that a file takes, to be freed by its removal."""


def mount(folder: Path, size: str) -> bool:
    """Mount a small disk on a folder; whether that is allowed here."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0777", "tmpfs", str(folder)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[bool]:
    """A small disk on a folder, for the length of the block; whether that is allowed here."""
    if not mount(folder, size):
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def in_namespace(folder: Path) -> dict[str, Any] | None:
    """What this module as a program tells; None where it may not mount anything."""
    alone = (
        ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    )
    try:
        done = subprocess.run(
            [*alone, sys.executable, __file__, folder],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    except FileNotFoundError:
        return None
    if done.returncode == 0:
        told: dict[str, Any] = json.loads(done.stdout)
        return told
    if done.stdout or "Traceback" in done.stderr:
        raise AssertionError(done.stderr)
    return None


def line(number: int) -> str:
    """A line that cannot be packed."""
    return f"{number} {random.Random(number).randbytes(LINE // 2).hex()}"


def fill(session: Session[Notes], most: int = 1_000) -> tuple[int, DatabaseFailed]:
    """Append lines until that fails: how many are acknowledged by then, and the error."""
    for number in range(len(session.state.lines), most):
        try:
            session.transact(does("append", "lines", line(number)), "ana", key=str(number))
        except DatabaseFailed as error:
            return number, error
    raise AssertionError(f"The disk had room for {most} lines")


def go_on(session: Session[Notes], lines: int = 5) -> None:
    """Append some more lines."""
    begin = len(session.state.lines)
    for number in range(begin, begin + lines):
        session.transact(does("append", "lines", line(number)), "ana", key=str(number))


def numbers(session: Session[Notes]) -> list[int]:
    """Which lines are there."""
    return [int(text.partition(" ")[0]) for text in session.state.lines]


def _fill_sqlite(folder: Path) -> dict[str, Any]:
    reserve, path = folder / "reserve", str(folder / "state.db")
    reserve.write_bytes(bytes(RESERVE))
    with Store.open(path) as store:
        session = store.create(Notes())
        acknowledged, error = fill(session)
        _, again = fill(session)
        with Store.open(path) as anew:
            found = numbers(anew.session(schema=Notes))
        reserve.unlink()
        go_on(session)
    with Store.open(path) as store:
        session = store.session(schema=Notes)
        return {
            "codes": [error.code, again.code],
            "exit_code": error.exit_code,
            "message": error.message,
            "acknowledged": acknowledged,
            "found": found,
            "after": numbers(session),
            "verified": session.verify().versions,
            "replayed": session.replay().versions,
        }


if __name__ == "__main__":
    disk = Path(sys.argv[1])
    if not mount(disk, "4m"):
        sys.exit("There is no right to mount a disk")
    print(json.dumps(_fill_sqlite(disk)))  # noqa: T201
