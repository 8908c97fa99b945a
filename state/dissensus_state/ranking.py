"""Asking the index of a session's documents: which passages fit a question, and how well.

What is found is ranked by BM25 (Robertson and Zaragoza 2009) with the inverse document frequency of Lucene,
over all passages of the session. The ranking does not depend on the order in which documents were added,
on how they were batched, nor on the database.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import chain, islice
from typing import NamedTuple

import sqlalchemy as sa

from .engines import Statement, Work
from .errors import Tampered
from .postings import HEADER, Header, unpacked_header, unpacked_postings
from .tables import terms as terms_table
from .terms import terms_of

MOST_TERMS = 64
"""Different terms of a question that are looked for: the first ones."""

_SATURATION, _NORMALISATION = 1.2, 0.75
"""BM25's k1 and b."""

_FEW = 8

_session = terms_table.c.session_id == sa.bindparam("session_id")
_term = terms_table.c.term == sa.bindparam("term")
_segments = Statement(sa.select(terms_table.c.segment).where(_session, _term))
_rows = Statement(sa.select(terms_table.c.segment, terms_table.c.postings).where(_session, _term))
_row = Statement(
    sa.select(terms_table.c.postings).where(_session, _term, terms_table.c.segment == sa.bindparam("segment"))
)


class Found(NamedTuple):
    """A passage that was found, by its numbers."""

    score: float
    document: int
    passage: int


class Headers:
    """The headers of a session's segments, kept between questions: a segment never changes."""

    def __init__(self) -> None:
        self._known: Mapping[int, Header] = {}

    def read(self, work: Work, session_id: int) -> Mapping[int, Header]:
        """The headers as they are just now, by segment."""
        there = [int(row[0]) for row in work.all(_segments, session_id=session_id, term=HEADER)]
        known = dict(self._known)
        unknown = [segment for segment in there if segment not in known]
        if len(unknown) > _FEW:
            rows = work.pages(_rows, session_id=session_id, term=HEADER)
            fresh = {int(segment): bytes(data) for segment, data in rows}
        else:
            fresh = {segment: _header(work, session_id, segment) for segment in unknown}
        known.update({segment: unpacked_header(fresh[segment]) for segment in unknown})
        self._known = {segment: known[segment] for segment in there}
        return self._known


def _header(work: Work, session_id: int, segment: int) -> bytes:
    row = work.one(_row, session_id=session_id, term=HEADER, segment=segment)
    return b"" if row is None else bytes(row[0])


def ask(
    work: Work,
    session_id: int,
    headers: Mapping[int, Header],
    query: str,
    limit: int,
    among: AbstractSet[int] | None = None,
) -> list[Found]:
    """The passages that fit a question best, and all that fit as well as the last of them; in no order.

    Args:
        limit: How many are wanted.
        among: The numbers of the documents that are asked for; None for all.
    """
    count = sum(len(header.lengths) for header in headers.values())
    mean = sum(sum(header.lengths) for header in headers.values()) / max(count, 1) or 1.0
    base, slope = _SATURATION * (1 - _NORMALISATION), _SATURATION * _NORMALISATION / mean
    norms = {
        segment: [base + slope * length for length in header.lengths] for segment, header in headers.items()
    }
    scores = {segment: [0.0] * len(header.lengths) for segment, header in headers.items()}
    for term in sorted(islice(dict.fromkeys(terms_of(query, asked=True)), MOST_TERMS)):
        found = list(_postings(work, session_id, headers, term))
        holding = sum(len(numbers) for _, numbers, _ in found)
        weight = math.log(1 + (count - holding + 0.5) / (holding + 0.5)) * (_SATURATION + 1)
        for segment, numbers, times in found:
            score, norm = scores[segment], norms[segment]
            for number, often in zip(numbers, times, strict=True):
                score[number] += weight * often / (often + norm[number])
    if among is not None:
        _leave_out(headers, scores, among)
    best = heapq.nlargest(limit, chain.from_iterable(scores.values()))
    return list(_places(headers, scores, best[-1])) if best else []


def _leave_out(
    headers: Mapping[int, Header], scores: Mapping[int, list[float]], among: AbstractSet[int]
) -> None:
    for segment, score in scores.items():
        for number, document in enumerate(headers[segment].documents):
            if document not in among:
                score[number] = 0.0


def _places(
    headers: Mapping[int, Header], scores: Mapping[int, list[float]], least: float
) -> Iterator[Found]:
    for segment, header in headers.items():
        for number, score in enumerate(scores[segment]):
            if score >= least and score:
                yield Found(score, header.documents[number], header.passages[number])


def _postings(
    work: Work, session_id: int, headers: Mapping[int, Header], term: str
) -> Iterator[tuple[int, list[int], list[int]]]:
    for segment, data in work.all(_rows, session_id=session_id, term=term):
        numbers, times = unpacked_postings(bytes(data))
        if segment not in headers:
            continue
        if numbers and numbers[-1] >= len(headers[segment].lengths):
            raise Tampered("The index of the documents is not what was written")
        yield int(segment), numbers, times
