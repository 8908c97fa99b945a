"""The steps of a round up to the commit: read, propose, compare, weigh, verify, commit.

Each is a node of the LangGraph graph. What they need stands in memory (`Running`) and in the
records; a run that was killed rebuilds the first from the second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from dissensus_state.errors import (
    BudgetExceeded,
    Conflict,
    Denied,
    DissensusError,
    LeaseLost,
    NotFound,
    Refused,
)
from dissensus_state.journal import Outcome
from dissensus_state.records import Call, Change, Commit, Proposal, Round, Ruling
from dissensus_state.reuse import is_reused

from .agent import Agent, Answer
from .beginning import begin
from .comparing import compare_proposals
from .consulting import consult
from .context.fitting import Room, rooms_of
from .crossing import aside
from .errands import Errand
from .errors import GraphError, MalformedAnswer, MissingKey, ModelFailed, RoundVoid, WrongType
from .judgement.grading import of_evidence
from .messages import Reply, Request
from .models.kinds import refusal_of
from .models.recordings import NotRecorded
from .models.replies import Unusable, objection
from .models.texts import shown
from .positions import Side, author_of, joined
from .reasons import reasons, unreviewed
from .refusals import helpless, tell
from .rulings import told_again
from .running import Run, Running
from .steps import Step, view_of
from .summarising import summarised, taken_up, tell_fitted
from .waves import decided, has_answered, judged, needed, spared, waves
from .weighing import told_of, weigh, weigher_for

if TYPE_CHECKING:
    from dissensus_state.sessions import Session
    from dissensus_state.values import JSON

# Read


async def read(run: Run, step: Step) -> Running:
    """Open the next round of a step on the newest version, or take up the one that was left."""
    if run.rounds >= run.max_rounds:
        raise GraphError(
            f"The run was stopped after {run.rounds} rounds",
            next_step="Resume to go on, or give a larger max_rounds",
        )
    running = await aside(_open, run, step)
    run.current = running
    run.rounds += 1
    names = [agent.name for agent in step.agents]
    run.tell(running, "round", base=running.round.base, agents=names, note=running.round.note)
    return running


def _open(run: Run, step: Step) -> Running:
    before = run.current
    last = run.journal.last_round() if before is None else before.round
    if last is not None and last.step == step.name and not last.settled:
        outdated = run.journal.close_outdated(last)
        if outdated is None:
            return _taken_up(run, step, last)
        last = outdated
    repeated = last if last is not None and last.step == step.name and _repeats(last) else None
    running = _begun(run, step, repeated)
    if repeated is not None and before is not None:
        running.tries = before.tries + 1
    return running


def _begun(run: Run, step: Step, repeated: Round | None) -> Running:
    """A new round on the newest version; what is remembered of it is tried first."""
    session, note = run.journal.session, _note(run, repeated)
    head = session.remembered
    while True:
        try:
            requests, reads = _requests(session, step, head.plain, head.version, note)
            trivial = judged(session, step, head.plain, head.version)
        except (NotFound, LookupError):  # a prompt may ask for what only a newer version has
            if session.current().version == head.version:
                raise
            head = session.current()
            continue
        begun = begin(run, step, head.version, requests, repeated, note, trivial)
        if begun is not None:
            weigher = weigher_for(run, step)
            return Running(
                step, begun[0], head.plain, requests, reads, begun[1], trivial=trivial, weigher=weigher
            )
        head = session.current()


def _repeats(last: Round) -> bool:
    return last.status in {"retried", "void"}


def _note(run: Run, repeated: Round | None) -> str | None:
    """What the panel is told when a round is repeated: a clarification, or why a patch was refused."""
    if repeated is None:
        return None
    note = (repeated.review or {}).get("tell")
    if repeated.status == "retried":
        note = told_again(run.journal.rulings(repeated)[-1])
    return note and str(note).replace("\x00", "\ufffd")  # PostgreSQL holds no U+0000 in a plain text


def _taken_up(run: Run, step: Step, left: Round) -> Running:
    """An unsettled round, as its records tell it."""
    state = run.journal.session.raw(left.base)
    calls = run.journal.calls(left)
    requests, reads = _requests(run.journal.session, step, state, left.base, left.note, rooms_of(calls))
    running = Running(step, left, state, requests, reads, calls, weigher=weigher_for(run, step))
    running.proposals = tuple(run.journal.proposals(left))
    running.stored = bool(running.proposals)
    if not running.stored:
        running.trivial = judged(run.journal.session, step, state, left.base)
    return running


def _requests(
    session: Session[Any],
    step: Step,
    state: JSON,
    version: int,
    note: str | None,
    rooms: Mapping[str, Room] | None = None,
) -> tuple[dict[str, Request], dict[str, tuple[str, ...]]]:
    """The same as `requests_of`, with a denied attempt put into the history."""
    try:
        return requests_of(session, step, state, version, note, rooms or {})
    except Denied as error:
        session.record("denied", {"step": step.name, **error.as_dict()})
        raise


def requests_of(
    session: Session[Any],
    step: Step,
    state: JSON,
    version: int,
    note: str | None,
    rooms: Mapping[str, Room],
) -> tuple[dict[str, Request], dict[str, tuple[str, ...]]]:
    """What each agent is asked on this snapshot, and what it read of it.

    Args:
        session: Whose snapshot it is.
        step: The step with its agents.
        state: The state at that version.
        version: The version.
        note: What the panel is told where the step is repeated.
        rooms: What the recorded requests had room for; who is not named has what its models have now.
    """
    requests, reads = {}, {}
    for agent in step.agents:
        view = view_of(session.shape, agent, state, version)
        requests[agent.name] = agent.request(view, step.task_of(agent.name), note, rooms.get(agent.name))
        reads[agent.name] = view.reads
    return requests, reads


# Propose


async def propose(run: Run, running: Running) -> None:
    """Ask every agent at once, or in waves; each answer is recorded, read, and becomes a proposal."""
    if running.stored:
        taken_up(running)
        return
    recorded, done, left = running.calls, list[Call](), len(running.step.agents)
    for wave in waves(running.step, running.trivial):
        if running.step.governor.stop_early:
            await consult(run, running)
        why = decided(running, left)
        asked = [agent for agent in wave if why is None or has_answered(running, agent)]
        silent = [spared(run, running, agent, why or "") for agent in wave if agent not in asked]
        results = await _asked(run, running, asked)
        made = (*running.proposals, *silent, *(proposal for proposal, _ in results))
        running.proposals = tuple(sorted(made, key=lambda item: item.agent))  # as the records give them
        done += [call for _, calls in results for call in calls]
        known = {(call.agent, call.attempt) for call in done}
        running.calls = (*done, *(one for one in recorded if (one.agent, one.attempt) not in known))
        left -= len(wave)
    running.calls = tuple(done)
    if len(running.made) < needed(running.step, running.trivial):
        await _void(run, running)


async def _asked(run: Run, running: Running, agents: Sequence[Agent]) -> list[tuple[Proposal, list[Call]]]:
    """What agents that are asked at once propose."""
    asked = [_proposal(run, running, agent) for agent in agents]
    results = await asyncio.gather(*asked, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results  # type: ignore[return-value]


async def _proposal(run: Run, running: Running, agent: Agent) -> tuple[Proposal, list[Call]]:
    """One agent's proposal: first the summaries that its prompt waits for, then its answers."""
    try:
        request, before = await summarised(run, running, running.requests[agent.name], running.calls)
    except (MissingKey, NotRecorded):
        raise
    except (ModelFailed, BudgetExceeded) as failed:
        return _abstained(run, running, agent, failed, 0), []
    running.requests = {**running.requests, agent.name: request}
    tell_fitted(run, running, agent.name, request)
    proposal, calls = await _answered(run, running, agent, request)
    return proposal, [*before, *calls]


async def _answered(
    run: Run, running: Running, agent: Agent, request: Request
) -> tuple[Proposal, list[Call]]:
    """From an agent's recorded answers as far as they go, then by asking."""
    earlier = [call for call in running.calls if call.agent == agent.name]
    errand = Errand(run, running, agent.name, agent.candidates, request, agent.attempts, earlier)
    while True:
        try:
            call, reply = await errand.answer()
        except (MissingKey, NotRecorded):
            raise
        except (ModelFailed, BudgetExceeded) as failed:
            return _abstained(run, running, agent, failed, errand.attempt), errand.calls
        known = call in earlier
        told = {"agent": agent.name, "model": call.model, "cost": call.cost, "recorded": known}
        told |= {"reused": True} if is_reused(call) else {}
        run.tell(running, "answered", **told)
        read_as = _read(running, agent, reply)
        if isinstance(read_as, Answer):
            return _proposed(run, running, agent, read_as, call), errand.calls
        if errand.exhausted:
            return _abstained(run, running, agent, read_as, call.attempt), errand.calls
        errand.unfit(reply, objection(read_as))


def _read(running: Running, agent: Agent, reply: Reply) -> Answer | Unusable:
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


def _proposed(run: Run, running: Running, agent: Agent, answer: Answer, call: Call) -> Proposal:
    if answer.repairs:
        running.outcomes.append(Outcome("repaired", {"agent": agent.name, "repairs": list(answer.repairs)}))
    run.tell(running, "proposed", agent=agent.name, confidence=answer.confidence)
    return Proposal(agent.name, answer.patch, running.reads[agent.name], answer.confidence, call.attempt)


def _abstained(
    run: Run, running: Running, agent: Agent, error: ModelFailed | Denied | BudgetExceeded, attempt: int
) -> Proposal:
    detail = error.as_dict()
    running.outcomes.append(Outcome("abstained", {"agent": agent.name, **detail}))
    run.tell(running, "abstained", agent=agent.name, **detail)
    return Proposal(agent.name, (), (), None, attempt, "abstained", detail)


async def _void(run: Run, running: Running) -> None:
    """Settle a round without a quorum, and stop with the reason that all abstentions share."""
    silent = [(item.agent, item.detail or {}) for item in running.proposals if item.status == "abstained"]
    reasons = [detail for _, detail in silent]
    made, quorum = len(running.made), needed(running.step, running.trivial)
    await _settle_void(run, running, {"void": reasons})
    said = "; ".join(f"{agent}: {detail.get('message')}" for agent, detail in silent)
    kinds = {detail.get("code") for detail in reasons}
    kind = _BY_CODE.get(kinds.pop() or "", RoundVoid) if len(kinds) == 1 else RoundVoid
    raise kind(
        f"The round is void: {made} of {len(running.proposals)} agents proposed something, "
        f"and {quorum} must. {said}",
        round=running.round.round,
        step=running.step.name,
    )


async def _settle_void(run: Run, running: Running, why: dict[str, Any]) -> None:
    made = () if running.stored else running.proposals
    ruling = None if running.recorded else running.ruling
    running.round = await aside(
        run.journal.close, running.round, "void", ruling, made=made, why=why, outcomes=tuple(running.outcomes)
    )


_BY_CODE: dict[str, type[DissensusError]] = {
    kind.code: kind for kind in (MalformedAnswer, WrongType, Denied, BudgetExceeded)
}


# Compare, weigh, verify


async def verify(run: Run, running: Running) -> None:
    """Run the step's verifiers on what each side proposes, and say whether a ruling is needed."""
    if running.step.verifiers:
        running.evidence = {item.agent: running.checked(item.patch) for item in running.made}
        compare_proposals(run, running)  # the positions stay as they are; a failed check tells the cause
        weigh(run, running)
    running.review = running.round.review if running.stored else reasons(run, running)
    kind = "disagreed" if running.comparison.disagreements else "agreed"
    run.tell(running, kind, votes=running.votes, weighed=told_of(running), review=running.review)
    running.ending = "commit" if running.review is None else "review"
    await _keep(run, running)


async def _keep(run: Run, running: Running) -> None:
    """Make proposals that a supervisor is about to see durable, with the reasons for it."""
    if not running.stored and running.review is not None:
        running.round = await aside(
            run.journal.propose, running.round, running.proposals, running.review, tuple(running.outcomes)
        )
        running.stored, running.outcomes = True, []


# Commit


async def commit(run: Run, running: Running) -> None:
    """Settle the round as a commit; on a conflict or a refusal, ask again on a new snapshot."""
    ruling = running.ruling
    if ruling is None:
        side = running.sides[0]
        change = running.change(author_of(side), side)
    else:
        change = ruled_change(running, ruling)
    made = () if running.stored else running.proposals
    graded = of_evidence(running.evidence)
    outcomes = [*running.outcomes, *unreviewed(running), *graded.told]
    commit = partial(run.journal.commit, recorded=running.recorded, graded=graded.grades)
    try:
        running.commit = await aside(commit, running.round, change, ruling, made, outcomes)
    except LeaseLost:
        raise
    except (Conflict, Denied, NotFound, Refused) as error:
        await _again(run, running, error)
        return
    running.round = replace(running.round, status="committed")
    running.ending = "committed"
    _tell_commit(run, running, running.commit)


def ruled_change(running: Running, ruling: Ruling) -> Change:
    """What a ruling commits: a position as it stands, or what the supervisor made of it."""
    if ruling.decision == "uphold":
        patches = (item.patch for item in running.made if item.agent in ruling.upheld)
        side = Side("", ruling.upheld, joined(patches))
        return running.change(author_of(side), side)
    side = Side("", tuple(item.agent for item in running.made), ruling.amendment)
    return running.change(ruling.author, side)


def _tell_commit(run: Run, running: Running, made: Commit) -> None:
    writes = [list(path) for path in made.writes]
    run.tell(running, "committed", version=made.version, author=made.author, writes=writes)


async def _again(run: Run, running: Running, error: Conflict | Denied | NotFound | Refused) -> None:
    """Settle the round as void and let the step begin again, told why; bounded, and only if that can help."""
    conflict = isinstance(error, Conflict)
    kind = "conflict" if conflict else "refused"
    why: dict[str, Any] = {"void": [error.as_dict()]}
    if not conflict:
        why["tell"] = tell(run.shape, running.step, error)
    if not isinstance(error, Denied):  # the journal has put a denial into the history
        running.outcomes.append(Outcome(kind, {"step": running.step.name, **error.as_dict()}))
    await _settle_void(run, running, why)
    run.tell(running, kind, **error.as_dict())
    if helpless(error) or running.tries > running.step.again:
        raise error
    running.ending = "again"
