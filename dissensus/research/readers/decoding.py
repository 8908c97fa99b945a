"""From bytes to characters: which encoding a file has, as far as the file tells."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO

from .errors import Unreadable

_CHUNK = 1024 * 1024
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
LEGACY = "cp1252"
_CONTROLS = bytes(sorted({*range(32), 127} - {*b"\t\n\r\f\x1b"}))
_TEXT = 0.97
"""Share of the first bytes that are no control characters, in a text."""

_LEGACY_NAMES = frozenset({"iso8859-1", "ascii", "latin-1"})
"""Names under which the web sends Windows-1252."""


class Encoding(NamedTuple):
    """How a file is decoded, and what is to be told about that."""

    name: str
    note: str = ""


def encoding_of(path: Path, stated: str | None = None) -> Encoding:
    """The encoding of a file.

    Args:
        stated: What the file itself says, where nothing in its bytes says otherwise.

    Raises:
        Unreadable: it is no text.
    """
    with path.open("rb") as file:
        start = file.read(64 * 1024)
        for mark, name in _MARKS:
            if start.startswith(mark):
                return Encoding(name)
        if b"\x00" in start or len(start.translate(None, _CONTROLS)) < len(start) * _TEXT:
            raise Unreadable("It is binary, and no text")
        file.seek(0)
        if _is_utf8(file):
            return Encoding("utf-8")
    known = _known(stated)
    if known is not None:
        return Encoding(known)
    said = f"it says {stated[:40]!r}, but " if stated else ""
    return Encoding(LEGACY, f"{said}it is not UTF-8, and was read as Windows-1252")


def _is_utf8(file: BinaryIO) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for chunk in iter(lambda: file.read(_CHUNK), b""):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _known(stated: str | None) -> str | None:
    """A stated encoding, if it is one that this Python knows and that writes what it says."""
    if not stated or not stated.isascii():
        return None
    try:
        "".encode(stated)  # not every codec is one of texts
        name = codecs.lookup(stated).name
    except (LookupError, UnicodeError, ValueError):
        return None
    if name in _LEGACY_NAMES:
        return LEGACY
    return None if name.startswith(("utf-8", "utf-16", "utf-32", "utf-7")) else name


def opened(path: Path, encoding: Encoding) -> TextIO:
    """The file as characters; what cannot be decoded shows as U+FFFD."""
    return path.open(encoding=encoding.name, errors="replace")


def clean(text: str) -> str:
    """A text without what no text has: U+0000 and lone surrogates."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def chunks_of(file: TextIO, size: int = 64 * 1024) -> Iterator[str]:
    """The characters of a file, bounded."""
    return iter(lambda: file.read(size), "")
