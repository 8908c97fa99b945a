"""Which side is wrong when two models disagree, told from their reasoning alone: the figures `review.*`.

    python benchmarks/judgement.py --data DIR --only review --json

Pairs of recorded models that name different letters to a question of MMLU-Pro, exactly one of them the
right one: all 36 pairs of nine models. What decides is fitted without the questions of a fold (sha256 of
the question's id) *and* without the two models whose texts are judged, so that no manner of writing can be
recognised. What the figures mean stands in benchmarks/README.md.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from dissensus_agents.judgement.chains import Chain, Question
from dissensus_agents.judgement.folds import fold_of
from dissensus_agents.judgement.logistic import expit, logistic
from dissensus_agents.judgement.reader_fitting import FOLDS, chances, fit
from dissensus_agents.judgement.reading import BY_FINDINGS, Held
from dissensus_agents.judgement.reading_features import Measured, measured, together

PANEL = "mmlu_pro_panel.jsonl.gz"
ABOVE = 0.51
"""The confidence above which the review decides; fixed beforehand."""

NAMED = ("gemini-1.5-flash-002", "Meta-Llama-3_1-70B-Instruct")
"""Two models of about the same strength: there it is of no use to recognise them."""

EVERY = 2
"""Every second disagreement of the other models is enough for ninety weights, which are fitted 180 times."""

SAMPLES = 1000
"""Of the bootstrap, over questions."""


@dataclass(frozen=True)
class Disputes:
    """Disagreements with one right side, one row each; the right side stands first.

    `difference` are the features of the right side less those of the wrong one, `models` the numbers of
    the two models, `question` the number of the question.
    """

    difference: np.ndarray
    calculating: np.ndarray
    models: np.ndarray
    question: np.ndarray
    folds: np.ndarray
    found: np.ndarray
    names: tuple[str, ...]


def rows_of(data: Path) -> Iterator[dict[str, Any]]:
    """The recorded questions with their answers."""
    with gzip.open(data / PANEL, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def disputes_of(data: Path) -> Disputes:
    """All disagreements of two models in which exactly one is right."""
    difference, calculating, models, numbers, folds, found = [], [], [], [], [], []
    names: tuple[str, ...] = ()
    for number, row in enumerate(rows_of(data)):
        names = names or tuple(row["answers"])
        question = Question.of(row["question"], row["options"])
        read = _read(row, names, question)
        for a, b in combinations(read, 2):
            right = [model for model in (a, b) if read[model][0] == row["answer"]]
            if len(right) != 1:
                continue
            first, second = right[0], b if right[0] == a else a
            one, other = together([read[first][1], read[second][1]])
            difference.append(np.subtract(one, other))
            calculating.append(float(question.calculating))
            models.append((first, second))
            numbers.append(number)
            folds.append(fold_of(row["id"]))
            found.append(_by_findings(row, names, (first, second), question, (one, other)))
    return Disputes(
        np.array(difference), np.array(calculating), np.array(models), np.array(numbers),
        np.array(folds), np.array(found), names,
    )  # fmt: skip


def _read(row: dict[str, Any], names: tuple[str, ...], question: Question) -> dict[int, tuple[str, Measured]]:
    """For each model that names a letter, the letter and what is measured of its text."""
    return {
        n: (letter, measured(letter, Chain.of(row["answers"][name]["text"]), question))
        for n, name in enumerate(names)
        if (letter := row["answers"][name]["extracted"]) is not None
    }


def _by_findings(
    row: dict[str, Any],
    names: tuple[str, ...],
    sides: tuple[int, int],
    question: Question,
    features: tuple[tuple[float, ...], ...],
) -> float:
    """What the reader without any fitting gives the right side; only asked where it can decide at all."""
    if not any(one[2] for one in features):  # neither has calculations that all come out
        return 0.5
    answers = [row["answers"][names[side]] for side in sides]
    held = [Held(answer["extracted"], (answer["text"],)) for answer in answers]
    return BY_FINDINGS.shares(held, question)[0]


def likelihoods(given: Disputes) -> tuple[np.ndarray, np.ndarray]:
    """What the fitted reader gives the right side: of models that it knows, and of models that it doesn't."""
    known, unknown = np.zeros(len(given.folds)), np.zeros(len(given.folds))
    for fold in range(FOLDS):
        out = given.folds == fold
        train, calculating = given.difference[~out], given.calculating[~out]
        fitted = fit(train, calculating)
        known[out] = chances(given.difference[out], given.calculating[out], *fitted)
        authors = given.models[~out]
        for pair in combinations(range(len(given.names)), 2):
            judged = out & np.isin(given.models, pair).all(axis=1)
            others = np.flatnonzero(~np.isin(authors, pair).any(axis=1))[::EVERY]
            if judged.any() and len(others):
                apart = fit(train[others], calculating[others], start=fitted)
                unknown[judged] = chances(given.difference[judged], given.calculating[judged], *apart)
    return known, unknown


def by_author(given: Disputes) -> np.ndarray:
    """What knowing who wrote it, and nothing of the text, gives the right side."""
    size = len(given.names)
    rows = np.eye(size)[given.models[:, 0]] - np.eye(size)[given.models[:, 1]]
    likely = np.zeros(len(rows))
    for fold in range(FOLDS):
        out = given.folds == fold
        weights = logistic(rows[~out], np.ones((~out).sum()), 1.0)
        likely[out] = expit(rows[out] @ weights)
    return likely


def decided(
    kind: str, likely: np.ndarray, question: np.ndarray, above: float, where: np.ndarray | None = None
) -> dict[str, float]:
    """Accuracy where it decides, and how often it does, with 95 % intervals over questions."""
    size = int(question.max()) + 1
    chosen = np.ones(len(likely), bool) if where is None else where
    likely, question = likely[chosen], question[chosen]
    decides = np.maximum(likely, 1 - likely) > above
    right = np.bincount(question, weights=decides & (likely > 0.5), minlength=size)
    made = np.bincount(question, weights=decides, minlength=size)
    whole = np.bincount(question, minlength=size)
    drawn = _drawn(size)
    return {
        **_interval(f"review.accuracy{kind}", right, made, drawn),
        **_interval(f"review.coverage{kind}", made, whole, drawn),
    }


@cache
def _drawn(size: int) -> np.ndarray:
    """How often each question is drawn, in each sample of the bootstrap."""
    drawn = np.random.default_rng(1).poisson(1.0, (SAMPLES, size))
    return drawn.astype(np.float32)


def _interval(key: str, hits: np.ndarray, of: np.ndarray, drawn: np.ndarray) -> dict[str, float]:
    share = hits.sum() / max(of.sum(), 1)
    low, high = np.quantile((drawn @ hits) / np.maximum(drawn @ of, 1), [0.025, 0.975])
    return {
        key: round(float(share), 4),
        f"{key}.low": round(float(low), 4),
        f"{key}.high": round(float(high), 4),
    }


def figures(data: Path) -> dict[str, float]:
    """The figures `review.*` of a folder of recordings."""
    given = disputes_of(data)
    known, unknown = likelihoods(given)
    named = np.isin(given.models, [given.names.index(name) for name in NAMED if name in given.names]).all(
        axis=1
    )
    calculating = given.calculating > 0
    question = given.question
    confidence, right = np.maximum(unknown, 1 - unknown), unknown > 0.5
    bins = np.minimum(((confidence - 0.5) * 20).astype(int), 9)
    gaps = [abs(right[bins == n].sum() - confidence[bins == n].sum()) for n in range(10)]
    return {
        "review.disagreements": len(question),
        **decided("", unknown, question, ABOVE),
        **decided("_always", unknown, question, 0.5),
        **decided("_above_065", unknown, question, 0.65),
        **decided("_above_080", unknown, question, 0.80),
        **decided("_calculating", unknown, question, ABOVE, calculating),
        **decided("_other", unknown, question, ABOVE, ~calculating),
        **decided("_flash_llama70", unknown, question, ABOVE, named),
        **decided("_flash_llama70_above_065", unknown, question, 0.65, named),
        **decided("_known_models", known, question, ABOVE),
        **decided("_findings", given.found, question, 0.5),
        **decided("_findings_flash_llama70", given.found, question, 0.5, named),
        **decided("_author_alone", by_author(given), question, 0.5),
        "review.calibration_error": round(float(sum(gaps) / len(right)), 4),
    }
