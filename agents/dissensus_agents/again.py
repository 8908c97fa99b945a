"""One round again, from its records and with today's code: is what it brought still what it says?"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from dissensus_state import blobs
from dissensus_state.errors import Denied, DissensusError, Refused
from dissensus_state.patches import Patch, patch_to_json
from dissensus_state.records import Call, Commit, Proposal, Round, Ruling
from dissensus_state.shapes import Shape
from dissensus_state.upcasting import USERS_ERRORS
from dissensus_state.values import JSON, canonical

from .agent import Agent, Answer
from .calls import recorded, reply_of
from .comparing import compare_proposals
from .context.fitting import Room, rooms_of
from .deciding import decision_in
from .divergences import Divergences, Effect, divergence
from .errors import ContextOverflow, MalformedAnswer, WrongType
from .fetching import from_records
from .judgement.opinions import SEAT as OPINIONS
from .judgement.opinions import AskedOf
from .judgement.supervisor import REVERSED, Review, Supervisor
from .messages import Request
from .models.kinds import refusal_of
from .models.replies import objection
from .patterns.governed import Trivial
from .prompts import Prompts, requests_of
from .rechecking import findings, moved
from .requested import Part, unlike
from .round import ruled_change
from .running import Running
from .steps import Step
from .summarising import EMPTY, recorded_summaries, taken_up
from .verifying import opinion_request, seat_of


@dataclass(frozen=True, slots=True)
class Recorded:
    """A round as its records tell it.

    `base` is the state that it was begun on, `before` the one that its commit found, where it ended in one.
    `text_of` finds a text that is kept aside, by its reference. `checks` says that the step's verifiers are
    run again; they may ask what is outside, so only who repeats a single step has them do it.
    """

    round: Round
    proposals: Sequence[Proposal]
    calls: Sequence[Call]
    rulings: Sequence[Ruling]
    decisions: Sequence[Mapping[str, Any]]
    base: JSON
    commit: Commit | None = None
    before: JSON = None
    text_of: Callable[[str], str | None] = lambda _: None
    checks: bool = False

    @property
    def answers(self) -> int:
        """How many answers are recorded."""
        return sum(call.status == "answered" for call in self.calls)


def again(shape: Shape, steps: Mapping[str, Step], told: Recorded, found: Divergences) -> Step | None:
    """A round again: its requests, its proposals, what they say against each other, and its patch.

    Returns:
        The step as it is today; None where there is none of that name.

    Raises:
        Diverged: something differs, and no report was asked for.
    """
    step = steps.get(told.round.step)
    one = _Again(shape, told, found)
    if step is None:
        one.differs("step", told.round.step, f"no step of that name among {sorted(steps)}")
        return None
    one.round(step.joined_by(item.agent for item in told.proposals))
    return step


class _Again:
    """A round on its way through today's code."""

    def __init__(self, shape: Shape, told: Recorded, found: Divergences) -> None:
        self.shape = shape
        self.told = told
        self.found = found
        version = None if told.commit is None else told.commit.version
        self.said: dict[str, Any] = {"version": version, "round": told.round.round, "step": told.round.step}

    # What is found

    def differs(
        self, where: str, expected: JSON, actual: JSON, effect: Effect = "differs", **said: Any
    ) -> None:
        self.found.add(divergence(effect, where, expected, actual, **self.said, **said))

    def same(self, where: str, expected: JSON, actual: JSON) -> bool:
        if canonical(expected) == canonical(actual):
            return True
        self.differs(where, expected, actual)
        return False

    def lose(self, what: str) -> None:
        self.found.lose(f"round {self.told.round.round}: {what}")

    @contextmanager
    def guarding(self, where: str, expected: JSON) -> Iterator[None]:
        """What the user's code raises on the way is a difference."""
        try:
            yield
        except USERS_ERRORS as error:
            self.differs(where, expected, f"{type(error).__name__}: {str(error)[:300]}")

    # The round

    def round(self, step: Step) -> None:
        """Everything that a round has, in the order in which it came about."""
        told = self.told
        asked, now = sorted(item.agent for item in told.proposals), sorted(one.name for one in step.agents)
        if asked != now:
            self.differs("agents", asked, now)
            return
        prompts = self._prompts(step)
        if prompts is None:
            return
        made = tuple(told.proposals)
        running = Running(
            step, told.round, told.base, prompts.requests, prompts.reads, told.calls, made, stored=True
        )
        self._decisions(running)
        for agent in step.agents:
            if agent.name not in prompts.barred:
                self._agent(running, agent)
            elif running.proposal(agent.name).status != "abstained":
                self._denied(prompts.barred[agent.name])
        with self.guarding("comparison", "a comparison"):
            self._compared(running)
        self._checks(running)
        self._supervisors(step)
        if told.commit is not None:
            self._opinions(running, told.commit)
            self._patch(running, told.commit)

    def _prompts(self, step: Step) -> Prompts | None:
        told = self.told
        rooms = {agent.name: Room(None) for agent in step.agents} | dict(rooms_of(told.calls))
        with self.guarding("request", "a prompt"):
            try:
                return requests_of(self.shape, step, told.base, told.round.base, told.round.note, rooms)
            except (Denied, ContextOverflow) as error:
                self._denied(error)
            except DissensusError as error:
                self.differs("request", "a prompt", error.as_dict(), "asked")
        return None

    def _denied(self, error: DissensusError) -> None:
        reads = sorted({path for item in self.told.proposals for path in item.reads})
        self.differs("reads", reads, error.as_dict(), "refused", rule=error.code)

    def _decisions(self, running: Running) -> None:
        """Whether what was decided could be decided by today's pattern: the same part, of the same kind."""
        if running.step.plain:
            return
        for body in self.told.decisions:
            said = decision_in(body)
            part = running.step.pattern.part_at(said.at)
            if said.pattern == Trivial.kind:
                continue
            if part is None or part.kind != said.pattern:
                now = "nothing" if part is None else part.kind
                self.differs(f"decision at {said.at or 'the outside'}", said.pattern, now)
                continue
            known = part.may_choose
            if strange := [one for one in said.chosen if one not in known]:
                self.differs(f"decision of the {said.pattern}", strange[0], f"one of {sorted(known)}")

    def _agent(self, running: Running, agent: Agent) -> None:
        """One agent's calls and proposal again."""
        stored = running.proposal(agent.name)
        where = f"proposal of {agent.name}"
        with self.guarding(where, patch_to_json(stored.patch)):
            said = self._said(running, agent)
            if any(call.answer == blobs.REDACTED for call in running.calls if call.agent == agent.name):
                self.lose(f"{where}: its answer was taken away")
                return
            if stored.status == "abstained" or said is None:
                was, now = (_kind(abstained=gone) for gone in (stored.status == "abstained", said is None))
                self.same(where, was, now)
                return
            if any(operation.gone for operation in stored.patch):
                self.lose(f"{where}: a value of it was taken away")
                return
            self.same(f"{where}: patch", patch_to_json(stored.patch), patch_to_json(said.patch))
            self.same(f"{where}: reads", list(stored.reads), list(running.reads[agent.name]))

    def _said(self, running: Running, agent: Agent) -> Answer | None:
        """What an agent's recorded answers come to; each request is held to the recorded one."""
        calls = [call for call in running.calls if call.agent == agent.name]
        whole, same = self._summarised(running, agent)
        if whole is None:
            return None
        request, model = whole, ""
        for call, following in zip_longest(calls, calls[1:]):
            if call.model != model:  # answers that would not do are shown to the model that gave them, only
                request, model = whole, call.model
            same = same and self.asked(call, request)  # what comes after the first one follows from it
            reply = reply_of(call)
            passed_over = following is not None and following.model != model and refusal_of(reply) is not None
            if call.status != "answered" or passed_over:
                continue
            try:
                return agent.read(reply, running.step.task_of(agent.name))
            except (MalformedAnswer, WrongType, Denied) as error:
                request = request.again(call.answer or "", objection(error), call.echo)
        return None

    def _summarised(self, running: Running, agent: Agent) -> tuple[Request | None, bool]:
        """An agent's request with its recorded summaries, and whether each is asked for as recorded."""
        request, same = running.requests[agent.name], True
        for pending in request.pending:
            for seat, ask in pending.asks.items():
                asked = ask
                for call in (call for call in running.calls if call.agent == seat):
                    same = same and self.asked(call, asked)
                    if call.status == "answered":
                        asked = asked.again(call.answer or "", EMPTY, call.echo)
        return recorded_summaries(request, running.calls), same

    def asked(self, call: Call, request: Request) -> bool:
        """Whether a call asked what it would ask now."""
        now = recorded(request.said_to(call.model, call.lineage))
        if len(call.request) > 1 and call.request[1] == {"text": blobs.REDACTED}:
            self.lose(f"request of {call.agent}, attempt {call.attempt}: it was taken away")
            return True
        found = unlike(call.request, now, self.told.text_of)
        self._asks(call, found)
        return found is None

    # What the proposals say against each other, and what came of it

    def _compared(self, running: Running) -> None:
        for question, asked in from_records(running):
            for call in asked[:1]:
                self.asked(call, question.request)
        compare_proposals(None, running)
        taken_up(running)
        review = running.round.review or {}
        if running.round.status == "void" and "disagreements" not in review:
            return  # it was not come to
        if any(operation.gone for item in running.made for operation in item.patch):
            self.lose("comparison: a value was taken away")
            return
        ruled = bool(self.told.rulings)
        if ruled and self.found.most is None:
            return  # the ruling stands, whatever a comparison says now
        was = {item["path"]: _holders(item["positions"]) for item in _stored(review)}
        now = {
            one.path: sorted(sorted(position.holders) for position in one.positions)
            for one in running.comparison.disagreements
        }
        self.same("comparison", was, now)

    def _checks(self, running: Running) -> None:
        """Whether the verifiers are what they were; and where they are run again, find what they found."""
        other = moved(running.step, self.told.round, self.told.commit)
        if other is not None:
            self.differs("verifiers", *other)
        if not self.told.checks or any(operation.gone for item in running.made for operation in item.patch):
            return
        was, now, broken = findings(running, self.told.commit)
        for name in sorted(broken):
            self.lose(f"checks: {name} could not be made")
        self.same("checks", was, now)

    def _supervisors(self, step: Step) -> None:
        """Whether each supervising model is asked in the same frame: its instructions, its bounds."""
        for seat, judge in step.seats.items():
            if judge.candidates is None:
                continue
            request = _empty_request(judge, step)
            for call in self.told.calls:
                if call.agent in {seat, f"{seat}{REVERSED}"} and call.attempt == 1:
                    now = recorded(request.said_to(call.model, call.lineage))[:1]
                    self.framed(call, now)

    def framed(self, call: Call, now: list[JSON]) -> None:
        """Hold the frame alone of a call to the one that it would have now."""
        self._asks(call, unlike(call.request[:1], now, self.told.text_of))

    def _asks(self, call: Call, found: Part | None) -> None:
        """Tell in what a request is another one than the recorded one, if it is."""
        if found is not None:
            self.differs(
                f"request of {call.agent}, attempt {call.attempt}: {found.section}",
                found.expected,
                found.actual,
                "asked",
                call=f"{call.agent}, attempt {call.attempt}",
                part=found.part,
                words=found.words,
            )

    def _opinions(self, running: Running, commit: Commit) -> None:
        """The requests to models that were asked as verifiers, on each position and on what was committed."""
        asked = {
            seat_of(one, patch): (one, patch)
            for one in running.step.askers
            for patch in (*(side.patch for side in running.sides), commit.patch)
        }
        for call in running.calls:
            if not call.agent.startswith(OPINIONS):
                continue
            if call.agent not in asked:
                self.differs("verifier", call.agent, sorted(asked))
                continue
            one, patch = asked[call.agent]
            request = opinion_request(self.shape, running, one, patch)
            earlier = [other for other in running.calls if other.agent == call.agent]
            self.asked(call, _said_back(one, request, earlier[: earlier.index(call)], call.model))

    def _patch(self, running: Running, commit: Commit) -> None:
        """The patch that the round comes to on the state before it, against the one that was committed."""
        ruling = self.told.rulings[-1] if self.told.rulings else None
        values = (*commit.patch, *(operation for item in running.made for operation in item.patch))
        if any(operation.gone for operation in values) or (ruling is not None and ruling.gone):
            self.lose("patch: a value of it was taken away")
            return
        if ruling is not None:
            change = ruled_change(running, ruling)
        elif running.sides:
            change = running.change(commit.author, running.sides[0])
        else:
            self.differs("patch", _body(commit.patch), [])
            return
        with self.guarding("patch", _body(commit.patch)):
            try:
                patch = self.shape.resolved(change.patch, self.told.before)
            except Refused as error:
                self.differs("patch", _body(commit.patch), error.as_dict(), rule=error.code)
                return
            self.same("patch", _body(commit.patch), _body(patch))


def _kind(*, abstained: bool) -> str:
    return "an abstention" if abstained else "a proposal"


def _stored(review: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The disagreements of a round as they are stored; those by hand may be names of paths alone."""
    return [item for item in review.get("disagreements", ()) if isinstance(item, dict)]


def _holders(positions: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    return sorted(sorted(position["holders"]) for position in positions)


def _empty_request(judge: Supervisor, step: Step) -> Request:
    """What a supervisor is asked with nothing to rule on: its frame is that of every request of it."""
    alone = copy.copy(judge)
    alone.fit = None
    return alone.request(Review(step=step.name, positions=(), disagreements=(), material=(), writes=()))


def _said_back(one: AskedOf, request: Request, before: Sequence[Call], model: str) -> Request:
    """The request with the answers of this model that would not do, and what it was told about them."""
    for call in before:
        if call.status != "answered" or call.model != model:
            continue
        try:
            one.read(reply_of(call), request)
        except (MalformedAnswer, WrongType) as error:
            request = request.again(call.answer or "", objection(error), call.echo)
    return request


def _body(patch: Patch) -> list[JSON]:
    """A patch without the move of the phase, which is the transition's own."""
    return [operation.to_json() for operation in patch if operation.path != ("phase",)]
