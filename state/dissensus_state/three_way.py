"""Bringing two states together that grew from one: by path, and by how each field merges. Pure.

What only one side changed is taken; additions to numbers and to lists that are appended to count from
both sides; what both changed alike is left; the greater or smaller of two, sets, items with keys and
dictionaries come together piece by piece; everything else is a clash, which somebody must settle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from .errors import ValueRefused
from .folding import merge_items
from .merging import Merge, MergeByKey, Replace
from .patches import Operation, Patch
from .values import JSON, Path, canonical, normalise, pointer

ABSENT: Any = object()
"""Nothing stands there."""

_MOST_STEPS = 20_000_000
"""Lists that would take more steps than this to be compared item by item are not: about half a second."""

_MOST_REMOVED = 1000
"""From so many keys on, a dictionary is set as a whole instead of losing them one by one."""


class Three(NamedTuple):
    """What stands at one place on each side; `ABSENT` where nothing does."""

    base: JSON
    ours: JSON
    theirs: JSON

    def all_are(self, kind: type) -> bool:
        """Whether such a value stands there on every side."""
        return all(isinstance(item, kind) for item in self)

    def at(self, name: str) -> Three:
        """What stands at a key of these dictionaries."""
        return Three(*(item.get(name, ABSENT) for item in self))


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

    def does(self, verb: Any, path: Path, value: JSON = None, key: str | None = None) -> None:
        """Add an operation."""
        self.operations.append(Operation(verb, path, value, key))

    def contests(self, path: Path, three: Three) -> None:
        """Add a clash."""
        self.clashes.append(Clash(pointer(path), *three))


def three_way(base: JSON, ours: JSON, theirs: JSON, merges: Mapping[str, Merge], sets: set[str]) -> Merged:
    """What theirs adds to ours, given the state that both grew from.

    It follows from the values alone, whatever the order of the keys in the dictionaries given.

    Args:
        merges: How each field merges.
        sets: The fields that hold sets.
    """
    found = Merged()
    whole = Three(base, ours, theirs)
    for name in sorted({**base, **ours, **theirs}):
        three, merge = whole.at(name), merges.get(name, Replace())
        if same(three.theirs, three.base):
            continue
        bring = _take if same(three.ours, three.base) else _field
        bring(found, name, merge, three, is_set=name in sets)
    return found


def same(a: JSON, b: JSON) -> bool:
    """Whether two values have the same text."""
    if a is ABSENT or b is ABSENT:
        return a is b
    return type(a) is type(b) and (a is b or canonical(a) == canonical(b))


def _field(found: Merged, name: str, merge: Merge, three: Three, *, is_set: bool) -> None:
    """A field that both sides changed, brought together by its merge where that is possible."""
    path = (name,)
    if merge.verb == "add" and (by := _added(three)) is not None:
        found.does("add", path, by)
    elif merge.verb == "append" and not is_set and three.all_are(list):
        _lists(found, path, three, appends=True)
    elif same(three.ours, three.theirs):
        return
    elif merge.own:
        found.contests(path, three)
    elif merge.verb in {"max", "min"} and _comparable(three):
        if three.theirs is not None:
            found.does(merge.verb, path, three.theirs)
    elif is_set and three.all_are(list):
        _sets(found, path, three)
    elif isinstance(merge, MergeByKey) and merge.key and three.all_are(list):
        _keyed(found, name, merge.key, three)
    else:
        _value(found, path, three)


def _take(found: Merged, name: str, merge: Merge, three: Three, *, is_set: bool) -> None:
    """Make a field what it is in theirs, by the operation that says no more than what changed."""
    path, ours, theirs = (name,), three.ours, three.theirs
    if theirs is ABSENT:
        found.does("remove", path)
    elif is_set and three.all_are(list):
        _sets(found, path, three)
    elif isinstance(merge, MergeByKey) and merge.key and three.all_are(list):
        mine, its = (merge_items(items, merge.key, pointer(path)) for items in (ours, theirs))
        changed = {key: item for key, item in its.items() if not same(item, mine.get(key, ABSENT))}
        if same(list({**mine, **changed}.values()), theirs):
            found.does("merge", path, list(changed.values()), merge.key)
        else:
            found.does("set", path, theirs)
    elif merge.verb == "add" and (by := _added(three)) is not None and same(normalise(ours + by), theirs):
        found.does("add", path, by)
    elif merge.verb in {"max", "min"} and _wins(merge.verb, three):
        found.does(merge.verb, path, theirs)
    elif merge.verb == "append" and three.all_are(list):
        _list(found, path, ours, theirs, appends=True)
    elif three.all_are(dict) and not merge.own:
        _value(found, path, three)
    else:
        found.does("set", path, theirs)


def _added(three: Three) -> JSON:
    """What theirs added to a number; None where that cannot be added to ours."""
    if not all(type(item) in {int, float} for item in three):
        return None
    with suppress(OverflowError, ValueRefused):
        by = normalise(three.theirs - three.base)
        normalise(three.ours + by)
        return by
    return None


def _comparable(three: Three) -> bool:
    """Whether one of ours and theirs is the greater; anything beats None."""
    kinds = {type(item) for item in three[1:] if item is not None}
    return kinds <= {int, float} or kinds <= {str}


def _wins(verb: str, three: Three) -> bool:
    """Whether theirs is what the greater, or the smaller, of ours and theirs comes to."""
    if three.theirs is None or not _comparable(three):
        return False
    if three.ours is None:
        return True
    wins: bool = three.theirs > three.ours if verb == "max" else three.theirs < three.ours
    return wins


def _value(found: Merged, path: Path, three: Three) -> None:
    """A value that both sides changed: dictionaries key by key, lists item by item, else a clash."""
    if three.all_are(dict):
        _dictionaries(found, path, three)
    elif three.all_are(list):
        _lists(found, path, three)
    else:
        found.contests(path, three)


def _dictionaries(found: Merged, path: Path, three: Three) -> None:
    """Dictionaries, key by key."""
    changed, gone, both = {}, dict[str, None](), {}
    for name in sorted({**three.base, **three.ours, **three.theirs}):
        there = three.at(name)
        if same(there.theirs, there.base) or same(there.ours, there.theirs):
            continue
        if not same(there.ours, there.base):
            both[name] = there
        elif there.theirs is ABSENT:
            gone[name] = None
        else:
            changed[name] = there.theirs
    if len(gone) > _MOST_REMOVED:
        left = {name: value for name, value in three.ours.items() if name not in gone}
        found.does("set", path, {**left, **changed})
    else:
        for name in gone:
            found.does("remove", (*path, name))
        if changed:
            found.does("merge", path, changed)
    for name, there in both.items():
        _value(found, (*path, name), there)


def _sets(found: Merged, path: Path, three: Three) -> None:
    """Sets never clash: what either side took away is gone, what either added is there."""
    was, mine, its = ({canonical(item): item for item in items} for items in three)
    gone = (was.keys() - its.keys()) & mine.keys()
    new = {text: its[text] for text in sorted(its.keys() - was.keys() - mine.keys())}
    if gone:
        whole = {text: item for text, item in {**mine, **new}.items() if text not in gone}
        found.does("set", path, [whole[text] for text in sorted(whole)])
    elif new:
        found.does("union", path, list(new.values()))


def _keyed(found: Merged, name: str, key: str, three: Three) -> None:
    """Lists whose items have a key: item by item; one that both sides changed is a clash."""
    was, mine, its = (merge_items(items, key, pointer((name,))) for items in three)
    changed, gone = {}, set()
    for item in {**mine, **its, **was}:
        there = Three(*(side.get(item, ABSENT) for side in (was, mine, its)))
        if same(there.theirs, there.base) or same(there.ours, there.theirs):
            continue
        if not same(there.ours, there.base):
            found.contests((name, item), there)
        elif there.theirs is ABSENT:
            gone.add(item)
        else:
            changed[item] = there.theirs
    if gone:
        whole = {item: value for item, value in {**mine, **changed}.items() if item not in gone}
        found.does("set", (name,), list(whole.values()))
    elif changed:
        found.does("merge", (name,), list(changed.values()), key)


def _lists(found: Merged, path: Path, three: Three, *, appends: bool = False) -> None:
    """Lists that both sides changed, item by item; a clash where their changes meet."""
    joined = _joined(three, appends=appends)
    if joined is None:
        found.contests(path, three)
    else:
        _list(found, path, three.ours, joined, appends=appends)


def _list(found: Merged, path: Path, ours: list[JSON], wanted: list[JSON], *, appends: bool) -> None:
    """Make of one list another: by an addition, where the field is appended to and it is no more."""
    if appends and len(wanted) > len(ours) and same(wanted[: len(ours)], ours):
        found.does("append", path, wanted[len(ours) :])
    elif not same(wanted, ours):
        found.does("set", path, wanted)


def _joined(three: Three, *, appends: bool) -> list[JSON] | None:
    """Two lists that grew from one, brought together item by item; None where their changes meet.

    Args:
        appends: What both added at the end is no clash: all of it counts, ours first.
    """
    texts = [[canonical(item) for item in items] for items in three]
    start = _alike(texts)
    end = _alike([items[start:][::-1] for items in texts])
    was, mine, its = (items[start : len(items) - end] for items in texts)
    if max(_steps(was, mine), _steps(was, its)) > _MOST_STEPS:
        return None
    changes = _Changes(len(was), appends=appends and not end)
    for side, there, items in ((0, mine, three.ours), (1, its, three.theirs)):
        for kind, low, high, first, last in SequenceMatcher(None, was, there, autojunk=False).get_opcodes():
            if kind != "equal":
                changes.add(side, low, high, items[start + first : start + last])
    middle = changes.applied(three.base[start : start + len(was)])
    if middle is None:
        return None
    return [*three.base[:start], *middle, *three.base[start + len(was) :]]


def _steps(was: list[str], there: list[str]) -> int:
    """How much work `SequenceMatcher` may be: for each stretch found, all pairs of equal items again."""
    counts = Counter(was)
    return min(len(was), len(there)) * (len(was) + sum(counts[item] for item in there))


def _alike(lists: Sequence[Sequence[str]]) -> int:
    """How many items these lists have in common at their beginnings."""
    count = 0
    for items in zip(*lists, strict=False):
        if len(set(items)) > 1:
            break
        count += 1
    return count


class _Changes:
    """The stretches of a list that either side has replaced, and by what."""

    def __init__(self, length: int, *, appends: bool) -> None:
        self._end = length if appends else -1
        self._made: list[tuple[int, int, int, list[JSON]]] = []

    def add(self, side: int, start: int, end: int, items: list[JSON]) -> None:
        """Add a change, unless the other side has made the same one; additions at the end both count."""
        alike = any(one[:2] == (start, end) and same(one[3], items) for one in self._made)
        if not alike or start == self._end:
            self._made.append((start, end, side, items))

    def applied(self, base: Iterable[JSON]) -> list[JSON] | None:
        """The list with all changes; None where two of them meet."""
        was, joined = list(base), list[JSON]()
        at, before = 0, (-1, -1)
        for start, end, _, items in sorted(self._made, key=lambda one: one[:3]):
            twice = (start, end) == before and start == end and start != self._end
            if start < at or twice:
                return None
            joined += [*was[at:start], *items]
            at, before = end, (start, end)
        return [*joined, *was[at:]]
