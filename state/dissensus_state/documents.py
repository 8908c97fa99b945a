"""The documents of a session: texts that agents read and quote, in passages that a person can find again.

They belong to the session, and so to all its branches. A document is there whole or not at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from .blobs import unpack_text
from .engines import Row, Statement, Work
from .errors import NotFound, Tampered, located
from .showing import Shown
from .tables import documents, passages, sessions
from .values import parse_object

SOURCE = "document:"
"""How the source of a piece of a prompt begins that shows a passage: `document:NAME#12`."""

PAGE = 64
"""How many passages are read at a time."""

_session = sa.bindparam("session_id", type_=sa.BigInteger)
_columns = sa.select(
    *documents.c["document", "name", "kind", "digest", "content", "passages", "characters", "at", "detail"]
).where(documents.c.session_id == _session)
_all = Statement(_columns)
_by_name = Statement(_columns.where(documents.c.name == sa.bindparam("name")))
_names = Statement(
    sa.select(documents.c.document, documents.c.name).where(documents.c.session_id == _session)
)
_passages = sa.select(*passages.c["passage", "place", "digest", "data"]).where(
    passages.c.session_id == _session, passages.c.document == sa.bindparam("document")
)
_after = Statement(
    _passages.where(passages.c.passage > sa.bindparam("passage")).order_by(passages.c.passage).limit(PAGE)
)
_one = Statement(_passages.where(passages.c.passage == sa.bindparam("passage")))
_lock = Statement(sa.select(sessions.c.session_id).where(sessions.c.session_id == _session).with_for_update())


@dataclass(frozen=True, slots=True)
class Document(Shown):
    """One document of a session.

    Attributes:
        number: Under which the database keeps it.
        kind: What it was made from: `text`, `markdown`, `pdf`, `csv`, `html`, or a word of the user's.
        digest: What whoever added it gave, the digest of the file.
        content: Covers its name, kind, digest and passages as they were added; `verify` holds it to that.
        passages, characters: How many it has.
        at: When it was added, in milliseconds since 1970.
        detail: What reading it had to tell, as plain data.
    """

    number: int
    name: str
    kind: str
    digest: bytes
    content: bytes
    passages: int
    characters: int
    at: int
    detail: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """The document as plain data."""
        return {
            "name": self.name,
            "kind": self.kind,
            "digest": self.digest.hex(),
            "content": self.content.hex(),
            "passages": self.passages,
            "characters": self.characters,
            "at": self.at,
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class Passage:
    """About a page of a document: its number from 1 on, its text, and where a person finds it again."""

    document: int
    name: str
    n: int
    place: str
    text: str

    @property
    def source(self) -> str:
        """How a piece of a prompt refers to it."""
        return f"{SOURCE}{self.name}#{self.n}"


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found; a higher score says that it fits better."""

    passage: Passage
    score: float


class Content:
    """The digest of a document, passage by passage."""

    def __init__(self, name: str, kind: str, digest: bytes) -> None:
        self._hash = hashlib.sha256()
        for part in (name.encode(), kind.encode(), digest):
            self._hash.update(hashlib.sha256(part).digest())

    def add(self, digest: bytes) -> None:
        """Take the digest of the next passage in."""
        self._hash.update(digest)

    def digest(self) -> bytes:
        """What it has come to."""
        return self._hash.digest()


def passage_digest(place: str, text: str) -> bytes:
    """The digest of a passage."""
    return hashlib.sha256(f"{place}\0{text}".encode()).digest()


class Stored(NamedTuple):
    """A passage as its row says it."""

    n: int
    place: str
    digest: bytes
    text: str


def lock(work: Work, session_id: int) -> None:
    """Let nobody else change the documents of a session, or their index, until the transaction ends.

    Raises:
        NotFound: there is no such session.
    """
    if work.one(_lock, session_id=session_id) is None:
        raise NotFound("The session is not in this database")


def every(work: Work, session_id: int) -> list[Document]:
    """The documents of a session, by name."""
    found = [_document(row) for row in work.all(_all, session_id=session_id)]
    return sorted(found, key=lambda one: one.name)  # a database sorts by its locale


def by_name(work: Work, session_id: int, name: str) -> Document | None:
    """The document of that name, if there is one."""
    row = work.one(_by_name, session_id=session_id, name=name)
    return None if row is None else _document(row)


def named(work: Work, session_id: int, name: str) -> Document:
    """The document of that name; `NotFound` where there is none."""
    found = by_name(work, session_id, name)
    if found is None:
        raise NotFound(
            f"There is no document {name!r} in this session",
            next_step="List what there is with `session.library.documents()`",
        )
    return found


def names(work: Work, session_id: int) -> Mapping[int, str]:
    """The names of all documents by their numbers."""
    return {int(number): name for number, name in work.all(_names, session_id=session_id)}


def _document(row: Row) -> Document:
    number, name, kind, digest, content, count, characters, at, detail = row
    return Document(
        int(number),
        name,
        kind,
        bytes(digest),
        bytes(content),
        int(count),
        int(characters),
        int(at),
        None if detail is None else parse_object(detail),
    )


def rows_after(work: Work, session_id: int, number: int, n: int) -> list[Stored]:
    """The next passages of a document as they are stored, `PAGE` of them."""
    rows = work.all(_after, session_id=session_id, document=number, passage=n)
    return [_stored(row) for row in rows]


def rows_of(work: Work, session_id: int, number: int) -> Iterator[Stored]:
    """All passages of a document as they are stored."""
    n = 0
    while page := rows_after(work, session_id, number, n):
        yield from page
        n = page[-1].n


def row_of(work: Work, session_id: int, number: int, n: int) -> Stored | None:
    """One of them."""
    row = work.one(_one, session_id=session_id, document=number, passage=n)
    return None if row is None else _stored(row)


def _stored(row: Row) -> Stored:
    return Stored(int(row[0]), row[1], bytes(row[2]), unpack_text(row[3]))


def passage(work: Work, session_id: int, document: int, name: str, n: int) -> Passage:
    """One passage; `NotFound` where the document has none of that number."""
    row = row_of(work, session_id, document, n)
    if row is None:
        raise NotFound(f"The document {name!r} has no passage {n}")
    return Passage(document, name, n, row.place, row.text)


def cited(source: str) -> tuple[str, int] | None:
    """The document's name and the passage's number in a source; None where it refers to none."""
    name, _, n = source.removeprefix(SOURCE).rpartition("#")
    if not source.startswith(SOURCE) or not name or not n.isdecimal() or not n.isascii():
        return None
    return name, int(n)


def check(work: Work, session_id: int, redacted: Mapping[tuple[int, int], str] | None = None) -> int:
    """Hold every document to its digest; how many there are.

    Args:
        redacted: The digests of the passages that were redacted since, by document and passage.

    Raises:
        Tampered: naming the first that is not what was added.
    """
    found = every(work, session_id)
    for document in found:
        with located(document=document.name):
            _check(work, session_id, document, redacted or {})
    return len(found)


def _check(work: Work, session_id: int, document: Document, redacted: Mapping[tuple[int, int], str]) -> None:
    content = Content(document.name, document.kind, document.digest)
    count = characters = changed = 0
    for row in rows_of(work, session_id, document.number):
        count += 1
        expected = redacted.get((document.number, row.n))
        changed += expected is not None
        if row.n != count or passage_digest(row.place, row.text).hex() != (expected or row.digest.hex()):
            raise _tampered(document, f"passage {row.n} is not what was added")
        characters += len(row.text)
        content.add(row.digest)
    if count != document.passages:
        raise _tampered(document, f"it has {count} passages and was added with {document.passages}")
    if content.digest() != document.content or (characters != document.characters and not changed):
        raise _tampered(document, "it is not what was added")


def _tampered(document: Document, why: str) -> Tampered:
    return Tampered(f"The document {document.name!r} could not have been added: {why}")
