"""Reads the reasoning of positions without a model: what in it does not hold, and which side that costs.

    reading = read([Held("C", ("3 * 4 = 12, so (C).",)), Held("A", ("3 * 4 = 13, so (A).",))], question)
    reading.best            # 0: the position whose reasoning stands; None where it can't be told
    reading.confidence      # how often such a reading was right where it was graded

It is blind to who wrote what, and deterministic. What it finds are hints for whoever rules, and no
evidence from outside of the models; only `arithmetic` and `code` verifiers give that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from .chains import BARE, LETTERS, Chain, Question, near
from .reading_features import CLOSEST, GIVES_UP, NONE_FITS

MAX_FINDINGS = 20
"""Findings that are kept of one reasoning, the first ones."""

Kind = Literal[
    "arithmetic",
    "does_not_follow",
    "two_answers",
    "gives_up",
    "cut_off",
    "loops",
    "no_work",
]
"""What can be wrong with a reasoning: a calculation that does not come out; an answer that is not what the
text arrived at; an answer stated twice, differently; a guess for want of a fitting answer; a text that breaks
off before any answer, or repeats itself; an answer to a calculation without one."""

HARD: frozenset[Kind] = frozenset(("arithmetic", "does_not_follow"))
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
    """Says how likely each position is the right one by its reasoning; `FittedReader`, or `ByFindings`."""

    @property
    def on(self) -> int:
        """On how many graded disagreements what it says rests."""

    @property
    def note(self) -> str:
        """How, in a sentence."""

    def shares(self, positions: Sequence[Held], question: Question, /) -> tuple[float, ...]:
        """A share for each position; they add up to 1."""


@dataclass(frozen=True, slots=True)
class ByFindings:
    """Decides between two positions where one alone contradicts arithmetic or itself; else not at all.

    A failing calculation counts only where the other side has calculations too and all come out: against a
    side that has none it says little. `share` is what the other side is worth then: it was right in 83 % of
    149 such disagreements between three recorded models of about the same strength, over questions of
    MMLU-Pro where exactly one side was right (85 % of 1,617 between any two of nine models). It is a prior
    for anything else.
    """

    share: float = 0.83
    on: int = 149
    note: str = "one side alone contradicts arithmetic or itself; counted on recorded answers to MMLU-Pro"

    def shares(self, positions: Sequence[Held], question: Question, /) -> tuple[float, ...]:
        """A share for each position; they add up to 1."""
        even = (1 / len(positions),) * len(positions) if positions else ()
        if len(positions) != 2:
            return even
        sound = [_sound(held, question) for held in positions]
        if sorted(sound, key=str) != [False, True]:
            return even
        return (self.share, 1 - self.share) if sound[0] else (1 - self.share, self.share)


def _sound(held: Held, question: Question) -> bool | None:
    """Whether what a position works out comes out and leads to it; None where it works out nothing."""
    chains = [Chain.of(text) for text in held.reasoning]
    worked = [working.holds for chain in chains for step in chain.steps for working in step.workings]
    chosen = question.option(held.says)
    if not all(worked) or (chosen is not None and any(_missed(chain, question, chosen) for chain in chains)):
        return False
    return True if worked else None


BY_FINDINGS = ByFindings()


def read(
    positions: Sequence[Held],
    question: str = "",
    options: Sequence[str] = (),
    *,
    above: float = 0.5,
    reader: Reader = BY_FINDINGS,
) -> Reading:
    """Read the reasoning of positions that disagree.

    Args:
        positions: In the order that `best` and `shares` count.
        question: What was asked. Answers to choose from ("(A) …", "B. …") are found in it.
        options: The answers to choose from, where they are known apart.
        above: Decide only where the share of the likeliest is above it (0 to 1); else `best` is None.
        reader: Fitted weights (`FittedReader`); by default only calculations decide.
    """
    asked = Question.of(question, options)
    findings = tuple(findings_of(held, asked) for held in positions)
    shares = reader.shares(positions, asked) if positions else ()
    likeliest = max(range(len(shares)), key=shares.__getitem__, default=None)
    even = 1 / max(len(shares), 1)
    best = likeliest if likeliest is not None and shares[likeliest] > max(above, even + 1e-9) else None
    return Reading(findings, shares, best, reader.on, reader.note)


def first_wrong_step(
    reasoning: str, says: str = "", question: str = "", options: Sequence[str] = ()
) -> Finding | None:
    """The first step of a chain of thought that contradicts itself or arithmetic; None where none is seen.

    Args:
        reasoning: The chain of thought, with or without the answer in it.
        says: The answer, where it is known apart; without it only calculations are looked at.
        question: What was asked.
        options: The answers to choose from, where they don't stand in the question.
    """
    found = findings_of(Held(says, (reasoning,)), Question.of(question, options))
    return min((one for one in found if one.hard), key=lambda one: one.step, default=None)


def findings_of(held: Held, question: Question) -> tuple[Finding, ...]:
    """What speaks against a position, in the reasoning of any agent that holds it."""
    found = [one for text in held.reasoning for one in _findings(held.says, Chain.of(text), question)]
    return tuple(found[:MAX_FINDINGS])


def _findings(says: str, chain: Chain, question: Question) -> Iterator[Finding]:
    for step in chain.steps:
        for working in step.workings:
            if not working.holds:
                yield Finding("arithmetic", step.number, str(working), f"it comes to {working.result}")
    chosen = question.option(says)
    if chosen is not None and (missed := _missed(chain, question, chosen)):
        yield _at_the_end("does_not_follow", chain, missed)
    if len(set(chain.stated)) > 1:
        letters = ", ".join(dict.fromkeys(chain.stated))
        yield _at_the_end("two_answers", chain, f"it states several answers: {letters}")
    yield from _manners(chain, question)


def _manners(chain: Chain, question: Question) -> Iterator[Finding]:
    """What is no contradiction, and yet no good sign."""
    given_up = next(filter(None, (one.search(chain.text) for one in (NONE_FITS, CLOSEST, GIVES_UP))), None)
    if given_up:
        quote = given_up[0]
        yield Finding("gives_up", _step_of(chain, quote), quote, "it takes an answer that it does not find")
    if not chain.concludes and len(chain.body) > BARE:
        yield _at_the_end("cut_off", chain, "it ends before it states an answer")
    said = [step.text for step in chain.steps if len(step.text) > 30]
    if len(said) - len(set(said)) > 1:
        again = next(text for n, text in enumerate(said) if text in said[:n])
        yield Finding("loops", _step_of(chain, again), again[:200], "it says the same several times")
    if question.calculating and len(chain.body.strip()) < BARE:
        yield _at_the_end("no_work", chain, "a calculation is asked for, and none is shown")


def _at_the_end(kind: Kind, chain: Chain, detail: str) -> Finding:
    last = chain.steps[-1].text if chain.steps else chain.text
    return Finding(kind, max(len(chain.steps) - 1, 0), last[-200:], detail)


def _missed(chain: Chain, question: Question, chosen: int) -> str:
    """How an answer differs from what its own reasoning arrived at; "" where it does not.

    It arrived at a number if the reasoning ends with one, that is another option's, and the number of the
    option it names is nowhere near in all of its reasoning.
    """
    own, seen = question.option_numbers[chosen], chain.numbers
    if not question.calculating or own is None or not seen:
        return ""
    if any(near(abs(value), abs(own), 0.05) for value in seen) or chain.plain.rstrip(" .)$")[-12:].count("/"):
        return ""
    for n, other in enumerate(question.option_numbers):
        if n != chosen and other is not None and near(seen[-1], other, 0.001):
            return f"it arrives at {seen[-1]:g}, which is ({LETTERS[n]}), and answers ({LETTERS[chosen]})"
    return ""


def _step_of(chain: Chain, quote: str) -> int:
    """In which step a quote stands; the last where it crosses several."""
    return next((step.number for step in chain.steps if quote in step.text), max(len(chain.steps) - 1, 0))
