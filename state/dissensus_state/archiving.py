"""A session as the lines of a file: read in one transaction, a page at a time, in an order of its own.

The order rests on numbers, digests and names as Python sorts them, never on a database: the same session
gives the same bytes, wherever it is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from . import commits
from .archive_lines import Header, Tally, end_line
from .archive_records import KINDS, LEFT_OUT, MOST_LINE, Kind, encoded
from .archive_types import fragment
from .engines import Row, Statement, Work
from .errors import NotFound, Refused, Tampered
from .records import OMIT
from .tables import commits as commits_table
from .tables import sessions, snapshots
from .values import canonical, parse_object

_PAGE, _MOST_PAGE, _PAGE_BYTES = 32, 1024, 4 * 1024 * 1024
"""Rows of a first page, and of the largest; bytes of lines that a page should come to."""

_session = sa.bindparam("session_id", type_=sa.BigInteger)
_identity = Statement(
    sa.select(*sessions.c["name", "schema", "schema_version", "key_fields", "past_keys", "created_at"]).where(
        sessions.c.session_id == _session
    )
)


def _whole(kind: Kind) -> Statement:
    """All rows of a kind of which there are few."""
    return Statement(sa.select(*_columns(kind)).where(kind.table.c.session_id == _session))


def _paged(kind: Kind, by: str, *also: str) -> Statement:
    """The next rows of a kind after one."""
    table = kind.table
    key = table.c[by]
    return Statement(
        sa.select(*_columns(kind))
        .where(
            table.c.session_id == _session,
            *(table.c[name] == sa.bindparam(name) for name in also),
            key > sa.bindparam("after", type_=key.type),
        )
        .order_by(key)
        .limit(sa.bindparam("size"))
    )


def _within(kind: Kind) -> Statement:
    """The rows of a kind that belong to some rounds."""
    number = kind.table.c.round
    return Statement(
        sa.select(*_columns(kind)).where(
            kind.table.c.session_id == _session,
            number >= sa.bindparam("first"),
            number <= sa.bindparam("last"),
        )
    )


def _columns(kind: Kind) -> list[sa.Column[Any]]:
    return [kind.table.c[key] for key in kind.fields]


_few = {word: _whole(KINDS[word]) for word in ("branch", "model", "tag", "conflict", "account", "document")}
_blobs = _paged(KINDS["blob"], "digest")
_rounds = _paged(KINDS["round"], "round")
_of_rounds = {word: _within(KINDS[word]) for word in ("call", "proposal", "ruling", "grade")}
_commits = _paged(KINDS["commit"], "version", "branch")
_passages = _paged(KINDS["passage"], "passage", "document")
_events = _paged(KINDS["event"], "event")
_omits = Statement(
    sa.select(commits_table.c.source).where(
        commits_table.c.session_id == _session, commits_table.c.source.like(f'{{"{OMIT}":%')
    )
)
_counts = {
    word: Statement(
        sa.select(sa.func.count()).select_from(kind.table).where(kind.table.c.session_id == _session)
    )
    for word, kind in KINDS.items()
    if kind.table is not snapshots
}


@dataclass
class Lines:
    """The lines of one session, to be gone through once.

    Attributes:
        header: The first of them.
        digest: The SHA-256 of all but the last, once they have come.
        limit: How many commits of each branch a form is to tell that does not take them all.
    """

    work: Work
    session_id: int
    digest: str = ""
    limit: int | None = None

    def __post_init__(self) -> None:
        with _read():
            self._branches = _in_order(self._few("branch"))
            self.header = self._header()

    def __iter__(self) -> Iterator[bytes]:
        """The lines.

        Raises:
            Tampered: what is stored is not what could stand in a file.
            Refused: a record is longer than a line may be.
        """
        tally = Tally()
        for line in self._sound():
            if line.find(b"\n") != len(line) - 1:
                raise Tampered("A stored text is not in its canonical form")
            if len(line) > MOST_LINE:
                raise Refused(
                    f"A record has {len(line):,} bytes, and a line of a file at most {MOST_LINE:,}",
                    next_step="Leave the providers' bodies out (`raw=False`, --without-raw)",
                )
            tally.add(line)
            yield line
        self.digest = tally.digest
        yield end_line(tally.lines, tally.digest)

    def _sound(self) -> Iterator[bytes]:
        with _read():
            yield from self._records()

    def _records(self) -> Iterator[bytes]:
        yield self.header.line()
        yield from map(KINDS["branch"].line, self._branches)
        yield from self._pages(KINDS["blob"], _blobs, b"")
        yield from map(KINDS["model"].line, sorted(self._few("model"), key=_first))
        yield from self._of_rounds()
        for row in self._branches:
            yield from self._of_branch(row)
        for word in ("tag", "conflict", "account"):
            yield from map(KINDS[word].line, sorted(self._few(word), key=_first))
        for row in sorted(self._few("document"), key=_first):
            yield KINDS["document"].line(row)
            yield from self._pages(KINDS["passage"], _passages, 0, at=1, document=row[0])
        yield from self._pages(KINDS["event"], _events, 0)

    def _few(self, word: str) -> list[Row]:
        return self.work.all(_few[word], session_id=self.session_id)

    def _header(self) -> Header:
        row = self.work.one(_identity, session_id=self.session_id)
        if row is None:
            raise NotFound("The session is not in this database")
        name, schema, schema_version, keys, past_keys, created_at = row
        counts = {}
        for word in KINDS:
            if word in _counts:
                found = self.work.one(_counts[word], session_id=self.session_id)
                counts[word] = int(found[0]) if found else 0
            else:
                counts[word] = sum(_stands_on(one) is not None for one in self._branches)
        heads = {row[0]: (int(row[3]), bytes(row[4]).hex()) for row in self._branches}
        return Header(
            name, schema, schema_version, keys, past_keys, created_at, heads, counts, self._left_out()
        )

    def _left_out(self) -> tuple[str, ...]:
        """What the history says was left out of it, when it was a copy."""
        found: set[str] = set()
        for (source,) in self.work.all(_omits, session_id=self.session_id):
            match parse_object(source):
                case {"omit": {"what": list(parts)}}:
                    found |= {part for part in parts if part in LEFT_OUT}
        return tuple(sorted(found))

    def _pages(
        self, kind: Kind, statement: Statement, after: Any, at: int = 0, **where: Any
    ) -> Iterator[bytes]:
        """The lines of a kind, page by page; `at` is where its key stands in a row."""
        pages = _Pages()
        given = {"session_id": self.session_id, **where}
        while rows := self.work.all(statement, after=after, size=pages.size, **given):
            lines = [kind.line(row) for row in rows]
            yield from lines
            if len(rows) < pages.size:
                return
            after = rows[-1][at]
            pages.saw(sum(map(len, lines)))

    def _of_rounds(self) -> Iterator[bytes]:
        """Each round with what hangs on it."""
        pages, after = _Pages(), -1
        while rows := self.work.all(_rounds, session_id=self.session_id, after=after, size=pages.size):
            first, after = rows[0][0], rows[-1][0]
            lines = {row[0]: [KINDS["round"].line(row)] for row in rows}
            for word, statement in _of_rounds.items():
                kind = KINDS[word]
                found = self.work.all(statement, session_id=self.session_id, first=first, last=after)
                for row in sorted(found, key=_key_of(kind)):
                    if row[0] not in lines:
                        raise Tampered(f"There is a {word} of a round {row[0]} that is not there")
                    lines[row[0]].append(kind.line(row))
            for of_round in lines.values():
                yield from of_round
            pages.saw(sum(len(line) for of_round in lines.values() for line in of_round))

    def _of_branch(self, row: Row) -> Iterator[bytes]:
        """The commits that are stored under a branch, and the state that they stand on if they are pruned."""
        base = _stands_on(row)
        kind, pages, after = KINDS["commit"], _Pages(), -1
        given = {"session_id": self.session_id, "branch": row[0]}
        while rows := self.work.all(_commits, after=after, size=pages.size, **given):
            size = 0
            for one in rows:
                line = kind.line(one)
                size += len(line)
                yield line
                if base is not None and one[1] == base:
                    yield self._state(row[0], base)
            after = rows[-1][1]
            pages.saw(size)

    def _state(self, branch: str, version: int) -> bytes:
        state = commits.state_at(self.work, self.session_id, branch, version)
        said = {"branch": branch, "version": version, "state": fragment(canonical(state))}
        return encoded({"type": "state", **said})


@contextmanager
def _read() -> Iterator[None]:
    """Anybody may have written anything into a row, of any type where it is SQLite's."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise Tampered(f"What is stored cannot be read: {error}") from error


class _Pages:
    """How many rows a page has: about as many as come to a few megabytes."""

    def __init__(self) -> None:
        self.size = _PAGE

    def saw(self, size: int) -> None:
        """Take the size of a page into account."""
        fits = self.size * _PAGE_BYTES // max(size, 1)
        self.size = max(1, min(fits, self.size * 2, _MOST_PAGE))


def _stands_on(row: Row) -> int | None:
    """The version that a pruned branch stands on; one that rests on what was pruned stands on none."""
    head, pruned = row[3], row[6]
    return None if pruned is None or pruned > head else int(pruned)


def _in_order(rows: Sequence[Row]) -> list[Row]:
    """The branches, each after what it was forked from."""
    bases = {row[0]: row[1] for row in rows}

    def depth(branch: str) -> int:
        found, seen = 0, {branch}
        while (base := bases.get(branch)) is not None:
            if base in seen or base not in bases:
                raise Tampered(f"The branch {branch!r} was forked from {base!r}, which cannot be")
            seen.add(base)
            found, branch = found + 1, base
        return found

    return sorted(rows, key=lambda row: (depth(row[0]), row[0]))


def _key_of(kind: Kind) -> Callable[[Row], tuple[Any, ...]]:
    names = list(kind.fields)
    places = [names.index(key) for key in kind.key]
    return lambda row: tuple(row[place] for place in places)


def _first(row: Row) -> Any:
    return row[0]
