"""Which kind of file a file is: by its beginning where that says it, else by its name."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["text", "markdown", "pdf", "csv", "html"]

_BY_NAME: dict[str, Kind] = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".pdf": "pdf",
    ".csv": "csv",
    ".tsv": "csv",
    ".htm": "html",
    ".html": "html",
    ".xhtml": "html",
}
_PDF = b"%PDF-"


def kind_of(path: Path) -> Kind:
    """What a file is read as; `text` where nothing says otherwise."""
    with path.open("rb") as file:
        start = file.read(1024)
    if _PDF in start:
        return "pdf"
    return _BY_NAME.get(path.suffix.lower(), "text")


def digest_of(path: Path) -> bytes:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
