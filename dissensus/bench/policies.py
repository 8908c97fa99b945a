"""The steps of a benchmark: the models side by side, and a pattern over what these have answered.

In a pattern the members are not asked again: each answers what it has answered for its own row, at no
further cost, so that a pattern and its models are compared on the same answers. Supervisors are asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.supervisor import Review, Supervisor, Verdict
from dissensus_agents.messages import Reply, Request
from dissensus_agents.models.client import Model
from dissensus_agents.models.prices import Price
from dissensus_agents.models.recordings import RecordedModel
from dissensus_agents.patterns.spelled import Spelled

from .plan import Plan
from .schema import Benchmark
from .seats import Seat
from .tasks import Item

ALREADY_PAID = Price("0", "0", source="answered for its own row")  # type: ignore[arg-type]

ENOUGH_VOTES = 1.01
"""Effective votes below which an agreement is one voice alone, which does not end a cascade."""

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
        step_of(task, None, plan), seats, writes={"answers", "unfit"}, again=0
    )


def playing(
    plan: Plan, task: str, pattern: Spelled, replies: Replies, items: Mapping[str, Item]
) -> AgentGraph:
    """One step: a pattern over what its members have answered.

    Args:
        replies: What each member has answered to the item; looked at when it is asked.
    """
    seats = {
        label: _seat(plan, label, answered(label, plan.models[label], replies), items, str(pattern))
        for label in pattern.members
    }
    first = [seats[label] for label in pattern.tiers[0]]
    judge = _judge(plan, pattern, replies)
    hollow = ENOUGH_VOTES if pattern.kind == "cascade" else None
    return AgentGraph(Benchmark).add_step(
        step_of(task, pattern, plan),
        first,
        writes={"answers"},
        supervisor=judge,
        hollow_below=hollow,
        again=1,
    )


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


def answered(label: str, model: Model, replies: Replies) -> RecordedModel:
    """A model that says again what it has said."""

    def again(_: Request) -> Reply | None:
        return replies.get(label)

    return RecordedModel(model.name, again, lineage=model.lineage, price=ALREADY_PAID)


def _judge(plan: Plan, pattern: Spelled, replies: Replies) -> Supervisor:
    """Who rules where the first tier does not agree."""
    if pattern.kind == "cascade":
        last = pattern.tiers[-1][0]
        model = answered(last, plan.models[last], replies)
        return Supervisor(model, parse=_follow, attempts=1)
    if pattern.supervisor:
        return Supervisor(plan.everybody[pattern.supervisor], max_output_tokens=plan.max_output_tokens)
    return Supervisor(_majority, name="majority")


def _majority(review: Review) -> Verdict:
    counted = Counter({seen.label: len(seen.reasoning) for seen in review.positions}).most_common(1)
    return Verdict(decision="uphold", position=counted[0][0], reason="most of them say so")


def _follow(reply: Reply, review: Review) -> Verdict:
    raise NotImplementedError
