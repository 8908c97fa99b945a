"""The value at one path in a version, and who wrote it, from the few commits that touched it.

A value is read from the newest commit that wrote the whole of it and those that built on it since, which
the index names; the state as a whole is only put together where that takes too many.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NamedTuple

import sqlalchemy as sa

from . import commits, lifting, snapshots
from .commits import columns, commit_of, here, state_at
from .engines import Statement, Work
from .errors import DissensusError, NotFound, Pruned
from .folding import merge_items
from .lineages import holder
from .patches import Operation, apply, fold, get
from .records import Commit
from .tables import commits as commits_table
from .touches import Touch, Touches
from .values import JSON, Path, canonical, overlap, parse, pointer

_MOST = 32
"""From so many commits on it is cheaper to put the state together."""

_KEPT = 4_096
_EXACT_BELOW = 2**52

_one = Statement(sa.select(*columns).where(*here, commits_table.c.version == sa.bindparam("version")))


class _Nothing(NamedTuple):
    """Nothing stands there."""


NOTHING: Final = _Nothing()


class _TooMuch(Exception):
    """The commits that touched a path do not tell what stands there."""


class Past:
    """What stood at which path of a branch, up to a version.

    Args:
        upto: The newest version that is asked about.
    """

    def __init__(self, work: Work, session_id: int, branch: str, upto: int) -> None:
        self.work = work
        self.session_id = session_id
        self.branch = branch
        self.touches = Touches(work, session_id, branch, upto)
        self.base = self.touches.base
        self.keys = lifting.known_keys(work, session_id)
        self._commits: dict[int, Commit] = {}
        self._state: tuple[int, JSON] | None = None

    def place(self, version: int) -> tuple[str, int]:
        """The branch under which a version is stored, with the version."""
        return holder(self.touches.segments, version), version

    def commit(self, version: int) -> Commit:
        """The commit that made a version, read once."""
        if version not in self._commits:
            branch = holder(self.touches.segments, version)
            row = self.work.one(_one, session_id=self.session_id, branch=branch, version=version)
            if row is None:
                raise NotFound(f"There is no version {version}", branch=self.branch)
            if len(self._commits) >= _KEPT:
                self._commits.clear()
            self._commits[version] = commit_of(self.work, self.session_id, row)
        return self._commits[version]

    def has_one_key(self, path: Path) -> bool:
        """Whether the items of the list that a path stands in always had the same key, or none."""
        return not path or len({keys.get(path[0]) for keys in self.keys.values()}) <= 1

    def _key(self, path: Path) -> str | None:
        return next((keys[path[0]] for keys in self.keys.values() if path[0] in keys), None)

    def value(self, path: Path, version: int) -> JSON:
        """What stood at a path in a version; `NOTHING` where nothing did.

        Raises:
            Pruned: the values of that version are gone.
        """
        if version < 0:
            return NOTHING
        if path and self.has_one_key(path) and (self.base is None or version >= self.base):
            for way in (self._pieced, self._of_field):
                try:
                    return way(path, version)
                except (_TooMuch, DissensusError, TypeError):
                    continue  # the state as a whole tells, or says what is wrong
        return self._whole(path, version)

    def missing(self, path: Path, version: int) -> NotFound:
        """The error for a path at which nothing stands, which names the first step that leads nowhere."""
        depth = len(path)
        while depth > 1 and self.value(path[: depth - 1], version) is NOTHING:
            depth -= 1
        return NotFound(f"There is nothing at {pointer(path[:depth])}")

    def text(self, path: Path, version: int) -> str | None:
        """The same as canonical text; None where nothing stood there."""
        found = self.value(path, version)
        return None if found is NOTHING else canonical(found)

    def _whole(self, path: Path, version: int) -> JSON:
        state, keys = self.state(version), self.keys_at(version)  # `Pruned` is a `NotFound` too
        try:
            return get(state, path, keys)
        except NotFound:
            return NOTHING

    def state(self, version: int) -> JSON:
        """The whole state at a version; it is not to be changed."""
        if self._state is None or self._state[0] != version:
            self._state = version, state_at(self.work, self.session_id, self.branch, version)
        return self._state[1]

    def keys_at(self, version: int) -> dict[str, str]:
        """Which lists merge by which field in a version."""
        number = lifting.schema_version(self.work, self.session_id, self.branch, version)
        return self.keys.get(number, {})

    def _pieced(self, path: Path, version: int) -> JSON:
        later: list[Operation] = []
        for count, touch in enumerate(self.touches.of_path(path, version + 1)):
            if count >= _MOST or (self.base is not None and touch.version <= self.base):
                break
            made = self.commit(touch.version)
            for number in reversed(range(len(made.patch))):
                operation = made.patch[number]
                if not any(overlap(path, place) for place in operation.touched()):
                    continue
                depth = len(operation.path)
                if depth < len(path) and operation.verb in {"append", "union"}:
                    if touch.into is None or depth > 1:
                        return self._inside(path, depth, version)
                    item = _appended(made, number, touch.into)
                    if item is NOTHING:
                        continue
                    return _built(item, path[touch.depth :], path, later)
                found = _determined(operation, path, self._key(path))
                if found is not None:
                    return _built(found[0], found[1], path, later)
                later.append(operation)
        raise _TooMuch

    def _of_field(self, path: Path, version: int) -> JSON:
        """What stands at a path by the newest snapshot that has all of its field."""
        segments = self.touches.segments
        kept = snapshots.field_at(self.work, self.session_id, segments, version, path[0])
        if kept is None:
            raise _TooMuch
        after, value = kept
        later = commits.operations(self.work, self.session_id, segments, after, version)
        state = fold({path[0]: value}, (one for one in later if one.path[:1] == path[:1]))
        try:
            return get(state, path, self.keys_at(version))
        except NotFound:
            return NOTHING

    def _inside(self, path: Path, depth: int, version: int) -> JSON:
        """What stands in a list of which nobody knows who added which item."""
        outer = self._pieced(path[:depth], version)
        try:
            keys = self.keys_at(version)
            return get({path[0]: outer}, path, keys) if depth == 1 else get(outer, path[depth:])
        except NotFound:
            return NOTHING

    def writer(self, path: Path, version: int, value: str) -> Commit:
        """The commit after which a path held a value for good, which it holds in a version.

        Raises:
            Pruned: it was written before the values that are still there.
            NotFound: nothing was ever written there.
        """
        for touch in self.touches.of_path(path, version + 1):
            if self.base is not None and touch.version <= self.base:
                break
            made = self.commit(touch.version)
            if self._changed(made, touch, path, value):
                return made
        if self.base is not None:
            raise Pruned(
                f"What stands at {pointer(path)} was written up to version {self.base}, which is pruned"
            )
        raise NotFound(f"No commit up to version {version} wrote {pointer(path)}")

    def _changed(self, made: Commit, touch: Touch, path: Path, value: str) -> bool:
        """Whether a commit, after which a value stands at a path, has changed it."""
        parts = [
            (operation, place)
            for operation in made.patch
            for place in operation.touched()
            if overlap(path, place)
        ]
        if touch.into is not None and all(len(one.path) == 1 and one.verb == "append" for one, _ in parts):
            return True
        try:
            if _are_apart([place for _, place in parts], len(path)):
                return any(self._alters(one, place, made.version, path, value) for one, place in parts)
        except DissensusError:
            pass  # the states before and after tell, or say what is wrong
        return self.text(path, made.version - 1) != value

    def _alters(self, one: Operation, place: Path, version: int, path: Path, value: str) -> bool:
        """Whether an operation, which alone wrote at a place, changed what stood there."""
        if one.verb == "remove":
            return True
        if one.verb == "append" and isinstance(one.value, list):
            return bool(one.value)
        after = value if place == path else self.text(place, version)
        if one.verb == "add" and after is not None and _is_told(one.value, after):
            return True
        return self.text(place, version - 1) != after


def peek(work: Work, session_id: int, branch: str, path: Path, version: int) -> JSON:
    """The value at a path in a version, as it is stored, from the few commits that touched it.

    Raises:
        NotFound: nothing stands there.
        Pruned: the values of that version are gone.
    """
    past = Past(work, session_id, branch, version)
    found = past.value(path, version)
    if found is NOTHING:
        raise past.missing(path, version)
    return found


def _are_apart(places: list[Path], depth: int) -> bool:
    """Whether none of these paths stands in another, and none above a depth."""
    ordered = sorted(places)
    return all(len(place) >= depth for place in ordered) and not any(
        later[: len(place)] == place for place, later in pairwise(ordered)
    )


def _is_told(given: JSON, after: str) -> bool:
    """Whether what was added to a number cannot have been lost in it."""
    total = parse(after)
    return isinstance(total, int | float) and abs(given) >= 1 and abs(total) < _EXACT_BELOW


def _appended(made: Commit, number: int, into: int) -> JSON:
    """The item of that number that a commit appended to a field, if it was this operation of it that did."""
    added = made.patch[number]
    at = into - sum(
        len(one.value) for one in made.patch[:number] if one.verb == "append" and one.path == added.path
    )
    return added.value[at] if 0 <= at < len(added.value) else NOTHING


def _determined(operation: Operation, path: Path, key: str | None) -> tuple[JSON, Path] | None:
    """What stands at a path, or above it, after an operation that leaves nothing of what was there.

    With the rest of the path to go. None where the operation builds on what was there.

    Args:
        key: The field by which the items of the list are found that the path stands in.
    """
    at, rest = operation.path, path[len(operation.path) :]
    if operation.verb == "merge" and rest:
        items = merge_items(operation.value, operation.key, pointer(at))
        return (items[rest[0]], rest[1:]) if rest[0] in items else (NOTHING, ())
    if len(at) > len(path) or operation.verb not in {"set", "remove", "fold"}:
        return None
    if operation.verb == "remove":
        return NOTHING, ()
    value = operation.value["to"] if operation.verb == "fold" else operation.value
    if rest and len(at) == 1 and key is not None:
        try:
            return get({path[0]: value}, path[:2], {path[0]: key}), rest[1:]
        except NotFound:
            return NOTHING, ()
    return value, rest


def _built(value: JSON, rest: Path, path: Path, later: list[Operation]) -> JSON:
    """A value, or what of it stands at the rest of a path, with what was done to it since."""
    try:
        value = NOTHING if value is NOTHING else get(value, rest)
    except NotFound:
        value = NOTHING
    if value is NOTHING:
        if later:
            raise _TooMuch
        return NOTHING
    within = [
        Operation(one.verb, one.path[len(path) :], one.value, one.key, one.gone) for one in reversed(later)
    ]
    return apply(value, within)
