"""Fits a reader of reasoning to graded disagreements: needs the extra `learn` (numpy)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from ..errors import GraphError
from .chains import Question
from .fitted_reader import FittedReader, ReaderWeights, measure
from .folds import fold_of, numpy
from .logistic import expit, logistic
from .provenance import Provenance
from .reading import Held
from .reading_features import FEATURES, together

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

PENALTY = 1 / 50
"""Of half the square of each standardised weight, for each example: fixed beforehand, not searched."""

FOLDS = 5
FEWEST = 100
"""Graded disagreements below which nothing is fitted."""


@dataclass(frozen=True, slots=True)
class Dispute:
    """A disagreement of which it is known which position was right.

    `key` names the question; all disputes over it are held out together.
    """

    key: str
    question: Question
    positions: tuple[Held, ...]
    right: int


def fit_reader(disputes: Iterable[Dispute], *, made: date | None = None) -> FittedReader:
    """Fit a reader, and test it on questions that it has not seen.

    A logistic regression on the differences between the right position and each wrong one, without an
    intercept: exchanging two positions exchanges their shares (McFadden's conditional logit).

    Args:
        disputes: Graded disagreements, at least 100.
        made: The date to put down; today's by default.

    Raises:
        GraphError: There are too few.
        NotInstalled: numpy is not installed.
    """
    np = numpy()
    given = list(disputes)
    rows, calculating, keys = _rows(given)
    if len(given) < FEWEST:
        raise GraphError(
            f"There are {len(given)} graded disagreements, and a reader needs {FEWEST} at least",
            next_step="Grade more rounds; until then reading decides by calculations alone",
        )
    differences, calculating_ = np.array(rows), np.array(calculating)
    folds = np.array([fold_of(key) for key in keys])
    likely = np.zeros(len(rows))
    for fold in range(FOLDS):
        scale, weights = fit(differences[folds != fold], calculating_[folds != fold])
        held = folds == fold
        likely[held] = chances(differences[held], calculating_[held], scale, weights)
    scale, weights = fit(differences, calculating_)
    return _made(given, keys, (scale, weights), _figures(likely), made or datetime.now(UTC).date())


def _rows(disputes: Sequence[Dispute]) -> tuple[list[list[float]], list[float], list[str]]:
    rows, calculating, keys = [], [], []
    for one in disputes:
        measured = together([measure(held, one.question) for held in one.positions])
        for n, wrong in enumerate(measured):
            if n != one.right:
                rows.append([a - b for a, b in zip(measured[one.right], wrong, strict=True)])
                calculating.append(float(one.question.calculating))
                keys.append(one.key)
    return rows, calculating, keys


def fit(
    differences: Array, calculating: Array, *, start: tuple[Array, Array] | None = None
) -> tuple[Array, Array]:
    """The scale of each feature, and the weights: those for every question, then what calculating adds.

    Args:
        differences: Features of the right side less those of the wrong one, shape (n, features).
        calculating: 1 where the question asks for a calculation, else 0, shape (n,).
        start: What was fitted to nearly the same: its scale is kept, and two steps are enough.
    """
    np = numpy()
    spread = np.sqrt((differences**2).mean(axis=0))
    scale = start[0] if start else np.where(spread > 1e-6, spread, 1.0)
    rows = _design(differences, calculating, scale)
    labels = np.ones(len(rows))
    penalty = PENALTY * len(rows)
    begin, steps = (start[1], 2) if start else (None, 12)
    return scale, logistic(rows, labels, penalty, start=begin, steps=steps)


def chances(differences: Array, calculating: Array, scale: Array, weights: Array) -> Array:
    """How likely the first side of each difference is the right one."""
    return expit(_design(differences, calculating, scale) @ weights)


def _design(differences: Array, calculating: Array, scale: Array) -> Array:
    scaled = differences / scale
    rows: Array = numpy().hstack([scaled, scaled * calculating[:, None]])
    return rows


def _figures(likely: Array) -> dict[str, float]:
    """What the shares were worth on questions that were held out, where they decide at all.

    Raises:
        GraphError: They decide nowhere: all sides are written alike.
    """
    np = numpy()
    decides = likely != 0.5
    if not decides.any():
        raise GraphError(
            "Nothing in how the sides are written tells which of them is right",
            next_step="Let models reason at more length, or leave reading to the supervisor",
        )
    confidence, right = np.maximum(likely, 1 - likely), likely > 0.5
    figures = {
        "accuracy": float(right[decides].mean()),
        "decided": float(decides.mean()),
        "calibration_error": _calibration(confidence[decides], right[decides]),
    }
    for bound in (0.6, 0.7, 0.8, 0.9):
        decided = confidence > bound
        if decided.any():
            figures[f"accuracy_above_{bound:g}"] = float(right[decided].mean())
            figures[f"decided_above_{bound:g}"] = float(decided.mean())
    return {name: round(value, 4) for name, value in figures.items()}


def _calibration(confidence: Array, right: Array) -> float:
    """Expected calibration error over ten bins of equal width from 0.5 to 1."""
    np = numpy()
    bins = np.minimum(((confidence - 0.5) * 20).astype(int), 9)
    gaps = [abs(right[bins == n].sum() - confidence[bins == n].sum()) for n in range(10)]
    return float(sum(gaps) / len(right))


def _made(
    disputes: Sequence[Dispute],
    keys: Sequence[str],
    fitted: tuple[Array, Array],
    figures: dict[str, float],
    made: date,
) -> FittedReader:
    scale, weights = fitted
    digest = hashlib.sha256()
    for one in disputes:
        digest.update(repr((one.key, one.positions, one.right)).encode(errors="replace"))
    size = len(FEATURES)
    return FittedReader(
        ReaderWeights(
            features=FEATURES,
            scale=_plain(scale),
            weights=_plain(weights[:size]),
            calculating=_plain(weights[size:]),
            provenance=Provenance(
                on=len(disputes),
                items=len(set(keys)),
                data=digest.hexdigest(),
                split=f"tested in {FOLDS} folds by sha256 of the question",
                held_out=figures,
                made=made,
            ),
        )
    )


def _plain(values: Array) -> tuple[float, ...]:
    return tuple(round(float(value), 8) for value in values)
