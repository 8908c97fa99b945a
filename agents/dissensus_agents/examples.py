"""Graded rounds of a store as examples to learn from: who said what, why, at what cost, and who was right.

Rounds over the same question are one example, whether a panel was asked in one round or each model in a
round of its own; so all that was ever said about a question is held out together. Only grades from
outside the models count. What was redacted or pruned teaches nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from dissensus_state.patches import Patch
from dissensus_state.records import Call, Proposal, Round
from dissensus_state.standing import Line, settled
from dissensus_state.store import Store
from dissensus_state.values import canonical

from .errors import GraphError
from .judgement.ballots import Ballot, Voter
from .judgement.chains import Question
from .positions import all_values
from .recordings.asked import Texts

if TYPE_CHECKING:
    from dissensus_state.sessions import Session

    from .judgement import fitting, reader_fitting
    from .patterns import learning

MOST = 20_000
"""Graded rounds that are read, if nothing else is said."""

NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Voice:
    """What one model said to a question.

    `says` is what it proposed, whatever the path: a text as it is, anything else as canonical JSON; `answer`
    is its whole answer. `cost` is in USD, None where the price is unknown. `right` is None where nobody
    graded it.
    """

    agent: str
    voter: Voter
    says: str
    answer: str = ""
    thinking: str | None = None
    confidence: float | None = None
    cost: float | None = None
    right: bool | None = None


@dataclass(slots=True)
class Example:
    """A question that was graded, and all that was said to it, one voice for each model: its first.

    `key` is the SHA-256 of the question; of the round, where the question was taken away.
    """

    key: str
    task: str
    question: str
    voices: list[Voice] = field(default_factory=list)

    @property
    def positions(self) -> list[str]:
        """The different things that were said, in the order of their first voices."""
        return list(dict.fromkeys(one.says for one in self.voices))

    @property
    def right(self) -> str | None:
        """What is right of what was said; None where nothing is, or it is not known."""
        found = {one.says for one in self.voices if one.right}
        return found.pop() if len(found) == 1 else None

    @property
    def decided(self) -> bool:
        """Whether it is known what is right: one position, or none of those that were taken."""
        right = {one.says for one in self.voices if one.right}
        wrong = {one.says for one in self.voices if one.right is False}
        return not right & wrong and (len(right) == 1 or (not right and wrong == set(self.positions)))


def examples(of: Store | Session[Any], task: str | None = None, *, most: int = MOST) -> list[Example]:
    """The graded questions of a store or session, in the order in which they were asked first.

    Args:
        of: A store (of one tenant), or one session.
        task: Only rounds of this step; None: of every step, each its own task.
        most: How many graded rounds are read at most.
    """
    found: dict[tuple[str, str], Example] = {}
    for texts, number, lines in islice(_graded(of, task), most):
        round_, proposals, calls, _ = texts.session.round(number)
        question = _question(texts, round_, calls)
        key = hashlib.sha256((question or f"{texts.session.name}/{number}").encode("utf-8", "replace"))
        example = found.setdefault(
            (round_.step, key.hexdigest()), Example(key.hexdigest(), round_.step, question)
        )
        heard = {one.voter.model for one in example.voices}
        for voice in _voices(proposals, calls, lines, _together(round_, proposals, lines)):
            if voice.voter.model not in heard:
                example.voices.append(voice)
                heard.add(voice.voter.model)
    return list(found.values())


def _graded(of: Store | Session[Any], task: str | None) -> Iterator[tuple[Texts, int, dict[str, Line]]]:
    """The rounds that have a grade from outside, with the agents in them."""
    with of.database.reading() as work:
        rounds = [
            (one.session_id, one.round, {line.agent: line for line in one.lines})
            for one in settled(work, getattr(of, "session_id", None), task=task)
            if any(line.grade is not None for line in one.lines)
        ]
    known: dict[int, Texts] = {}
    names = {info.session_id: info.name for info in of.sessions()} if isinstance(of, Store) else {}
    for session_id, number, lines in rounds:
        if session_id not in known:
            known[session_id] = Texts(of.session(names[session_id]) if isinstance(of, Store) else of)
        yield known[session_id], number, lines


def _question(texts: Texts, round_: Round, calls: list[Call]) -> str:
    """What the first agent of the round was asked, as a router would see it; empty where it is gone."""
    for call in calls:
        asked = texts.asked(round_, call, calls)
        if asked is not None and all(piece.text is not None for piece in asked[1]):
            return asked[0].prompt
    return ""


def _together(round_: Round, proposals: list[Proposal], lines: Mapping[str, Line]) -> dict[str, str]:
    """In whose words each position is told: those who said the same as the round compared it are one voice.

    A position of which a part was graded right and a part wrong was not the same after all.
    """
    from .session import sides_of_round

    made = {item.agent: item for item in proposals if item.status != "abstained" and item.patch}
    sides = [[agent for agent in side.agents if agent in made] for side in sides_of_round(round_, proposals)]
    everywhere = set.intersection(*map(set, sides)) if len(sides) > 1 else set()
    words: dict[str, str] = {}
    for side in sides:
        one = [agent for agent in side if agent not in everywhere]
        graded = {line.grade.right for agent in one if (line := lines.get(agent)) and line.grade is not None}
        if one and len(graded) < 2:
            words |= dict.fromkeys(one, _said(made[one[0]].patch))
    return words


def _voices(
    proposals: list[Proposal], calls: list[Call], lines: Mapping[str, Line], words: Mapping[str, str]
) -> Iterator[Voice]:
    made = {(call.agent, call.attempt): call for call in calls}
    for item in proposals:
        call, line = made.get((item.agent, item.attempt)), lines.get(item.agent)
        if item.status == "abstained" or call is None or line is None or not item.patch:
            continue
        yield Voice(
            item.agent,
            Voter(call.model, call.lineage),
            words.get(item.agent, _said(item.patch)),
            call.answer or "",
            call.thinking,
            item.confidence,
            None if line.cost is None else line.cost / NANO,
            line.grade.right if line.grade is not None else None,
        )


def _said(patch: Patch) -> str:
    values = list(all_values(patch).values())
    if len(values) == 1 and isinstance(values[0], str):
        return values[0]
    return canonical(values[0] if len(values) == 1 else values)


def as_votes(given: Iterable[Example], options: int | None = None) -> list[fitting.Graded]:
    """Examples for `fit` of a vote: those of which it is known what is right.

    Args:
        given: The examples.
        options: Among how many answers the models could choose, where that is known.
    """
    from .judgement.fitting import Graded

    found = []
    for one in given:
        if not one.decided:
            continue
        places = {says: n for n, says in enumerate(one.positions)}
        ballots = tuple(
            Ballot(voice.agent, voice.voter, places[voice.says], voice.confidence, voice.thinking)
            for voice in one.voices
        )
        right = None if one.right is None else places[one.right]
        among = None if options is None else max(options, len(places) + (right is None))
        found.append(Graded(one.key, ballots, one.task, right, among))
    return found


def as_disputes(given: Iterable[Example]) -> list[reader_fitting.Dispute]:
    """Examples for `fit_reader`: disagreements of which one side is right, with reasoning on each side."""
    from .judgement.reader_fitting import Dispute
    from .judgement.reading import Held

    found = []
    for one in given:
        sides = one.positions
        if not one.decided or one.right is None or len(sides) < 2:
            continue
        held = tuple(
            Held(says, tuple(voice.thinking for voice in one.voices if voice.says == says and voice.thinking))
            for says in sides
        )
        if all(side.reasoning for side in held):
            found.append(Dispute(one.key, Question.of(one.question), held, sides.index(one.right)))
    return found


def as_questions(given: Iterable[Example], answers_of: str | None = None) -> list[learning.Graded]:
    """Examples for `fit_router`: questions with the models that were graded on them.

    A model that was hardly graded is left out. Where a route has sent each question to one model, each
    model is learned from the questions that it was sent.
    """
    from .patterns.learning import FEWEST_EACH, Graded

    known = [
        (one, {voice.voter.model: voice for voice in one.voices if voice.right is not None}) for one in given
    ]
    counted: dict[str, int] = {}
    for _, voices in known:
        for model in voices:
            counted[model] = counted.get(model, 0) + 1
    models = {model for model, count in counted.items() if 2 * count >= len(known) or count >= FEWEST_EACH}
    return [
        Graded(
            one.key,
            one.question,
            {model: bool(voices[model].right) for model in sorted(models & voices.keys())},
            one.task,
            voices[answers_of].answer if answers_of in voices else None,
        )
        for one, voices in known
        if one.question and models & voices.keys() and (answers_of is None or answers_of in voices)
    ]


def costs_of(given: Iterable[Example]) -> list[dict[str, float]]:
    """What each model's answer cost, in USD, for each example.

    Raises:
        GraphError: A price is unknown; unknown is not nothing.
    """
    found = []
    for one in given:
        unpriced = next((voice.voter.model for voice in one.voices if voice.cost is None), None)
        if unpriced is not None:
            raise GraphError(
                f"What {unpriced} costs is not known, so nothing can be fitted to costs",
                next_step="Give the model a price, and ask again",
            )
        found.append({voice.voter.model: voice.cost or 0.0 for voice in one.voices})
    return found
