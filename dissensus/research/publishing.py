"""Writing the report: whole or not at all, and the same again from the same history."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dissensus_state.errors import DiskFull

from .errors import ReportRefused
from .facts import facts
from .hypertext import page
from .markdown import markdown
from .report import blocks
from .schema import Published

if TYPE_CHECKING:
    from dissensus_state.sessions import Session

    from .schema import Research

_NO_ROOM = 28, 122
"""What the system calls a full disk, and a quota that is used up."""


@dataclass(frozen=True, slots=True)
class Files:
    """Where a report was written."""

    markdown: Path
    html: Path


@dataclass(frozen=True, slots=True)
class Written:
    """A report in both forms."""

    markdown: str
    html: str

    @property
    def digests(self) -> Published:
        """Its digests, as the state keeps them."""
        return Published(markdown=_digest(self.markdown), html=_digest(self.html))


def written(session: Session[Research], database: str | None = None, tenant: str | None = None) -> Written:
    """The report of a session, from its history.

    Args:
        database: How a command names the database; by default by its address without the password.
        tenant: Whose session it is, where the database keeps tenants apart.
    """
    told = list(blocks(facts(session, database or session.database.name, tenant)))
    return Written(markdown(told), page(told))


def publish(
    session: Session[Research],
    folder: Path | None,
    database: str | None = None,
    tenant: str | None = None,
) -> Files | None:
    """Write the report and close the session; one that is closed gets its report again.

    Args:
        folder: Where to; without one nothing is written, and the session is closed all the same.
        database: How a command names the database.
        tenant: Whose session it is, where the database keeps tenants apart.

    Raises:
        ReportRefused: it cannot be written there.
        DiskFull: there is no room for it.
    """
    report = written(session, database, tenant)
    files = None if folder is None else _write(report, folder, session.name)
    if session.state.phase != "closed":
        with session.transaction("dissensus", "publish") as tx:
            tx.set("published", report.digests)
    return files


def prepare(folder: Path) -> None:
    """Make the folder of a report, before anybody is paid for what is to stand in it.

    Raises:
        ReportRefused: it can't be made, or not be written to.
    """
    said, elsewhere = f"The report cannot be written to {folder}", "Name another folder with --out"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReportRefused(f"{said}: {error.strerror or error}", next_step=elsewhere) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ReportRefused(f"{said}: you have no right to", next_step=elsewhere)


def _write(report: Written, folder: Path, session: str) -> Files:
    stem = (
        "".join(char if char.isalnum() or char in "-_." else "-" for char in session).lstrip(".") or "report"
    )
    files = Files(folder / f"{stem}.md", folder / f"{stem}.html")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(files.markdown, report.markdown)
        _replace(files.html, report.html)
    except OSError as error:
        kind = DiskFull if error.errno in _NO_ROOM else ReportRefused
        raise kind(f"The report cannot be written to {folder}: {error.strerror or error}") from error
    return files


def _replace(path: Path, text: str) -> None:
    """Put a file in its place, whole: whoever reads it sees the old one or the new one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
