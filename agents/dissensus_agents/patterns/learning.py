"""Fits a router to graded rounds: needs the extra `learn` (numpy)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from ..errors import GraphError
from ..judgement.logistic import logistic, numpy
from ..judgement.provenance import Provenance
from .learned import LearnedRouter, RouterWeights, measures_of, sparse_row

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

FOLDS = 5
BUCKETS = 512
PENALTIES = (10.0, 30.0, 100.0, 300.0)
"""Of half the square of each weight; which one is chosen inside of the folds that are fitted on."""

FEWEST, MOST = 200, 50_000
TASK_SCALE = 4.0
"""A task's own weight is held back so many times less than a word's: there are few of them."""

MEASURE_SCALE = 10.0
"""And a measure's so many times more, in units of its spread."""


@dataclass(frozen=True, slots=True)
class Graded:
    """A question, and which models answered it rightly.

    `key` names it; `task` is what kind it is, if that is known; `answer` what the model has answered whose
    answers the router shall read.
    """

    key: str
    text: str
    right: Mapping[str, bool]
    task: str = ""
    answer: str | None = None


def fit_router(
    graded: Iterable[Graded], *, answers_of: str | None = None, made: date | None = None
) -> LearnedRouter:
    """Fit a router, and test it on questions that it has not seen.

    For each model a ridge regression of right or wrong on the question's task, measures and hashed words,
    then a logistic curve from what it says of unseen questions to how often it was right.

    Args:
        graded: Questions, 200 at least and 50,000 at most, each with the same models.
        answers_of: The model whose own answer is read: for a cascade, that asks it first.
        made: The date to put down; today's by default.

    Raises:
        GraphError: There are too few or too many, their models differ, an answer is missing, or numpy is.
    """
    given = list(graded)
    models = _checked(given, answers_of)
    tasks = tuple(sorted({one.task for one in given if one.task}))
    rows, labels, folds = design(given, tasks, reads_answer=answers_of is not None)
    fitting = Fitting(rows, labels, folds, len(tasks), len(measures_of(reads_answer=answers_of is not None)))
    seen = fitting.unseen()
    scaling = [_scaling(seen[:, n], labels[:, n]) for n in range(len(models))]
    digest = hashlib.sha256()
    for one in given:
        digest.update(
            repr((one.key, one.text, sorted(one.right.items()), one.task, one.answer)).encode(
                errors="replace"
            )
        )
    return LearnedRouter(
        RouterWeights(
            models=models,
            tasks=tasks,
            measures=measures_of(reads_answer=answers_of is not None),
            buckets=BUCKETS,
            answers_of=answers_of,
            weights=tuple(tuple(round(float(w), 7) for w in column) for column in fitting.weights(()).T),
            scaling=tuple(scaling),
            provenance=Provenance(
                on=len(given) * len(models),
                items=len({one.key for one in given}),
                data=digest.hexdigest(),
                split=f"tested in {FOLDS} folds by sha256 of the question",
                held_out=_figures(models, seen, labels, scaling),
                made=made or datetime.now(UTC).date(),
            ),
        )
    )


def _checked(given: Sequence[Graded], answers_of: str | None) -> tuple[str, ...]:
    if not FEWEST <= len(given) <= MOST:
        raise GraphError(
            f"A router is fitted to {FEWEST} to {MOST:,} graded questions, and not to {len(given):,}",
            next_step="Grade more rounds, or take a random part of them; complexity() needs none",
        )
    models = tuple(sorted(given[0].right))
    odd = next((one.key for one in given if tuple(sorted(one.right)) != models), None)
    if odd is not None or len(models) < 2:
        raise GraphError(
            f"Every question needs a grade of each of the same two or more models: {odd or models}"
        )
    if answers_of is not None:
        missing = next((one.key for one in given if one.answer is None), None)
        if missing is not None or answers_of not in models:
            raise GraphError(f"There is no answer of {answers_of} to {missing or 'any question'}")
    return models


def design(
    given: Sequence[Graded], tasks: Sequence[str], *, reads_answer: bool
) -> tuple[Array, Array, Array]:
    """Features (n, k); right or wrong, by the models' names in order (n, models); and folds (n,)."""
    np = numpy()
    places = {task: n for n, task in enumerate(tasks)}
    size = len(tasks) + len(measures_of(reads_answer=reads_answer)) + BUCKETS + 1
    rows = np.zeros((len(given), size))
    for n, one in enumerate(given):
        found = sparse_row(one.text, one.task, one.answer if reads_answer else None, places, BUCKETS)
        rows[n, list(found)] = list(found.values())
    models = sorted(given[0].right)
    labels = np.array([[float(one.right[model]) for model in models] for one in given])
    return rows, labels, np.array([fold_of(one.key) for one in given])


def fold_of(key: object, folds: int = FOLDS) -> int:
    """In which fold a question is: by sha256 of its name, so that it is the same everywhere."""
    return int(hashlib.sha256(str(key).encode()).hexdigest(), 16) % folds


class Fitting:
    """Ridge regressions without any of the folds: sums of squares are added up by fold, once."""

    def __init__(self, rows: Array, labels: Array, folds: Array, tasks: int, measures: int) -> None:
        self.rows, self.labels, self.folds = rows, labels, folds
        self.tasks, self.measures = tasks, measures
        self._squares = [rows[folds == n].T @ rows[folds == n] for n in range(FOLDS)]
        self._products = [rows[folds == n].T @ labels[folds == n] for n in range(FOLDS)]

    def unseen(self) -> Array:
        """What each question's score is for each model, by weights that were fitted without its fold."""
        scores: Array = numpy().zeros_like(self.labels)
        for fold in range(FOLDS):
            held = self.folds == fold
            scores[held] = self.rows[held] @ self.weights((fold,))
        return scores

    def weights(self, without: tuple[int, ...]) -> Array:
        """Weights, shape (k, models), with the penalty that does best inside of the folds fitted on."""
        inner = [fold for fold in range(FOLDS) if fold not in without]
        losses = [
            sum(self._loss(fold, self._solved((*without, fold), penalty)) for fold in inner)
            for penalty in PENALTIES
        ]
        return self._solved(without, PENALTIES[losses.index(min(losses))])

    def _loss(self, fold: int, weights: Array) -> float:
        held = self.folds == fold
        return float(((self.rows[held] @ weights - self.labels[held]) ** 2).sum())

    def _solved(self, without: tuple[int, ...], penalty: float) -> Array:
        np = numpy()
        kept = [fold for fold in range(FOLDS) if fold not in without]
        squares = sum(self._squares[fold] for fold in kept)
        products = sum(self._products[fold] for fold in kept)
        ridge = np.full(len(squares), penalty)
        ridge[: self.tasks] /= TASK_SCALE
        measures = slice(self.tasks, self.tasks + self.measures)
        count = squares[-1, -1]  # the last column is always 1
        spread = np.diag(squares)[measures] / count - (squares[-1, measures] / count) ** 2
        ridge[measures] *= MEASURE_SCALE * np.maximum(spread, 1e-6)
        ridge[-1] = 1e-3
        solved: Array = np.linalg.solve(squares + np.diag(ridge), products)
        return solved


def _scaling(scores: Array, labels: Array) -> tuple[float, float]:
    """The curve from scores to chances: Platt's, with a light penalty."""
    np = numpy()
    a, b = logistic(np.stack([np.ones_like(scores), scores], axis=1), labels, 1e-2)
    return round(float(a), 6), round(float(b), 6)


def apgr(gain: Array, weak: Array, strong: Array) -> float:
    """The average performance gap recovered: the mean over shares of strong calls, 0 to 100 %.

    RouteLLM (arXiv 2406.18665): at each share, the questions of the highest expected gain go to the strong
    model; recovered is what that wins over the weak one alone, as a share of what the strong one alone wins.
    Random routing has 0.5.

    Args:
        gain: How much is expected of the strong model, for each question; only the order counts.
        weak: 1 where the weak model is right, else 0.
        strong: The same for the strong one.
    """
    np = numpy()
    order = np.argsort(-gain, kind="stable")
    won = np.concatenate([[0.0], np.cumsum((strong - weak)[order])])
    places = np.round(np.linspace(0, 1, 101) * len(order)).astype(int)
    return float(won[places].mean() / won[-1]) if won[-1] else 0.5


def _figures(
    models: Sequence[str], scores: Array, labels: Array, scaling: Sequence[tuple[float, float]]
) -> dict[str, float]:
    """How it did on questions that it had not seen."""
    np = numpy()
    curve = np.array(scaling)
    likely = 1 / (1 + np.exp(-(curve[:, 0] + curve[:, 1] * scores)))
    figures = {}
    for n, model in enumerate(models):
        bins = np.minimum((likely[:, n] * 10).astype(int), 9)
        gaps = [abs((likely[bins == k, n] - labels[bins == k, n]).sum()) for k in range(10)]
        figures[f"accuracy of {model}"] = float(labels[:, n].mean())
        figures[f"calibration error of {model}"] = float(sum(gaps) / len(labels))
    weak, strong = labels.mean(axis=0).argmin(), labels.mean(axis=0).argmax()
    gain = likely[:, strong] - likely[:, weak]
    sides = gain, labels[:, weak], labels[:, strong]
    drawn = np.random.default_rng(1).integers(0, len(gain), (300, len(gain)))
    low, high = np.quantile([apgr(*(side[one] for side in sides)) for one in drawn], [0.025, 0.975])
    figures |= {"apgr": apgr(*sides), "apgr.low": float(low), "apgr.high": float(high)}
    return {name: round(value, 4) for name, value in figures.items()}
