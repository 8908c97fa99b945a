"""PDF: the text of each page, as pypdf reads it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .decoding import clean
from .errors import Unreadable
from .passages import note, parts_of

_MOST_PAGES = 50_000
_DAMAGED = "It is no PDF that can be read: "


def pages(path: Path, detail: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The passages of a PDF; their places are its pages, counted from 1.

    Raises:
        Unreadable: it is damaged, encrypted, or has no text on any page.
    """
    try:
        from pypdf import PdfReader
    except ImportError as error:
        raise Unreadable(
            "Reading a PDF takes pypdf, which is not installed",
            next_step="pip install 'dissensus[research]'",
        ) from error
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = PdfReader(path)
        _decrypt(reader)
        count = len(reader.pages)
    except Unreadable:
        raise
    except MemoryError:
        raise
    except Exception as error:  # a damaged file lets pypdf raise anything
        raise Unreadable(_DAMAGED + _told(error)) from error
    detail["pages"] = count
    empty = read = 0
    for number in range(min(count, _MOST_PAGES)):
        text = _text(reader, number, detail)
        empty += not text
        read += bool(text)
        for part, (_, piece) in enumerate(parts_of(text)) if text else ():
            yield f"p. {number + 1}" + (f", part {part + 1}" if part else ""), piece
    _tell(detail, count, read, empty)


def _tell(detail: dict[str, Any], count: int, read: int, empty: int) -> None:
    failed = [said for said in detail.get("notes", ()) if "could not be read" in said]
    if not read and failed:
        raise Unreadable(f"None of its {count} pages can be read: {failed[0]}")
    if not read:
        raise Unreadable(
            f"None of its {count} pages has text: they are pictures, it seems",
            next_step="Run a text recognition (OCR) over it, and add what comes out",
        )
    if empty:
        note(detail, f"{empty} of {count} pages have no text")
    if count > _MOST_PAGES:
        note(detail, f"only the first {_MOST_PAGES:,} of {count:,} pages were read")


def _decrypt(reader: Any) -> None:
    from pypdf.errors import DependencyError

    try:
        opened = not reader.is_encrypted or reader.decrypt("")
    except DependencyError as error:
        raise Unreadable(
            "It is encrypted, and reading it takes a package that is not installed",
            next_step="pip install 'pypdf[crypto]', or save it without encryption",
        ) from error
    if not opened:
        raise Unreadable(
            "It is encrypted, and opens with a password only", next_step="Save it without a password"
        )


def _text(reader: Any, number: int, detail: dict[str, Any]) -> str:
    """The text of a page; one that is damaged is told, and the others are read."""
    try:
        found = reader.pages[number].extract_text() or ""
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        note(detail, f"p. {number + 1} could not be read: {_told(error)}")
        return ""
    return clean(found).strip()


def _told(error: Exception) -> str:
    said = " ".join(str(error).split())[:120]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
