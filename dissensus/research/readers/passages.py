"""From lines to passages: about 300 words each, with the lines at which a person finds them again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple, TextIO

WORDS = 300
"""A passage ends at the next empty line once it has two thirds of these, and at any line beyond."""

CHARACTERS = 4000
"""Longer lines are parted, and no passage grows beyond it."""

_TITLE = 80


@dataclass(frozen=True, slots=True)
class Reading:
    """A file that is being read.

    Attributes:
        kind: `text`, `markdown`, `pdf`, `csv` or `html`.
        passages: Place and text of each, one by one; `Unreadable` may come of any of them.
        detail: What there is to tell about the file; it is whole once the passages have ended.
    """

    kind: str
    passages: Iterator[tuple[str, str]]
    detail: dict[str, Any] = field(default_factory=dict)

    def note(self, said: str) -> None:
        """Tell something about the file, once."""
        note(self.detail, said)


def note(detail: dict[str, Any], said: str) -> None:
    """Put a sentence among the notes of a file, once; there are twenty at most."""
    notes = detail.setdefault("notes", [])
    if said not in notes and len(notes) < 20:
        notes.append(said)


class Piece(NamedTuple):
    """A line, or a part of a long one: the line's number from 1 on, and at which character it begins."""

    line: int
    start: int
    text: str


class Block(NamedTuple):
    """A passage of lines."""

    first: Piece
    last: Piece
    text: str

    @property
    def place(self) -> str:
        """Its lines, as a person looks for them."""
        return lines_at(self.first, self.last)


def lines_at(first: Piece, last: Piece, what: str = "line") -> str:
    """From where to where, as a person looks for it."""
    name = f"{what} {first.line}" if first.line == last.line else f"{what}s {first.line}-{last.line}"
    return f"{name}, from character {first.start + 1}" if first.start else name


def pieces_of(file: TextIO, line: int = 1, start: int = 0, rest: str = "") -> Iterator[Piece]:
    """The lines of a file, long ones in parts: a line of a gigabyte is never held in memory.

    Args:
        line: The number of the line that comes next.
        start: How much of it was given before; `rest` was read before, and not given.
    """
    while read := file.readline(max(CHARACTERS - len(rest), 1)):
        text = rest + read
        if text.endswith("\n"):
            yield Piece(line, start, text[:-1])
            line, start, rest = line + 1, 0, ""
        elif len(text) >= CHARACTERS:
            cut = parting(text)
            yield Piece(line, start, text[:cut])
            start, rest = start + cut, text[cut:]
        else:
            rest = text
    if rest:
        yield Piece(line, start, rest)


def parting(text: str) -> int:
    """Where a text that is too long is parted: after its last white space, if it has one near its end."""
    cut = max(text.rfind(" "), text.rfind("\t"), text.rfind("\n")) + 1
    return cut if cut > len(text) // 2 else len(text)


def parts_of(text: str) -> Iterator[tuple[int, str]]:
    """A text in parts that are not too long, each with where it begins."""
    start = 0
    while len(text) - start > CHARACTERS:
        end = start + parting(text[start : start + CHARACTERS])
        yield start, text[start:end]
        start = end
    yield start, text[start:]


def blocks_of(pieces: Iterable[Piece]) -> Iterator[Block]:
    """Lines as passages; those without any text are left out."""
    held: list[Piece] = []
    words = characters = 0
    for piece in pieces:
        count = len(piece.text.split())
        full = words + count > WORDS or characters + len(piece.text) > CHARACTERS
        if held and (full or (not count and words >= WORDS * 2 // 3)):
            yield from _block(held)
            held, words, characters = [], 0, 0
        if count or held:
            held.append(piece)
            words += count
            characters += len(piece.text) + 1
    yield from _block(held)


def _block(held: list[Piece]) -> Iterator[Block]:
    while held and not held[-1].text.strip():
        held.pop()
    if held:
        text = held[0].text
        for before, piece in pairwise(held):
            text += piece.text if piece.line == before.line else "\n" + piece.text
        yield Block(held[0], held[-1], text)


def title_of(heading: str) -> str:
    """A heading as it stands in a place: on one line, and not too long."""
    title = " ".join(heading.split())
    return title if len(title) <= _TITLE else title[: _TITLE - 1] + "…"


def section(heading: str) -> str:
    """How a section is called in a place."""
    return f"section '{title_of(heading)}'"
