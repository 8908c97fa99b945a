"""Do a change and the commits it has not seen touch each other? Pure, and the heart of G2."""

from __future__ import annotations

from collections.abc import Iterable

from .errors import Conflict
from .patches import COMMUTING, Operation, Patch, is_ordered
from .records import Change, Commit, is_migration
from .values import Path, overlap, pointer


def check(change: Change, unseen: Iterable[Commit], head: int) -> None:
    """Raise `Conflict` for the first unseen commit that the change cannot be rebased over.

    A change may be rebased over a commit if nothing it read was written there, and what both
    write commutes: the same of `append`, `add`, `union` at the same path. Under
    `isolation="snapshot"` reads do not count, which admits write skew. Nothing is rebased over a
    migration: paths mean something else after it.
    """
    for commit in unseen:
        if is_migration(commit):
            raise Conflict(
                f"Version {commit.version} lifted the state to schema version {commit.schema_version}",
                expected=change.base,
                actual=head,
                paths=["/"],
                other=commit.author,
                retry=True,
            )
        reads = () if change.isolation == "snapshot" else change.reads
        paths = {*_stale(reads, commit), *_contested(change.patch, commit.patch)}
        if paths:
            names = ", ".join(sorted(pointer(path) or "/" for path in paths))
            raise Conflict(
                f"{commit.author} changed {names} in version {commit.version}",
                expected=change.base,
                actual=head,
                paths=sorted(pointer(path) for path in paths),
                other=commit.author,
                retry=True,
            )


def _stale(reads: Iterable[Path], commit: Commit) -> Iterable[Path]:
    return (written for written in commit.writes for read in reads if overlap(read, written))


def _contested(ours: Patch, theirs: Patch) -> Iterable[Path]:
    for mine in ours:
        for other in theirs:
            if not _commute(mine, other):
                yield from _shared(mine, other)


def _commute(a: Operation, b: Operation) -> bool:
    same = a.verb == b.verb and a.verb in COMMUTING and a.path == b.path
    return same and (a.verb != "fold" or (a.key == b.key and not (is_ordered(a) or is_ordered(b))))


def _shared(a: Operation, b: Operation) -> Iterable[Path]:
    return (path for path in a.touched() for other in b.touched() if overlap(path, other))
