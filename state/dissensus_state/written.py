"""Who wrote a value: not only which commit, but which operation of it, and where in that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from . import blame, commits, lifting
from .engines import Work
from .errors import NotFound, Pruned, Refused, ValueRefused
from .lifting import Keys
from .lineages import holder, lineage, pruned
from .masking import place_in
from .patches import Operation, get
from .peeking import Past
from .records import Commit
from .shapes import Shape
from .values import JSON, Path, canonical, overlap, pointer


class Written(NamedTuple):
    """The value as it was written: by which operation of which commit, and where in that.

    Without a commit it stands in what a pruned history stands on.
    """

    branch: str
    version: int
    old: JSON
    commit: Commit | None = None
    number: int = 0
    place: Path = ()


def find(work: Work, session_id: int, branch: str, shape: Shape, path: Path, version: int) -> Written:
    """Who wrote a value, and by which operation."""
    if not path:
        raise ValueRefused("A value is redacted at a path, not the state as a whole")
    state, number = lifting.stored_at(work, session_id, branch, version)
    keys = Keys(work, session_id)
    value = get(state, path, keys.of(number))
    segments = lineage(work, session_id, branch)
    base = pruned(work, session_id, segments)
    if path[0] in shape.sets and len(path) > 1:
        written = _in_set(work, session_id, branch, path, version, value, base)
    else:
        try:
            commit = blame.writer(work, session_id, branch, path, version, canonical(value))
            written = _again(work, session_id, branch, commit.version, path, version, value, keys)
            written = written or _operation(work, session_id, branch, commit, path, value, keys)
        except Pruned:
            written = _at_base(work, session_id, branch, path, value, keys)
    if written is None and base is not None:
        return Written(holder(segments, base), base, value)
    if written is None:
        raise NotFound(f"No commit wrote {pointer(path)}")
    return written


def _at_base(work: Work, session_id: int, branch: str, path: Path, value: JSON, keys: Keys) -> Written | None:
    """What the commit wrote that made the version on which a pruned history stands; its values are there."""
    base = pruned(work, session_id, lineage(work, session_id, branch))
    if base is None:
        return None
    commit = commits.commit(work, session_id, branch, base)
    after = commits.state_at(work, session_id, branch, base)
    return _last(commit, after, path, value, keys.of(commit.schema_version))


def _in_set(
    work: Work, session_id: int, branch: str, path: Path, version: int, value: JSON, base: int | None
) -> Written | None:
    """The newest commit that put an item into a set."""
    for commit in _touching(work, session_id, branch, path[:1], version, -1 if base is None else base - 1):
        for number, operation in enumerate(commit.patch):
            if operation.path != path[:1] or not isinstance(operation.value, list):
                continue
            if value in operation.value:
                place = (str(operation.value.index(value)),)
                return Written(commit.branch, commit.version, value, commit, number, place)
    return None


def _again(
    work: Work,
    session_id: int,
    branch: str,
    first: int,
    path: Path,
    version: int,
    value: JSON,
    keys: Keys,
) -> Written | None:
    """The newest operation that wrote what stood there already: while it is there, so is the value."""
    for commit in _touching(work, session_id, branch, path, version, first):
        if any(overlap(path, touched) for touched in commit.writes):
            after = commits.state_at(work, session_id, branch, commit.version)
            found = _last(commit, after, path, value, keys.of(commit.schema_version))
            if found is not None:
                return found
    return None


def _touching(
    work: Work, session_id: int, branch: str, path: Path, version: int, after: int
) -> Iterator[Commit]:
    """The commits that touched a path, newest first, after a version and up to another."""
    past = Past(work, session_id, branch, version)
    for touch in past.touches.of_path(path, version + 1):
        if touch.version <= after:
            return
        yield past.commit(touch.version)


def _operation(
    work: Work, session_id: int, branch: str, commit: Commit, path: Path, value: JSON, keys: Keys
) -> Written:
    """The operation of a commit that wrote the whole of a value.

    Raises:
        Refused: it wrote only a part of it.
    """
    after = commits.state_at(work, session_id, branch, commit.version)
    found = _last(commit, after, path, value, keys.of(commit.schema_version))
    if found is None:
        raise Refused(
            f"Version {commit.version} wrote only a part of {pointer(path)}",
            next_step="Redact its parts one by one, the newest first; `blame` shows who wrote each",
            path=pointer(path),
        )
    return found


def _last(commit: Commit, after: JSON, path: Path, value: JSON, keys: Mapping[str, str]) -> Written | None:
    """The operation of a commit that put this value at a path, if nothing of the commit changed it after.

    Args:
        after: The state after the commit; the one before may be gone.
    """
    left = _lengths(commit, after)
    found: Written | None = None
    for number, operation in enumerate(commit.patch):
        if any(overlap(path, touched) for touched in operation.touched()):
            place = place_in(operation, path, left.get(operation.path, 0), keys)
            if place is not None and _is(operation, place, value):
                old = get(operation.value, place)
                found = Written(commit.branch, commit.version, old, commit, number, place)
            elif not _only_adds(operation, path):
                found = None
        if operation.verb == "append":
            left[operation.path] += len(operation.value)
    return found


def _lengths(commit: Commit, after: JSON) -> dict[Path, int]:
    """How long the lists were to which a commit appends; of one that it sets as well, after that."""
    left: dict[Path, int] = {}
    for operation in commit.patch:
        if operation.verb == "append":
            length = left.get(operation.path, _length(after, operation.path))
            left[operation.path] = length - len(operation.value)
    return left


def _length(state: JSON, path: Path) -> int:
    try:
        return len(get(state, path))
    except (NotFound, TypeError):
        return 0


def _only_adds(operation: Operation, path: Path) -> bool:
    """Whether an operation adds items beside the one that the path stands in."""
    return operation.verb in {"append", "union"} and len(path) > len(operation.path)


def _is(operation: Operation, place: Path, value: JSON) -> bool:
    """Whether an operation put this value there; a number that was added is a part of a sum."""
    return operation.verb == "add" or canonical(get(operation.value, place)) == canonical(value)
