"""Has the mean of a stream changed for the worse? An e-detector: looked at after every answer, for ever.

For each of a few bets against "the mean is still at least m" a gambler's capital is kept, which is put back
to 1 whenever it has fallen below (the CUSUM form M = max(M, 1) e of an e-detector: Shin, Ramdas and
Rinaldo, arXiv 2203.03532). With x between 0 and 1 and a bet b, e = 1 + b (m - x) is 1 in the mean, or
less, as long as the mean is m or more, whatever the shape of x: no more is assumed. So a detector that
rings where the mean capital over the bets reaches L rings on a quiet stream once in L answers on
average at the most; and within n answers with a probability of at most n / L. On streams that are not made
to embarrass it, it rings far less (`benchmarks/judging_alarms.py`).

What the mean was before is itself only estimated, from a reference of so many answers. The m that is tested
lies below that by the tolerance, and by no less than two standard errors of the estimate: a detector without
that margin takes an unlucky reference for a change. While nothing is suspected the reference grows, up to
five times what it began with and no further: so that its error wears off, and a slow decline is not learned
as what is normal. The m of a suspicion is that of the moment before it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

SHIFTS: Final = (0.5, 1.0, 1.5)
"""How far the mean has fallen that each bet is best against, in logits: from 0.79 to 0.70, 0.58 and 0.46."""

ERRORS: Final = 2.0
"""By how many standard errors of the reference a mean has to differ at least."""

GROWTH: Final = 5
"""Up to how many times what it began with a reference grows while nothing is suspected."""

_LEAST, _RELEARNED, _RICHEST = 0.01, 1.05, 1e300


class Detector:
    """Watches a stream of values from 0 to 1 for a fall of its mean.

    Args:
        mean: The mean of the reference, 0 to 1.
        on: How many answers the reference rests on.
        tolerance: By how much the mean may fall without being taken for a change.
        run_length: After how many answers on average it may ring at the soonest on a quiet stream.

    Attributes:
        bets: The bets against that mean, one for each of `SHIFTS`.
        tested: The mean that is tested; the detector is idle where that is next to nothing.
        capital: The mean capital of the bets; it rings at `run_length`.
        on: How many answers the reference rests on by now.
    """

    def __init__(self, mean: float, on: int, tolerance: float = 0.05, run_length: float = 1000) -> None:
        self.run_length = run_length
        self.capital = 1.0
        self.on = on
        self._tolerance, self._most = tolerance, GROWTH * on
        self._total = mean * on
        self._pending: list[float] = []
        self._capitals = [1.0] * len(SHIFTS)
        self._spans = [0] * len(SHIFTS)
        self._sums = [0.0] * len(SHIFTS)
        self._resting = True
        self._learn()

    @property
    def mean(self) -> float:
        """The mean of the reference."""
        return self._total / self.on

    @property
    def idle(self) -> bool:
        """Whether there is nothing that could fall."""
        return self.tested < _LEAST

    def heed(self, value: float) -> bool:
        """Take the next value; whether it rings."""
        if self._resting and value >= self.tested:  # a bet that is lost at once is where it was
            if self.on < self._most:
                self._pending.append(value)
            return False
        if self._resting and self._pending:
            self._grow()
        self._play(value)
        if self.on < self._most:
            self._pending.append(value)
        return self.capital >= self.run_length

    def _play(self, value: float) -> None:
        resting = True
        for n, bet in enumerate(self.bets):
            capital = self._capitals[n]
            if capital <= 1:
                capital, self._spans[n], self._sums[n] = 1.0, 0, 0.0
            capital *= 1 + bet * (self.tested - value)
            self._capitals[n] = min(capital, _RICHEST)
            self._spans[n] += 1
            self._sums[n] += value
            resting = resting and capital <= 1
        self._resting = resting
        self.capital = sum(self._capitals) / len(SHIFTS)

    def _grow(self) -> None:
        """Take what came since the last suspicion for as normal as the reference."""
        self._total += sum(self._pending)
        self.on += len(self._pending)
        self._pending.clear()
        if self.on >= self._learned * _RELEARNED:
            self._learn()

    def _learn(self) -> None:
        """What is tested, and by which bets."""
        self._learned = self.on
        mean = (self._total + 1) / (self.on + 2)  # a reference without a single failure is not certain either
        error = math.sqrt(mean * (1 - mean) / self.on)
        self.tested = self.mean - max(self._tolerance, ERRORS * error)
        self.bets = (0.0,) * len(SHIFTS) if self.idle else tuple(_bet(self.tested, one) for one in SHIFTS)

    @property
    def change(self) -> tuple[float, int]:
        """The mean since the change that is suspected, and how many answers ago that was."""
        if self._resting:
            return self.mean, 0
        best = max(range(len(SHIFTS)), key=self._capitals.__getitem__)
        return self._sums[best] / self._spans[best], self._spans[best]


def _bet(mean: float, shift: float) -> float:
    """The bet that gains most where the mean has fallen so far: the likelihood ratio of two coins."""
    fallen = 1 / (1 + math.exp(shift - math.log(mean / (1 - mean))))
    return (mean - fallen) / (mean * (1 - mean))


def delay(values: Sequence[float], detector: Detector) -> int | None:
    """After how many values a detector rings; None where it does not."""
    return next((n for n, value in enumerate(values, 1) if detector.heed(value)), None)
