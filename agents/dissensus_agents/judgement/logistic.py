"""Logistic regression by Newton's method, for fitting only: needs the extra `learn` (numpy)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .folds import numpy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def logistic(
    rows: Array, labels: Array, penalty: Array | float, *, start: Array | None = None, steps: int = 12
) -> Array:
    """The weights w that make `labels` likeliest under 1 / (1 + exp(-rows @ w)), less a penalty.

    Args:
        rows: One row of features for each example, shape (n, k); a constant column is the intercept.
        labels: 0 to 1 for each example, shape (n,).
        penalty: Of half the square of each weight (L2), one for all or one for each, above 0.
        start: Weights to begin with, for instance of nearly the same examples.
        steps: At most so many steps.
    """
    np = numpy()
    weights = np.zeros(rows.shape[1]) if start is None else start.copy()
    ridge = np.full(rows.shape[1], penalty) if np.isscalar(penalty) else penalty
    for _ in range(steps):
        likely = expit(rows @ weights)
        slope = rows.T @ (likely - labels) + ridge * weights
        bend = (rows * (likely * (1 - likely))[:, None]).T @ rows + np.diag(ridge)
        step = np.linalg.solve(bend, slope)
        weights -= step
        if np.abs(step).max() < 1e-4:
            break
    return weights


def expit(scores: Array) -> Array:
    """The logistic function, without overflow."""
    np = numpy()
    likely: Array = 1 / (1 + np.exp(-np.clip(scores, -35, 35)))
    return likely
