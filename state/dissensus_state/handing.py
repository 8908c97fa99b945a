"""The part of a session that hands it on. What that takes is loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from .carrying import Carrier
from .later import Later
from .readers import StateT
from .records import MASK

if TYPE_CHECKING:
    from . import archive
    from .archive import Exported, Told
    from .pages import writing
else:
    archive = Later("archive")
    writing = Later("pages.writing")


class Handed(Carrier[StateT]):
    """A session as far as it can be written into one file."""

    def export(
        self,
        path: str | Path | BinaryIO,
        form: str = "jsonl",
        *,
        redact: Iterable[str] | Mapping[str, Any] = (),
        raw: bool = True,
        reasoning: bool = True,
        prompts: bool = True,
        author: str = "user",
        told: Told | None = None,
        limit: int | None = None,
    ) -> Exported:
        """Write the whole session into one file: all branches, rounds, recordings, documents, events.

        `Store.import_session` takes it into another database, with the same hashes. What stood at the path
        is replaced once the file is whole. What is to be missing is taken out of a copy, whose chain says so.

        Args:
            path: The file, or a stream of bytes.
            form: `jsonl`, which reads without dissensus; `sqlite`, a database that opens as it is; or
                `html`, a page that tells the story to people, and cannot be taken in again.
            redact: Paths whose values are taken away for good, everywhere; as a mapping, with what stands
                there instead. It needs the schema.
            raw: Whether the providers' bodies are to be in it.
            reasoning: Whether the chains of thought are to be in it.
            prompts: Whether what models were asked is to be in it.
            author: Whom the copy's history names for what was taken out.
            told: Is told now and then how many lines are written, and of how many.
            limit: Of a page, the newest so many commits of each branch (None: all).

        Raises:
            Refused: a value cannot be taken away everywhere; nothing is written.
            ArchiveRefused: the path is a database that is in use.
            DiskFull: there is no room for it.
            OSError: it cannot be written.
        """
        values = dict(redact) if isinstance(redact, Mapping) else dict.fromkeys(redact, MASK)
        wanted = {"raw": raw, "reasoning": reasoning, "prompts": prompts}
        left_out = [what for what, stays in wanted.items() if not stays]
        source = archive.Source(self.database, self.info, self.branch, self._shape)
        target = Path(path) if isinstance(path, str) else path
        return archive.export(source, target, archive.Asked(form, values, left_out, author, told, limit))

    def page(self, limit: int | None = None) -> str:
        """The story of the session as one HTML page, which opens offline and loads nothing.

        Args:
            limit: The newest so many commits of each branch (None: all); the page says what it leaves out.

        Raises:
            ArchiveRefused: it would be over 64 MiB.
        """
        with self.reading() as work:
            return "".join(writing.html_page(work, self.session_id, limit))
