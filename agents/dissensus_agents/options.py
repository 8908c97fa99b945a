"""What a router is given of a round: the question, and for each option what it could cost and take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from .agent import Agent
from .knowing import Knowing
from .models.prices import bound, most_input_tokens
from .patterns.asked import Asked, Option
from .running import Run
from .steps import Step, view_of

if TYPE_CHECKING:
    from dissensus_state.values import JSON

    from .judgement.ballots import Rate
    from .messages import Request


def asked_of(
    run: Run,
    step: Step,
    state: JSON,
    version: int,
    requests: Mapping[str, Request],
    options: Mapping[str, tuple[Agent, ...]],
    *,
    public: bool = False,
) -> Asked:
    """What a router decides on.

    The question is the prompt of the first agent; with `public`, of the first whose prompt tells of nothing
    sensitive, if there is one.
    """
    asked = [agent for agents in options.values() for agent in agents if agent.name in requests]
    plain = [agent for agent in asked if not requests[agent.name].sensitive] if public else []
    first = next(iter([*plain, *asked]), None)
    request = requests[first.name] if first is not None else None
    reader = first or step.agents[0]
    return Asked(
        task=step.name,
        question=request.prompt if request is not None else "",
        options={name: option_of(run, name, agents, requests, step.name) for name, agents in options.items()},
        read=view_of(run.shape, reader, state, version).read,
        request=request,
    )


def option_of(
    run: Run,
    name: str,
    agents: Sequence[Agent],
    requests: Mapping[str, Request] | None = None,
    task: str = "",
) -> Option:
    """An option; its costs, times and grades are looked up when a router asks for them."""
    return Option(
        name,
        agents=tuple(agent.name for agent in agents),
        models=tuple(agent.model.name for agent in agents),
        lineages=tuple(agent.model.lineage for agent in agents),
        cost_of=partial(_cost, agents, requests or {}),
        seconds_of=partial(_seconds, run, agents),
        right_of=partial(_right, run, agents, task),
    )


def _cost(agents: Sequence[Agent], requests: Mapping[str, Request]) -> int | None:
    """The worst case of asking each agent's first model once; of the same question, where none is known."""
    total = 0
    for agent in agents:
        price, request = agent.model.price, requests.get(agent.name)
        if price is None:
            return None
        sent = most_input_tokens(request) if request is not None else 1000
        total += bound(price, sent, agent.max_output_tokens)
    return total


def _seconds(run: Run, agents: Sequence[Agent]) -> float | None:
    """How long the slowest of the agents' first models took lately; None where one was never asked."""
    names = [agent.model.name for agent in agents]
    known = run.journal.latencies(names)
    return max(known[name] for name in names) if names and all(name in known for name in names) else None


def _right(run: Run, agents: Sequence[Agent], task: str) -> Rate | None:
    """How often the best of the agents' first models was right at a task."""
    run.knowing = run.knowing or Knowing(run.journal.session.database)
    measured = run.knowing.measured()
    rates = (measured.accuracy(agent.model.name, task) for agent in agents)
    return max(
        (rate for rate in rates if rate is not None), key=lambda rate: rate.hits / rate.of, default=None
    )
