"""What a report tells, read from the history alone: the same history gives the same report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dissensus_agents.session import sides_of_round
from dissensus_agents.status import Status, status_of
from dissensus_state.costs import Cost, costs
from dissensus_state.patches import get

from . import checking, librarian
from .confidence import Confidence, Voice, confidence
from .schema import Conclusion, Research, Skipped
from .study import GATHER

if TYPE_CHECKING:
    from dissensus_state.blame import Blame
    from dissensus_state.records import Account, Call, Commit, Proposal, Ruling
    from dissensus_state.sessions import Session


FUNCTIONS = frozenset({librarian.NAME, checking.NAME})
"""Seats that are no model's."""


@dataclass(frozen=True, slots=True)
class Citation:
    """A quotation that the answer rests on: its number in the report, its finding's, and where it stands."""

    number: int
    finding: int
    claim: str
    quotation: str
    document: str
    place: str
    by: str


@dataclass(frozen=True, slots=True)
class KeyPoint:
    """A key point with the numbers of its citations."""

    statement: str
    citations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Dissent:
    """Who lost, with what answer, and where its reasoning went wrong as the supervisor read it."""

    agent: str
    model: str
    stated: float | None
    short: str
    answer: str
    wrong_step: str


@dataclass(frozen=True, slots=True)
class Fallen:
    """A finding that was dropped, and why."""

    finding: int
    claim: str
    quotation: str
    why: str
    by: str


@dataclass(frozen=True, slots=True)
class Spent:
    """What one model cost, in nano-USD; None where that is not known."""

    model: str
    calls: int
    sent: int
    answered: int
    cost: int | None
    unknown: int


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that stands in a report."""

    question: str
    session: str
    database: str
    tenant: str | None
    version: int
    digest: str
    at: int
    conclusion: Conclusion | None
    confidence: Confidence | None
    points: tuple[KeyPoint, ...]
    citations: tuple[Citation, ...]
    ruling: Ruling | None
    dissent: tuple[Dissent, ...]
    abstained: tuple[str, ...]
    parts: tuple[tuple[str, int], ...]
    stopped: str
    documents: int
    passages: int
    read: int
    missed: int
    skipped: tuple[Skipped, ...]
    dropped: tuple[Fallen, ...]
    spent: tuple[Spent, ...]
    budget: Account
    models: Mapping[str, str] = field(default_factory=dict)


def facts(session: Session[Research], database: str, tenant: str | None = None) -> Facts:
    """What there is to tell of a session that has ended its work.

    Args:
        database: How a command names the database.
        tenant: Whose session it is, where the database keeps tenants apart.
    """
    last = _last_work(session)
    state = session.at(last.version)
    why = session.blame("/conclusion", last.version) if state.conclusion else None
    finders = tuple(_finders(session))
    voices = {voice.agent: voice for voice in _voices(why)} if why else {}
    upheld = [voice for agent, voice in voices.items() if why and agent in _upheld(why)]
    against = [voice for agent, voice in voices.items() if why and agent in {p.agent for p in why.dissent}]
    citations = tuple(_citations(state, finders))
    numbers = {item.finding: item.number for item in citations}
    return Facts(
        question=state.question,
        session=session.name,
        database=database,
        tenant=tenant,
        version=last.version,
        digest=last.hash.hex(),
        at=last.at,
        conclusion=state.conclusion,
        confidence=confidence(upheld, against, _status(session, why)) if why else None,
        points=tuple(_points(state, numbers)),
        citations=citations,
        ruling=why.rulings[-1] if why and why.rulings else None,
        dissent=tuple(_dissent(session, why, voices)) if why else (),
        abstained=tuple(p.agent for p in why.proposals if p.status == "abstained") if why else (),
        parts=tuple(_parts(state)),
        stopped=state.stopped,
        documents=len(state.sources),
        passages=sum(item.passages for item in state.sources),
        read=len(_read(state)),
        missed=sum(item.batch in state.missed for item in state.reading),
        skipped=tuple(state.skipped),
        dropped=tuple(_dropped(state, finders)),
        spent=tuple(_spent(session)),
        budget=session.budget,
        models={voice.agent: voice.model for voice in voices.values()},
    )


def _status(session: Session[Research], why: Blame) -> Status | None:
    """On what the conclusion rests; None where no round made it."""
    if why.commit.round is None:
        return None
    found, proposals, calls, rulings = session.round(why.commit.round)
    return status_of(found, proposals, calls, rulings, why.commit.evidence, session.events("weighed"))


def _last_work(session: Session[Research]) -> Commit:
    """The newest commit that is not the note that the report was written."""
    newest = session.log(limit=20)
    return next(commit for commit in newest if commit.transition != "publish")


def _upheld(why: Blame) -> tuple[str, ...]:
    ruling = why.rulings[-1] if why.rulings else None
    return ruling.upheld if ruling and ruling.upheld else why.authors


def _voices(why: Blame) -> Iterator[Voice]:
    behind = {call.agent: call for call in why.calls if call.status == "answered"}
    for item in why.proposals:
        call = behind.get(item.agent)
        if item.status != "abstained" and call is not None:
            yield Voice(item.agent, call.model, call.lineage, item.confidence)


def _points(state: Research, numbers: Mapping[int, int]) -> Iterator[KeyPoint]:
    for point in state.conclusion.points if state.conclusion else ():
        cited = dict.fromkeys(numbers[finding] for finding in point.findings)
        yield KeyPoint(point.statement, tuple(cited))


def _citations(state: Research, finders: Sequence[str]) -> Iterator[Citation]:
    places = {item.finding: state.reading[item.passage - 1] for item in state.standing}
    points = state.conclusion.points if state.conclusion else ()
    cited = dict.fromkeys(number for point in points for number in point.findings)
    for number, finding in enumerate(cited, 1):
        said, place = state.findings[finding - 1], places[finding]
        yield Citation(
            number, finding, said.claim, said.quotation, place.document, place.place, finders[finding - 1]
        )


def _dropped(state: Research, finders: Sequence[str]) -> Iterator[Fallen]:
    for item in state.dropped:
        said = state.findings[item.finding - 1]
        yield Fallen(item.finding, said.claim, said.quotation, item.why, finders[item.finding - 1])


def _parts(state: Research) -> Iterator[tuple[str, int]]:
    """Each sub-question with how many findings stand for it."""
    stand = [state.findings[item.finding - 1].question for item in state.standing]
    return ((part.question, stand.count(n)) for n, part in enumerate(state.plan, 1))


def _read(state: Research) -> set[tuple[str, int]]:
    done = (item for item in state.reading if item.batch <= state.read and item.batch not in state.missed)
    return {(item.document, item.n) for item in done}


def _dissent(session: Session[Research], why: Blame, voices: Mapping[str, Voice]) -> Iterator[Dissent]:
    steps = why.rulings[-1].steps if why.rulings else {}
    labels = _labels(session, why)
    for item in why.dissent:
        said = get({"conclusion": item.patch[0].value}, ("conclusion",))
        voice = voices.get(item.agent)
        yield Dissent(
            item.agent,
            voice.model if voice else "",
            item.confidence,
            str(said.get("short", "")),
            str(said.get("answer", "")),
            steps.get(labels.get(item.agent, ""), ""),
        )


def _labels(session: Session[Research], why: Blame) -> dict[str, str]:
    """Under which letter each agent's position stood."""
    held, proposals, _, _ = session.round(why.commit.round or 0)
    return {agent: side.label for side in sides_of_round(held, proposals) for agent in side.agents}


def _finders(session: Session[Research]) -> Iterator[str]:
    """Who reported each finding, in their order: `scout-2 (provider:model)`."""
    for item in session.rounds():
        if not item.step.startswith(GATHER) or item.status != "committed":
            continue
        _, proposals, calls, _ = session.round(item.round)
        yield from _reported(proposals, calls)


def _reported(proposals: Iterable[Proposal], calls: Iterable[Call]) -> Iterator[str]:
    models = {call.agent: call.model for call in calls}
    for proposal in proposals:
        for operation in proposal.patch:
            if operation.path == ("findings",) and proposal.status == "accepted":
                yield from [f"{proposal.agent} ({models.get(proposal.agent, '')})"] * len(operation.value)


def _spent(session: Session[Research]) -> Iterator[Spent]:
    """The cost by model; the functions in agents' seats cost nothing and are left out."""
    with session.reading() as work:
        found = costs(work, session.session_id)
    by_model: dict[str, list[Cost]] = {}
    for item in found:
        if item.agent not in FUNCTIONS:
            by_model.setdefault(item.model, []).append(item)
    for model, items in sorted(by_model.items()):
        unknown = sum(item.unknown for item in items)
        yield Spent(
            model,
            sum(item.calls for item in items),
            sum(item.input_tokens + item.cached_tokens for item in items),
            sum(item.output_tokens + item.reasoning_tokens for item in items),
            sum(item.cost for item in items),
            unknown,
        )
