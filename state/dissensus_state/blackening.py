"""Taking texts out of the documents of a session, and out of their index."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import sqlalchemy as sa

from . import documents, index
from .blobs import REDACTED, pack
from .documents import Document, Stored, passage_digest
from .engines import Statement, Work
from .shelving import LONGEST_PASSAGE
from .tables import documents as documents_table
from .tables import passages
from .traces import Remaining, Texts
from .values import canonical

BOUNDARY = "In documents, what runs over the end of a passage was not looked for"

_write_passage = Statement(
    sa.update(passages)
    .where(
        passages.c.session_id == sa.bindparam("session_id_"),
        passages.c.document == sa.bindparam("document_"),
        passages.c.passage == sa.bindparam("passage_"),
    )
    .values(place=sa.bindparam("place"), data=sa.bindparam("data"))
)
_write_detail = Statement(
    sa.update(documents_table)
    .where(
        documents_table.c.session_id == sa.bindparam("session_id_"),
        documents_table.c.document == sa.bindparam("document_"),
    )
    .values(detail=sa.bindparam("detail"))
)


class Blackened(NamedTuple):
    """What was taken out of documents.

    Attributes:
        passages: Document and number of each passage that was changed, with its digest as it is now.
        remains: Where a text still stands, and stays.
        left: What was not looked for.
    """

    passages: list[tuple[int, int, str]]
    remains: list[Remaining]
    left: tuple[str, ...]


def blacken(work: Work, session_id: int, texts: Texts, *, takes: bool) -> Blackened:
    """Replace texts in every passage, whatever white space parts their words there, and index them again.

    Args:
        takes: Take the texts away; else only say where they stand.
    """
    documents.lock(work, session_id)
    pattern = _pattern(texts)
    there = documents.every(work, session_id)
    if pattern is None or not there:
        return Blackened([], [], ())
    changed: list[tuple[int, int, str]] = []
    remains: list[Remaining] = []
    for document in there:
        stands = _tells(document, texts)
        for row in _found(work, session_id, document, pattern):
            stands = True
            if takes:
                digest = _passage(work, session_id, document.number, row, pattern)
                changed.append((document.number, row.n, digest))
        if pattern.search(document.name):
            remains.append(Remaining(None, None, f"the name of the document {document.name!r}"))
        if stands and not takes:
            remains.append(Remaining(None, None, f"the document {document.name!r}"))
        if takes:
            _detail(work, session_id, document, texts)
    index.rewrite(work, session_id, {(document, n) for document, n, _ in changed})
    return Blackened(changed, remains, (BOUNDARY,))


def _tells(document: Document, texts: Texts) -> bool:
    return document.detail is not None and texts.stand_in(canonical(document.detail))


def _detail(work: Work, session_id: int, document: Document, texts: Texts) -> None:
    if _tells(document, texts):
        detail = canonical(texts.scrubbed(document.detail))
        work.run(_write_detail, session_id_=session_id, document_=document.number, detail=detail)


def _pattern(texts: Texts) -> re.Pattern[str] | None:
    forms = [form.split() for form in texts.forms if len(form) <= LONGEST_PASSAGE]
    choices = [r"\s+".join(map(re.escape, words)) for words in forms if words]
    return re.compile("|".join(choices)) if choices else None


def _found(work: Work, session_id: int, document: Document, pattern: re.Pattern[str]) -> Iterator[Stored]:
    """The passages in which one of the texts stands."""
    for row in documents.rows_of(work, session_id, document.number):
        if pattern.search(row.text) or pattern.search(row.place):
            yield row


def _passage(work: Work, session_id: int, document: int, row: Stored, pattern: re.Pattern[str]) -> str:
    """Write a passage without the texts; its digest."""
    place, text = pattern.sub(REDACTED, row.place), pattern.sub(REDACTED, row.text)
    work.run(
        _write_passage,
        session_id_=session_id,
        document_=document,
        passage_=row.n,
        place=place,
        data=pack(text.encode()),
    )
    return passage_digest(place, text).hex()
