"""What a stranger gets: the built wheel, in an environment that holds nothing else."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from floors import floors

ROOT = Path(__file__).parents[2]
PACKAGES = {"dissensus", "dissensus_agents", "dissensus_state"}

OPEN = "from dissensus import Store; Store.open('sqlite:///opened.db').close()"
UPGRADE = """
from dissensus_state.engines import Database
from dissensus_state.migrations import prepare, upgrade
database = Database("sqlite:///upgraded.db")
upgrade(database)
prepare(database)
database.close()
"""


def run(*command: str | Path, folder: Path) -> str:
    """What a program prints; it sees neither this environment nor the repository."""
    hidden = ("PYTHON", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    done = subprocess.run(
        command,
        cwd=folder,
        env=kept,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def tables(file: Path) -> set[str]:
    connection = sqlite3.connect(file)
    try:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    finally:
        connection.close()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source distribution and not from this folder."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT, folder=out)
    [built] = out.glob("*.whl")
    return built


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """The Python of an environment in which nothing is installed, not even pip."""
    venv.create(tmp_path / "empty", symlinks=True)
    return tmp_path / "empty" / "bin" / "python"


def test_the_wheel_holds_the_three_packages_with_their_types_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    assert not [name for name in names if "__pycache__" in name or name.endswith(".db")]


def test_the_wheel_holds_every_migration(wheel: Path) -> None:
    kept = {
        f"dissensus_state/migrations/{path.relative_to(ROOT / 'migrations')}"
        for path in (ROOT / "migrations").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packed = zipfile.ZipFile(wheel).namelist()
    assert kept == {name for name in packed if name.startswith("dissensus_state/migrations/")}
    assert any("/versions/" in name for name in kept)


@pytest.mark.slow
@pytest.mark.parametrize("bounds", ["newest", "oldest"])
def test_the_wheel_alone_opens_a_file_migrates_it_and_runs_the_demo(
    bounds: str, wheel: Path, empty: Path, tmp_path: Path
) -> None:
    """With the newest dependencies, and with the oldest that pyproject.toml admits."""
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("\n".join(floors()) if bounds == "oldest" else "")
    pip = (sys.executable, "-m", "pip", "--python", empty, "--disable-pip-version-check")
    run(*pip, "install", "--constraint", constraints, wheel, folder=tmp_path)
    command = empty.with_name("dissensus")

    assert version("dissensus") in run(command, "--version", folder=tmp_path)

    run(empty, "-W", "error", "-c", OPEN, folder=tmp_path)
    run(empty, "-W", "error", "-c", UPGRADE, folder=tmp_path)
    assert tables(tmp_path / "opened.db") == tables(tmp_path / "upgraded.db") != set()

    told = run(command, "demo", "--database", tmp_path / "demo.db", folder=tmp_path)
    assert "scripted" in told
    assert tables(tmp_path / "demo.db") == tables(tmp_path / "opened.db")
