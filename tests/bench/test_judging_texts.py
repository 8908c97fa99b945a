"""The figures of reading and routing, over a few made-up recordings: whole, within bounds, and repeatable."""

from __future__ import annotations

import gzip
import json
import random
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
MODELS = ("gemini-1.5-flash-002", "Meta-Llama-3_1-70B-Instruct", "ana", "ben")


@pytest.fixture(autouse=True)
def _benchmarks_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for name in ("judging_reading", "judging_router"):
        monkeypatch.setattr(f"{name}.SAMPLES", 50)


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)


def _panel(count: int) -> Iterator[dict[str, Any]]:
    """Sums, of which each model gets some wrong, mostly by a calculation that does not come out."""
    chance = random.Random(3)
    for n in range(count):
        a, b = chance.randint(10, 99), chance.randint(10, 99)
        answers = {}
        for name in MODELS:
            wrong = chance.random() < 0.4
            said = a + b + 10 * wrong
            text = f"Let's think step by step. We add {a} + {b} = {said}. The answer is ({'AB'[wrong]})."
            answers[name] = {"text": text, "extracted": "AB"[wrong]}
        yield {
            "id": n,
            "question": f"How many are {a} and {b}?",
            "options": [str(a + b), str(a + b + 10), "0"],
            "answer": "A",
            "answers": answers,
        }


def test_reading_tells_the_side_whose_calculation_fails(tmp_path: Path) -> None:
    import judging_reading

    _write(tmp_path / judging_reading.PANEL, _panel(300))
    found = judging_reading.figures(tmp_path)

    assert found["review.accuracy"] == found["review.accuracy_findings"] == 1.0
    assert found["review.coverage"] == 1.0
    assert found["review.accuracy_author_alone"] < 0.7
    for key in ("review.accuracy", "review.coverage"):
        assert found[f"{key}.low"] <= found[key] <= found[f"{key}.high"]
    assert found == judging_reading.figures(tmp_path)


def _pairs(count: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    from judging_router import STRONG, WEAK

    chance = random.Random(4)
    words, exam = [], []
    for n in range(count):
        hard = chance.random() < 0.5
        weak, strong = chance.random() < (0.2 if hard else 0.9), chance.random() < 0.9
        text = "Prove the bound, unless it is zero, for each degree." if hard else "How many are 3 and 4?"
        said = "3 + 4 = 7. The answer is 7." if weak else "3 + 4 = 9, so"
        answers = {WEAK: {"text": said, "correct": weak}, STRONG: {"text": "7", "correct": strong}}
        words.append({"id": n, "question": text, "answers": answers})
        exam.append(
            {
                "id": f"q/{n}",
                "subject": "proofs" if hard else "sums",
                "question": f"{text}\nA. 7\nB. 9\nAnswer:",
                "correct": {WEAK: weak, STRONG: strong},
            }
        )
    return words, exam


def test_routing_is_better_than_chance_where_the_question_tells(tmp_path: Path) -> None:
    import judging_router

    words, exam = _pairs(400)
    _write(tmp_path / "gsm8k_pair.jsonl.gz", words)
    _write(tmp_path / "mmlu_pair.jsonl.gz", exam)
    found = judging_router.figures(tmp_path)

    for key in ("router.apgr_gsm8k", "router.apgr_mmlu"):
        assert found[f"{key}.low"] <= found[key] <= found[f"{key}.high"]
        assert found[key] > 0.65
        assert found[f"{key}_question_only"] > 0.6
    assert found["router.apgr_gsm8k"] > found["router.apgr_gsm8k_question_only"]
    assert found["router.bound_mmlu_weak_known"] >= found["router.apgr_mmlu"]
    assert not any(key.startswith("router.cpt") and "bound" in key for key in found)


def test_the_figures_are_printed_as_one_object_on_the_last_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import judgement

    _write(tmp_path / judgement.PANEL, _panel(200))
    monkeypatch.setattr(sys, "argv", ["judgement.py", "--data", str(tmp_path), "--only", "review", "--json"])
    judgement.main()
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["figures"]["review.accuracy"] == 1.0
