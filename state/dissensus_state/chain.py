"""The hash chain: what each commit's hash says, and over what."""

from __future__ import annotations

from typing import Any

from . import rounds
from .engines import Work
from .values import canonical, canonical_of_plain, digest


def cited(work: Work, session_id: int, round_: int | None, *, whole: bool = False) -> str | None:
    """The digest of the round that a commit ended, with every recording it cites."""
    return None if round_ is None else rounds.round_digest(work, session_id, round_, whole=whole)


def chained(previous: bytes, patch_digest: str, round_digest: str | None, said: dict[str, Any]) -> bytes:
    """The hash of a commit: over the one before, and over everything the commit says.

    The patch enters by the digests of its values, so that one can be taken away for good and the chain
    still verifies.

    Args:
        patch_digest: As `blobs.stowed` gives it.
        said: The fields of the commit, but for `patch` and `hash`.
    """
    source = said.get("source")
    parts = [
        previous.hex(),
        said["branch"],
        said["version"],
        said["author"],
        said["transition"],
        said["round"],
        round_digest,
        said["base"],
        said["isolation"],
        list(said["reads"]),
        patch_digest,
        list(said["evidence"]),
        said["key"],
        said["at"],
        said["schema_version"],
    ]
    if source is None and not said["evidence"]:
        return digest(canonical_of_plain(parts))
    return digest(canonical([*parts, source] if source is not None else parts))
