"""A report as one HTML page that loads nothing. Everything from models and sources is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Sequence

from dissensus.cli.texts import visible

from .markdown import paragraphs
from .report import Block, Commands, Items, Quote, Section, Table, Text, Title

STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.55 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin-top: 2rem; }
blockquote { margin: .8rem 0; padding-left: 1rem; border-left: .2rem solid #8888; overflow-wrap: anywhere; }
blockquote footer { font-size: .85rem; opacity: .75; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; } td { overflow-wrap: anywhere; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; }
tr { border-bottom: 1px solid #8884; }
pre { overflow-x: auto; padding: .6rem; border: 1px solid #8884; } sup a { text-decoration: none; }
@media print {
  body { max-width: none; margin: 0; font-size: 10.5pt; } h2 { break-after: avoid; }
  blockquote, tr, li { break-inside: avoid; } pre { white-space: pre-wrap; } a { color: inherit; }
}
""".strip()

HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
"""


def page(blocks: Sequence[Block]) -> str:
    """The blocks as one page."""
    title = next((block.text for block in blocks if isinstance(block, Title)), "dissensus")
    body = "\n".join(piece for block in blocks for piece in _of(block))
    return HEAD.format(title=plain(title), style=STYLE) + body + "\n</body>\n</html>\n"


def _of(block: Block) -> Iterator[str]:
    match block:
        case Title():
            yield f"<h1>{plain(block.text)}</h1>"
        case Section():
            yield f"<h2>{plain(block.text)}</h2>"
        case Text():
            yield from (f"<p>{piece}</p>" for piece in _prose(block))
        case Items():
            items = ("<br>".join(_prose(item)) for item in block.items)
            yield "<ul>" + "".join(f"\n<li>{item}</li>" for item in items) + "\n</ul>"
        case Quote():
            yield (
                f'<blockquote id="c{block.number}">[{block.number}] “{plain(block.text)}”'
                f"<footer>{plain(block.where)}</footer></blockquote>"
            )
        case Table():
            yield "<table>" + "\n".join(_table(block)) + "</table>"
        case Commands():
            yield "<pre>" + "\n".join(map(plain, block.lines)) + "</pre>"


def _prose(block: Text) -> list[str]:
    pieces = [plain(piece) for piece in paragraphs(block.text)]
    if block.strong:
        pieces[0] = f"<strong>{plain(block.strong)}</strong> {pieces[0]}"
    pieces[-1] += "".join(f' <sup><a href="#c{number}">[{number}]</a></sup>' for number in block.cites)
    return pieces


def _table(block: Table) -> Iterable[str]:
    yield "<tr>" + "".join(f"<th>{plain(name)}</th>" for name in block.columns) + "</tr>"
    for row in block.rows:
        yield "<tr>" + "".join(f"<td>{plain(cell)}</td>" for cell in row) + "</tr>"


def plain(text: str) -> str:
    """A text that stands there as it is, on one line."""
    return html.escape(visible(" ".join(text.split())))
