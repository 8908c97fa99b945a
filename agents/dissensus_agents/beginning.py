"""The first calls of a round: written down together with it, those that can be paid for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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

    A candidate whose call does not fit into the budget is passed over for the next one. An agent without
    one that fits is left out, and abstains when it still does not fit. Where fewer than the quorum are
    left, nothing is written and nobody is asked.

    Returns:
        None where `version` is the newest no more.

    Raises:
        BudgetExceeded: Too few calls fit.
        ModelFailed: Too few agents have a model that may be asked now.
    """
    wave, quorum = next(waves(step, trivial)), needed(step, trivial)
    firsts = [_First(run, agent, requests[agent.name], step) for agent in wave]
    leaving, errors = _prepared(firsts)
    try:
        while len(leaving) >= quorum:
            try:
                begun = run.journal.begin(step.name, version, [one.call for one in leaving], again_of, note)
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


class _First:
    """The first call of an agent: of the first candidate that may be asked and can be paid for."""

    def __init__(self, run: Run, agent: Agent, request: Request, step: Step) -> None:
        self.run, self.reuse = run, step.governor.reuse
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
                return self.run.asker.prepare(self.seat, 1, self._left, same, unpaid, reuse=self.reuse)
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
