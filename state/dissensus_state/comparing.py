"""What differs between two versions of the history: of one branch, of two, or of two sessions.

Of versions that lie a few commits apart on one line, only the places are read that those commits touched;
what is asked at a path is read at that path. Both come to the same as comparing the states would.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from . import blobs, commits, lifting
from .diff import ABSENT, Difference, at_path, diff, in_order
from .engines import Work
from .errors import DissensusError, NotFound
from .lineages import lineage, shared
from .patches import Operation, apply
from .peeking import NOTHING, Past
from .records import Commit
from .values import JSON, Path, pointer

FEW = 32
"""Up to so many commits, what they touched is read, and not the whole states."""

_MOST_WRITTEN = 512 * 1024
"""Characters of patches from which on the whole states are read."""

_MOST_BACK = 1_024
"""Commits that are looked through at most for the length of a list."""

Keys = dict[str, str]


class Side(NamedTuple):
    """One of the two sides: a version that is there."""

    session_id: int
    branch: str
    version: int


class Found(NamedTuple):
    """What of a version is to be compared, and the fields that hold the keys of its lists."""

    value: JSON
    keys: Keys


def on_one_line(work: Work, before: Side, after: Side) -> list[Difference] | None:
    """What differs between two versions of a session, from the commits between; None where they cannot tell.

    They cannot where neither version comes from the other, or too much lies between.
    """
    if after.version < before.version:
        return _between(work, after, before, turned=True)
    return _between(work, before, after, turned=False)


def _between(work: Work, older: Side, newer: Side, *, turned: bool) -> list[Difference] | None:
    if newer.version - older.version > FEW or not _leads_to(work, older, newer):
        return None
    made = list(commits.between(work, newer.session_id, newer.branch, older.version - 1, newer.version))
    first, *between = made
    if any(one.schema_version != first.schema_version for one in between):
        return None
    if sum(one.size for one in between) > _MOST_WRITTEN:
        return None
    try:
        past = Past(work, newer.session_id, newer.branch, newer.version)
        return _touched(past, older.version, between, turned=turned)
    except (DissensusError, TypeError, _Whole):
        return None  # the states tell, or say what is wrong


def _leads_to(work: Work, before: Side, after: Side) -> bool:
    if before.branch == after.branch:
        return True
    lines = (lineage(work, side.session_id, side.branch) for side in (before, after))
    return before.version <= shared(*lines)


class _Whole(Exception):
    """The whole states have to be read."""


def _touched(past: Past, version: int, between: list[Commit], *, turned: bool) -> list[Difference]:
    """What commits have changed, or what it takes to undo that, from the places that they touched."""
    keys = past.keys_at(version)
    operations = [operation for commit in between for operation in commit.patch]
    if past.base is not None and version < past.base:
        raise _Whole
    fields = _appended_to(operations, keys)
    found: list[Difference] = []
    for field in sorted(fields):
        items = [item for one in operations if one.path == (field,) for item in one.value]
        start = length(past, field, version)
        places = (pointer((field, str(start + n))) for n in range(len(items)))
        for place, item in zip(places, items, strict=True):
            came = Difference(place, "added", None, item)
            found.append(Difference(place, "removed", item) if turned else came)
    rest = [operation for operation in operations if operation.path[0] not in fields]
    older = _read(past, version, _roots(rest, keys), keys)
    newer = apply(older, rest)
    return in_order([*found, *(diff(newer, older, keys) if turned else diff(older, newer, keys))])


def _appended_to(operations: list[Operation], keys: Keys) -> set[str]:
    """The fields to which items were appended, and nothing else was done."""
    touched: dict[str, bool] = {}
    for one in operations:
        if not one.path:
            raise _Whole
        plain = one.verb == "append" and len(one.path) == 1 and one.path[0] not in keys
        touched[one.path[0]] = plain and one.gone is None and touched.get(one.path[0], True)
    return {field for field, plain in touched.items() if plain}


def _roots(operations: Iterable[Operation], keys: Keys) -> list[Path]:
    """The places to be read: what was touched, and the whole list where that was an item of one."""
    places = sorted({_root(path, keys) for one in operations for path in one.touched()})
    roots: list[Path] = []
    for place in places:
        if not roots or place[: len(roots[-1])] != roots[-1]:
            roots.append(place)
    return roots


def _root(path: Path, keys: Keys) -> Path:
    if path[0] in keys:
        return path[:2]
    return next((path[:n] for n, token in enumerate(path) if n and token.isdigit()), path)


def _read(past: Past, version: int, roots: list[Path], keys: Keys) -> JSON:
    """A state that holds what stands at these places, and nothing else."""
    state: dict[str, JSON] = {}
    for root in roots:
        value = past.value(root, version)
        if len(root) > 1 and root[0] in keys:
            items = state.setdefault(root[0], [])
            items += [] if value is NOTHING else [value]
            continue
        holder = state
        for token in root[:-1]:
            holder = holder.setdefault(token, {})
        if value is not NOTHING:
            holder[root[-1]] = value
    return state


def length(past: Past, field: str, version: int) -> int:
    """How many items a list had that is a field.

    Raises:
        _Whole: only the state tells.
    """
    start, count = past.touches.length_of(field, version)
    if count is None or version - start > _MOST_BACK:
        raise _Whole
    mark = f'"{pointer((field,))}'
    for text in commits.patches(past.work, past.session_id, past.branch, start, version):
        if mark in text or ',"",' in text:
            for operation in blobs.fetch(past.work, past.session_id, text):
                count = _length_after(count, operation, field)
    return count


def _length_after(count: int, operation: Operation, field: str) -> int:
    if operation.path[:1] not in {(), (field,)} or len(operation.path) > 1:
        return count
    if operation.path and isinstance(operation.value, list) and operation.gone is None:
        if operation.verb == "append":
            return count + len(operation.value)
        if operation.verb == "set":
            return len(operation.value)
    raise _Whole


def at(work: Work, side: Side, path: Path) -> Found:
    """What stands at a path in a version, or the whole state; `ABSENT` where nothing does."""
    if not path:
        state, number = lifting.stored_at(work, side.session_id, side.branch, side.version)
        return Found(state, lifting.keys_of(work, side.session_id, number))
    past = Past(work, side.session_id, side.branch, side.version)
    found = past.value(path, side.version)
    return Found(ABSENT if found is NOTHING else found, past.keys_at(side.version))


def compared(before: Found, after: Found, path: Path) -> list[Difference]:
    """What differs; lists whose keys are not the same ones are compared by place.

    Raises:
        NotFound: there is nothing at the path on either side.
    """
    keys = {name: key for name, key in before.keys.items() if after.keys.get(name) == key}
    if not path:
        return diff(before.value, after.value, keys)
    if before.value is ABSENT and after.value is ABSENT:
        raise NotFound(f"There is nothing at {pointer(path)} in either version")
    return at_path(before.value, after.value, path, keys)
