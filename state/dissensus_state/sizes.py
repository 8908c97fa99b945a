"""What takes how much room in a session: the state by path, the history by field, and everything beside."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from .commits import state_at
from .engines import Statement, Work
from .lifting import keys_of, schema_version
from .showing import Shown
from .tables import (
    blobs,
    calls,
    commits,
    events,
    grades,
    passages,
    proposals,
    rounds,
    rulings,
    snapshots,
    terms,
    touches,
)
from .values import JSON, Path, canonical, parse_list, parse_path, pointer

MOST_PATHS = 20
_DEEPEST = 4

_session = sa.bindparam("session_id", type_=sa.BigInteger)


def _sum(*columns: sa.Column[Any]) -> Statement:
    lengths = [sa.func.coalesce(sa.func.sum(sa.func.length(column)), 0) for column in columns]
    return Statement(sa.select(*lengths).where(columns[0].table.c.session_id == _session))


_recordings = _sum(calls.c.answer, calls.c.reasoning, calls.c.raw, calls.c.request, calls.c.detail)
_beside = {
    "snapshots": _sum(snapshots.c.state),
    "blobs": _sum(blobs.c.data),
    "proposals": _sum(proposals.c.patch, proposals.c.reads, proposals.c.detail),
    "rulings": _sum(rulings.c.body),
    "grades": _sum(grades.c.detail),
    "rounds": _sum(rounds.c.note, rounds.c.review),
    "events": _sum(events.c.body),
    "documents": _sum(passages.c.data, passages.c.place),
    "index of the documents": _sum(terms.c.postings, terms.c.term),
    "index of the commits": _sum(touches.c.versions),
    "reads and evidence": _sum(commits.c.reads, commits.c.evidence, commits.c.source),
}
_patches = Statement(sa.select(commits.c.patch).where(commits.c.session_id == _session))


class Size(NamedTuple):
    """How much one path, field or kind of thing takes."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Sizes(Shown):
    """What takes how much room in a session, the largest first.

    Attributes:
        version: The version whose state was measured.
        state: Bytes of each field of the state, as canonical JSON.
        largest: Bytes of the largest paths below the fields.
        history: Characters of the stored patches of all branches, by field.
        recordings: Bytes of what models answered, thought and sent (`raw`); characters of what they were
            asked (`request`; long prompts are among the blobs).
        beside: Snapshots, blobs, documents and their index in bytes as they are stored; the rest in
            characters.
        total: The history, the recordings, and what is beside them; without indexes and row headers.
    """

    version: int
    state: tuple[Size, ...]
    largest: tuple[Size, ...]
    history: tuple[Size, ...]
    recordings: tuple[Size, ...]
    beside: tuple[Size, ...]
    total: int

    def as_dict(self) -> dict[str, Any]:
        """The sizes as plain data."""
        return {
            "version": self.version,
            "state": dict(self.state),
            "largest": dict(self.largest),
            "history": dict(self.history),
            "recordings": dict(self.recordings),
            "beside": dict(self.beside),
            "total": self.total,
        }


def sizes(work: Work, session_id: int, branch: str, version: int) -> Sizes:
    """Measure a session, and the state of a branch at a version."""
    state = state_at(work, session_id, branch, version)
    keys = keys_of(work, session_id, schema_version(work, session_id, branch, version))
    fields = {pointer((name,)): _bytes(value) for name, value in state.items()}
    below = ((pointer(path), _bytes(value)) for path, value in _below(state, (), keys))
    largest = heapq.nlargest(MOST_PATHS, below, key=lambda item: item[1])
    history = _history(work, session_id)
    row = work.one(_recordings, session_id=session_id) or (0,) * 5
    recordings = dict(zip(("answers", "reasoning", "raw", "requests", "details"), map(int, row), strict=True))
    beside = {
        name: sum(map(int, work.one(statement, session_id=session_id) or ()))
        for name, statement in _beside.items()
    }
    total = sum(history.values()) + sum(recordings.values()) + sum(beside.values())
    return Sizes(
        version,
        _sorted(fields),
        tuple(Size(*item) for item in largest),
        _sorted(history),
        _sorted(recordings),
        _sorted(beside),
        total,
    )


def _sorted(found: Mapping[str, int]) -> tuple[Size, ...]:
    return tuple(Size(*item) for item in sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _bytes(value: JSON) -> int:
    return len(canonical(value).encode())


def _below(value: JSON, path: Path, keys: Mapping[str, str]) -> Iterator[tuple[Path, JSON]]:
    """What stands below the fields, to a few steps deep."""
    if len(path) > 1:
        yield path, value
    if len(path) == _DEEPEST:
        return
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _below(item, (*path, name), keys)
    elif isinstance(value, list):
        key = keys.get(path[0]) if len(path) == 1 else None
        for number, item in enumerate(value):
            yield from _below(item, (*path, str(item[key]) if key else str(number)), keys)


def _history(work: Work, session_id: int) -> Counter[str]:
    found: Counter[str] = Counter()
    for (patch,) in work.pages(_patches, session_id=session_id):
        for item in parse_list(patch):
            path = parse_path(item[1]) if isinstance(item, list) and len(item) > 1 else ()
            found[pointer(path[:1]) or "/"] += len(canonical(item))
    return found
