"""The index of a session's documents, as it is kept: segments in the table `terms`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain, islice

import sqlalchemy as sa

from .blobs import unpack
from .documents import every, row_of
from .engines import Statement, Work, insert
from .errors import Tampered
from .postings import HEADER, Header, Run, Segment, packed_header, runs_of
from .ranking import Headers
from .tables import documents
from .tables import terms as terms_table
from .terms import terms_of

SEGMENT = 2048
"""Passages that share a segment at most."""

SMALL, MOST_SMALL = 256, 32
"""Segments with fewer passages than this are made one, once there are so many of them."""

_ROWS = 1000

_insert = insert(terms_table)
_session = terms_table.c.session_id == sa.bindparam("session_id")
_last_segment = Statement(
    sa.select(sa.func.max(terms_table.c.segment)).where(_session, terms_table.c.term == HEADER)
)
_all = Statement(sa.select(*terms_table.c["term", "segment", "postings"]).where(_session))
_drop = Statement(
    sa.delete(terms_table).where(
        terms_table.c.session_id == sa.bindparam("session_id_"),
        terms_table.c.segment == sa.bindparam("segment_"),
    )
)
_drop_all = Statement(sa.delete(terms_table).where(terms_table.c.session_id == sa.bindparam("session_id_")))
_drop_term = Statement(
    sa.delete(terms_table).where(
        terms_table.c.session_id == sa.bindparam("session_id_"),
        terms_table.c.term == sa.bindparam("term_"),
        terms_table.c.segment.between(sa.bindparam("first"), sa.bindparam("last")),
    )
)
_count = Statement(
    sa.select(sa.func.coalesce(sa.func.sum(documents.c.passages), 0)).where(
        documents.c.session_id == sa.bindparam("session_id")
    )
)


def write(
    work: Work,
    session_id: int,
    runs: Sequence[Run],
    lengths: Sequence[int],
    rows: Iterable[tuple[str, bytes]],
) -> None:
    """Write a segment down under the next number; whoever does holds the lock of the documents."""
    row = work.one(_last_segment, session_id=session_id)
    _write(work, session_id, 1 + ((row and row[0]) or 0), runs, lengths, rows)


def _write(
    work: Work,
    session_id: int,
    number: int,
    runs: Sequence[Run],
    lengths: Sequence[int],
    rows: Iterable[tuple[str, bytes]],
) -> None:
    key = {"session_id": session_id, "segment": number}
    waiting = chain([(HEADER, packed_header(runs, lengths))], rows)
    while batch := list(islice(waiting, _ROWS)):
        work.run_all(_insert, [{"term": term, "postings": data, **key} for term, data in batch])


def tidy(work: Work, session_id: int, headers: Headers) -> None:
    """Make one segment of the newest ones, where these are many and small."""
    small: list[tuple[int, Header]] = []
    for segment, header in sorted(headers.read(work, session_id).items(), reverse=True):
        if len(header.lengths) >= SMALL:
            break
        small.insert(0, (segment, header))
    if len(small) < MOST_SMALL:
        return
    places = [place for _, header in small for place in _places(header)]
    made = _made(work, session_id, places)
    rows = list(made.rows())
    first, last = small[0][0], small[-1][0]
    write(work, session_id, runs_of(places), made.lengths, rows)
    key = {"session_id_": session_id, "first": first, "last": last}
    work.run_all(_drop_term, [{"term_": term, **key} for term in (HEADER, *(term for term, _ in rows))])


def rewrite(work: Work, session_id: int, changed: AbstractSet[tuple[int, int]]) -> None:
    """Make the segments again that hold passages which say something else now."""
    for segment, header in Headers().read(work, session_id).items():
        places = _places(header)
        if changed.isdisjoint(places):
            continue
        made = _made(work, session_id, places)
        write(work, session_id, runs_of(places), made.lengths, made.rows())
        work.run(_drop, session_id_=session_id, segment_=segment)


def _places(header: Header) -> list[tuple[int, int]]:
    return list(zip(header.documents, header.passages, strict=True))


def _made(work: Work, session_id: int, places: Iterable[tuple[int, int]]) -> Segment:
    """The segment of some passages, as they are now."""
    made = Segment()
    for document, n in places:
        row = row_of(work, session_id, document, n)
        made.add(terms_of(row.text if row else ""))
    return made


def renew(work: Work, session_id: int) -> None:
    """Make the whole index again, whatever there is of it."""
    row = work.one(_last_segment, session_id=session_id)
    work.run(_drop_all, session_id_=session_id)
    number = (row and row[0]) or 0  # numbers are never given twice: others remember what they stand for
    places = (
        (one.number, n + 1)
        for one in sorted(every(work, session_id), key=lambda one: one.number)
        for n in range(one.passages)
    )
    while batch := list(islice(places, SEGMENT)):
        number += 1
        made = _made(work, session_id, batch)
        _write(work, session_id, number, runs_of(batch), made.lengths, made.rows())


def check(work: Work, session_id: int) -> None:
    """Make the index again from the passages, and compare.

    Raises:
        Tampered: it is not what they come to.
    """
    there = sum(
        _number(term, int(segment), bytes(data))
        for term, segment, data in work.pages(_all, session_id=session_id)
    )
    again = 0
    known: set[tuple[int, int]] = set()
    for segment, header in Headers().read(work, session_id).items():
        places = _places(header)
        made = _made(work, session_id, places)
        again += _number(HEADER, segment, packed_header(runs_of(places), made.lengths))
        again += sum(_number(term, segment, data) for term, data in made.rows())
        known.update(places)
    row = work.one(_count, session_id=session_id) or (0,)
    if there != again or len(known) != int(row[0]):
        raise Tampered(
            "The index of the documents is not what their passages come to",
            next_step="Make it again with `session.library.index_again()`",
        )


def _number(term: str, segment: int, data: bytes) -> int:
    """A row as a number, so that the sum says whether two lots of rows are the same, in whatever order."""
    row = f"{segment} {term}\0".encode() + unpack(data)
    return int.from_bytes(hashlib.sha256(row).digest(), "big")
