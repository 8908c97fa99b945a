"""Where the step that a supervisor calls wrong stands in the reasoning that it calls wrong.

A step that is quoted can be looked up: its place is kept. One that does not stand there is the supervisor's
own words, or made up, and is noted as not found.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Final

from .quotations import MARKS

MAX_SEARCHED: Final = 200_000
"""Characters of a reasoning in which a step is looked for."""

MAX_STEP: Final = 2_000
"""Characters of a step that are kept."""

_MAX_MARKS: Final = 30
"""Combining marks on one letter: normalising more of them costs more than it says."""

_EDGES = " \t\n\"'“”‘’«»…"


def place_of(step: str, reasoning: str) -> tuple[int, int] | None:
    """Where a step stands in a reasoning, word for word; None where it does not.

    White space, Unicode form (NFC) and typographic quotation marks are folded; case counts. Marks of
    quotation and an ellipsis around the step are left aside. A number at an edge must be whole.

    Returns:
        Beginning and end in `reasoning`, so that `reasoning[begin:end]` is what was meant.
    """
    wanted = _folded(step.strip(_EDGES).removesuffix("...").rstrip())[0].strip()
    if not wanted:
        return None
    text, places = _folded(reasoning[:MAX_SEARCHED])
    at = text.find(wanted)
    while at >= 0:
        end = at + len(wanted)
        if not (_cuts_number(text, at) or _cuts_number(text, end)):
            return places[at], places[end]
        at = text.find(wanted, at + 1)
    return None


def _cuts_number(text: str, at: int) -> bool:
    """Whether a number goes on over this place: "took 3" does not stand in "took 3.5"."""
    left, right = text[max(0, at - 2) : at], text[at : at + 2]
    if not left or not right:
        return False
    whole = left[-1].isdigit() and right[0].isdigit()
    before = left[-1] in ".," and left[:1].isdigit() and right[0].isdigit()
    after = left[-1].isdigit() and right[0] in ".," and right[1:2].isdigit()
    return whole or before or after


def _folded(text: str) -> tuple[str, list[int]]:
    """A text as it is searched, and for each of its characters (and its end) where it stood."""
    signs: list[str] = []
    places: list[int] = []
    for at, piece in _letters(text.translate(_KEPT)):
        sign = " " if piece.isspace() else unicodedata.normalize("NFC", piece)
        if sign == " " and signs and signs[-1] == " ":
            continue
        signs.extend(sign)
        places.extend([at] * len(sign))
    return "".join(signs), [*places, len(text)]


def _letters(text: str) -> Iterator[tuple[int, str]]:
    """Each letter with the marks on it, and where it begins; what is not seen is left out."""
    begin = 0
    for at in range(1, len(text) + 1):
        if at < len(text) and unicodedata.combining(text[at]) and at - begin < _MAX_MARKS:
            continue
        piece = text[begin:at].replace(_GONE, "")
        if piece:
            yield begin, piece
        begin = at


_GONE = "\x00"
"""Stands for what folds to nothing, so that places in a text stay what they are."""

_KEPT = {code: _GONE if sign is None else sign for code, sign in MARKS.items()}
