"""From a verdict on positions without names to the ruling that the history keeps."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dissensus_state.patches import Operation, Patch
from dissensus_state.records import Decision, Proposal, Ruling
from dissensus_state.shapes import Shape
from dissensus_state.values import JSON, parse_path

from .judgement.showing import bounded, inert, line
from .judgement.supervisor import SEAT
from .judgement.verdicts import Verdict, bare
from .judgement.wrong_steps import MAX_STEP, place_of
from .positions import Side, amended
from .running import Running

MAX_REASON = 8_000
MAX_READING = 500
MAX_READINGS = 8
"""Characters of a reason and of a reading, and readings, that are kept of what a supervisor says."""

LETS_PASS: frozenset[Decision] = frozenset(("uphold", "amend"))


@dataclass(frozen=True, slots=True)
class Given:
    """A verdict with what was found out beside it.

    `names` gives for each label, as it was shown, the position's own. `advice` is the verdict that was not
    enough, where `verdict` passes the round on.
    """

    verdict: Verdict
    names: Mapping[str, str]
    attempt: int | None = None
    notes: tuple[str, ...] = ()
    kin: Mapping[str, str] = field(default_factory=dict)
    reverse: dict[str, JSON] | None = None
    advice: Verdict | None = None

    def noting(self, *notes: str) -> Given:
        """The same with more to be noted."""
        return replace(self, notes=(*self.notes, *notes))

    def passed_on(self, reason: str, *notes: str) -> Given:
        """The same as an escalation; what it would have been is kept as advice."""
        escalated = self.verdict.model_copy(update={"decision": "escalate", "reason": reason})
        advice = self.verdict if self.verdict.decision != "escalate" else self.advice
        return replace(self, verdict=escalated, advice=advice, notes=(*self.notes, *notes))


def ruling_of(
    running: Running,
    author: str,
    seat: str | None,
    given: Given,
    bound: bytes,
    seed: int | None,
    shape: Shape,
) -> Ruling:
    """A verdict as the ruling that is stored, back under the positions' own labels."""
    verdict, names = given.verdict, given.names
    side = chosen(running, verdict, names)
    steps, places, lost = _wrong_steps(running, verdict, names)
    passes = verdict.decision in LETS_PASS
    return Ruling(
        author=author,
        decision=verdict.decision,
        binding=bound,
        reason=bounded(unblinded(verdict.reason, names), MAX_REASON),
        upheld=side.agents if side and passes else (),
        dissent=dissent_of(running.made, side, verdict.decision),
        amendment=amendment_of(shape, side, verdict.amendment) if verdict.decision == "amend" else (),
        clarification=verdict.clarification and bounded(verdict.clarification, MAX_REASON),
        cause=verdict.cause,
        steps=steps,
        seed=seed,
        kinds=_kinds(running),
        notes=(*given.notes, *lost, *_withheld(running, side, verdict.decision)),
        attempt=given.attempt,
        confidence=verdict.confidence,
        readings=_readings(verdict),
        places=places,
        kin=dict(given.kin),
        seat=seat if given.attempt is not None and seat != SEAT else None,
        reverse=given.reverse,
        advice=_advice(running, given),
    )


def _advice(running: Running, given: Given) -> dict[str, JSON] | None:
    if given.advice is None:
        return None
    side = chosen(running, given.advice, given.names)
    return {"decision": given.advice.decision, "upheld": list(side.agents) if side else []}


def _withheld(running: Running, side: Side | None, decision: Decision) -> tuple[str, ...]:
    """What is said where a position stands whose reasoning nobody could read."""
    if side is None or decision not in LETS_PASS or not withheld(running, side):
        return ()
    return (f"the reasoning behind position {side.label} is withheld",)


def withheld(running: Running, side: Side) -> bool:
    """Whether nobody behind a side lets their reasoning be read."""
    calls = [call for call in map(running.call, side.agents) if call is not None]
    return bool(calls) and all(call.thinking is None for call in calls)


def _readings(verdict: Verdict) -> tuple[str, ...]:
    kept = (bounded(line(text), MAX_READING) for text in verdict.readings[:MAX_READINGS] if text.strip())
    return tuple(dict.fromkeys(kept))


def _wrong_steps(
    running: Running, verdict: Verdict, names: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, JSON], tuple[str, ...]]:
    """The first wrong step of each position, where it stands, and a note of each that does not."""
    steps: dict[str, str] = {}
    places: dict[str, JSON] = {}
    lost: list[str] = []
    sides = {side.label: side for side in running.sides}
    for item in verdict.wrong_steps:
        label = names.get(bare(item.position))
        if label is None or label in steps or not item.step.strip():
            continue
        steps[label] = bounded(unblinded(item.step, names), MAX_STEP)
        place = _place(running, sides[label], item.step[:MAX_STEP])
        if place is not None:
            places[label] = place
        elif not withheld(running, sides[label]):
            lost.append(f"position {label}: step not found in the reasoning")
    return steps, places, tuple(lost)


def _place(running: Running, side: Side, step: str) -> dict[str, JSON] | None:
    for agent in side.agents:
        call = running.call(agent)
        found = place_of(step, call.thinking) if call is not None and call.thinking else None
        if found is not None:
            return {"agent": agent, "start": found[0], "end": found[1]}
    return None


def unblinded(text: str, names: Mapping[str, str]) -> str:
    """A text about positions as they were shown, under the labels that the history gives them."""
    return re.sub(r"\b([Pp]osition) (\w+)\b", lambda said: f"{said[1]} {names.get(said[2], said[2])}", text)


def _kinds(running: Running) -> dict[str, str]:
    """Which kind of reasoning could be read of whom, where it was not what stands in the answer."""
    found = ((item.agent, running.call(item.agent)) for item in running.made)
    return {
        agent: call.reasoning_kind for agent, call in found if call and call.reasoning_kind != "rationale"
    }


def chosen(running: Running, verdict: Verdict, names: Mapping[str, str]) -> Side | None:
    """The side that a verdict names."""
    if not verdict.position:
        return None
    own = names.get(bare(verdict.position))
    return next((side for side in running.sides if side.label == own), None)


def dissent_of(made: Sequence[Proposal], side: Side | None, decision: Decision) -> tuple[str, ...]:
    """Whose proposals lose by a ruling: those of every other side."""
    if decision not in LETS_PASS:
        return ()
    upheld = side.agents if side else ()
    return tuple(item.agent for item in made if item.agent not in upheld)


def amendment_of(shape: Shape, side: Side | None, values: Mapping[str, Any] | None) -> Patch:
    """The whole patch of an amendment: the position it starts from, with the values put in place."""
    operations = tuple(operation_at(shape, path, value) for path, value in (values or {}).items())
    return amended(side.patch if side else (), operations)


def operation_at(shape: Shape, path: str, value: Any) -> Operation:
    """A value at a path: in the way its field merges, or, below a field that merges by key, at its key."""
    parsed = parse_path(path)
    field_ = shape.field(parsed[0]) if parsed else None
    if len(parsed) == 2 and field_ is not None and field_.verb == "merge" and parsed[0] not in shape.keys:
        return shape.operation(parsed[:1], {parsed[1]: value})
    return shape.operation(parsed, value)


def told_again(ruling: Ruling) -> str:
    """What a panel is told that is asked again: the clarification, and what the question could be read as.

    It was written by whoever ruled, over texts of models: nothing in it begins or ends a quotation.
    """
    said = inert(ruling.clarification or "")
    if not ruling.readings:
        return said
    ways = "; ".join(f"({n}) “{line(text)}”" for n, text in enumerate(ruling.readings, start=1))
    return f"{said}\nUntil now the question could be read as: {ways}"
