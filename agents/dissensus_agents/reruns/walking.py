"""Going a line's way again on a branch: by the graph's edges, with what others did in its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from dissensus_state.errors import (
    BudgetExceeded,
    Conflict,
    DatabaseFailed,
    Denied,
    DissensusError,
    LeaseLost,
    NotFound,
    Refused,
)
from dissensus_state.records import Round

from ..asking import Purse, Tape
from ..crossing import aside
from ..errors import RerunStopped
from ..running import Progress, Run, Running
from ..session import rule_alike
from ..ways import END
from .changes import Graph
from .lines import Plan, is_conflict, read_line

if TYPE_CHECKING:
    from dissensus_state.records import Commit
    from dissensus_state.sessions import Session

Heard: TypeAlias = Callable[[str, Progress], None]
"""Hears what happens on a branch: its name, and what."""

DONE, LEFT_OUT = "reran", "left_out"
"""Kinds of events on a rerun's branch: how its walk ended, and a commit that could not be carried."""

STOPS = (BudgetExceeded, RerunStopped)


class Walk:
    """One branch of a rerun, from where it stands to its end.

    Args:
        graph: The graph with what is changed.
        session: The session on the branch.
        plan: What is gone again.
        tape: The recorded calls.
        purse: The rerun's own limit.
        heard: Hears what happens.
        most: The most rounds of one way.
    """

    def __init__(
        self,
        graph: Graph,
        session: Session[Any],
        plan: Plan,
        tape: Tape,
        purse: Purse | None,
        heard: Heard,
        most: int,
    ) -> None:
        self.session = session
        self._graph, self._plan = graph, plan
        self._tape, self._purse, self._heard, self._most = tape, purse, heard, most
        self._rounds: list[Round] = []
        self._carried: set[tuple[str, int]] = set()

    async def go(self) -> None:
        """Go on to the end; how that was is written down.

        Raises:
            DatabaseFailed: the database is gone.
            LeaseLost: another worker goes on with this branch.
        """
        try:
            body = {"status": await self._gone()}
        except STOPS as error:
            body = {"status": "budget", **error.as_dict()}
        except (DatabaseFailed, LeaseLost):
            raise
        except DissensusError as error:
            body = {"status": "failed", **error.as_dict()}
        await aside(self._write, body)

    async def _gone(self) -> str:
        """Go; whether it is finished, or a person would have to rule."""
        await aside(self._take_up)
        start = None if self._rounds else self._plan.start
        while not await aside(self._is_over):
            run = await self._graph.walk(self.session, start, self._most, self._put)
            start = None
            if run.current is None or run.current.ending != "parked":
                break
            if not await aside(self._ruled_alike, run.current.round):
                return "parked"
        await aside(self._carry, self._plan.line.until)
        return "finished"

    def _put(self, run: Run) -> None:
        logged = run.emit

        def emit(progress: Progress) -> None:
            logged(progress)
            self._heard(self.session.branch, progress)

        run.between, run.emit = self, emit
        run.asker.tape, run.asker.purse = self._tape, self._purse

    # Between the rounds

    async def opened(self, running: Running) -> None:
        """Take the round in; bring what others had committed while its like was running."""
        if running.round.round not in {one.round for one in self._rounds}:
            self._rounds.append(running.round)
        place = len(self._rounds) - 1
        if place < len(self._plan.rounds) and self._plan.rounds[place].step == running.step.name:
            running.lot = self._plan.rounds[place].round
        await aside(self._carry, self._plan.during(place))

    async def settled(self, running: Running) -> None:
        """Bring what others had committed before the next round was begun."""
        if running.ending == "parked":
            return
        if is_conflict(running.round):
            self._rounds.pop()
            return
        await aside(self._carry, self._plan.before(len(self._rounds)))

    async def led(self, running: Running, target: str) -> str:
        """The edge's way; but not beyond where the line has stopped without having come to its end."""
        is_end = target == END or await aside(self._stops_here, running.step.name)
        return END if is_end else target

    def _stops_here(self, step: str) -> bool:
        """Whether the line was left here, as it would be gone on with now."""
        gone = [one.step for one in self._rounds]
        if gone != [one.step for one in self._plan.rounds]:
            return False
        now = self._graph.follows(step, self.session.state)
        then = self._graph.follows(step, self._plan.line.session.at(self._plan.line.until))
        return now == then

    # What others did

    def _carry(self, upto: int) -> None:
        """Bring the line's commits of others up to a version, each once and in order."""
        for commit in self._plan.hands:
            if commit.version > upto:
                return
            if (commit.branch, commit.version) not in self._carried:
                self._bring(commit)

    def _bring(self, commit: Commit) -> None:
        self._carried.add((commit.branch, commit.version))
        key = f"carry/{commit.branch}/{commit.version}"
        body: dict[str, Any] = {"branch": commit.branch, "version": commit.version, "author": commit.author}
        try:
            made = self.session.carry(commit, key=key)
        except (Conflict, Denied, NotFound, Refused) as error:
            self.session.record(LEFT_OUT, {**body, **error.as_dict()})
            self._heard(self.session.branch, Progress(LEFT_OUT, body={**body, **error.as_dict()}))
            return
        self._heard(self.session.branch, Progress("carried", body={**body, "as": made.version}))

    # Going on where it was left

    def _take_up(self) -> None:
        """What the branch has already; then what is due before its next round."""
        own = read_line(self.session, self._plan.line.since)
        self._rounds = [one for one in own.rounds if not is_conflict(one)]
        self._carried = {place for commit in own.commits if (place := carried_from(commit)) is not None}
        for event in self.session.events(LEFT_OUT):
            if event.branch == self.session.branch:
                self._carried.add((str(event.body.get("branch")), int(event.body.get("version", -1))))
        if not self._rounds or self._rounds[-1].settled:
            self._carry(self._plan.before(len(self._rounds)))

    def _is_over(self) -> bool:
        """Whether nothing is left to be gone."""
        if not self._rounds:
            return False
        last = next(one for one in self.session.rounds() if one.round == self._rounds[-1].round)
        self._rounds[-1] = last
        if not last.settled or last.status in {"retried", "void"}:
            return False
        target = self._graph.follows(last.step, self.session.state)
        return target == END or self._stops_here(last.step)

    def _ruled_alike(self, parked: Round) -> bool:
        """Let stand what a person ruled on exactly these proposals; whether one had."""
        place = len(self._rounds) - 1
        if place >= len(self._plan.rounds):
            return False
        like = self._plan.rounds[place]
        rulings = self._plan.line.session.round(like.round)[3]
        if not rulings or rulings[-1].decision == "escalate":
            return False
        try:
            rule_alike(self.session, parked.round, rulings[-1], like.round)
        except (Conflict, Denied, NotFound, Refused):
            return False
        self._carry(self._plan.before(place + 1))
        return True

    def _write(self, body: dict[str, Any]) -> None:
        known = [one.body for one in self.session.events(DONE) if one.branch == self.session.branch]
        if not known or known[-1] != body:
            self.session.record(DONE, body)


def carried_from(commit: Commit) -> tuple[str, int] | None:
    """The commit that one was carried over from: its branch and version."""
    match commit.source:
        case {"carry": {"branch": str(branch), "version": int(version)}}:
            return branch, version
    return None
