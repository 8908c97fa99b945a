"""The blocks of a page on a terminal, with rich. Nothing is ever read as markup."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from .blocks import Block, spans


def coloured(blocks: Iterable[Block]) -> str:
    """The blocks in this terminal's colours; its own wrapping keeps long lines whole to copy."""
    console = Console(highlight=False, markup=False, emoji=False)
    with console.capture() as captured:
        for line in spans(blocks):
            console.print(Text.assemble(*line), soft_wrap=True)
    return captured.get()
