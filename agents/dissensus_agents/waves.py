"""Which agents of a round are asked together, and when the rest need not be asked at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dissensus_state.errors import Denied
from dissensus_state.journal import Outcome
from dissensus_state.records import Proposal

from .agent import Agent
from .comparing import compare_proposals
from .running import Run, Running
from .steps import Step, view_of
from .watch.governor import SPARED
from .weighing import weigh

if TYPE_CHECKING:
    from dissensus_state.sessions import Session
    from dissensus_state.values import JSON


def judged(session: Session[Any], step: Step, state: JSON, version: int) -> str | None:
    """Why the input of a step is trivial; a denied look at it is put into the history (G6)."""
    if step.governor.trivial is None:
        return None
    try:
        return step.governor.judge(view_of(session.shape, step.agents[0], state, version))
    except Denied as error:
        session.record("denied", {"step": step.name, **error.as_dict()})
        raise


def waves(step: Step, trivial: str | None) -> Iterator[tuple[Agent, ...]]:
    """The agents of a step in the order in which they are asked."""
    governor, agents = step.governor, step.agents
    if trivial is not None:
        first, size = 1, 1
    elif governor.stop_early:
        first, size = max(2, step.quorum), governor.wave
    else:
        first, size = len(agents), 1
    yield agents[:first]
    for begin in range(first, len(agents), size):
        yield agents[begin : begin + size]


def needed(step: Step, trivial: str | None) -> int:
    """How many agents have to propose something: who is spared is not counted against the quorum."""
    return 1 if trivial is not None else step.quorum


def decided(running: Running, left: int) -> str | None:
    """Why the agents that are left need not be asked; None where they have to be.

    Args:
        running: The round, with what was proposed so far.
        left: How many are left.
    """
    step, made = running.step, running.made
    if running.trivial is not None:
        return running.trivial if made else None
    if not step.governor.stop_early or len(made) < max(2, step.quorum):
        return None
    compare_proposals(None, running)
    weigh(None, running)
    if step.governor.stop_early == "majority":
        return _majority(running, left)
    if running.comparison.disagreements:
        return "the others disagree already, so that the round is reviewed in any case"
    if step.hollow_below is not None and running.votes >= step.hollow_below:
        return f"the others agree, and are worth {running.votes:.2f} effective votes"
    return None


def _majority(running: Running, left: int) -> str | None:
    most, second, *_ = [*sorted((len(side.agents) for side in running.sides), reverse=True), 0, 0]
    if most > second + left:
        return f"{most} votes stand against {second}, and {left} more cannot turn that"
    return None


def has_answered(running: Running, agent: Agent) -> bool:
    """Whether an answer of an agent is recorded: it is paid for, and is used whatever is decided."""
    return any(call.agent == agent.name and call.status == "answered" for call in running.calls)


def spared(run: Run, running: Running, agent: Agent, why: str) -> Proposal:
    """What the records say of an agent that was not asked."""
    detail = {"code": SPARED, "message": f"It was not asked: {why}"}
    running.outcomes.append(Outcome("spared", {"agent": agent.name, **detail}))
    run.tell(running, "spared", agent=agent.name, **detail)
    return Proposal(agent.name, (), (), None, 0, "abstained", dict(detail))
