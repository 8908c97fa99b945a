"""Text and Markdown: lines, and the headings above them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from .decoding import Encoding, clean, opened
from .passages import Block, Piece, blocks_of, pieces_of, section

_heading = re.compile(r" {0,3}#{1,6}[ \t]+(?P<title>.*?)[ \t#]*$")
_underline = re.compile(r" {0,3}(?:=+|-{2,})[ \t]*$")
_fence = re.compile(r" {0,3}(?P<marks>`{3,}|~{3,})")


def text(path: Path, encoding: Encoding, _: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The passages of a text; their places are its lines."""
    with opened(path, encoding) as file:
        for block in blocks_of(pieces_of(file)):
            yield block.place, clean(block.text)


def markdown(path: Path, encoding: Encoding, _: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The passages of a Markdown file; their places are its sections, and lines."""
    with opened(path, encoding) as file:
        for (_, title), pieces in groupby(_with_titles(pieces_of(file)), key=lambda item: item[0]):
            for block in blocks_of(piece for _, piece in pieces):
                yield _place(title, block), clean(block.text)


def _place(title: str, block: Block) -> str:
    return f"{section(title)}, {block.place}" if title else block.place


def _with_titles(pieces: Iterator[Piece]) -> Iterator[tuple[tuple[int, str], Piece]]:
    """Each line with the number and the title of its section; what fences enclose has no headings."""
    number, title, fence = 0, "", ""
    held: Piece | None = None
    for piece in pieces:
        marks = _fence.match(piece.text)
        if marks is not None and (not fence or marks["marks"].startswith(fence)):
            fence = "" if fence else marks["marks"]
        if held is not None:
            if not fence and _underline.match(piece.text) and held.text.strip():
                number, title = number + 1, held.text.strip()
            yield (number, title), held
            held = None
        found = None if fence or piece.start else _heading.match(piece.text)
        if found is not None:
            number, title = number + 1, found["title"]
        if found is not None or fence or piece.start:
            yield (number, title), piece
        else:
            held = piece
    if held is not None:
        yield (number, title), held
