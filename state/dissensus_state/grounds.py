"""The chain back to the sources: on which commits a value rests, through what was read, step by step.

A commit rests on who wrote what it had read: the newest commit that wrote the whole of it, and those that
built on it since. One that ended a round whose ruling compared proposals rests on what the losing ones had
read as well; a merge on what it brought, a revert on what it took back, a carried commit on the first one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from . import rounds
from .engines import Work
from .peeking import Past
from .records import Commit
from .showing import Shown, visible
from .touches import Touch, Touches
from .values import Path, overlap, parse_path, pointer

MOST_WRITERS, MOST_READS, DEEPEST, MOST_COMMITS = 5, 24, 12, 100
"""How many writers of one thing that was read are named, how many reads of one commit are followed, and how
deep; how many commits in all."""

_LOOKED_AT = 64

Place = tuple[str, int]
"""A branch, and a version that is stored under it."""


@dataclass(frozen=True, slots=True)
class Link(Shown):
    """What a commit rests on, and who wrote that.

    Attributes:
        reader: The commit, as the branch under which it is stored and its version.
        agent: Whose proposal had read it, where that lost; None where the commit itself rests on it.
        why: `read`, or what the commit was made of: `merge`, `revert`, `carry`, `lift` (by a migration).
        path: What was read, or brought.
        at: The version in which it was read.
        writers: Who wrote it, newest first.
        left: How many more did at most, who are not named.
    """

    reader: Place
    agent: str | None
    why: str
    path: str
    at: int
    writers: tuple[Place, ...]
    left: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The link as plain data."""
        return {
            "reader": list(self.reader),
            "agent": self.agent,
            "why": self.why,
            "path": self.path,
            "at": self.at,
            "writers": [list(one) for one in self.writers],
            "left": self.left,
        }


@dataclass(frozen=True, slots=True)
class Source(Shown):
    """A commit of the chain.

    Attributes:
        authors: The agents whose proposals were accepted, or whoever committed it.
        writes: The paths that it wrote.
        depth: How many links it is away from the value.
        followed: Whether all that it rests on is told; else it is too far away, or too much.
    """

    branch: str
    version: int
    authors: tuple[str, ...]
    kind: str
    writes: tuple[str, ...]
    depth: int
    followed: bool = True


@dataclass(frozen=True, slots=True)
class Chain(Shown):
    """On what a value rests.

    Attributes:
        sources: The commits, nearest first; the first one wrote the value.
        links: What each of them had read, and who wrote that.
        left: How many writers are not named, and reads not followed, at most.
    """

    sources: tuple[Source, ...]
    links: tuple[Link, ...]
    left: int

    def cells(self) -> dict[str, object]:
        """What a row says of it."""
        return {"rests on": str(self)}

    def __str__(self) -> str:
        """A tree: what was read, below it who wrote that; each commit's own reads are told once."""
        lines = list(_Tree(self).below(self.sources[0], 0, set()))
        if self.left:
            lines.append(f"… and up to {self.left:,} more that are not followed")
        return "\n".join(lines or ["nothing: it had read nothing"])


class _Tree:
    def __init__(self, chain: Chain) -> None:
        self._sources = {(one.branch, one.version): one for one in chain.sources}
        self._links: dict[Place, list[Link]] = {}
        for link in chain.links:
            self._links.setdefault(link.reader, []).append(link)

    def below(self, source: Source, depth: int, told: set[Place]) -> Iterator[str]:
        indent = "  " * depth
        for link in self._links.get((source.branch, source.version), ()):
            by = "" if link.agent is None else f" by {visible(link.agent)}, who lost"
            how = _HOW[link.why]
            yield f"{indent}{visible(link.path) or 'the whole state'}, {how} at v{link.at}{by}"
            for place in link.writers:
                yield from self._writer(self._sources[place], depth + 1, told)
            if link.left:
                yield f"{indent}  … and up to {link.left:,} earlier"

    def _writer(self, source: Source, depth: int, told: set[Place]) -> Iterator[str]:
        place = source.branch, source.version
        what = "the first state" if source.version == 0 else " ".join(source.writes[:_SHOWN_PATHS])
        beyond = len(source.writes) - _SHOWN_PATHS if source.version else 0
        more = f" and {beyond} more" if beyond > 0 else ""
        where = "" if source.branch == self._home else f" on {visible(source.branch)}"
        again = " (told above)" if place in told and self._links.get(place) else ""
        yield (
            f"{'  ' * depth}v{source.version}{where} by {visible(', '.join(source.authors))}: "
            f"{visible(what) or 'nothing'}{more}{again}"
        )
        if place not in told:
            told.add(place)
            yield from self.below(source, depth + 1, told)

    @property
    def _home(self) -> str:
        return next(iter(self._sources))[0]


_SHOWN_PATHS = 4
_HOW = {
    "read": "read",
    "merge": "merged",
    "revert": "taken back",
    "carry": "carried",
    "lift": "lifted as it stood",
}


class _Walk:
    """From commit to commit, nearest first."""

    def __init__(self, work: Work, session_id: int) -> None:
        self._work = work
        self._session_id = session_id
        self._pasts: dict[str, Past] = {}
        self._found: dict[Place, Source] = {}
        self._links: list[Link] = []
        self._left = 0

    def chain(self, made: Commit) -> Chain:
        todo = deque([self._meet(made, 0)])
        while todo:
            source = todo.popleft()
            place = source.branch, source.version
            commit = self._commit(place)
            links = self._rests_on(commit)
            if source.depth >= DEEPEST:
                if next(links, None) is not None:
                    self._found[place] = replace(source, followed=False)
                    self._left += 1
                continue
            for link in islice(links, MOST_READS):
                self._links.append(self._named(link, source.depth + 1, todo))
            if next(links, None) is not None:
                self._found[place] = replace(source, followed=False)
                self._left += 1 + sum(1 for _ in links)
        return Chain(tuple(self._found.values()), tuple(self._links), self._left)

    def _named(self, link: Link, depth: int, todo: deque[Source]) -> Link:
        """The link with those of its writers for whom there is room."""
        kept = []
        for place in link.writers:
            if place not in self._found:
                if len(self._found) >= MOST_COMMITS:
                    continue
                todo.append(self._meet(self._commit(place), depth))
            kept.append(place)
        left = link.left + len(link.writers) - len(kept)
        self._left += left
        return Link(link.reader, link.agent, link.why, link.path, link.at, tuple(kept), left)

    def _meet(self, made: Commit, depth: int) -> Source:
        accepted: tuple[str, ...] = ()
        if made.round is not None:
            proposed = rounds.proposals_of(self._work, self._session_id, made.round)
            accepted = tuple(one.agent for one in proposed if one.status == "accepted")
        writes = tuple(dict.fromkeys(pointer(path) for path in made.writes))
        source = Source(made.branch, made.version, accepted or (made.author,), made.kind, writes, depth)
        self._found[made.branch, made.version] = source
        return source

    def _past(self, branch: str) -> Past:
        if branch not in self._pasts:
            self._pasts[branch] = Past(self._work, self._session_id, branch, 2**62)
        return self._pasts[branch]

    def _commit(self, place: Place) -> Commit:
        return self._past(place[0]).commit(place[1])

    def _rests_on(self, made: Commit) -> Iterator[Link]:
        reader = made.branch, made.version
        for path in made.reads:
            yield self._read(reader, None, made.branch, path, made.base)
        if made.round is not None:
            yield from self._lost(made)
        match made.source:
            case {"merge": {"ours": True}}:
                return  # it brought nothing
            case {"merge": {"branch": str(branch), "version": int(version)}}:
                for path in dict.fromkeys(pointer(path) for path in made.writes):
                    yield self._read(reader, None, branch, path, version, "merge")
            case {"upcast": _}:
                for path in dict.fromkeys(pointer(path) for path in made.writes):
                    yield self._read(reader, None, made.branch, path, made.version - 1, "lift")
            case {"revert": {"first": int(first), "last": int(last)}}:
                past = self._past(made.branch)
                places = [
                    past.place(version) for version in range(last, max(first - 1, last - MOST_WRITERS), -1)
                ]
                left = last - first + 1 - len(places)
                yield Link(reader, None, "revert", "", last, tuple(places), left)
            case {"carry": {"branch": str(branch), "version": int(version)}}:
                yield Link(reader, None, "carry", "", version, (self._past(branch).place(version),))

    def _lost(self, made: Commit) -> Iterator[Link]:
        """What the proposals had read over which it was ruled, beside what the accepted ones had."""
        number = made.round or 0
        if not rounds.rulings_of(self._work, self._session_id, number):
            return
        begun = rounds.round_(self._work, self._session_id, number)
        for proposal in rounds.proposals_of(self._work, self._session_id, number):
            if proposal.status == "dissent":
                for path in proposal.reads:
                    if path not in made.reads:
                        yield self._read(
                            (made.branch, made.version), proposal.agent, begun.branch, path, begun.base
                        )

    def _read(
        self, reader: Place, agent: str | None, branch: str, path: str, at: int, why: str = "read"
    ) -> Link:
        past = self._past(branch)
        found, left = writers(past, parse_path(path), at, MOST_WRITERS)
        return Link(reader, agent, why, path, at, tuple(map(past.place, found)), left)


def writers(past: Past, path: Path, version: int, most: int) -> tuple[list[int], int]:
    """Who wrote what stands at a path in a version, newest first, and how many more did at most.

    The last one named wrote the whole of it, where none is left out.
    """
    found: list[int] = []
    for touch in past.touches.of_path(path, version + 1):
        if len(found) == most:
            return found, _earlier(past, path, found[-1])
        made = past.commit(touch.version)
        if any(overlap(path, place) for place in made.writes):
            found.append(touch.version)
            if replaces(made, touch, path):
                break
    return found, 0


def _earlier(past: Past, path: Path, version: int) -> int:
    """How many before a version wrote what stood there then, at most."""
    index: Touches = past.touches
    whole = index.of_path(path, version, frozenset({"at", "over"}))
    first = next(
        (one.version for one in islice(whole, _LOOKED_AT) if replaces(past.commit(one.version), one, path)),
        -1,
    )
    return sum(1 for one in index.of_path(path, version) if one.version >= first)


def replaces(made: Commit, touch: Touch, path: Path) -> bool:
    """Whether a commit left nothing of what had stood at a path before it."""
    if touch.into is not None:
        return True
    return any(
        one.verb in {"set", "remove", "merge"} and path[: len(place)] == place
        for one in made.patch
        for place in one.touched()
        if one.verb != "merge" or len(place) > len(one.path)
    )


def chain(work: Work, session_id: int, made: Commit) -> Chain:
    """The chain back from a commit to the sources; of what was pruned only the headers are told."""
    return _Walk(work, session_id).chain(made)
