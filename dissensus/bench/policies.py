"""The steps of a benchmark: the models side by side, and a pattern over what these have answered.

In a pattern the members are not asked again: each answers what it has answered for its own row, at no
further cost, so that a pattern and its models are compared on the same answers. Supervisors are asked.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping

from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.prior import PRIOR
from dissensus_agents.judgement.supervisor import Review, Supervisor, Verdict
from dissensus_agents.messages import Reply, Request
from dissensus_agents.models.client import Model, is_trusted
from dissensus_agents.models.prices import Price
from dissensus_agents.models.recordings import RecordedModel
from dissensus_agents.patterns.spelled import Spelled
from dissensus_agents.patterns.spelling import pattern_of

from .plan import Plan
from .schema import Benchmark
from .seats import GraderSeat, Seat
from .tasks import Item

ALREADY_PAID = Price("0", "0", source="answered for its own row")  # type: ignore[arg-type]

HURRY = 100
"""How many times faster than they came answers come again, where it counts which one is first."""

GRADER = "grader"
"""The seat of a model that grades."""

Replies = Mapping[str, Reply]


def step_of(task: str, pattern: Spelled | None, plan: Plan) -> str:
    """The name of a step: of its task, and for a pattern with its number among the patterns."""
    if pattern is None:
        return task
    words = "".join(char if char.isalnum() or char in "-_" else "-" for char in str(pattern))
    return f"{task}--{words[:80]}-{plan.patterns.index(pattern) + 1}"


def asking(plan: Plan, task: str, labels: tuple[str, ...], items: Mapping[str, Item]) -> AgentGraph:
    """One step: these models answer the item side by side, each in its own place."""
    seats = [_seat(plan, label, plan.models[label], items) for label in labels]
    return AgentGraph(Benchmark).add_step(
        step_of(task, None, plan), seats, writes={"answers"}, weigh=PRIOR, again=0
    )


def playing(
    plan: Plan, task: str, pattern: Spelled, replies: Replies, items: Mapping[str, Item]
) -> AgentGraph:
    """One step: a pattern over what its members have answered.

    Args:
        replies: What each member has answered to the item; looked at when it is asked.
    """
    seats = {
        label: _seat(plan, label, _answered(label, plan.models[label], replies, pattern), items, str(pattern))
        for label in pattern.members
    }
    return AgentGraph(Benchmark).add_step(
        step_of(task, pattern, plan),
        pattern_of(pattern, seats),
        writes={"answers"},
        supervisor=_judge(plan, pattern),
        weigh=PRIOR,
        again=1,
    )


def grading(plan: Plan, task: str, label: str, items: Mapping[str, Item]) -> tuple[AgentGraph, GraderSeat]:
    """One step: a model grades an answer; and its seat, which is told which one."""
    model, bound = plan.everybody[label], plan.max_output_tokens
    seat = GraderSeat(GRADER, model, items, max_output_tokens=bound)
    graph = AgentGraph(Benchmark).add_step(f"{task}--{GRADER}", [seat], writes={"scores"}, again=0)
    return graph, seat


def _seat(plan: Plan, label: str, model: Model, items: Mapping[str, Item], subject: str = "") -> Seat:
    return Seat(
        label,
        model,
        items,
        subject,
        form=plan.form,
        silent=bool(subject),
        max_output_tokens=plan.max_output_tokens,
        temperature=plan.temperature,
    )


class _Answered(RecordedModel):
    """A model that says again what it has said; where the first of several counts, in their order."""

    hurry = 0.0

    async def answer(self, request: Request) -> Reply:
        """What it has said."""
        reply = await super().answer(request)
        if self.hurry:
            await asyncio.sleep(reply.latency_ms / 1000 / self.hurry)
        return reply


def _answered(label: str, model: Model, replies: Replies, pattern: Spelled) -> RecordedModel:
    def again(_: Request) -> Reply | None:
        return replies.get(label)

    made = _Answered(model.name, again, lineage=model.lineage, price=ALREADY_PAID, trusted=is_trusted(model))
    made.hurry = HURRY if pattern.kind == "parallel" else 0.0
    return made


def _judge(plan: Plan, pattern: Spelled) -> Supervisor:
    """Who rules where nobody of the pattern has decided."""
    if pattern.supervisor:
        return Supervisor(plan.everybody[pattern.supervisor], max_output_tokens=plan.max_output_tokens)

    def most(review: Review) -> Verdict:
        """What most say; of several, what the first seat of these says."""
        counted = Counter(ballot.position for ballot in review.ballots)
        if not counted:
            return Verdict(decision="reject", reason="nobody says anything")
        order = {plan.models[label].name: place for place, label in enumerate(pattern.members)}
        ballots = sorted(review.ballots, key=lambda one: order[one.voter.model], reverse=True)
        first = {one.position: order[one.voter.model] for one in ballots}
        best = max(counted, key=lambda position: (counted[position], -first[position]))
        reason = f"{counted[best]} of {len(review.ballots)} say so"
        return Verdict(decision="uphold", position=review.positions[best].label, reason=reason)

    return Supervisor(most, name="majority")
