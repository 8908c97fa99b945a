"""What the benchmarks would see of a call that is bought twice, and of a commit that is lost."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dissensus_state.patches import Operation
from dissensus_state.records import Call, CallStatus, Commit, Round

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
MODEL = "somebody"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """A module of the benchmarks, which are scripts and no package."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


@pytest.fixture
def repeats(module: Callable[[str], ModuleType]) -> Callable[..., tuple[int, int]]:
    """How often a model was asked again: for an answer on record, and for one in flight."""
    measuring = module("measuring")

    def count(calls: list[Call], *asked_at: int) -> tuple[int, int]:
        left = measuring.Left([(_round(), [], calls, [])], [])
        found = measuring.repeats(left, [(at, MODEL, 7) for at in asked_at])
        return found.recorded, found.in_flight

    return count


def _round() -> Round:
    return Round(1, "main", "answer", 0, "committed", 0)


def call(sent_at: int, status: CallStatus, number: int = 7) -> Call:
    """A call on record."""
    return Call(
        agent="seat-1",
        attempt=1,
        model=MODEL,
        lineage="",
        price=None,
        request=[{"blob": "…"}, [f"/questions/{number}"]],
        reserved=0,
        sent_at=sent_at,
        round=1,
        status=status,
    )


def commit(version: int, number: int) -> Commit:
    """A commit that answers a question."""
    patch = (Operation("merge", ("answers",), {str(number): "A"}),)
    return Commit(
        version, "main", "seat-1", None, 1, version - 1, "serializable", (), patch, (), None, 0, 1, b""
    )


def test_a_call_that_is_asked_once_is_no_repetition(repeats: Any) -> None:
    assert repeats([call(10, "answered")], 11) == (0, 0)


def test_asking_again_for_an_answer_on_record_is_counted(repeats: Any) -> None:
    assert repeats([call(10, "answered")], 11, 30) == (1, 0)


def test_asking_again_under_a_new_call_for_an_answer_on_record_is_counted(repeats: Any) -> None:
    assert repeats([call(10, "answered"), call(20, "answered")], 11, 21) == (1, 0)


def test_asking_again_for_what_was_in_flight_is_counted_apart(repeats: Any) -> None:
    assert repeats([call(10, "unknown"), call(20, "answered")], 11, 21) == (0, 1)


def test_a_call_given_up_before_its_model_was_asked_is_no_repetition(repeats: Any) -> None:
    assert repeats([call(10, "unknown"), call(20, "answered")], 21) == (0, 0)


def test_asking_without_a_call_on_record_is_counted(repeats: Any) -> None:
    assert repeats([call(10, "answered", number=8)], 11) == (1, 0)


@pytest.mark.parametrize(
    ("commits", "told", "expected"),
    [
        ([commit(1, 0), commit(2, 1)], "1\t0\n2\t1\n", (2, 0, 0)),
        ([commit(1, 0)], "1\t0\n2\t1\n", (2, 1, 0)),
        ([commit(1, 0), commit(2, 0)], "1\t0\n", (1, 0, 1)),
        ([commit(1, 0)], "0\t-1\n1\t0\n1\t0\n", (1, 0, 0)),
    ],
    ids=["whole", "lost", "doubled", "told twice, and of the start"],
)
def test_acknowledged_commits_are_held_against_the_history(
    module: Any, tmp_path: Path, commits: list[Commit], told: str, expected: tuple[int, int, int]
) -> None:
    acknowledged = tmp_path / "acknowledged"
    acknowledged.write_text(told)
    measuring = module("measuring")
    found = measuring.fate(measuring.Left([], commits), acknowledged)
    assert (found.acknowledged, found.lost, found.doubled) == expected


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("So the answer is (C). No: the answer is D.", "C"),
        ("the answer is B", "B"),
        ("Answer: A\nanswer: D or answer: E", "A"),
        ("It is either B or C, and so E", "E"),
        ("The answer is clear.", None),
        ("", None),
    ],
)
def test_a_letter_is_read_by_the_published_rule(module: Any, text: str, letter: str | None) -> None:
    assert module("recorded").letter_of(text) == letter
