"""What a user pays for before anything is done, and what the house promises to bring."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {"langgraph", "langchain_core", "langsmith", "httpx", "httpx2", "sqlalchemy", "alembic"}

IMPORT = "import dissensus"
VERSION = """
import sys
from importlib.metadata import entry_points
[command] = entry_points(group="console_scripts", name="dissensus")
sys.argv = ["dissensus", "--version"]
try:
    command.load()()
except SystemExit as end:
    assert not end.code, end.code
"""
REPORT = "\nimport json, sys; print(json.dumps(sorted(sys.modules)))"


def in_a_fresh_python(program: str) -> list[str]:
    """The lines that a program prints in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("program", [IMPORT, VERSION], ids=["import dissensus", "--version"])
def test_neither_the_import_nor_the_version_loads_a_graph_a_wire_or_a_database(
    program: str,
) -> None:
    loaded = {name.partition(".")[0] for name in json.loads(in_a_fresh_python(program + REPORT)[-1])}
    assert "dissensus" in loaded
    assert loaded & HEAVY == set()


def test_the_version_is_the_one_that_is_installed() -> None:
    assert version("dissensus") in in_a_fresh_python(VERSION)[0]


def test_what_is_exported_is_what_is_documented() -> None:
    import dissensus

    documented = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/api.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(dissensus.__all__) == sorted(documented)
    assert len(set(dissensus.__all__)) == len(dissensus.__all__)


def test_every_exported_name_is_there_and_says_what_it_is() -> None:
    import dissensus

    assert set(dissensus.__all__) <= set(dir(dissensus))
    for name in dissensus.__all__:
        assert getattr(dissensus, name).__doc__, f"{name} has no docstring"


def test_a_name_that_is_not_exported_is_refused_by_its_name() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        importlib.import_module("dissensus").no_such_name  # noqa: B018


def test_every_dependency_says_why_it_is_here() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    required = [
        *project["project"]["dependencies"],
        *chain.from_iterable(project["project"]["optional-dependencies"].values()),
        *(line for line in project["dependency-groups"]["dev"] if isinstance(line, str)),
    ]
    named = {re.match(r"[\w-]+", line)[0] for line in required} - {"dissensus"}
    explained = (ROOT / "docs/dependencies.md").read_text("utf-8")
    assert {name for name in named if f"| {name} |" not in explained} == set()
