"""How often panels agree on something wrong: agreements drawn by lot and reviewed all the same.

A trigger on disagreement never sees a false consensus. A step with `audit=0.05` has one in twenty of the
rounds that nobody would look at reviewed; since the lot does not look at what is agreed on, the share of them
that is overturned estimates how many of all of them are wrong. The interval is exact (Clopper and Pearson,
Biometrika 26, 1934): it covers the true rate in at least 95 % of all such samples, however few there are.

What is counted as an error on which ground is kept apart: `ruled` is what the supervisors did not uphold,
which is as good as they are; `graded` is what a known answer, a person or a verifier said afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final

from dissensus_state.values import canonical, digest

LEVEL: Final = 0.95
_HALVINGS: Final = 60


def drawn(share: float, session: str, step: str, round_: int) -> str | None:
    """Whether a round is audited: the seed of the lot if it is, None if it is not.

    The lot is the digest of what is given here, so that a resumed run and another database draw the same.

    Args:
        share: How many of the agreements are audited, 0 to 1.
        session: The session's name.
        step: The step's name.
        round_: The round's number.
    """
    if share <= 0:
        return None
    seed = digest(canonical(["audit", session, step, round_]))
    return seed.hex() if int.from_bytes(seed[:8], "big") < share * 2**64 else None


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """How many of the audited agreements were wrong, on one ground; `low` to `high` covers 95 %."""

    audited: int
    wrong: int
    low: float
    high: float

    @classmethod
    def counted(cls, wrong: int, audited: int) -> ErrorRate:
        """The rate with its interval."""
        return cls(audited, wrong, *clopper_pearson(wrong, audited))

    @property
    def rate(self) -> float | None:
        """The share that was wrong; None where nothing was audited."""
        return self.wrong / self.audited if self.audited else None


@dataclass(frozen=True, slots=True)
class Audited:
    """What became of one audited agreement.

    `upheld` is what the supervisors made of it: None where nobody ruled. `right` is what a grade from
    outside of the models said of it: None without one.
    """

    round: int
    task: str
    share: float
    upheld: bool | None
    right: bool | None = None


@dataclass(frozen=True, slots=True)
class Audit:
    """The audited agreements of one task: which share is drawn now, and how many were wrong."""

    task: str
    share: float
    ruled: ErrorRate
    graded: ErrorRate

    def as_dict(self) -> dict[str, Any]:
        """As plain data, with the rates."""
        body = asdict(self)
        body["ruled"]["rate"], body["graded"]["rate"] = self.ruled.rate, self.graded.rate
        return body


def audits(found: Iterable[Audited]) -> list[Audit]:
    """What was audited, by task, in the order of their names."""
    tasks: dict[str, list[Audited]] = {}
    for one in found:
        tasks.setdefault(one.task, []).append(one)
    return [_audit(task, several) for task, several in sorted(tasks.items())]


def _audit(task: str, several: list[Audited]) -> Audit:
    ruled = [one.upheld for one in several if one.upheld is not None]
    graded = [one.right for one in several if one.right is not None]
    return Audit(
        task,
        several[-1].share,
        ErrorRate.counted(ruled.count(False), len(ruled)),
        ErrorRate.counted(graded.count(False), len(graded)),
    )


def clopper_pearson(hits: int, of: int, level: float = LEVEL) -> tuple[float, float]:
    """The exact interval of a rate: (0, 1) where nothing was counted.

    Args:
        hits: How often it was so.
        of: Of how many.
        level: How often such an interval covers the true rate, at least.

    Raises:
        ValueError: There are more hits than were counted, or the level is none.
    """
    if not 0 <= hits <= of or not 0 < level < 1:
        raise ValueError(f"{hits} of {of} at the level {level} is no rate")
    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else _root(lambda p: 1 - _below(hits - 1, of, p) - tail)
    high = 1.0 if hits == of else _root(lambda p: tail - _below(hits, of, p))
    return low, high


def _root(rising: Callable[[float], float]) -> float:
    """Where a function that rises from 0 to 1 is zero."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2


def _below(hits: int, of: int, p: float) -> float:
    """The probability of at most so many hits, each with the probability p."""
    if p <= 0 or hits >= of:
        return 1.0
    if p >= 1:
        return 0.0
    logs = [_log_choose(of, k) + k * math.log(p) + (of - k) * math.log1p(-p) for k in range(hits + 1)]
    largest = max(logs)
    return min(1.0, math.exp(largest) * math.fsum(math.exp(one - largest) for one in logs))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
