"""Routing between a weak and a strong recorded model: the figures `router.*`.

    python benchmarks/judgement.py --data DIR --only router --json

Cross-validated in five folds by sha256 of the question's id. What the figures mean stands in
benchmarks/README.md.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dissensus_agents.patterns.complexity import complexity_of
from dissensus_agents.patterns.learned import measures_of
from dissensus_agents.patterns.learning import FOLDS, Fitting, Graded, apgr, design

WEAK, STRONG = "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"
SAMPLES = 1000


def gsm8k(data: Path) -> list[Graded]:
    """Word problems of arithmetic, with the weak model's own answer."""
    return [
        Graded(
            str(row["id"]),
            row["question"],
            {name: row["answers"][name]["correct"] for name in (WEAK, STRONG)},
            answer=row["answers"][WEAK]["text"],
        )
        for row in _rows(data / "gsm8k_pair.jsonl.gz")
    ]


def mmlu(data: Path) -> list[Graded]:
    """Multiple choice in 57 subjects; the subject is the task."""
    return [
        Graded(
            row["id"],
            row["question"].removesuffix("Answer:"),
            {name: row["correct"][name] for name in (WEAK, STRONG)},
            row["subject"],
        )
        for row in _rows(data / "mmlu_pair.jsonl.gz")
    ]


def _rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def gains(graded: Sequence[Graded], *, tasks: bool, answers: bool) -> np.ndarray:
    """What is expected of asking the strong model, for each question, by weights that have not seen it."""
    named = tuple(sorted({one.task for one in graded if one.task})) if tasks else ()
    rows, labels, folds = design(graded, named, reads_answer=answers)
    scores = Fitting(rows, labels, folds, len(named), len(measures_of(reads_answer=answers))).unseen()
    strong, weak = (sorted((WEAK, STRONG)).index(name) for name in (STRONG, WEAK))
    return scores[:, strong] - scores[:, weak]


def by_task(graded: Sequence[Graded], folds: np.ndarray | None) -> np.ndarray:
    """The mean gain of a question's task, shrunk; counted on other folds, or on all where there are none."""
    tasks = sorted({one.task for one in graded})
    task = np.array([tasks.index(one.task) for one in graded])
    gain = _right(graded, STRONG) - _right(graded, WEAK)
    found = np.zeros(len(graded))
    for fold in range(FOLDS) if folds is not None else (None,):
        held = folds == fold if folds is not None else np.ones(len(graded), bool)
        train = ~held if folds is not None else held
        sums = np.bincount(task[train], gain[train], len(tasks))
        counts = np.bincount(task[train], minlength=len(tasks))
        strength = 20 if folds is not None else 0
        found[held] = ((sums + strength * gain[train].mean()) / np.maximum(counts + strength, 1))[task[held]]
    return found


def _right(graded: Sequence[Graded], model: str) -> np.ndarray:
    return np.array([float(one.right[model]) for one in graded])


def _interval(key: str, gain: np.ndarray, graded: Sequence[Graded]) -> dict[str, float]:
    """APGR with a 95 % interval by bootstrap over questions."""
    sides = gain, _right(graded, WEAK), _right(graded, STRONG)
    drawn = np.random.default_rng(1).integers(0, len(gain), (SAMPLES, len(gain)))
    low, high = np.quantile([apgr(*(side[one] for side in sides)) for one in drawn], [0.025, 0.975])
    values = {key: apgr(*sides), f"{key}.low": low, f"{key}.high": high}
    return {name: round(float(value), 4) for name, value in values.items()}


def _share_for(recovered: float, gain: np.ndarray, graded: Sequence[Graded]) -> float:
    """The smallest share of strong calls that recovers this share of the gap (CPT)."""
    order = np.argsort(-gain, kind="stable")
    won = np.cumsum((_right(graded, STRONG) - _right(graded, WEAK))[order])
    return round(float((np.argmax(won >= recovered * won[-1]) + 1) / len(won)), 4)


def figures(data: Path) -> dict[str, float]:
    """The figures `router.*` of a folder of recordings."""
    words, exam = gsm8k(data), mmlu(data)
    found: dict[str, float] = {}
    ways: list[tuple[str, Sequence[Graded], Callable[[], np.ndarray]]] = [
        ("router.apgr_gsm8k", words, lambda: gains(words, tasks=False, answers=True)),
        ("router.apgr_gsm8k_question_only", words, lambda: gains(words, tasks=False, answers=False)),
        ("router.apgr_mmlu", exam, lambda: gains(exam, tasks=True, answers=False)),
        ("router.apgr_mmlu_question_only", exam, lambda: gains(exam, tasks=False, answers=False)),
        (
            "router.apgr_mmlu_subject_only",
            exam,
            lambda: by_task(exam, design(exam, (), reads_answer=False)[2]),
        ),
        ("router.bound_mmlu_subject_rates_known", exam, lambda: by_task(exam, None)),
        ("router.bound_mmlu_weak_known", exam, lambda: 1 - _right(exam, WEAK)),
        ("router.bound_gsm8k_weak_known", words, lambda: 1 - _right(words, WEAK)),
    ]
    for name, kind in (("gsm8k", words), ("mmlu", exam)):
        ways.append((f"router.apgr_{name}_complexity", kind, lambda kind=kind: _complexity(kind)))  # type: ignore[misc]
    for key, graded, way in ways:
        gain = way()
        found |= _interval(key, gain, graded)
        for share in (0.5, 0.8) if ".apgr_" in key else ():
            found[key.replace("apgr", f"cpt{100 * share:.0f}")] = _share_for(share, gain, graded)
    return found


def _complexity(graded: Sequence[Graded]) -> np.ndarray:
    return np.array([complexity_of(one.text).score for one in graded])
