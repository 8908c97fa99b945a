"""Finding the files of a folder: in the same order always, and nothing is passed over in silence."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dissensus_state.errors import NotFound

from .kinds import Kind, kind_of

LARGEST = 200 * 1024 * 1024
"""Bytes of one file at most."""

LARGEST_TOGETHER = 4 * 1024 * 1024 * 1024
"""Bytes of all files at most."""

DEEPEST = 64
"""Folders in folders."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file to read. `name` is its path below the folder, with slashes; `size` is in bytes."""

    name: str
    path: Path
    size: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or folder that is passed over, and why."""

    name: str
    reason: str


def walk(
    folder: Path | str, *, largest: int = LARGEST, together: int = LARGEST_TOGETHER
) -> Iterator[Found | Skipped]:
    """The files below a folder, by name; what is not to be read comes as `Skipped`.

    Hidden files and what is no file are skipped. A link is followed where it stays inside of the folder.

    Args:
        folder: Where to look; a single file is found as well.
        largest: Bytes of one file at most.
        together: Bytes of all files at most.

    Raises:
        NotFound: there is no such folder or file.
    """
    top = Path(folder)
    if not top.exists():
        raise NotFound(f"There is no folder {str(top)!r}", next_step="Name a folder that is there")
    root = top.resolve()
    if root.is_file():
        paths: Iterator[tuple[str, Path] | Skipped] = iter([(root.name, root)])
        root = root.parent
    else:
        paths = _below(root, root, "", (root,))
    left = together
    for one in paths:
        found = one if isinstance(one, Skipped) else _found(root, *one, largest, left)
        if isinstance(found, Found):
            left -= found.size
        yield found


def _below(
    root: Path, folder: Path, prefix: str, above: tuple[Path, ...]
) -> Iterator[tuple[str, Path] | Skipped]:
    """The files of a folder and of those in it; links to folders are followed, but not in circles."""
    try:
        entries = sorted(os.listdir(folder))  # noqa: PTH208 - names, and nothing else
    except OSError as error:
        yield Skipped(_shown(prefix), f"cannot be opened: {error.strerror}")
        return
    for entry in entries:
        name, path = f"{prefix}{entry}", folder / entry
        if entry.startswith("."):
            yield Skipped(_shown(name), "is hidden")
        elif not name.isprintable():
            yield Skipped(_shown(name), "has a name that cannot be printed")
        elif not path.is_dir():
            yield name, path
        else:
            inside = path.resolve()
            if not inside.is_relative_to(root):
                yield Skipped(name, "is a link that leaves the folder")
            elif inside in above:
                yield Skipped(name, "is a link that leads back to a folder above it")
            elif len(above) > DEEPEST:
                yield Skipped(name, f"lies deeper than {DEEPEST} folders")
            else:
                yield from _below(root, path, f"{name}/", (*above, inside))


def _found(root: Path, name: str, path: Path, largest: int, left: int) -> Found | Skipped:
    try:
        if not path.resolve(strict=True).is_relative_to(root):
            return Skipped(name, "is a link that leaves the folder")
        told = path.stat()
        if not stat.S_ISREG(told.st_mode):
            return Skipped(name, "is no file")
        if told.st_size == 0:
            return Skipped(name, "is empty")
        if told.st_size > largest:
            return Skipped(name, f"has {told.st_size:,} bytes, and not at most {largest:,}")
        if told.st_size > left:
            return Skipped(name, "does not fit into what all files together may have")
        return Found(name, path, told.st_size, kind_of(path))
    except (OSError, RuntimeError) as error:  # a link in a circle is a RuntimeError before Python 3.13
        return Skipped(name, f"cannot be opened: {getattr(error, 'strerror', None) or error}")


def _shown(name: str) -> str:
    return name if name.isprintable() else ascii(name)[1:-1]
