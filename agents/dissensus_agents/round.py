"""The steps of a round before it is judged, and after: read and propose, commit.

Each is a node of the LangGraph graph. What they need stands in memory (`Running`) and in the
records; a run that was killed rebuilds the first from the second.
"""

from __future__ import annotations

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
from dissensus_state.records import Change, Commit, Round, Ruling

from .beginning import begin
from .context.fitting import rooms_of
from .crossing import aside
from .driving import driven, judged, needed, opening, take_up
from .errors import GraphError, MalformedAnswer, RoundVoid, WrongType
from .judgement.grading import of_evidence
from .positions import Side, author_of, joined
from .prompts import prompts_of
from .reasons import unreviewed
from .refusals import helpless, tell
from .rulings import told_again
from .running import Run, Running
from .steps import Step
from .summarising import taken_up
from .verifying import with_evidence
from .weighing import weigher_for

if TYPE_CHECKING:
    pass

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
            asked = prompts_of(session, step, head.plain, head.version, note)
            trivial = judged(session, step, head.plain, head.version)
            move = opening(run, step, head.plain, head.version, asked, trivial)
        except (NotFound, LookupError):  # a prompt may ask for what only a newer version has
            if session.current().version == head.version:
                raise
            head = session.current()
            continue
        begun = begin(run, step, head.version, asked.requests, repeated, note, move)
        if begun is not None:
            weigher = weigher_for(run, step)
            made = Running(step, begun[0], head.plain, asked.requests, asked.reads, begun[1])
            made.weigher, made.trivial, made.barred, made.move = weigher, trivial, asked.why, move
            return made
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
    proposals = tuple(run.journal.proposals(left))
    everybody = step.joined_by(item.agent for item in proposals)
    asked = prompts_of(run.journal.session, everybody, state, left.base, left.note, rooms_of(calls))
    running = Running(step, left, state, asked.requests, asked.reads, calls, barred=asked.why)
    running.weigher = weigher_for(run, step)
    running.proposals = proposals
    running.stored = bool(running.proposals)
    take_up(run, running)
    if not running.stored and not running.kept:
        running.trivial = judged(run.journal.session, step, state, left.base)
    return running


# Propose


async def propose(run: Run, running: Running) -> None:
    """Ask as the step's pattern says; each answer is recorded, read, and becomes a proposal."""
    if running.stored:
        taken_up(running)
        return
    await driven(run, running)
    if len(running.made) < needed(running):
        await _void(run, running)


async def _void(run: Run, running: Running) -> None:
    """Settle a round without a quorum, and stop with the reason that all abstentions share."""
    silent = [(item.agent, item.detail or {}) for item in running.proposals if item.status == "abstained"]
    reasons = [detail for _, detail in silent]
    made, quorum = len(running.made), needed(running)
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


# Commit


async def commit(run: Run, running: Running) -> None:
    """Settle the round as a commit; on a conflict or a refusal, ask again on a new snapshot."""
    ruling = running.ruling
    if ruling is None:
        side = running.sides[0]
        change = running.change(author_of(side), side)
    else:
        change = ruled_change(running, ruling)
    change = await with_evidence(run, running, change)
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
