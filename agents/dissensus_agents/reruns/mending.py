"""Going along a line commit by commit, without what was retracted: carried, or asked again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dissensus_state.records import Change, Commit, Round

from ..asking import Tape
from ..crossing import aside
from ..running import Running
from ..ways import END
from .going import UNFIT, Going, Means
from .lines import Line, is_carriable, is_conflict, read_line

if TYPE_CHECKING:
    from dissensus_state.records import Call
    from dissensus_state.sessions import Session

    from ..messages import Request

DROPPED = "dropped"
"""The kind of event that says on a branch that a retracted commit of the line is left out there."""


@dataclass(frozen=True, slots=True)
class Repairs:
    """What a repair does with each commit of a line, by its version.

    Attributes:
        line: The line.
        dropped: Retracted commits.
        again: Commits of rounds that are asked again, each with its round.
        suspect: Commits made by hand that rest on what was retracted: they are carried all the same.
        retold: Of `again`, those that were retracted themselves: all of their seats are asked anew.
    """

    line: Line
    dropped: frozenset[int]
    again: Mapping[int, Round]
    suspect: frozenset[int]
    retold: frozenset[int] = frozenset()

    def commits(self) -> Iterator[Commit]:
        """The commits that are dealt with, in order."""
        return (one for one in self.line.commits if is_carriable(one))


class FreshTape:
    """A tape that is silent for one step, while that is to be asked anew."""

    def __init__(self, tape: Tape) -> None:
        self.silent = False
        self._tape = tape

    def found(self, step: str, made: Call, request: Request) -> Call | None:
        """What is recorded, unless all is to be asked anew."""
        return None if self.silent else self._tape.found(step, made, request)


class Mending(Going):
    """The branch of a repair.

    Args:
        session: The session on the branch.
        repairs: What is done with each commit.
        means: What it goes by.
        author: Whom the history names for what the repair itself commits.
    """

    def __init__(self, session: Session[Any], repairs: Repairs, means: Means, author: str) -> None:
        self._tape = FreshTape(means.tape)
        super().__init__(session, repairs.line, replace(means, tape=self._tape))
        self._repairs = repairs
        self._author = author
        self._place = 0

    async def gone(self) -> str:
        """Deal with each commit in turn; then say that the branch stands for the line."""
        await aside(self.take_up)
        asked = 0
        for commit in self._repairs.commits():
            if commit.version in self._repairs.again:
                if not await self._asked_again(commit, asked):
                    return "parked"
                asked += 1
            elif commit.version in self._repairs.dropped:
                await aside(self._drop, commit)
            else:
                await aside(self.bring, commit)
        await aside(self._supersede)
        return "finished"

    async def _asked_again(self, commit: Commit, place: int) -> bool:
        """Ask the round of a commit again, up to its end; False where a person would have to rule."""
        like = self._repairs.again[commit.version]
        self._place, self._tape.silent = place, commit.version in self._repairs.retold
        while not await aside(self._has_ended, place):
            start = like.step if len(self.rounds) == place else None
            run = await self.means.graph.walk(self.session, start, self.means.most, self.put)
            parked = run.current is not None and run.current.ending == "parked"
            if parked and not await aside(self.ruled_alike, like):
                return False
        return True

    def _has_ended(self, place: int) -> bool:
        """Whether the round in a place has come to its end; its tries count as one."""
        self._gather()
        if len(self.rounds) <= place:
            return False
        return self.is_settled() and self.rounds[-1].status not in {"retried", "void"}

    def _gather(self) -> None:
        """Leave the tries of rounds out that were sent back."""
        tries = {one.round for one in self.rounds[:-1] if one.status in {"retried", "void"}}
        self.rounds = [one for one in self.rounds if one.round not in tries]

    def take_up(self) -> None:
        """What the branch has already, the tries of each round as one."""
        super().take_up()
        self._gather()

    async def opened(self, running: Running) -> None:
        """Take the round in, in the place of the one that it tries again."""
        number = running.round.round
        if number not in {one.round for one in self.rounds}:
            self.rounds = [*self.rounds[: self._place], running.round]
        running.lot = list(self._repairs.again.values())[self._place].round

    async def settled(self, running: Running) -> None:
        """Nothing is brought here: what follows is dealt with in its turn."""
        if is_conflict(running.round):
            self.rounds = self.rounds[: self._place]

    async def led(self, _: Running, __: str) -> str:
        """No way is gone from here: what followed in the line follows here."""
        return END

    def _drop(self, commit: Commit) -> None:
        """Leave a retracted commit out; a phase that it moved is moved all the same, where that may be."""
        if (commit.branch, commit.version) in self.carried:
            return
        self.carried.add((commit.branch, commit.version))
        body: dict[str, Any] = {"branch": commit.branch, "version": commit.version, "author": commit.author}
        known = [one.body for one in self.session.events(DROPPED) if one.branch == self.session.branch]
        if not any(one.get("version") == commit.version for one in known):
            body |= self._moved(commit)
            self.session.record(DROPPED, body)
        self.tell(DROPPED, commit, {})

    def _moved(self, commit: Commit) -> dict[str, Any]:
        """Take the transition of a dropped commit without what it wrote, if it moved the phase."""
        if commit.transition is None or not any(item.path == ("phase",) for item in commit.patch):
            return {}
        key = f"phase/{commit.branch}/{commit.version}"
        change = Change(self._author, (), self.session.head, transition=commit.transition, key=key)
        try:
            return {"phase": self.session.commit(change).version}
        except UNFIT as error:
            return {"phase_stays": error.as_dict()}

    def _supersede(self) -> None:
        """Say that the branch stands for the line, so that a merge brings exactly what differs."""
        origin, until = self.line.session.branch, self.line.until
        if self._stands_for(origin, until):
            return
        key = f"supersede/{origin}/{self.line.until}"
        self.session.supersede(origin, until, author=self._author, key=key)

    def _stands_for(self, origin: str, until: int) -> bool:
        """Whether that is said already, whoever said it."""
        for one in read_line(self.session, self.line.since).commits:
            match one.source:
                case {"merge": {"ours": True, "branch": str(branch), "version": int(version)}}:
                    if (branch, version) == (origin, until):
                        return True
        return False


def repairs_of(
    line: Line, retracted: frozenset[int], hit: Collection[int], steps: Collection[str], *, again: bool
) -> Repairs:
    """What a repair does with each commit of a line.

    Args:
        line: The line, from before the first retracted commit on.
        retracted: The retracted versions.
        hit: The versions that rest on them.
        steps: The steps that can be asked again.
        again: Ask retracted rounds again, instead of leaving them out.
    """
    rounds = {one.round: one for one in line.rounds}
    asked: dict[int, Round] = {}
    by_hand: set[int] = set()
    for commit in line.commits:
        is_retracted = commit.version in retracted
        wanted = again if is_retracted else commit.version in hit
        if not wanted or not is_carriable(commit):
            continue
        held = None if commit.round is None else rounds.get(commit.round)
        if held is not None and held.step in steps:
            asked[commit.version] = held
        elif not is_retracted:
            by_hand.add(commit.version)
    retold = frozenset(retracted & asked.keys())
    dropped = retracted - retold
    cures = {one.version for one in line.commits if _cures(one, dropped)}
    return Repairs(line, dropped | cures, asked, frozenset(by_hand) - cures, retold)


def _cures(commit: Commit, dropped: Collection[int]) -> bool:
    """Whether a commit did nothing but take back what is left out."""
    match commit.source:
        case {"revert": {"first": int(first), "last": int(last)}}:
            return last - first < len(dropped) and all(one in dropped for one in range(first, last + 1))
    return False
