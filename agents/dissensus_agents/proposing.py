"""How an agent that is asked comes to a proposal: its answers are recorded, read, and held to its task."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from dissensus_state.errors import BudgetExceeded, Denied
from dissensus_state.journal import Outcome
from dissensus_state.records import Call, Proposal
from dissensus_state.reuse import is_reused

from .agent import Agent, Answer
from .errands import Errand
from .errors import MalformedAnswer, MissingKey, ModelFailed, WrongType
from .messages import Reply, Request
from .models.kinds import refusal_of
from .models.recordings import NotRecorded
from .models.replies import Unusable, objection
from .models.texts import shown
from .running import Run, Running
from .summarising import summarised, tell_fitted

Proposed = tuple[Proposal, list[Call]]
"""What an agent proposes, or that it abstains, and the calls that it made."""


async def asked_at_once(run: Run, running: Running, agents: Sequence[Agent]) -> list[Proposed]:
    """What agents that are asked at once propose."""
    asked = [proposal_of(run, running, agent) for agent in agents]
    results = await asyncio.gather(*asked, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results  # type: ignore[return-value]


async def proposal_of(run: Run, running: Running, agent: Agent) -> Proposed:
    """One agent's proposal: first the summaries that its prompt waits for, then its answers."""
    try:
        request, before = await summarised(run, running, running.requests[agent.name], running.calls)
    except (MissingKey, NotRecorded):
        raise
    except (ModelFailed, BudgetExceeded) as failed:
        return abstained(run, running, agent, failed, 0), []
    running.requests = {**running.requests, agent.name: request}
    tell_fitted(run, running, agent.name, request)
    proposal, calls = await _answered(run, running, agent, request)
    return proposal, [*before, *calls]


async def _answered(run: Run, running: Running, agent: Agent, request: Request) -> Proposed:
    """From an agent's recorded answers as far as they go, then by asking."""
    earlier = [call for call in running.calls if call.agent == agent.name]
    errand = Errand(run, running, agent.name, agent.candidates, request, agent.attempts, earlier)
    while True:
        try:
            call, reply = await errand.answer()
        except (MissingKey, NotRecorded):
            raise
        except (ModelFailed, BudgetExceeded) as failed:
            return abstained(run, running, agent, failed, errand.attempt), errand.calls
        known = call in earlier
        told = {"agent": agent.name, "model": call.model, "cost": call.cost, "recorded": known}
        told |= {"reused": True} if is_reused(call) else {}
        run.tell(running, "answered", **told)
        said = read_as(running, agent, reply)
        if isinstance(said, Answer):
            return proposed(run, running, agent, said, call), errand.calls
        if errand.exhausted:
            return abstained(run, running, agent, said, call.attempt), errand.calls
        errand.unfit(reply, objection(said))


def read_as(running: Running, agent: Agent, reply: Reply) -> Answer | Unusable:
    """What the agent says, or why its answer would not do; what it may not write is in the history."""
    try:
        return agent.read(reply, running.step.task_of(agent.name))
    except (MalformedAnswer, WrongType) as error:
        return _would_not(error, reply)
    except Denied as error:
        running.outcomes.append(Outcome("denied", {"agent": agent.name, **error.as_dict()}))
        return error


def _would_not(error: MalformedAnswer | WrongType, reply: Reply) -> Unusable:
    """Why an answer would not do: where the model refused, that, and not what its words lack."""
    kind = refusal_of(reply)
    if kind is None:
        return error
    said = f": {shown(reply.text, 200)}" if reply.text.strip() else ""
    return type(error)(f"The model gave no answer ({kind.replace('_', ' ')}){said}", kind=kind)


def proposed(run: Run, running: Running, agent: Agent, answer: Answer, call: Call) -> Proposal:
    """An answer as a proposal."""
    if answer.repairs:
        running.outcomes.append(Outcome("repaired", {"agent": agent.name, "repairs": list(answer.repairs)}))
    run.tell(running, "proposed", agent=agent.name, confidence=answer.confidence)
    return Proposal(agent.name, answer.patch, running.reads[agent.name], answer.confidence, call.attempt)


def abstained(
    run: Run, running: Running, agent: Agent, error: ModelFailed | Denied | BudgetExceeded, attempt: int
) -> Proposal:
    """That an agent proposes nothing, and why."""
    detail = error.as_dict()
    running.outcomes.append(Outcome("abstained", {"agent": agent.name, **detail}))
    run.tell(running, "abstained", agent=agent.name, **detail)
    return Proposal(agent.name, (), (), None, attempt, "abstained", detail)
