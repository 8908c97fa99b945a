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


def blacken(work: Work, session_id: int, texts: Texts) -> Blackened:
    """Replace texts in every passage, whatever white space parts their words there, and index them again."""
    documents.lock(work, session_id)
    pattern = _pattern(texts)
    there = documents.every(work, session_id)
    if pattern is None or not there:
        return Blackened([], [], ())
    changed: list[tuple[int, int, str]] = []
    for document in there:
        changed += list(_document(work, session_id, document, pattern))
        if document.detail is not None and texts.stand_in(canonical(document.detail)):
            detail = canonical(texts.scrubbed(document.detail))
            work.run(_write_detail, session_id_=session_id, document_=document.number, detail=detail)
    index.rewrite(work, session_id, {(document, n) for document, n, _ in changed})
    remains = [
        Remaining(None, None, f"the name of the document {one.name!r}")
        for one in there
        if pattern.search(one.name)
    ]
    return Blackened(changed, remains, (BOUNDARY,))


def _pattern(texts: Texts) -> re.Pattern[str] | None:
    forms = [form.split() for form in texts.forms if len(form) <= LONGEST_PASSAGE]
    choices = [r"\s+".join(map(re.escape, words)) for words in forms if words]
    return re.compile("|".join(choices)) if choices else None


def _document(
    work: Work, session_id: int, document: Document, pattern: re.Pattern[str]
) -> Iterator[tuple[int, int, str]]:
    n = 0
    while page := documents.rows_after(work, session_id, document.number, n):
        n = page[-1].n
        for row in page:
            if pattern.search(row.text) or pattern.search(row.place):
                yield document.number, row.n, _passage(work, session_id, document.number, row, pattern)


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
