"""The judging benchmarks on a small sample of the recorded answers: they run, and hold nothing back."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "../shared/data/panel"
PANEL = "mmlu_pro_panel.jsonl.gz"

pytest.importorskip("numpy", reason="the judging benchmarks need the extra `learn`")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every eighth question."""
    if not (DATA / PANEL).is_file():
        pytest.skip(f"There are no recorded answers at {DATA}: they do not ship with the project")
    folder = tmp_path_factory.mktemp("sample")
    shutil.copy(DATA / "models.json", folder)
    with gzip.open(DATA / PANEL, "rt") as lines, gzip.open(folder / PANEL, "wt", compresslevel=1) as out:
        out.writelines(line for n, line in enumerate(lines) if n % 8 == 0)
    return folder


def run(data: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "benchmarks/judgement.py", "--data", str(data), *more],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_each_figure_has_its_interval_and_stands_on_the_last_line(sample: Path) -> None:
    figures = {}
    for key in ("panel", "policy", "confidence", "hollow"):
        ended = run(sample, "--only", key, "--json")
        assert ended.returncode == 0, ended.stderr
        found = json.loads(ended.stdout.splitlines()[-1])["figures"]
        assert found
        assert all(name.startswith(key) for name in found)
        figures |= found
    for key in (
        "panel.saved",
        "panel.gain",
        "policy.best_accuracy",
        "policy.best_cost",
        "policy.cost_at_parity",
        "confidence.ece",
        "hollow.caught",
        "hollow.reviewed",
    ):
        assert figures[f"{key}.low"] <= figures[f"{key}.high"]
    assert figures["panel.saved"] == pytest.approx(0.645, abs=0.06)
    assert figures["policy.best_cost"] < 1.1
    assert figures["confidence.ece.independent"] > figures["confidence.ece.discounted"]


def test_without_the_recordings_it_ends_with_a_message(tmp_path: Path) -> None:
    ended = run(tmp_path, "--only", "panel", "--json")
    assert ended.returncode == 1
    assert "There are no recorded answers" in ended.stderr
    assert ended.stdout == ""
