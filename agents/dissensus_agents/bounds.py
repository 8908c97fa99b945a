"""Bounds that users give: whole numbers and seconds that are some, or an error where they are written."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from .errors import GraphError


def check_whole(owner: str, **given: Any) -> None:
    """Whole numbers of 1 or more; None sets no bound.

    Raises:
        GraphError: One is none.
    """
    for name, number in given.items():
        if number is not None and not (type(number) is int and number >= 1):
            raise GraphError(
                f"{name} of {owner} is a whole number of 1 or more, not {number!r}",
                next_step=f"Give {name} such a number, or leave it out",
            )


def check_known(owner: str, given: Mapping[str, Any], known: Collection[str]) -> None:
    """Settings by name, of which a misspelt one would change nothing.

    Raises:
        GraphError: One is not known.
    """
    if strange := sorted(given.keys() - set(known)):
        raise GraphError(
            f"{owner[0].upper()}{owner[1:]} has no {strange[0]!r}",
            next_step=f"It has {', '.join(sorted(known))}",
        )


def is_share(value: object) -> bool:
    """Whether something is a number from 0 to 1, such as a confidence."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def check_seconds(owner: str, **given: Any) -> None:
    """Seconds, more than none; None sets no bound.

    Raises:
        GraphError: One is none.
    """
    for name, seconds in given.items():
        number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if seconds is not None and not (number and math.isfinite(seconds) and seconds > 0):
            raise GraphError(
                f"{name} of {owner} is a number of seconds above 0, not {seconds!r}",
                next_step=f"Give {name} such a number, or leave it out",
            )
