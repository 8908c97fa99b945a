"""Making anything safe to show, one line or many; and how times and money are written."""

from __future__ import annotations

import json
from typing import Any

from dissensus_state.showing import clipped as clipped  # noqa: PLC0414 - said in the same words everywhere
from dissensus_state.showing import shown
from dissensus_state.showing import visible as visible  # noqa: PLC0414
from dissensus_state.showing import when as when  # noqa: PLC0414


def lines(text: str) -> list[str]:
    """The text line by line, each made visible; only line feeds end a line, tabs become spaces."""
    return [visible(line.expandtabs(4)) for line in text.replace("\r\n", "\n").split("\n")]


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
    return char if char == "\n" or shown(char) == char else json.dumps(char)[1:-1]


def usd(nano: int | None) -> float | None:
    """US dollars from nano-USD; None stays unknown."""
    return None if nano is None else nano / 1e9


def money(dollars: float | None) -> str:
    """US dollars as they are shown."""
    return "unknown" if dollars is None else f"${dollars:.6f}"


def count(number: int, noun: str) -> str:
    """`1 call`, `2 calls`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
