"""How answers show themselves: a line of text, a table in a notebook; nothing in them can steer either.

A typed answer derives from `Shown`, a list of them is a `Listing`. What a model, a person or a database
says is data: it is escaped in HTML, and what could steer a terminal is written as an escape in text.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, SupportsIndex, TypeVar, overload

T = TypeVar("T")

MOST_ROWS = 500
"""Rows that are shown of a listing; how many are left out is said below them."""

MOST_CHARACTERS = 2_000
"""Characters that a cell shows; how many are left out is said at its end."""

_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

_JOINERS = "\u200c\u200d"
"""Invisible, and part of how several scripts and many emoji are written."""

_LINE_ENDS = "\u2028\u2029"
_LAST_CONTROL = "\x9f"

_TABLE = "border-collapse:collapse;font-size:90%"
_CELL = "text-align:left;vertical-align:top;padding:2px 8px;border-bottom:1px solid #8884"
_TEXT = f"{_CELL};white-space:pre-wrap;overflow-wrap:anywhere;max-width:60em"


class Markup(str):
    """HTML that is safe to stand in a table as it is: whoever makes one has escaped what is in it."""

    __slots__ = ()


class Shown:
    """An answer that shows itself. Its `cells` are what a line or a row says of it."""

    __slots__ = ()

    def cells(self) -> dict[str, object]:
        """What is shown, by column; everything it has where a class does not choose."""
        return self.as_dict()

    def as_dict(self) -> dict[str, Any]:
        """The answer as plain JSON data, field by field."""
        return {one.name: plain(getattr(self, one.name)) for one in fields(self) if one.repr}  # type: ignore[arg-type]

    def __str__(self) -> str:
        """The cells that say something, in one line; with their names where a class does not choose."""
        said = {name: cell(value) for name, value in self.cells().items() if not _is_empty(value)}
        chosen = type(self).cells is not Shown.cells
        texts = (text if chosen else f"{name} {text}" for name, text in said.items() if text)
        return ("  " if chosen else ", ").join(map(visible, texts))

    def _repr_html_(self) -> str:
        rows = [(name, value) for name, value in self.cells().items() if not _is_empty(value)]
        return table((), rows, type(self).__name__)


class Listing(list[T]):
    """A list of answers that shows itself, an item a line or a row. A slice of it is one as well."""

    title = ""
    """What stands above its table."""

    @overload
    def __getitem__(self, index: SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Listing[T]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> T | Listing[T]:
        found = super().__getitem__(index)
        return Listing(found) if isinstance(index, slice) else found  # type: ignore[arg-type, return-value]

    def as_dict(self) -> list[Any]:
        """The items as plain JSON data."""
        return [plain(item) for item in self]

    @property
    def rest(self) -> str:
        """What there is beyond the items; shown below them."""
        return ""

    def _ends(self) -> Iterator[str]:
        left = len(self) - MOST_ROWS
        if left > 0:
            yield f"… and {left:,} more of these {len(self):,}"
        if self.rest:
            yield self.rest

    def __str__(self) -> str:
        """An item a line, and what is left out."""
        return "\n".join([*(_line(item) for item in super().__getitem__(slice(MOST_ROWS))), *self._ends()])

    def _repr_html_(self) -> str:
        rows = [_cells(item) for item in super().__getitem__(slice(MOST_ROWS))]
        columns = list(dict.fromkeys(name for row in rows for name in row))
        body = table(columns, [[row.get(name) for name in columns] for row in rows], self.title)
        return body + "".join(f"<div>{html.escape(visible(said))}</div>" for said in self._ends())


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> str:
    """An HTML table: every text escaped, styles inline, no script.

    Args:
        columns: What stands above each column; empty for a table of names and values.
        rows: Values of any kind; structured ones are written as JSON, None as nothing. `Markup` stands as
            it is.
        title: What stands above the table.
    """
    above = f"<caption>{_escaped(title)}</caption>" if title else ""
    head = "".join(f'<th style="{_CELL}">{_escaped(name)}</th>' for name in columns)
    body = "".join(
        "<tr>" + "".join(f'<td style="{_TEXT}">{_markup(value)}</td>' for value in row) + "</tr>"
        for row in rows
    )
    top = f"<thead><tr>{head}</tr></thead>" if columns else ""
    return f'<table style="{_TABLE}">{above}{top}<tbody>{body}</tbody></table>'


def plain(value: Any) -> Any:
    """A value of an answer as plain JSON data: bytes as hex, operations as they are stored."""
    for way in ("as_dict", "to_json"):
        if hasattr(value, way):
            return getattr(value, way)()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return value


def cell(value: object) -> str:
    """What a cell says of a value, clipped: texts as they are, None as nothing, the rest as JSON."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False, default=str)
    return clipped(text, MOST_CHARACTERS)


def visible(text: str) -> str:
    r"""The text on one line, with everything that could steer a terminal written as an escape.

    Control characters, line ends, marks that turn the direction of writing and invisible
    characters become `\x1b`, `\n`, `\u202e`, so that what a model or a database says cannot
    move the cursor, forge a line or hide a word.
    """
    return text if text.isprintable() else "".join(map(shown, text))


def shown(char: str) -> str:
    """One character, or its escape where it could steer a terminal."""
    if char.isprintable() or char in _JOINERS or _is_plain_space(char):
        return char
    if char in _NAMED:
        return _NAMED[char]
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _is_plain_space(char: str) -> bool:
    return char.isspace() and char > _LAST_CONTROL and char not in _LINE_ENDS


def clipped(text: str, limit: int) -> str:
    """The text, or its beginning and how much was left out."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit:,} characters more)"


def when(milliseconds: int | None) -> str:
    """A time in UTC, to the second."""
    if milliseconds is None:
        return ""
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, OSError, ValueError):
        return f"{milliseconds} ms"
    return moment.strftime("%Y-%m-%d %H:%M:%SZ")


def usd(nano: int | None) -> str:
    """Money as it is shown; unknown where it is not known."""
    return "unknown" if nano is None else f"${nano / 1e9:.6f}"


def _line(item: object) -> str:
    text = str(item)
    return "\n".join(map(visible, text.split("\n")))


def _cells(item: object) -> Mapping[str, object]:
    if isinstance(item, Shown):
        return item.cells()
    said = plain(item)
    return said if isinstance(said, dict) else {"": said}


def _is_empty(value: object) -> bool:
    return value is None or value == "" or value in ([], (), {})


def _markup(value: object) -> str:
    return str(value) if isinstance(value, Markup) else _escaped(cell(value))


def _escaped(text: str) -> str:
    """Escaped for HTML; line ends stay, what turns the direction of writing does not."""
    return html.escape("\n".join(map(visible, text.replace("\t", "    ").split("\n"))))
