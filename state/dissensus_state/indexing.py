"""Writing the index of the commits: block by block as they fill, and what is missing of it.

The commit that fills a block of 256 versions indexes it in its own transaction. A database from before
there was an index is caught up by whoever writes, or by the first who reads and may write.
"""

from __future__ import annotations

import sqlalchemy as sa

from . import heads
from .engines import Database, Statement, Work, insert_absent
from .errors import DatabaseFailed, DissensusError
from .lineages import BEYOND
from .marks import BLOCK
from .tables import branches, touches
from .touches import Touches

BLOCKS_WRITTEN, BLOCKS_READ = 4, 32
"""How many blocks a writer indexes at most in one transaction, and a reader."""

_BEHIND = 2 * BLOCK
"""From so many commits on that are in no index, a reader writes it rather than to read them each time."""

_session = sa.bindparam("session_id_", type_=sa.BigInteger)
_behind = Statement(
    sa.select(
        sa.func.max(branches.c.head - sa.func.coalesce(branches.c.indexed, branches.c.base_version, -1))
    ).where(branches.c.session_id == sa.bindparam("session_id"))
)
"""How many commits the branch of a session has in no index that has most of them."""

_patience = Statement(sa.text("SET LOCAL lock_timeout = '1s'"))
"""A reader does not wait for long: whoever holds the branch may be waiting for it."""

_insert = insert_absent(touches)
_move = Statement(
    sa.update(branches)
    .where(branches.c.session_id == _session, branches.c.branch == sa.bindparam("branch_"))
    .values(indexed=sa.bindparam("indexed", type_=sa.BigInteger))
)
_forget = Statement(
    sa.delete(touches).where(
        touches.c.session_id == _session,
        touches.c.branch == sa.bindparam("branch_"),
        touches.c.block >= sa.bindparam("first"),
    )
)


def catch_up(work: Work, session_id: int, branch: str, head: int, blocks: int = BLOCKS_WRITTEN) -> bool:
    """Index the next full blocks of a branch, whose row this transaction holds; whether more are left.

    What cannot be read is left to `verify`, which names it: nobody is kept from committing for its sake.
    """
    index = Touches(work, session_id, branch)
    number, start = len(index.segments) - 1, index.reach()
    full = (head + 1) // BLOCK * BLOCK - 1
    end = min(full, (start + 1) // BLOCK * BLOCK + blocks * BLOCK - 1)
    if end <= start:
        return False
    try:
        rows = index.scanned(number, start, end)
    except DatabaseFailed:
        raise
    except DissensusError:
        return False
    work.run_all(
        _insert,
        [
            {
                "session_id": session_id,
                "branch": branch,
                "what": what,
                "spot": spot,
                "block": block,
                "versions": told,
            }
            for (what, spot), told_by_block in sorted(rows.items())
            for block, told in sorted(told_by_block.items())
        ],
    )
    work.run(_move, session_id_=session_id, branch_=branch, indexed=end)
    return end < full


def ready(database: Database, session_id: int, branch: str) -> None:
    """Index what a branch, and what it was forked from, has not indexed, where that is much.

    In transactions of a bounded size, between which others write. Where this process may not write, it
    is left as it is, and read from the commits.
    """
    row = database.peek(_behind, session_id=session_id)
    if row is None or row[0] is None or row[0] < _BEHIND:
        return
    with database.reading() as work:
        index = Touches(work, session_id, branch)
        behind = [name for name, missing in index.behind() if missing >= _BEHIND]
    try:
        for name in behind:
            while _step(database, session_id, name):
                pass
    except DatabaseFailed:
        return


def _step(database: Database, session_id: int, branch: str) -> bool:
    with database.writing() as work:
        if database.backend == "postgresql":
            work.run(_patience)
        head = heads.read(work, session_id, branch).version
        return catch_up(work, session_id, branch, head, BLOCKS_READ)


def forget(work: Work, session_id: int, branch: str, first: int = 0) -> None:
    """Drop what the index says of the versions of a branch from one on; it is made again from what stands."""
    index = Touches(work, session_id, branch, BEYOND)
    block = first // BLOCK
    if index.reach() < max(block * BLOCK, 0):
        return
    work.run(_forget, session_id_=session_id, branch_=branch, first=block)
    kept = block * BLOCK - 1
    work.run(_move, session_id_=session_id, branch_=branch, indexed=kept if kept >= 0 else None)


def anew(work: Work, session_id: int, branch: str) -> None:
    """Make the index of a branch again from the commits, whatever it says now."""
    forget(work, session_id, branch)
    head = heads.read(work, session_id, branch).version
    while catch_up(work, session_id, branch, head, BLOCKS_READ):
        pass
