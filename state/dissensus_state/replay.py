"""Rebuilding every version from the history alone, bit for bit, with no call to anybody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from . import commits, heads, snapshots
from .ended import Endings, Unlike, unlike
from .engines import Row, Work
from .errors import Diverged
from .growing import settled
from .lineages import lineage, pruned
from .patches import fold, grow
from .records import Commit
from .showing import Shown
from .snapshots import Kept, Step
from .values import JSON, canonical, digest

MAX_SHOWN = 2000
"""How much of a value a difference shows, in characters."""


@dataclass(frozen=True, slots=True)
class Replay(Shown):
    """What a replay found: how many versions were rebuilt, and the digest of the last state.

    `rounds` are those that ended in a commit of them, `answers` the recorded answers that they rest on.
    """

    versions: int
    digest: str
    calls: int = 0
    rounds: int = 0
    answers: int = 0


def versions(
    work: Work, session_id: int, branch: str, *, plain: bool = True
) -> Iterator[tuple[Commit, JSON]]:
    """Every commit of a branch with the state it made, from the first on, or from where it was pruned.

    Args:
        plain: With plain lists, which are copied for each version.
    """
    base = pruned(work, session_id, lineage(work, session_id, branch))
    state: JSON = {} if base is None else commits.state_at(work, session_id, branch, base)
    for commit in commits.between(work, session_id, branch, -1 if base is None else base - 1):
        state = state if commit.version == base else grow(state, commit.patch)
        yield commit, settled(state) if plain else state


class Steps:
    """The stored snapshots of a branch, held against what the commits add up to.

    Attributes:
        left: The versions of those that were not come to yet; each is read when it is.
    """

    def __init__(self, work: Work, session_id: int, branch: str) -> None:
        self._work, self._session_id = work, session_id
        self._lineage = lineage(work, session_id, branch)
        self.left = snapshots.stored(work, session_id, self._lineage)
        self._kept: Kept | None = None
        self._touched: set[str] = set()

    def differs(self, commit: Commit, state: JSON) -> tuple[str, str] | None:
        """What is stored and what should be, where the snapshot of this commit is another one."""
        self._touched |= commits.changed(commit.patch)
        if commit.version == 0:
            self._kept, self._touched = snapshots.initial(state, 0), set()
        if commit.version not in self.left:
            return None
        self.left.remove(commit.version)
        found = snapshots.step_of(self._work, self._session_id, self._lineage, commit.version)
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
    """Fold all patches, hold each round against its commit, and compare with every snapshot on the way.

    Raises:
        Diverged: a stored snapshot is not what the commits add up to, or a commit is not what its round
            ended in; it names the version, the round and the call, the field, what is stored and what
            should be.
        Pruned: the branch rests on versions that were pruned.
    """
    return _Replaying(work, session_id, branch).done()


class _Replaying:
    """A replay on its way: one state, which is changed in place, and what was counted so far."""

    def __init__(self, work: Work, session_id: int, branch: str) -> None:
        self._work, self._session_id, self._branch = work, session_id, branch
        self._kept = Steps(work, session_id, branch)
        self._base = pruned(work, session_id, lineage(work, session_id, branch))
        self._state: JSON = {}
        self._head = heads.read(work, session_id, branch).version
        commits.check_there(work, session_id, branch, self._head)
        self._next = 0 if self._base is None else self._base
        self._kept.left = {version for version in self._kept.left if version >= self._next}
        self._rounds = self._answers = self._count = 0

    def done(self) -> Replay:
        """Go through all of it, a page of commits at a time."""
        for rows in commits.pages(self._work, self._session_id, self._branch, self._next - 1):
            self._page(rows)
        last = self._next - 1
        if self._head != last:
            raise _diverged("The head is not the last commit", self._branch, last, "head", self._head, last)
        if self._kept.left:
            stray = min(self._kept.left)
            raise _diverged("A snapshot is of no version", self._branch, stray, "snapshot", stray, None)
        found = digest(canonical(settled(self._state))).hex()
        return Replay(self._count, found, rounds=self._rounds, answers=self._answers)

    def _page(self, rows: Sequence[Row]) -> None:
        numbers = (row[commits.ROUND] for row in rows if row[commits.ROUND] is not None)
        endings = Endings(self._work, self._session_id, numbers)
        for row in rows:
            commit = commits.commit_of(self._work, self._session_id, row)
            if commit.version != self._next:
                raise _diverged(
                    "A version is missing", self._branch, self._next, "version", self._next, commit.version
                )
            self._next += 1
            self._count += 1
            if commit.round is not None:
                self._round(commit, endings)
            self._grow(commit)

    def _round(self, commit: Commit, endings: Endings) -> None:
        """Hold a commit against its round, before its patch becomes part of the state."""
        there = endings.of(commit.round or 0)
        found = unlike(commit, there)
        if found is not None or there is None:
            field, expected, actual, call = found or Unlike("round", commit.round, None)
            raise _diverged(
                "A commit is not what its round ended in", self._branch, commit.version, field, expected,
                actual, round=commit.round, call=call,
            )  # fmt: skip
        self._rounds += 1
        self._answers += there.answers

    def _grow(self, commit: Commit) -> None:
        if commit.version == self._base:
            self._state = commits.state_at(self._work, self._session_id, self._branch, commit.version)
        else:
            self._state = fold(self._state, commit.patch)
        differs = self._kept.differs(commit, self._state)
        if differs is not None:
            expected, actual = (digest(text).hex() for text in differs)
            what = "A snapshot is not what the commits before it add up to"
            raise _diverged(what, self._branch, commit.version, "snapshot", expected, actual)


def _diverged(
    what: str, branch: str, version: int, field: str, expected: JSON, actual: JSON, **where: Any
) -> Diverged:
    shown = (value if isinstance(value, str) else canonical(value) for value in (expected, actual))
    stored, found = (text[:MAX_SHOWN] for text in shown)
    return Diverged(what, version=version, branch=branch, **where, field=field, expected=stored, actual=found)
