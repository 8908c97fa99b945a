"""The driver of every pattern: asks it what to do, does it, and comes back with what was heard."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from dissensus_state.errors import Denied
from dissensus_state.journal import Outcome
from dissensus_state.records import Proposal

from .agent import Agent
from .beginning import go_on
from .consulting import consulted
from .crossing import aside
from .deciding import kept_of, moves_in
from .fetching import consult
from .options import asked_of
from .patterns.governed import Trivial, Waves
from .patterns.plan import Ask, Consult, Decision, Heard, Move, Pattern, Stand, Stop
from .patterns.route import Route
from .prompts import Prompts
from .proposing import asked_at_once
from .racing import LEFT, raced
from .running import Run, Running
from .standings import stand_of
from .steps import Step, view_of
from .verifying import found_outside, outside
from .watch.governor import SPARED

if TYPE_CHECKING:
    from dissensus_state.sessions import Session
    from dissensus_state.values import JSON

    from .messages import Request


def judged(session: Session[Any], step: Step, state: JSON, version: int) -> str | None:
    """Why the input of a step is trivial; a denied look at it is put into the history (G6)."""
    if step.governor.trivial is None:
        return None
    try:
        return step.governor.judge(view_of(session.shape, step.agents[0], state, version))
    except Denied as error:
        session.record("denied", {"step": step.name, **error.as_dict()})
        raise


def pattern_of(step: Step, trivial: str | None) -> Pattern:
    """A step's pattern, under its governor."""
    if trivial is not None:
        return Trivial(step.pattern, trivial)
    if step.plain and step.governor.stop_early:
        return Waves(step.pattern, step.governor, step.quorum)
    return step.pattern


def opening(
    run: Run,
    step: Step,
    state: JSON,
    version: int,
    prompts: Prompts,
    trivial: str | None,
) -> Move:
    """What a round of a step begins with.

    Raises:
        Denied: It would have to ask an agent whose models are not trusted with what they would be shown.
    """
    pattern, why = pattern_of(step, trivial), prompts.why
    if why and (hit := pattern.unavoidable(why)):
        error = prompts.barred[hit[0]]
        run.journal.session.record("denied", {"step": step.name, **error.as_dict()})
        raise error
    return pattern.next(_heard(run, step, state, version, prompts.requests, why))


def _heard(
    run: Run,
    step: Step,
    state: JSON,
    version: int,
    requests: Mapping[str, Request],
    barred: Mapping[str, str],
) -> Heard:
    return Heard(
        task=step.name,
        lineages={agent.name: agent.model.lineage for agent in step.agents},
        models={agent.name: agent.model.name for agent in step.agents},
        barred=barred,
        hollow_below=step.hollow_below,
        asked=partial(asked_of, run, step, state, version, requests),
    )


def take_up(run: Run, running: Running) -> None:
    """What the records say was decided in a round that was left, so that it is not decided again."""
    step, governor = running.step, running.step.governor
    if step.plain and governor.trivial is None and not governor.stop_early:
        return
    bodies = run.journal.decisions(running.round)
    asks, running.stop = moves_in(bodies, [agent.name for agent in step.agents])
    first = asks[0].decisions[0] if asks else None
    if first is not None and first.pattern == Trivial.kind:
        running.trivial = first.reason
    running.kept = asks


def needed(running: Running) -> int:
    """How many agents have to propose something: who was spared is not counted against the quorum."""
    if running.trivial is not None:
        return 1
    unasked = (SPARED, LEFT)
    asked = sum((item.detail or {}).get("code") not in unasked for item in running.proposals)
    return min(running.step.quorum, max(1, asked))


async def driven(run: Run, running: Running) -> None:
    """Ask as the step's pattern says, until it stops; whoever was not asked stands in the records."""
    written = bool(running.kept) or running.move is not None
    move = running.kept.pop(0) if running.kept else running.move
    while True:
        if move is None:
            move, written = await _next(run, running), False
        if isinstance(move, Stop):
            break
        if isinstance(move, Consult):
            await consulted(run, running, move)
        else:
            await _ask(run, running, move, written=written)
        move, written = (running.kept.pop(0), True) if running.kept else (None, False)
    _stopped(run, running, move)


async def _next(run: Run, running: Running) -> Move:
    """What the pattern says now; in a thread, unless it is a plain list, as it may ask the database."""
    pattern = pattern_of(running.step, running.trivial)
    compares = not running.step.plain or pattern is not running.step.pattern
    if running.step.fetching and running.made and compares:
        await consult(run, running)  # so that it can be told who stands with whom
    if running.step.plain:
        return pattern.next(heard_in(run, running))
    for item in running.made:
        await outside(running, item.patch)
    return await aside(lambda: pattern.next(heard_in(run, running)))


def heard_in(run: Run, running: Running) -> Heard:
    """What is known in a round so far."""
    step = running.step
    heard = _heard(run, step, running.state, running.round.base, running.requests, running.barred)
    made = {item.agent: item for item in running.proposals}
    spoke = {name: running.lineage(name) for name in made}
    return Heard(
        task=step.name,
        proposed={item.agent: item.confidence for item in running.made},
        silent=frozenset(item.agent for item in running.proposals if item.status == "abstained"),
        lineages={**heard.lineages, **{name: lineage for name, (lineage, _) in spoke.items()}},
        models={**heard.models, **{name: model for name, (_, model) in spoke.items()}},
        decisions=running.decisions,
        barred=running.barred,
        answers=running.answers,
        hollow_below=step.hollow_below,
        stand=partial(_stand, running),
        failed=partial(_failed, running),
        asked=heard.asked,
        when=partial(_when, running),
    )


def _stand(running: Running, names: Collection[str]) -> Stand:
    return stand_of(running, [item for item in running.made if item.agent in names])


def _failed(running: Running, name: str) -> tuple[str, ...]:
    checks = found_outside(running, running.proposal(name).patch)
    return tuple(dict.fromkeys(check.verifier for check in checks if not check.passed))


def _when(running: Running, name: str) -> int:
    call = running.call(name)
    return 0 if call is None else call.sent_at + call.latency_ms


async def _ask(run: Run, running: Running, ask: Ask, *, written: bool) -> None:
    """Ask one wave, and take in what it brings.

    Raises:
        Denied: One of them may not be asked any more: its models were trusted when that was decided.
    """
    for name in ask.agents:
        if name in running.barred:
            raise Denied(running.barred[name], agent=name, right="read", sensitive=True)
    if not written:
        await aside(go_on, run, running, ask, running.wave)
    running.wave += 1
    running.decisions = (*running.decisions, *ask.decisions)
    tell_decided(run, running, ask.decisions)
    agents = [agent for agent in running.step.agents if agent.name in ask.agents]
    agents.sort(key=lambda agent: ask.agents.index(agent.name))
    waiting = [agent for agent in agents if not any(item.agent == agent.name for item in running.proposals)]
    results = await (raced(run, running, ask, waiting) if ask.first else asked_at_once(run, running, waiting))
    made = (*running.proposals, *(proposal for proposal, _ in results))
    running.proposals = tuple(sorted(made, key=lambda item: item.agent))  # as the records give them
    done = [call for _, calls in results for call in calls]
    known = {(call.agent, call.attempt) for call in done}
    others = (one for one in running.calls if (one.agent, one.attempt) not in known)
    running.calls = (*others, *done)


def _stopped(run: Run, running: Running, stop: Stop) -> None:
    """Put down how it ended, and who was not asked."""
    running.stop = stop
    running.outcomes += kept_of(stop, running.wave)
    running.decisions = (*running.decisions, *stop.decisions)
    tell_decided(run, running, stop.decisions)
    there = {item.agent for item in running.proposals}
    silent = [
        spared(run, running, agent, _unasked(running, agent.name) or stop.why)
        for agent in running.step.agents
        if agent.name not in there
    ]
    if silent:
        running.proposals = tuple(sorted((*running.proposals, *silent), key=lambda item: item.agent))


def _unasked(running: Running, agent: str) -> str | None:
    """Why a route that went another way did not come to an agent; None where none passed it over."""
    for one in running.decisions:
        part = running.step.pattern.part_at(one.at)
        if not isinstance(part, Route) or one.pattern != part.kind:
            continue
        ways = {name: way.names for name, way in part.parts.items()}
        if not any(agent in ways.get(name, ()) for name in one.chosen):
            found = next((way.why for way in one.passed_over if agent in ways.get(way.what, ())), None)
            if found is not None:
                return found
    return None


def tell_decided(run: Run, running: Running, decisions: Sequence[Decision]) -> None:
    """Let whoever watches know what was decided."""
    for one in decisions:
        run.tell(running, "decided", **one.as_dict())


def spared(run: Run, running: Running, agent: Agent, why: str) -> Proposal:
    """What the records say of an agent that was not asked."""
    detail = {"code": SPARED, "message": f"It was not asked: {why}"}
    running.outcomes.append(Outcome("spared", {"agent": agent.name, **detail}))
    run.tell(running, "spared", agent=agent.name, **detail)
    return Proposal(agent.name, (), (), None, 0, "abstained", dict(detail))
