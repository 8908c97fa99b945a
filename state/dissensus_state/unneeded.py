"""Texts kept aside that nothing names any more."""

from __future__ import annotations

import sqlalchemy as sa

from .blobs import named, reference
from .engines import Statement, Work
from .tables import blobs, calls, commits, conflicts, models, proposals

_session = sa.bindparam("session_id", type_=sa.BigInteger)
_sources = [
    Statement(sa.select(column).where(column.table.c.session_id == _session, column.is_not(None)))
    for column in (
        commits.c.patch,
        proposals.c.patch,
        calls.c.request,
        models.c.frame,
        *conflicts.c["base", "ours", "theirs", "settlement"],
    )
]
_kept = Statement(
    sa.select(blobs.c.digest, sa.func.length(blobs.c.data)).where(blobs.c.session_id == _session)
)
_drop = Statement(
    sa.delete(blobs).where(
        blobs.c.session_id == sa.bindparam("session_id_"), blobs.c.digest == sa.bindparam("digest_")
    )
)


def find(work: Work, session_id: int) -> dict[bytes, int]:
    """The digests of the texts that nothing names, each with its bytes."""
    needed: set[str] = set()
    for source in _sources:
        for (text,) in work.pages(source, session_id=session_id):
            needed.update(named(text))
    rows = work.all(_kept, session_id=session_id)
    return {bytes(name): int(size) for name, size in rows if reference(bytes(name)) not in needed}


def drop(work: Work, session_id: int) -> int:
    """Remove them; how many there were."""
    found = find(work, session_id)
    for name in found:
        work.run(_drop, session_id_=session_id, digest_=name)
    return len(found)
