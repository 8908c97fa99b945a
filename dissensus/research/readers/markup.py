"""HTML: the text that a person sees, with the headings above it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from .decoding import chunks_of, clean, encoding_of, opened
from .passages import Piece, blocks_of, note, parts_of, section

_charset = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_:.\-]{1,40})""", re.IGNORECASE)

_UNSEEN = frozenset({"script", "style", "noscript", "template", "svg", "math", "iframe", "object", "select"})
_ALONE = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
_CLOSED_BY_THE_NEXT = frozenset({"p", "li", "td", "th", "tr", "option", "dt", "dd"})
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_BLOCKS = _HEADINGS | frozenset(
    re.findall(
        r"\w+",
        "address article aside blockquote br caption dd details div dl dt fieldset figcaption figure footer "
        "form header hr li main nav ol p pre section summary table tbody tfoot thead title tr ul",
    )
)
_CELLS = frozenset({"td", "th"})
_hidden_style = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


def charset_of(path: Path) -> str | None:
    """The encoding that a page states in its head."""
    with path.open("rb") as file:
        found = _charset.search(file.read(4096))
    return found[1].decode() if found else None


def page(path: Path, detail: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The passages of a page; their places are its sections."""
    encoding = encoding_of(path, charset_of(path))
    detail["encoding"] = encoding.name
    if encoding.note:
        note(detail, encoding.note)
    sections = _Sections()
    parser = _Page()
    with opened(path, encoding) as file:
        for chunk in chunks_of(file):
            parser.feed(chunk)
            yield from sections.passages(parser.taken())
    parser.close()
    yield from sections.passages(parser.taken())
    yield from sections.end()
    if parser.title:
        detail["title"] = parser.title


class _Page(HTMLParser):
    """Lines of visible text, each with whether it is a heading."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self._lines: list[tuple[bool, str]] = []
        self._line: list[str] = []
        self._length = 0
        self._hidden = ""
        self._depth = 0
        self._in_title = self._in_heading = False

    def taken(self) -> list[tuple[bool, str]]:
        """The lines that have come since it was asked last."""
        lines, self._lines = self._lines, []
        return lines

    def close(self) -> None:
        """Take what is left."""
        super().close()
        self._break()

    def parse_marked_section(self, i: int, report: int = 1) -> int:
        """Pass over `<![…`, of which the standard library would raise an AssertionError."""
        return self.parse_bogus_comment(i, bool(report))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._hidden:
            if tag == self._hidden and tag in _CLOSED_BY_THE_NEXT:
                self._hidden = ""
            else:
                self._depth += tag == self._hidden
                return
        if tag in _BLOCKS:
            self._break()
        elif tag in _CELLS and self._line:
            self._line.append(" | ")
        if tag in _ALONE:
            return
        if tag in _UNSEEN or _is_hidden(dict(attrs)):
            self._hidden, self._depth = tag, 1
        self._in_title = self._in_title or tag == "title"
        self._in_heading = self._in_heading or tag in _HEADINGS

    def handle_startendtag(self, tag: str, _: list[tuple[str, str | None]]) -> None:
        if not self._hidden and tag in _BLOCKS:
            self._break()

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            self._depth -= tag == self._hidden
            if not self._depth:
                self._hidden = ""
            return
        if tag in _BLOCKS:
            self._break()
        self._in_title = self._in_title and tag != "title"
        self._in_heading = self._in_heading and tag not in _HEADINGS

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if self._in_title:
            self.title = clean(" ".join((self.title + data).split()))[:200]
            return
        self._line.append(data)
        self._length += len(data)
        if self._length > 64 * 1024:
            self._break()

    def _break(self) -> None:
        text = clean(" ".join("".join(self._line).split()))
        if text.strip(" |"):
            self._lines.append((self._in_heading, text))
        self._line, self._length = [], 0


def _is_hidden(attrs: dict[str, str | None]) -> bool:
    return "hidden" in attrs or bool(_hidden_style.search(attrs.get("style") or ""))


class _Sections:
    """Lines on their way into passages."""

    def __init__(self) -> None:
        self._title = ""
        self._part = 0
        self._held: list[Piece] = []
        self._size = 0

    def passages(self, lines: list[tuple[bool, str]]) -> Iterator[tuple[str, str]]:
        for heading, text in lines:
            if heading:
                yield from self.end()
                self._title, self._part = text, 0
            for start, part in parts_of(text):
                self._held.append(Piece(len(self._held), start, part))
                self._size += len(part)
            if self._size > 64 * 1024:
                yield from self.end()

    def end(self) -> Iterator[tuple[str, str]]:
        for block in blocks_of(self._held):
            self._part += 1
            name = section(self._title) if self._title else "beginning"
            yield name if self._part == 1 else f"{name}, part {self._part}", block.text
        self._held, self._size = [], 0
