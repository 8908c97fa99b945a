"""Fits a vote to graded rounds, and tests it on rounds that it was not fitted to. Needs the extra `learn`.

The rounds are dealt to folds by the SHA-256 of their keys, so that the same rounds are always held out
together. The penalty is chosen inside of what is fitted, by log loss; what is reported comes from the folds
that were held out, and from nowhere else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .ballots import Ballot
from .fitted import MAX_WEIGHT, Features, FittedVote, Provenance, Tested, standing
from .folds import fold_of, numpy

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

RIDGES = (0.3, 1.0, 3.0)
"""The penalties that are tried."""

LEAST = 30
"""As many graded rounds are needed, or nothing is fitted."""

_PENALTIES = {"model": 1.0, "pair": 5.0, "task": 8.0, "none": 2.0, "reads": 2.0}
_PENALTY_OF_ONE = 8.0  # what is one model's own, of a feature's effect or of a task's "none"


@dataclass(frozen=True, slots=True)
class Graded:
    """A round whose right answer is known.

    `right` is the number of the right position, None where it was none of them; `key` tells rounds apart
    and deals them to folds.
    """

    key: str
    ballots: tuple[Ballot, ...]
    task: str
    right: int | None
    options: int | None = None


def fit(
    rounds: Sequence[Graded],
    *,
    features: Features | None = None,
    ridge: float | None = None,
    folds: int = 5,
    at: str | None = None,
) -> FittedVote:
    """Fit a vote to graded rounds.

    Args:
        rounds: Rounds with a right answer on record; those without ballots are left aside.
        features: What is measured of reasoning; None: reasoning is not read.
        ridge: How strongly weights are drawn toward 0; None: chosen by log loss from `RIDGES`.
        folds: Into how many parts the rounds are dealt, each held out once; 0: nothing is tested.
        at: The day to put down; None: today.

    Raises:
        ValueError: There are fewer than `LEAST` rounds, or only one fold.
        NotInstalled: numpy is not installed.
    """
    told = [one for one in rounds if one.ballots]
    if len(told) < LEAST:
        raise ValueError(f"A vote needs {LEAST} graded rounds; there are {len(told)}")
    if folds == 1:
        raise ValueError("One fold leaves nothing to fit to: give 0 folds, or 2 and more")
    design = Design(told, features)
    tested = None
    if folds:
        tested = tested_by([design.posteriors(*part) for part in design.held_out(folds, ridge)], design)
    every = list(range(len(told)))
    chosen = ridge if ridge is not None else design.choose(every)
    split = f"{folds} folds by sha256(key)" if folds else "none: nothing was held out"
    day = at or datetime.now(UTC).date().isoformat()
    weights = design.solve(every, chosen)
    provenance = Provenance(len(told), split, digest_of(told), day, chosen, tested)
    return design.vote(weights, provenance, features)


class Design:
    """Graded rounds as arrays, so that many votes can be fitted to parts of them.

    Attributes:
        models: Who votes in them.
        terms: What speaks for a position, as in `dissensus_agents.judgement.fitted`.
        x: The terms' values, of shape (rounds, positions + 1, terms); the last position is none of them.
        offset: What is added to a score, of shape (rounds, positions + 1); minus infinity where none is.
        right: The right position of each round.
    """

    def __init__(self, rounds: Sequence[Graded], features: Features | None = None) -> None:
        np = numpy()
        self.rounds = list(rounds)
        self.models = tuple(sorted({one.voter.model for each in rounds for one in each.ballots}))
        stands = [standing(one.ballots, one.task, one.options, features, self.models) for one in rounds]
        self.terms = sorted({term for stand in stands for terms, _ in stand for term in terms})
        place = {term: n for n, term in enumerate(self.terms)}
        deep = max(len(stand) for stand in stands)
        self.x: Array = np.zeros((len(rounds), deep, len(self.terms)))
        self.offset: Array = np.full((len(rounds), deep), -np.inf)
        self.right: Array = np.zeros(len(rounds), dtype=int)
        for n, (one, stand) in enumerate(zip(rounds, stands, strict=True)):
            # "None of these" stands last for everybody, whatever number of positions a round has.
            for row, (terms, offset) in zip([*range(len(stand) - 1), deep - 1], stand, strict=True):
                self.offset[n, row] = offset
                for term, value in terms.items():
                    self.x[n, row, place[term]] = value
            self.right[n] = deep - 1 if one.right is None else one.right
        impossible = np.isinf(self.offset[np.arange(len(rounds)), self.right])
        if impossible.any():
            key = self.rounds[int(impossible.argmax())].key
            raise ValueError(f"The right answer of {key} is none of its positions, which are all the options")
        self.penalty: Array = np.array([_penalty(term) for term in self.terms])

    def solve(self, rows: Sequence[int], ridge: float) -> Array:
        """The weights that fit these rounds best, by Newton's method with halved steps."""
        np = numpy()
        x, offset, right = self.x[rows], self.offset[rows], self.right[rows]
        flat, penalty, each = x.reshape(-1, x.shape[2]), ridge * self.penalty, np.arange(len(rows))
        weights: Array = np.zeros(x.shape[2])

        def loss(weights: Array) -> float:
            p = _softmax(x @ weights + offset)
            return float(-np.log(p[each, right]).sum() + 0.5 * (penalty * weights**2).sum())

        now = loss(weights)
        for _ in range(30):
            p = _softmax(x @ weights + offset)
            off = p.copy()
            off[each, right] -= 1
            slope = flat.T @ off.ravel() + penalty * weights
            mean = np.einsum("np,npd->nd", p, x)
            curve = (flat * p.reshape(-1, 1)).T @ flat - mean.T @ mean + np.diag(penalty)
            step, size = np.linalg.solve(curve, slope), 1.0
            while (then := loss(weights - size * step)) > now and size > 1e-4:
                size /= 2
            if then >= now:
                break
            weights, gained, now = weights - size * step, now - then, then
            if gained < 1e-4:
                break
        bounded: Array = np.clip(weights, -MAX_WEIGHT, MAX_WEIGHT)
        return bounded

    def posteriors(self, rows: Sequence[int], weights: Array) -> tuple[Sequence[int], Array]:
        """The shares of each position in these rounds, none of them last."""
        return rows, _softmax(self.x[rows] @ weights + self.offset[rows])

    def held_out(self, folds: int, ridge: float | None) -> list[tuple[list[int], Array]]:
        """For each fold its rounds, and the weights fitted to the others."""
        dealt = [fold_of(one.key, folds) for one in self.rounds]
        parts = []
        for fold in sorted(set(dealt)):
            rest = [n for n, one in enumerate(dealt) if one != fold]
            if not rest:
                raise ValueError(f"All rounds fall into one of {folds} folds: their keys are too much alike")
            chosen = ridge if ridge is not None else self.choose(rest)
            parts.append(([n for n, one in enumerate(dealt) if one == fold], self.solve(rest, chosen)))
        return parts

    def choose(self, rows: Sequence[int]) -> float:
        """The penalty with the least log loss over three parts of these rounds, each held out once."""
        np = numpy()
        dealt = [fold_of(f"ridge/{self.rounds[n].key}", 3) for n in rows]

        def lost(ridge: float) -> float:
            total = 0.0
            for fold in set(dealt):
                rest = [n for n, one in zip(rows, dealt, strict=True) if one != fold]
                held, shares = self.posteriors(
                    [n for n, one in zip(rows, dealt, strict=True) if one == fold],
                    self.solve(rest or list(rows), ridge),
                )
                total -= float(np.log(shares[np.arange(len(held)), self.right[held]]).sum())
            return total

        return min(RIDGES, key=lost)

    def vote(self, weights: Array, provenance: Provenance, features: Features | None) -> FittedVote:
        """The weights as a vote that can be served."""
        named = dict(zip(self.terms, map(float, weights), strict=True))
        return FittedVote(named, self.models, provenance, features)


def tested_by(parts: Sequence[tuple[Sequence[int], Array]], design: Design) -> Tested:
    """How good shares are that were given to rounds held out."""
    np = numpy()
    rows = np.concatenate([np.asarray(rows) for rows, _ in parts])
    shares = np.concatenate([shares for _, shares in parts])
    right = design.right[rows]
    positions = shares[:, :-1]
    sure, hit = positions.max(1), positions.argmax(1) == right
    lost = -np.log(np.maximum(shares[np.arange(len(rows)), right], 1e-12))
    return Tested(
        between(lambda n: float(hit[n].mean()), len(rows)),
        between(lambda n: float(lost[n].mean()), len(rows)),
        between(lambda n: calibration_error(sure[n], hit[n]), len(rows)),
    )


def calibration_error(sure: Array, hit: Array, bins: int = 15) -> float:
    """How far confidence and share of right answers lie apart: the mean over bins of equal width."""
    np = numpy()
    if not len(sure):
        return 0.0
    place = np.minimum((np.asarray(sure) * bins).astype(int), bins - 1)
    gap = np.bincount(place, weights=np.asarray(sure) - np.asarray(hit), minlength=bins)
    return float(np.abs(gap).sum() / len(sure))


def between(figure: Callable[[Array], float], n: int, times: int = 300) -> tuple[float, float, float]:
    """A figure of n rounds with its 95 % interval: the bootstrap over rounds, with a fixed seed."""
    np = numpy()
    drawn = np.random.default_rng(0)
    seen = [figure(drawn.integers(0, n, n)) for _ in range(times)]
    low, high = np.quantile(seen, (0.025, 0.975))
    return figure(np.arange(n)), float(low), float(high)


def _penalty(term: str) -> float:
    kind, *rest = term.split(":", 2)
    return (
        _PENALTY_OF_ONE if kind in {"reads", "none"} and len(rest) > (kind == "reads") else _PENALTIES[kind]
    )


def _softmax(scores: Array) -> Array:
    np = numpy()
    parts = np.exp(scores - scores.max(1, keepdims=True))
    shares: Array = parts / parts.sum(1, keepdims=True)
    return shares


def digest_of(rounds: Sequence[Graded]) -> str:
    """The SHA-256 of graded rounds: of their votes, reasoning and right answers, in whatever order."""
    seen = hashlib.sha256()
    for one in sorted(rounds, key=lambda one: one.key):
        held = [(ballot.voter.model, ballot.position, ballot.thinking) for ballot in one.ballots]
        seen.update(repr((one.key, one.task, one.right, one.options, held)).encode("utf-8", "replace"))
    return seen.hexdigest()
