"""What comparators have to ask before a round is compared: asked and recorded, or read from the records."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dissensus_state.errors import BudgetExceeded, DissensusError
from dissensus_state.journal import Outcome
from dissensus_state.records import Call

from .calls import reply_of
from .comparing import stances_of
from .crossing import aside
from .errands import Errand
from .errors import MalformedAnswer, MissingKey, ModelFailed, WrongType
from .judgement.comparators import Comparator
from .judgement.disagreement import differing
from .judgement.meaning import (
    MOST_CHARACTERS,
    MOST_TEXTS,
    Distances,
    Fetching,
    Question,
    fetched,
    fetches,
    plain,
)
from .material import sensitive_in
from .models.recordings import NotRecorded
from .models.replies import objection
from .running import Run, Running

MOST_QUESTIONS = 200
"""Calls that comparing one round may cost."""

TOO_LONG, TOO_MANY = "comparator.too_long", "comparator.too_many"


@dataclass(slots=True)
class _Wanted:
    """What one comparator has to know of the texts at one path."""

    path: str
    by: Fetching
    questions: list[Question]
    left_out: dict[str, str] = field(default_factory=dict)


async def consult(run: Run, running: Running) -> None:
    """Ask what the step's comparators have to know; a round that was stored knows what it knew then.

    What could not be asked, or got no answer, is in the history as `uncompared`, and counts as different.
    """
    if not running.step.fetching:
        return
    wanted = list(_wanted(running))
    recorded = await aside(run.journal.calls, running.round) if wanted else []
    if running.stored:
        running.fetched = _bound(running, wanted, recorded)
        return
    asked = [(one, question) for one in wanted for question in one.questions]
    errands = (_answer(run, running, one, question, recorded) for one, question in asked)
    answers = await asyncio.gather(*errands, return_exceptions=True)
    known: dict[int, Distances] = {}
    for (one, _), answer in zip(asked, answers, strict=True):
        if not isinstance(answer, BaseException):
            known.setdefault(id(one.by), {}).update(answer)
        elif isinstance(answer, _TOLD) and not isinstance(answer, MissingKey | NotRecorded):
            _uncompared(run, running, one, answer.as_dict())
        else:
            raise answer
    for one in wanted:
        for code, message in one.left_out.items():
            _uncompared(run, running, one, {"code": code, "message": message})
    running.fetched = _fetched(running, known)


_TOLD = (ModelFailed, BudgetExceeded, MalformedAnswer, WrongType)
"""Failures that are recorded; a missing key stops the run, as everywhere."""


def from_records(running: Running) -> list[tuple[Question, Sequence[Call]]]:
    """Compare with what is recorded alone.

    Returns:
        The questions that follow from the proposals, and the calls that were made for each.
    """
    wanted = list(_wanted(running)) if running.step.fetching else []
    running.fetched = _bound(running, wanted, running.calls)
    return [(question, _of(running.calls, question)) for one in wanted for question in one.questions]


def _wanted(running: Running) -> Iterator[_Wanted]:
    """What has to be asked, in the order of the paths; it follows from the proposals alone."""
    left = MOST_QUESTIONS
    for path, by, values in differing(stances_of(running), running.step.comparators):
        if not fetches(by):
            continue
        texts = {plain(value): value for value in sorted(v for v in values if isinstance(v, str))}
        short = [text for text in texts.values() if len(text) <= MOST_CHARACTERS]
        questions = list(by.questions(sorted(short))) if len(texts) > 1 else []
        one = _Wanted(path, by, questions[:left])
        if len(short) < len(texts):
            one.left_out[TOO_LONG] = f"A text has more than {MOST_CHARACTERS:,} characters"
        if len(short) > MOST_TEXTS or len(questions) > left:
            one.left_out[TOO_MANY] = f"More than {MOST_TEXTS} texts, or {MOST_QUESTIONS} questions in a round"
        left -= len(one.questions)
        yield one


def _of(calls: Sequence[Call], question: Question) -> list[Call]:
    return [call for call in calls if call.agent == question.seat]


async def _answer(
    run: Run, running: Running, one: _Wanted, question: Question, recorded: Sequence[Call]
) -> Distances:
    """What is said of a question's texts; an answer that cannot be read is asked again, bounded.

    Raises:
        ModelFailed, BudgetExceeded, MalformedAnswer, WrongType: Nothing is.
    """
    by, earlier = one.by, _of(recorded, question)
    request = replace(question.request, sensitive=sensitive_in(running, run.shape))
    errand = Errand(run, running, question.seat, by.candidates, request, by.attempts, earlier, reuse=True)
    while True:
        _, reply = await errand.answer()
        try:
            return by.read(question, reply)
        except (MalformedAnswer, WrongType) as error:
            if errand.exhausted:
                raise
            errand.unfit(reply, objection(error))


def _uncompared(run: Run, running: Running, one: _Wanted, why: Mapping[str, Any]) -> None:
    """Say once that texts could not be compared, and so count as different."""
    body = {"path": one.path, "comparator": type(one.by).__name__, **why}
    outcome = Outcome("uncompared", body)
    if outcome not in running.outcomes:
        running.outcomes.append(outcome)
        run.tell(running, "uncompared", **body)


def _bound(running: Running, wanted: Sequence[_Wanted], calls: Sequence[Call]) -> dict[str, Comparator]:
    """The comparators with what the records say."""
    known: dict[int, Distances] = {}
    for one in wanted:
        for question in one.questions:
            for call in _of(calls, question):
                if call.status == "answered":
                    known.setdefault(id(one.by), {}).update(_read(one.by, question, call))
    return _fetched(running, known)


def _read(by: Fetching, question: Question, call: Call) -> Distances:
    try:
        return by.read(question, reply_of(call))
    except DissensusError:
        return {}


def _fetched(running: Running, known: Mapping[int, Distances]) -> dict[str, Comparator]:
    return {path: fetched(by.tolerance, known.get(id(by), {})) for path, by in running.step.fetching.items()}
