"""How an answer is read before it is graded: a letter, a number, words, each as a text to be compared."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from decimal import Context, Decimal, InvalidOperation

LETTERS = string.ascii_uppercase
TEN = 10
"""Up to so many options MMLU-Pro's own rule holds, which looks for A to J however many there are."""

_AROUND = 8
"""Characters that stand around an option that is named with its letter."""

LONGEST = 100_000
"""No more characters of an answer are looked at; a conclusion stands at its end."""

_NUMBER = re.compile(
    r"(?:(?<![\w).])[-+])?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+|(?=\.\d))(?:\.\d+)?(?:[eE][-+]?\d+)?"
)
_EXACT = Context(prec=2 * LONGEST)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_UNSPACED = str.maketrans("", "", string.punctuation)


def letter_of(text: str, options: int = 10) -> str | None:
    """The letter that an answer gives, or None.

    MMLU-Pro's own rule, in its order: "answer is (X)", then "answer: X", then the last letter that stands
    alone (`extract_answer` in TIGER-AI-Lab/MMLU-Pro, compute_accuracy.py), from A to J, or to Z where there
    are more options. It takes no more time than the text is long.
    """
    return _stated(text, options) or _alone(text, options)


def _stated(text: str, options: int) -> str | None:
    among = _among(options)
    found = re.search(rf"answer is \(?([{among}])\)?", text)
    if found is None and "nswer:" in text:
        found = re.search(rf".*[aA]nswer:\s*([{among}])", text)
    return found and found[1]


def _alone(text: str, options: int) -> str | None:
    alone = re.findall(rf"\b[{_among(options)}]\b", text)
    return alone[-1] if alone else None


def _among(options: int) -> str:
    return "A-J" if options <= TEN else "A-Z"


def option_of(text: str, options: Sequence[str]) -> str | None:
    """The letter of an answer: by MMLU-Pro's rule; of a short one also `B) blue`, or an option's words."""
    said = text.strip()
    if (letter := _stated(said, len(options))) is not None:
        return letter
    if len(said) <= max(map(len, options)) + _AROUND:
        begins = re.match(r"\(?([A-Za-z])(?:[).:]|\Z)", said)
        if begins and LETTERS.index(begins[1].upper()) < len(options):
            return begins[1].upper()
        same = [n for n, option in enumerate(options) if plain(option) == plain(said)]
        if len(same) == 1:
            return LETTERS[same[0]]
    return _alone(said, len(options))


def number_of(text: str) -> str | None:
    """The last number of an answer as a decimal text, or None: what a worked solution ends in."""
    for found in reversed(_NUMBER.findall(text)):
        if (value := decimal_of(found.replace(",", ""))) is not None:
            return text_of(value)
    return None


def decimal_of(text: str) -> Decimal | None:
    """A finite number of a size that can be computed with, or None."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value.adjusted()) < 400 else None


def text_of(value: Decimal) -> str:
    """A number as a text, the same for `7`, `7.0` and `7.00`."""
    if not value:
        return "0"
    whole = value.normalize(_EXACT)
    return f"{whole:f}" if -30 < whole.adjusted() < 30 else f"{whole:e}"


def plain(text: str) -> str:
    """A text without what does not matter: case, spaces at the ends and in a row, a full stop at its end."""
    return " ".join(text.casefold().split()).rstrip(".")


def words(text: str) -> list[str]:
    """The words that F1 counts: without case, punctuation and articles (SQuAD's evaluation script)."""
    return _ARTICLES.sub(" ", text.casefold().translate(_UNSPACED)).split()


def f1(answer: str, expected: str) -> float:
    """The harmonic mean of precision and recall over words (SQuAD's evaluation script)."""
    said, wanted = words(answer), words(expected)
    if not said or not wanted:
        return float(said == wanted)
    same = sum((Counter(said) & Counter(wanted)).values())
    return 0.0 if same == 0 else 2 * same / (len(said) + len(wanted))
