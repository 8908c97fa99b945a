"""What a merge and a revert come to, read from the histories: asked for to make them, and to verify them.

Which versions went into another is a set that is closed downwards on every branch, so it is told by the
newest version of each (`Reach`). What two versions have in common is where both reach; where that has
several ends, none before the other, these are brought together first, as git's recursive merge does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from . import commits, touches
from .branches import MergeConflict, conflicts_numbered
from .engines import Work
from .errors import NotFound, Tampered
from .lifting import lifted_at
from .lineages import lineage
from .patches import Operation, Patch, apply, get
from .records import Commit
from .shapes import Shape
from .three_way import ABSENT, Clash, Merged, same, three_way
from .values import JSON, Path, canonical, parse_path

Tip = tuple[str, int]
"""A branch and one of the versions that are stored under it."""

Reach = dict[str, int]
"""Of each branch, the newest version that went into something; all before it did, too."""


class Joined(NamedTuple):
    """What brings one version into another: what they have in common, and what follows from that."""

    bases: list[Tip]
    merged: Merged
    ours: JSON
    theirs: JSON


def reach(work: Work, session_id: int, branch: str, version: int) -> Reach:
    """Which versions went into a version, itself included."""
    found: Reach = {}
    todo = [(branch, version)]
    while todo:
        name, upto = todo.pop()
        for segment in lineage(work, session_id, name):
            last = min(segment.upto, upto)
            known = found.get(segment.branch, segment.after)
            if last > known:
                found[segment.branch] = last
                todo += _merged_into(work, session_id, segment.branch, known, last)
    return found


def _merged_into(work: Work, session_id: int, branch: str, after: int, upto: int) -> Iterator[Tip]:
    for _, source in commits.sources(work, session_id, branch, after, upto):
        match source:
            case {"merge": {"branch": str(name), "version": int(version)}}:
                yield name, version


def common(work: Work, session_id: int, one: Reach, other: Reach) -> list[Tip]:
    """The newest versions that went into both, none of which went into another."""
    tips = [(name, min(one[name], other[name])) for name in sorted(one.keys() & other.keys())]
    reaches = {tip: reach(work, session_id, *tip) for tip in tips} if len(tips) > 1 else {}
    return [
        (name, version)
        for name, version in tips
        if not any(its.get(name, -1) >= version for tip, its in reaches.items() if tip[0] != name)
    ]


def of_branches(work: Work, session_id: int, ours: Tip, theirs: Tip, shape: Shape) -> Joined | None:
    """What brings a version of one branch into that of another; None where there is nothing to bring.

    So it is where theirs went into ours already, and where it is ours and merges that brought nothing;
    but what says that it stands for another is merged though it comes to the same: the history holds it then.
    """
    mine, its = (reach(work, session_id, *tip) for tip in (ours, theirs))
    if _within(its, mine):
        return None
    bases = common(work, session_id, mine, its)
    was = _base(work, session_id, bases, shape)
    now, then = (lifted_at(work, session_id, *tip, shape) for tip in (ours, theirs))
    merged = three_way(was, now, then, shape.merges, shape.sets)
    if _within(mine, its) and not merged.operations and not _superseding(work, session_id, its, mine):
        return None
    return Joined(bases, merged, now, then)


def _superseding(work: Work, session_id: int, its: Reach, mine: Reach) -> bool:
    """Whether anything that went into one version, and not another, says that it stands for something."""
    for name, upto in its.items():
        after = mine.get(name, lineage(work, session_id, name)[-1].after)
        for _, source in commits.sources(work, session_id, name, after, upto):
            match source:
                case {"merge": {"ours": True}}:
                    return True
    return False


def _within(one: Reach, other: Reach) -> bool:
    """Whether all that went into one went into the other."""
    return all(other.get(name, -1) >= version for name, version in one.items())


def _base(work: Work, session_id: int, bases: list[Tip], shape: Shape) -> JSON:
    """The state that two versions grew from; what several bases contest stands nowhere in it."""
    if not bases:
        raise Tampered("Two branches have no version in common")
    (branch, version), *rest = bases
    state = lifted_at(work, session_id, branch, version, shape)
    known = reach(work, session_id, branch, version)
    for tip in rest:
        its = reach(work, session_id, *tip)
        was = _base(work, session_id, common(work, session_id, known, its), shape)
        merged = three_way(was, state, lifted_at(work, session_id, *tip, shape), shape.merges, shape.sets)
        state = apply(state, merged.patch)
        for clash in merged.clashes:
            state = _without(state, parse_path(clash.path), shape.keys)
        known = {name: max(known.get(name, -1), its.get(name, -1)) for name in {**known, **its}}
    return state


def _without(state: JSON, path: Path, keys: Mapping[str, str]) -> JSON:
    """The state with nothing at a path."""
    if len(path) == 1:
        return {name: value for name, value in state.items() if name != path[0]}
    try:
        return apply(state, [_settling(path, ABSENT, state, keys)])
    except NotFound:
        return state


def of_stretch(
    work: Work, session_id: int, branch: str, head: int, first: int, last: int, shape: Shape
) -> Merged:
    """What takes a stretch of commits back from the state at a version."""
    after, now, before = (
        lifted_at(work, session_id, branch, version, shape) for version in (last, head, first - 1)
    )
    return three_way(after, now, before, shape.taking_back, shape.sets)


def taken_back(work: Work, session_id: int, branch: str, head: int, first: int, last: int) -> int | None:
    """The revert that has taken one of these commits back already, and was not taken back itself."""
    undone: list[tuple[int, int]] = []
    for version, source in reversed(commits.sources(work, session_id, branch, -1, head)):
        match source:
            case {"revert": {"first": int(low), "last": int(high)}}:
                if any(start <= version <= end for start, end in undone):
                    continue
                undone.append((low, high))
                if low <= last and first <= high and not first <= version <= last:
                    return version
    return None


def settle_with(
    joined: Joined, settled: Mapping[str, MergeConflict], keys: Mapping[str, str]
) -> tuple[Patch, list[Clash]]:
    """The patch of a merge with what was settled, and the clashes that nobody has settled as they are now.

    Args:
        settled: The settled conflicts by path.
        keys: The key field of each list that merges by key.
    """
    operations, left = list(joined.merged.operations), []
    for clash in joined.merged.clashes:
        one = settled.get(clash.path)
        if one is None or not fits(one, clash):
            left.append(clash)
        elif not same(one.value, clash.ours):
            path = parse_path(clash.path)
            removes = one.value is ABSENT and path[0] in keys
            state = apply(joined.ours, operations) if removes else joined.ours
            operations.append(_settling(path, one.value, state, keys))
    return tuple(operations), left


def vouched(work: Work, session_id: int, theirs: Tip, joined: Joined, patch: Patch) -> tuple[JSON, ...]:
    """The evidence by which what a merge or a revert brings was committed where it comes from.

    It is of the fields that are afterwards as they are there: what both sides made together nobody has
    checked, and a rule that asks for evidence refuses it.
    """
    after = apply(joined.ours, patch)
    found: dict[str, JSON] = {}
    for name in sorted({item.path[0] for item in patch}):
        if not same(after.get(name, ABSENT), joined.theirs.get(name, ABSENT)):
            continue
        version = touches.newest(work, session_id, theirs[0], (name,), theirs[1])
        if version is not None:
            its = commits.commit(work, session_id, theirs[0], version)
            found |= {canonical(item): item for item in its.evidence}
    return tuple(found.values())


def _settling(path: Path, value: JSON, state: JSON, keys: Mapping[str, str]) -> Operation:
    """The operation that puts a settled value in its place."""
    key = keys.get(path[0]) if len(path) == 2 else None
    if key is None:
        return Operation("remove", path) if value is ABSENT else Operation("set", path, value)
    if value is not ABSENT:
        return Operation("merge", path[:1], [value], key)
    left = [item for item in get(state, path[:1]) if str(item[key]) != path[1]]
    return Operation("set", path[:1], left)


def fits(one: MergeConflict, clash: Clash) -> bool:
    """Whether a conflict is about what is contested now."""
    return same(one.base, clash.base) and same(one.ours, clash.ours) and same(one.theirs, clash.theirs)


def told(
    theirs: Tip, hash_: bytes, bases: Iterable[Tip], settled: Iterable[MergeConflict]
) -> dict[str, JSON]:
    """What a merge says of where its patch comes from; the chain covers it."""
    return {
        "branch": theirs[0],
        "version": theirs[1],
        "hash": hash_.hex(),
        "bases": [list(tip) for tip in bases],
        "settled": [[one.conflict, one.seal] for one in settled],
    }


def expected(
    work: Work, session_id: int, commit: Commit, shape: Shape, redacted: AbstractSet[str] = frozenset()
) -> Patch | None:
    """The patch that a merge or a revert must have; None for what is neither.

    Args:
        redacted: Fields of which something was taken away: what was contested there is not known.

    Raises:
        Tampered: what a merge names never was, or nobody has settled what it contests.
    """
    match commit.source:
        case {"merge": {"ours": True}}:
            return ()
        case {"merge": dict(said)}:
            return _expected_merge(work, session_id, commit, said, shape, redacted)
        case {"revert": {"first": int(first), "last": int(last)}}:
            return of_stretch(work, session_id, commit.branch, commit.version - 1, first, last, shape).patch
    return None


def _expected_merge(
    work: Work,
    session_id: int,
    commit: Commit,
    said: dict[str, JSON],
    shape: Shape,
    redacted: AbstractSet[str],
) -> Patch | None:
    theirs = said["branch"], said["version"]
    its = commits.commit(work, session_id, *theirs)
    joined = of_branches(work, session_id, (commit.branch, commit.version - 1), theirs, shape)
    if joined is None and redacted:
        return None  # both sides may be alike for what was taken away
    if joined is None:
        raise Tampered("there was nothing to merge")
    settled = conflicts_numbered(work, session_id, [number for number, _ in said["settled"]])
    if said != told(theirs, its.hash, joined.bases, settled):
        raise Tampered("what it merged, or how that was settled, is not what it says")
    for one in settled:
        if (one.status, one.branch, one.source_branch) != ("merged", commit.branch, theirs[0]):
            raise Tampered(f"the conflict {one.conflict} is another one")
    patch, left = settle_with(joined, {one.path: one for one in settled}, shape.keys)
    for clash in left:
        if parse_path(clash.path)[0] not in redacted:
            raise Tampered(f"nobody has settled {clash.path}")
    return patch
