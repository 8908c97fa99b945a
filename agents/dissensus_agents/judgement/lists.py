"""Comparators of lists and objects: as sets, in order, by a key, field by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from dissensus_state.values import JSON

from .identity import EXACT, Comparator, Identity, identity
from .likeness import items_alike

MOST_MATCHED = 200
"""Items of a list that are matched by likeness, each with each; longer lists are compared exactly."""


@dataclass(frozen=True, slots=True)
class SetOf:
    """Lists as sets: neither order nor repetition says anything.

    Args:
        tolerance: Jaccard distance up to which two sets say the same.
        items: Two items that this finds the same are one: `SetOf(items=Name())`. As many pairs as can
            be made are made, each item in one. Beyond 200 items on a side they are compared exactly.
    """

    fieldwise: ClassVar[bool] = True
    tolerance: float = 0.0
    items: Comparator | None = None

    def distance(self, a: JSON, b: JSON) -> float:
        """1 - shared / all (Jaccard); exact where either is not a list."""
        if not (isinstance(a, list) and isinstance(b, list)):
            return EXACT.distance(a, b)
        left, right = _distinct(a), _distinct(b)
        shared = len(left.keys() & right.keys())
        if self.items is not None and max(len(left), len(right)) <= MOST_MATCHED:
            shared = _matched(list(left.values()), list(right.values()), self.items)
        everything = len(left) + len(right) - shared
        return 1.0 - shared / everything if everything else 0.0


def _distinct(items: Sequence[JSON]) -> dict[Identity, JSON]:
    return {identity(item): item for item in items}


def _matched(left: Sequence[JSON], right: Sequence[JSON], by: Comparator) -> int:
    """How many pairs of near items can be made at most, each item in one (Kuhn's augmenting paths)."""
    near = [[n for n, other in enumerate(right) if by.distance(one, other) <= by.tolerance] for one in left]
    partner: dict[int, int] = {}

    def settle(one: int, tried: set[int]) -> bool:
        for n in near[one]:
            if n not in tried:
                tried.add(n)
                if n not in partner or settle(partner[n], tried):
                    partner[n] = one
                    return True
        return False

    return sum(settle(one, set()) for one in range(len(left)))


@dataclass(frozen=True, slots=True)
class ListOf:
    """Lists in order: how many items must go and come to make one the other.

    The distance is the edit distance of insertions and deletions over the length of both lists;
    beyond 10,000 items, what follows counts as shared only if it is the same in both.

    Args:
        key: The field that names an item, as `id`. Items are then matched by it, whatever their
            order, and the distance is the share of names whose items are not the same in both.
            A list with an item that lacks the field, or with two of one name, is compared in order.
        tolerance: Distance up to which two lists say the same.
        items: How two items of one name are compared, as `Record({"price": Number(rel=0.05)})`; by
            default exactly.
    """

    fieldwise: ClassVar[bool] = True
    key: str | None = None
    tolerance: float = 0.0
    items: Comparator = EXACT

    def distance(self, a: JSON, b: JSON) -> float:
        """0.0 for the same items, 1.0 for none in common; exact where either is not a list."""
        if not (isinstance(a, list) and isinstance(b, list)):
            return EXACT.distance(a, b)
        left, right = self._named(a), self._named(b)
        if left is not None and right is not None:
            return self._unshared(left, right)
        return 1.0 - items_alike(list(map(identity, a)), list(map(identity, b)))

    def _named(self, items: list[JSON]) -> dict[Identity, JSON] | None:
        if self.key is None:
            return None
        if not all(isinstance(item, dict) and self.key in item for item in items):
            return None
        named = {identity(item[self.key]): item for item in items}
        return named if len(named) == len(items) else None

    def _unshared(self, left: Mapping[Identity, JSON], right: Mapping[Identity, JSON]) -> float:
        names = left.keys() | right.keys()
        both = left.keys() & right.keys()
        shared = sum(self.items.distance(left[name], right[name]) <= self.items.tolerance for name in both)
        return 1.0 - shared / len(names) if names else 0.0


@dataclass(frozen=True, slots=True)
class Record:
    """Objects as wholes: the share of their fields that do not say the same.

    Objects are compared field by field without it, each field a question of its own; this is for the
    items of lists, and for objects that stand or fall as one.

    Args:
        fields: How a field is compared; what is not named is compared exactly. A field that one object
            lacks is null there.
        tolerance: The share of differing fields up to which two objects say the same.
    """

    fields: Mapping[str, Comparator] = field(default_factory=dict, hash=False)
    tolerance: float = 0.0

    def distance(self, a: JSON, b: JSON) -> float:
        """0.0 where all fields say the same, 1.0 where none does; exact where either is no object."""
        if not (isinstance(a, dict) and isinstance(b, dict)):
            return EXACT.distance(a, b)
        names = a.keys() | b.keys()
        if not names:
            return 0.0
        return sum(self._differ(name, a.get(name), b.get(name)) for name in names) / len(names)

    def _differ(self, name: str, a: JSON, b: JSON) -> bool:
        by = self.fields.get(name, EXACT)
        return by.distance(a, b) > by.tolerance
