"""What rests on a commit, or on a value: everything that depended on it through what was read.

A commit rests on another one

- if it had read a path at a version to whose value the other one contributed: the commits that touch the
  path, something above or something below it, beginning with the last one that replaced the whole of it
  (`set`, `remove`, `merge` at its key). An addition builds on what is there and replaces nothing; an
  `append` touches only the items that it adds;
- if it ended a round whose ruling compared proposals, and one of these, be it one that lost, had read it;
- if it merged it in, took it back (`revert`), carried it over, or lifted what it wrote to a newer schema.
  A commit that was carried over also rests on what the proposals behind it had read, as it stands there.

The impact is the closure of that, on every branch. Rounds that ended in no commit are listed as well:
they had read it, and nothing follows from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from heapq import nsmallest
from typing import Any

from . import branches, lifting
from .dependence import Walk
from .engines import Work
from .errors import NotFound
from .footprints import DeepLists, Places, Reading, undisturbed
from .joining import Tip
from .lifting import Keys
from .lineages import lineage
from .patches import get
from .showing import Listing, Shown, visible
from .tainting import Kind, Seed, Tie
from .values import Path, pointer

MOST_LINES = 40
"""Lines of a text that are shown of an impact; how many are left out is said."""


@dataclass(frozen=True, slots=True)
class Link(Shown):
    """Why a commit or a round rests on a commit: `branch` and `version` name that one.

    Attributes:
        kind: `read`, `merge`, `revert`, `carry`, or `lift` to a newer schema; of a suspect also
            `restore`, for what a revert puts back.
        path: What was read (lifted, put back), where the kind says so; `wrote` is what the other commit
            wrote of it.
        reader: Who had read it: an author, or an agent of a round.
        base: The version that was read.
        round: The round in which it was read, and `status` what became of the reader's proposal.
    """

    kind: Kind
    branch: str
    version: int
    path: str | None = None
    wrote: str | None = None
    reader: str | None = None
    base: int | None = None
    round: int | None = None
    status: str | None = None

    def __str__(self) -> str:
        return visible(self.said())

    def said(self, author: str | None = None) -> str:
        """The link in words; its reader is named unless that is the author of what it is told of."""
        where = f"v{self.version} of {self.branch}"
        if self.kind == "read":
            wrote = "" if self.wrote == self.path else f" ({self.wrote or '/'})"
            round_ = f" in r{self.round}" if self.round else ""
            lost = f", {self.status}" if self.status not in {None, "accepted"} else ""
            who = "" if self.reader == author else f"{self.reader} "
            return f"{who}read {self.path or '/'} at v{self.base}{round_}{lost}: {where}{wrote}"
        what = f"{self.path or '/'} as of " if self.kind == "restore" else ""
        return f"{_DOES[self.kind]} {what}{where}"


_DOES = {
    "merge": "merges",
    "revert": "takes back",
    "restore": "puts back",
    "carry": "carries over",
    "lift": "lifts",
}


@dataclass(frozen=True, slots=True)
class Impacted(Shown):
    """A commit that rests on the origin: `distance` links away, by each of `links`.

    `links` name for every path that was read the first commit that it rests on there.
    """

    branch: str
    version: int
    author: str
    transition: str | None
    round: int | None
    writes: tuple[str, ...]
    distance: int
    links: tuple[Link, ...]

    def __str__(self) -> str:
        does = f" {self.transition}" if self.transition else ""
        return visible(
            f"v{self.version} of {self.branch}  {self.author}{does}  {self.links[0].said(self.author)}"
        )


@dataclass(frozen=True, slots=True)
class Overheard(Shown):
    """A round that had read what rests on the origin, or the origin itself, and ended in no commit."""

    round: int
    branch: str
    step: str
    base: int
    status: str
    links: tuple[Link, ...]

    def __str__(self) -> str:
        return visible(f"r{self.round} of {self.branch}  {self.step}, {self.status}  {self.links[0]}")


@dataclass(frozen=True)
class Impact(Shown):
    """Everything that rests on a commit, or on the value at a path in a version.

    Attributes:
        branch: The branch that was asked on.
        version: The commit, or the version in which the value stands.
        path: Where the value stands; None for a commit.
        origins: The commits that it began with, by branch and version: the one, or those that contributed
            to the value.
    """

    branch: str
    version: int
    path: str | None
    origins: tuple[Tip, ...]
    walk: Walk = field(repr=False, compare=False)
    lineage: tuple[tuple[str, int, int], ...] = field(repr=False, compare=False)

    @cached_property
    def versions(self) -> list[int]:
        """The versions of this branch that rest on it, oldest first."""
        found: list[int] = []
        for branch, after, upto in self.lineage:
            line = self.walk.lines.get(branch)
            if line is not None:
                found += [version for version in line.ties if after < version <= upto]
        return found

    @property
    def count(self) -> int:
        """How many commits rest on it, on all branches."""
        return sum(len(line.ties) for line in self.walk.lines.values())

    @cached_property
    def commits(self) -> Listing[Impacted]:
        """The commits that rest on it: those of this branch, then of others; each oldest first."""
        return Listing(told(self.walk, [name for name, _, _ in self.lineage]))

    @cached_property
    def rounds(self) -> Listing[Overheard]:
        """The rounds that had read it and ended in no commit."""
        return Listing(
            Overheard(
                asked.round,
                asked.branch,
                asked.step,
                asked.base,
                asked.status,
                tuple(link_of(self.walk, tie) for tie in ties),
            )
            for asked, ties in self.walk.overheard()
        )

    def cells(self) -> dict[str, object]:
        """What is shown of it."""
        return {
            "of": self._title(),
            "commits": self.count,
            "rounds without a commit": len(self.rounds),
            "nearest": "\n".join([*self.lines(MOST_LINES)][1:]),
        }

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {
            "branch": self.branch,
            "version": self.version,
            "path": self.path,
            "origins": [{"branch": branch, "version": version} for branch, version in self.origins],
            "count": self.count,
            "commits": self.commits.as_dict(),
            "rounds": self.rounds.as_dict(),
        }

    def __str__(self) -> str:
        """What it is of, and the tree of what rests on it, each below the nearest that it rests on."""
        return "\n".join(map(visible, self.lines(MOST_LINES)))

    def lines(self, most: int) -> Iterator[str]:
        """The text, with at most so many commits and rounds."""
        rounds = f", {_count(len(self.rounds), 'round')} without one" if self.rounds else ""
        yield f"{self._title()}: {_count(self.count, 'commit')}{rounds}"
        shown = 0
        for depth, one in self._tree() if self.count <= most else self._nearest(most):
            yield f"{'  ' * min(depth, 20)}{one}"
            shown += 1
        for overheard in self.rounds[: most - shown]:
            yield f"  {overheard}"
            shown += 1
        left = self.count + len(self.rounds) - shown
        if left > 0:
            yield f"  … and {left:,} more, further away"

    def _tree(self) -> Iterator[tuple[int, Impacted]]:
        """The commits, each below the nearest that it rests on."""
        below: dict[Tip, list[Impacted]] = {}
        for one in self.commits:
            below.setdefault((one.links[0].branch, one.links[0].version), []).append(one)
        todo = [(1, one) for tip in self.origins for one in below.get(tip, ())][::-1]
        seen = set[Tip]()
        while todo:
            depth, one = todo.pop()
            tip = one.branch, one.version
            if tip not in seen:
                seen.add(tip)
                yield depth, one
                todo += [(depth + 1, child) for child in reversed(below.get(tip, ()))]

    def _nearest(self, most: int) -> Iterator[tuple[int, Impacted]]:
        """Those that the fewest links lead to."""
        distances = self.walk.distances()
        tips = _in_order(self.walk, [name for name, _, _ in self.lineage])
        for name, version in nsmallest(most, tips, key=distances.__getitem__):
            yield 1, impacted(self.walk, name, version, distances)

    def _title(self) -> str:
        if self.path is None:
            return f"v{self.version} of {self.branch}"
        return f"{self.path or '/'} in v{self.version} of {self.branch}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def told(walk: Walk, first: Iterable[str]) -> Iterator[Impacted]:
    """What a walk has found, commit by commit: first on these branches, then on the others, by name."""
    distances = walk.distances()
    for name, version in _in_order(walk, first):
        yield impacted(walk, name, version, distances)


def _in_order(walk: Walk, first: Iterable[str]) -> Iterator[Tip]:
    named = [*dict.fromkeys(name for name in first if name in walk.lines)]
    for name in [*named, *sorted(walk.lines.keys() - set(named))]:
        yield from ((name, version) for version in walk.lines[name].ties)


def impacted(walk: Walk, name: str, version: int, distances: Mapping[Tip, int]) -> Impacted:
    """What a walk has found of a commit."""
    step, ties = walk.lines[name].step(version), walk.lines[name].ties[version]
    nearest = sorted(ties, key=lambda tie: distances[tie.branch, tie.version])
    return Impacted(
        name,
        version,
        step.author,
        step.transition,
        step.round,
        tuple(dict.fromkeys(walk.places.texts[place] for place, _ in step.touches)),
        distances[name, version],
        tuple(link_of(walk, tie) for tie in nearest),
    )


def link_of(walk: Walk, tie: Tie) -> Link:
    """A tie with its paths."""
    if tie.place < 0:
        return Link(tie.kind, tie.branch, tie.version)
    texts = walk.places.texts
    touches = walk.lines[tie.branch].step(tie.version).touches
    wrote = next((texts[place] for place, _ in touches if walk.places.overlap(place, tie.place)), None)
    path = texts[tie.place]
    return Link(tie.kind, tie.branch, tie.version, path, wrote, tie.reader, tie.base, tie.round, tie.status)


def of_commit(work: Work, session_id: int, branch: str, version: int) -> Impact:
    """What rests on the commit that made a version of a branch."""
    segments = _segments(work, session_id, branch)
    origin = next((name, version) for name, after, upto in segments if after < version <= upto)
    walk = walked(work, session_id, lambda _: [Seed(*origin)])
    return Impact(branch, version, None, (origin,), walk, segments)


def of_value(work: Work, session_id: int, branch: str, path: Path, version: int) -> Impact:
    """What rests on the value at a path in a version.

    That is what rests on one of the commits that contributed to it, by what these wrote of it.

    Raises:
        NotFound: nothing stands at the path in that version.
        Pruned: the version's values are gone.
    """
    state, number = lifting.stored_at(work, session_id, branch, version)
    get(state, path, Keys(work, session_id).of(number))
    origins: list[Tip] = []

    def seeds(reading: Reading) -> Iterable[Seed]:
        place = reading.places.of(pointer(path))
        origins[:] = contributors(reading, _segments(work, session_id, branch), place, version)
        return [Seed(name, at, place) for name, at in origins]

    walk = walked(work, session_id, seeds)
    if not origins:
        raise NotFound(f"No commit up to version {version} wrote {pointer(path)}")
    return Impact(branch, version, pointer(path), tuple(origins), walk, _segments(work, session_id, branch))


def contributors(
    reading: Reading, segments: Iterable[tuple[str, int, int]], place: int, version: int
) -> list[Tip]:
    """The commits that contribute to what stands at a path in a version, oldest first."""
    found: list[Tip] = []
    wide = {place, *reading.places.above[place]}
    for branch, after, upto in segments:
        for step in reading.steps(branch, after, min(upto, version)):
            touched = [one for one in step.touches if reading.places.overlap(one[0], place)]
            if any(whole and there in wide for there, whole in touched):
                found = []
            if touched:
                found.append((branch, step.version))
    return found


def walked(
    work: Work, session_id: int, seeds: Callable[[Reading], Iterable[Seed]], *, cures: bool = False
) -> Walk:
    """A walk from some seeds; lists inside of values are followed only where somebody adds to them."""
    heads = branches.all_branches(work, session_id)
    for deep in (False, True):
        reading = Reading(work, session_id, Places(), deep=deep)
        try:
            with undisturbed():
                return Walk(reading, heads, seeds(reading), cures=cures)
        except DeepLists:
            continue
    raise AssertionError


def _segments(work: Work, session_id: int, branch: str) -> tuple[tuple[str, int, int], ...]:
    return tuple(lineage(work, session_id, branch))
