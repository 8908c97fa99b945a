"""A report as Markdown. What models and sources wrote can't become markup, a link or a picture."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from dissensus.cli.texts import visible

from .report import Block, Commands, Items, Quote, Section, Table, Text, Title

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~&!@$^])")
_LINKS = re.compile(r"(?<=:)//|(?<=www)\.", re.IGNORECASE)
_LIST = re.compile(r"^(\s*)([-+=]|\d+(?=[.)]))")


def markdown(blocks: Iterable[Block]) -> str:
    """The blocks as one text in Markdown."""
    return "\n\n".join(piece for block in blocks for piece in _of(block)) + "\n"


def _of(block: Block) -> Iterator[str]:
    match block:
        case Title():
            yield f"# {plain(block.text)}"
        case Section():
            yield f"## {plain(block.text)}"
        case Text():
            yield _prose(block)
        case Items():
            yield "\n".join(f"- {_prose(item, '  ')}" for item in block.items)
        case Quote():
            yield f"{block.number}. “{plain(block.text)}”  \n   {plain(block.where)}"
        case Table():
            yield "\n".join(_table(block))
        case Commands():
            yield "\n".join(["```sh", *map(_command, block.lines), "```"])


def _prose(block: Text, indent: str = "") -> str:
    strong = f"**{plain(block.strong)}** " if block.strong else ""
    cites = "".join(f" \\[{number}\\]" for number in block.cites)
    return strong + f"\n\n{indent}".join(map(plain, paragraphs(block.text))) + cites


def _table(block: Table) -> Iterator[str]:
    yield "| " + " | ".join(block.columns) + " |"
    yield "|" + "---|" * len(block.columns)
    for row in block.rows:
        yield "| " + " | ".join(map(plain, row)) + " |"


def _command(line: str) -> str:
    return visible(line).replace("```", "'''")


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a text, each on one line; at least one, which may be empty."""
    found = (" ".join(piece.split()) for piece in re.split(r"\n\s*\n", text))
    return [piece for piece in found if piece] or [""]


def plain(text: str) -> str:
    r"""A text that stands there as it is, on one line.

    Control characters are shown as escapes, markup is escaped, and an address (`http:\//…`) is no link.
    """
    safe = _MARKUP.sub(r"\\\1", visible(" ".join(text.split())))
    safe = _LINKS.sub(lambda found: f"\\{found[0]}", safe)
    return _LIST.sub(_no_list, safe)


def _no_list(found: re.Match[str]) -> str:
    mark = found[2]
    return f"{found[1]}{mark}\\" if mark.isdigit() else f"{found[1]}\\{mark}"
