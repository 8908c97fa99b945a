"""G7: processes that race for one budget, and are killed in between, never spend more than there is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

RACE = Path(__file__).parents[2] / "benchmarks" / "budgets.py"


@pytest.mark.slow
def test_g07_processes_that_race_and_are_killed_never_overspend_and_use_what_there_is(
    empty_database_url: str,
) -> None:
    asked = ["--on", empty_database_url, "--workers", "4", "--calls", "240", "--kills", "6", "--json"]
    ended = subprocess.run([sys.executable, RACE, *asked], check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    figures = json.loads(ended.stdout.splitlines()[-1])["figures"]
    assert (figures["budget.overspent"], figures["budget.left_held"]) == (0, 0)
    assert figures["budget.used"] > 0.98
