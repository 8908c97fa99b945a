"""Which branch stands for another one since a merge: what a repair settles follows from that.

A branch may say that it supersedes another one up to a version (`session.supersede`). Where it was merged
into that one, in a version M, then from M on *what was held up to there counts as the merged branch has it*:
who reads a path rests on the commits after the superseded version that contributed to it, as ever, and beyond
them on those of the merged branch. A revert of M ends that, a revert of that revert begins it again.

Only what is suspect is asked for in this way; impact is about history, and history does not change.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from .branches import BranchInfo
from .crossings import Crossings
from .errors import Tampered
from .joining import Tip

if TYPE_CHECKING:
    from .tainting import Line

_MOST_TURNS = 300
"""How many branches may stand for each other in a row."""


class StandIn(NamedTuple):
    """From a version `at` on, what was held up to `upto` counts as another branch has it in a version."""

    at: int
    upto: int
    branch: str
    version: int


Stands = Callable[[str, int], StandIn | None]
"""What stands for a branch in a version."""


class StandIns:
    """The branches of a session that stand for others.

    Args:
        heads: Its branches, by name.
    """

    def __init__(self, crossings: Crossings, heads: Mapping[str, BranchInfo]) -> None:
        self._crossings = crossings
        self._heads = heads
        self._turns: dict[str, tuple[list[int], list[StandIn | None]]] = {}
        self._made: dict[Tip, StandIn | None] = {}

    def at(self, branch: str, version: int) -> StandIn | None:
        """What stands for a branch in one of its versions; the furthest, and of these the newest."""
        versions, stands = self._of(branch)
        n = bisect_right(versions, version)
        return stands[n - 1] if n else None

    def firsts(self, firsts: Mapping[str, int]) -> dict[str, int]:
        """From where on the branches have to be known for which others stand, one of which is concerned."""
        found: dict[str, int] = {}
        for branch, info in self._heads.items() if self._crossings.superseding else ():
            for one in {*self._of(branch)[1]} - {None}:
                if one is None or (branch not in firsts and one.branch not in firsts):
                    continue
                for name, after, upto in self._crossings.segments(branch, info.head):
                    if upto > one.upto:
                        first = max(after, one.upto) + 1
                        found[name] = min(first, found.get(name, first))
        return found

    def left(self, lines: Mapping[str, Line], branch: str, version: int, depth: int = 0) -> set[Tip]:
        """The tainted commits that went into a version, but for those that are settled in it.

        A commit up to `upto` is settled unless it is among those that are left of the branch that stands for
        it, be it as a copy that was carried over.
        """
        if depth > _MOST_TURNS:
            raise Tampered("Branches stand for each other in a circle")
        reach = self._crossings.reach(branch, version, ours=False)
        found = {
            (name, number)
            for name, upto in reach.items()
            if name in lines
            for number in lines[name].ties
            if number <= upto
        }
        one = self.at(branch, version)
        if one is None:
            return found
        kept = self.left(lines, one.branch, one.version, depth + 1)
        kept |= {tip for copy in kept for tip in self._crossings.origins(copy)}
        mine = [*self._crossings.segments(branch, one.upto)]
        return {tip for tip in found if tip in kept or not _within(tip, mine)}

    def _of(self, branch: str) -> tuple[list[int], list[StandIn | None]]:
        if branch not in self._turns:
            self._turns[branch] = self._turned(branch) if self._crossings.superseding else ([], [])
        return self._turns[branch]

    def _turned(self, branch: str) -> tuple[list[int], list[StandIn | None]]:
        """The versions in which something begins or ceases to stand for a branch, and what does then."""
        info = self._heads.get(branch)
        segments = [] if info is None else [*self._crossings.segments(branch, info.head)]
        merged = [
            (version, self._merged(name, version))
            for name, after, upto in segments
            for version in self._crossings.merges(name, after, upto)
        ]
        stands = {version: one for version, one in merged if one is not None}
        does: dict[int, Counter[int]] = {version: Counter({version: 1}) for version in stands}
        reverts = {
            version: (first, last)
            for name, after, upto in segments
            for version, first, last in self._crossings.reverts(name, after, upto)
        }
        stand: Counter[int] = Counter()
        turns: tuple[list[int], list[StandIn | None]] = [], []
        for version in sorted([*stands, *reverts]):
            if version in reverts:
                first, last = reverts[version]
                does[version] = _undone(does[number] for number in does if first <= number <= last)
            for number, count in does[version].items():
                stand[number] += count
            known = [stands[number] for number, count in stand.items() if count > 0]
            turns[0].append(version)
            turns[1].append(max(known, key=lambda one: (one.upto, one.at), default=None))
        return turns

    def _merged(self, branch: str, version: int) -> StandIn | None:
        """What a merge lets stand for what was there before it."""
        if (branch, version) not in self._made:
            mine = [*self._crossings.segments(branch, version - 1)]
            reaches = [
                self._crossings.reach(*tip, ours=True)
                for stretch in self._crossings.brought(branch, version)
                for tip in self._crossings.superseded(*stretch)
            ]
            uptos = [
                min(reach[name], upto)
                for reach in reaches
                for name, after, upto in mine
                if reach.get(name, -1) > after
            ]
            tip = self._crossings.merged(branch, version)
            self._made[branch, version] = StandIn(version, max(uptos), *tip) if uptos else None
        return self._made[branch, version]


def _undone(effects: Iterable[Counter[int]]) -> Counter[int]:
    """The opposite of what some commits did."""
    found: Counter[int] = Counter()
    for one in effects:
        found.subtract(one)
    return found


def _within(tip: Tip, segments: Collection[tuple[str, int, int]]) -> bool:
    return any(name == tip[0] and after < tip[1] <= upto for name, after, upto in segments)
