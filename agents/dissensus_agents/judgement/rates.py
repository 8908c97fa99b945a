"""Rates with their intervals, and how far stated confidence can be believed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from dissensus_state.proportions import wilson

from .ballots import Rate

__all__ = ["BINS", "Calibration", "Share", "calibration", "wilson"]

BINS: Final = 10


@dataclass(frozen=True, slots=True)
class Share:
    """How often something was so, with its 95 % interval (Wilson, JASA 22, 1927).

    `low` and `high` are 0 and 1 where nothing was counted.
    """

    hits: int
    of: int
    low: float
    high: float

    @classmethod
    def counted(cls, hits: int, of: int) -> Share:
        """The share with its interval."""
        return cls(hits, of, *wilson(hits, of))

    @property
    def rate(self) -> float | None:
        """The share; None where nothing was counted."""
        return self.hits / self.of if self.of else None

    @property
    def counts(self) -> Rate:
        """The share as weights take it."""
        return Rate(self.hits, self.of)

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "hits": self.hits,
            "of": self.of,
            "rate": _rounded(self.rate),
            "low": round(self.low, 4),
            "high": round(self.high, 4),
        }


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far a model's stated confidence can be believed, on `on` graded proposals that stated one.

    `brier` is the mean squared error of the confidence (0: certain and right; 0.25: says 0.5 always),
    `ece` the expected calibration error: the mean distance, over ten equally wide bins and weighted by
    how much is in them, of the mean confidence from the share that was right. Both None where `on` is 0.
    """

    on: int
    brier: float | None
    ece: float | None

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {"on": self.on, "brier": _rounded(self.brier), "ece": _rounded(self.ece)}


def calibration(stated: Iterable[tuple[float, bool]]) -> Calibration:
    """How far stated confidences can be believed.

    Args:
        stated: The confidence (0 to 1) of each graded proposal, and whether it was right.
    """
    counts, sums, hits = [0] * BINS, [0.0] * BINS, [0] * BINS
    squares, n = 0.0, 0
    for confidence, right in stated:
        place = min(int(confidence * BINS), BINS - 1)
        counts[place] += 1
        sums[place] += confidence
        hits[place] += right
        squares += (confidence - right) ** 2
        n += 1
    if not n:
        return Calibration(0, None, None)
    gaps = sum(abs(total - right) for total, right in zip(sums, hits, strict=True))
    return Calibration(n, squares / n, gaps / n)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
