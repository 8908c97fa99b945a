"""What differs between two versions of the history: of one branch, of two, or of two sessions."""

from __future__ import annotations

from typing import NamedTuple

from . import lifting
from .diff import Difference, diff
from .engines import Work
from .values import JSON, Path


class Side(NamedTuple):
    """A state as it is stored, and the fields that hold the keys of its lists."""

    state: JSON
    keys: dict[str, str]


def side(work: Work, session_id: int, branch: str, version: int) -> Side:
    """A version to be compared."""
    state, number = lifting.stored_at(work, session_id, branch, version)
    return Side(state, lifting.keys_of(work, session_id, number))


def compared(before: Side, after: Side, path: Path) -> list[Difference]:
    """What differs; lists whose keys are not the same ones are compared by place.

    Raises:
        NotFound: there is nothing at the path on either side.
    """
    keys = {name: key for name, key in before.keys.items() if after.keys.get(name) == key}
    return diff(before.state, after.state, keys, path)
