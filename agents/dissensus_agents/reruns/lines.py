"""What stands on a line of a session from a version on: its commits and rounds, and what is gone again."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dissensus_state.errors import Conflict, NotFound
from dissensus_state.lineages import lineage
from dissensus_state.records import SETTLED, Commit, Round, is_migration

if TYPE_CHECKING:
    from dissensus_state.sessions import Session

PAGE = 256
"""Commits that are read at once."""

OUTCOMES = frozenset({"committed", "rejected", "parked"})
"""How a round ends that is not just a try of the one after it."""


@dataclass(frozen=True)
class Line:
    """The history of a branch after `since`, up to `until`: its commits and rounds, both in order."""

    session: Session[Any]
    since: int
    until: int
    commits: tuple[Commit, ...]
    rounds: tuple[Round, ...]

    @cached_property
    def by_round(self) -> dict[int, Commit]:
        """The commit that a round ended in."""
        return {commit.round: commit for commit in self.commits if commit.round is not None}


def read_line(session: Session[Any], since: int, until: int | None = None) -> Line:
    """The history of the session's branch after a version.

    Raises:
        NotFound: there is no such version.
    """
    head = session.head
    last = head if until is None else until
    if not 0 <= since <= last <= head:
        raise NotFound(
            f"There are no versions {since} to {last}; the branch {session.branch} reaches to v{head}",
            session=session.name,
        )
    commits = tuple(reversed(list(_commits(session, since, last))))
    by_round = {commit.round for commit in commits if commit.round is not None}
    with session.reading() as work:
        segments = lineage(work, session.session_id, session.branch)
    upto = {segment.branch: min(segment.upto, last) for segment in segments}
    own = session.branch if last == head else ""

    def is_on_it(one: Round) -> bool:
        if one.status == "committed":
            return one.round in by_round
        end = upto.get(one.branch, -1)
        return since <= one.base < end or (one.branch == own and since <= one.base == end)

    return Line(session, since, last, commits, tuple(one for one in session.rounds() if is_on_it(one)))


def _commits(session: Session[Any], since: int, last: int) -> Iterator[Commit]:
    """The newest first."""
    before = last + 1
    while before > since + 1:
        page = session.log(limit=min(PAGE, before - since - 1), before=before)
        if not page:
            return
        yield from page
        before = page[-1].version


def is_conflict(one: Round) -> bool:
    """Whether a round came to nothing since others had written in the meantime: its answers said nothing."""
    void = (one.review or {}).get("void") if one.status == "void" else None
    return bool(void) and isinstance(void, list) and void[0].get("code") == Conflict.code


@dataclass(frozen=True)
class Plan:
    """What is gone again of a line: `rounds`, in order, and what is carried between them: `hands`."""

    line: Line
    rounds: tuple[Round, ...]
    hands: tuple[Commit, ...]

    @property
    def start(self) -> str:
        """The step to begin at."""
        return self.rounds[0].step

    def before(self, place: int) -> int:
        """Up to which version others had committed before a round of the line was begun."""
        return self.rounds[place].base if place < len(self.rounds) else self.line.until

    def during(self, place: int) -> int:
        """Up to which version others had committed before a round of the line was settled."""
        made = self.line.by_round.get(self.rounds[place].round) if place < len(self.rounds) else None
        return self.before(place) if made is None else made.version - 1


def plan_of(line: Line, steps: Collection[str]) -> Plan:
    """What is to be gone again of a line by a graph of these steps.

    Rounds that are not settled are left: nobody knows yet what they come to. Rounds of other steps
    cannot be asked again; what they committed is carried.

    Raises:
        NotFound: no round follows that could be asked again.
    """
    gone = tuple(
        one
        for one in line.rounds
        if one.step in steps and one.status in {*SETTLED, "parked"} and not is_conflict(one)
    )
    if not gone:
        where = f"version {line.since} of {line.session.branch}"
        raise NotFound(
            f"No settled round follows {where} that could be asked again",
            next_step="Name an earlier version; `dissensus log` shows the rounds",
            session=line.session.name,
        )
    numbers = {one.round for one in gone}
    hands = tuple(one for one in line.commits if one.round not in numbers and is_carriable(one))
    return Plan(line, gone, hands)


def is_carriable(commit: Commit) -> bool:
    """Whether a commit brought something that can be brought again; the schema lifts itself."""
    return bool(commit.patch) and not is_migration(commit)
