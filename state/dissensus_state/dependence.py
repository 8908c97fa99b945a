"""Which commits rest on which, found in one pass forward; `impact` says what that is and shows it.

Each branch is a line of steps. As they go by, a line keeps for every path the versions that replaced the
whole of it, and those of the tainted commits that touched it or something below it. Whether what a commit
had read is tainted is then told by looking into these lists: from the last version that replaced the path
or something above it, up to the version that was read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

from .branches import BranchInfo
from .crossings import Asked, Crossings, Reader, rounds_on
from .errors import Tampered
from .footprints import Reading, Step
from .joining import Tip
from .standins import StandIns
from .tainting import Line, Seed, Tie
from .takeovers import carried_from, supersedes


class Walk:
    """A pass over everything that may rest on some seeds.

    Attributes:
        lines: The branches on which something does, or may.
        rounds: All rounds that were asked on them.
        stands: The branches that stand for others, where that counts.

    Args:
        reading: The session, with the numbers of paths that the seeds name.
        heads: The branches of the session.
        cures: Do not count that a revert takes a seed back, but what it puts back; and count what a merged
            branch supersedes as that one has it (`standins`).
    """

    def __init__(
        self,
        reading: Reading,
        heads: Iterable[BranchInfo],
        seeds: Iterable[Seed],
        *,
        cures: bool = False,
    ) -> None:
        work, session_id, places = reading.work, reading.session_id, reading.places
        self.places = places
        self.lines: dict[str, Line] = {}
        self._infos = {one.name: one for one in heads}
        self._seeds = {(one.branch, one.version): one for one in seeds}
        self._cures = cures
        self._crossings = Crossings(work, session_id, self._infos)
        self.stands = StandIns(self._crossings, self._infos) if cures else None
        firsts = self._firsts()
        self.rounds = rounds_on(work, session_id, places, firsts, everywhere=self._crossings.carries)
        for name in self._in_order(firsts):
            info, first = self._infos[name], firsts[name]
            steps = reading.steps(name, first - 1, info.head)
            self.lines[name] = Line(info, first, self.lines.get(info.base_branch or ""), steps)
        self._run()

    def distances(self) -> dict[Tip, int]:
        """By how many links each tainted commit is away from the nearest seed."""
        found: dict[Tip, int] = dict.fromkeys(self._seeds, 0)
        todo = [
            (line.branch, version, ties)
            for line in self.lines.values()
            for version, ties in line.ties.items()
        ]
        while todo:
            left = []
            for branch, version, ties in todo:
                known = [there for tie in ties if (there := found.get((tie.branch, tie.version))) is not None]
                if len(known) < len(ties):
                    left.append((branch, version, ties))
                else:
                    found.setdefault((branch, version), 1 + min(known))
            if len(left) == len(todo):
                raise Tampered("Commits rest on each other")
            todo = left
        return found

    def overheard(self) -> Iterator[tuple[Asked, list[Tie]]]:
        """The rounds that ended in no commit and had read what is tainted, with why."""
        for _, asked in sorted(self.rounds.items()):
            line = self.lines.get(asked.branch)
            if line is None or asked.status == "committed":
                continue
            ties: list[Tie] = []
            for reader in asked.readers:
                self._read(line, asked, reader, asked.base, set(), ties)
            if ties:
                yield asked, ties

    def _firsts(self) -> dict[str, int]:
        """Of each branch that may be concerned, the version from which on."""
        firsts: dict[str, int] = {}
        for branch, version in self._seeds:
            firsts[branch] = min(version, firsts.get(branch, version))
        while True:
            stands = {} if self.stands is None else self.stands.firsts(firsts)
            new = {
                name: first
                for found in (self._crossings.forked(firsts), self._crossings.concerned(firsts), stands)
                for name, first in found.items()
                if first < firsts.get(name, first + 1)
            }
            if not new:
                return firsts
            firsts |= new

    def _in_order(self, firsts: Iterable[str]) -> list[str]:
        """The branches, each after the one that it was forked from."""
        left, ordered = set(firsts), list[str]()
        while left:
            ready = sorted(name for name in left if self._infos[name].base_branch not in left)
            if not ready:
                raise Tampered("Branches were forked from each other")
            ordered += ready
            left -= set(ready)
        return ordered

    def _run(self) -> None:
        """Every line to its head; what a step was taken from is walked before it."""
        for line in self.lines.values():
            todo = [(line, self._infos[line.branch].head)]
            while todo:
                wanted = self._advance(*todo[-1])
                if wanted is None:
                    todo.pop()
                elif any(wanted[0] is one for one, _ in todo):
                    raise Tampered("What was merged was taken from what it was merged into")
                else:
                    todo.append(wanted)

    def _advance(self, line: Line, upto: int) -> tuple[Line, int] | None:
        """Walk a line on; the line that must be walked before, and how far, where there is one."""
        fork, upper = line.forked, line.above
        while upper is not None:
            if upper.done < (first := min(fork, upper.first + len(upper.steps) - 1)):
                return upper, first
            fork, upper = min(fork, upper.forked), upper.above
        for step in line.steps[line.done + 1 - line.first : max(upto + 1 - line.first, 0)]:
            ties: list[Tie] = []
            base = step.base
            for place in step.reads:
                found = self._earliest(line, place, base)
                if found is not None:
                    tie = Tie("read", found[0].branch, found[1], place, step.author, base, step.round)
                    ties.append(tie)
            if step.round is not None and step.round in self.rounds:
                self._compared(line, self.rounds[step.round], self.rounds[step.round].base, ties)
            if step.source is not None:
                wanted = self._taken(line, step, ties)
                if wanted is not None:
                    return wanted
            self._done(line, step, ties)
        return None

    def _done(self, line: Line, step: Step, ties: list[Tie]) -> None:
        """Note what was found of a step, and what it wrote."""
        line.done = step.version
        seed = self._seeds.get((line.branch, step.version))
        if ties:
            line.ties[step.version] = ties
        elif seed is None:
            line.wrote(step.version, step.touches, self.places)
            return
        line.tainted.append(step.version)
        if ties or seed is None or seed.place is None:
            line.wrote(step.version, step.touches, self.places, taints=True)
        else:
            self._seeded(line, step, seed.place)

    def _seeded(self, line: Line, step: Step, place: int) -> None:
        """A seed of which only what it wrote at a place counts."""
        inside = [one for one in step.touches if self.places.overlap(one[0], place)]
        rest = [one for one in step.touches if not self.places.overlap(one[0], place)]
        line.wrote(step.version, inside, self.places, taints=True)
        line.wrote(step.version, rest, self.places)

    def _compared(self, line: Line, asked: Asked, base: int, ties: list[Tie]) -> None:
        """What the proposals of a round had read that a ruling compared."""
        if asked.ruled:
            known = {tie.place for tie in ties if tie.base == base}
            for reader in asked.readers:
                if reader[1] != "abstained":
                    self._read(line, asked, reader, base, known, ties)

    def _read(
        self, line: Line, asked: Asked, reader: Reader, base: int, known: set[int], ties: list[Tie]
    ) -> None:
        agent, status, reads = reader
        for place in reads:
            if place not in known:
                found = self._earliest(line, place, base)
                if found is not None:
                    known.add(place)
                    name = found[0].branch
                    ties.append(Tie("read", name, found[1], place, agent, base, asked.round, status))

    def _taken(self, line: Line, step: Step, ties: list[Tie]) -> tuple[Line, int] | None:
        """What a step rests on that was not written by hand; or which line is to be walked before."""
        match step.source:
            case {"revert": {"first": int(first), "last": int(last)}}:
                self._taken_back(line, step, first, last, ties)
            case {"upcast": _}:
                for place, _whole in step.touches:
                    found = self._earliest(line, place, step.base)
                    if found is not None:
                        ties.append(Tie("lift", found[0].branch, found[1], place, base=step.base))
            case {"merge": dict()} if not supersedes(step.source):
                return self._brought(line, step, ties)
            case {"carry": dict()}:
                return self._carried(line, step, ties)
        return None

    def _earliest(self, line: Line, place: int, base: int) -> tuple[Line, int] | None:
        """The first tainted commit that contributes to what stands at a path in a version of a line."""
        above = self.places.above[place]
        if self.stands is None:
            return line.earliest(place, above, base)[0]
        first: tuple[Line, int] | None = None
        known = set[Tip]()
        while True:
            one = self.stands.at(line.branch, base)
            found, replaced = line.earliest(place, above, base, 0 if one is None else one.upto + 1)
            first = found or first
            if replaced or one is None or one.branch not in self.lines:
                return first
            line, base = self.lines[one.branch], one.version
            if (line.branch, base) in known:
                raise Tampered("Branches stand for each other in a circle")
            known.add((line.branch, base))

    def _taken_back(self, line: Line, step: Step, first: int, last: int, ties: list[Tie]) -> None:
        upper: Line | None = line
        before = first - 1
        found: tuple[Line, int] | None = None
        while upper is not None:
            for at in upper.tainted[bisect_left(upper.tainted, first) :]:
                if at > min(last, step.version - 1):
                    break
                seed = self._seeds.get((upper.branch, at))
                if (self._cures and seed) or not self._concerns(seed, upper, at, step):
                    continue
                found = upper, at
                break
            last = min(last, upper.forked)
            upper = upper.above
        if found is not None:
            ties.append(Tie("revert", found[0].branch, found[1]))
        for place, _ in step.touches if self._cures else ():
            back = self._earliest(line, place, before)
            if back is not None:
                ties.append(Tie("restore", back[0].branch, back[1], place, base=before))

    def _concerns(self, seed: Seed | None, line: Line, version: int, step: Step) -> bool:
        """Whether what was taken from a tainted commit is, of a seed, what counts of it."""
        if seed is None or seed.place is None or version in line.ties:
            return True
        return any(self.places.overlap(place, seed.place) for place, _ in step.touches)

    def _brought(self, line: Line, step: Step, ties: list[Tie]) -> tuple[Line, int] | None:
        """The first tainted commit of those that a merge brought."""
        found: list[tuple[int, Line]] = []
        for name, low, high in self._crossings.brought(line.branch, step.version):
            other = self.lines.get(name)
            if other is None or high < other.first:
                continue
            if other.done < high:
                return other, high
            at = other.first_between(low, high)
            while at is not None:
                if self._concerns(self._seeds.get((name, at)), other, at, step):
                    found.append((at, other))
                    break
                at = other.first_between(at + 1, high)
        if found:
            at, other = min(found, key=lambda one: (one[0], one[1].branch))
            ties.append(Tie("merge", other.branch, at))
        return None

    def _carried(self, line: Line, step: Step, ties: list[Tie]) -> tuple[Line, int] | None:
        """What a step was carried over from, and what the proposals behind that had read, on this line."""
        tip = carried_from(step.source)
        if tip is None:
            return None
        other = self.lines.get(tip[0])
        if other is not None and other.first <= tip[1]:
            if other.done < tip[1]:
                return other, tip[1]
            seed = self._seeds.get(tip)
            if other.first_between(tip[1], tip[1]) is not None and self._concerns(seed, other, tip[1], step):
                ties.append(Tie("carry", *tip))
        asked = self.rounds.get(self._crossings.round_behind(tip) or -1)
        if asked is not None:
            self._compared(line, asked, step.base, ties)
        return None
