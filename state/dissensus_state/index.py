"""The index of a session's documents: segments in the table `terms`, and what is asked of them.

What is found is ranked by BM25 (Robertson and Zaragoza 2009) with the inverse document frequency of Lucene,
over all passages of the session. The ranking does not depend on the order in which documents were added,
on how they were batched, nor on the database.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain, islice
from typing import NamedTuple

import sqlalchemy as sa

from .documents import row_of
from .engines import Statement, Work, insert, insert_absent
from .errors import Tampered
from .postings import (
    HEADER,
    Header,
    Run,
    Segment,
    packed_header,
    runs_of,
    unpacked_header,
    unpacked_postings,
)
from .tables import terms as terms_table
from .terms import terms_of

MOST_TERMS = 64
"""Different terms of a question that are looked for: the first ones."""

_SATURATION, _NORMALISATION = 1.2, 0.75
"""BM25's k1 and b."""

_ROWS = 1000

_insert = insert(terms_table)
_insert_header = insert_absent(terms_table)
_session = terms_table.c.session_id == sa.bindparam("session_id")
_term = terms_table.c.term == sa.bindparam("term")
_last_segment = Statement(sa.select(sa.func.max(terms_table.c.segment)).where(_session, _term))
_segments = Statement(sa.select(terms_table.c.segment).where(_session, _term))
_rows = Statement(sa.select(terms_table.c.segment, terms_table.c.postings).where(_session, _term))
_row = Statement(
    sa.select(terms_table.c.postings).where(_session, _term, terms_table.c.segment == sa.bindparam("segment"))
)
_drop = Statement(
    sa.delete(terms_table).where(
        terms_table.c.session_id == sa.bindparam("session_id_"),
        terms_table.c.segment == sa.bindparam("segment_"),
    )
)


class Found(NamedTuple):
    """A passage that was found, by its numbers."""

    score: float
    document: int
    passage: int


def write(
    work: Work,
    session_id: int,
    runs: Sequence[Run],
    lengths: Sequence[int],
    rows: Iterable[tuple[str, bytes]],
) -> int:
    """Write a segment down under the next number, which is returned."""
    header = packed_header(runs, lengths)
    while True:  # what redacts may take the same number at once
        row = work.one(_last_segment, session_id=session_id, term=HEADER)
        number = 1 + ((row and row[0]) or 0)
        key = {"session_id": session_id, "segment": number}
        if work.run(_insert_header, term=HEADER, postings=header, **key):
            break
    waiting = iter(rows)
    while batch := list(islice(waiting, _ROWS)):
        work.run_all(_insert, [{"term": term, "postings": data, **key} for term, data in batch])
    return number


class Headers:
    """The headers of a session's segments, kept between questions: a segment never changes."""

    def __init__(self) -> None:
        self._known: dict[int, Header] = {}

    def read(self, work: Work, session_id: int) -> Mapping[int, Header]:
        """The headers as they are just now, by segment."""
        there = [int(row[0]) for row in work.all(_segments, session_id=session_id, term=HEADER)]
        unknown = [segment for segment in there if segment not in self._known]
        if len(unknown) > 8:
            rows = work.pages(_rows, session_id=session_id, term=HEADER)
            fresh = {int(segment): bytes(data) for segment, data in rows}
        else:
            fresh = {segment: _header(work, session_id, segment) for segment in unknown}
        known = {segment: unpacked_header(fresh[segment]) for segment in unknown}
        self._known = {segment: known.get(segment) or self._known[segment] for segment in there}
        return self._known


def _header(work: Work, session_id: int, segment: int) -> bytes:
    row = work.one(_row, session_id=session_id, term=HEADER, segment=segment)
    return b"" if row is None else bytes(row[0])


def ask(
    work: Work, session_id: int, headers: Mapping[int, Header], query: str, among: AbstractSet[int] | None
) -> list[Found]:
    """Every passage that holds a term of a question, in no order.

    Args:
        among: The numbers of the documents that are asked for; None for all.
    """
    count = sum(len(header.lengths) for header in headers.values())
    mean = sum(sum(header.lengths) for header in headers.values()) / max(count, 1)
    scores: dict[tuple[int, int], float] = {}
    for term in sorted(set(islice(dict.fromkeys(terms_of(query, asked=True)), MOST_TERMS))):
        found = list(_postings(work, session_id, headers, term))
        holding = sum(len(numbers) for _, numbers, _ in found)
        weight = math.log(1 + (count - holding + 0.5) / (holding + 0.5))
        for segment, numbers, times in found:
            lengths = headers[segment].lengths
            for number, often in zip(numbers, times, strict=True):
                relative = 1 - _NORMALISATION + _NORMALISATION * lengths[number] / mean
                score = weight * often * (_SATURATION + 1) / (often + _SATURATION * relative)
                scores[segment, number] = scores.get((segment, number), 0.0) + score
    places = (
        Found(score, headers[segment].documents[number], headers[segment].passages[number])
        for (segment, number), score in scores.items()
    )
    return [one for one in places if among is None or one.document in among]


def _postings(
    work: Work, session_id: int, headers: Mapping[int, Header], term: str
) -> Iterator[tuple[int, list[int], list[int]]]:
    for segment, data in work.all(_rows, session_id=session_id, term=term):
        numbers, times = unpacked_postings(bytes(data))
        size = len(headers[segment].lengths) if segment in headers else 0
        if numbers and numbers[-1] >= size:
            raise Tampered("The index of the documents is not what was written")
        yield int(segment), numbers, times


def rewrite(work: Work, session_id: int, changed: AbstractSet[tuple[int, int]]) -> None:
    """Make the segments again that hold passages which say something else now."""
    for segment, header in Headers().read(work, session_id).items():
        places = list(zip(header.documents, header.passages, strict=True))
        if changed.isdisjoint(places):
            continue
        made = Segment()
        for document, n in places:
            row = row_of(work, session_id, document, n)
            made.add(terms_of(row.text if row else ""))
        write(work, session_id, runs_of(places), made.lengths, made.rows())
        work.run(_drop, session_id_=session_id, segment_=segment)


def covered(headers: Mapping[int, Header]) -> list[tuple[int, int]]:
    """Every passage that is in the index, by the numbers of document and passage, in order."""
    return sorted(
        chain.from_iterable(
            zip(header.documents, header.passages, strict=True) for header in headers.values()
        )
    )
