"""The sources of a session: files that become documents of its library, once and as they were."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from dissensus_state.errors import DatabaseFailed, DissensusError

from .errors import NoSources
from .report import HISTORY
from .schema import Research, Skipped, Source

if TYPE_CHECKING:
    from dissensus_state.sessions import Session
    from dissensus_state.shelving import Adding

MOST_CHARACTERS = 500
"""Of the reason why a file was skipped."""

_REPORT = re.compile(rf"{HISTORY} [0-9a-f]{{64}}\.".encode())
_END = 16_384
"""Bytes at the end of a report in which its digest stands."""


@dataclass(frozen=True, slots=True)
class Changed:
    """How the files differ from what a session has taken in, by name."""

    changed: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changed or self.new or self.gone)

    def __str__(self) -> str:
        kinds = (("changed", self.changed), ("new", self.new), ("gone", self.gone))
        return "; ".join(f"{len(names)} {kind} since ({_some(names)})" for kind, names in kinds if names)


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def folders(given: str | Path | Iterable[str | Path]) -> list[Path]:
    """The folders and files that were named, absolute, each once; one inside of another is that one's."""
    named = [given] if isinstance(given, str | Path) else list(given)
    paths = list(dict.fromkeys(Path(item).expanduser().resolve() for item in named))
    return [path for path in paths if not any(path.is_relative_to(other) for other in paths if other != path)]


def take_in(session: Session[Research], given: Sequence[Path]) -> None:
    """Read the files into the session's library, and write down which there are; once.

    What was read before it was stopped is not read again.

    Raises:
        NoSources: there is not a single document in them.
    """
    if session.state.sources:
        return
    skipped: list[Skipped] = []
    with session.library.adding() as shelf:
        for name, path in _files(given, skipped):
            _add(shelf, name, path, skipped)
    taken = [
        Source(
            name=item.name,
            kind=item.kind,
            digest=item.digest.hex(),
            passages=item.passages,
            characters=item.characters,
        )
        for item in session.library.documents()
        if item.passages
    ]
    if not taken:
        _nothing(given, skipped)
    with session.transaction("dissensus", "collect") as tx:
        tx.set("sources", taken)
        tx.set("skipped", skipped)


def check_some(given: Sequence[Path]) -> None:
    """Look for a first file, before a session is begun over nothing.

    Raises:
        NoSources: there is none.
    """
    skipped: list[Skipped] = []
    if next(_files(given, skipped), None) is None:
        _nothing(given, skipped)


def changed(session: Session[Research], given: Sequence[Path]) -> Changed:
    """How the files differ now from those that the session has taken in."""
    then = {item.name: item.digest for item in session.state.sources}
    passed_over = {item.name for item in session.state.skipped}
    now = {name: path for name, path in _files(given, []) if name not in passed_over}
    differ = [name for name in then.keys() & now.keys() if _digest(now[name]) != then[name]]
    new, gone = now.keys() - then.keys(), then.keys() - now.keys()
    return Changed(tuple(sorted(differ)), tuple(sorted(new)), tuple(sorted(gone)))


def _add(shelf: Adding, name: str, path: Path, skipped: list[Skipped]) -> None:
    """Take one file in; one that cannot be read is skipped, visibly."""
    from .readers.kinds import digest_of
    from .readers.reading import read

    try:
        reading = read(path)
        shelf.add(name, reading.kind, reading.passages, digest_of(path), reading.detail)
    except DatabaseFailed:
        raise
    except DissensusError as error:
        skipped.append(Skipped(name=name, why=_why(error.message)))
    except OSError as error:
        skipped.append(Skipped(name=name, why=f"It cannot be opened: {error.strerror or error}"))


def _files(given: Sequence[Path], skipped: list[Skipped]) -> Iterator[tuple[str, Path]]:
    """Every file with the name that it is quoted by: its path below what all that was named has in common."""
    from .readers.walking import Found, walk

    top = Path(os.path.commonpath([path if path.is_dir() else path.parent for path in given]))
    for path in given:
        below = (path if path.is_dir() else path.parent).relative_to(top).as_posix()
        prefix = "" if below == "." else f"{below}/"
        for found in walk(path):
            name = f"{prefix}{found.name}"
            if not isinstance(found, Found):
                skipped.append(Skipped(name=name, why=_why(found.reason)))
            elif _is_report(found.path):
                skipped.append(Skipped(name=name, why="is a report of dissensus, and no source"))
            else:
                yield name, found.path


def _is_report(path: Path) -> bool:
    """Whether models wrote it: the report of another question may lie beside the sources."""
    if path.suffix not in {".md", ".html"}:
        return False
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _END))
            return _REPORT.search(file.read(_END)) is not None
    except OSError:
        return False


def _why(text: str) -> str:
    """A reason as text that can be kept."""
    return text.encode("utf-8", "replace").decode()[:MOST_CHARACTERS]


def _digest(path: Path) -> str:
    from .readers.kinds import digest_of

    try:
        return digest_of(path).hex()
    except OSError:
        return ""


def _nothing(given: Sequence[Path], skipped: Sequence[Skipped]) -> NoReturn:
    where = _why(", ".join(map(str, given)))
    why = "; ".join(f"{item.name}: {item.why}" for item in skipped[:5])
    raise NoSources(f"There is nothing to read in {where}" + (f" ({why})" if why else ""))
