"""Shares with intervals, differences in pairs, and how errors go together: pure functions on numbers.

Items are asked one or more times; the answers to one item are not independent of each other, so all
intervals are over items (the means of their repeats), never over answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, median

Z95 = NormalDist().inv_cdf(0.975)
Z90 = NormalDist().inv_cdf(0.95)
"""Of a one-sided test at 5 %."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95 % interval, over `n` items."""

    value: float
    low: float
    high: float
    n: int

    def as_dict(self) -> dict[str, float | int]:
        """The estimate as plain data."""
        return {"value": self.value, "low": self.low, "high": self.high, "n": self.n}


def mean_of(means: Sequence[float]) -> Estimate | None:
    """The mean of scores (0 to 1), one mean for each item, by Wilson's interval.

    Where items were repeated or scores are fractions, the interval is that of as many right-or-wrong answers
    as would have the same variance: the design effect of Kish, never below one answer an item.
    """
    n = len(means)
    if n == 0:
        return None
    p = fmean(means)
    variance = _variance(means, p) / n
    effective = max(float(n), p * (1 - p) / variance) if variance > 0 else float(n)
    low, high = wilson(p, effective)
    return Estimate(p, low, high, n)


def wilson(p: float, n: float, z: float = Z95) -> tuple[float, float]:
    """Wilson's score interval of a share (Wilson, JASA 1927)."""
    wide = z * z / n
    middle = (p + wide / 2) / (1 + wide)
    half = z / (1 + wide) * math.sqrt(p * (1 - p) / n + wide / (4 * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def difference_of(one: Sequence[float], other: Sequence[float], z: float = Z95) -> Estimate | None:
    """How much better `one` is than `other` on the same items, with an interval for pairs.

    Agresti and Min's (Statistics in Medicine, 2005): Wald's, after two items more, of which half a one is
    won and half a one lost. So it does not shrink to nothing where few items were seen to differ. The value
    is that of the items alone.
    """
    apart = [a - b for a, b in zip(one, other, strict=True)]
    n = len(apart)
    if n == 0:
        return None
    more = n + 2
    middle = sum(apart) / more
    squares = math.fsum(x * x for x in apart) + 1
    half = z * math.sqrt(max(0.0, squares / more - middle * middle) / more)
    return Estimate(fmean(apart), max(-1.0, middle - half), min(1.0, middle + half), n)


def _variance(values: Sequence[float], mean: float) -> float:
    return math.fsum((value - mean) ** 2 for value in values) / max(1, len(values) - 1)


def quantile(values: Sequence[float], share: float) -> float | None:
    """The least value that so large a share of the values does not exceed."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def middle(values: Sequence[float]) -> float | None:
    """The median, or None where there are no values."""
    return median(values) if values else None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models on the same `n` answers; what cannot be said is None.

    `agreement`: they say the same. `same_wrong`: the same, given that both are wrong (Kim et al. 2025),
    beside `chance`, which is 1 over the wrong options. `phi`: Pearson's correlation of right and wrong.
    `capa`: chance-adjusted agreement (Goel et al. 2025), from answers. `unanimous_wrong`: both say the same
    wrong answer, of all. `right_if_agree`: right, given that they say the same.
    """

    n: int
    agreement: float
    both_wrong: float
    same_wrong: float | None
    chance: float | None
    phi: float | None
    capa: float | None
    unanimous_wrong: float
    right_if_agree: float | None


@dataclass(frozen=True, slots=True)
class Voice:
    """One answer: what it says (None: nothing), whether that is right, and among how many options."""

    said: str | None
    right: bool
    options: int | None = None


def pair_of(one: Sequence[Voice], other: Sequence[Voice]) -> Pair | None:
    """How two models go together on the same items, in the same order."""
    both = list(zip(one, other, strict=True))
    n = len(both)
    if n == 0:
        return None
    same = [a.said is not None and a.said == b.said for a, b in both]
    wrong = [not a.right and not b.right for a, b in both]
    echoed = sum(s and w for s, w in zip(same, wrong, strict=True))
    right = sum(a.right and s for (a, _), s in zip(both, same, strict=True))
    chances = [1 / (a.options - 1) for a, _ in both if a.options and a.options > 1]
    chance = fmean(chances) if len(chances) == n else None
    pa, pb = (fmean(float(voice.right) for voice in side) for side in (one, other))
    return Pair(
        n=n,
        agreement=sum(same) / n,
        both_wrong=sum(wrong) / n,
        same_wrong=echoed / sum(wrong) if any(wrong) else None,
        chance=chance,
        phi=phi_of([a.right for a, _ in both], [b.right for _, b in both]),
        capa=None if chance is None else _capa(sum(same) / n, pa, pb, chance),
        unanimous_wrong=echoed / n,
        right_if_agree=right / sum(same) if any(same) else None,
    )


def _capa(agreement: float, pa: float, pb: float, chance: float) -> float | None:
    expected = pa * pb + (1 - pa) * (1 - pb) * chance
    return None if expected >= 1 else (agreement - expected) / (1 - expected)


def phi_of(one: Sequence[bool], other: Sequence[bool]) -> float | None:
    """Pearson's correlation of two lists of right and wrong; None where one of them never varies."""
    n = len(one)
    a, b = sum(one), sum(other)
    both = sum(x and y for x, y in zip(one, other, strict=True))
    spread = a * (n - a) * b * (n - b)
    return None if spread == 0 else (n * both - a * b) / math.sqrt(spread)


def effective_votes(names: Sequence[str], phi: Callable[[str, str], float | None]) -> float | None:
    """How many independent votes these are worth: n / (1 + (n-1) rho), with the mean phi of pairs (Kish)."""
    n = len(names)
    if n < 2:
        return float(n)
    pairs = [phi(a, b) for place, a in enumerate(names) for b in names[place + 1 :]]
    known = [value for value in pairs if value is not None]
    if not known:
        return None
    rho = min(1.0, max(0.0, fmean(known)))
    return n / (1 + (n - 1) * rho)
