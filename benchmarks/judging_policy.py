"""Cheap models one after the other, each with a vote of all asked so far, on to the next while it pays.

Five folds by sha256(id): votes, lines and the price of an answer are fitted to four of them
(`fitting_paying.Tried`, which holds folds of its own out to see what a vote comes to), and the fifth is
answered with the policy as it is served (`paying.Paying`). Which models are tiers was settled by trying a few
on these very questions; their order is by price, pro before Llama-70B, and the bounds below were set before
the policy was run. The votes read who said what, the category as the task, and how the reasoning is written
(`manner`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from judging import (
    DEEPSEEK,
    FLASH,
    FOLDS,
    LLAMA70,
    PRO,
    Figures,
    Item,
    Standing,
    interval,
    items,
    manner,
    share,
)

from dissensus_agents.judgement.fitting_paying import Tried, only
from dissensus_agents.judgement.paying import Paying

TIERS = ((FLASH,), (DEEPSEEK,), (PRO,), (LLAMA70,))
ASKED = tuple(model for tier in TIERS for model in tier)
BEST_COST = 0.95
"""What the best policy may cost of the chair alone where it is fitted: below 1, to stay so elsewhere."""

PARITY = 0.005
"""How much more than the chair a policy is to be right where it is fitted, to be as right elsewhere."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a question ended: whether the answer is right, what it cost, and how many were asked."""

    right: bool
    cost: float
    asked: int


def figures(data: Path) -> Figures:
    """The best policy below the chair's cost, the cheapest that keeps its accuracy, and the claims."""
    best: dict[str, Ended] = {}
    kept: dict[str, Ended] = {}
    routed: dict[str, Ended] = {}
    for fold in range(FOLDS):
        train = [item for item in items(data) if item.fold != fold]
        test = [item for item in items(data) if item.fold == fold]
        tried = Tried(
            [item.graded(ASKED) for item in train], TIERS, [item.costs for item in train], features=manner
        )
        chair = float(np.mean([item.costs[PRO] for item in train]))
        target = float(np.mean([item.is_right(PRO) for item in train])) + PARITY
        dear, cheap = tried.costing(BEST_COST * chair), tried.keeping(target)
        best |= {item.key: ended(dear, item) for item in test}
        kept |= {item.key: ended(cheap, item) for item in test}
        routed |= routes(train, test, target)
    found: Figures = {}
    asked = items(data)
    _told(found, "policy.best", asked, best)
    _told(found, "policy.parity", asked, kept)
    _told(found, "routing.parity", asked, routed)
    for name in ("", ".low", ".high"):
        found[f"policy.cost_at_parity{name}"] = found[f"policy.parity_cost{name}"]
        found[f"policy.best_gain{name}"] = found.pop(f"policy.best_over_chair{name}")
    for claim, policy in (
        ("claim.cascade_saved", "policy.parity"),
        ("claim.routing_saved", "routing.parity"),
    ):
        for name, of in (("", ""), (".low", ".high"), (".high", ".low")):
            found[f"{claim}{name}"] = round(1 - found[f"{policy}_cost{of}"], 4)
    return found


def ended(policy: Paying, item: Item) -> Ended:
    """Answer a question with a policy, as it would be asked: the next tier only where it pays."""
    whole = item.graded(ASKED)
    asked: tuple[str, ...] = ()
    while True:
        now = only(whole, set(asked))
        heard = {ballot.voter.model for ballot in now.ballots}
        step = policy.step(
            now.ballots, now.task, now.options, silent=[one for one in asked if one not in heard]
        )
        if not step.go:
            break
        asked += step.models
    said = policy.weigh(now.ballots, now.task, now.options).best if now.ballots else None
    return Ended(said is not None and said == now.right, sum(item.costs[one] for one in asked), len(asked))


def routes(train: Sequence[Item], test: Sequence[Item], target: float) -> dict[str, Ended]:
    """Each question to one model, by what is known before anybody is asked: how right it is at the category.

    A model is taken for its accuracy less its cost at a price; the highest price is taken at which the
    accuracies promise what is asked for.
    """
    standing = Standing(train)
    models = (PRO, FLASH, DEEPSEEK, LLAMA70)
    cost = {model: float(np.mean([item.costs[model] for item in train])) for model in models}

    def to(task: str, price: float) -> str:
        return max(models, key=lambda one: standing.accuracy(one, task).shrunk(0.5, 0) - price * cost[one])

    def promised(price: float) -> float:
        return float(np.mean([item.is_right(to(item.task, price)) for item in train]))

    prices = [0.0, *np.geomspace(0.1, 10_000, 120)]
    price = max(one for one in prices if one == 0 or promised(one) >= target)
    return {
        item.key: Ended(item.is_right(model := to(item.task, price)), item.costs[model], 1) for item in test
    }


def _told(found: Figures, key: str, asked: Sequence[Item], ends: dict[str, Ended]) -> None:
    """Accuracy, cost against the chair alone, and how much more is right than with it alone."""
    mine = [ends[item.key] for item in asked]
    chair = np.array([item.costs[PRO] for item in asked])
    cost = np.array([one.cost for one in mine])
    share(found, f"{key}_accuracy", [one.right for one in mine])
    interval(found, f"{key}_cost", lambda n: float(cost[n].sum() / chair[n].sum()), len(mine))
    share(
        found,
        f"{key}_over_chair",
        [one.right - item.is_right(PRO) for one, item in zip(mine, asked, strict=True)],
    )
    found[f"{key}_asked"] = round(float(np.mean([one.asked for one in mine])), 3)
