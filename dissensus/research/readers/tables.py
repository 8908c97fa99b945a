"""Tables in CSV and TSV: rows, with the header repeated in every passage."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from .decoding import Encoding, clean, opened
from .passages import CHARACTERS, WORDS, Piece, blocks_of, note, parts_of, pieces_of

ROWS = 50
"""Rows of a passage at most."""

_DELIMITERS = ",;\t|"
_SAMPLE_LINES = 20
_LONGEST_LINE = 1024 * 1024
_LONGEST_HEADER = 1000
_BETWEEN = " | "


def table(path: Path, encoding: Encoding, detail: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The passages of a table; their places are its rows, counted from 1 below the header.

    What cannot be read as rows any more is read as text.
    """
    with opened(path, encoding) as file:
        delimiter = _delimiter(file)
        file.seek(0)
        rows = _Rows(file, delimiter)
        detail["delimiter"] = delimiter
        yield from _passages(rows)
        if rows.failed:
            note(detail, f"from line {rows.taken[0][0]} on it is no table ({rows.failed}): read as text")
            for block in blocks_of(rows.rest()):
                yield block.place, clean(block.text)


def _delimiter(file: TextIO) -> str:
    """What parts the fields: the sign that the first lines have most often, and equally often."""
    sample = file.read(64 * 1024).splitlines()[:_SAMPLE_LINES]
    counts = {sign: [_outside(line).count(sign) for line in sample if line.strip()] for sign in _DELIMITERS}
    even = {sign: min(found) for sign, found in counts.items() if found and min(found) > 0}
    if even:
        return max(even, key=lambda sign: (len(set(counts[sign])) == 1, even[sign]))
    return max(_DELIMITERS, key=lambda sign: sum(counts[sign]))


def _outside(line: str) -> str:
    """A line without what stands in quotation marks."""
    return "".join(line.split('"')[::2])


class _Rows:
    """The rows of a file, as far as it is a table.

    Attributes:
        taken: The lines since the last whole row, with their numbers.
        failed: Why it is no table from these lines on.
    """

    def __init__(self, file: TextIO, delimiter: str) -> None:
        self._file = file
        self._line = 0
        self._delimiter = delimiter
        self.taken: list[tuple[int, str]] = []
        self.failed = ""

    def __iter__(self) -> Iterator[list[str]]:
        reader = csv.reader(self._lines(), delimiter=self._delimiter)
        try:
            for row in reader:
                yield [" ".join(cell.split()) for cell in row]
                self.taken.clear()
        except csv.Error as error:
            self.failed = str(error)

    def _lines(self) -> Iterator[str]:
        while line := self._file.readline(_LONGEST_LINE):
            self._line += 1
            self.taken.append((self._line, line))
            if len(line) == _LONGEST_LINE and not line.endswith("\n"):
                raise csv.Error("a line has no end")
            yield line

    def rest(self) -> Iterator[Piece]:
        """What is no table, as lines."""
        kept = [
            Piece(number, start, part)
            for number, line in self.taken
            for start, part in parts_of(line.removesuffix("\n"))
        ]
        number, line = self.taken[-1]
        if line.endswith("\n"):
            return chain(kept, pieces_of(self._file, number + 1))
        last = kept.pop()
        return chain(kept, pieces_of(self._file, number, last.start, last.text))


def _passages(rows: _Rows) -> Iterator[tuple[str, str]]:
    header = ""
    held: list[str] = []
    first, words, characters, number = 1, 0, 0, 0
    for row in rows:
        text = clean(_BETWEEN.join(row).strip(" |"))
        if not header:
            header = text
            continue
        number += 1
        if not text:
            continue
        if held and (
            len(held) == ROWS or words >= WORDS or characters + len(text) > CHARACTERS - _LONGEST_HEADER
        ):
            yield from _passage(header, held, first, number - 1)
            held, words, characters = [], 0, 0
        if not held:
            first = number
        held.append(text)
        words += len(text.split())
        characters += len(text)
    if held:
        yield from _passage(header, held, first, number)
    elif header and not number:
        yield "header", header


def _passage(header: str, rows: list[str], first: int, last: int) -> Iterator[tuple[str, str]]:
    place = f"rows {first}-{last}" if last > first else f"row {first}"
    shown = header if len(header) <= _LONGEST_HEADER else header[: _LONGEST_HEADER - 1] + "…"
    for start, part in parts_of("\n".join(rows)):
        where = f"{place}, from character {start + 1}" if start else place
        yield where, f"{shown}\n{part}"
