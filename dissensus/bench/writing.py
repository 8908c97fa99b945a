"""Writing what was measured into files: whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import secrets
from contextlib import suppress
from pathlib import Path

from dissensus_state.errors import DiskFull

from .errors import TableRefused
from .pages import Data, as_csv, as_markdown, page

FORMS = (".md", ".json", ".csv")
ROUTINGS = (".toml", ".json")

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


def check(file: str | None, forms: tuple[str, ...]) -> None:
    """Refuse a file that could not be written, before anybody is paid for what is to stand in it.

    Raises:
        TableRefused: Its ending says nothing, or there is no such folder.
    """
    if file is None:
        return
    path = Path(file)
    if path.suffix not in forms:
        raise TableRefused(
            f"{file} ends in none of {', '.join(forms)}", next_step="Name it with one of these"
        )
    folder = path.parent
    if not folder.is_dir() or path.is_dir():
        raise TableRefused(f"{file} cannot be written: there is no folder {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise TableRefused(f"{file} cannot be written: you have no right to write into {folder}")


def table_text(data: Data, file: str) -> str:
    """The table in the form that the file's ending names."""
    match Path(file).suffix:
        case ".json":
            return json.dumps(data, indent=1, ensure_ascii=False) + "\n"
        case ".csv":
            return as_csv(data)
    return as_markdown(page(data))


def write(file: str, text: str) -> None:
    """Put a file in its place once it is whole.

    Raises:
        TableRefused: It cannot be written there.
        DiskFull: There is no room for it.
    """
    path = Path(file)
    made = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with made.open("xb") as whole:
            whole.write(text.encode("utf-8", "backslashreplace"))
            whole.flush()
            os.fsync(whole.fileno())
        made.replace(path)
    except OSError as error:
        with suppress(OSError):
            made.unlink()
        if error.errno in _NO_ROOM:
            raise DiskFull(f"There is no room for {file}") from error
        raise TableRefused(f"{file} cannot be written: {error.strerror or error}") from error
