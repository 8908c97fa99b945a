"""The lines of a session as a braid: which branch each commit is on, where branches begin and are merged.

A commit stands above those that it follows, whatever the clocks said; among those that may come next, the
newest by its time does. Drawn with box characters, one column a branch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from dissensus_state.branches import BranchInfo
    from dissensus_state.records import Commit
    from dissensus_state.sessions import Session

PAGE = 50

Place = tuple[str, int]
"""A branch, and a version that it holds itself."""


class Row(NamedTuple):
    """A line of the drawing, and the commit that stands on it; None on lines that only join."""

    drawn: str
    commit: Commit | None


@dataclass
class Line:
    """One branch with its own commits, newest first."""

    info: BranchInfo
    session: Session[Any]
    base: Place | None = None
    coming: Commit | None = None
    merges: dict[int, Place] = field(default_factory=dict)
    _rest: Iterator[Commit] | None = None

    def begin(self) -> None:
        """Make the newest commit the coming one."""
        self._rest = self._own()
        self.advance()

    def advance(self) -> None:
        """Go on to the one before."""
        assert self._rest is not None  # noqa: S101 - `begin` was called
        self.coming = next(self._rest, None)

    def _own(self) -> Iterator[Commit]:
        before, last = self.info.head + 1, self.info.base_version
        while page := self.session.log(PAGE, before):
            for commit in page:
                if commit.branch != self.info.name:
                    return
                yield commit
            before = page[-1].version
            if last is not None and before - 1 <= last:
                return


def lines_of(session: Session[Any]) -> dict[str, Line]:
    """The branches by name, each with where it begins and what was merged into it."""
    infos = {one.name: one for one in session.branches()}
    lines = {name: Line(info, session.on(name)) for name, info in infos.items()}
    for line in lines.values():
        info = line.info
        if info.base_branch is not None and info.base_version is not None:
            line.base = owner(infos, info.base_branch, info.base_version)
        line.merges = {at: owner(infos, *source) for at, source in _merged(line).items()}
        line.begin()
    return lines


def owner(infos: dict[str, BranchInfo], branch: str, version: int) -> Place:
    """The branch that holds a version of another one itself."""
    while branch in infos:
        info = infos[branch]
        if info.base_branch is None or info.base_version is None or version > info.base_version:
            break
        branch = info.base_branch
    return branch, version


def held(info: BranchInfo) -> int:
    """How many commits a branch holds itself."""
    return info.head - (-1 if info.base_version is None else info.base_version)


def _merged(line: Line) -> dict[int, Place]:
    """What was merged into a branch, by the version that did."""
    from dissensus_state import commits

    info, found = line.info, {}
    after = -1 if info.base_version is None else info.base_version
    with line.session.reading() as work:
        for version, source in commits.sources(work, line.session.session_id, info.name, after, info.head):
            match source:
                case {"merge": {"branch": str(branch), "version": int(at)}}:
                    found[version] = (branch, at)
    return found


def woven(session: Session[Any], limit: int) -> Iterator[Row]:
    """The newest commits of all branches, with the drawing."""
    lines = lines_of(session)
    columns: list[str | None] = ["main" if "main" in lines else next(iter(lines))]
    for _ in range(limit):
        line = _next(lines)
        if line is None or line.coming is None:
            return
        commit, name = line.coming, line.info.name
        column = _column(columns, name)
        for other in _beginning(lines, (name, commit.version)):
            if other.info.name in columns:
                yield Row(_joined(columns, column, columns.index(other.info.name), ends=True), None)
                columns[columns.index(other.info.name)] = None
        yield Row(_marked(columns, column), commit)
        source = line.merges.pop(commit.version, None)
        if source is not None and source[0] in lines:
            opens = source[0] not in columns
            yield Row(_joined(columns, column, _column(columns, source[0]), opens=opens), None)
        line.advance()
        if line.coming is None and line.base is None:
            columns[column] = None


def _next(lines: dict[str, Line]) -> Line | None:
    """The branch whose next commit nothing that follows it waits for; of several the newest."""
    free = [line for line in lines.values() if line.coming is not None and not _waits(lines, line)]
    return max(free, key=lambda line: (line.coming.at if line.coming else 0, line.base is None), default=None)


def _waits(lines: dict[str, Line], line: Line) -> bool:
    """Whether something that follows the coming commit is still to be drawn."""
    assert line.coming is not None  # noqa: S101 - the caller has looked
    name, version = line.info.name, line.coming.version
    for other in lines.values():
        begins_here = other.base is not None and other.base[0] == name and other.base[1] >= version
        if begins_here and other.coming is not None:
            return True
        if any(source[0] == name and source[1] >= version for source in other.merges.values()):
            return True
    return False


def _beginning(lines: dict[str, Line], place: Place) -> list[Line]:
    return [line for line in lines.values() if line.base == place]


def _column(columns: list[str | None], name: str) -> int:
    """The column of a branch; a free one is taken where it has none."""
    if name not in columns:
        if None in columns[1:]:
            columns[columns.index(None, 1)] = name
        else:
            columns.append(name)
    return columns.index(name)


def _marked(columns: list[str | None], column: int) -> str:
    marks = ["●" if at == column else "│" if name else " " for at, name in enumerate(columns)]
    return " ".join(marks).rstrip()


def _joined(
    columns: list[str | None], here: int, there: int, *, ends: bool = False, opens: bool = False
) -> str:
    """A line from a commit's column to that of another branch."""
    low, high = sorted((here, there))
    marks = []
    for at, name in enumerate(columns):
        if at == here:
            marks.append("├" if here == low else "┤")
        elif at == there:
            corner = ("╯" if ends else "╮") if there == high else ("╰" if ends else "╭")
            marks.append(corner if ends or opens else "┤" if there == high else "├")
        elif low < at < high:
            marks.append("┼" if name else "─")
        else:
            marks.append("│" if name else " ")
    text = ""
    for at, mark in enumerate(marks):
        text += mark + ("─" if low <= at < high else " ")
    return text.rstrip()
