"""Asking for the summaries that a prompt waits for: calls of their own, at a seat beside their agent's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dissensus_state.journal import Outcome
from dissensus_state.records import Call

from .context.summaries import with_summaries
from .errands import Errand
from .errors import ContextOverflow, MalformedAnswer
from .messages import Request
from .models.client import Model
from .patterns.failover import Candidates
from .running import Run, Running

if TYPE_CHECKING:
    from .agent import Agent

ATTEMPTS = 2

EMPTY = "The summary is empty."


def first_call(agent: Agent, request: Request) -> tuple[str, Sequence[Model], Request]:
    """Whom an agent's round begins with: seat, candidates and request of its first call."""
    for pending in request.pending:
        for seat, ask in pending.asks.items():
            return seat, (pending.model,), ask
    return agent.name, agent.candidates.models, request


async def summarised(
    run: Run, running: Running, request: Request, earlier: Sequence[Call]
) -> tuple[Request, list[Call]]:
    """The request with its summaries, recorded ones or new, and the calls that were made for them.

    Raises:
        ModelFailed: A summary cannot be had.
        BudgetExceeded: It cannot be paid for.
    """
    errands = list(_errands(run, running, request, earlier))
    if not errands:
        return request, []
    found = await asyncio.gather(*map(_summary, errands), return_exceptions=True)
    said: dict[str, tuple[int, str]] = {}
    for errand, one in zip(errands, found, strict=True):
        if isinstance(one, BaseException):
            raise one
        said[errand.seat] = one
    return with_summaries(request, said), [call for errand in errands for call in errand.calls]


def recorded_summaries(request: Request, calls: Sequence[Call]) -> Request | None:
    """The same from the records alone; None where a summary was never given."""
    said: dict[str, tuple[int, str]] = {}
    for pending in request.pending:
        for seat in pending.asks:
            answers = [call for call in calls if call.agent == seat and (call.answer or "").strip()]
            if not answers or answers[-1].status != "answered":
                return None
            said[seat] = answers[-1].attempt, answers[-1].answer or ""
    try:
        return with_summaries(request, said)
    except ContextOverflow:
        return None


def taken_up(running: Running) -> None:
    """The requests of a round whose answers are all given, as the models were asked them."""
    made = {
        seat: recorded_summaries(request, running.calls) or request
        for seat, request in running.requests.items()
    }
    running.requests = made


def tell_fitted(run: Run, running: Running, seat: str, request: Request) -> None:
    """What of a prompt was left out, for the history and for whoever watches."""
    for part in request.parts:
        if part.shown is None:
            continue
        body = {"agent": seat, "path": part.source, **part.shown.as_json()}
        running.outcomes.append(Outcome("fitted", body))
        run.tell(running, "fitted", **body)


def _errands(run: Run, running: Running, request: Request, earlier: Sequence[Call]) -> Iterator[Errand]:
    for pending in request.pending:
        for seat, ask in pending.asks.items():
            known = [call for call in earlier if call.agent == seat]
            yield Errand(run, running, seat, Candidates((pending.model,)), ask, ATTEMPTS, known)


async def _summary(errand: Errand) -> tuple[int, str]:
    """The attempt and the text of one summary; an empty one is asked for again."""
    while True:
        call, reply = await errand.answer()
        if reply.text.strip():
            return call.attempt, reply.text
        if errand.exhausted:
            raise MalformedAnswer(
                f"{call.model} gave no summary, in {errand.attempt} calls", seat=errand.seat
            )
        errand.unfit(reply, EMPTY)
