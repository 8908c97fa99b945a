"""Making anything safe to show, one line or many; and how times and money are written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

_JOINERS = "\u200c\u200d"
"""Invisible, and part of how several scripts and many emoji are written."""

_LINE_ENDS = "\u2028\u2029"
_LAST_CONTROL = "\x9f"


def visible(text: str) -> str:
    r"""The text on one line, with everything that could steer a terminal written as an escape.

    Control characters, line ends, marks that turn the direction of writing and invisible
    characters become `\x1b`, `\n`, `\u202e`, so that what a model or a database says cannot
    move the cursor, forge a line or hide a word.
    """
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(char: str) -> str:
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


def lines(text: str) -> list[str]:
    """The text line by line, each made visible; only line feeds end a line, tabs become spaces."""
    return [visible(line.expandtabs(4)) for line in text.replace("\r\n", "\n").split("\n")]


def clipped(text: str, limit: int) -> str:
    """The text, or its beginning and how much was left out."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit:,} characters more)"


def encoded(value: Any) -> str:
    """A value as the JSON that `--json` prints: one line of ASCII, whatever stands in it."""
    return json.dumps(value, default=str)


def compact(value: Any, indent: int | None = None) -> str:
    """A value as JSON that people can read and programs still can parse.

    What could steer a terminal is written in JSON's own escapes; all other characters stay.
    """
    text = json.dumps(value, ensure_ascii=False, default=str, indent=indent)
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(char: str) -> str:
    return char if char == "\n" or _visible(char) == char else json.dumps(char)[1:-1]


def when(milliseconds: int | None) -> str:
    """A time in UTC, to the second."""
    if milliseconds is None:
        return ""
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, OSError, ValueError):
        return f"{milliseconds} ms"
    return moment.strftime("%Y-%m-%d %H:%M:%SZ")


def usd(nano: int | None) -> float | None:
    """US dollars from nano-USD; None stays unknown."""
    return None if nano is None else nano / 1e9


def money(dollars: float | None) -> str:
    """US dollars as they are shown."""
    return "unknown" if dollars is None else f"${dollars:.6f}"


def count(number: int, noun: str) -> str:
    """`1 call`, `2 calls`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
