"""The face of a session's documents: add them, read them, search them."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from . import documents, index, ranking
from .documents import Document, Hit, Passage
from .engines import Database, Work
from .erasures import Erasures
from .errors import NotFound, located
from .lineages import MAIN
from .ranking import Found, Headers
from .shelving import Adding
from .values import JSON


class Library:
    """The documents of a session, on all its branches.

    Any number of threads and processes may add and read at the same time.
    """

    def __init__(self, database: Database, session_id: int, session: str) -> None:
        self._database = database
        self._session_id = session_id
        self._session = session
        self._headers = Headers()

    # Adding

    def add(
        self,
        name: str,
        kind: str,
        passages: Iterable[tuple[str, str]],
        digest: bytes,
        detail: dict[str, JSON] | None = None,
    ) -> Document:
        """Add a document; where it is there already, with that digest, that one is given.

        Args:
            name: What it is quoted by; a path below the folder it was found in, for instance.
            kind: What it was made from: `text`, `pdf`, …
            passages: Place and text of each. They are taken one by one, and never all held in memory.
            digest: Says whether it is the same document: the digest of the file.
            detail: What else is to be kept about it.

        Raises:
            Refused: there is another document of that name.
            ValueRefused: a text, a place or the name cannot be stored, or is too long.
        """
        with self.adding() as shelf:
            shelf.add(name, kind, passages, digest, detail)
        return self.document(name)

    @contextmanager
    def adding(self) -> Iterator[Adding]:
        """Add many documents, several small ones in one transaction; all are there when the block ends.

        An error in the block leaves what was written before it, and nothing of what was not.
        """
        with located(session=self._session), Adding(self._database, self._session_id, self._headers) as shelf:
            yield shelf
            shelf.flush()

    # Reading

    def documents(self) -> list[Document]:
        """All documents, by name."""
        with self._reading() as work:
            return documents.every(work, self._session_id)

    def document(self, name: str) -> Document:
        """The document of that name; `NotFound` where there is none."""
        with self._reading() as work:
            return documents.named(work, self._session_id, name)

    def passage(self, name: str, n: int) -> Passage:
        """One passage of a document, counted from 1; `NotFound` where there is none."""
        with self._reading() as work:
            found = documents.named(work, self._session_id, name)
            return documents.passage(work, self._session_id, found.number, name, n)

    def passages_of(self, name: str) -> Iterator[Passage]:
        """The passages of a document in order, a few at a time."""
        found, n = self.document(name), 0
        while True:
            with self._reading() as work:
                page = documents.rows_after(work, self._session_id, found.number, n)
            for row in page:
                n = row.n
                yield Passage(found.number, name, row.n, row.place, row.text)
            if len(page) < documents.PAGE:
                return

    def text(self, name: str) -> str:
        """The whole text of a document, its passages parted by empty lines."""
        return "\n\n".join(passage.text for passage in self.passages_of(name))

    def cited(self, source: str) -> Passage:
        """The passage that the source of a piece of a prompt refers to (`document:NAME#12`).

        Raises:
            NotFound: it refers to no passage, or to one that is not there.
        """
        found = documents.cited(source)
        if found is None:
            raise NotFound(f"{source!r} refers to no passage of a document")
        return self.passage(*found)

    def search(self, query: str, limit: int = 20, documents: Iterable[str] | None = None) -> list[Hit]:
        """The passages that fit a question best, the best first; of equals, by name and number.

        Args:
            query: A question, or a few words; of a long text, its first 64 different terms.
            limit: How many at most.
            documents: The names of those to look in; None for all.

        Raises:
            NotFound: there is no document of a name.
        """
        with self._reading() as work:
            among = None if documents is None else {self._number(work, name) for name in documents}
            headers = self._headers.read(work, self._session_id)
            found = ranking.ask(work, self._session_id, headers, query, max(limit, 0), among)
            return self._best(work, found, max(limit, 0))

    def _number(self, work: Work, name: str) -> int:
        return documents.named(work, self._session_id, name).number

    def _best(self, work: Work, found: list[Found], limit: int) -> list[Hit]:
        names = documents.names(work, self._session_id) if found else {}
        best = heapq.nsmallest(limit, found, key=lambda one: (-one.score, names[one.document], one.passage))
        return [
            Hit(
                documents.passage(work, self._session_id, one.document, names[one.document], one.passage),
                one.score,
            )
            for one in best
        ]

    def verify(self) -> int:
        """Hold every document to its digest, and the index to the documents; how many there are.

        `Session.verify` does the first as well; that the commits are sound which say what was redacted, only
        that one sees.

        Raises:
            Tampered: naming the first document that is not what was added.
        """
        with self._reading() as work:
            redacted = Erasures(work, self._session_id, MAIN).passages
            count = documents.check(work, self._session_id, redacted)
            index.check(work, self._session_id)
        return count

    def index_again(self) -> None:
        """Make the whole index again from the passages: where it is damaged, or was made in small pieces."""
        with located(session=self._session), self._database.writing() as work:
            documents.lock(work, self._session_id)
            index.renew(work, self._session_id)

    @contextmanager
    def _reading(self) -> Iterator[Work]:
        with located(session=self._session), self._database.reading() as work:
            yield work
