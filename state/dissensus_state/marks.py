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
from collections.abc import Callable, Collection, Iterator
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
        self._rows: dict[Spot, dict[int, bytearray]] = {}

    @property
    def rows(self) -> Rows:
        """The rows so far."""
        self._end_block()
        return {
            of: {block: bytes(told) for block, told in blocks.items()} for of, blocks in self._rows.items()
        }

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
        self._add(AUTHOR, spot(author), version)
        here: set[Path] = set()
        below: set[Path] = set()
        writes = [_write(item) for item in patch]
        whole = {one.path[0] for one in writes if len(one.path) == 1 and one.verb != "append"}
        added: dict[str, int] = {}
        for one in writes:
            if one.verb == "append" and len(one.path) == 1:
                apart = one.path[0] not in whole and one.path[0] not in keyed
                (below if self._appended(version, one, added, apart=apart) else here).add(one.path)
                continue
            if len(one.path) == 1:
                self._lengths[one.path[0]] = self._length_of(one)
                self._resized.add(one.path[0])
            here.update(_places(one))
        for path in here:
            self._add(HERE, spot(pointer(path)), version)
            below.update(path[:depth] for depth in range(1, len(path)))
        for path in below:
            self._add(BELOW, spot(pointer(path)), version)

    def _appended(self, version: int, one: _Write, added: dict[str, int], *, apart: bool) -> bool:
        """Take what a field was appended; whether it is told item by item."""
        field = one.path[0]
        self._resized.add(field)
        value = self._value(one)
        length = self.length(field)
        if length is None or not isinstance(value, list):
            self._lengths[field] = None
            return False
        self._lengths[field] = length + len(value)
        if not apart:
            return False
        into, first, end = added.get(field, 0), length, length + len(value)
        added[field] = into + len(value)
        for start in range(first - first % BLOCK, end, BLOCK):
            low, high = max(start, first), min(start + BLOCK, end) - 1
            run = _run.pack(version % BLOCK, low - start, high - start, into + low - first)
            self._row(ITEMS, spot_of_items(one.path, start), version).extend(run)
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
            self._rows.setdefault((LENGTH, spot(pointer((field,)))), {})[self._block] = bytearray(told)
        self._resized.clear()

    def _row(self, what: int, spot_: int, version: int) -> bytearray:
        return self._rows.setdefault((what, spot_), {}).setdefault(version // BLOCK, bytearray())

    def _add(self, what: int, spot_: int, version: int) -> None:
        told, place = self._row(what, spot_, version), version % BLOCK
        if not told or told[-1] != place:
            told.append(place)


def _listed(value: JSON) -> int | None:
    return len(value) if isinstance(value, list) else None


class _Write(NamedTuple):
    """An operation as it is stored; `aside` refers to its value where that is kept aside."""

    verb: str
    path: Path
    value: JSON = None
    key: str | None = None
    aside: str | None = None
    pruned: bool = False


def _write(item: JSON) -> _Write:
    match item:
        case [str(verb), str(place)]:
            return _Write(verb, parse_path(place))
        case [str(verb), str(place), value]:
            return _Write(verb, parse_path(place), value)
        case [str(verb), str(place), value, str(key)]:
            return _Write(verb, parse_path(place), value, key)
        case [str(verb), str(place), str(name), str() | None as key, "blob"]:
            return _Write(verb, parse_path(place), None, key, name)
        case [str(verb), str(place), value, str() | None as key, "redacted" | "pruned" as how, str()]:
            return _Write(verb, parse_path(place), value, key, None, how == "pruned")
    raise Tampered(f"{canonical(item)[:80]} is no operation")


def _places(one: _Write) -> list[Path]:
    """The paths that an operation writes: of a merge the keys, where they are at hand and few."""
    if one.verb != "merge" or one.pruned or one.aside is not None:
        return [one.path]
    try:
        names = merge_items(one.value, one.key, "")
    except ValueRefused:
        return [one.path]
    return [(*one.path, name) for name in names] if 0 < len(names) <= _MOST_KEYS else [one.path]
