"""Every round again, from its recordings and with today's code: is what it brought still what it says?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from dissensus_state import blobs
from dissensus_state.errors import Denied, Diverged, Refused
from dissensus_state.patches import Patch, patch_to_json
from dissensus_state.records import Call, Commit, Proposal, Ruling
from dissensus_state.values import JSON, canonical, digest

from .agent import Agent, Answer
from .calls import recorded, reply_of
from .comparing import compare_proposals
from .context.fitting import Room, rooms_of
from .deciding import decision_in
from .errors import ContextOverflow, MalformedAnswer, WrongType
from .fetching import from_records
from .judgement.opinions import SEAT as OPINIONS
from .judgement.opinions import AskedOf
from .messages import Request
from .models.kinds import refusal_of
from .models.replies import objection
from .patterns.governed import Trivial
from .prompts import requests_of
from .round import ruled_change
from .running import Running
from .steps import Step
from .summarising import EMPTY, recorded_summaries, taken_up
from .verifying import opinion_request, seat_of

if TYPE_CHECKING:
    from dissensus_state.sessions import Session

WINDOW = 64
"""How many of the newest states are kept while folding; a round on an older base reads its own."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What was rebuilt: versions, rounds and answers read again; `calls` made is always 0."""

    versions: int
    rounds: int
    answers: int
    digest: str
    calls: int = 0


def replay(session: Session[Any], steps: Mapping[str, Step]) -> Replayed:
    """Rebuild every version, and every round that ended in a commit.

    Raises:
        Diverged: naming the round, the field, and the expected and actual value.
    """
    states: dict[int, JSON] = {}
    rounds = answers = 0
    for commit, state in session.versions():
        if commit.round is not None:
            base = states[commit.base] if commit.base in states else session.raw(commit.base)
            answers += _round(session, steps, commit, base, states[commit.version - 1])
            rounds += 1
        states[commit.version] = state
        states.pop(commit.version - WINDOW, None)
    folded = session.replay()
    return Replayed(folded.versions, rounds, answers, folded.digest)


def _round(session: Session[Any], steps: Mapping[str, Step], commit: Commit, base: JSON, before: JSON) -> int:
    """One round again: its requests, its proposals and its patch. How many answers were read."""
    number = commit.round or 0
    held, proposals, calls, rulings = session.round(number)
    step = steps.get(held.step)
    if step is None:
        raise _diverged(number, "step", held.step, f"no step of that name among {sorted(steps)}")
    step = step.joined_by(item.agent for item in proposals)
    _check_names(number, step, proposals)
    rooms = {agent.name: Room(None) for agent in step.agents} | dict(rooms_of(calls))
    try:
        prompts = requests_of(session, step, base, held.base, held.note, rooms)
    except (Denied, ContextOverflow) as error:
        raise _diverged(number, "reads", list(commit.reads), error.as_dict()) from error
    made = tuple(proposals)
    running = Running(step, held, base, prompts.requests, prompts.reads, calls, made, stored=True)
    _decisions(session, running)
    for agent in step.agents:
        if agent.name not in prompts.barred:
            _agent(running, agent)
        elif running.proposal(agent.name).status != "abstained":
            raise _diverged(number, "reads", list(commit.reads), prompts.barred[agent.name].as_dict())
    for question, asked in from_records(running):
        for call in asked[:1]:
            _check_request(running, call, question.request)
    compare_proposals(None, running)
    taken_up(running)
    _check_opinions(session, running, commit)
    _check_patch(session, running, commit, rulings[-1] if rulings else None, before)
    return sum(call.status == "answered" for call in calls)


def _decisions(session: Session[Any], running: Running) -> None:
    """Whether what was decided could be decided by today's pattern: the same part, of the same kind."""
    step, number = running.step, running.round.round
    if step.plain:
        return
    for body in session.decisions(number):
        said = decision_in(body)
        part = step.pattern.part_at(said.at)
        if said.pattern == Trivial.kind:
            continue
        if part is None or part.kind != said.pattern:
            now = "nothing" if part is None else part.kind
            raise _diverged(number, f"decision at {said.at or 'the outside'}", said.pattern, now)
        known = part.may_choose
        if strange := [one for one in said.chosen if one not in known]:
            raise _diverged(number, f"decision of the {said.pattern}", strange[0], f"one of {sorted(known)}")


def _check_names(number: int, step: Step, proposals: list[Proposal]) -> None:
    asked, now = sorted(item.agent for item in proposals), sorted(agent.name for agent in step.agents)
    if asked != now:
        raise _diverged(number, "agents", asked, now)


def _agent(running: Running, agent: Agent) -> None:
    """One agent's calls and proposal again."""
    said = _said(running, agent)
    stored = running.proposal(agent.name)
    where = f"proposal of {agent.name}"
    if stored.status == "abstained" or said is None:
        _same(running, where, _kind(abstained=stored.status == "abstained"), _kind(abstained=said is None))
        return
    _same(running, f"{where}: patch", patch_to_json(stored.patch), patch_to_json(said.patch))
    _same(running, f"{where}: reads", list(stored.reads), list(running.reads[agent.name]))


def _kind(*, abstained: bool) -> str:
    return "an abstention" if abstained else "a proposal"


def _said(running: Running, agent: Agent) -> Answer | None:
    """What an agent's recorded answers come to; each request is held to the recorded one."""
    calls = [call for call in running.calls if call.agent == agent.name]
    whole = _summarised(running, agent)
    if whole is None:
        return None
    request, model = whole, ""
    for call, following in zip_longest(calls, calls[1:]):
        if call.model != model:  # answers that would not do are shown to the model that gave them, only
            request, model = whole, call.model
        _check_request(running, call, request)
        reply = reply_of(call)
        passed_over = following is not None and following.model != model and refusal_of(reply) is not None
        if call.status != "answered" or passed_over:
            continue
        try:
            return agent.read(reply, running.step.task_of(agent.name))
        except (MalformedAnswer, WrongType, Denied) as error:
            request = request.again(call.answer or "", objection(error), call.echo)
    return None


def _summarised(running: Running, agent: Agent) -> Request | None:
    """An agent's request with its recorded summaries, each asked as it is recorded."""
    request = running.requests[agent.name]
    for pending in request.pending:
        for seat, ask in pending.asks.items():
            asked = ask
            for call in (call for call in running.calls if call.agent == seat):
                _check_request(running, call, asked)
                if call.status == "answered":
                    asked = asked.again(call.answer or "", EMPTY, call.echo)
    return recorded_summaries(request, running.calls)


def _check_request(running: Running, call: Call, request: Request) -> None:
    now = by_digest(recorded(request.said_to(call.model, call.lineage)))
    for name, expected, actual in zip(("frame", "parts", "turns"), call.request, now, strict=False):
        _same(running, f"request of {call.agent}, attempt {call.attempt}: {name}", expected, actual)
    _same(running, f"request of {call.agent}, attempt {call.attempt}: length", len(call.request), len(now))


def by_digest(request: JSON) -> JSON:
    """A request as it is stored: its long texts by their digests."""
    if isinstance(request, list):
        return [by_digest(item) for item in request]
    if not isinstance(request, dict) or len(request.get("text", "")) <= blobs.SHORT:
        return request
    rest = {name: value for name, value in request.items() if name != "text"}
    return {"blob": blobs.reference(digest(request["text"])), **rest}


def _check_opinions(session: Session[Any], running: Running, commit: Commit) -> None:
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
            raise _diverged(running.round.round, "verifier", call.agent, sorted(asked))
        one, patch = asked[call.agent]
        request = opinion_request(session.shape, running, one, patch)
        earlier = [other for other in running.calls if other.agent == call.agent]
        _check_request(running, call, _said_back(one, request, earlier[: earlier.index(call)], call.model))


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


def _check_patch(
    session: Session[Any], running: Running, commit: Commit, ruling: Ruling | None, before: JSON
) -> None:
    """The patch that the round comes to on the state before it, against the one that was committed."""
    if ruling is not None:
        change = ruled_change(running, ruling)
    else:
        change = running.change(commit.author, running.sides[0])
    try:
        patch = session.shape.resolved(change.patch, before)
    except Refused as error:
        raise _diverged(running.round.round, "patch", _body(commit.patch), error.as_dict()) from error
    _same(running, "patch", _body(commit.patch), _body(patch))


def _body(patch: Patch) -> list[JSON]:
    """A patch without the move of the phase, which is the transition's own."""
    return [operation.to_json() for operation in patch if operation.path != ("phase",)]


def _same(running: Running, field: str, expected: JSON, actual: JSON) -> None:
    if canonical(expected) != canonical(actual):
        raise _diverged(running.round.round, field, expected, actual)


def _diverged(number: int, field: str, expected: JSON, actual: JSON) -> Diverged:
    return Diverged(
        f"Round {number} does not come out as it was recorded: {field}",
        round=number,
        field=field,
        expected=canonical(expected)[:2000],
        actual=canonical(actual)[:2000],
    )
