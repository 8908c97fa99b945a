"""The ground of both stairs: stored commits as records, and the state that they add up to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from . import blobs, snapshots
from .engines import Row, Statement, Work
from .errors import NotFound, Pruned
from .lineages import BEYOND, Segment, lineage, pruned
from .patches import Operation, fold
from .records import SETTLED, Commit
from .snapshots import Kept
from .tables import commits, rounds
from .values import JSON, parse_list, parse_object

columns = [column for column in commits.c if column.name != "session_id"]
ROUND = [column.name for column in columns].index("round")
"""Where a row says which round it ended."""

here = (
    commits.c.session_id == sa.bindparam("session_id"),
    commits.c.branch == sa.bindparam("branch"),
)
_range = Statement(
    sa.select(*columns)
    .where(*here, commits.c.version > sa.bindparam("after"), commits.c.version <= sa.bindparam("upto"))
    .order_by(commits.c.version)
    .limit(sa.bindparam("limit"))
)
_patches = Statement(
    sa.select(commits.c.version, commits.c.patch)
    .where(*here, commits.c.version > sa.bindparam("after"), commits.c.version <= sa.bindparam("upto"))
    .order_by(commits.c.version)
)
_hash = Statement(sa.select(commits.c.hash).where(*here, commits.c.version == sa.bindparam("version")))
_patch = Statement(sa.select(commits.c.patch).where(*here, commits.c.version == sa.bindparam("version")))
_sources = Statement(
    sa.select(commits.c.version, commits.c.source)
    .where(
        *here,
        commits.c.version > sa.bindparam("after"),
        commits.c.version <= sa.bindparam("upto"),
        commits.c.source.is_not(None),
    )
    .order_by(commits.c.version)
)
_by_key = Statement(sa.select(*columns).where(*here, commits.c.key == sa.bindparam("key")))
_by_round = Statement(
    sa.select(*columns)
    .where(
        *here,
        commits.c.version > sa.bindparam("after"),
        commits.c.version <= sa.bindparam("upto"),
        commits.c.round == sa.bindparam("round"),
    )
    .order_by(commits.c.version)
    .limit(1)
)
_begun = Statement(
    sa.select(rounds.c.base, rounds.c.status).where(
        rounds.c.session_id == sa.bindparam("session_id"), rounds.c.round == sa.bindparam("round")
    )
)

_PAGE = 2000
"""How many patches are read at once, so that a long history is never whole in memory as text."""

_ROWS = 500
"""The same for whole commits."""


def commit_of(work: Work, session_id: int, row: Row) -> Commit:
    """A commit from its row; its columns stand in the order of the table."""
    (
        branch,
        version,
        author,
        transition,
        round_,
        base,
        isolation,
        reads,
        patch,
        evidence,
        key,
        at,
        schema_version,
        hash_,
        source,
    ) = row
    return Commit(
        version=version,
        branch=branch,
        author=author,
        transition=transition,
        round=round_,
        base=version - 1 if base is None else base,
        isolation="serializable" if isolation is None else isolation,
        reads=tuple(parse_list(reads)),
        patch=blobs.fetch(work, session_id, patch),
        evidence=() if evidence is None else tuple(parse_list(evidence)),
        key=key,
        at=at,
        schema_version=schema_version,
        hash=bytes(hash_),
        source=None if source is None else parse_object(source),
        size=len(patch),
    )


def between(work: Work, session_id: int, branch: str, after: int, upto: int = BEYOND) -> Iterator[Commit]:
    """The commits of a branch and of what it was forked from with `after < version <= upto`, oldest first."""
    for rows in pages(work, session_id, branch, after, upto):
        yield from (commit_of(work, session_id, row) for row in rows)


def pages(
    work: Work, session_id: int, branch: str, after: int, upto: int = BEYOND
) -> Iterator[Sequence[Row]]:
    """The same as rows, some hundreds at a time; `commit_of` makes commits of them."""
    for part in _parts(lineage(work, session_id, branch), after, upto):
        reached = part.after
        while reached < part.upto:
            rows = work.all(
                _range,
                session_id=session_id,
                branch=part.branch,
                after=reached,
                upto=part.upto,
                limit=_ROWS,
            )
            if rows:
                yield rows
            if len(rows) < _ROWS:
                break
            reached = rows[-1][1]


def _parts(segments: tuple[Segment, ...], after: int, upto: int) -> Iterator[Segment]:
    """The parts of these segments that lie in a range."""
    for branch, low, high in segments:
        part = Segment(branch, max(low, after), min(high, upto))
        if part.after < part.upto:
            yield part


def commit(work: Work, session_id: int, branch: str, version: int) -> Commit:
    """The commit that made a version."""
    for found in between(work, session_id, branch, version - 1, version):
        return found
    raise NotFound(f"There is no version {version}", branch=branch)


def hash_of(work: Work, session_id: int, branch: str, version: int) -> bytes:
    """The hash of the commit that made a version."""
    for part in _parts(lineage(work, session_id, branch), version - 1, version):
        row = work.one(_hash, session_id=session_id, branch=part.branch, version=version)
        if row is not None:
            return bytes(row[0])
    raise NotFound(f"There is no version {version}", branch=branch)


def sources(
    work: Work, session_id: int, branch: str, after: int, upto: int
) -> list[tuple[int, dict[str, JSON]]]:
    """Where the patches of a branch's versions were taken from, oldest first: merges, reverts, lifts."""
    return [
        (row[0], parse_object(row[1]))
        for part in _parts(lineage(work, session_id, branch), after, upto)
        for row in work.all(
            _sources, session_id=session_id, branch=part.branch, after=part.after, upto=part.upto
        )
    ]


def stored_patch(work: Work, session_id: int, branch: str, version: int) -> str:
    """The text of a commit's patch, stored under this very branch."""
    row = work.one(_patch, session_id=session_id, branch=branch, version=version)
    if row is None:
        raise NotFound(f"There is no version {version}", branch=branch)
    return str(row[0])


def by_key(work: Work, session_id: int, branch: str, key: str) -> Commit | None:
    """The commit of a branch, or of what it was forked from, with this idempotency key."""
    for segment in lineage(work, session_id, branch):
        row = work.one(_by_key, session_id=session_id, branch=segment.branch, key=key)
        if row is not None and row[1] <= segment.upto:
            return commit_of(work, session_id, row)
    return None


def by_round(work: Work, session_id: int, branch: str, round_: int) -> Commit | None:
    """The commit that a round ended in: one of those right after the version that it was begun on."""
    begun = work.one(_begun, session_id=session_id, round=round_)
    if begun is None or begun[1] in SETTLED - {"committed"}:
        return None
    for part in _parts(lineage(work, session_id, branch), begun[0], BEYOND):
        row = work.one(_by_round, session_id=session_id, round=round_, **part._asdict())
        if row is not None:
            return commit_of(work, session_id, row)
    return None


SAID = tuple(column.name for column in commits.c if column.name not in {"session_id", "patch", "hash"})
"""The fields of a commit that the chain covers as they are."""


class Restored(NamedTuple):
    """A version's state, which is the caller's to change, and how it was put together.

    `kept` is the chain of snapshots it stands on, `grown` the characters of the patches folded onto
    them, `touched` the fields that these changed otherwise than by adding items.
    """

    state: JSON
    kept: Kept
    grown: int
    touched: frozenset[str]


def restore(work: Work, session_id: int, branch: str, version: int) -> Restored:
    """The state at a version: the chain of snapshots before it and what came after, folded.

    Raises:
        NotFound: there is no such version.
        Pruned: what it was made of is pruned.
    """
    segments = lineage(work, session_id, branch)
    try:
        return _restored(work, session_id, segments, version)
    except Pruned:
        raise gone(version, pruned(work, session_id, segments), branch) from None


def gone(version: int, first: int | None, branch: str) -> Pruned:
    """The error for a version whose values were pruned."""
    if first is None or first >= BEYOND:
        return Pruned(f"The branch {branch!r} rests on versions that were pruned", branch=branch)
    return Pruned(f"Version {version} is pruned: the history is there from version {first} on", branch=branch)


def check_there(work: Work, session_id: int, branch: str, version: int) -> None:
    """Raise `Pruned` where the values of a version were pruned."""
    first = pruned(work, session_id, lineage(work, session_id, branch))
    if first is not None and version < first:
        raise gone(version, first, branch)


def _restored(work: Work, session_id: int, segments: tuple[Segment, ...], version: int) -> Restored:
    steps = snapshots.chain(work, session_id, segments, version)
    first = None if steps and steps[0].since != 0 else _initial(work, session_id, segments)
    found = snapshots.restored(steps, first)
    if found is None:
        first = first or _initial(work, session_id, segments)
        found = first, snapshots.initial(first, 0)
    state, kept = found
    grown, touched = 0, set()
    for patches in _pages(work, session_id, segments, kept.version, version):
        grown += sum(map(len, patches))
        operations = list(blobs.fetch_all(work, session_id, patches))
        touched |= changed(operations)
        state = fold(state, operations)
    return Restored(state, kept, grown, frozenset(touched))


def state_at(work: Work, session_id: int, branch: str, version: int) -> JSON:
    """The state at a version, which is the caller's to change."""
    return restore(work, session_id, branch, version).state


def patches(work: Work, session_id: int, branch: str, after: int, upto: int) -> Iterator[str]:
    """The stored patches of a range of versions, oldest first."""
    for page in _pages(work, session_id, lineage(work, session_id, branch), after, upto):
        yield from page


def since(work: Work, session_id: int, branch: str, after: int, upto: int) -> tuple[int, frozenset[str]]:
    """What `Restored` calls `grown` and `touched`, of the patches between two versions."""
    grown, touched = 0, set()
    for patches in _pages(work, session_id, lineage(work, session_id, branch), after, upto):
        grown += sum(map(len, patches))
        touched |= changed(blobs.fetch_all(work, session_id, patches))
    return grown, frozenset(touched)


def changed(patch: Iterable[Operation]) -> set[str]:
    """The fields that a patch changes otherwise than by adding items."""
    return {item.path[0] for item in patch if item.path and not adds_only(item)}


def adds_only(operation: Operation) -> bool:
    """Whether an operation adds items to a field and does nothing else."""
    return operation.verb == "append" and len(operation.path) == 1


def _initial(work: Work, session_id: int, segments: tuple[Segment, ...]) -> JSON:
    """The state of version 0."""
    for texts in _pages(work, session_id, segments, -1, 0):
        return fold({}, blobs.fetch_all(work, session_id, texts))
    raise NotFound("There is no version 0", branch=segments[-1].branch)


def operations(
    work: Work, session_id: int, segments: tuple[Segment, ...], after: int, upto: int
) -> Iterator[Operation]:
    """What the versions of a range have done, oldest first; whoever asks may change the values."""
    for texts in _pages(work, session_id, segments, after, upto):
        yield from blobs.fetch_all(work, session_id, texts)


def _pages(
    work: Work, session_id: int, segments: tuple[Segment, ...], after: int, upto: int
) -> Iterator[list[str]]:
    """The stored patches of a range, a page at a time; every version must be there."""
    reached = after
    for part in _parts(segments, after, upto):
        while reached < part.upto:
            last = min(reached + _PAGE, part.upto)
            rows = work.all(_patches, session_id=session_id, branch=part.branch, after=reached, upto=last)
            if not rows or rows[-1][0] - reached != len(rows):
                raise NotFound(f"There is no version {upto}", branch=segments[-1].branch)
            reached = rows[-1][0]
            yield [row[1] for row in rows]
    if reached != upto:
        raise NotFound(f"There is no version {upto}", branch=segments[-1].branch)
