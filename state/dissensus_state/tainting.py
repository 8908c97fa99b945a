"""What is tainted on a branch, path by path, as its commits go by: where it is looked up what was read."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Literal, NamedTuple

from .branches import BranchInfo
from .footprints import Places, Step, Touch

Kind = Literal["read", "lift", "merge", "revert", "carry"]


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


class Cure(NamedTuple):
    """From a version on, what was tainted up to another one counts no more, but for what is `kept`.

    `here` and `below` are the versions of what is kept that touched a path, or something below it.
    """

    at: int
    upto: int
    kept: frozenset[int]
    here: dict[int, list[int]]
    below: dict[int, list[int]]

    @classmethod
    def of(cls, at: int, upto: int, kept: Iterable[tuple[Line, int]], places: Places) -> Cure:
        """A cure, with what is kept by the line that it stands on."""
        made = cls(at, upto, frozenset(version for _, version in kept), {}, {})
        for line, version in sorted(kept, key=lambda one: one[1]):
            for place, _ in line.step(version).touches:
                made.here.setdefault(place, []).append(version)
                for upper in (place, *places.above[place]):
                    made.below.setdefault(upper, []).append(version)
        return made

    def earliest(self, place: int, above: tuple[int, ...], low: int, high: int) -> int | None:
        """The first of what is kept that contributes to a path, from a version up to another."""
        found: int | None = None
        for versions in (self.below.get(place, ()), *(self.here.get(one, ()) for one in above)):
            n = bisect_left(versions, low)
            if n < len(versions) and versions[n] <= high and (found is None or versions[n] < found):
                found = versions[n]
        return found


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
        self.cures: list[Cure] = []
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

    def earliest(self, place: int, above: tuple[int, ...], base: int) -> tuple[Line, int] | None:
        """The first tainted commit that contributes to what stands at a path in a version."""
        line: Line | None = self
        found: tuple[Line, int] | None = None
        cure: Cure | None = None
        while line is not None:
            if line.cures:
                cure = line.cure_at(base, cure)
            start, at = line.look(place, above, base, cure)
            if at is not None:
                found = line, at
            if start is not None:
                return found
            base = min(base, line.forked)
            line = line.above
        return found

    def cure_at(self, base: int, other: Cure | None = None) -> Cure | None:
        """The cure that counts for a version; the one that reaches furthest."""
        known = [one for one in self.cures if one.at <= base]
        return max([*known, *([other] if other else [])], key=lambda one: (one.upto, one.at), default=None)

    def look(
        self, place: int, above: tuple[int, ...], base: int, cure: Cure | None = None
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
            if last >= 0 and (start is None or last > start):
                start = last
        found = None
        floor = -1 if start is None else start
        if cure is not None:
            low = max(floor, self.forked + 1)
            found = cure.earliest(place, above, low, min(base, cure.upto))
            floor = max(floor, cure.upto + 1)
        for versions in (self._below.get(place), *map(self._here.get, above)):
            if versions and versions[-1] >= floor:
                at = versions[0]
                if at < floor:
                    at = versions[bisect_left(versions, floor)]
                if at <= base and (found is None or at < found):
                    found = at
        return start, found

    def tainted_between(self, low: int, high: int) -> list[int]:
        """The tainted commits of this line with `low <= version <= high`."""
        return self.tainted[bisect_left(self.tainted, low) : bisect_right(self.tainted, high)]

    def first_between(self, low: int, high: int) -> int | None:
        """The first tainted commit of this line with `low <= version <= high`."""
        n = bisect_left(self.tainted, low)
        return self.tainted[n] if n < len(self.tainted) and self.tainted[n] <= high else None
