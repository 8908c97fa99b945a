"""Taking values out of a copy of a session before it is handed on: everywhere, or the copy is not made.

A redaction says where an equal text still stands. In a copy that is to be shared each of these places is
redacted as well, until none is left; what cannot be taken away there refuses the copy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from . import heads, lifting, redaction
from .branches import BranchInfo, all_branches
from .engines import Database, Work
from .errors import DissensusError, NotFound, Refused
from .masking import leaves, masked, texts_gone
from .patches import get
from .peeking import Past
from .records import MASK
from .redaction import Redaction, Wanted
from .shapes import Shape
from .traces import Remaining, Texts
from .values import JSON, Path, canonical, normalise, overlap, parse_path, pointer

REASON = "export"
"""Why a copy was redacted, as its history says."""

_MOST = 10_000
"""Places that are redacted for one value."""


_BUILDS_ON = {"append", "add", "union"}
"""What was there before these is a part of what stands there after them."""


class Cleared(NamedTuple):
    """What was taken out of a copy: the texts, none of which may be in a file; what was not looked for."""

    texts: Texts
    left: tuple[str, ...]


class Copy(NamedTuple):
    """A session in a database of its own, which may be changed."""

    database: Database
    session_id: int
    branch: str
    shape: Shape


def clear(copy: Copy, values: Mapping[str, JSON], author: str) -> Cleared:
    """Take values away, wherever the copy has them.

    Args:
        values: What stands at which path instead; `records.MASK` for the same structure without texts.

    Raises:
        NotFound: nothing stands at a path.
        Denied: the author may not rule on it.
        Refused: it cannot be taken away, or not everywhere.
    """
    gone: set[str] = set()
    left: list[str] = []
    for text, replacement in values.items():
        path = parse_path(text)
        for branch, version in _stood(copy, path):
            old = _standing(copy, branch, path, version)
            if _is_clear(old, replacement, path, copy.shape):
                continue
            done = _redacted(copy, branch, path, version, replacement, author)
            texts = set(texts_gone(old, _standing(copy, branch, path, version)))
            gone |= texts
            left += [item for item in done.left if item not in left]
            _everywhere(copy, Texts(texts), done.remains, author)
    return Cleared(Texts(gone), tuple(dict.fromkeys(left)))


def _stood(copy: Copy, path: Path) -> list[tuple[str, int]]:
    """Where each value that ever stood at a path stood last: the head first, then each branch backwards.

    Raises:
        NotFound: none ever did.
    """
    with copy.database.reading() as work:
        there = sorted(all_branches(work, copy.session_id), key=lambda one: one.name != copy.branch)
        ends = [(one.name, version) for one in there for version in _ends(work, copy, one, path)]
    found = [end for end in ends if _has(copy, *end, path)]
    if not found:
        _standing(copy, copy.branch, path)
    return found


def _ends(work: Work, copy: Copy, branch: BranchInfo, path: Path) -> Iterator[int]:
    """The versions of a branch after which something else could stand at a path, newest first."""
    yield branch.head
    oldest = max(branch.pruned or 0, 0 if branch.base_version is None else branch.base_version)
    past = Past(work, copy.session_id, branch.name, branch.head)
    for touch in past.touches.of_path(path):
        if touch.version <= oldest:
            return
        patch = past.commit(touch.version).patch
        if any(one.verb not in _BUILDS_ON and overlap(one.path, path) for one in patch):
            yield touch.version - 1


def _has(copy: Copy, branch: str, version: int, path: Path) -> bool:
    try:
        _standing(copy, branch, path, version)
    except NotFound:
        return False
    return True


def _is_clear(value: JSON, replacement: JSON, path: Path, shape: Shape) -> bool:
    """Whether nothing at a path is to be taken away: it says nothing, or what should stand there."""
    if value is None:
        return True
    new = masked(value, path, shape.keys.get(path[0])) if replacement is MASK else normalise(replacement)
    return canonical(new) == canonical(value)


def _standing(copy: Copy, branch: str, path: Path, version: int | None = None) -> JSON:
    with copy.database.reading() as work:
        number = heads.read(work, copy.session_id, branch).version if version is None else version
        state, schema = lifting.stored_at(work, copy.session_id, branch, number)
        return get(state, path, lifting.keys_of(work, copy.session_id, schema))


def _redacted(
    copy: Copy, branch: str, path: Path, version: int | None, replacement: JSON, author: str
) -> Redaction:
    with copy.database.writing() as work:
        number = heads.read(work, copy.session_id, branch).version if version is None else version
        asked = Wanted(path, number, author, REASON, replacement, recordings=True)
        return redaction.redact(work, copy.session_id, branch, copy.shape, asked)[0]


def _everywhere(copy: Copy, texts: Texts, remains: tuple[Remaining, ...], author: str) -> None:
    """Redact what stands elsewhere, place by place; each redaction says what is left then."""
    seen: set[tuple[str, int, Path]] = set()
    todo = list(remains)
    while todo:
        one = todo.pop()
        if one.branch is None or one.version is None:
            if "accepted proposal" not in one.path:  # it goes with the commit that it was accepted as
                raise _stays(one.path)
            continue
        for path in _places(copy, one.branch, one.version, texts):
            place = (one.branch, one.version, path)
            if place in seen or len(seen) > _MOST:
                raise _stays(f"{pointer(path)} in version {one.version} of {one.branch}")
            seen.add(place)
            try:
                done = _redacted(copy, one.branch, path, one.version, MASK, author)
            except NotFound:
                continue  # it went with another one
            except DissensusError as error:
                raise _stays(f"{pointer(path)}, version {one.version} of {one.branch}", error) from error
            todo = list(done.remains)
            break


def _places(copy: Copy, branch: str, version: int, texts: Texts) -> Iterator[Path]:
    """Where the texts stand in the state at a version."""
    with copy.database.reading() as work:
        state, schema = lifting.stored_at(work, copy.session_id, branch, version)
        keys = lifting.keys_of(work, copy.session_id, schema)
    for path, text in leaves(state):
        if texts.stand_in(text):
            yield _by_key(state, path, keys)


def _by_key(state: JSON, path: Path, keys: Mapping[str, str]) -> Path:
    """A path as it is redacted: an item of a list with keys by its key."""
    key = keys.get(path[0])
    if key is None or len(path) < 2 or not isinstance(state[path[0]], list):
        return path
    return (path[0], str(state[path[0]][int(path[1])][key]), *path[2:])


def _stays(where: str, error: DissensusError | None = None) -> Refused:
    why = f": {error.message}" if error is not None else ""
    return Refused(
        f"What is to be redacted also stands at {where}, and cannot be taken away there{why}",
        next_step="Redact it there in the session itself, or settle the round; then export",
    )
