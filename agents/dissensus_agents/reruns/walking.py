"""Going a line's way again on a branch: by the graph's edges, with what others did in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..crossing import aside
from ..running import Running
from ..ways import END
from .going import Going, Means
from .lines import Plan, is_conflict

if TYPE_CHECKING:
    from dissensus_state.sessions import Session


class Walk(Going):
    """One branch of a rerun.

    Args:
        session: The session on the branch.
        plan: What is gone again.
        means: What it goes by.
    """

    def __init__(self, session: Session[Any], plan: Plan, means: Means) -> None:
        super().__init__(session, plan.line, means)
        self._plan = plan
        self._brought = 0
        self._rejected: int | None = None

    async def gone(self) -> str:
        """Go on by the graph's edges; a person's ruling on the same proposals stands again."""
        await aside(self.take_up)
        while not await aside(self._is_over):
            start = await aside(self._start)
            run = await self.means.graph.walk(self.session, start, self.means.most, self.put)
            if run.current is not None and run.current.ending == "rejected":
                self._rejected = run.current.round.round
            if run.current is None:
                break  # nothing was left to be begun
            if run.current.ending != "parked":
                continue
            if not await aside(self.ruled_alike, self._like(len(self.rounds) - 1)):
                return "parked"
            await aside(self._carry, self._plan.before(len(self.rounds)))
        await aside(self._carry, self.line.until)
        return "finished"

    def take_up(self) -> None:
        """What the branch has already; then what is due before its next round."""
        super().take_up()
        if self.is_settled():
            self._carry(self._plan.before(len(self.rounds)))

    def _like(self, place: int) -> Any:
        """The round of the line that stands in the same place."""
        return self._plan.rounds[place] if 0 <= place < len(self._plan.rounds) else None

    async def opened(self, running: Running) -> None:
        """Take the round in; bring what others had committed while its like was running."""
        if not self.rounds or self.rounds[-1].round != running.round.round:
            self.rounds.append(running.round)
        place = len(self.rounds) - 1
        like = self._like(place)
        if like is not None and like.step == running.step.name:
            running.lot = like.round
        await aside(self._carry, self._plan.during(place))

    async def settled(self, running: Running) -> None:
        """Bring what others had committed before the next round was begun."""
        if running.ending == "parked":
            return
        if is_conflict(running.round):
            self.rounds.pop()
            return
        await aside(self._carry, self._plan.before(len(self.rounds)))

    async def led(self, running: Running, target: str) -> str:
        """The edge's way; but not beyond where the line has stopped without having come to its end."""
        is_end = target == END or await aside(self._stops_here, running.step.name)
        return END if is_end else target

    def _stops_here(self, step: str) -> bool:
        """Whether the line was left here, as it would be gone on with now."""
        gone, plan = self.rounds, self._plan.rounds
        if len(gone) != len(plan) or [one.step for one in gone] != [one.step for one in plan]:
            return False
        now = self.means.graph.follows(step, self.session.state)
        then = self.means.graph.follows(step, self.line.session.at(self.line.until))
        return now == then

    def _carry(self, upto: int) -> None:
        """Bring the line's commits of others up to a version, in order."""
        hands = self._plan.hands
        while self._brought < len(hands) and hands[self._brought].version <= upto:
            self.bring(hands[self._brought])
            self._brought += 1

    def _is_over(self) -> bool:
        """Whether nothing is left to be gone."""
        if not self.rounds or not self.is_settled() or self.rounds[-1].status in {"retried", "void"}:
            return False
        step = self.rounds[-1].step
        if self._stops_here(step):
            return True
        return self._has_ended(step) and self._next_pass() is None

    def _has_ended(self, step: str) -> bool:
        """Whether the graph has come to its end after the newest round."""
        is_end = self.rounds[-1].round == self._rejected
        return is_end or self.means.graph.follows(step, self.session.state) == END

    def _next_pass(self) -> str | None:
        """Where the line was gone on with although the graph had come to its end: somebody began again."""
        gone, plan = self.rounds, self._plan.rounds
        if len(gone) >= len(plan) or any(
            one.step != like.step for one, like in zip(gone, plan, strict=False)
        ):
            return None
        return plan[len(gone)].step

    def _start(self) -> str | None:
        """The step to begin at; None to go on from the newest round."""
        if not self.rounds:
            return self._plan.start
        last = self.rounds[-1]
        again = last.status in {"retried", "void"} or not self.is_settled()
        return None if again or not self._has_ended(last.step) else self._next_pass()
