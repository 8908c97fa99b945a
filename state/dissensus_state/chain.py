"""The hash chain: what each commit's hash says, and over what."""

from __future__ import annotations

from . import rounds
from .engines import Work
from .records import Commit
from .values import canonical, digest


def cited(work: Work, session_id: int, made: Commit) -> str | None:
    """The digest of the round that a commit ended, with every recording it cites."""
    return None if made.round is None else rounds.round_digest(work, session_id, made.round)


def chained(previous: bytes, made: Commit, stored: str, round_digest: str | None) -> bytes:
    """The hash of a commit: over the one before, and over everything the commit says.

    The patch enters as the digest of its stored text, where large values stand by their own
    digests.
    """
    said = [
        previous.hex(),
        made.branch,
        made.version,
        made.author,
        made.transition,
        made.round,
        round_digest,
        made.base,
        made.isolation,
        list(made.reads),
        digest(stored).hex(),
        list(made.evidence),
        made.key,
        made.at,
        made.schema_version,
        *([] if made.source is None else [made.source]),
    ]
    return digest(canonical(said))
