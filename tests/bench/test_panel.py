"""What the panel benchmark promises of the recordings, on few questions and with few kills.

It runs as a user runs it. What needs the recordings, which do not ship with the project, is skipped
without them.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DATA = ROOT / "../shared/data/panel/mmlu_pro_panel.jsonl.gz"
QUESTIONS = 60
PROMISED = {
    *("questions", "accuracy", "majority", "supervised", "chair_calls_saved", "cost_ratio"),
    *("disagreements", "commits", "cpu_ms_per_round", "bytes_per_round"),
    *("calls_repeated_after_kill", "replay_equal", "verified"),
}

recorded = pytest.mark.skipif(not DATA.is_file(), reason=f"there are no recordings at {DATA}")


def panel(*options: str) -> subprocess.CompletedProcess[str]:
    """Run the benchmark."""
    program = [sys.executable, str(ROOT / "benchmarks/panel.py"), *options]
    return subprocess.run(program, capture_output=True, text=True, check=False, timeout=300)


def figures(*options: str) -> Mapping[str, Any]:
    """Run the benchmark, and read the last line of its standard output."""
    ran = panel("--json", *options)
    assert ran.returncode == 0, ran.stderr
    found: Mapping[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def killed(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    """The figures of a run whose worker is killed twice, with answers that take their time."""
    named = ["--database", "postgresql"] if request.param == "postgresql" else []
    return figures("--questions", str(QUESTIONS), "--kill", "2", "--latency", "15", *named)


@recorded
def test_a_killed_panel_says_all_that_is_asked_of_it(killed: Mapping[str, Any]) -> None:
    assert set(killed) >= PROMISED
    assert killed["questions"] == QUESTIONS
    assert killed["kills"] == 2


@recorded
def test_g11_an_answer_on_record_is_not_asked_for_again_after_a_kill(
    killed: Mapping[str, Any],
) -> None:
    assert killed["calls_repeated_after_kill"] == 0
    assert killed["calls_answered"] == 2 * QUESTIONS + killed["chair_calls"]
    assert killed["calls"] == killed["calls_answered"] + killed["calls_unknown"]


@recorded
def test_g03_no_acknowledged_commit_is_lost_or_doubled_by_a_kill(
    killed: Mapping[str, Any],
) -> None:
    assert (killed["commits_lost"], killed["commits_doubled"]) == (0, 0)
    assert killed["commits"] == QUESTIONS + 1
    assert killed["commits_acknowledged"] == QUESTIONS


@recorded
def test_g08_g10_a_killed_session_verifies_and_replays_without_a_call(
    killed: Mapping[str, Any],
) -> None:
    assert killed["verified"]
    assert killed["replay_equal"]
    assert killed["graph_replay_equal"]
    assert killed["replay_calls"] == 0
    assert killed["integrity_check"] in {"ok", None}


@recorded
def test_the_session_comes_to_what_the_recordings_say_it_must(killed: Mapping[str, Any]) -> None:
    assert killed["answers_as_expected"]


@recorded
def test_the_chair_is_asked_only_where_the_panel_does_not_agree() -> None:
    found = figures("--questions", str(QUESTIONS))
    reviewed = found["disagreements"] + found["single_votes"] + found["no_votes"]
    assert found["chair_calls"] == reviewed
    assert found["chair_calls_saved"] == round(1 - reviewed / QUESTIONS, 4) >= 0.6
    assert found["supervised"] >= found["accuracy"][found["chair"]]


def test_a_question_on_which_nobody_names_a_letter_goes_to_the_chair_alone(tmp_path: Path) -> None:
    data = _recordings(tmp_path, ("Nobody can say.", "Nor can one guess.", "The answer is (B)."))
    found = figures("--data", str(data), "--panel", "one,other", "--chair", "chair")
    assert (found["no_votes"], found["chair_calls"], found["supervised"]) == (1, 1, 1.0)
    assert found["verified"]


def test_a_chair_without_a_letter_leaves_the_question_open_and_wrong(tmp_path: Path) -> None:
    data = _recordings(tmp_path, ("The answer is (A).", "The answer is (B).", "Nobody can say."))
    found = figures("--data", str(data), "--panel", "one,other", "--chair", "chair")
    assert (found["disagreements"], found["supervised"], found["answers_as_expected"]) == (1, 0.0, True)


def test_recordings_that_are_not_there_are_named_with_the_option_that_helps(tmp_path: Path) -> None:
    ran = panel("--data", str(tmp_path / "none.jsonl.gz"))
    assert ran.returncode == 1
    assert "none.jsonl.gz" in ran.stderr
    assert "--data FILE" in ran.stderr


@recorded
def test_a_model_that_was_not_recorded_is_named_with_those_that_were() -> None:
    ran = panel("--questions", "1", "--chair", "gpt-0")
    assert ran.returncode == 1
    assert "gpt-0" in ran.stderr
    assert "gemini-1.5-pro-002" in ran.stderr


def test_a_model_has_one_seat_since_its_recording_has_one_answer() -> None:
    ran = panel("--panel", "one,other", "--chair", "one")
    assert ran.returncode == 2
    assert "each model has one seat" in ran.stderr


def _recordings(folder: Path, texts: tuple[str, str, str]) -> Path:
    """One question with the answers of one, other and chair, in the form of the recordings."""
    answers = {
        name: {"text": text, "extracted": None}
        for name, text in zip(("one", "other", "chair"), texts, strict=True)
    }
    row = {"id": 1, "question": "?", "options": ["a", "b"], "answer": "B", "answers": answers}
    path = folder / "recordings.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(row).encode() + b"\n"))
    return path
