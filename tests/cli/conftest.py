"""The command line as a user starts it, and in this process for what it says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import outage
from dissensus.cli import border
from dissensus.cli.main import cli
from outage_story import tell


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said where."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The one JSON object on standard output."""
        return json.loads(self.out)


Command = Callable[..., Ended]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the user's with a schema in it; it is the current one."""
    chosen = tmp_path / "work"
    chosen.mkdir()
    shutil.copy(Path(outage.__file__), chosen)
    monkeypatch.chdir(chosen)
    return chosen


@pytest.fixture
def dissensus(folder: Path) -> Command:
    """The command line as a process of its own."""

    def run(*arguments: str | Path, code: int = 0, stdin: str = "", **environment: str) -> Ended:
        done = subprocess.run(
            [sys.executable, "-m", "dissensus", *arguments],
            cwd=folder,
            env={**os.environ, **environment},
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        ended = Ended(done.returncode, done.stdout, done.stderr)
        assert ended.code == code, ended
        return ended

    return run


@pytest.fixture
def ask(folder: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command line in this process: what it says, without the start of an interpreter."""

    def run(*arguments: str | Path, code: int = 0) -> Ended:
        assert Path.cwd() == folder
        ended = Ended(border.run(cli, [str(item) for item in arguments]), *capsys.readouterr())
        assert ended.code == code, ended
        return ended

    return run


@pytest.fixture(scope="session")
def told_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The session in a SQLite file, written once; the tests take copies."""
    path = tmp_path_factory.mktemp("told") / "told.db"
    tell(f"sqlite:///{path}")
    return path


@pytest.fixture
def told(told_file: Path, folder: Path) -> Path:
    """The session in the user's folder, under the name that needs no mention."""
    return Path(shutil.copy(told_file, folder / "dissensus.db"))


@pytest.fixture
def told_url(database_url: str) -> str:
    """The session on each of the two databases."""
    tell(database_url)
    return database_url
