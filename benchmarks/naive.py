"""The impact of a commit by a walk that is too slow to be wrong: every read is looked up in every version.

A commit rests on those that contribute to what it had read: from the last one that replaced the whole
of it on. Written from the definition, and from nothing of what the library does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dissensus_state.patches import Operation
from dissensus_state.records import Commit
from dissensus_state.sessions import Session
from dissensus_state.values import Path, overlap, parse_path


def naive_impact(session: Session[Any], origin: int) -> set[int]:
    """The versions that rest on a commit, directly or through others."""
    commits = {one.version: one for one in session.log(limit=10**6)}
    lengths = _lengths(commits)
    suspects = {origin}
    for version in range(origin + 1, session.head + 1):
        if any(not suspects.isdisjoint(found) for found in _rests_on(session, commits, lengths, version)):
            suspects.add(version)
    return suspects - {origin}


def _rests_on(
    session: Session[Any], commits: dict[int, Commit], lengths: dict[int, int], version: int
) -> Iterator[set[int]]:
    made = commits[version]
    reads = [(path, made.base) for path in made.read_paths]
    if made.round is not None:
        ended, proposals, _, rulings = session.round(made.round)
        if rulings:
            reads += [(parse_path(path), ended.base) for item in proposals for path in item.reads]
    for path, base in reads:
        yield _contributors(commits, lengths, path, base)


def _contributors(commits: dict[int, Commit], lengths: dict[int, int], path: Path, base: int) -> set[int]:
    found: set[int] = set()
    for version in range(base, -1, -1):
        touched = list(_touched(commits[version], lengths))
        if any(overlap(path, written) for written, _ in touched):
            found.add(version)
        if any(whole and written == path[: len(written)] for written, whole in touched):
            break
    return found


def _touched(made: Commit, lengths: dict[int, int]) -> Iterator[tuple[Path, bool]]:
    """What a commit wrote, and whether it replaced the whole of it."""
    start = lengths[made.version]
    for operation in made.patch:
        if operation.verb == "append" and operation.path == ("findings",):
            for number in range(len(operation.value)):
                yield ("findings", str(start + number)), True
        else:
            yield from _of(operation)


def _of(operation: Operation) -> Iterable[tuple[Path, bool]]:
    return [(path, operation.verb in {"set", "remove", "merge"}) for path in operation.touched()]


def _lengths(commits: dict[int, Commit]) -> dict[int, int]:
    """How many findings there were before each version."""
    there, found = 0, {}
    for version in sorted(commits):
        found[version] = there
        for operation in commits[version].patch:
            if operation.path == ("findings",):
                there = len(operation.value) + (there if operation.verb == "append" else 0)
    return found
