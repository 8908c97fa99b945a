"""Fits a router to graded rounds: needs the extra `learn` (numpy)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from ..errors import GraphError
from ..judgement.folds import fold_of, numpy
from ..judgement.logistic import logistic
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
FEWEST_EACH = 100
TASK_SCALE = 4.0
"""A task's own weight is held back so many times less than a word's: there are few of them."""

MEASURE_SCALE = 10.0
"""And a measure's so many times more, in units of its spread."""


@dataclass(frozen=True, slots=True)
class Graded:
    """A question, and which models answered it rightly; a model that is not in `right` was not asked.

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
        graded: Questions, 200 at least and 50,000 at most; each model must have answered 100 of them.
        answers_of: The model whose own answer is read: for a cascade, that asks it first.
        made: The date to put down; today's by default.

    Raises:
        GraphError: There are too few or too many, an answer that is to be read is missing.
        NotInstalled: numpy is not installed.
    """
    given = list(graded)
    models = _checked(given, answers_of)
    tasks = tuple(sorted({one.task for one in given if one.task}))
    rows, labels, folds = design(given, tasks, reads_answer=answers_of is not None)
    fitting = Fitting(rows, labels, folds, len(tasks), len(measures_of(reads_answer=answers_of is not None)))
    seen = fitting.unseen()
    known = ~numpy().isnan(labels)
    scaling = [_scaling(seen[known[:, n], n], labels[known[:, n], n]) for n in range(len(models))]
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
                on=int(known.sum()),
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
    answered = Counter(model for one in given for model in one.right)
    models = tuple(sorted(answered))
    if len(models) < 2 or min(answered.values()) < FEWEST_EACH:
        there = ", ".join(f"{answered[model]} of {model}" for model in models)
        raise GraphError(
            f"A router needs {FEWEST_EACH} graded answers of each of two models or more; there are {there}",
            next_step="Grade more rounds, or leave out the models that were hardly asked",
        )
    if answers_of is not None:
        missing = next((one.key for one in given if one.answer is None), None)
        if missing is not None or answers_of not in models:
            raise GraphError(f"There is no answer of {answers_of} to {missing or 'any question'}")
    return models


def design(
    given: Sequence[Graded], tasks: Sequence[str], *, reads_answer: bool
) -> tuple[Array, Array, Array]:
    """Features (n, k); right, wrong or NaN, by the models' names in order (n, models); and folds (n,)."""
    np = numpy()
    places = {task: n for n, task in enumerate(tasks)}
    size = len(tasks) + len(measures_of(reads_answer=reads_answer)) + BUCKETS + 1
    rows = np.zeros((len(given), size))
    for n, one in enumerate(given):
        found = sparse_row(one.text, one.task, one.answer if reads_answer else None, places, BUCKETS)
        rows[n, list(found)] = list(found.values())
    models = sorted({model for one in given for model in one.right})
    labels = np.array([[float(one.right.get(model, np.nan)) for model in models] for one in given])
    return rows, labels, np.array([fold_of(one.key) for one in given])


class Fitting:
    """Ridge regressions without any of the folds: sums of squares are added up by fold, once.

    Models that were asked the same questions share them.
    """

    def __init__(self, rows: Array, labels: Array, folds: Array, tasks: int, measures: int) -> None:
        self.rows, self.labels, self.folds = rows, labels, folds
        self.tasks, self.measures = tasks, measures
        known = ~numpy().isnan(labels)
        asked = [known[:, n].tobytes() for n in range(labels.shape[1])]
        self._alike = [[n for n, one in enumerate(asked) if one == same] for same in dict.fromkeys(asked)]
        self._sums = [self._added(known[:, models[0]], models) for models in self._alike]

    def _added(self, known: Array, models: list[int]) -> list[tuple[Array, Array]]:
        """By fold, the squares and products of the questions that some models were asked."""
        found = []
        for fold in range(FOLDS):
            here = (self.folds == fold) & known
            rows = self.rows[here]
            found.append((rows.T @ rows, rows.T @ self.labels[here][:, models]))
        return found

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
        found: Array = numpy().zeros((self.rows.shape[1], self.labels.shape[1]))
        for models, sums in zip(self._alike, self._sums, strict=True):
            losses = [
                sum(self._loss(fold, models, self._solved(sums, (*without, fold), penalty)) for fold in inner)
                for penalty in PENALTIES
            ]
            found[:, models] = self._solved(sums, without, PENALTIES[losses.index(min(losses))])
        return found

    def _loss(self, fold: int, models: list[int], weights: Array) -> float:
        held = self.folds == fold
        return float(numpy().nansum((self.rows[held] @ weights - self.labels[held][:, models]) ** 2))

    def _solved(self, sums: Sequence[tuple[Array, Array]], without: tuple[int, ...], penalty: float) -> Array:
        np = numpy()
        kept = [fold for fold in range(FOLDS) if fold not in without]
        squares: Array = np.sum([sums[fold][0] for fold in kept], axis=0)
        products: Array = np.sum([sums[fold][1] for fold in kept], axis=0)
        ridge = np.full(len(squares), penalty)
        ridge[: self.tasks] /= TASK_SCALE
        measures = slice(self.tasks, self.tasks + self.measures)
        count = max(squares[-1, -1], 1.0)  # the last column is always 1
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
    known = ~np.isnan(labels)
    for n, model in enumerate(models):
        chance, right = likely[known[:, n], n], labels[known[:, n], n]
        bins = np.minimum((chance * 10).astype(int), 9)
        gaps = [abs((chance - right)[bins == k].sum()) for k in range(10)]
        figures[f"accuracy of {model}"] = float(right.mean())
        figures[f"calibration error of {model}"] = float(sum(gaps) / len(right))
    means = np.nanmean(labels, axis=0)
    weak, strong = means.argmin(), means.argmax()
    both = known[:, weak] & known[:, strong]
    if both.sum() < FEWEST_EACH:  # a router has sent each question to one of them: nothing can be compared
        return {name: round(value, 4) for name, value in figures.items()}
    gain = (likely[:, strong] - likely[:, weak])[both]
    sides = gain, labels[both, weak], labels[both, strong]
    drawn = np.random.default_rng(1).integers(0, len(gain), (300, len(gain)))
    low, high = np.quantile([apgr(*(side[one] for side in sides)) for one in drawn], [0.025, 0.975])
    figures |= {"apgr": apgr(*sides), "apgr.low": float(low), "apgr.high": float(high)}
    return {name: round(value, 4) for name, value in figures.items()}
