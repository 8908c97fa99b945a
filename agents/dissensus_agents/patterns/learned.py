"""A router that was fitted to graded rounds: how likely each model is right, from the question alone.

    router = LearnedRouter.load("router.json")
    Route({"cheap": small, "strong": large}, by=router)

It was fitted with numpy (`fit_router`), and runs without it. What it was fitted on, and how it did on
questions that it had not seen, stands in its file; every decision's reason says on how much it rests.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field, model_validator

from ..errors import GraphError
from ..judgement.chains import BARE, MAX_READ, Chain, Question, numbers
from ..judgement.likeness import words
from ..judgement.provenance import Fitted, Number, Provenance, read_fitted
from ..judgement.reading_features import FEATURES, measured
from ..judgement.workings import plain
from .asked import Asked, Choice, Option
from .complexity import MEASURES, complexity_of

FORMAT: Final = "dissensus.router/1"
MAX_MODELS, MAX_TASKS, MAX_BUCKETS = 50, 1000, 4096
MAX_WORDS = 3000

OPTION_MEASURES: tuple[str, ...] = (
    "listed",  # it lists answers to choose from
    "option_length",
    "option_spread",
    "calculating",  # the answers are numbers
    "variety",  # of the words of the options
    "catch_all",  # "none of the above"
    "letters_only",  # options of a sign or two
    "from_question",  # share of the options' words that the question says
    "statements",  # "Statement 1 | …"
    "gap",  # "____"
)
ANSWER_MEASURES: tuple[str, ...] = (
    *FEATURES[: FEATURES.index("answer_length")],
    "fraction",  # its last number is not whole
    "negative",
    "broken_off",
)

_CATCH_ALL = re.compile(r"\b(?:all of|none of|both)\b", re.IGNORECASE)
_ENDED = re.compile(r"[.!?)\]*$\d]\s*\Z")
_Row = Annotated[tuple[Number, ...], Field(max_length=MAX_TASKS + MAX_BUCKETS + 200)]


class RouterWeights(Fitted):
    """The weights as they stand in the file.

    `weights` has a row for each of `models`: a weight for each of `tasks`, then of `measures`, then of the
    buckets that words are hashed into (CRC-32), then one that always counts. The chance of being right is
    1 / (1 + exp(-(a + b * score))), with a and b of `scaling`. `answers_of` names the model whose own answer
    is read as well, where one is.
    """

    format: Literal["dissensus.router/1"] = FORMAT
    models: tuple[Annotated[str, Field(max_length=200)], ...] = Field(min_length=2, max_length=MAX_MODELS)
    tasks: tuple[Annotated[str, Field(max_length=200)], ...] = Field(max_length=MAX_TASKS)
    measures: tuple[str, ...] = Field(max_length=200)
    buckets: int = Field(ge=1, le=MAX_BUCKETS)
    answers_of: str | None = Field(default=None, max_length=200)
    weights: tuple[_Row, ...]
    scaling: tuple[tuple[Number, Number], ...]

    @model_validator(mode="after")
    def _fits(self) -> RouterWeights:
        if self.measures != measures_of(reads_answer=self.answers_of is not None):
            raise ValueError("it was fitted to other measures than are taken here: fit it again")
        size = len(self.tasks) + len(self.measures) + self.buckets + 1
        if not len(self.models) == len(self.weights) == len(self.scaling):
            raise ValueError("there must be one row of weights and one scaling for each model")
        if any(len(row) != size for row in self.weights):
            raise ValueError(f"each model must have {size} weights")
        if self.answers_of is not None and self.answers_of not in self.models:
            raise ValueError("it reads the answers of a model that it knows nothing of")
        return self


class Chosen(NamedTuple):
    """Which candidate is taken, how likely it is right (0 to 1), and how likely each is that is known."""

    name: str
    confidence: float | None
    scores: Mapping[str, float]


class LearnedRouter:
    """Takes the cheapest candidate that is nearly as likely right as the likeliest.

    Args:
        weights: What was fitted; `LearnedRouter.load` reads it from a file.
        gain: How much likelier (0 to 1) a dearer candidate must be right than a cheaper one to be taken.
        worth: Instead of `gain`: USD that a right answer is worth. Then the candidate is taken whose chance
            times this, less its cost, is highest.

    Raises:
        GraphError: `gain` or `worth` are out of bounds.
    """

    def __init__(self, weights: RouterWeights, *, gain: float = 0.1, worth: float | None = None) -> None:
        if not 0 <= gain <= 1 or (worth is not None and not 0 < worth < math.inf):
            raise GraphError(
                f"A router needs a gain from 0 to 1, not {gain}, and a worth above 0, not {worth}"
            )
        self.weights = weights
        self.gain, self.worth = gain, worth
        self._tasks = {task: n for n, task in enumerate(weights.tasks)}

    @classmethod
    def load(cls, source: str | Path, *, gain: float = 0.1, worth: float | None = None) -> LearnedRouter:
        """Read one from a file, or from the text of one.

        Raises:
            GraphError: It cannot be used.
        """
        return cls(read_fitted(RouterWeights, source, FORMAT), gain=gain, worth=worth)

    def dump(self) -> str:
        """The text of its file."""
        return self.weights.written()

    @property
    def provenance(self) -> Provenance:
        """On what it was fitted, and how it was tested."""
        return self.weights.provenance

    def chances(self, text: str, task: str = "", answer: str | None = None) -> dict[str, float]:
        """How likely each model is right.

        Args:
            text: The question.
            task: What kind of question it is; one that it was not fitted on says nothing.
            answer: What the model `weights.answers_of` has answered to it.

        Raises:
            GraphError: It reads an answer, and there is none.
        """
        if self.weights.answers_of is not None and answer is None:
            raise GraphError(
                f"This router reads the answer of {self.weights.answers_of} before it decides",
                next_step="Ask that model first and give its answer, or fit a router without answers_of",
            )
        wanted = answer if self.weights.answers_of is not None else None
        row = sparse_row(text, task, wanted, self._tasks, self.weights.buckets)
        return {
            model: _chance(sum(weights[n] * value for n, value in row.items()), scaling)
            for model, weights, scaling in zip(
                self.weights.models, self.weights.weights, self.weights.scaling, strict=True
            )
        }

    def choose(
        self, text: str, candidates: Mapping[str, Option], task: str = "", answer: str | None = None
    ) -> Chosen:
        """Which candidate to ask. One with several models is as good as its likeliest.

        The name is "" where the router was fitted on none of their models.
        """
        chances = self.chances(text, task, answer)
        scores = {
            name: max(chances[model] for model in one.models if model in chances)
            for name, one in candidates.items()
            if any(model in chances for model in one.models)
        }
        if not scores:
            return Chosen("", None, scores)
        costs = {name: one.cost for name, one in candidates.items() if name in scores}
        if self.worth is not None and None not in costs.values():
            best = max(scores, key=lambda name: scores[name] * (self.worth or 0) - (costs[name] or 0) / 1e9)
        else:
            near = [name for name in scores if scores[name] >= max(scores.values()) - self.gain]
            best = min(near, key=lambda name: math.inf if costs[name] is None else costs[name] or 0)
        return Chosen(best, scores[best], scores)

    def __call__(self, asked: Asked) -> Choice:
        """The same, as a `Router` of a `Route`."""
        name, confidence, scores = self.choose(asked.question, asked.options, asked.task)
        if not name:
            return Choice("", "the router was fitted on none of these models")
        over = {
            other: f"it is {scores[other]:.2f} likely right"
            if other in scores
            else "its models are unknown to it"
            for other in asked.options
            if other != name
        }
        reason = f"it is {scores[name]:.2f} likely right ({self.provenance.note})"
        return Choice(name, reason, confidence, over)


def measures_of(*, reads_answer: bool) -> tuple[str, ...]:
    """What is measured of a question, and of an answer to it where one is read."""
    of_question = (*MEASURES, *OPTION_MEASURES)
    return (*of_question, *(f"answer_{name}" for name in ANSWER_MEASURES)) if reads_answer else of_question


def sparse_row(
    text: str, task: str, answer: str | None, tasks: Mapping[str, int], buckets: int
) -> dict[int, float]:
    """The features of a question by their number, in the order of `RouterWeights.weights`."""
    row = {tasks[task]: 1.0} if task in tasks else {}
    at = len(tasks)
    question = Question.of(text)
    measures = [*complexity_of(text).measures, *_of_options(question)]
    if answer is not None:
        measures += _of_answer(answer, question)
    row.update({at + n: value for n, value in enumerate(measures) if value})
    at += len(measures)
    row.update({at + n: value for n, value in _hashed(text, buckets).items()})
    row[at + buckets] = 1.0
    return row


def _hashed(text: str, buckets: int) -> dict[int, float]:
    """The words of a text in buckets, with signs, as a vector of length 1."""
    found: dict[int, float] = {}
    for word in sorted(set(words(text[:MAX_READ])[:MAX_WORDS])):
        code = zlib.crc32(word.encode(errors="replace"))
        found[code % buckets] = found.get(code % buckets, 0.0) + (1.0 if code >> 31 else -1.0)
    length = math.sqrt(sum(value * value for value in found.values()))
    return {bucket: value / length for bucket, value in found.items() if value} if length else {}


def _of_options(question: Question) -> list[float]:
    options = question.options
    if not options:
        return [0.0] * 3 + [float(question.calculating)] + [0.0] * 4 + _of_form(question.text)
    lengths = [len(option) for option in options]
    mean = sum(lengths) / len(lengths)
    spread = math.sqrt(sum((length - mean) ** 2 for length in lengths) / len(lengths))
    said = [word for option in question.option_words for word in option]
    return [
        1.0,
        math.log1p(mean) / 5,
        math.log1p(spread) / 5,
        float(question.calculating),
        len(set(said)) / max(len(said), 1),
        float(any(_CATCH_ALL.search(option) for option in options)),
        sum(length < 3 for length in lengths) / len(lengths),
        len(question.words.intersection(said)) / max(len(set(said)), 1),
        *_of_form(question.text),
    ]


def _of_form(text: str) -> list[float]:
    return [float("statement 1" in text.casefold()), float("__" in text)]


def _of_answer(answer: str, question: Question) -> list[float]:
    chain = Chain.of(answer)
    own = measured("", chain, question).own[: len(ANSWER_MEASURES) - 3]
    last = (numbers(plain(chain.text)) or [0.0])[-1]
    ended = bool(_ENDED.search(chain.text)) or len(chain.text) < BARE
    return [*own, float(last != math.floor(last)), float(last < 0), float(not ended)]


def _chance(score: float, scaling: Sequence[float]) -> float:
    a, b = scaling
    return 1 / (1 + math.exp(-min(max(a + b * score, -35.0), 35.0)))
