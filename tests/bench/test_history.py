"""The benchmark of the verbs runs, and what it says of a short history is right."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks/history.py"


def figures(tmp_path: Path, *arguments: str) -> dict[str, float]:
    """What the last line of a run says."""
    command = [sys.executable, PROGRAM, "--database", "sqlite", "--json", *arguments]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])["figures"]
    return {key.removeprefix("sqlite."): value for key, value in found.items()}


@pytest.mark.slow
def test_a_short_history_is_replayed_bisected_and_moved_as_it_was(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/survey.db"
    made = subprocess.run(
        [sys.executable, PROGRAM, "--build", url, "--n", "300"], capture_output=True, text=True, check=True
    )
    assert made.stdout.startswith("300 commits, 30 rounds, ")
    replayed = figures(tmp_path, "--use", url, "--n", "300", "--only", "replay")
    assert replayed["replay.calls"] == 0
    assert figures(tmp_path, "--use", url, "--n", "300", "--only", "bisect")["bisect.reads"] <= 10
    moved = figures(tmp_path, "--use", url, "--n", "300", "--only", "export")
    assert moved["export.equal"] == 1
    assert not list(tmp_path.glob("*.jsonl"))
