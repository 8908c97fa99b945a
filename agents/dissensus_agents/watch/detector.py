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
that margin takes an unlucky reference for a change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

SHIFTS: Final = (0.5, 1.0, 1.5)
"""How far the mean has fallen that each bet is best against, in logits: from 0.79 to 0.70, 0.58 and 0.46."""

ERRORS: Final = 2.0
"""By how many standard errors of the reference a mean has to differ at least."""

_LEAST: Final = 0.01


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
    """

    def __init__(self, mean: float, on: int, tolerance: float = 0.05, run_length: float = 1000) -> None:
        smoothed = (mean * on + 1) / (on + 2)  # a reference without a single failure is not certain either
        error = math.sqrt(smoothed * (1 - smoothed) / on)
        self.tested = mean - max(tolerance, ERRORS * error)
        self.run_length = run_length
        self.capital = 1.0
        self.idle = self.tested < _LEAST
        self.bets = () if self.idle else tuple(_bet(self.tested, shift) for shift in SHIFTS)
        self._capitals = [1.0] * len(self.bets)
        self._spans = [0] * len(self.bets)
        self._sums = [0.0] * len(self.bets)
        self._resting = True

    def heed(self, value: float) -> bool:
        """Take the next value; whether it rings."""
        if self.idle or (self._resting and value >= self.tested):
            return False  # a bet that is won from the start is where it was
        resting = True
        for n, bet in enumerate(self.bets):
            capital = self._capitals[n]
            if capital <= 1:
                capital, self._spans[n], self._sums[n] = 1.0, 0, 0.0
            capital *= 1 + bet * (self.tested - value)
            self._capitals[n] = min(capital, 1e300)
            self._spans[n] += 1
            self._sums[n] += value
            resting = resting and capital <= 1
        self._resting = resting
        self.capital = sum(self._capitals) / len(self._capitals)
        return self.capital >= self.run_length

    @property
    def change(self) -> tuple[float, int]:
        """The mean since the change that is suspected, and how many answers ago that was."""
        if self._resting or not self.bets:
            return self.tested, 0
        best = max(range(len(self.bets)), key=self._capitals.__getitem__)
        return self._sums[best] / self._spans[best], self._spans[best]


def _bet(mean: float, shift: float) -> float:
    """The bet that gains most where the mean has fallen so far: the likelihood ratio of two coins."""
    fallen = 1 / (1 + math.exp(shift - math.log(mean / (1 - mean))))
    return (mean - fallen) / (mean * (1 - mean))


def delay(values: Sequence[float], detector: Detector) -> int | None:
    """After how many values a detector rings; None where it does not."""
    return next((n for n, value in enumerate(values, 1) if detector.heed(value)), None)
