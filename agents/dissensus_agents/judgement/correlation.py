"""How the errors of two models go together, counted on questions whose right answer is known.

Four statistics of the same table, because each answers another question:

| statistic | what it says | source |
|---|---|---|
| `phi` | whether one is wrong where the other is (Pearson's correlation of right and wrong) | |
| `kappa` | agreement in being right, beyond what the accuracies explain | Geirhos et al. 2020 |
| `same_errors` | how often both, where both are wrong, say the same | Kim et al. 2025, arXiv 2506.07962 |
| `capa` | agreement in what is said, beyond what accuracies explain | Goel et al. 2025, arXiv 2502.04313 |

Only `phi` enters weights; the others are for people, and for choosing who checks whom.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .ballots import Rate


@dataclass(frozen=True, slots=True)
class Both:
    """What two models did on one question: who was right, and whether they said the same.

    `options` is among how many answers they could choose, where that is known.
    """

    one_right: bool
    other_right: bool
    same: bool
    options: int | None = None


@dataclass(frozen=True, slots=True)
class Together:
    """How the errors of two models go together on `of` questions; None where that is undefined.

    A statistic is undefined where nothing varies: two models that are always right have no errors
    to share.
    """

    of: int
    phi: float | None
    kappa: float | None
    capa: float | None
    same_errors: Rate


def together(seen: Iterable[Both]) -> Together:
    """Count how the errors of two models go together.

    Args:
        seen: One for each question that both have answered and that is graded.
    """
    rows = list(seen)
    n = len(rows)
    if not n:
        return Together(0, None, None, None, Rate(0, 0))
    one = sum(row.one_right for row in rows) / n
    other = sum(row.other_right for row in rows) / n
    alike = sum(row.one_right == row.other_right for row in rows) / n
    wrong = [row for row in rows if not (row.one_right or row.other_right)]
    chances = [1 / (row.options - 1) if row.options and row.options > 1 else 0.0 for row in rows]
    both_wrong = (1 - one) * (1 - other)
    return Together(
        of=n,
        phi=phi([(row.one_right, row.other_right) for row in rows]),
        kappa=_beyond(alike, one * other + both_wrong),
        capa=_beyond(sum(row.same for row in rows) / n, one * other + both_wrong * sum(chances) / n),
        same_errors=Rate(sum(row.same for row in wrong), len(wrong)),
    )


def phi(pairs: Sequence[tuple[bool, bool]]) -> float | None:
    """Pearson's correlation of two models' rights and wrongs (-1 to 1); None where one never varies."""
    n = len(pairs)
    if not n:
        return None
    one, other = (sum(pair[k] for pair in pairs) / n for k in (0, 1))
    spread = one * (1 - one) * other * (1 - other)
    if spread <= 0:
        return None
    return max(-1.0, min(1.0, (sum(a and b for a, b in pairs) / n - one * other) / math.sqrt(spread)))


def _beyond(seen: float, expected: float) -> float | None:
    """Agreement beyond what was to be expected, 1 being the most that was possible."""
    return (seen - expected) / (1 - expected) if expected < 1 else None


def shrunk(measured: float, on: int, prior: float, strength: float) -> float:
    """A measured correlation, drawn toward a prior as if that had been measured on `strength` questions.

    Returns:
        From 0 to 1: errors that avoid each other are not counted on, so what is below 0 is 0.
    """
    value = (measured * on + prior * strength) / (on + strength) if on + strength else prior
    return max(0.0, min(1.0, value))


def effective(n: int, rho: float) -> float:
    """How many independent votes n voices with a mean correlation are worth (Kish's design effect).

    Args:
        n: How many voices.
        rho: The mean correlation of their errors, over all pairs; cut off at 0 and 1.
    """
    return n / (1 + (n - 1) * max(0.0, min(1.0, rho))) if n > 1 else float(n)
