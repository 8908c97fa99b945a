"""A chain of thought as it is read: its steps, where it states an answer, and the question it is about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from .likeness import words
from .workings import Working, plain, workings

MAX_READ = 24_000
"""Characters of one reasoning that are read."""

MAX_OPTIONS = 26
BARE = 25
"""Fewer characters beside the answer than this are no reasoning."""

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_MANNERS = re.compile(
    r"(?:[Ll]et's think step by step\.?|[Ww]e refer to Wikipedia articles on [^.\n]{0,200} for help\.?)"
)
"""Phrases of a prompt that a model repeats: they tell who writes, and nothing of the reasoning."""

_STATED = re.compile(
    r"(?:[Aa]nswer|[Oo]ption|[Cc]hoice) is:?\s*(?:option )?\**\\?(?:boxed\{)?\(?([A-Z])\b"
    r"|[Aa]nswer:\s*\**\(?([A-Z])\b(?!\w)"
)
_ANSWER = re.compile(r"(?:[Tt]he|[Ff]inal|[Cc]orrect) [Aa]nswer(?: is\b|:)|####")
_LEADING = re.compile(
    r"(?:(?:so|thus|therefore|hence|the|final|correct|best|closest)\b,?\s*)+$", re.IGNORECASE
)
"""What leads up to the statement of an answer, and is no step of its own."""

_BREAK = re.compile(r"\n+|(?<=[.!?;])\s+(?=[A-Z(\\$0-9*])|(?<=\.\))\s+")
_LISTED = re.compile(r"^[ \t]*\(?([A-Z])[).:][ \t]+(.+)$", re.MULTILINE)
_LETTER = re.compile(r"\s*\(?([A-Z])\)?[.:]?\s*", re.IGNORECASE)
_NUMBER = re.compile(
    r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:\s*\*\s*10\s*\^\s*\(?\s*-?\d{1,3}\b|[eE][-+]?\d{1,3}\b)?"
)
_STOP = frozenset(
    "a an the of to in is are was were be been and or for on by with as at from that this it its which not "  # noqa: SIM905
    "can will would has have had if then than so but do does did we i he she they their his her these those "
    "there".split()
)


@dataclass(frozen=True)
class Question:
    """What was asked, and the answers to choose from, if any."""

    text: str
    options: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str, options: Sequence[str] = ()) -> Question:
        """A question; options that stand in it ("(A) …", "B. …", in order from A) are found."""
        if not options:
            options = listed(text)
        return cls(text[:MAX_READ], tuple(option[:2000] for option in options[:MAX_OPTIONS]))

    @cached_property
    def words(self) -> frozenset[str]:
        """Its words that say something."""
        return frozenset(telling(self.text))

    @cached_property
    def numbers(self) -> tuple[float, ...]:
        """Its numbers."""
        return tuple(numbers(plain(self.text))[:100])

    @cached_property
    def option_words(self) -> tuple[tuple[str, ...], ...]:
        """Of each option, the words that say something."""
        return tuple(tuple(telling(option)) for option in self.options)

    @cached_property
    def marking_words(self) -> tuple[tuple[str, ...], ...]:
        """Of each option, the words that the question does not say already; else all of them."""
        return tuple(
            tuple(word for word in said if word not in self.words) or said for said in self.option_words
        )

    @cached_property
    def option_numbers(self) -> tuple[float | None, ...]:
        """Of each option, the first number in it."""
        return tuple(next(iter(numbers(plain(option))), None) for option in self.options)

    @cached_property
    def calculating(self) -> bool:
        """Whether it asks for a number, as far as its options or its own numbers tell."""
        if self.options:
            return sum(number is not None for number in self.option_numbers) >= 0.7 * len(self.options)
        return len(self.numbers) > 1

    def option(self, says: str) -> int | None:
        """Which option an answer names, by its letter or by its text."""
        letter = _LETTER.fullmatch(says)
        if letter:
            index = LETTERS.index(letter[1].upper())
            return index if index < len(self.options) else None
        wanted = says.strip().casefold()
        same = (n for n, option in enumerate(self.options) if option.strip().casefold() == wanted)
        return next(same, None)


@dataclass(frozen=True)
class Step:
    """One step of a chain: a sentence or a line, with the calculations in it. Steps count from 0."""

    number: int
    text: str

    @cached_property
    def workings(self) -> tuple[Working, ...]:
        """What is worked out in it."""
        if "=" not in self.text and "≈" not in self.text and "approx" not in self.text:
            return ()
        return tuple(workings(self.text))


@dataclass(frozen=True)
class Chain:
    """A chain of thought, without the phrases of its prompt.

    `body` is the reasoning: what stands before the first statement of the answer, or after it where an
    answer comes first. `stated` are the letters it gives as its answer, in order.
    """

    text: str
    body: str
    stated: tuple[str, ...]
    concludes: bool
    answers_first: bool

    @classmethod
    def of(cls, reasoning: str) -> Chain:
        """Read one."""
        text = _MANNERS.sub(" ", reasoning[:MAX_READ]).strip()
        found = list(_STATED.finditer(text))
        first = found[0] if found else _ANSWER.search(text)
        begin, end = first.span() if first else (len(text), len(text))
        leading = _LEADING.search(text, max(0, begin - 40), begin) if first else None
        before, after = text[: leading.start() if leading else begin], text[end:]
        answers_first = first is not None and len(before.strip()) < BARE
        body = after if answers_first and len(after.strip()) > BARE else before
        stated = tuple((match[1] or match[2]).upper() for match in found)
        return cls(text, body, stated, first is not None, answers_first)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The steps of its reasoning."""
        return tuple(map(Step, *zip(*enumerate(steps(self.body)), strict=True))) if self.body.strip() else ()

    @cached_property
    def plain(self) -> str:
        """Its reasoning in plain arithmetic."""
        return plain(self.body)

    @cached_property
    def numbers(self) -> tuple[float, ...]:
        """The numbers of its reasoning, in order."""
        return tuple(numbers(self.plain))

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words of its reasoning that say something."""
        return tuple(telling(self.body))


def steps(text: str) -> list[str]:
    """A text split into steps: its lines, and their sentences."""
    return [part.strip() for part in _BREAK.split(text) if part and part.strip()]


def listed(text: str) -> tuple[str, ...]:
    """The answers to choose from that a question lists, "(A) …" or "A. …", in order from A."""
    options: list[str] = []
    for match in _LISTED.finditer(text):
        if len(options) < MAX_OPTIONS and match[1] == LETTERS[len(options)]:
            options.append(match[2].strip())
    return tuple(options) if len(options) > 1 else ()


def telling(text: str) -> list[str]:
    """The words of a text, without those that stand in every text."""
    return [word for word in words(text) if word not in _STOP]


def numbers(text: str) -> list[float]:
    """The numbers of a plain text, in order; "3 * 10^5" is one."""
    return [value for match in _NUMBER.finditer(text) if (value := _value(match[0])) is not None]


def _value(written: str) -> float | None:
    mantissa, _, power = written.replace(",", "").replace(" ", "").replace("(", "").partition("*10^")
    try:
        value = float(mantissa) * 10.0 ** int(power or 0)
    except (ValueError, OverflowError):
        return None
    return value if abs(value) < 1e300 else None


def near(a: float, b: float, share: float) -> bool:
    """Whether two numbers are the same but for this share of the larger."""
    return abs(a - b) <= share * max(abs(a), abs(b))
