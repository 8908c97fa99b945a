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


def plain(blocks: Iterable[Block]) -> str:
    """The blocks as text without a single escape sequence."""
    return "".join(f"{line.rstrip()}\n" for block in blocks for line in _lines(block))


def _lines(block: Block) -> Iterator[str]:
    margin = " " * block.indent
    match block:
        case Line():
            yield margin + visible(block.text)
        case Passage():
            yield from (margin + line for line in lines(block.text))
        case Grid():
            yield from (margin + line for line in _grid(block))


def _grid(grid: Grid) -> Iterator[str]:
    rows = [[visible(cell) for cell in row] for row in grid.rows]
    if grid.columns:
        rows.insert(0, list(grid.columns))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return (_row(row, widths) for row in rows)


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
