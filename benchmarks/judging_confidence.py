"""How far the confidence in the agreed answer is off: expected calibration error, 15 bins, five folds.

Three ways to be confident: as if errors were independent (Bayes), discounted by what is known of accuracies
and correlation (`Discounted`, the default), and fitted to graded rounds (`FittedVote`; who said what and the
category, no reasoning). `confidence.ece` is the largest of the fitted votes' over the sets named here, which
are those of the research: three of 3, two of 5, all nine.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from judging import (
    DEEPSEEK,
    FLASH,
    FOLDS,
    JAMBA,
    LLAMA8,
    LLAMA70,
    NINE,
    PRO,
    QWEN,
    Figures,
    Item,
    Standing,
    interval,
    items,
)

from dissensus_agents.judgement.ballots import Rate, Voter, Weigher
from dissensus_agents.judgement.discounted import Discounted
from dissensus_agents.judgement.fitting import Design, calibration_error

SETS: Mapping[str, tuple[str, ...]] = {
    "3_flash_llama70_ds": (FLASH, LLAMA70, DEEPSEEK),
    "3_pro_flash_llama70": (PRO, FLASH, LLAMA70),
    "3_pro_llama70_ds": (PRO, LLAMA70, DEEPSEEK),
    "5_of_5_lineages": (PRO, LLAMA70, JAMBA, DEEPSEEK, QWEN),
    "5_of_3_lineages": (PRO, FLASH, LLAMA70, LLAMA8, DEEPSEEK),
    "9_all": NINE,
}
RIDGE = 1.0


class Independent(Standing):
    """The same accuracies, and no errors in common."""

    def correlation(self, a: Voter, b: Voter, task: str) -> tuple[float, int]:
        """None at all, and very sure of it."""
        del a, b, task
        return 0.0, 10**9

    def accuracy(self, model: str, task: str) -> Rate | None:
        """See `Knowledge`."""
        return super().accuracy(model, task)


def figures(data: Path) -> Figures:
    """The calibration error of each set and way, and the largest of each way."""
    found: Figures = {}
    known = {fold: [item for item in items(data) if item.fold != fold] for fold in range(FOLDS)}
    ways: dict[str, dict[int, Weigher]] = {
        "discounted": {fold: Discounted(Standing(train)) for fold, train in known.items()},
        "independent": {fold: Discounted(Independent(train)) for fold, train in known.items()},
    }
    for name, models in SETS.items():
        _put(found, name, "fitted", _fitted(items(data), models))
        for way, weighers in ways.items():
            _put(found, name, way, _weighed(items(data), models, weighers))
    for way, key in (("fitted", ""), ("discounted", ".discounted"), ("independent", ".independent")):
        worst = max(SETS, key=lambda name: found[f"confidence.{name}.{way}"])
        for end in ("", ".low", ".high"):
            found[f"confidence.ece{key}{end}"] = found[f"confidence.{worst}.{way}{end}"]
    return found


def _fitted(asked: tuple[Item, ...], models: tuple[str, ...]) -> tuple[list[float], list[bool]]:
    rounds = [graded for item in asked if (graded := item.graded(models)).ballots]
    design = Design(rounds)
    sure, right = [], []
    for rows, weights in design.held_out(FOLDS, RIDGE):
        _, shares = design.posteriors(rows, weights)
        sure += list(shares[:, :-1].max(1))
        right += list(shares[:, :-1].argmax(1) == design.right[rows])
    return sure, right


def _weighed(
    asked: tuple[Item, ...], models: tuple[str, ...], weighers: Mapping[int, Weigher]
) -> tuple[list[float], list[bool]]:
    sure, right = [], []
    for item in asked:
        if not (graded := item.graded(models)).ballots:
            continue
        weighed = weighers[item.fold].weigh(graded.ballots, item.task, item.options)
        sure.append(weighed.confidence or 0.0)
        right.append(weighed.best == graded.right)
    return sure, right


def _put(found: Figures, name: str, way: str, seen: tuple[list[float], list[bool]]) -> None:
    sure, right = (np.asarray(one, dtype=float) for one in seen)
    interval(found, f"confidence.{name}.{way}", lambda n: calibration_error(sure[n], right[n]), len(sure))
    found[f"confidence.{name}.{way}.accuracy"] = round(float(right.mean()), 4)
