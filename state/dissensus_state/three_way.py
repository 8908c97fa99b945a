"""Bringing two states together that grew from one: by path, and by how each field merges. Pure.

What only one side changed is taken; what both changed alike is left; what a field's merge can bring
together is (additions to lists, sets and numbers, the greater or smaller of two, items by their keys);
everything else is a clash, which somebody must settle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

from .folding import comparable, merge_items
from .merging import Merge, MergeByKey
from .patches import Operation, Patch
from .values import JSON, Path, canonical, pointer

ABSENT: Any = object()
"""Nothing stands there."""

_MOST_ITEMS = 20_000
"""Longer lists that both sides changed otherwise than by adding are a clash as a whole."""


@dataclass(frozen=True, slots=True)
class Clash:
    """A path that both sides changed, each in its own way; `ABSENT` where nothing stands."""

    path: str
    base: JSON
    ours: JSON
    theirs: JSON


@dataclass(slots=True)
class Merged:
    """What turns ours into both, and what it cannot bring together."""

    operations: list[Operation] = field(default_factory=list)
    clashes: list[Clash] = field(default_factory=list)

    @property
    def patch(self) -> Patch:
        """The operations, to be applied to ours."""
        return tuple(self.operations)


def three_way(base: JSON, ours: JSON, theirs: JSON, merges: Mapping[str, Merge], sets: set[str]) -> Merged:
    """What theirs adds to ours, given the state that both grew from.

    Args:
        merges: How each field merges.
        sets: The fields that hold sets.
    """
    found = Merged()
    for name in sorted(
        {**ours, **theirs}
    ):  # a state read from a snapshot has another order than a folded one
        three = tuple(state.get(name, ABSENT) for state in (base, ours, theirs))
        if not _settled(found, (name,), *three):
            _field(found, name, merges.get(name), sets, *three)
    return found


def same(a: JSON, b: JSON) -> bool:
    """Whether two values have the same text."""
    if a is ABSENT or b is ABSENT:
        return a is b
    return type(a) is type(b) and (a is b or canonical(a) == canonical(b))


def _settled(found: Merged, path: Path, base: JSON, ours: JSON, theirs: JSON) -> bool:
    """Whether at most one side changed the value, and what follows from that."""
    if same(theirs, base) or same(ours, theirs):
        return True
    if not same(ours, base):
        return False
    if theirs is ABSENT:
        found.operations.append(Operation("remove", path))
    else:
        found.operations.append(Operation("set", path, theirs))
    return True


def _field(
    found: Merged, name: str, merge: Merge | None, sets: set[str], base: JSON, ours: JSON, theirs: JSON
) -> None:
    """A field that both sides changed, brought together by its merge where that is possible."""
    three = (base, ours, theirs)
    verb = merge.verb if merge is not None else "set"
    if verb in {"max", "min"} and ABSENT not in three and theirs is not None and comparable(ours, theirs):
        found.operations.append(Operation(verb, (name,), theirs))
    elif verb == "add" and all(type(item) in {int, float} for item in three):
        found.operations.append(Operation("add", (name,), theirs - base))
    elif name in sets and all(isinstance(item, list) for item in three):
        _sets(found, name, *three)
    elif isinstance(merge, MergeByKey) and merge.key and all(isinstance(item, list) for item in three):
        _keyed(found, name, merge.key, *three)
    else:
        _value(found, (name,), *three)


def _value(found: Merged, path: Path, base: JSON, ours: JSON, theirs: JSON) -> None:
    """A value that both sides changed: dictionaries key by key, lists item by item, else a clash."""
    if all(isinstance(item, dict) for item in (base, ours, theirs)):
        for name in sorted({**ours, **theirs, **base}):
            three = tuple(item.get(name, ABSENT) for item in (base, ours, theirs))
            if not _settled(found, (*path, name), *three):
                _value(found, (*path, name), *three)
        return
    if all(isinstance(item, list) for item in (base, ours, theirs)):
        joined = _joined(base, ours, theirs)
        if joined is not None:
            _listed(found, path, ours, joined)
            return
    found.clashes.append(Clash(pointer(path), base, ours, theirs))


def _listed(found: Merged, path: Path, ours: list[JSON], joined: list[JSON]) -> None:
    """The operation that makes of one list another: an addition where it is no more than that."""
    if len(joined) > len(ours) and same(joined[: len(ours)], ours):
        found.operations.append(Operation("append", path, joined[len(ours) :]))
    elif not same(joined, ours):
        found.operations.append(Operation("set", path, joined))


def _sets(found: Merged, name: str, base: list[JSON], ours: list[JSON], theirs: list[JSON]) -> None:
    """Sets never clash: what either side took away is gone, what either added is there."""
    was, mine, other = ({canonical(item): item for item in items} for items in (base, ours, theirs))
    gone = {text for text in was if text not in other}
    new = [item for text, item in other.items() if text not in was and text not in mine]
    if gone & mine.keys():
        left = {text: item for text, item in mine.items() if text not in gone}
        whole = {**left, **{canonical(item): item for item in new}}
        found.operations.append(Operation("set", (name,), [whole[text] for text in sorted(whole)]))
    elif new:
        found.operations.append(Operation("union", (name,), new))


def _keyed(
    found: Merged, name: str, key: str, base: list[JSON], ours: list[JSON], theirs: list[JSON]
) -> None:
    """Lists whose items have a key: item by item; one that both sides changed is a clash."""
    was, mine, other = (merge_items(items, key, f"/{name}") for items in (base, ours, theirs))
    changed, gone = [], set()
    for item in {**other, **was}:
        three = tuple(side.get(item, ABSENT) for side in (was, mine, other))
        if same(three[2], three[0]) or same(three[1], three[2]):
            continue
        if not same(three[1], three[0]):
            found.clashes.append(Clash(pointer((name, item)), *three))
        elif three[2] is ABSENT:
            gone.add(item)
        else:
            changed.append(three[2])
    if gone:
        whole = {item: value for item, value in mine.items() if item not in gone}
        whole |= merge_items(changed, key, f"/{name}")
        found.operations.append(Operation("set", (name,), list(whole.values())))
    elif changed:
        found.operations.append(Operation("merge", (name,), changed, key))


def _joined(base: list[JSON], ours: list[JSON], theirs: list[JSON]) -> list[JSON] | None:
    """Two lists that grew from one, brought together item by item; None where their changes meet.

    What both added at the end is no clash: ours comes first.
    """
    if max(len(base), len(ours), len(theirs)) > _MOST_ITEMS:
        plain = [items[: len(base)] for items in (ours, theirs)]
        return ours + theirs[len(base) :] if all(same(base, start) for start in plain) else None
    texts, mine, other = ([canonical(item) for item in items] for items in (base, ours, theirs))
    changes = _Changes(len(base))
    for side, items in ((mine, ours), (other, theirs)):
        for kind, start, end, first, last in SequenceMatcher(None, texts, side, autojunk=False).get_opcodes():
            if kind != "equal":
                changes.add(start, end, items[first:last])
    return changes.applied(base)


class _Changes:
    """The stretches of a list that either side has replaced, and by what."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._made: list[tuple[int, int, list[JSON]]] = []

    def add(self, start: int, end: int, items: list[JSON]) -> None:
        """Add a change, unless the other side has made the same one; additions at the end both count."""
        alike = any(one[:2] == (start, end) and same(one[2], items) for one in self._made)
        if not alike or start == self._length:
            self._made.append((start, end, items))

    def applied(self, base: list[JSON]) -> list[JSON] | None:
        """The list with all changes; None where two of them meet."""
        joined: list[JSON] = []
        at, before = 0, (-1, -1)
        for start, end, items in sorted(self._made, key=lambda one: one[:2]):
            twice = (start, end) == before and start == end and start != self._length
            if start < at or twice:
                return None
            joined += [*base[at:start], *items]
            at, before = end, (start, end)
        return [*joined, *base[at:]]
