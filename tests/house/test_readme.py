"""Every piece of Python that the pages show is run, as a reader would run it.

A block of Python stands alone. Two words after its fence's `python` change that: `continues` runs
it after the blocks above it on the same page, `no-run` shows it only.
"""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCED = re.compile(
    r"^(?P<indent>[ ]*)(?P<fence>```+|~~~+)[ ]*(?P<language>\w*)(?P<words>[^\n]*)\n"
    r"(?P<text>.*?)^[ ]*(?P=fence)[ ]*$",
    re.DOTALL | re.MULTILINE,
)


class Example(NamedTuple):
    place: str
    program: str


def examples(page: Path) -> Iterator[Example]:
    """The programs of a page; each with the number of its first line."""
    text = page.read_text("utf-8")
    above = ""
    for block in FENCED.finditer(text):
        words = set(block["words"].split())
        if not block["language"].lower().startswith("py") or "no-run" in words:
            continue
        assert words <= {"continues"}, f"{page.name}: the fence says {words}, which means nothing"
        program = textwrap.dedent(block["text"])
        above = above + "\n" + program if "continues" in words else program
        line = text.count("\n", 0, block.start("text")) + 1
        yield Example(f"{page.relative_to(ROOT)}:{line}", above)


SHOWN = [example for page in PAGES for example in examples(page)]


def test_the_readme_shows_a_program() -> None:
    assert any(example.place.startswith("README.md") for example in SHOWN)


@pytest.mark.parametrize("example", SHOWN, ids=[example.place for example in SHOWN])
def test_what_a_page_shows_runs(example: Example, tmp_path: Path) -> None:
    (tmp_path / "example.py").write_text(example.program, "utf-8")
    done = subprocess.run(
        [sys.executable, "example.py"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{example.place}\n{done.stdout}\n{done.stderr}"
