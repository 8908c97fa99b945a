"""What a page is made of, and its plain text; `terminal` gives the same blocks their colours.

Blocks hold text as it is; whoever renders them makes it safe to show.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from .texts import lines, visible


@dataclass(frozen=True, slots=True)
class Line:
    """One line, whatever its text holds."""

    text: str = ""
    style: str = ""
    indent: int = 0


@dataclass(frozen=True, slots=True)
class Passage:
    """A text of any number of lines."""

    text: str
    indent: int = 0


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows under the names of their columns; without names, the rows alone.

    `styles` colours whole columns, in their order.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    styles: tuple[str, ...] = ()
    indent: int = 0


Block: TypeAlias = Line | Passage | Grid

Span: TypeAlias = tuple[str, str]
"""A piece of a line that is safe to show, and its style."""


def plain(blocks: Iterable[Block]) -> str:
    """The blocks as text without a single escape sequence."""
    return "".join("".join(text for text, _ in line).rstrip() + "\n" for line in spans(blocks))


def spans(blocks: Iterable[Block]) -> Iterator[list[Span]]:
    """The lines that the blocks come to, each in its pieces."""
    for block in blocks:
        margin = (" " * block.indent, "")
        for line in _lines(block):
            yield [margin, *line]


def _lines(block: Block) -> Iterator[list[Span]]:
    match block:
        case Line():
            yield [(visible(block.text), block.style)]
        case Passage():
            yield from ([(line, "")] for line in lines(block.text))
        case Grid():
            yield from _grid(block)


def _grid(grid: Grid) -> Iterator[list[Span]]:
    rows = [[visible(cell) for cell in row] for row in grid.rows]
    titles = [list(grid.columns)] if grid.columns else []
    widths = [max(map(len, column)) for column in zip(*titles, *rows, strict=True)]
    for title in titles:
        yield list(_cells(title, widths, ["dim"] * len(widths)))
    styles = [*grid.styles, *[""] * len(widths)]
    for row in rows:
        yield list(_cells(row, widths, styles))


def _cells(row: Sequence[str], widths: Sequence[int], styles: Sequence[str]) -> Iterator[Span]:
    last = len(row) - 1
    for number, cell in enumerate(row):
        yield (cell, styles[number]) if number == last else (cell.ljust(widths[number] + 2), styles[number])
