"""Files that take their place once they are whole and on disk, and files that are read line by line."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .archive_records import MOST_LINE
from .errors import ArchiveRefused, DiskFull, NotFound

SQLITE = b"SQLite format 3\0"
"""How a SQLite file begins."""

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def replacing(target: Path) -> Iterator[BinaryIO]:
    """A file beside the target that takes its place once it is whole and on disk.

    Raises:
        DiskFull: there is no room for it.
        OSError: it cannot be written for another reason.
    """
    if target.exists() and not target.is_file():  # a device or a pipe, whose place nothing can take
        with target.open("wb") as file:
            yield file
        return
    with beside(target) as made, made.open("xb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def beside(target: Path) -> Iterator[Path]:
    """The name of a file to be made, in a folder of its own beside the target, whose place it then takes.

    Whatever happens in the block, what stood at the target stays until then. Its owner alone may read it.
    """
    target = Path(os.path.realpath(target))
    with _told(target):
        folder = tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.")
        with folder as name:
            made = Path(name, target.name)
            yield made
            made.chmod(0o600)
            made.replace(target)
        _settle(target.parent)


@contextmanager
def _told(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(
                f"There is no room for {target.name}: {error.strerror}; what stood there stays",
                next_step="Free some space, or name a file elsewhere",
            ) from error
        raise


def _settle(folder: Path) -> None:
    """Let a file's new name be on disk as well."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_target(target: Path, source: Path | None, *, database: bool) -> None:
    """Refuse a target that a database is, or was left open as; a database takes no place but a file's.

    Args:
        source: The file of the database that is exported.
        database: The target becomes a database itself, to which a log that was left there would be applied.
    """
    if source is not None and target.exists() and source.exists() and target.samefile(source):
        raise ArchiveRefused(f"{target.name} is the database itself", next_step="Name another file")
    if database and target.exists() and not target.is_file():
        raise ArchiveRefused(f"{target} is no file", next_step="Name a file")
    if database and Path(f"{os.path.realpath(target)}-wal").exists():
        raise ArchiveRefused(
            f"{target.name} is open as a database, or was left with its log {target.name}-wal",
            next_step="Close it, or name another file",
        )


def is_sqlite(path: Path) -> bool:
    """Whether a file begins as SQLite's do.

    Raises:
        NotFound: there is no such file.
    """
    try:
        with path.open("rb") as file:
            return file.read(len(SQLITE)) == SQLITE
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}", next_step="Name one that is there") from None
    except OSError as error:
        raise ArchiveRefused(
            f"{path} cannot be read: {error.strerror}", next_step="Name another file"
        ) from None


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file, none longer than one may be.

    Raises:
        ArchiveRefused: one is, or the last one is not whole.
    """
    while line := file.readline(MOST_LINE + 1):
        if len(line) > MOST_LINE:
            raise ArchiveRefused(f"A line is longer than {MOST_LINE // 2**20} MiB")
        if not line.endswith(b"\n"):
            raise ArchiveRefused("Its last line is not whole")
        yield line
