"""What the graded rounds of a session teach: the examples that routers and readers are fitted to.

Only grades from outside of the models count (a known answer, a person, a verifier). A round that was not
graded, or whose texts were taken away, teaches nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dissensus_state.grades import counting
from dissensus_state.records import Call, Proposal
from dissensus_state.sessions import Session
from dissensus_state.values import canonical

from .judgement.chains import Question
from .judgement.reader_fitting import GradedDispute
from .judgement.reading import Held
from .patterns.learning import Graded
from .positions import all_values
from .recordings.asked import Texts


@dataclass(frozen=True, slots=True)
class _Answered:
    """A graded proposal with the call that it came from."""

    proposal: Proposal
    call: Call
    right: bool

    @property
    def says(self) -> str:
        """What it proposes: a text as it is, anything else as JSON."""
        said = all_values(self.proposal.patch)
        alone = next(iter(said.values())) if len(said) == 1 else said
        return alone if isinstance(alone, str) else canonical(alone)


@dataclass(frozen=True, slots=True)
class _Taught:
    task: str
    question: str
    answered: tuple[_Answered, ...]

    @property
    def key(self) -> str:
        """Names the question, so that the same one asked twice is never both fitted on and tested on."""
        return hashlib.sha256(self.question.encode(errors="replace")).hexdigest()


def graded_questions(session: Session[Any], *, answers_of: str | None = None) -> Iterator[Graded]:
    """For each graded round the question, and which models were right: what `fit_router` takes.

    Args:
        session: Whose rounds; several sessions are chained.
        answers_of: Keep only rounds that this model has answered, and its answer with them.
    """
    for taught in _taught(session):
        right = {one.call.model: one.right for one in reversed(taught.answered)}
        own = next((one.call.answer for one in taught.answered if one.call.model == answers_of), None)
        if answers_of is None or own is not None:
            yield Graded(taught.key, taught.question, right, taught.task, own)


def graded_disputes(session: Session[Any]) -> Iterator[GradedDispute]:
    """The rounds in which positions differed and exactly one was right: what `fit_reader` takes.

    A round in which the reasoning of somebody is withheld is left out.
    """
    for taught in _taught(session):
        sides: dict[str, list[_Answered]] = {}
        for one in taught.answered:
            sides.setdefault(one.says, []).append(one)
        right = [all(one.right for one in held) for held in sides.values()]
        mixed = any(len({one.right for one in held}) > 1 for held in sides.values())
        withheld = any(one.call.reasoning is None for one in taught.answered)
        if len(sides) > 1 and sum(right) == 1 and not mixed and not withheld:
            positions = tuple(
                Held(says, tuple(one.call.reasoning or "" for one in held)) for says, held in sides.items()
            )
            yield GradedDispute(taught.key, Question.of(taught.question), positions, right.index(True))


def _taught(session: Session[Any]) -> Iterator[_Taught]:
    texts = Texts(session)
    grades = counting_by_round(session)
    for round_ in session.rounds():
        if not round_.settled or round_.round not in grades:
            continue
        _, proposals, calls, _ = session.round(round_.round)
        made = {(call.agent, call.attempt): call for call in calls}
        answered = tuple(
            _Answered(one, made[one.agent, one.attempt], grade.right)
            for one in proposals
            if (grade := grades[round_.round].get(one.agent)) and (one.agent, one.attempt) in made
        )
        asked = texts.asked(round_, answered[0].call, calls) if answered else None
        if asked is not None:
            yield _Taught(round_.step, asked[0].prompt, answered)


def counting_by_round(session: Session[Any]) -> dict[int, dict[str, Any]]:
    """The grade that counts of each agent, by round."""
    found: dict[int, list[Any]] = {}
    for grade in session.grades():
        found.setdefault(grade.round, []).append(grade)
    return {number: counting(grades) for number, grades in found.items()}
