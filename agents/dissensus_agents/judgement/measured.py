"""What graded rounds say of models: how often each was right, and how their errors go together.

Only grades from outside the models count: a known answer, a person, a verifier. What a model's ruling
says of a proposal is weaker, for it is as good as that model; it counts only where somebody asks for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import combinations, groupby
from typing import Final, NamedTuple

from dissensus_state.standing import Known

from .ballots import Rate, Voter

MOST: Final = 20_000
"""How many graded proposals of a store a run reads at most, the newest ones."""


class Seen(NamedTuple):
    """One model's answer in a round of which it is known whether it was right."""

    model: str
    right: bool


class Measured:
    """How often models were right at a task, and how their errors go together: a `Knowledge`.

    A model that several agents of one round have asked counts once for each, and is no pair with itself.
    It is filled first, and never changed once it is asked.
    """

    def __init__(self) -> None:
        self._rates: dict[tuple[str, str], list[float]] = {}
        self._pairs: dict[tuple[str, str, str], list[int]] = {}
        self.on = 0

    @classmethod
    def of(cls, known: Iterable[Known]) -> Measured:
        """What graded proposals say; those of a round stand together."""
        made = cls()
        for (_, _, task), several in groupby(known, lambda one: (one.session_id, one.round, one.task)):
            made.add(task, [Seen(one.model, one.right) for one in several])
        return made

    def add(self, task: str, seen: Sequence[Seen]) -> None:
        """Count a round: all its answers of which it is known whether they were right."""
        if not seen:
            return
        self.on += 1
        for one in seen:
            self.count(task, one.model, right=one.right)
        for one, other in combinations(sorted(seen), 2):
            if one.model != other.model:
                counts = self._pairs.setdefault((task, one.model, other.model), [0, 0, 0, 0])
                counts[2 * one.right + other.right] += 1

    def count(self, task: str, model: str, *, right: bool, weight: float = 1.0) -> None:
        """Count one answer, for less where it rests on less."""
        rate = self._rates.setdefault((task, model), [0.0, 0.0])
        rate[0] += weight * right
        rate[1] += weight

    def accuracy(self, model: str, task: str) -> Rate | None:
        """How often a model was right at a task; None where no graded round says."""
        found = self._rates.get((task, model))
        return None if found is None else Rate(*found)

    def correlation(self, a: Voter, b: Voter, task: str) -> tuple[float, int]:
        """How the errors of two models go together at a task: phi, and on how many rounds of both.

        It is as it was counted, but not below 0; `(0, 0)` where nothing was, or where one of them was
        always right or always wrong. Whoever uses it draws it toward what lineages suggest.
        """
        first, second = sorted((a.model, b.model))
        neither, only_b, only_a, both = self._pairs.get((task, first, second), (0, 0, 0, 0))
        n = neither + only_b + only_a + both
        spread = (both + only_a) * (neither + only_b) * (both + only_b) * (neither + only_a)
        if not spread:
            return 0.0, 0
        return max(0.0, (both * neither - only_a * only_b) / math.sqrt(spread)), n
