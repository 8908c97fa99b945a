"""What the benchmark of kills promises, with a few kills; it runs as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_g11_no_answer_is_bought_twice_and_no_call_is_lost_however_research_is_killed(database: str) -> None:
    done = subprocess.run(
        [sys.executable, "benchmarks/kills.py", "--n", "4", "--database", database, "--json"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])["figures"]
    assert figures == {"kill.rebought": 0, "kill.unaccounted": 0}, done.stderr


@pytest.mark.slow
def test_planted_facts_are_found_while_little_is_read() -> None:
    done = subprocess.run(
        [sys.executable, "benchmarks/research.py", "--pages", "500", "--json"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    figures = json.loads(done.stdout.splitlines()[-1])["figures"]
    assert figures["research.found"] == 1.0
    assert figures["research.sent"] <= 0.1
    assert figures["research.mib"] <= 300
