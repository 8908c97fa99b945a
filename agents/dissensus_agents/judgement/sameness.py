"""Whether two plain values are the same: one that was given from outside, and one that is expected."""

from __future__ import annotations

import math
from typing import Any

from pydantic_core import from_json

from dissensus_state.values import JSON


def same(given: str, expected: JSON, tolerance: float = 0.0) -> bool:
    """Whether a JSON text says what is expected; what can't be read says nothing."""
    try:
        return alike(from_json(given), expected, tolerance)
    except ValueError:
        return False


def alike(one: Any, other: Any, tolerance: float = 0.0) -> bool:
    """Whether two plain values are the same; 2 and 2.0 are, True and 1 are not.

    Args:
        one: A value.
        other: The other.
        tolerance: The share by which numbers may differ.
    """
    if _is_number(one) and _is_number(other):
        if one == other:
            return True
        try:
            return tolerance > 0 and math.isclose(one, other, rel_tol=tolerance)
        except OverflowError:
            return False
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(alike(a, b, tolerance) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key], tolerance) for key in one)
    return type(one) is type(other) and bool(one == other)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
