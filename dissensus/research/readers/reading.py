"""Reading one file: `read(path)` gives its passages one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from . import plain, tables
from .decoding import Encoding, encoding_of
from .errors import Unreadable
from .kinds import kind_of
from .passages import Reading, note
from .workers import apart

_HERE: dict[str, Callable[[Path, Encoding, dict[str, Any]], Iterator[tuple[str, str]]]] = {
    "text": plain.text,
    "markdown": plain.markdown,
    "csv": tables.table,
}


def read(path: Path | str) -> Reading:
    """Begin to read a file as text, Markdown, PDF, table or HTML.

    Its passages come one by one, so that a large file is never in memory as a whole. PDF and HTML are read by
    a process of its own, bounded in time and memory.

    Raises (here, or from the passages):
        Unreadable: it gives no text: it is binary, damaged, encrypted, empty, or takes too long.
    """
    file = Path(path)
    detail: dict[str, Any] = {}
    try:
        kind = kind_of(file)
    except OSError as error:
        raise _unreadable(error, file) from error
    return Reading(kind, _passages(kind, file, detail), detail)


def _passages(kind: str, file: Path, detail: dict[str, Any]) -> Iterator[tuple[str, str]]:
    given = False
    try:
        found = apart(kind, file, detail) if kind in {"pdf", "html"} else _here(kind, file, detail)
        for place, text in found:
            given = True
            yield place, text
    except OSError as error:
        raise _unreadable(error, file) from error
    except Unreadable as error:
        error.context.setdefault("file", file.name)
        raise
    if not given:
        raise Unreadable("It holds no text", file=file.name)


def _here(kind: str, file: Path, detail: dict[str, Any]) -> Iterator[tuple[str, str]]:
    encoding = encoding_of(file)
    detail["encoding"] = encoding.name
    if encoding.note:
        note(detail, encoding.note)
    return _HERE[kind](file, encoding, detail)


def _unreadable(error: OSError, file: Path) -> Unreadable:
    return Unreadable(f"It cannot be opened: {error.strerror or error}", file=file.name)
