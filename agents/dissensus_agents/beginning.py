"""The first calls of a round: written down together with it, those that can be paid for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from dissensus_state.errors import BudgetExceeded, DissensusError
from dissensus_state.records import Call, Round

from .departures import Departure
from .errors import ModelFailed
from .messages import Request
from .models.client import Model
from .running import Run
from .steps import Step
from .summarising import first_call
from .waves import needed, waves

if TYPE_CHECKING:
    from .agent import Agent


def begin(
    run: Run,
    step: Step,
    version: int,
    requests: Mapping[str, Request],
    again_of: Round | None,
    note: str | None,
    trivial: str | None = None,
) -> tuple[Round, list[Call]] | None:
    """Open a round and write down the first call of each agent of its first wave that can be asked now.

    An agent whose call does not fit into the budget is left out, and abstains when it still does not
    fit. Where fewer than the quorum are left, nothing is written and nobody is asked.

    Returns:
        None where `version` is the newest no more.

    Raises:
        BudgetExceeded: Too few calls fit.
        ModelFailed: Too few agents have a model that may be asked now.
    """
    first, quorum = next(waves(step, trivial)), needed(step, trivial)
    leaving, errors = _prepared(run, first, requests, reuse=step.governor.reuse)
    try:
        while len(leaving) >= quorum:
            try:
                begun = run.journal.begin(step.name, version, [one.call for one in leaving], again_of, note)
            except BudgetExceeded as error:
                errors.append(error)
                leaving = _without(run, leaving, error)
                continue
            if begun is not None:
                run.asker.written(leaving, begun[1])
                leaving = []
            return begun
        raise errors[0]
    finally:
        run.asker.give_back(leaving)


def _prepared(
    run: Run, agents: Sequence[Agent], requests: Mapping[str, Request], *, reuse: bool
) -> tuple[list[Departure], list[DissensusError]]:
    leaving: list[Departure] = []
    errors: list[DissensusError] = []
    for agent in agents:
        seat, models, request = first_call(agent, requests[agent.name])
        try:
            leaving.append(run.asker.prepare(seat, 1, models, partial(_same, request), reuse=reuse))
        except (BudgetExceeded, ModelFailed) as error:
            errors.append(error)
    return leaving, errors


def _same(request: Request, _: Model) -> Request:
    return request


def _without(run: Run, leaving: list[Departure], error: BudgetExceeded) -> list[Departure]:
    """The calls without those that the error names, or else without the dearest one."""
    named = set(error.context.get("agents", ()))
    over = [one for one in leaving if one.call.agent in named]
    if not over or len(over) == len(leaving):
        over = [max(reversed(leaving), key=lambda one: one.call.reserved)]
    run.asker.give_back(over)
    return [one for one in leaving if one not in over]
