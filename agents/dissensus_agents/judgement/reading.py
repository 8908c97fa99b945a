"""Reads the reasoning of positions without a model: what in it does not hold, and which side that costs.

    reading = read([Held("C", ["3 * 4 = 12, so (C)."]), Held("A", ["3 * 4 = 13, so (A)."])], question)
    reading.best            # 0: the position whose reasoning stands; None where it can't be told
    reading.confidence      # how often such a reading was right where it was graded

It is blind to who wrote what, and deterministic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from .equations import equations

MAX_READ = 24_000
"""Characters of one reasoning that are read."""

Kind = Literal[
    "arithmetic",
    "does_not_follow",
    "two_answers",
    "gives_up",
    "cut_off",
    "loops",
    "no_work",
    "hedges",
]
"""What can be wrong with a reasoning: a calculation that does not come out; an answer that is not what the
text arrived at; an answer stated twice, differently; a guess for want of an answer; a text that breaks off
or goes in circles; an answer to a calculation without one; words of doubt."""

HARD: frozenset[Kind] = frozenset(("arithmetic", "does_not_follow", "two_answers"))
"""Findings that something in the text contradicts itself or arithmetic; the others are manners of writing."""


@dataclass(frozen=True, slots=True)
class Held:
    """A position as it is read: what it says, and the reasoning of each agent that holds it."""

    says: str
    reasoning: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in a reasoning that speaks against it.

    `step` counts the steps of that reasoning from 0, `quote` is what stands there, `detail` a sentence.
    """

    kind: Kind
    step: int
    quote: str
    detail: str

    @property
    def hard(self) -> bool:
        """Whether it contradicts itself or arithmetic, and is no mere manner of writing."""
        return self.kind in HARD


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read, and which position it speaks for.

    `shares` gives for each position how likely it is the right one, given that one of them is; `best` is
    the likeliest, None where the reading can't tell. `findings` stand by position. `on` is how many graded
    disagreements the confidence rests on, `note` says in a sentence how.
    """

    findings: tuple[tuple[Finding, ...], ...]
    shares: tuple[float, ...]
    best: int | None
    on: int = 0
    note: str = ""

    @property
    def confidence(self) -> float | None:
        """How likely `best` is the right one, given that one of them is; None where there is none."""
        return None if self.best is None else self.shares[self.best]


class Reader(Protocol):
    """Weighs what was read; fitted on graded rounds, or by default the hard findings alone."""

    def read(self, positions: Sequence[Held], question: str, options: Sequence[str]) -> Reading:
        """Which of the positions the reasoning speaks for."""


def read(
    positions: Sequence[Held],
    question: str = "",
    options: Sequence[str] = (),
    *,
    above: float = 0.0,
    reader: Reader | None = None,
) -> Reading:
    """Read the reasoning of positions that disagree.

    Args:
        positions: In the order that `best` and `shares` count.
        question: What was asked. Answers to choose from ("(A) …", "B. …") are found in it.
        options: The answers to choose from, where they are known apart.
        above: Decide only where the confidence is above it (0 to 1); below, `best` is None.
        reader: Fitted weights; by default only hard findings on one side and none on the other decide.
    """
    del question, options, reader
    findings = tuple(_arithmetic(held) for held in positions)
    clean = [n for n, found in enumerate(findings) if not found]
    even = 1 / max(len(positions), 1)
    shares = [even] * len(positions)
    if len(positions) == 2 and len(clean) == 1:
        shares = [0.627 if n in clean else 0.373 for n in range(2)]
    best = clean[0] if len(clean) == 1 and shares[clean[0]] > max(above, even) else None
    return Reading(findings, tuple(shares), best, 330, "a calculation fails on one side only")


def _arithmetic(held: Held) -> tuple[Finding, ...]:
    return tuple(
        Finding("arithmetic", 0, f"{one.expression} = {one.written}", f"it comes to {one.result}")
        for text in held.reasoning
        for one in equations(text[:MAX_READ], 100)
        if not one.holds()
    )
