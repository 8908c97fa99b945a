"""The first calls of a wave: written down together with what led to them, those that can be paid for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from dissensus_state.errors import BudgetExceeded, DissensusError
from dissensus_state.records import Call, Round

from .deciding import kept_of
from .departures import Departure
from .errors import GraphError, ModelFailed
from .messages import Request
from .models.client import Model
from .patterns.plan import Ask, Consult, Move, Stop
from .running import Run, Running
from .steps import Step
from .summarising import first_call

if TYPE_CHECKING:
    from .agent import Agent


def begin(
    run: Run,
    step: Step,
    version: int,
    requests: Mapping[str, Request],
    again_of: Round | None,
    note: str | None,
    move: Move,
) -> tuple[Round, list[Call]] | None:
    """Open a round and write down the first call of each agent of its first wave that can be asked now.

    What was decided before is written with them. A candidate whose call does not fit into the budget is
    passed over for the next one. An agent without one that fits is left out, and abstains when it still
    does not fit. Where fewer than the quorum are left, nothing is written and nobody is asked.

    Returns:
        None where `version` is the newest no more.

    Raises:
        BudgetExceeded: Too few calls fit.
        ModelFailed: Too few agents have a model that may be asked now.
    """
    firsts, quorum = _firsts(run, step, move, requests)
    leaving, errors = _prepared(firsts)
    outcomes = kept_of(move, 0)
    try:
        while len(leaving) >= quorum:
            calls = [one.call for one in leaving]
            try:
                begun = run.journal.begin(step.name, version, calls, again_of, note, outcomes)
            except BudgetExceeded as error:
                leaving = _passed_over(firsts, leaving, error, errors)
                continue
            if begun is not None:
                run.asker.written(leaving, begun[1])
                leaving = []
            return begun
        raise errors[0]
    finally:
        run.asker.give_back(leaving)


def go_on(run: Run, running: Running, ask: Ask, number: int | None) -> None:
    """Write down a later wave: what was decided, and the first call of each agent that can be asked now.

    Without a number it is more of the same one. An agent without a call that fits is left out, and abstains
    when it still does not fit.
    """
    known = {call.agent for call in running.calls}
    agents = [_agent(running.step, name) for name in _at_once(ask)]
    all_firsts = [_First(run, running.step, agent, running.requests[agent.name]) for agent in agents]
    firsts = [first for first in all_firsts if first.seat not in known]
    leaving, errors = _prepared(firsts)
    outcomes = kept_of(ask, number)
    try:
        while leaving or outcomes:
            try:
                sent = run.journal.send(running.round, [one.call for one in leaving], outcomes)
            except BudgetExceeded as error:
                leaving = _passed_over(firsts, leaving, error, errors)
                continue
            run.asker.written(leaving, sent)
            running.calls = (*running.calls, *sent)
            leaving = []
            return
    finally:
        run.asker.give_back(leaving)


def _firsts(run: Run, step: Step, move: Move, requests: Mapping[str, Request]) -> tuple[list[_First], int]:
    """The first calls of a round, and how many of them it must be possible to make."""
    if isinstance(move, Consult):
        return [], 0
    if isinstance(move, Stop):
        raise GraphError(f"The pattern of the step {step.name!r} asks nobody: {move.why}")
    agents = [_agent(step, name) for name in _at_once(move)]
    least = step.quorum if move.least is None else move.least
    return [_First(run, step, agent, requests[agent.name]) for agent in agents], min(least, len(agents))


def _at_once(ask: Ask) -> tuple[str, ...]:
    """Who of those that are asked is asked before anything is waited for."""
    return ask.agents if ask.hedge is None else ask.agents[:1]


def _agent(step: Step, name: str) -> Agent:
    return next(agent for agent in step.agents if agent.name == name)


class _First:
    """The first call of an agent: of the first candidate that may be asked and can be paid for."""

    def __init__(self, run: Run, step: Step, agent: Agent, request: Request) -> None:
        self.run, self.reuse, self.step = run, step.governor.reuse, step.name
        self.seat, self._left, self._request = first_call(agent, request)
        self._unpaid: dict[str, BudgetExceeded] = {}

    def prepared(self) -> Departure:
        """The call, ready to be written down.

        Raises:
            BudgetExceeded: No candidate can be paid for.
            ModelFailed: None may be asked now.
        """
        while True:
            same, unpaid = partial(_same, self._request), tuple(self._unpaid)
            try:
                return self.run.asker.prepare(
                    self.seat, 1, self._left, same, unpaid, reuse=self.reuse, step=self.step
                )
            except BudgetExceeded as error:
                self._pass_over(error.context.get("model", self._left[0].name), error)

    def after(self, unpaid: Departure, error: BudgetExceeded) -> Departure:
        """The call of the next candidate, in the place of one that does not fit into the budget.

        Raises:
            BudgetExceeded, ModelFailed: There is none.
        """
        self._pass_over(unpaid.call.model, error)
        return self.prepared()

    def _pass_over(self, model: str, error: BudgetExceeded) -> None:
        self._unpaid[model] = error
        self._left = [one for one in self._left if one.name not in self._unpaid]
        if not self._left:
            raise next(iter(self._unpaid.values()))


def _prepared(firsts: Iterable[_First]) -> tuple[list[Departure], list[DissensusError]]:
    leaving: list[Departure] = []
    errors: list[DissensusError] = []
    for first in firsts:
        try:
            leaving.append(first.prepared())
        except (BudgetExceeded, ModelFailed) as error:
            errors.append(error)
        except BaseException:
            first.run.asker.give_back(leaving)
            raise
    return leaving, errors


def _same(request: Request, _: Model) -> Request:
    return request


def _passed_over(
    firsts: Sequence[_First],
    leaving: Sequence[Departure],
    error: BudgetExceeded,
    errors: list[DissensusError],
) -> list[Departure]:
    """The calls with other candidates in the place of those that do not fit, or without them."""
    over, kept = _over(leaving, error), list[Departure]()
    for one in leaving:
        if one not in over:
            kept.append(one)
            continue
        first = next(first for first in firsts if first.seat == one.call.agent)
        first.run.asker.give_back([one])
        try:
            kept.append(first.after(one, error))
        except (BudgetExceeded, ModelFailed) as failed:
            errors.append(failed)
    return kept


def _over(leaving: Sequence[Departure], error: BudgetExceeded) -> list[Departure]:
    """The calls that the error names, or else the dearest one."""
    named = set(error.context.get("agents", ()))
    over = [one for one in leaving if one.call.agent in named]
    if not over or len(over) == len(leaving):
        over = [max(reversed(leaving), key=lambda one: one.call.reserved)]
    return over
