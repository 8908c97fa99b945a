"""Asking one supervisor of a chain: what it is shown, in which order, and what its word is worth."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dissensus_state.errors import FieldMissing, Refused
from dissensus_state.records import Call, Ruling
from dissensus_state.rounds import binding
from dissensus_state.values import JSON, canonical, pointer, within

from .crossing import aside
from .errands import Errand
from .errors import GraphError, MalformedAnswer, MissingKey, ModelFailed, WrongType
from .judgement.ballots import Ballot, Weighed
from .judgement.disagreement import Disagreement
from .judgement.lineage import akin
from .judgement.supervisor import REVERSED, Supervisor
from .judgement.verdicts import Review, Seen, Verdict, bare, blind, sound
from .material import material_for, sensitive_in
from .messages import Request
from .models.recordings import NotRecorded
from .models.replies import objection
from .patterns.failover import Candidates
from .positions import Side, values_of
from .rulings import LETS_PASS, Given, chosen, operation_at, ruling_of, withheld
from .running import Run, Running
from .summarising import summarised, tell_fitted
from .weighing import ballots_of


@dataclass(frozen=True, slots=True)
class Level:
    """One supervisor of a chain, and whether nobody comes after it."""

    supervisor: Supervisor
    last: bool


async def ruled_by(run: Run, running: Running, level: Level) -> Ruling:
    """What one supervisor of the chain rules.

    Raises:
        ModelFailed: The last one of the chain cannot be asked; who comes before it is passed over.
        WrongType, GraphError: A function gave no verdict that can be carried out.
    """
    bound = binding(running.round.base, running.proposals)
    seed = int.from_bytes(bound[:4], "big")
    asked, names, hidden = review_of(run, running, level.supervisor, seed)
    given = await _given(run, running, level, asked, names)
    if hidden:
        given = given.noting(f"was not shown {', '.join(hidden)}")
    shown = seed if level.supervisor.person is None else None
    return ruling_of(running, level.supervisor.name, level.supervisor.seat, given, bound, shown, run.shape)


def review_of(
    run: Run, running: Running, supervisor: Supervisor, seed: int
) -> tuple[Review, dict[str, str], tuple[str, ...]]:
    """What a supervisor is shown, whose labels stand for which positions, and what it may not read."""
    shown, names = blind([seen_of(running, side) for side in running.sides], seed)
    material, hidden = material_for(run.shape, running, supervisor.name)
    why = running.review or {}
    review = Review(
        step=running.step.name,
        positions=shown,
        disagreements=_unnamed(running, names),
        material=material,
        writes=tuple(map(pointer, running.step.task.writes)),
        hollow=bool(why.get("hollow")),
        votes=running.votes,
        audit=bool(why.get("audit")),
        unsettled=str(why.get("unsettled", "")),
        ballots=_ballots(running, names),
        weighed=_weighed(running, names),
        sensitive=sensitive_in(running, run.shape),
    )
    return review, names, hidden


def _ballots(running: Running, names: Mapping[str, str]) -> tuple[Ballot, ...]:
    """Who votes for what, by the place at which that is shown, without agents' names."""
    sides = {side.label: side.agents for side in running.sides}
    found = ballots_of(running, [sides[own] for own in names.values()], whole=True)
    return tuple(replace(ballot, agent=str(n)) for n, ballot in enumerate(found, start=1))


def _weighed(running: Running, names: Mapping[str, str]) -> Weighed:
    """What the round's weigher says, its shares in the order in which positions are shown."""
    weighed = running.weighed
    if weighed.shares is None:
        return weighed
    shares = dict(zip((side.label for side in running.sides), weighed.shares, strict=True))
    return replace(weighed, shares=tuple(shares[own] for own in names.values()))


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
    evidence = [item for agent in side.agents for item in running.evidence.get(agent, ())]
    return Seen(
        label=side.label,
        values=values_of(side.patch, [()]),
        reasoning=tuple((call.reasoning_kind, call.thinking) for _, call in calls if call),
        confidence=sum(sure) / len(sure) if sure else None,
        failed=tuple(
            dict.fromkeys(f"{item.verifier}: {item.detail}" for item in evidence if not item.passed)
        ),
        evidence=tuple(dict.fromkeys(evidence)),
    )


async def _given(run: Run, running: Running, level: Level, asked: Review, names: Mapping[str, str]) -> Given:
    """The verdict of a person, of a model, or of a function."""
    supervisor = level.supervisor
    if supervisor.person is not None:
        return Given(Verdict(decision="escalate", reason=f"{supervisor.name} has to rule"), names)
    if supervisor.candidates is not None:
        return await _Asking(run, running, level, asked, names).given(supervisor.candidates)
    if supervisor.function is None:
        raise GraphError(f"The supervisor {supervisor.name} can neither be asked nor called")
    answer = supervisor.function(asked)
    verdict = await answer if inspect.isawaitable(answer) else answer
    if not isinstance(verdict, Verdict):
        raise GraphError(
            f"The supervisor {supervisor.name} gave a {type(verdict).__name__}, and no Verdict",
            next_step="Return dissensus_agents.judgement.supervisor.Verdict(decision=…)",
        )
    return Given(_fitting(run, running, sound(verdict, asked)), names)


def _fitting(run: Run, running: Running, verdict: Verdict) -> Verdict:
    """The verdict, if its amendment is one of this schema and of what the step may write."""
    for path, value in (verdict.amendment or {}).items():
        try:
            places = operation_at(run.shape, path, value).touched()
        except (FieldMissing, Refused) as error:
            raise WrongType(f"The amendment does not fit: {error.message}", path=path) from error
        if not all(within(place, running.step.task.writes) for place in places):
            allowed = ", ".join(map(pointer, running.step.task.writes))
            raise WrongType(f"An amendment may write {allowed}, and not {path}", path=path)
    return verdict


@dataclass(frozen=True, slots=True)
class _Said:
    """What one call came to: a verdict, or why none can be read."""

    call: Call
    verdict: Verdict | None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class _Asking:
    """A supervising model, and what it is asked about."""

    run: Run
    running: Running
    level: Level
    asked: Review
    names: Mapping[str, str]

    async def given(self, candidates: Candidates) -> Given:
        """Its verdict, once it is known what that is worth."""
        independent, kin = self._independent(candidates)
        if independent is None:
            return self._escalated(
                "every model that could rule may be of a lineage that it would judge", *kin
            )
        try:
            said = await self._said(independent)
        except (MissingKey, NotRecorded):
            raise
        except ModelFailed as error:
            if self.level.last:
                raise
            return self._escalated(f"it could not be asked: {error.message}", "could not be asked", *kin)
        return self._worth(self._read(said).noting(*kin))

    def _escalated(self, why: str, *notes: str) -> Given:
        reason = f"{self.level.supervisor.name} does not rule: {why}"
        return Given(Verdict(decision="escalate", reason=reason), self.names, notes=notes)

    def _independent(self, candidates: Candidates) -> tuple[Candidates | None, tuple[str, ...]]:
        """The models that may be asked; who is passed over for its lineage is noted."""
        if self.level.supervisor.kin == "say":
            return candidates, ()
        kin = {model.name: self._kin(model.lineage) for model in candidates.models}
        left = tuple(model for model in candidates.models if not kin[model.name])
        notes = tuple(
            f"{name} was not asked: {', '.join(sorted(set(found.values())))}"
            for name, found in kin.items()
            if found
        )
        return (replace(candidates, models=left) if left else None), notes

    def _kin(self, lineage: str) -> dict[str, str]:
        """The agents that a model of this lineage is not known to be independent of, and why."""
        found = {item.agent: akin(self.running.lineage(item.agent)[0], lineage) for item in self.running.made}
        return {agent: why for agent, why in found.items() if why is not None}

    async def _said(self, candidates: Candidates) -> list[_Said]:
        """What it says on the positions in their order, and in the reverse one where it is to be asked so."""
        run, running, supervisor = self.run, self.running, self.level.supervisor
        known = await aside(run.journal.calls, running.round)
        orders = [(supervisor.seat, self.asked)]
        if supervisor.orders == 2 and len(self.asked.positions) > 1:
            orders.append((f"{supervisor.seat}{REVERSED}", self.asked.reversed))
        asking = []
        for n, (seat, asked) in enumerate(orders):  # what both have summarised is summarised once
            request, made = await summarised(run, running, supervisor.request(asked, reverse=n == 1), known)
            known = [*known, *(call for call in made if call not in known)]
            asking.append(self._one(seat, candidates, asked, request, known))
        found = await asyncio.gather(*asking, return_exceptions=True)
        for one in found:
            if isinstance(one, BaseException):
                raise one
        return found  # type: ignore[return-value]

    async def _one(
        self, seat: str, candidates: Candidates, asked: Review, request: Request, known: Sequence[Call]
    ) -> _Said:
        """Ask until a verdict can be read, as often as may be."""
        run, running, supervisor = self.run, self.running, self.level.supervisor
        earlier = [call for call in known if call.agent == seat]
        tell_fitted(run, running, seat, request)
        errand = Errand(run, running, seat, candidates, request, supervisor.attempts, earlier, anew=True)
        failure = ""
        while not errand.exhausted:
            call, reply = await errand.answer()
            try:
                verdict = _fitting(run, running, supervisor.read(reply, asked))
            except (MalformedAnswer, WrongType) as error:
                errand.unfit(reply, objection(error))
                failure = error.message
            else:
                return _Said(call, verdict)
        return _Said(errand.calls[-1], None, failure)

    def _read(self, said: Sequence[_Said]) -> Given:
        first, *rest = said
        unread = next((one for one in said if one.verdict is None), None)
        if unread is not None or first.verdict is None:
            return self._unreadable(first, (unread or first).failure)
        given = Given(first.verdict, self.names, first.call.attempt, kin={})
        for one in said:
            own = one.call.lineage
            kin = self._kin(own)
            same = [agent for agent, why in kin.items() if why == "same lineage" and agent not in given.kin]
            noted = (f"shares the lineage {own} with {', '.join(same)}",) if same else ()
            given = replace(given, kin={**given.kin, **kin}, notes=(*given.notes, *noted))
        return self._both(given, rest[0]) if rest else given

    def _unreadable(self, first: _Said, failure: str) -> Given:
        reason = f"The supervisor's verdict cannot be read: {failure}"
        decision = "reject" if self.level.last else "escalate"
        verdict = Verdict.model_validate({"decision": decision, "reason": reason})
        return Given(verdict, self.names, first.call.attempt, ("unreadable verdict",))

    def _both(self, given: Given, other: _Said) -> Given:
        """The verdict that it gave in both orders; a change of mind with the order is a disagreement."""
        turned = self._turned(other.verdict)
        same = _essence(given.verdict) == _essence(turned)
        said: dict[str, JSON] = {"attempt": other.call.attempt, "decision": turned.decision, "same": same}
        said |= {"position": self.names[bare(turned.position)]} if turned.position else {}
        given = replace(given, reverse=said)
        if same:
            return given.noting("ruled the same in both orders")
        reason = (
            f"{self.level.supervisor.name} changes its mind with the order of the positions: "
            f"{_in_words(given.verdict)} in the one, {_in_words(turned)} in the other"
        )
        return replace(given.passed_on(reason, "changed its mind with the order"), advice=None)

    def _turned(self, verdict: Verdict | None) -> Verdict:
        """A verdict on the reversed order, under the labels of the order that was shown first."""
        assert verdict is not None  # noqa: S101 - what cannot be read has gone another way
        if not verdict.position:
            return verdict
        seen = self.asked.reversed.position(verdict.position)
        labels = [one.label for one in self.asked.positions]
        place = [one.label for one in self.asked.reversed.positions].index(seen.label if seen else "")
        return verdict.model_copy(update={"position": labels[len(labels) - 1 - place]})

    def _worth(self, given: Given) -> Given:
        """A model's word alone does not speak for a position whose reasoning nobody could read."""
        verdict, step = given.verdict, self.running.step
        advice = f"{self.level.supervisor.name} advises to {_in_words(verdict)}: {verdict.reason}"
        if self.level.supervisor.advises:
            return given.passed_on(advice)
        side = chosen(self.running, verdict, self.names)
        if verdict.decision not in LETS_PASS or side is None or not withheld(self.running, side):
            return given
        if seen_of(self.running, side).verified:
            return given.noting(f"a verifier has passed position {side.label}")
        if self.level.last and step.withheld == "say":
            return given
        return given.passed_on(advice, f"the reasoning behind position {side.label} is withheld")


def _essence(verdict: Verdict) -> str:
    """What of a verdict is the same in both orders, if the order does not matter."""
    position = verdict.position if verdict.decision in LETS_PASS else None
    amendment = verdict.amendment if verdict.decision == "amend" else None
    return canonical([verdict.decision, position, amendment])


def _in_words(verdict: Verdict) -> str:
    named = f" position {verdict.position}" if verdict.position and verdict.decision in LETS_PASS else ""
    return f"{verdict.decision}{named}"
