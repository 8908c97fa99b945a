"""What is tainted on a branch, path by path, as its commits go by: where it is looked up what was read."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Literal, NamedTuple

from .branches import BranchInfo
from .footprints import Places, Step, Touch

Kind = Literal["read", "lift", "merge", "revert", "restore", "carry"]


class Tie(NamedTuple):
    """Why a commit, or a round, rests on a tainted commit: `branch` and `version` name that one.

    `place` is the number of the path that was read, -1 where nothing was read; `status` that of the proposal
    whose reader it was.
    """

    kind: Kind
    branch: str
    version: int
    place: int = -1
    reader: str | None = None
    base: int | None = None
    round: int | None = None
    status: str | None = None


class Seed(NamedTuple):
    """A commit from which a walk begins; with a place, only what it wrote there counts."""

    branch: str
    version: int
    place: int | None = None


class Line:
    """The steps of one branch, from where taint may be on it, and what was found of them so far."""

    def __init__(self, info: BranchInfo, first: int, above: Line | None, steps: list[Step]) -> None:
        self.branch = info.name
        self.forked = -1 if info.base_version is None else info.base_version
        self.first = first
        self.above = above
        self.steps = steps
        self.done = first - 1
        self.ties: dict[int, list[Tie]] = {}
        self.tainted: list[int] = []
        self._whole: dict[int, list[int]] = {}
        self._here: dict[int, list[int]] = {}
        self._below: dict[int, list[int]] = {}

    def step(self, version: int) -> Step:
        """The step that made a version of this line."""
        return self.steps[version - self.first]

    def wrote(self, version: int, touches: Iterable[Touch], places: Places, *, taints: bool = False) -> None:
        """Note what a step has written."""
        above = places.above
        for place, whole in touches:
            if whole:
                self._whole.setdefault(place, []).append(version)
            if taints:
                self._here.setdefault(place, []).append(version)
                self._below.setdefault(place, []).append(version)
                for upper in above[place]:
                    self._below.setdefault(upper, []).append(version)

    def earliest(
        self, place: int, above: tuple[int, ...], base: int, floor: int = 0
    ) -> tuple[tuple[Line, int] | None, bool]:
        """The first tainted commit that contributes to what stands at a path in a version.

        Args:
            floor: Look at no version before this one.

        Returns:
            It, and whether the path was replaced as a whole since then.
        """
        line: Line | None = self
        found: tuple[Line, int] | None = None
        while line is not None and base >= floor:
            start, at = line.look(place, above, base, floor)
            if at is not None:
                found = line, at
            if start is not None:
                return found, True
            base = min(base, line.forked)
            line = line.above
        return found, False

    def look(
        self, place: int, above: tuple[int, ...], base: int, floor: int = 0
    ) -> tuple[int | None, int | None]:
        """Where the path was last replaced as a whole on this line, and the first taint from there on."""
        start = None
        for one in (place, *above):
            versions = self._whole.get(one)
            if versions and (last := versions[-1]) > base:
                n = bisect_right(versions, base)
                last = versions[n - 1] if n else -1
            elif not versions:
                continue
            if last >= floor and (start is None or last > start):
                start = last
        found = None
        floor = floor if start is None else start
        for versions in (self._below.get(place), *map(self._here.get, above)):
            if versions and versions[-1] >= floor:
                at = versions[0]
                if at < floor:
                    at = versions[bisect_left(versions, floor)]
                if at <= base and (found is None or at < found):
                    found = at
        return start, found

    def first_between(self, low: int, high: int) -> int | None:
        """The first tainted commit of this line with `low <= version <= high`."""
        n = bisect_left(self.tainted, low)
        return self.tainted[n] if n < len(self.tainted) and self.tainted[n] <= high else None
