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

    async def gone(self) -> str:
        """Go on by the graph's edges; a person's ruling on the same proposals stands again."""
        await aside(self.take_up)
        start = None if self.rounds else self._plan.start
        while not await aside(self._is_over):
            run = await self.means.graph.walk(self.session, start, self.means.most, self.put)
            start = None
            if run.current is None or run.current.ending != "parked":
                break
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
        return self.means.graph.follows(step, self.session.state) == END or self._stops_here(step)
