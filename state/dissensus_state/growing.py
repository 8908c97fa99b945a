"""Lists that only grow, so that adding to one costs what is added and not what is there.

A state is never changed in place: whoever holds one may go on reading it. For the lists that agents
append to, copying would make the 10,000th finding cost more than the 10th. A `Grown` list is the first
`length` of items that it shares with the longer ones which grew from it; only the newest of them may
grow in place, any other is copied first (as slices are in Go).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any, overload

_growing = threading.Lock()


class Grown(Sequence[Any]):
    """A list as it was at one length; it reads like a list, and equals one."""

    __slots__ = ("_items", "_length")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, items: list[Any], length: int) -> None:
        self._items = items
        self._length = length

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._items[: self._length][index]
        if not -self._length <= index < self._length:
            raise IndexError(index)
        return self._items[index % self._length]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, list | Grown):
            return len(other) == self._length and all(
                mine == theirs for mine, theirs in zip(self, other, strict=True)
            )
        return NotImplemented

    def __add__(self, other: Iterable[Any]) -> list[Any]:
        return [*self, *other]

    def __repr__(self) -> str:
        return repr(self._items[: self._length])

    def since(self, start: int) -> list[Any]:
        """The items from a position on."""
        return self._items[start : self._length]

    def grown(self, items: list[Any]) -> Grown:
        """This list with items at its end; it stays as it is."""
        return Grown(extended(self._items, self._length, items), self._length + len(items))


def grown(old: list[Any] | Grown, items: list[Any]) -> Grown:
    """A list with items at its end, which can grow on."""
    if isinstance(old, Grown):
        return old.grown(items)
    return Grown([*old, *items], len(old) + len(items))


def extended(shared: list[Any], length: int, items: list[Any]) -> list[Any]:
    """The first `length` of shared items and some more: the same list while nobody has added to it."""
    with _growing:
        if len(shared) == length:
            shared.extend(items)
            return shared
    return [*shared[:length], *items]


def settled(state: dict[str, Any]) -> dict[str, Any]:
    """A state whose lists are plain lists again."""
    return {name: value[:] if isinstance(value, Grown) else value for name, value in state.items()}
