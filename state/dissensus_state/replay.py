"""Rebuilding every version from the history alone, bit for bit, with no call to anybody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from . import commits, snapshots
from .engines import Work
from .errors import Diverged
from .patches import apply
from .records import Commit
from .values import JSON, canonical, digest


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay found: how many versions were rebuilt, and the digest of the last state."""

    versions: int
    digest: str
    calls: int = 0
    rounds: int = 0


def versions(work: Work, session_id: int, branch: str) -> Iterator[tuple[Commit, JSON]]:
    """Every commit of a branch with the state it made, from the first on."""
    state: JSON = {}
    for commit in commits.between(work, session_id, branch, -1):
        state = apply(state, commit.patch)
        yield commit, state


def replay(work: Work, session_id: int, branch: str) -> Replay:
    """Fold all patches and compare with every snapshot on the way.

    Raises:
        Diverged: a stored snapshot is not what the commits add up to.
    """
    kept = snapshots.stored(work, session_id, branch)
    state: JSON = {}
    count = 0
    for commit, state in versions(work, session_id, branch):
        count += 1
        expected = kept.get(commit.version)
        if expected is not None and expected != canonical(state):
            raise Diverged(
                "A snapshot is not what the commits before it add up to",
                version=commit.version,
                branch=branch,
                expected=digest(expected).hex(),
                actual=digest(canonical(state)).hex(),
            )
    return Replay(count, digest(canonical(state)).hex())
