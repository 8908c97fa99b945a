"""The verifiers of a round: first what is outside of the models, then, if nothing decided, a model."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace

from dissensus_state.errors import BudgetExceeded
from dissensus_state.patches import Patch, patch_to_json
from dissensus_state.records import Call, Change
from dissensus_state.shapes import Shape
from dissensus_state.values import canonical, digest

from .crossing import aside
from .errands import Errand
from .errors import MalformedAnswer, MissingKey, ModelFailed, WrongType
from .judgement.evidence import Evidence, decided
from .judgement.opinions import AskedOf
from .judgement.witnessing import AnyVerifier, apart
from .material import material_for, sensitive_in
from .messages import Request
from .models.recordings import NotRecorded
from .models.replies import objection
from .positions import all_values
from .running import Run, Running


async def witness(run: Run, running: Running, more: Sequence[AnyVerifier] = ()) -> None:
    """Find the evidence on each proposal of a round; a model is asked about each position once.

    Args:
        run: The run.
        running: The round, whose positions are known.
        more: Verifiers beside the step's own that this round needs, such as those of a hollow consensus;
            they stay with the round, so that what is committed bears their evidence as well.
    """
    running.further = (*running.further, *more)
    found = {item.agent: await outside(running, item.patch) for item in running.made}
    running.evidence = found
    if not _askers(running):
        return
    earlier = await aside(run.journal.calls, running.round)
    sides = running.sides
    said = await asyncio.gather(*(_opinions(run, running, one.patch, one.agents, earlier) for one in sides))
    for side, opinions in zip(sides, said, strict=True):
        for agent in side.agents:
            found[agent] = tuple(dict.fromkeys((*found[agent], *opinions)))


async def with_evidence(run: Run, running: Running, change: Change) -> Change:
    """A change with the evidence on exactly what it writes; an amendment is checked as it is committed."""
    if not running.verifiers:
        return change
    evidence = list(await outside(running, change.patch))
    if _askers(running):
        proposers = [item.agent for item in running.made]
        authors = [agent for agent in change.author.split("+") if agent in proposers]
        earlier = await aside(run.journal.calls, running.round)
        evidence += await _opinions(run, running, change.patch, authors or proposers, earlier)
    return replace(change, evidence=tuple(item.as_dict() for item in evidence))


def _askers(running: Running) -> list[AskedOf]:
    return [one for one in running.verifiers if isinstance(one, AskedOf)]


async def outside(running: Running, patch: Patch) -> tuple[Evidence, ...]:
    """What the verifiers that are outside of the models find on a patch; each checks the same once."""
    key = canonical(patch_to_json(patch))
    places = [(n, one) for n, one in enumerate(running.verifiers) if not isinstance(one, AskedOf)]
    new = [(n, one) for n, one in places if (n, key) not in running.checks]
    if new:
        found = await apart([one for _, one in new], all_values(patch), running.state)
        running.checks |= {(n, key): tuple(given) for (n, _), given in zip(new, found, strict=True)}
    return tuple(item for n, _ in places for item in running.checks[n, key])


def found_outside(running: Running, patch: Patch) -> tuple[Evidence, ...]:
    """What `outside` has found on a patch already."""
    key = canonical(patch_to_json(patch))
    return tuple(item for n, _ in enumerate(running.verifiers) for item in running.checks.get((n, key), ()))


async def _opinions(
    run: Run, running: Running, patch: Patch, agents: Sequence[str], earlier: Sequence[Call]
) -> tuple[Evidence, ...]:
    """What the models say that are asked as the last resort; each is asked the same once."""
    if decided(await outside(running, patch)):
        return ()
    key = canonical(patch_to_json(patch))
    places = [(n, one) for n, one in enumerate(running.verifiers) if isinstance(one, AskedOf)]
    new = [(n, one) for n, one in places if (n, key) not in running.checks]
    found = await asyncio.gather(*(_opinion(run, running, one, patch, agents, earlier) for _, one in new))
    running.checks |= {(n, key): given for (n, _), given in zip(new, found, strict=True)}
    return tuple(item for n, _ in places for item in running.checks[n, key])


async def _opinion(
    run: Run, running: Running, one: AskedOf, patch: Patch, agents: Iterable[str], earlier: Sequence[Call]
) -> tuple[Evidence, ...]:
    """One model's opinion of a patch, recorded or asked for now; none where it is not about this patch."""
    if not one.values(all_values(patch)):
        return ()
    kinship = one.kinship(running.lineage(agent)[0] for agent in agents)
    if one.refuses(kinship):
        return (one.silent("not asked: it would judge its own lineage"),)
    request = opinion_request(run.shape, running, one, patch)
    seat = seat_of(one, patch)
    known = [call for call in earlier if call.agent == seat]
    errand = Errand(run, running, seat, one.candidates, request, one.attempts, known, anew=True)
    try:
        found = await _answered(one, errand, request)
    except (MissingKey, NotRecorded):
        raise
    except (ModelFailed, BudgetExceeded) as error:
        return (one.silent(f"no opinion could be had: {error.message}"),)
    return (found if kinship is None else replace(found, detail=f"{found.detail} ({kinship})"),)


async def _answered(one: AskedOf, errand: Errand, request: Request) -> Evidence:
    failure = ""
    while not errand.exhausted:
        call, reply = await errand.answer()
        try:
            return one.evidence(one.read(reply, request), call.model)
        except (MalformedAnswer, WrongType) as error:
            errand.unfit(reply, objection(error))
            failure = error.message
    return one.silent(f"its answer cannot be used: {failure}")


def seat_of(one: AskedOf, patch: Patch) -> str:
    """Under which name its calls about a patch stand in the records."""
    return f"{one.seat}~{digest(canonical(patch_to_json(patch))).hex()[:8]}"


def opinion_request(shape: Shape, running: Running, one: AskedOf, patch: Patch) -> Request:
    """What a model is asked about a patch, with what it has a right to read."""
    material, _ = material_for(shape, running, one.name)
    request = one.request(material, one.values(all_values(patch)))
    return replace(request, sensitive=sensitive_in(running, shape))
