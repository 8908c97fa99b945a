"""How far apart two values are: comparators that fit the type of what is compared.

| comparator | for | distance |
|---|---|---|
| `Exact` | enumerations, truth values, anything else | 0 or 1 |
| `Number` | numbers | 0 within the tolerances, else relative to the larger |
| `Amount` | numbers with a unit or a currency, as text | as of numbers; 1 for other units |
| `Time` | dates and times | 0 within the tolerance, else the gap as a share of a day |
| `Name`, `Choice`, `Address` | names, letters of a choice, URLs | 0 if folded they are the same, else 1 |
| `SetOf` | lists whose order says nothing | Jaccard: 1 - shared / all |
| `ListOf` | lists in order, or by a key | 1 - what both have in the same order |
| `Record` | objects as wholes | the share of fields that differ |
| `Text` | prose | 1 - the words that both have in the same order |
| `Anything` | rationale, evidence | 0 or 1, never a disagreement |
| `By` | whatever the user's own function compares | what it says |

All are symmetric, give 0 for equal values, and stay within 0 and 1. They are pure and bounded: a
megabyte of text costs milliseconds. Values are those that the state can hold
(`dissensus_state.values.normalise`). Where a meaning must be compared, a model is asked first
(`meaning.SameMeaning`, `meaning.Embeddings`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from numbers import Real
from typing import Any, ClassVar

from dissensus_state.values import JSON

from ..errors import GraphError
from .identity import EXACT, Comparator, Exact, identity, is_number
from .likeness import contradict, words_alike
from .lists import ListOf, SetOf
from .times import Time, is_moment

PROSE_FROM = 40
"""A string longer than this, with a space in it, is prose; a shorter one is a name or a label."""


@dataclass(frozen=True, slots=True)
class Anything:
    """Whatever stands here says the same: for rationales and evidence that nobody has to agree on."""

    tolerance: ClassVar[float] = 1.0
    fieldwise: ClassVar[bool] = True

    def distance(self, a: JSON, b: JSON, /) -> float:
        """1.0 where the values differ, which is within the tolerance; 0.0 where they do not."""
        return EXACT.distance(a, b)


@dataclass(frozen=True, slots=True)
class Number:
    """Numbers, the same within a relative or an absolute tolerance (as `math.isclose`).

    Anything that is not a number is compared exactly.

    Args:
        rel: Tolerated difference as a share of the larger number; 0.05 is five percent.
        abs: Tolerated difference in the number's own unit, for values near zero.

    Raises:
        GraphError: a tolerance below zero, or without end.
    """

    tolerance: ClassVar[float] = 0.0
    fieldwise: ClassVar[bool] = True
    rel: float = 1e-9
    abs: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.rel < math.inf and 0 <= self.abs < math.inf):
            raise GraphError(
                f"Number(rel={self.rel}, abs={self.abs}): a tolerance is not from zero up",
                next_step="Give a share such as rel=0.05, or an absolute difference such as abs=2",
            )

    def distance(self, a: JSON, b: JSON) -> float:
        """0.0 within the tolerances, else the difference as a share of the larger, at most 1.0."""
        if not (is_number(a) and is_number(b)):
            return EXACT.distance(a, b)
        if a == b:
            return 0.0
        try:
            return _apart(a, b, self.rel, self.abs)
        except OverflowError:  # the state holds integers beyond the floats; fractions hold both
            return _apart(Fraction(a), Fraction(b), Fraction(self.rel), Fraction(self.abs))


def _apart(a: Any, b: Any, rel: Any, least: Any) -> float:
    gap, scale = abs(a - b), max(abs(a), abs(b))
    if gap == math.inf:
        return 1.0
    return 0.0 if gap <= max(rel * scale, least) else min(1.0, float(gap / scale))


@dataclass(frozen=True, slots=True)
class Text:
    """Prose by its words: case, spacing, punctuation and Unicode form (NFC) aside.

    A likeness of words is no likeness of meaning, so two things count as far apart however alike
    the rest is: numbers on both sides that the other does not have, and a negation (English words)
    that only one has. Give `Embeddings` or `SameMeaning` where meaning must be compared. Beyond
    20,000 characters, what follows counts as shared only if it is the same in both.

    Args:
        similarity: Share of the words (in the same order, of both texts) from which on a difference
            is one of wording only.

    Raises:
        GraphError: a similarity outside of 0 and 1.
    """

    fieldwise: ClassVar[bool] = True
    similarity: float = 0.6

    def __post_init__(self) -> None:
        if not 0 <= self.similarity <= 1:
            raise GraphError(
                f"Text(similarity={self.similarity}): not between 0 and 1",
                next_step="Give the share of words that both must have, for instance 0.6",
            )

    @property
    def tolerance(self) -> float:
        """1 - similarity."""
        return 1.0 - self.similarity

    def distance(self, a: JSON, b: JSON) -> float:
        """1 - the share of words in common; 1.0 for near-copies that contradict each other."""
        if not (isinstance(a, str) and isinstance(b, str)) or a == b:
            return EXACT.distance(a, b)
        apart = 1.0 - words_alike(a, b)
        return 1.0 if apart <= self.tolerance and contradict(a, b) else apart


@dataclass(frozen=True, slots=True)
class By:
    """The user's own function: an embedding's distance, a model's verdict, a rule of the trade.

    It is asked once for each pair of values that are not the same JSON, always in the same order,
    and its errors are the caller's to see.

    Args:
        function: Takes two values, gives 0.0 (they say the same) to 1.0 (nothing in common).
        tolerance: Distance up to which two values say the same.

    Raises:
        GraphError: (when it is asked) the function gave no number from 0 to 1.
    """

    function: Callable[[Any, Any], float]
    tolerance: float = 0.0

    def distance(self, a: JSON, b: JSON) -> float:
        """What the function says; 0.0, without asking, for the same JSON."""
        left, right = identity(a), identity(b)
        if left == right:
            return 0.0
        first, second = (a, b) if left < right else (b, a)
        apart = self.function(first, second)
        if isinstance(apart, bool) or not isinstance(apart, Real) or not 0 <= apart <= 1:
            raise GraphError(
                f"The comparator {getattr(self.function, '__name__', 'function')!r} gave {apart!r}",
                next_step="Let it give a distance: 0.0 where two values say the same, up to 1.0",
            )
        return float(apart)


def default_for(values: Sequence[JSON]) -> Comparator:
    """The comparator that fits the type of these values; `Exact` where their types differ."""
    if all(isinstance(value, str) for value in values):
        if all(map(is_prose, values)):
            return _TEXT
        return _TIME if all(map(is_moment, values)) else EXACT
    if all(map(is_number, values)):
        return _NUMBER
    return _LIST if all(isinstance(value, list) for value in values) else EXACT


def is_prose(text: JSON) -> bool:
    """Whether a value is text that is written, rather than a name or a label."""
    if not isinstance(text, str):
        return False
    return len(text) > PROSE_FROM and len(text.split(None, 1)) > 1


def of_fields(comparator: Comparator) -> bool:
    """Whether a comparator is meant for the fields of an object, and not for the object itself."""
    return bool(getattr(comparator, "fieldwise", False))


_NUMBER, _LIST, _TEXT, _TIME = Number(), ListOf(), Text(), Time()

__all__ = [
    "Anything",
    "By",
    "Comparator",
    "Exact",
    "ListOf",
    "Number",
    "SetOf",
    "Text",
    "default_for",
    "identity",
    "is_number",
    "is_prose",
    "of_fields",
]
