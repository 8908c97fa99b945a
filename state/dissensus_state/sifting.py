"""Which commits a log is asked for: what the database can tell apart, and what is read to be told apart.

Author, step, kind and time are asked of the database, which looks at narrow columns; what was written
and what was read stand in texts, which are read here, a bounded batch at a time.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any

import sqlalchemy as sa

from . import blobs
from .called import thinking
from .commits import columns, commit_of, here
from .engines import Row, Statement, Work
from .errors import NotFound
from .lineages import Lineage
from .moments import Moment, milliseconds
from .records import KINDS, Commit, kind_of
from .tables import calls, commits, proposals, rounds, rulings
from .touches import Touches
from .values import JSON, Path, canonical, overlap, parse_list, parse_object, parse_path, pointer

ALL_KINDS = ("write", "round", *KINDS.values())
"""What a commit can be."""

_BATCH = 256
"""Commits whose texts are read at once."""

_LEAST, _MOST = 1_024, 16_384
"""Versions that one statement looks at: few at first, for most pages end there."""

_GAP = 16
"""Rounds between two of a batch that are read along, rather than asking once more."""

_NAMED = 64
_NAMES = [f"version_{n}" for n in range(_NAMED)]

_ROUND, _READS, _PATCH, _SOURCE = (
    [column.name for column in columns].index(name) for name in ("round", "reads", "patch", "source")
)
_of_session: sa.BindParameter[int] = sa.bindparam("session_id")
_reasons = Statement(
    sa.select(rulings.c.round, rulings.c.body).where(
        rulings.c.session_id == _of_session,
        rulings.c.round.between(sa.bindparam("first"), sa.bindparam("last")),
    )
)
_thoughts = Statement(
    sa.select(calls.c.round, calls.c.answer, calls.c.reasoning, calls.c.reasoning_kind).where(
        calls.c.session_id == _of_session, calls.c.round.between(sa.bindparam("first"), sa.bindparam("last"))
    )
)


@dataclass(frozen=True, slots=True)
class Sieve:
    """What is asked of a commit; None asks nothing. `text` is in no case; times are milliseconds."""

    author: str | None = None
    step: str | None = None
    kinds: frozenset[str] | None = None
    since: int | None = None
    until: int | None = None
    path: Path | None = None
    reading: Path | None = None
    text: str | None = None

    @property
    def reads_texts(self) -> bool:
        """Whether the database alone cannot tell."""
        return not (self.path is None and self.reading is None and self.text is None and self.kinds is None)

    @property
    def asks(self) -> frozenset[str]:
        """What is asked."""
        return frozenset(one.name for one in fields(self) if getattr(self, one.name) is not None)


def sieve(
    author: str | None,
    step: str | None,
    kind: str | Iterable[str] | None,
    since: Moment | None,
    until: Moment | None,
    path: str | None,
    reading: str | None,
    text: str | None,
) -> Sieve:
    """What a user asks for, checked.

    Raises:
        NotFound: there is no such kind of commit.
        ValueRefused: a time is none.
    """
    kinds = None if kind is None else frozenset([kind] if isinstance(kind, str) else kind)
    for name in sorted(kinds or ()):
        if name not in ALL_KINDS:
            raise NotFound(
                f"There is no kind of commit {name[:80]!r}", next_step=f"Name one of {', '.join(ALL_KINDS)}"
            )
    return Sieve(
        author,
        step,
        kinds,
        None if since is None else milliseconds(since),
        None if until is None else milliseconds(until, end=True),
        None if path is None else parse_path(path),
        None if reading is None else parse_path(reading),
        text.casefold() if text else None,
    )


@functools.cache
def _statement(asks: frozenset[str], *, rounds_only: bool | None, sourced: bool, named: bool) -> Statement:
    """The commits that the database cannot tell from what is asked for, newest first.

    Args:
        named: Of some versions that are named; else of a window.
    """
    where = [*here]
    if named:
        where.append(commits.c.version.in_([sa.bindparam(name) for name in _NAMES]))
    else:
        where += [commits.c.version > sa.bindparam("after"), commits.c.version < sa.bindparam("before")]
    if "author" in asks:
        accepted = sa.select(proposals.c.agent).where(
            proposals.c.session_id == _of_session,
            proposals.c.round == commits.c.round,
            proposals.c.agent == sa.bindparam("author"),
            proposals.c.status == "accepted",
        )
        where.append(sa.or_(commits.c.author == sa.bindparam("author"), accepted.exists()))
    if "step" in asks:
        stepped = sa.select(rounds.c.round).where(
            rounds.c.session_id == _of_session,
            rounds.c.round == commits.c.round,
            rounds.c.step == sa.bindparam("step"),
        )
        where.append(sa.or_(commits.c.transition == sa.bindparam("step"), stepped.exists()))
    if "since" in asks:
        where.append(commits.c.at >= sa.bindparam("since"))
    if "until" in asks:
        where.append(commits.c.at <= sa.bindparam("until"))
    if rounds_only is not None:
        where.append(commits.c.round.is_not(None) if rounds_only else commits.c.round.is_(None))
    if sourced:
        where.append(commits.c.source.is_not(None))
    newest = sa.select(*columns).where(*where).order_by(commits.c.version.desc())
    return Statement(newest if named else newest.limit(sa.bindparam("limit")))


def _asked(wanted: Sieve, *, named: bool = False) -> Statement:
    kinds = wanted.kinds
    rounds_only = None if kinds is None or kinds not in ({"round"}, {"write"}) else kinds == {"round"}
    sourced = kinds is not None and kinds.isdisjoint({"round", "write"})
    asks = wanted.asks & {"author", "step", "since", "until"}
    return _statement(asks, rounds_only=rounds_only, sourced=sourced, named=named)


Found = tuple[Commit, tuple[str, ...]]
"""A commit, and where in it a text was found: `written`, `ruling`, `reasoning`."""


def sifted(
    work: Work, session_id: int, lineage: Lineage, head: int, before: int, wanted: Sieve, limit: int
) -> Iterator[Found]:
    """The commits before a version that are asked for, newest first; hardly more than `limit` are read."""
    statement = _asked(wanted)
    said = {name: getattr(wanted, name) for name in wanted.asks & {"author", "step", "since", "until"}}
    most = _BATCH if wanted.reads_texts else max(1, min(limit, _MOST))
    size = _LEAST
    for segment in reversed(lineage):
        top = min(before, segment.upto + 1, head + 1)
        while top > segment.after + 1:
            low = max(segment.after, top - 1 - size)
            rows = work.all(
                statement,
                session_id=session_id,
                branch=segment.branch,
                after=low,
                before=top,
                limit=most,
                **said,
            )
            yield from of_rows(work, session_id, rows, wanted)
            top = int(rows[-1][1]) if len(rows) == most else low + 1
            size = min(2 * size, _MOST)


def touching(
    work: Work, session_id: int, branch: str, lineage: Lineage, head: int, before: int, wanted: Sieve
) -> Iterator[Found]:
    """The same for a path: of the commits that the index names those that are asked for."""
    statement = _asked(wanted, named=True)
    said = {name: getattr(wanted, name) for name in wanted.asks & {"author", "step", "since", "until"}}
    top = min(before, head + 1)
    touches = Touches(work, session_id, branch, top - 1).of_path(wanted.path or (), top)
    while batch := list(islice(touches, _NAMED)):
        for segment in reversed(lineage):
            mine = [one.version for one in batch if segment.after < one.version <= segment.upto]
            if not mine:
                continue
            versions = {name: mine[min(n, len(mine) - 1)] for n, name in enumerate(_NAMES)}
            rows = work.all(statement, session_id=session_id, branch=segment.branch, **versions, **said)
            sure = frozenset(one.version for one in batch if one.into is not None)
            yield from of_rows(work, session_id, rows, wanted, sure)


def of_rows(
    work: Work, session_id: int, rows: list[Row], wanted: Sieve, sure: frozenset[int] = frozenset()
) -> Iterator[Found]:
    """Of these commits those whose texts hold what is asked for.

    Args:
        sure: Versions that are known to have touched the path that is asked for.
    """
    if wanted.kinds is not None:
        rows = [row for row in rows if _kind(row) in wanted.kinds]
    if wanted.reading is not None:
        rows = [row for row in rows if _overlaps(map(parse_path, parse_list(row[_READS])), wanted.reading)]
    if wanted.path:
        mark = _quoted(pointer(wanted.path[:1]))
        rows = [row for row in rows if mark in row[_PATCH] or ',"",' in row[_PATCH]]
    where = None if wanted.text is None else _places(work, session_id, rows, wanted.text)
    for row in rows:
        if where is not None and row[1] not in where:
            continue
        commit = commit_of(work, session_id, row)
        if wanted.path is None or commit.version in sure or _overlaps(commit.writes, wanted.path):
            yield commit, () if where is None else where[row[1]]


def _kind(row: Row) -> str:
    source = row[_SOURCE]
    return kind_of(None if source is None else parse_object(source), row[_ROUND])


def _overlaps(paths: Iterable[Path], wanted: Path) -> bool:
    return any(overlap(path, wanted) for path in paths)


def _quoted(text: str) -> str:
    """A text as it stands in canonical JSON, but for the quotation mark at its end."""
    return canonical(text)[:-1]


def _places(work: Work, session_id: int, rows: list[Row], text: str) -> Mapping[int, tuple[str, ...]]:
    """By version, where a text stands in what was written, ruled and thought."""
    numbers = {row[_ROUND] for row in rows if row[_ROUND] is not None}
    ruled, thought = _spoken(work, session_id, numbers, text)
    quoted = _quoted(text)[1:].casefold()
    found = {}
    for row in rows:
        places = []
        if _may_hold(row[_PATCH], quoted) and _is_written(commit_of(work, session_id, row), text):
            places.append("written")
        places += ["ruling"] * (row[_ROUND] in ruled) + ["reasoning"] * (row[_ROUND] in thought)
        if places:
            found[row[1]] = tuple(places)
    return found


def _may_hold(stored: str, quoted: str) -> bool:
    return quoted in stored.casefold() or ',"blob"]' in stored


def _is_written(commit: Commit, text: str) -> bool:
    return any(text in leaf.casefold() for one in commit.patch for leaf in _leaves(one.value))


def _leaves(value: JSON) -> Iterator[str]:
    """The texts in a value, and its numbers as they are written; no names of fields."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str(said):
                yield said
            case dict(inner):
                waiting.extend(inner.values())
            case list(inner):
                waiting.extend(inner)
            case bool() | None:
                pass
            case number:
                yield canonical(number)


def _spoken(work: Work, session_id: int, numbers: set[int], text: str) -> tuple[set[int], set[int]]:
    """The rounds in whose rulings, and those in whose reasoning a text stands."""
    ruled: set[int] = set()
    thought: set[int] = set()
    for first, last in _runs(sorted(numbers)):
        for number, body in work.pages(_reasons, session_id=session_id, first=first, last=last):
            if number in numbers and _holds(_reason(body), text):
                ruled.add(number)
        for number, *said in work.pages(_thoughts, session_id=session_id, first=first, last=last):
            if number in numbers and _holds(_thinking(*said), text):
                thought.add(number)
    return ruled, thought


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """First and last of the runs of numbers that lie close together."""
    begin = 0
    for n, number in enumerate(numbers):
        if n + 1 == len(numbers) or numbers[n + 1] - number > _GAP:
            yield numbers[begin], number
            begin = n + 1


def _holds(said: Any, text: str) -> bool:
    return isinstance(said, str) and text in said.casefold()


def _reason(body: str) -> JSON:
    return None if blobs.is_gone(body) else parse_object(body).get("reason")


def _thinking(answer: bytes | None, reasoning: bytes | None, kind: str | None) -> str | None:
    return thinking(_unpacked(answer), _unpacked(reasoning), kind or "")


def _unpacked(data: bytes | None) -> str | None:
    return None if data is None else blobs.unpack_text(bytes(data))
