"""What a round's voters say on one question, and what their voices are worth together.

The shapes that weighing, patterns, supervisors and quality share; each is pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Basis = Literal["prior", "measured", "fitted"]
"""Where a weight comes from: what lineages suggest, what this store has counted, or a model that was
fitted to graded rounds and tested on others."""


@dataclass(frozen=True, slots=True)
class Voter:
    """Who votes: the model's name and its lineage (`maker/family`)."""

    model: str
    lineage: str


@dataclass(frozen=True, slots=True)
class Ballot:
    """One agent's voice on one question.

    `position` is the number of the position it holds; `confidence` (0 to 1) what it says of itself;
    `thinking` what can be read of its reasoning; `failed` how many checks its proposal has failed.
    """

    agent: str
    voter: Voter
    position: int
    confidence: float | None = None
    thinking: str | None = None
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Weighed:
    """What the ballots are worth.

    `shares` gives for each position how likely it is right (0 to 1), None where nothing is known that
    would say so; what is missing to 1 is that none of them is. `votes` are the effective votes behind
    the strongest position. `on` is how many graded rounds it rests on, `note` says in a sentence how.
    """

    votes: float
    shares: tuple[float, ...] | None = None
    basis: Basis = "prior"
    on: int = 0
    note: str = ""

    @property
    def best(self) -> int | None:
        """The number of the likeliest position; the first of several that are equal."""
        if not self.shares:
            return None
        return max(range(len(self.shares)), key=lambda n: (self.shares or ())[n])

    @property
    def confidence(self) -> float | None:
        """How likely the likeliest position is right."""
        return max(self.shares) if self.shares else None


class Weigher(Protocol):
    """Says what ballots are worth; the same ballots are always worth the same."""

    def weigh(self, ballots: Sequence[Ballot], task: str, options: int | None = None) -> Weighed:
        """Weigh ballots.

        Args:
            ballots: One for each agent that takes a position.
            task: What is asked; by default the step's name. Standings are kept by task.
            options: Among how many answers they could choose, where that is known.
        """


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something was so: `of` graded rounds, `hits` of them."""

    hits: float
    of: float

    def shrunk(self, prior: float, strength: float) -> float:
        """The rate, drawn toward a prior as if that had been seen `strength` times."""
        return (self.hits + prior * strength) / (self.of + strength)


class Knowledge(Protocol):
    """What is known of models' rights and wrongs; a snapshot, so that one round asks of one knowledge."""

    def accuracy(self, model: str, task: str) -> Rate | None:
        """How often a model was right at a task; None where no graded round says."""

    def correlation(self, a: Voter, b: Voter, task: str) -> tuple[float, int]:
        """How the errors of two models go together (phi, 0 to 1), and on how many rounds that rests."""
