"""The hash chain: what each commit's hash says, and over what."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

from . import rounds
from .blobs import patch_digest, text_digest
from .commits import SAID, commit, stored_patch
from .engines import Work
from .errors import Refused
from .records import Commit
from .values import JSON, canonical, canonical_of_plain, digest

Evidence: TypeAlias = Literal["digests", "erased", "whole"]


def cited(work: Work, session_id: int, round_: int | None, *, whole: bool = False) -> str | None:
    """The digest of the round that a commit ended, with every recording it cites."""
    return None if round_ is None else rounds.round_digest(work, session_id, round_, whole=whole)


def chained(
    previous: bytes,
    patch_digest: str,
    round_digest: str | None,
    said: dict[str, Any],
    evidence: Evidence = "digests",
) -> bytes:
    """The hash of a commit: over the one before, and over everything the commit says.

    The patch and the evidence enter by the digests of their values, so that one can be taken away for
    good and the chain still verifies.

    Args:
        patch_digest: As `blobs.stowed` gives it.
        said: The fields of the commit, but for `patch` and `hash`.
        evidence: How it enters: by digests, of which some may be all that is left (`"erased"`), or
            `"whole"`, as it did before values could be redacted.
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
        _covered(said["evidence"], evidence),
        said["key"],
        said["at"],
        said["schema_version"],
    ]
    if source is None and not said["evidence"]:
        return digest(canonical_of_plain(parts))
    return digest(canonical([*parts, source] if source is not None else parts))


def form_of(work: Work, session_id: int, made: Commit, previous: bytes) -> Evidence | None:
    """The form in which the chain covers a commit; None where its hash does not follow from it.

    Before values could be redacted, the chain covered all texts as a whole.
    """
    stored = stored_patch(work, session_id, made.branch, made.version)
    said = {name: getattr(made, name) for name in SAID}
    covered, cites = patch_digest(stored), cited(work, session_id, made.round)
    forms: tuple[Evidence, ...] = ("digests", "erased") if made.evidence else ("digests",)
    for form in forms:
        if made.hash == chained(previous, covered, cites, said, form):
            return form
    cites = cited(work, session_id, made.round, whole=True)
    whole = chained(previous, digest(stored).hex(), cites, said, "whole")
    return "whole" if made.hash == whole else None


def check_by_digests(work: Work, session_id: int, branch: str) -> None:
    """Raise `Refused` where the chain of a session covers values themselves: none can be taken away.

    It is told by the first commit, so that a session is of one kind.
    """
    if form_of(work, session_id, commit(work, session_id, branch, 0), b"") == "whole":
        raise Refused(
            "The chain of this session covers its values as a whole: it was begun by an older dissensus",
            next_step="Begin a new session with its state, and delete the database that holds this one",
        )


def _covered(evidence: Iterable[JSON], form: Evidence) -> list[JSON]:
    if form == "whole":
        return list(evidence)
    texts = [canonical(item) for item in evidence]
    return [text_digest(text) if form == "erased" else digest(text).hex() for text in texts]
