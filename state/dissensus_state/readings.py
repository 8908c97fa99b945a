"""Who saw a value, when: the read sets of commits, proposals and rulings that overlap a path."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import sqlalchemy as sa

from . import touches
from .commits import commit
from .engines import Statement, Work
from .lineages import BEYOND, Lineage, lineage
from .showing import Listing, Shown
from .tables import commits, proposals, rounds, rulings
from .values import Path, overlap, parse_list, parse_path, pointer

_CHUNK = 2_000

_session = sa.bindparam("session_id", type_=sa.BigInteger)
_after = sa.bindparam("after", type_=sa.BigInteger)
_upto = sa.bindparam("upto", type_=sa.BigInteger)
_first = sa.bindparam("first", type_=sa.BigInteger)
_last = sa.bindparam("last", type_=sa.BigInteger)
_commits = Statement(
    sa.select(*commits.c["version", "author", "round", "base", "reads"])
    .where(
        commits.c.session_id == _session,
        commits.c.branch == sa.bindparam("branch"),
        commits.c.version > _after,
        commits.c.version <= _upto,
        sa.or_(commits.c.reads != "[]", commits.c.round.is_not(None)),
    )
    .order_by(commits.c.version.desc())
)
_unended = Statement(
    sa.select(*rounds.c["round", "base"]).where(
        rounds.c.session_id == _session,
        rounds.c.branch == sa.bindparam("branch"),
        rounds.c.status != "committed",
        rounds.c.base > _after,
        rounds.c.base <= _upto,
    )
)
_proposed = Statement(
    sa.select(*proposals.c["round", "agent", "status", "reads"]).where(
        proposals.c.session_id == _session,
        proposals.c.round >= _first,
        proposals.c.round <= _last,
        proposals.c.reads.is_not(None),
    )
)
_ruled = Statement(
    sa.select(*rulings.c["round", "n", "author", "decision"]).where(
        rulings.c.session_id == _session, rulings.c.round >= _first, rulings.c.round <= _last
    )
)


@dataclass(frozen=True, slots=True)
class Seen(Shown):
    """Somebody saw a value, or a part of it, or what it is a part of.

    Attributes:
        kind: A `commit` by hand, a `proposal` of a round, or a `ruling` over proposals that had seen it.
        agent: The author of the commit, the agent, or the supervisor.
        path: What was read.
        base: The version that it was read in.
        written: The version that had last written there by then; None where nothing had.
        version: The commit that came of it; None where a round ended in none.
        round: The round, where it was one.
        status: What became of the proposal: `accepted`, `dissent`, `abstained`, …; of a ruling its decision.
    """

    kind: Literal["commit", "proposal", "ruling"]
    agent: str
    path: str
    base: int
    written: int | None = None
    version: int | None = None
    round: int | None = None
    status: str | None = None


class Reads(Listing[Seen]):
    """Who saw a value, the newest first, and where the next page begins.

    Attributes:
        before: What to give as `before` for the next page; None where this is the last one.
    """

    def __init__(self, items: Iterable[Seen] = (), before: int | None = None) -> None:
        super().__init__(items)
        self.before = before

    @property
    def rest(self) -> str:
        """Where the next page begins."""
        return "" if self.before is None else f"… older ones: before={self.before}"


class _Place:
    """What was read at one version of a lineage: a commit, or rounds that ended in none."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.by_hand: tuple[str, int, str] | None = None
        self.rounds: list[tuple[int, int, int | None]] = []


def reads(work: Work, session_id: int, branch: str, path: Path, limit: int, before: int = BEYOND) -> Reads:
    """Who saw what stands at a path, by the version that came of it; of rounds without one, by their base.

    A page ends with a whole version, so it may hold a few more than was asked for.
    """
    segments = lineage(work, session_id, branch)
    found: list[Seen] = []
    oldest = before
    wanted: dict[str, str | None] = {}
    for places in _chunks(work, session_id, segments, before - 1):
        asked = [number for place in places for number, _, _ in place.rounds]
        told = _told(work, session_id, asked, path, wanted)
        for place in places:
            here = [*_of(place, told, path, wanted)]
            if here and len(found) >= limit:
                return Reads(_dated(work, session_id, branch, found), oldest)
            if here:
                found += here
                oldest = place.at
    return Reads(_dated(work, session_id, branch, found))


def _chunks(work: Work, session_id: int, segments: Lineage, upto: int) -> Iterator[list[_Place]]:
    """The places of a lineage up to a version, newest first, some at a time."""
    for part in reversed(segments):
        high = min(part.upto, upto)
        row = work.one(_newest, session_id=session_id, branch=part.branch)
        high = min(high, row[0] if row and row[0] is not None else -1)
        while high > part.after:
            low = max(high - _CHUNK, part.after)
            yield _places(work, session_id, part.branch, low, high)
            high = low


_newest = Statement(
    sa.select(sa.func.max(commits.c.version)).where(
        commits.c.session_id == _session, commits.c.branch == sa.bindparam("branch")
    )
)


def _places(work: Work, session_id: int, branch: str, after: int, upto: int) -> list[_Place]:
    here: dict[int, _Place] = {}
    given = {"session_id": session_id, "branch": branch, "after": after, "upto": upto}
    for version, author, round_, base, stored in work.all(_commits, **given):
        place = here.setdefault(version, _Place(version))
        number = version - 1 if base is None else base
        place.by_hand = author, number, stored
        if round_ is not None:
            place.rounds.append((round_, number, version))
    for number, base in work.all(_unended, **given):
        here.setdefault(base, _Place(base)).rounds.append((number, base, None))
    return [here[at] for at in sorted(here, reverse=True)]


class _Told:
    """What the proposals and rulings of some rounds say."""

    def __init__(self) -> None:
        self.proposals: dict[int, list[tuple[str, str, str]]] = {}
        self.rulings: dict[int, list[tuple[int, str, str]]] = {}


def _told(work: Work, session_id: int, asked: list[int], path: Path, wanted: dict[str, str | None]) -> _Told:
    told = _Told()
    if not asked:
        return told
    given = {"session_id": session_id, "first": min(asked), "last": max(asked)}
    numbers = set(asked)
    for number, agent, status, stored in work.all(_proposed, **given):
        read = _read(stored, path, wanted)
        if number in numbers and read is not None:
            told.proposals.setdefault(number, []).append((agent, status, read))
    if told.proposals:
        for number, n, author, decision in work.all(_ruled, **given):
            if number in told.proposals:
                told.rulings.setdefault(number, []).append((n, author, decision))
    return told


def _read(stored: str, path: Path, wanted: dict[str, str | None]) -> str | None:
    """The first path of a read set that overlaps the one that is asked for; None where none does."""
    if stored not in wanted:
        paths = (parse_path(str(one)) for one in parse_list(stored))
        wanted[stored] = next((pointer(one) for one in paths if overlap(one, path)), None)
    return wanted[stored]


def _of(place: _Place, told: _Told, path: Path, wanted: dict[str, str | None]) -> Iterator[Seen]:
    """Who saw it at one version: the ruling, the proposals, or whoever wrote by hand."""
    heard = False
    for number, base, version in sorted(place.rounds, reverse=True):
        made = sorted(told.proposals.get(number, ()))
        heard = heard or (version is not None and bool(made))
        for _, author, decision in sorted(told.rulings.get(number, ()), reverse=True):
            yield Seen("ruling", author, made[0][2], base, None, version, number, decision)
        for agent, status, read in made:
            yield Seen("proposal", agent, read, base, None, version, number, status)
    if place.by_hand is not None and not heard:
        author, base, stored = place.by_hand
        own = _read(stored, path, wanted)
        if own is not None:
            ended = next((number for number, _, version in place.rounds if version is not None), None)
            yield Seen("commit", author, own, base, None, place.at, ended)


def _dated(work: Work, session_id: int, branch: str, found: list[Seen]) -> Iterator[Seen]:
    """The same, each with the version that had last written what was read: one walk back for each path."""
    bases: dict[str, set[int]] = {}
    for one in found:
        bases.setdefault(one.path, set()).add(one.base)
    known: dict[tuple[str, int], int | None] = {}
    for path, its in bases.items():
        written = _written(work, session_id, branch, parse_path(path), max(its))
        at = next(written, None)
        for base in sorted(its, reverse=True):
            while at is not None and at > base:
                at = next(written, None)
            known[path, base] = at
    for one in found:
        yield replace(one, written=known[one.path, one.base])


def _written(work: Work, session_id: int, branch: str, path: Path, upto: int) -> Iterator[int]:
    """The versions that wrote at a path, newest first."""
    index = touches.Touches(work, session_id, branch, upto)
    for one in index.of_path(path, upto + 1, touches.ANYWHERE):
        made = commit(work, session_id, branch, one.version)
        if any(overlap(place, path) for item in made.patch for place in (item.path, *item.touched())):
            yield one.version
