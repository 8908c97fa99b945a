"""How much two series or two texts share, in bounded time: the arithmetic under the comparators."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar, cast

MAX_ITEMS = 10_000
"""So many items of a list are compared one by one; what follows is compared as a whole."""

MAX_CHARACTERS = 20_000
"""So much of a text is compared word by word (about 3,000 words); the rest as a whole."""

MAX_WORD = 1000

_UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Scripts without spaces between words (Thai, Kana, Han): there every character is a word."""

_WORD = re.compile(rf"\d+(?:[.,:]\d+)*|[{_UNSPACED}]|[^\W{_UNSPACED}]+(?:'[^\W{_UNSPACED}]+)*")

_NEGATIONS = frozenset(("not", "no", "never", "none", "nothing", "neither", "nor", "without", "cannot"))

_Series = TypeVar("_Series", str, Sequence[Hashable])


def items_alike(a: Sequence[Hashable], b: Sequence[Hashable]) -> float:
    """The share (0 to 1) of two series that stands in both, in the same order.

    Beyond `MAX_ITEMS` items, what follows counts as shared only if it is the same in both.
    """
    return _bounded(a, b, MAX_ITEMS, _alike)


def words_alike(a: str, b: str) -> float:
    """The share (0 to 1) of the words of two texts that stands in both, in the same order.

    Case, spacing, punctuation and Unicode form (NFC) are left aside. Beyond `MAX_CHARACTERS`, what
    follows counts as shared only if it is the same in both.
    """
    return _bounded(a, b, MAX_CHARACTERS, _texts_alike)


def contradict(a: str, b: str) -> bool:
    """Whether two texts deny each other in a way that words in common don't show.

    Each has a number that the other lacks, or one has more negations (English words) than the
    other. Only the first `MAX_CHARACTERS` are read.
    """
    left, right = (words(text[:MAX_CHARACTERS]) for text in (a, b))
    here, there = _numbers(left), _numbers(right)
    return bool(here - there and there - here) or _negations(left) != _negations(right)


def words(text: str) -> list[str]:
    """The words and numbers of a text, folded: case, Unicode form (NFC), apostrophes."""
    folded = composed(text).casefold().replace("\u2019", "'")
    return cast("list[str]", _WORD.findall(folded))


def composed(text: str) -> str:
    """A text with single spaces and composed characters (NFC), in linear time.

    Normalising is quadratic in a run of combining marks (100,000 of them: seconds), so a "word" of
    more than 1,000 characters stays as it is.
    """
    return " ".join(map(_composed, text.split()))


def _composed(word: str) -> str:
    if word.isascii() or len(word) > MAX_WORD:
        return word
    return unicodedata.normalize("NFC", word)


def _bounded(a: _Series, b: _Series, limit: int, alike: Callable[[_Series, _Series], float]) -> float:
    longest = max(len(a), len(b))
    if longest <= limit:
        return alike(a, b)
    rest = (longest - limit) * (a[limit:] == b[limit:])
    return (limit * alike(a[:limit], b[:limit]) + rest) / longest


def _texts_alike(a: str, b: str) -> float:
    left, right = words(a), words(b)
    return _alike(left, right) if left or right else float(a.split() == b.split())


def _alike(a: Sequence[Hashable], b: Sequence[Hashable]) -> float:
    both = len(a) + len(b)
    return 2 * _common(a, b) / both if both else 1.0


def _common(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """Length of the longest common subsequence, a whole row at a time in the bits of an integer.

    Hyyrö, "Bit-parallel LCS-length computation revisited" (2004): the zeros of the last row.
    """
    places: dict[Hashable, int] = {}
    for position, item in enumerate(a):
        places[item] = places.get(item, 0) | 1 << position
    row = full = (1 << len(a)) - 1
    for item in b:
        hits = row & places.get(item, 0)
        row = ((row + hits) | (row - hits)) & full
    return len(a) - row.bit_count()


def _numbers(found: Iterable[str]) -> set[str]:
    return {word.replace(",", "") for word in found if word[0].isdigit()}


def _negations(found: Iterable[str]) -> int:
    return sum(1 for word in found if word in _NEGATIONS or word.endswith("n't"))
