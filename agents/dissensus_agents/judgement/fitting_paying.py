"""Fits whether it pays to ask one more (`paying`) to graded rounds. Needs the extra `learn`.

    tried = Tried(rounds, [["small"], ["other"], ["large"]], costs, features=manner)
    tried.costing(0.95 * dear)      # the most right answers for that much a question
    tried.keeping(0.72)             # the cheapest that is right as often

Each tier has its vote. What going on from a tier brings is read off rounds that the votes were not
fitted to, from the last tier backward (the regression of Longstaff and Schwartz 2001): where it is not
worth its price, the round ends there, and the tier before is judged by what then comes of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .fitted import Features, Provenance
from .fitting import Design, Graded, digest_of
from .folds import numpy
from .paying import Paying, Promised, Tier, posture

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

FOLDS = 4
_STEPS = 24  # how often a price is halved in: to a ten-millionth of where it began


@dataclass(frozen=True, slots=True)
class _Run:
    """What a price leads to on the rounds: the tiers' lines, which rounds are right, and their cost."""

    price: float
    lines: tuple[tuple[float, ...], ...]
    right: Array
    cost: Array


class Tried:
    """Tiers that were tried out on graded rounds; a policy for a sum, or for an accuracy, comes of it.

    Args:
        rounds: Rounds in which all models have voted, with a right answer on record.
        tiers: Which models are asked together, the first ones first.
        costs: For each round what each model's answer cost, in USD.
        features: What is measured of reasoning.
        ridge: How strongly the votes' weights are drawn toward 0.

    Raises:
        ValueError: There are no tiers, or not as many costs as rounds.
        NotInstalled: numpy is not installed.
    """

    def __init__(
        self,
        rounds: Sequence[Graded],
        tiers: Sequence[Sequence[str]],
        costs: Sequence[Mapping[str, float]],
        *,
        features: Features | None = None,
        ridge: float = 1.0,
    ) -> None:
        np = numpy()
        if not tiers or len(costs) != len(rounds):
            raise ValueError(f"{len(tiers)} tiers and {len(costs)} costs were given for {len(rounds)} rounds")
        self._rounds, self._tiers, self._features, self._ridge = list(rounds), tiers, features, ridge
        self._cost: Array = np.array([[sum(cost[one] for one in tier) for tier in tiers] for cost in costs])
        n = len(rounds)
        self._right: Array = np.zeros((n, len(tiers)))
        self._posture: Array = np.zeros((n, len(tiers), len(posture(()))))
        self._votes = []
        for t in range(len(tiers)):
            asked = {model for tier in tiers[: t + 1] for model in tier}
            self._votes.append(self._try([only(one, asked) for one in rounds], t))

    def _try(self, rounds: Sequence[Graded], t: int) -> tuple[Design, Array]:
        """Fit a tier's vote, and see on rounds held out what it comes to."""
        spoken = [n for n, one in enumerate(rounds) if one.ballots]
        design = Design([rounds[n] for n in spoken], self._features)
        for rows, weights in design.held_out(FOLDS, self._ridge):
            _, shares = design.posteriors(rows, weights)
            for row, share in zip(rows, shares[:, :-1], strict=True):
                n = spoken[row]
                self._right[n, t] = share.argmax() == design.right[row]
                self._posture[n, t] = posture(share.tolist())
        return design, design.solve(range(len(spoken)), self._ridge)

    def costing(self, most: float) -> Paying:
        """The policy with the most right answers that costs no more than this a question, in USD.

        Raises:
            ValueError: The first tier alone costs more.
        """
        first = float(self._cost[:, 0].mean())
        if first > most:
            raise ValueError(
                f"The first tier alone costs {first:.6f} USD a question, and {most:.6f} is the most"
            )
        return self._searched(lambda run: bool(run.cost.mean() <= most))

    def keeping(self, accuracy: float) -> Paying:
        """The cheapest policy that is right as often as this (0 to 1).

        Raises:
            ValueError: Even all tiers together are not.
        """
        best = float(self._run(0.0).right.mean())
        if best < accuracy:
            raise ValueError(
                f"At any cost these tiers are right in {best:.3f}, and {accuracy:.3f} is asked for"
            )
        return self._searched(lambda run: bool(run.right.mean() < accuracy), last_before=True)

    def _searched(self, dear_enough: Any, *, last_before: bool = False) -> Paying:
        """Halve in on the price of an answer at which a bound is met.

        Prices are searched as answers that a dollar buys: the higher, the sooner a round ends.
        """
        low, high = 0.0, 4.0 / max(float(self._cost.mean()), 1e-12)
        if dear_enough(self._run(low)) and not last_before:
            return self._paying(self._run(low))
        for _ in range(_STEPS):
            middle = (low + high) / 2
            low, high = (low, middle) if dear_enough(self._run(middle)) else (middle, high)
        return self._paying(self._run(low if last_before else high))

    def _run(self, buys: float) -> _Run:
        """Go backward through the tiers: from each one on where that is worth it."""
        np = numpy()
        last = self._cost.shape[1] - 1
        right, rest, lines = self._right[:, last].copy(), np.zeros(len(self._rounds)), []
        for t in range(last - 1, -1, -1):
            on = self._cost[:, t + 1] + rest
            x = self._posture[:, t]
            net = right - self._right[:, t] - buys * on
            line = np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ net)
            go = x @ line > 0
            right, rest = np.where(go, right, self._right[:, t]), np.where(go, on, 0.0)
            lines.append(tuple(map(float, line)))
        return _Run(buys, tuple(reversed(lines)), right, self._cost[:, 0] + rest)

    def _paying(self, run: _Run) -> Paying:
        digest, day = digest_of(self._rounds), datetime.now(UTC).date().isoformat()
        split = f"votes: {FOLDS} folds by sha256(key); when to go on: fitted to what was held out of them"
        lines = (*run.lines, None)
        tiers = []
        for t, (models, (design, weights)) in enumerate(zip(self._tiers, self._votes, strict=True)):
            origin = Provenance(len(design.rounds), f"{FOLDS} folds by sha256(key)", digest, day, self._ridge)
            vote = design.vote(weights, origin, self._features)
            tiers.append(Tier(tuple(models), vote, float(self._cost[:, t].mean()), lines[t]))
        promised = Promised(
            len(self._rounds), float(run.right.mean()), float(run.cost.mean()), split, digest, day
        )
        return Paying(tuple(tiers), 1 / run.price if run.price else 1e9, promised)


def only(one: Graded, models: frozenset[str] | set[str]) -> Graded:
    """The round as it would have been with these models alone."""
    ballots = [ballot for ballot in one.ballots if ballot.voter.model in models]
    number = {position: n for n, position in enumerate(sorted({ballot.position for ballot in ballots}))}
    return replace(
        one,
        ballots=tuple(replace(ballot, position=number[ballot.position]) for ballot in ballots),
        right=None if one.right is None else number.get(one.right),
    )
