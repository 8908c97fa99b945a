"""Every walk that a page tells is gone, command by command, as a reader would go it.

A block with the fence `console walk` holds commands behind `$ ` and what they print, standard error
included; what `<<'WORD'` gives to a command stands below it. All walks of a page are gone in one empty
folder, in order. Of what is printed, `…` stands for any text within a line, and alone on its line for
any lines.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```console walk\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
HERE = re.compile(r"<<'(?P<word>\w+)'")
"""What a command is given that stands behind it, up to a line with this word."""

PAGES = [
    page
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if BLOCK.search(page.read_text("utf-8"))
]


class Step(NamedTuple):
    command: str
    printed: str


def steps(page: Path) -> list[Step]:
    """The commands of a page with what each prints."""
    found = []
    for block in BLOCK.finditer(page.read_text("utf-8")):
        for part in re.split(r"^\$ ", block["text"], flags=re.MULTILINE)[1:]:
            lines = part.splitlines()
            end = next((n for n, line in enumerate(lines) if not line.endswith("\\")), len(lines) - 1)
            if here := HERE.search(lines[end]):
                end = lines.index(here["word"], end)
            command, said = "\n".join(lines[: end + 1]), lines[end + 1 :]
            found.append(Step(command, "\n".join(said).rstrip()))
    return found


def pattern(printed: str) -> re.Pattern[str]:
    """What a page shows of an output, as a pattern for the whole of it."""
    lines = []
    for line in printed.splitlines():
        if line.strip() == "…":
            lines.append(r"(?:.*\n)*?")
        else:
            lines.append(re.escape(line.rstrip()).replace("…", ".*") + r"\s*?\n")
    return re.compile("".join(lines))


def gone(command: str, folder: Path) -> str:
    """What a command prints."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path, "NO_COLOR": "1", "COLUMNS": "110", "TZ": "UTC"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    return done.stdout


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_the_walk_of_a_page_goes_as_it_is_told(page: Path, tmp_path: Path) -> None:
    for step in steps(page):
        said = gone(step.command, tmp_path).rstrip() + "\n"
        shown = pattern(step.printed)
        assert not step.printed or shown.fullmatch(said), f"$ {step.command}\n{said}"
        assert "Traceback" not in said
        assert step.printed or "error[" not in said, f"$ {step.command}\n{said}"


def test_there_are_walks() -> None:
    assert PAGES
