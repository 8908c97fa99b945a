"""A reader of reasoning that was fitted to graded rounds; served without numpy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from .chains import Chain, Question
from .provenance import Fitted, Number, Provenance, read_fitted
from .reading import Held
from .reading_features import FEATURES, Measured, measured, together

FORMAT: Final = "dissensus.reader/1"

_Weights = Annotated[tuple[Number, ...], Field(max_length=500)]


class ReaderWeights(Fitted):
    """The weights as they stand in the file: one for each of `features`.

    A position's score is the sum of `weights` times its features, each divided by its `scale`; where the
    question asks for a calculation, `calculating` is added to the weights. Shares are the softmax.
    """

    format: Literal["dissensus.reader/1"] = FORMAT
    features: tuple[str, ...] = Field(max_length=500)
    scale: _Weights
    weights: _Weights
    calculating: _Weights

    @model_validator(mode="after")
    def _fits(self) -> ReaderWeights:
        if self.features != FEATURES:
            raise ValueError("it was fitted to other features than are measured here: fit it again")
        if not len(self.scale) == len(self.weights) == len(self.calculating) == len(FEATURES):
            raise ValueError(f"there must be {len(FEATURES)} weights of each kind")
        if any(scale <= 0 for scale in self.scale):
            raise ValueError("a scale must be above 0")
        return self


class FittedReader:
    """Says how likely each position is the right one by its reasoning, given that one of them is.

    It does not know who wrote what: it was fitted on features of the text alone. `fit_reader` makes one.

    Args:
        weights: What was fitted; `FittedReader.load` reads it from a file.
    """

    def __init__(self, weights: ReaderWeights) -> None:
        self.weights = weights

    @classmethod
    def load(cls, source: str | Path) -> FittedReader:
        """Read one from a file, or from the text of one.

        Raises:
            GraphError: It cannot be used.
        """
        return cls(read_fitted(ReaderWeights, source, FORMAT))

    def dump(self) -> str:
        """The text of its file."""
        return self.weights.written()

    @property
    def provenance(self) -> Provenance:
        """On what it was fitted, and how it was tested."""
        return self.weights.provenance

    @property
    def on(self) -> int:
        """On how many graded disagreements it was fitted."""
        return self.provenance.on

    @property
    def note(self) -> str:
        """How, in a sentence."""
        return self.provenance.note

    def shares(self, positions: Sequence[Held], question: Question, /) -> tuple[float, ...]:
        """A share for each position; they add up to 1."""
        rows = together([measure(held, question) for held in positions])
        scores = [self._score(row, calculating=question.calculating) for row in rows]
        top = max(scores, default=0.0)
        raised = [math.exp(score - top) for score in scores]
        return tuple(one / sum(raised) for one in raised)

    def _score(self, row: Sequence[float], *, calculating: bool) -> float:
        return sum(
            value / scale * (weight + (added if calculating else 0.0))
            for value, scale, weight, added in zip(
                row, self.weights.scale, self.weights.weights, self.weights.calculating, strict=True
            )
        )


def measure(held: Held, question: Question) -> Measured:
    """What is measured of a position: the mean over the reasonings of those who hold it."""
    texts = held.reasoning or ("",)
    each = [measured(held.says, Chain.of(text), question) for text in texts]
    if len(each) == 1:
        return each[0]
    return Measured(_mean([one.own for one in each]), _mean([one.spoken for one in each]), each[0].chosen)


def _mean(rows: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(sum(column) / len(rows) for column in zip(*rows, strict=True))
