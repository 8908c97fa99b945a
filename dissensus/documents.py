"""Documents of a session: reading files, showing passages to models, and finding them again."""

from __future__ import annotations

from dissensus.research.readers.errors import Unreadable
from dissensus.research.readers.kinds import digest_of
from dissensus.research.readers.passages import Reading
from dissensus.research.readers.reading import read
from dissensus.research.readers.walking import Found, Skipped, walk
from dissensus_agents.sources import part, resolve_source
from dissensus_state.documents import Document, Hit, Passage
from dissensus_state.library import Library

__all__ = [
    "Document",
    "Found",
    "Hit",
    "Library",
    "Passage",
    "Reading",
    "Skipped",
    "Unreadable",
    "digest_of",
    "part",
    "read",
    "resolve_source",
    "walk",
]
