"""What the index of the commits says of a block of versions: which of them touched a path, or are whose.

A row of `touches` is about one *spot*, the hash of a path or of an author, in one *block* of 256 versions,
and tells the versions of that block by their places in it. Pure: commits in, rows out, and back.

| what | spot of | tells |
|---|---|---|
| `HERE` | a path | the versions that wrote this very path |
| `BELOW` | a path | the versions that wrote something below it |
| `ITEMS` | a list, and 256 of its positions | the versions that appended at these positions |
| `LENGTH` | a list | how long it is after the block, where that is known |
| `AUTHOR` | an author | the versions that are this author's |

What an `append` adds to a field stands under `ITEMS`, so that who asks for one item is not told of all
those beside it. Where the length of the list is not known (a set, a list that merges by key, one that is
not a field) it stands under `HERE` of the list. A hash tells more than there is at times, never less: who
reads the index looks at the commits that it names.
"""

from __future__ import annotations

import functools
import hashlib
import struct
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

from .errors import Tampered, ValueRefused
from .folding import merge_items
from .values import JSON, Path, canonical, parse_path, pointer

BLOCK = 256
"""How many versions a row is about."""

HERE, BELOW, AUTHOR, ITEMS, LENGTH = range(5)

_MOST_KEYS = 64
"""A merge of more keys than that is told at its dictionary alone."""

_run = struct.Struct(">BBBI")
_length = struct.Struct(">q")

Spot = tuple[int, int]
"""What a row is about, and the hash of which path or author."""

Rows = dict[Spot, dict[int, bytes]]
"""The rows of some versions, by spot and by block."""


class Run(NamedTuple):
    """What a commit appended to 256 positions of a list.

    `place` is the version's in its block; the positions are those from `low` to `high` among the 256, and
    the one at `low` is the item number `into` of all that the commit appended to the list.
    """

    place: int
    low: int
    high: int
    into: int


def fills(before: int, after: int) -> bool:
    """Whether the versions after one and up to another end a block."""
    return (after + 1) // BLOCK > (before + 1) // BLOCK


@functools.lru_cache(maxsize=8192)
def spot(text: str) -> int:
    """The hash of a pointer or an author: 63 bits."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1


def spot_of_items(path: Path, position: int) -> int:
    """The hash of a list and of the 256 positions about one."""
    return spot(f"{position // BLOCK}{pointer(path)}")


def runs(versions: bytes) -> Iterator[Run]:
    """The runs that a row of `ITEMS` tells of, oldest first; `Tampered` where it is none."""
    if len(versions) % _run.size:
        raise Tampered("A row of the index of commits is none")
    return map(Run._make, _run.iter_unpack(versions))


def length_told(versions: bytes) -> int | None:
    """The length that a row of `LENGTH` tells; None where it is not known."""
    if len(versions) != _length.size:
        return None
    number: int = _length.unpack(versions)[0]
    return number


Length = int | None | Callable[[], int | None]
"""How long a list is; a function where a value kept aside must be read to know."""


class Marker:
    """Makes the rows of versions that follow each other on one branch.

    Args:
        before: How long the list of a field was before the first of them; None where that is not known.
        fetch: The value that is kept aside under a reference.
    """

    def __init__(self, before: Callable[[str], int | None], fetch: Callable[[str], JSON]) -> None:
        self._before = before
        self._fetch = fetch
        self._lengths: dict[str, Length] = {}
        self._resized: set[str] = set()
        self._block = -1
        self._now: dict[Spot, bytearray] = {}
        self._rows: Rows = {}

    @property
    def rows(self) -> Rows:
        """The rows so far."""
        self._end_block()
        return self._rows

    def set_length(self, field: str, length: int | None) -> None:
        """Say how long a list is now, where what was written to it is gone."""
        self._lengths[field] = length
        self._resized.add(field)

    def length(self, field: str) -> int | None:
        """How long the list of a field is now; None where that is not known."""
        if field not in self._lengths:
            self._lengths[field] = self._before(field)
        known = self._lengths[field]
        if callable(known):
            known = self._lengths[field] = known()
        return known

    def mark(self, version: int, author: str, patch: list[JSON], keyed: Collection[str]) -> None:
        """Take one more commit in.

        Args:
            patch: As it is stored.
            keyed: The fields that are lists whose items have a key.
        """
        if version // BLOCK != self._block:
            self._end_block()
            self._block = version // BLOCK
        place = version % BLOCK
        here: set[int] = set()
        below: set[int] = set()
        appends: list[_Write] = []
        whole: set[str] = set()
        for item in patch:
            one = _write(item)
            if one.at.field is None:
                for at in _places(one):
                    here.add(at.spot)
                    below.update(at.above)
            elif one.verb == "append":
                appends.append(one)
            else:
                appends = _left(appends, one)
                whole.add(one.at.field)
                self._lengths[one.at.field] = self._length_of(one)
                for at in _places(one):
                    here.add(at.spot)
                    below.update(at.above)
        self._resized |= whole
        if appends:
            self._append(place, appends, whole.union(keyed), here, below)
        self._add(AUTHOR, spot(author), place)
        for found in here:
            self._add(HERE, found, place)
        for found in below:
            self._add(BELOW, found, place)

    def _append(
        self, place: int, appends: list[_Write], coarse: Collection[str], here: set[int], below: set[int]
    ) -> None:
        """Take what was appended to fields, item by item where their lengths are known."""
        added: dict[str, int] = {}
        for one in appends:
            apart = one.at.field not in coarse
            (below if self._appended(place, one, added, apart=apart) else here).add(one.at.spot)

    def _appended(self, place: int, one: _Write, added: dict[str, int], *, apart: bool) -> bool:
        """Take what a field was appended; whether it is told item by item."""
        field = str(one.at.field)
        self._resized.add(field)
        value = self._value(one)
        first = self.length(field)
        if first is None or not isinstance(value, list):
            self._lengths[field] = None
            return False
        self._lengths[field] = end = first + len(value)
        if not apart:
            return False
        into = added.get(field, 0)
        added[field] = into + len(value)
        for start in range(first - first % BLOCK, end, BLOCK):
            low, high = max(start, first), min(start + BLOCK, end) - 1
            run = _run.pack(place, low - start, high - start, into + low - first)
            self._now.setdefault((ITEMS, spot_of_items(one.at.path, start)), bytearray()).extend(run)
        return True

    def _value(self, one: _Write) -> JSON:
        return self._fetch(one.aside) if one.aside is not None else one.value

    def _length_of(self, one: _Write) -> Length:
        """How long a list is after the whole of it was written."""
        if one.verb != "set" or one.pruned:
            return None
        if one.aside is not None:
            return lambda: _listed(self._value(one))
        return _listed(one.value)

    def _end_block(self) -> None:
        for field in self._resized:
            known = self.length(field)
            told = b"" if known is None else _length.pack(known)
            self._now[LENGTH, spot(pointer((field,)))] = bytearray(told)
        self._resized.clear()
        for of, row in self._now.items():
            self._rows.setdefault(of, {})[self._block] = bytes(row)
        self._now.clear()

    def _add(self, what: int, spot_: int, place: int) -> None:
        told = self._now.get((what, spot_))
        if told is None:
            self._now[what, spot_] = bytearray((place,))
        elif told[-1] != place:
            told.append(place)


def _left(appends: list[_Write], later: _Write) -> list[_Write]:
    """What is left of what a commit appended: nothing of a field that it set afterwards."""
    if later.verb != "set":
        return appends
    return [one for one in appends if one.at.field != later.at.field]


def _listed(value: JSON) -> int | None:
    return len(value) if isinstance(value, list) else None


class _At(NamedTuple):
    """A path that is written: its spot, those above it, and its name where it is a field."""

    path: Path
    spot: int
    above: tuple[int, ...]
    field: str | None


@functools.lru_cache(maxsize=8192)
def _at(place: str) -> _At:
    path = parse_path(place)
    above = tuple(spot(pointer(path[:depth])) for depth in range(1, len(path)))
    return _At(path, spot(pointer(path)), above, path[0] if len(path) == 1 else None)


class _Write(NamedTuple):
    """An operation as it is stored; `aside` refers to its value where that is kept aside."""

    verb: str
    at: _At
    value: JSON = None
    key: str | None = None
    aside: str | None = None
    pruned: bool = False


def _write(item: JSON) -> _Write:
    if type(item) is list and len(item) == 3 and type(item[0]) is str and type(item[1]) is str:
        return _Write(item[0], _at(item[1]), item[2])  # nearly all; matching costs more
    match item:
        case [str(verb), str(place)]:
            return _Write(verb, _at(place))
        case [str(verb), str(place), value, str(key)]:
            return _Write(verb, _at(place), value, key)
        case [str(verb), str(place), str(name), str() | None as key, "blob"]:
            return _Write(verb, _at(place), None, key, name)
        case [str(verb), str(place), value, str() | None as key, "redacted" | "pruned" as how, str()]:
            return _Write(verb, _at(place), value, key, None, how == "pruned")
    raise Tampered(f"{canonical(item)[:80]} is no operation")


def _places(one: _Write) -> Iterable[_At]:
    """The paths that an operation writes: of a merge the keys, where they are at hand and few."""
    if one.verb != "merge" or one.pruned or one.aside is not None:
        return (one.at,)
    try:
        names = merge_items(one.value, one.key, "")
    except ValueRefused:
        return (one.at,)
    if not 0 < len(names) <= _MOST_KEYS:
        return (one.at,)
    return [_at(pointer((*one.at.path, name))) for name in names]
