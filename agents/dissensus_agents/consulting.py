"""Asking a model which way to go: a call like any other, at a seat of its own."""

from __future__ import annotations

from dissensus_state.errors import BudgetExceeded
from dissensus_state.journal import Outcome

from .errands import Errand
from .errors import MalformedAnswer, MissingKey, ModelFailed, WrongType
from .models.client import is_trusted
from .models.recordings import NotRecorded
from .models.replies import objection
from .options import asked_of
from .patterns.asked import Choice
from .patterns.plan import Consult
from .patterns.route import ModelRouter, Route
from .running import Run, Running


async def consulted(run: Run, running: Running, consult: Consult) -> None:
    """Take in what a model says that routes, or the route's default where it cannot say.

    A call that fails, cannot be paid for, may not be shown the question, or names no option is answered
    by the default; the decision and an event say so.
    """
    route: Route = consult.route
    router = route.by
    if not isinstance(router, ModelRouter):
        raise TypeError("a route without a model has nobody to consult")
    agents = {agent.name: agent for agent in running.step.agents}
    options = {name: tuple(agents[one] for one in names) for name, names in consult.options.items()}
    where = running.state, running.round.base, running.requests
    public = not any(map(is_trusted, router.candidates.models))
    request = router.request(asked_of(run, running.step, *where, options, public=public), route.describe)
    earlier = [call for call in running.calls if call.agent == consult.seat]
    errand = Errand(
        run, running, consult.seat, router.candidates, request, router.attempts, earlier, anew=True
    )
    running.answers[consult.seat] = await _choice(errand, router, route, running, tuple(options))
    known = {(call.agent, call.attempt) for call in errand.calls}
    running.calls = (*(one for one in running.calls if (one.agent, one.attempt) not in known), *errand.calls)


async def _choice(
    errand: Errand, router: ModelRouter, route: Route, running: Running, options: tuple[str, ...]
) -> Choice:
    failed = ""
    while not failed or not errand.exhausted:
        try:
            _, reply = await errand.answer()
        except (MissingKey, NotRecorded):
            raise
        except (ModelFailed, BudgetExceeded) as error:
            return _default(
                route, running, errand.seat, f"the model could not be asked ({error.message})", options
            )
        try:
            return router.read(reply, options)
        except (MalformedAnswer, WrongType) as error:
            failed = f"the model's choice cannot be read: {error.message}"
            if not errand.exhausted:
                errand.unfit(reply, objection(error))
    return _default(route, running, errand.seat, failed, options)


def _default(route: Route, running: Running, seat: str, why: str, options: tuple[str, ...]) -> Choice:
    choice = route.fallen_back(why, options)
    body = {"seat": seat, "option": choice.option, "message": why}
    running.outcomes.append(Outcome("defaulted", body))
    return choice
