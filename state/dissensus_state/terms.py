"""What a text is found by: its words, folded so that a question and a text say the same alike. Pure.

Case and Unicode forms are folded, plural endings of English words are cut off (Harman's S-stemmer), and
numbers stay whole. Scripts that are written without spaces are found by each sign and each pair of signs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

LONGEST = 64
"""Longer words, which nobody asks for, are found by their beginning."""

_MARKS = (
    "\u0300-\u036f\u0591-\u05bd\u064b-\u065f\u0900-\u0963\u0971-\u0df3\u0e31-\u0e4e\u0eb1-\u0ecd"
    "\u102b-\u103e\u17b4-\u17d3"
)
"""Signs inside of words that Python takes for none: accents of their own, vowels of Indic scripts."""

_PAIRED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
)

_word = re.compile(rf"\d+(?:[.,]\d+)*|[^\W\d_][^\W_]*(?:[{_MARKS}]+[^\W_]*)*")
_ascii_word = re.compile(r"[0-9]+(?:[.,][0-9]+)*|[a-z][a-z0-9]*")
_piece = re.compile(rf"(?P<paired>[{_PAIRED}]+)|[^{_PAIRED}]+")
_owned = re.compile(r"['\u2019]s\b")
_thousands = re.compile(r",(?=[0-9]{3}(?![0-9]))")


def terms_of(text: str, *, asked: bool = False) -> list[str]:
    """The terms of a text, in its order, as often as they stand there.

    Args:
        asked: It is a question: of a run of paired signs only the pairs are given, if there are any.
    """
    if text.isascii():
        folded, word = text.lower(), _ascii_word
    else:
        folded, word = unicodedata.normalize("NFKC", text).casefold(), _word
    if "'" in folded or "\u2019" in folded:
        folded = _owned.sub("", folded)
    found: list[str] = []
    for one in word.findall(folded):
        if one.isascii():
            found.append(_ascii(one))
        else:
            found.extend(_pieces(one, asked=asked))
    return found


def _ascii(word: str) -> str:
    if word[-1] == "s":
        word = _singular(word)
    elif "," in word:
        word = _thousands.sub("", word)
    return word[:LONGEST]


def _singular(word: str) -> str:
    """Harman's S-stemmer, which also takes the `es` after a hiss away."""
    if len(word) < 4 or word[-2] in "usi":
        return word
    if word.endswith("ies"):
        return word if word[-4] in "ae" else word[:-3] + "y"
    if word.endswith(("xes", "zes", "ches", "shes", "sses")):
        return word[:-2]
    return word if word.endswith(("aes", "ees", "oes")) else word[:-1]


def _pieces(word: str, *, asked: bool) -> Iterator[str]:
    for piece in _piece.finditer(word):
        signs = piece["paired"]
        if signs is None:
            part = piece[0]
            yield _ascii(part) if part.isascii() else part[:LONGEST]
            continue
        if not asked or len(signs) == 1:
            yield from signs
        for n in range(len(signs) - 1):
            yield signs[n : n + 2]
