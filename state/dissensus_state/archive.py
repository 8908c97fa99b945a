"""Handing a session on: as one file, and from such a file into another database."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from . import migrations
from .archive_files import beside, check_target, is_sqlite, lines_of, replacing
from .archive_records import LEFT_OUT
from .archiving import Lines
from .clearing import REASON, Copy, clear
from .engines import Database
from .entering import named
from .errors import ArchiveRefused, NotFound, Refused, located
from .importing import Arrived, Importing
from .leaving_out import leave_out
from .pages.writing import html_page
from .readers import SessionInfo
from .shapes import Shape
from .showing import Shown
from .traces import Texts
from .values import JSON

Told = Callable[[int, int], None]
"""Is told how much is done, and of how much: lines of an export, bytes of an import (0: nobody knows)."""


def _page(lines: Lines) -> Iterator[bytes]:
    return (piece.encode() for piece in html_page(lines.work, lines.session_id, lines.limit))


CHUNKS: dict[str, Callable[[Lines], Iterator[bytes]]] = {"jsonl": iter, "html": _page}
"""The forms that are written from the lines as they come; `sqlite` is a database that takes them in.

A form is given the session in one open transaction: `lines.work`, `lines.session_id`, `lines.header`.
"""

FORMS = (*CHUNKS, "sqlite")


@dataclass(frozen=True, slots=True)
class Exported(Shown):
    """What was written.

    Attributes:
        path: Where; None where it went to a stream.
        heads: Of each branch, its newest version and that commit's hash in hexadecimal.
        counts: How many records of each type.
        bytes: How large the file is.
        digest: SHA-256 of the lines, which is the same for the same session in any database; empty for a
            page, which has none.
        redacted: The paths whose values were taken out of the copy, `left_out` what of its recordings.
        left: What was not looked for.
    """

    path: str | None
    form: str
    session: str
    heads: Mapping[str, Mapping[str, JSON]]
    counts: Mapping[str, int]
    bytes: int
    digest: str
    redacted: tuple[str, ...]
    left_out: tuple[str, ...]
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Imported(Shown):
    """What was taken in.

    Attributes:
        session: What it is called here; `source` what it was called there.
        heads: Of each branch, its newest version and that commit's hash in hexadecimal.
        counts: How many records of each type.
        bytes: How many bytes of lines were read.
        left_out: What of its recordings had been left out.
    """

    session: str
    source: str
    heads: Mapping[str, Mapping[str, JSON]]
    counts: Mapping[str, int]
    bytes: int
    left_out: tuple[str, ...]


class Asked(NamedTuple):
    """What somebody wants to hand on.

    Args:
        redact: What stands at which path instead.
        left_out: Some of `raw`, `reasoning`, `prompts`.
        author: Whom the copy's history names.
        limit: Of a page, the newest so many commits of each branch.
    """

    form: str
    redact: Mapping[str, JSON]
    left_out: Sequence[str]
    author: str
    told: Told | None = None
    limit: int | None = None


class Source(NamedTuple):
    """The session, and the schema where it is known."""

    database: Database
    info: SessionInfo
    branch: str
    shape: Shape | None


def export(source: Source, target: Path | BinaryIO, asked: Asked) -> Exported:
    """Write a session into one file, or into a stream.

    Raises:
        Refused: it cannot be redacted everywhere, or its schema is not known.
        ArchiveRefused: the target is a database that is in use, or the form cannot be written there.
        DiskFull: there is no room.
        OSError: the target cannot be written.
    """
    if asked.form not in FORMS:
        raise ArchiveRefused(
            f"There is no form {asked.form!r} of a file", next_step=f"Choose one of {', '.join(FORMS)}"
        )
    if isinstance(target, Path):
        check_target(target, _file_of(source.database), database=asked.form == "sqlite")
    elif asked.form == "sqlite":
        raise ArchiveRefused("A database cannot be written into a stream", next_step="Name a file")
    with located(session=source.info.name), ExitStack() as stack:
        texts: Texts | None = None
        left: tuple[str, ...] = ()
        if asked.redact or asked.left_out:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="dissensus-"))
            source = stack.enter_context(_copied(source, Path(folder)))
            texts, left = _changed(source, asked)
        work = stack.enter_context(source.database.reading())
        lines = Lines(work, source.info.session_id, limit=asked.limit)
        size = _written(lines, target, asked, texts)
        return Exported(
            str(target) if isinstance(target, Path) else None,
            asked.form,
            lines.header.session,
            _heads(lines.header.heads),
            lines.header.counts,
            size,
            lines.digest,
            tuple(asked.redact),
            lines.header.left_out,
            left,
        )


def _file_of(database: Database) -> Path | None:
    named = database.url.database
    return Path(named) if database.backend == "sqlite" and named and not database.in_memory else None


def _written(lines: Lines, target: Path | BinaryIO, asked: Asked, texts: Texts | None) -> int:
    """Write the file; how many bytes it has."""
    total = sum(lines.header.counts.values()) + 2
    if asked.form == "sqlite" and isinstance(target, Path):
        return _as_database(_looked(iter(lines), texts, asked.told, total), target)
    if texts is not None and CHUNKS[asked.form] is not iter:  # no record may have them
        for _ in _looked(iter(lines), texts, None, total):
            pass
    chunks = _looked(CHUNKS[asked.form](lines), texts, asked.told, total)
    if isinstance(target, Path):
        with replacing(target) as file:
            return _poured(chunks, file)
    return _poured(chunks, target)


def _poured(chunks: Iterator[bytes], file: BinaryIO) -> int:
    size = 0
    for chunk in chunks:
        file.write(chunk)
        size += len(chunk)
    return size


def _as_database(lines: Iterator[bytes], target: Path) -> int:
    """A database of its own that takes the lines in, as any other would."""
    with beside(target) as made:
        with _database(made) as database, database.writing() as work:
            Importing(work).run(lines)
        return made.stat().st_size


@contextmanager
def _database(path: Path) -> Iterator[Database]:
    """A new SQLite file, at the newest revision; when it is closed its log is in it."""
    database = Database(str(path))
    try:
        migrations.prepare(database)
        yield database
        database.vacuum()
    finally:
        database.close()


@contextmanager
def _copied(source: Source, folder: Path) -> Iterator[Source]:
    """A copy of a session, for as long as it is needed, which its owner alone may read."""
    with _database(folder / "copy.db") as database:
        with source.database.reading() as reading, database.writing() as work:
            arrived = Importing(work).run(Lines(reading, source.info.session_id))
        yield source._replace(database=database, info=arrived.info)


def _changed(copy: Source, asked: Asked) -> tuple[Texts | None, tuple[str, ...]]:
    unknown = sorted(set(asked.left_out) - set(LEFT_OUT))
    if unknown:
        raise ArchiveRefused(f"{unknown[0]!r} cannot be left out", next_step=f"Name {', '.join(LEFT_OUT)}")
    texts: Texts | None = None
    left: tuple[str, ...] = ()
    if asked.redact:
        if copy.shape is None:
            raise Refused(
                f"To redact a copy of {copy.info.name}, its schema {copy.info.schema} is needed",
                next_step="Open it with store.session(name, Schema), or give --schema module:Class",
            )
        place = Copy(copy.database, copy.info.session_id, copy.branch, copy.shape)
        texts, left = clear(place, asked.redact, asked.author)
    if asked.left_out:
        with copy.database.writing() as work:
            leave_out(work, copy.info.session_id, copy.branch, asked.left_out, asked.author, REASON)
    return texts, left


def _looked(chunks: Iterator[bytes], texts: Texts | None, told: Told | None, total: int) -> Iterator[bytes]:
    """The pieces of a file, looked through for what was taken away, over their ends as well."""
    longest = max((len(form.encode()) for form in texts.forms), default=1) if texts else 1
    tail = b""
    for number, chunk in enumerate(chunks, start=1):
        if texts is not None:
            if texts.stand_in_bytes(tail + chunk):
                raise Refused(
                    f"What is to be redacted still stands in line {number}: {_said(chunk)}",
                    next_step="It stands where no value does, in a name or a key: export without it",
                )
            tail = (tail + chunk)[1 - longest :] if longest > 1 else b""
        if told is not None:
            told(number, total)
        yield chunk


def _said(line: bytes) -> str:
    """What a line is, without what it holds."""
    return line[:40].decode("ascii", "replace").partition(",")[0].strip("{}\n")


def import_file(
    database: Database,
    path: Path | BinaryIO,
    name: str | None = None,
    session: str | None = None,
    told: Told | None = None,
) -> Imported:
    """Take a session in: from a file of lines, a stream of them, or a SQLite file of ours.

    Args:
        name: What it is to be called here.
        session: Which one of a SQLite file; not needed where there is only one.

    Raises:
        NotFound: there is no such file, or session in it.
        ArchiveRefused: the file is no session, or not whole; it says which line, and why.
        Tampered: a hash does not hold; it names the first bad commit.
        Conflict: there is a session of that name.
    """
    with ExitStack() as stack:
        if not isinstance(path, Path):
            lines, total = lines_of(path), 0
        elif is_sqlite(path):
            lines, total = stack.enter_context(_opened(path, session)), 0
        else:
            lines, total = lines_of(stack.enter_context(path.open("rb"))), path.stat().st_size
        if session is not None and (not isinstance(path, Path) or total):
            raise ArchiveRefused("A file of lines holds one session", next_step="Leave --session out")
        with database.writing() as work:
            arrived = Importing(work, name, None if told is None else _of(told, total)).run(lines)
    return _imported(arrived)


def _of(told: Told, total: int) -> Callable[[int], None]:
    return lambda done: told(done, total)


@contextmanager
def _opened(path: Path, name: str | None) -> Iterator[Iterator[bytes]]:
    """The lines of a session in a SQLite file."""
    database = Database(str(path))
    try:
        stands_at = migrations.revision(database)
        migrations.check(stands_at, database.name)
        if stands_at is None:
            raise NotFound(f"{path} holds no session")
        with database.reading() as work:
            yield iter(Lines(work, named(work, name).session_id))
    finally:
        database.close()


def _imported(arrived: Arrived) -> Imported:
    header = arrived.header
    return Imported(
        arrived.info.name,
        header.session,
        _heads(header.heads),
        dict(arrived.counts),
        arrived.size,
        header.left_out,
    )


def _heads(heads: Mapping[str, tuple[int, str]]) -> dict[str, dict[str, Any]]:
    return {branch: {"version": version, "hash": hash_} for branch, (version, hash_) in heads.items()}
