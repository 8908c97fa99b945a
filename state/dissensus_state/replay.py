"""Rebuilding every version from the history alone, bit for bit, with no call to anybody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from . import commits, snapshots
from .engines import Work
from .errors import Diverged
from .growing import settled
from .lineages import BEYOND, lineage, pruned
from .patches import grow
from .records import Commit
from .showing import Shown
from .snapshots import Kept, Step
from .values import JSON, canonical, digest


@dataclass(frozen=True, slots=True)
class Replay(Shown):
    """What a replay found: how many versions were rebuilt, and the digest of the last state."""

    versions: int
    digest: str
    calls: int = 0
    rounds: int = 0


def versions(work: Work, session_id: int, branch: str) -> Iterator[tuple[Commit, JSON]]:
    """Every commit of a branch with the state it made, from the first on, or from where it was pruned."""
    for commit, state in _grown(work, session_id, branch):
        yield commit, settled(state)


def _grown(work: Work, session_id: int, branch: str) -> Iterator[tuple[Commit, JSON]]:
    base = pruned(work, session_id, lineage(work, session_id, branch))
    state: JSON = {} if base is None else commits.state_at(work, session_id, branch, base)
    for commit in commits.between(work, session_id, branch, -1 if base is None else base - 1):
        state = state if commit.version == base else grow(state, commit.patch)
        yield commit, state


class Steps:
    """The stored snapshots of a branch, held against what the commits add up to."""

    def __init__(self, work: Work, session_id: int, branch: str) -> None:
        self.left = snapshots.stored(work, session_id, lineage(work, session_id, branch), BEYOND)
        self._kept: Kept | None = None
        self._touched: set[str] = set()

    def differs(self, commit: Commit, state: JSON) -> tuple[str, str] | None:
        """What is stored and what should be, where the snapshot of this commit is another one."""
        self._touched |= commits.changed(commit.patch)
        if commit.version == 0:
            self._kept, self._touched = snapshots.initial(state, 0), set()
        found = self.left.pop(commit.version, None)
        if found is None:
            return None
        expected = self._expected(found, commit.version, state)
        if expected != found.text or found.size != len(found.text):
            return found.text, expected
        kept = snapshots.first(commit.version, state, found.size)
        self._kept = kept if found.since is None else kept._replace(since=found.since)
        self._touched = set()
        return None

    def _expected(self, found: Step, version: int, state: JSON) -> str:
        if found.since is None:
            return canonical(settled(state))
        kept = self._kept
        if found.since == version:
            return canonical(snapshots.step(state, None, ()))
        if kept is None or kept.since != found.since:
            return f"a snapshot that follows {kept.since if kept else 'none'}"
        return canonical(snapshots.step(state, kept, self._touched))


def replay(work: Work, session_id: int, branch: str) -> Replay:
    """Fold all patches and compare with every snapshot on the way.

    Raises:
        Diverged: a stored snapshot is not what the commits add up to.
    """
    kept = Steps(work, session_id, branch)
    state: JSON = {}
    count = 0
    for commit, state in _grown(work, session_id, branch):
        count += 1
        differs = kept.differs(commit, state)
        if differs is not None:
            raise Diverged(
                "A snapshot is not what the commits before it add up to",
                version=commit.version,
                branch=branch,
                expected=digest(differs[0]).hex(),
                actual=digest(differs[1]).hex(),
            )
    return Replay(count, digest(canonical(settled(state))).hex())
