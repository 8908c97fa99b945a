"""What a merge and a revert come to, read from the histories: asked for to make them, and to verify them."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from . import commits
from .branches import MergeConflict, all_conflicts
from .engines import Work
from .errors import Tampered
from .lifting import lifted_at
from .lineages import lineage
from .patches import Operation, Patch, apply, get
from .records import Commit
from .shapes import Shape
from .three_way import ABSENT, Clash, Merged, same, three_way
from .values import JSON, Path, parse_path


def base_of(work: Work, session_id: int, branch: str, head: int, source: str, theirs: int) -> int:
    """The newest version of the source that the branch has in it: by an earlier merge, or by its origin."""
    ours, other = lineage(work, session_id, branch), lineage(work, session_id, source)
    shared = -1
    for mine, its in zip(ours, other, strict=False):
        if (mine.branch, mine.after) != (its.branch, its.after):
            break
        shared = min(mine.upto, its.upto, head, theirs)
    merges = [
        commit.source["merge"]["version"]
        for commit in commits.with_source(work, session_id, branch, head)
        if commit.source and commit.source.get("merge", {}).get("branch") == source
    ]
    return max(shared, *(int(version) for version in merges if version <= theirs), -1)


def of_branches(
    work: Work, session_id: int, branch: str, head: int, source: str, theirs: int, base: int, shape: Shape
) -> Merged:
    """What brings a version of a branch into another, given the version that both grew from."""
    was = lifted_at(work, session_id, source, base, shape)
    mine = lifted_at(work, session_id, branch, head, shape)
    other = lifted_at(work, session_id, source, theirs, shape)
    return three_way(was, mine, other, shape.merges, shape.sets)


def of_stretch(
    work: Work, session_id: int, branch: str, head: int, first: int, last: int, shape: Shape
) -> Merged:
    """What takes a stretch of commits back from the state at a version."""
    after, now, before = (
        lifted_at(work, session_id, branch, version, shape) for version in (last, head, first - 1)
    )
    return three_way(after, now, before, shape.taking_back, shape.sets)


def settle_with(
    merged: Merged, settled: Mapping[str, MergeConflict], ours: JSON, keys: Mapping[str, str]
) -> tuple[Patch, list[Clash]]:
    """The patch of a merge with what was settled, and the clashes that nobody has settled as they are now.

    Args:
        ours: The state that the patch is for.
        keys: The key field of each list that merges by key.
    """
    operations, left = list(merged.operations), []
    for clash in merged.clashes:
        one = settled.get(clash.path)
        if one is None or not fits(one, clash):
            left.append(clash)
        elif not same(one.value, clash.ours):
            state = apply(ours, operations)
            operations.append(_settling(parse_path(clash.path), one.value, state, keys))
    return tuple(operations), left


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
    """Whether a settled conflict is about what is contested now."""
    return same(one.base, clash.base) and same(one.ours, clash.ours) and same(one.theirs, clash.theirs)


def expected(
    work: Work, session_id: int, commit: Commit, shape: Shape, redacted: AbstractSet[str] = frozenset()
) -> Patch | None:
    """The patch that a merge or a revert must have; None for what is neither.

    Args:
        redacted: Fields of which something was taken away: what was contested there is not known.

    Raises:
        Tampered: the source that a merge names never was, or nobody has settled what it contests.
    """
    before = commit.version - 1
    match commit.source:
        case {
            "merge": {"branch": str(source), "version": int(theirs), "hash": str(hash_), "base": int(base)}
        }:
            if commits.commit(work, session_id, source, theirs).hash.hex() != hash_:
                raise Tampered(f"version {theirs} of {source!r} is another one")
            known = base_of(work, session_id, commit.branch, before, source, theirs)
            if known != base:
                raise Tampered(f"both grew from version {known} of {source!r}, and not from {base}")
            merged = of_branches(work, session_id, commit.branch, before, source, theirs, base, shape)
            ours = lifted_at(work, session_id, commit.branch, before, shape)
            settled = _merged(work, session_id, commit.branch, source)
            patch, left = settle_with(merged, settled, ours, shape.keys)
            for clash in left:
                if parse_path(clash.path)[0] not in redacted:
                    raise Tampered(f"nobody has settled {clash.path}")
            return patch
        case {"revert": {"first": int(first), "last": int(last)}}:
            return of_stretch(work, session_id, commit.branch, before, first, last, shape).patch
    return None


def _merged(work: Work, session_id: int, branch: str, source: str) -> dict[str, MergeConflict]:
    """The settled conflicts of the merges of two branches, by path."""
    return {
        one.path: one
        for one in all_conflicts(work, session_id)
        if one.status == "merged" and (one.branch, one.source_branch) == (branch, source)
    }
