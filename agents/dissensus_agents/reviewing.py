"""The review of a round: the supervisor sees every position, and its ruling is bound to them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dissensus_state.errors import FieldMissing, Refused
from dissensus_state.patches import Operation, Patch
from dissensus_state.records import Call, Decision, Proposal, RoundStatus, Ruling
from dissensus_state.rounds import binding
from dissensus_state.shapes import Shape
from dissensus_state.values import parse_path, pointer, within

from .crossing import aside
from .errands import Errand
from .errors import GraphError, MalformedAnswer, RoundVoid, WrongType
from .judgement.disagreement import Disagreement
from .judgement.supervisor import SEAT, Person, Review, Seen, Supervisor, Verdict, blind, sound
from .material import material_for
from .models.replies import objection
from .positions import Side, amended, values_of
from .running import Ending, Run, Running
from .summarising import summarised, tell_fitted
from .upholding import upheld_by_pattern

NOBODY = Supervisor(Person("nobody"))
"""Where a step has no supervisor, a person has to rule."""


async def review(run: Run, running: Running) -> None:
    """Get a ruling, or take the one that is recorded; say what becomes of the round."""
    given = await aside(run.journal.rulings, running.round) if running.round.status != "open" else []
    if given and given[-1].decision != "escalate":
        await _carry_out(run, running, given[-1], recorded=True)
        return
    if given:
        _parked(run, running, given[-1])
        return
    decided = upheld_by_pattern(run.shape, running)
    if decided is not None:
        await _carry_out(run, running, decided, recorded=False)
        return
    supervisor = running.step.supervisor or NOBODY
    run.tell(running, "reviewing", supervisor=supervisor.name, positions=len(running.sides))
    await _carry_out(run, running, await _rule(run, running, supervisor), recorded=False)


async def _rule(run: Run, running: Running, supervisor: Supervisor) -> Ruling:
    bound = binding(running.round.base, running.proposals)
    seed = int.from_bytes(bound[:4], "big")
    shown, names = blind([seen_of(running, side) for side in running.sides], seed)
    material, withheld = material_for(run.shape, running, supervisor.name)
    asked = Review(
        step=running.step.name,
        positions=shown,
        disagreements=_unnamed(running, names),
        material=material,
        writes=tuple(map(pointer, running.step.task.writes)),
        hollow=bool((running.review or {}).get("hollow")),
        votes=running.votes,
    )
    verdict, attempt, notes = await _verdict(run, running, supervisor, asked)
    if withheld:
        notes = (*notes, f"was not shown {', '.join(withheld)}")
    return _ruling(running, supervisor, verdict, names, bound, seed, attempt, notes, run.shape)


def _unnamed(running: Running, names: Mapping[str, str]) -> tuple[Disagreement, ...]:
    """What is disputed, with the labels that are shown in the place of the agents' names."""
    shown = {old: new for new, old in names.items()}
    labels = {agent: shown[side.label] for side in running.sides for agent in side.agents}
    return tuple(
        replace(
            question,
            positions=tuple(
                replace(one, holders=tuple(sorted({labels[agent] for agent in one.holders})))
                for one in question.positions
            ),
        )
        for question in running.comparison.disagreements
    )


def seen_of(running: Running, side: Side) -> Seen:
    """A side as a supervisor sees it: what it says, why, and which checks it failed."""
    calls = [(agent, running.call(agent)) for agent in side.agents]
    stated = [running.proposal(agent).confidence for agent in side.agents]
    sure = [confidence for confidence in stated if confidence is not None]
    return Seen(
        label=side.label,
        values=values_of(side.patch, [()]),
        reasoning=tuple((call.reasoning_kind, call.thinking) for _, call in calls if call),
        confidence=sum(sure) / len(sure) if sure else None,
        failed=_failed_checks(running, side),
    )


def _failed_checks(running: Running, side: Side) -> tuple[str, ...]:
    found = (item for agent in side.agents for item in running.evidence.get(agent, ()) if not item.passed)
    return tuple(dict.fromkeys(f"{item.verifier}: {item.detail}" for item in found))


async def _verdict(
    run: Run, running: Running, supervisor: Supervisor, asked: Review
) -> tuple[Verdict, int | None, tuple[str, ...]]:
    """The supervisor's verdict, the attempt of the call it rests on, and what is to be noted."""
    if supervisor.person is not None:
        return Verdict(decision="escalate", reason=f"{supervisor.name} has to rule"), None, ()
    if supervisor.model is not None:
        return await _asked(run, running, supervisor, asked)
    if supervisor.function is None:
        raise GraphError(f"The supervisor {supervisor.name} can neither be asked nor called")
    given = supervisor.function(asked)
    verdict = await given if inspect.isawaitable(given) else given
    if not isinstance(verdict, Verdict):
        raise GraphError(
            f"The supervisor {supervisor.name} gave a {type(verdict).__name__}, and no Verdict",
            next_step="Return dissensus_agents.judgement.supervisor.Verdict(decision=…)",
        )
    return _fitting(run, running, sound(verdict, asked)), None, ()


def _fitting(run: Run, running: Running, verdict: Verdict) -> Verdict:
    """The verdict, if its amendment is one of this schema and of what the step may write."""
    for path, value in (verdict.amendment or {}).items():
        try:
            places = _operation(run.shape, path, value).touched()
        except (FieldMissing, Refused) as error:
            raise WrongType(f"The amendment does not fit: {error.message}", path=path) from error
        if not all(within(place, running.step.task.writes) for place in places):
            allowed = ", ".join(map(pointer, running.step.task.writes))
            raise WrongType(f"An amendment may write {allowed}, and not {path}", path=path)
    return verdict


async def _asked(
    run: Run, running: Running, supervisor: Supervisor, asked: Review
) -> tuple[Verdict, int | None, tuple[str, ...]]:
    """Ask a supervising model until its verdict can be read; what never can is a rejection."""
    if supervisor.candidates is None:
        raise GraphError(f"The supervisor {supervisor.name} has no model to ask")
    known = await aside(run.journal.calls, running.round)
    earlier = [call for call in known if call.agent == SEAT]
    request, _ = await summarised(run, running, supervisor.request(asked), known)
    tell_fitted(run, running, SEAT, request)
    most = supervisor.attempts
    errand = Errand(run, running, SEAT, supervisor.candidates, request, most, earlier, anew=True)
    failure = ""
    while not errand.exhausted:
        call, reply = await errand.answer()
        try:
            verdict = _fitting(run, running, supervisor.read(reply, asked))
        except (MalformedAnswer, WrongType) as error:
            errand.unfit(reply, objection(error))
            failure = error.message
        else:
            return verdict, call.attempt, _kinship(running, call.lineage)
    verdict = Verdict(decision="reject", reason=f"The supervisor's verdict cannot be read: {failure}")
    return verdict, errand.attempt, ("unreadable verdict",)


def _ruling(
    running: Running,
    supervisor: Supervisor,
    verdict: Verdict,
    names: dict[str, str],
    bound: bytes,
    seed: int,
    attempt: int | None,
    notes: tuple[str, ...],
    shape: Shape,
) -> Ruling:
    """A verdict as the ruling that the history keeps, back under the positions' own labels."""
    side = _chosen(running, verdict, names)
    return Ruling(
        author=supervisor.name,
        decision=verdict.decision,
        binding=bound,
        reason=_unblinded(verdict.reason, names),
        upheld=side.agents if side and verdict.decision in {"uphold", "amend"} else (),
        dissent=dissent_of(running.made, side, verdict.decision),
        amendment=amendment_of(shape, side, verdict.amendment) if verdict.decision == "amend" else (),
        clarification=verdict.clarification,
        cause=verdict.cause,
        steps=_wrong_steps(verdict, names),
        seed=seed,
        kinds=_kinds(running),
        notes=notes,
        attempt=attempt,
    )


def _wrong_steps(verdict: Verdict, names: dict[str, str]) -> dict[str, str]:
    """The first wrong step of each position, under its own label."""
    steps = {names.get(_label(item.position), item.position): item.step for item in verdict.wrong_steps}
    return {label: _unblinded(step, names) for label, step in steps.items()}


def _unblinded(text: str, names: dict[str, str]) -> str:
    """A text about positions as they were shown, under the labels that the history gives them."""
    return re.sub(r"\b([Pp]osition) (\w+)\b", lambda said: f"{said[1]} {names.get(said[2], said[2])}", text)


def _label(written: str) -> str:
    return written.strip().removeprefix("Position").strip().upper()


def _kinds(running: Running) -> dict[str, str]:
    """Which kind of reasoning could be read of whom, where it was not what stands in the answer."""
    calls = _calls(running)
    return {agent: call.reasoning_kind for agent, call in calls if call.reasoning_kind != "rationale"}


def _chosen(running: Running, verdict: Verdict, names: dict[str, str]) -> Side | None:
    if not verdict.position:
        return None
    own = names.get(_label(verdict.position))
    return next((side for side in running.sides if side.label == own), None)


def _calls(running: Running) -> list[tuple[str, Call]]:
    found = ((item.agent, running.call(item.agent)) for item in running.made)
    return [(agent, call) for agent, call in found if call is not None]


def dissent_of(made: Sequence[Proposal], side: Side | None, decision: Decision) -> tuple[str, ...]:
    """Whose proposals lose by a ruling: those of every other side."""
    if decision not in {"uphold", "amend"}:
        return ()
    upheld = side.agents if side else ()
    return tuple(item.agent for item in made if item.agent not in upheld)


def amendment_of(shape: Shape, side: Side | None, values: dict[str, Any] | None) -> Patch:
    """The whole patch of an amendment: the position it starts from, with the values put in place."""
    operations = tuple(_operation(shape, path, value) for path, value in (values or {}).items())
    return amended(side.patch if side else (), operations)


def _operation(shape: Shape, path: str, value: Any) -> Operation:
    """A value at a path: in the way its field merges, or, below a field that merges by key, at its key."""
    parsed = parse_path(path)
    field = shape.field(parsed[0]) if parsed else None
    if len(parsed) == 2 and field is not None and field.verb == "merge" and parsed[0] not in shape.keys:
        return shape.operation(parsed[:1], {parsed[1]: value})
    return shape.operation(parsed, value)


def _kinship(running: Running, own: str) -> tuple[str, ...]:
    """A supervisor of the lineage it judges is allowed, and said."""
    kin = [item.agent for item in running.made if running.lineage(item.agent)[0] == own]
    return (f"shares the lineage {own} with {', '.join(kin)}",) if kin else ()


async def _carry_out(run: Run, running: Running, ruling: Ruling, *, recorded: bool) -> None:
    """What a ruling makes of the round; one that is not recorded yet is, with its effect."""
    run.tell(running, "ruled", supervisor=ruling.author, decision=ruling.decision, **ruling.body())
    if ruling.decision in {"uphold", "amend"}:
        running.ruling, running.recorded, running.ending = ruling, recorded, "commit"
        return
    new = None if recorded else ruling
    status, ending = _ENDINGS[ruling.decision]
    running.round = await aside(
        run.journal.close, running.round, status, new, outcomes=tuple(running.outcomes)
    )
    running.ending = ending
    if ending == "parked":
        _parked(run, running, ruling)
    elif ending == "rejected":
        run.tell(running, "rejected", reason=ruling.reason)
    elif running.tries > running.step.again:
        raise RoundVoid(
            f"The supervisor has sent the step {running.step.name!r} back {running.tries} times",
            next_step="Put the question more clearly, or let a person rule; then resume",
            round=running.round.round,
        )


_ENDINGS: dict[str, tuple[RoundStatus, Ending]] = {
    "retry": ("retried", "again"),
    "reject": ("rejected", "rejected"),
    "escalate": ("parked", "parked"),
}


def _parked(run: Run, running: Running, ruling: Ruling) -> None:
    running.ending = "parked"
    run.tell(running, "parked", reason=ruling.reason, session=run.journal.session.name)
