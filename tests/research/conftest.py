"""The demo as a user starts it, on a terminal and away from one."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dissensus.research.incident import Incident, opening
from dissensus_state.records import Budget
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from scouts_in_script import harbour

COMMAND = (sys.executable, "-m", "dissensus")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Ended:
    """How a process ended, and what it said where."""

    code: int
    out: str
    err: str

    @property
    def plain(self) -> str:
        """What it said without its colours, and with the line ends of a file."""
        return COLOURS.sub("", self.out).replace("\r\n", "\n")


Command = Callable[..., Ended]


@pytest.fixture
def dissensus(tmp_path: Path) -> Command:
    """The command line in a folder of its own, its output caught."""

    def run(*arguments: str, code: int = 0) -> Ended:
        done = subprocess.run(
            [*COMMAND, *arguments], cwd=tmp_path, capture_output=True, encoding="utf-8", check=False
        )
        ended = Ended(done.returncode, done.stdout, done.stderr)
        assert ended.code == code, ended
        return ended

    return run


@pytest.fixture
def on_a_terminal(tmp_path: Path) -> Command:
    """The command line on a terminal; once it has said `until`, it gets a signal."""

    def run(*arguments: str, until: str = "", signal: int = 0, **environment: str) -> Ended:
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=tmp_path,
            env={**os.environ, "TERM": "xterm", **environment},
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        ) as process:
            os.close(theirs)
            said = ""
            for piece in _pieces(ours):
                said += piece
                if signal and until in said:
                    process.send_signal(signal)
                    signal = 0
            _, err = process.communicate()
        os.close(ours)
        assert until in said
        return Ended(process.returncode, said, err)

    return run


def _pieces(terminal: int) -> Iterator[str]:
    """What comes out of a terminal, until nobody holds its other end (on Linux that is an error)."""
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            return
        if not piece:
            return
        yield piece.decode(errors="replace")


@pytest.fixture
def session(database_url: str) -> Iterator[Session[Incident]]:
    """The incident before anybody has read anything."""
    with Store.open(database_url) as store:
        yield store.create(opening(), name="incident", budget=Budget(usd=1))


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Thirty files; the answer stands in one of them, and what that one points to in another."""
    return harbour(tmp_path / "sources")
