"""Putting documents into a session: what is read from them waits in a spool, then all is written at once.

Reading a document takes long, and whoever writes keeps others from writing. So the passages and the rows
of the index are made first, bounded in memory, and then one transaction writes them: a document is there
whole or not at all, and many small ones share a transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import NamedTuple, Self

import sqlalchemy as sa

from . import index
from .blobs import pack, unpack_text
from .documents import Content, by_name, lock, passage_digest
from .engines import Database, Statement, Work, insert
from .errors import Refused, ValueRefused
from .postings import Segment, runs_of
from .ranking import Headers
from .spool import Spool
from .tables import documents, passages
from .terms import terms_of
from .values import JSON, is_unicode, store

LONGEST_PASSAGE = 100_000
LONGEST_PLACE = 1000
"""Characters that a passage and its place may have."""

BATCH = 1024 * 1024
"""Bytes of packed passages from which on they are written: nobody else has to wait long meanwhile."""

_ROWS = 256

_insert_document = insert(documents)
_insert_passage = insert(passages)
_last_document = Statement(
    sa.select(sa.func.max(documents.c.document)).where(documents.c.session_id == sa.bindparam("session_id"))
)


@dataclass
class _Waiting:
    """A document whose passages are in the spool."""

    name: str
    kind: str
    digest: bytes
    detail: str | None = None
    content: bytes = b""
    passages: int = 0
    characters: int = 0
    start: int = 0
    end: int = 0
    number: int = 0


class _Made(NamedTuple):
    """A segment that was made: how long its passages are, and between which sizes of the spool it waits."""

    lengths: list[int]
    start: int
    end: int


class Adding:
    """Documents on their way into a session."""

    def __init__(self, database: Database, session_id: int, headers: Headers) -> None:
        self._database = database
        self._session_id = session_id
        self._headers = headers
        self._spool = Spool(3)
        self._waiting: dict[str, _Waiting] = {}

    def add(
        self,
        name: str,
        kind: str,
        passages: Iterable[tuple[str, str]],
        digest: bytes,
        detail: dict[str, JSON] | None = None,
    ) -> bool:
        """Take a document in, see `Library.add`; False where it is there already.

        If reading its passages raises, nothing of it is kept, and others can be added afterwards.
        """
        _check_name(name)
        if self._is_known(name, digest):
            return False
        one = _Waiting(name, kind, digest, start=self._spool.size)
        try:
            self._take(one, passages)
            one.detail = None if detail is None else store(detail)
        except BaseException:
            self._spool.cut(one.start)
            raise
        one.end = self._spool.size
        self._waiting[name] = one
        if self._spool.size >= BATCH:
            self.flush()
        return True

    def _is_known(self, name: str, digest: bytes) -> bool:
        waiting = self._waiting.get(name)
        if waiting is not None:
            check_same(name, waiting.digest, digest)
            return True
        with self._database.reading() as work:
            found = by_name(work, self._session_id, name)
        if found is not None:
            check_same(name, found.digest, digest)
        return found is not None

    def _take(self, one: _Waiting, given: Iterable[tuple[str, str]]) -> None:
        content = Content(one.name, one.kind, one.digest)
        for place, text in given:
            one.passages += 1
            _check_passage(one, place, text)
            digest = passage_digest(place, text)
            content.add(digest)
            one.characters += len(text)
            self._spool.put(place.encode(), digest, pack(text.encode()))
        one.content = content.digest()

    def flush(self) -> None:
        """Write what waits, in one transaction."""
        while self._waiting:
            with Spool(2) as rows:
                segments = list(self._indexed(rows))
                with self._database.writing() as work:
                    if self._claimed(work):
                        self._write(work, segments, rows)
                        self._waiting.clear()
        self._spool.cut(0)

    def _indexed(self, rows: Spool) -> Iterator[_Made]:
        """The segments for what waits; their rows go into a spool."""
        segment = Segment()
        for one in self._waiting.values():
            for _, _, data in self._spool.rows(one.start, one.end):
                segment.add(terms_of(unpack_text(data)))
                if len(segment.lengths) == index.SEGMENT:
                    yield _spooled(segment, rows)
                    segment = Segment()
        if segment.lengths:
            yield _spooled(segment, rows)

    def _claimed(self, work: Work) -> bool:
        """Write the rows of what waits; what somebody else has added meanwhile waits no more.

        Whether all were claimed: else nothing is written, and what was made for them is to be made again.
        """
        lock(work, self._session_id)
        there = [one for one in self._waiting.values() if self._is_there(work, one)]
        for one in there:
            del self._waiting[one.name]
        last = work.one(_last_document, session_id=self._session_id)
        number = (last and last[0]) or 0
        for one in () if there else self._waiting.values():
            number += 1
            one.number = number
            self._insert(work, one)
        return not there

    def _is_there(self, work: Work, one: _Waiting) -> bool:
        found = by_name(work, self._session_id, one.name)
        if found is not None:
            check_same(one.name, found.digest, one.digest)
        return found is not None

    def _insert(self, work: Work, one: _Waiting) -> None:
        work.run(
            _insert_document,
            session_id=self._session_id,
            document=one.number,
            name=one.name,
            kind=one.kind,
            digest=one.digest,
            content=one.content,
            passages=one.passages,
            characters=one.characters,
            at=work.clock(),
            detail=one.detail,
        )

    def _write(self, work: Work, segments: Iterable[_Made], rows: Spool) -> None:
        for one in self._waiting.values():
            self._write_passages(work, one)
        places = ((one.number, n + 1) for one in self._waiting.values() for n in range(one.passages))
        for made in segments:
            runs = runs_of(islice(places, len(made.lengths)))
            spooled = ((term.decode(), data) for term, data in rows.rows(made.start, made.end))
            index.write(work, self._session_id, runs, made.lengths, spooled)
        index.tidy(work, self._session_id, self._headers)

    def _write_passages(self, work: Work, one: _Waiting) -> None:
        numbered = enumerate(self._spool.rows(one.start, one.end), 1)
        key = {"session_id": self._session_id, "document": one.number}
        while batch := list(islice(numbered, _ROWS)):
            work.run_all(
                _insert_passage,
                [
                    {"passage": n, "place": place.decode(), "digest": digest, "data": data, **key}
                    for n, (place, digest, data) in batch
                ],
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._spool.__exit__(kind, error, trace)


def _spooled(segment: Segment, rows: Spool) -> _Made:
    start = rows.size
    for term, data in segment.rows():
        rows.put(term.encode(), data)
    return _Made(segment.lengths, start, rows.size)


def check_same(name: str, known: bytes, digest: bytes) -> None:
    """Refuse another document of the same name."""
    if known != digest:
        raise Refused(
            f"There is another document {name!r} in this session: its digest is {known.hex()[:16]}…, "
            f"this one's {digest.hex()[:16]}…",
            next_step="Add it under another name; what was quoted from the first one stays as it was",
            document=name,
        )


def _check_name(name: str) -> None:
    if not name or not name.isprintable():
        raise ValueRefused(
            f"{ascii(name)[:80]} is no name for a document",
            next_step="Give a name of characters that can be printed",
        )


def _check_passage(one: _Waiting, place: str, text: str) -> None:
    for what, given, most in (("place", place, LONGEST_PLACE), ("text", text, LONGEST_PASSAGE)):
        if len(given) > most:
            why = f"has {len(given):,} characters, and not at most {most:,}"
        elif not is_unicode(given):
            why = "has a lone surrogate, which is no text"
        elif what == "place" and "\0" in given:
            why = "has a character U+0000"
        else:
            continue
        raise ValueRefused(f"The {what} of passage {one.passages} {why}", document=one.name)
