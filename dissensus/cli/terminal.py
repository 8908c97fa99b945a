"""The blocks of a page on a terminal, with rich. Nothing is ever read as markup."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from .blocks import Block, Grid, Line, Passage
from .texts import lines, visible


def coloured(blocks: Iterable[Block]) -> str:
    """The blocks as this terminal shows them."""
    console = Console(highlight=False, markup=False, emoji=False)
    with console.capture() as captured:
        for block in blocks:
            console.print(Padding(_shown(block), (0, 0, 0, block.indent), expand=False))
    return captured.get()


def _shown(block: Block) -> RenderableType:
    match block:
        case Line():
            return Text(visible(block.text), style=block.style)
        case Passage():
            return Text("\n".join(lines(block.text)))
        case Grid():
            return _table(block)


def _table(grid: Grid) -> Table:
    table = Table(box=None, pad_edge=False, show_header=bool(grid.columns), header_style="dim")
    styles = (*grid.styles, *[""] * len(grid.rows[0]))
    for number in range(len(grid.rows[0])):
        title = grid.columns[number] if grid.columns else ""
        table.add_column(title, style=styles[number], overflow="fold")
    for row in grid.rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    return table
