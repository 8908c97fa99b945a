"""What a comparator is, and which values are the same JSON: the ground of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeAlias

from dissensus_state.values import JSON


class Comparator(Protocol):
    """What `compare` needs to know of a comparator."""

    @property
    def tolerance(self) -> float:
        """Two values at most this far apart say the same."""

    def distance(self, a: JSON, b: JSON, /) -> float:
        """How far apart two values are: 0 (the same) to 1 (nothing in common)."""


Identity: TypeAlias = tuple[Any, ...]


def identity(value: JSON) -> Identity:
    """What two values share exactly if they are the same JSON: 1 and 1.0 do, 1 and true do not.

    It can be hashed, and sorted among identities.
    """
    if isinstance(value, str):
        return 3, value
    if value is None:
        return (0,)
    if isinstance(value, bool):
        return 1, value
    if isinstance(value, int | float):
        return 2, value
    if isinstance(value, Mapping):
        return 5, tuple(sorted((name, identity(item)) for name, item in value.items()))
    return 4, tuple(map(identity, value))


def is_number(value: JSON) -> bool:
    """Whether a value is a number (true and false are none)."""
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class Exact:
    """The same JSON or not; 1 and 1.0 are the same, 1 and true are not."""

    tolerance: ClassVar[float] = 0.0
    fieldwise: ClassVar[bool] = True

    def distance(self, a: JSON, b: JSON) -> float:
        """0.0 for the same JSON, else 1.0."""
        return 0.0 if identity(a) == identity(b) else 1.0


EXACT = Exact()
