"""Dates and times, as ISO 8601 writes them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar, TypeAlias

from dissensus_state.values import JSON

from ..errors import GraphError
from .identity import EXACT

_DAY = timedelta(days=1)
_LONGEST = 40
_Span: TypeAlias = tuple[datetime, timedelta]
"""When it begins, and how long it is: a date is a whole day, a time a moment."""


@dataclass(frozen=True, slots=True)
class Time:
    """Dates and times (ISO 8601), the same within a tolerance; anything else is compared exactly.

    A time without an offset is taken for UTC. A date is its whole day: any moment of it is the same.

    Args:
        within: Tolerated difference in seconds.
        scale: Seconds from which on two times have nothing in common; by default a day.

    Raises:
        GraphError: a tolerance below zero, or a scale that is not above it.
    """

    tolerance: ClassVar[float] = 0.0
    fieldwise: ClassVar[bool] = True
    within: float = 0.0
    scale: float = 86_400.0

    def __post_init__(self) -> None:
        if not (0 <= self.within < self.scale < math.inf):
            raise GraphError(
                f"Time(within={self.within}, scale={self.scale}): not seconds from zero up, or not in order",
                next_step="Give seconds, for instance Time(within=60)",
            )

    def distance(self, a: JSON, b: JSON) -> float:
        """0.0 within the tolerance, else the gap as a share of the scale, at most 1.0."""
        left, right = moment(a), moment(b)
        if left is None or right is None:
            return EXACT.distance(a, b)
        gap = _gap(left, right)
        return 0.0 if gap <= self.within else min(1.0, gap / self.scale)


def is_moment(value: JSON) -> bool:
    """Whether a value is a point in time that can be written in several ways: a date with a time."""
    found = moment(value)
    return found is not None and not found[1]


def moment(value: JSON) -> _Span | None:
    """The time that a text names; None where it names none."""
    if not isinstance(value, str) or not 8 <= len(value) <= _LONGEST or not value[:4].isdecimal():
        return None
    text = value.strip()
    try:
        day = date.fromisoformat(text)
        return datetime(day.year, day.month, day.day, tzinfo=UTC), _DAY
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)), timedelta()


def _gap(one: _Span, other: _Span) -> float:
    """Seconds between two times: between their beginnings, or from a moment to the nearer end of a day."""
    if one[1] == other[1]:
        return abs((one[0] - other[0]).total_seconds())
    (start, length), (point, _) = sorted((one, other), key=lambda span: span[1], reverse=True)
    before = (start - point).total_seconds()
    return max(0.0, before, -before - length.total_seconds())
