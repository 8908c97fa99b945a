"""Which unanimous answers of flash and Llama-70B are wrong: flagged as hollow, or caught by the audit.

A third cheap model of another maker (DeepSeek) reads the question as well, and a vote fitted to graded
rounds of the three says how likely the agreed answer is right, from who said what, the category, and
how the reasoning is written. Those least likely are flagged, by a bound set where the vote was held
out (folds of its own within what it is fitted to); of the rest a seeded share is audited. A wrong one
counts as caught where it is reviewed either way. `hollow.cost` is what the third model adds, against
the chair alone; `hollow.caught_unasked` is the same without it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from judging import DEEPSEEK, FLASH, FOLDS, LLAMA70, PRO, Figures, Item, interval, items, manner, share

from dissensus_agents.judgement.fitting import Design

FLAGGED = 0.23
AUDITED = 0.01
"""Of the unanimous rounds: together below a quarter, with room for what differs from fold to fold."""


def figures(data: Path) -> Figures:
    """The share of wrong unanimous answers that is caught, and the share of unanimous answers reviewed."""
    found: Figures = {}
    agreed = [
        item for item in items(data) if item.letters[FLASH] and item.letters[FLASH] == item.letters[LLAMA70]
    ]
    wrong = np.array([not item.is_right(FLASH) for item in agreed])
    share(found, "hollow.unanimous_wrong", wrong)
    for key, models in (("", (FLASH, LLAMA70, DEEPSEEK)), ("_unasked", (FLASH, LLAMA70))):
        flagged = _flagged(agreed, models)
        drawn = random.Random("hollow")
        audited = np.array([drawn.random() < AUDITED for _ in agreed])
        reviewed = flagged | audited
        interval(
            found, f"hollow.caught{key}", lambda n, seen=reviewed: _of_wrong(seen[n], wrong[n]), len(agreed)
        )
        share(found, f"hollow.reviewed{key}", reviewed)
        found[f"hollow.flagged_wrong{key}"] = round(float(wrong[flagged].mean()), 4)
    third = sum(item.costs[DEEPSEEK] for item in agreed)
    found["hollow.cost"] = round(third / sum(item.costs[PRO] for item in agreed), 4)
    return found


def _of_wrong(reviewed: np.ndarray, wrong: np.ndarray) -> float:
    return float(reviewed[wrong].mean()) if wrong.any() else 0.0


def _flagged(agreed: Sequence[Item], models: tuple[str, ...]) -> np.ndarray:
    """For each unanimous question whether it is flagged, by a vote and a bound that did not see it."""
    design = Design([item.graded(models) for item in agreed], manner)
    place = [_place(item, models) for item in agreed]
    flagged = np.zeros(len(agreed), dtype=bool)
    for fold in range(FOLDS):
        train = [n for n, item in enumerate(agreed) if item.fold != fold]
        test = [n for n, item in enumerate(agreed) if item.fold == fold]
        ridge = design.choose(train)
        sure = _sure(design, train, test, place, ridge)
        seen: list[float] = []
        for other in range(FOLDS):
            rest = [n for n in train if agreed[n].fold != other]
            held = [n for n in train if agreed[n].fold == other]
            seen += _sure(design, rest, held, place, ridge) if held else []
        bound = float(np.quantile(seen, FLAGGED))
        flagged[test] = np.array(sure) < bound
    return flagged


def _sure(
    design: Design, train: list[int], held: list[int], place: Sequence[int], ridge: float
) -> list[float]:
    """How likely the agreed answer is right, by a vote fitted to other rounds."""
    _, shares = design.posteriors(held, design.solve(train, ridge))
    return [float(row[place[n]]) for n, row in zip(held, shares, strict=True)]


def _place(item: Item, models: tuple[str, ...]) -> int:
    """The number of the position that the two agree on."""
    return next(ballot.position for ballot in item.graded(models).ballots if ballot.voter.model == FLASH)
