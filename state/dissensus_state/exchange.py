"""A commit to a head that nobody else has moved: the compare-and-set and the row, and nothing else.

The change is admitted on the remembered head before anything is locked. On PostgreSQL both are one
statement, in one exchange with the server; on SQLite two, with the writer's lock held for no more.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa

from . import admission, blobs, doors
from .engines import Database, Statement, Work, insert
from .errors import Denied, FieldMissing, NotFound, Refused
from .heads import Head
from .making import Made, make, row
from .marks import fills
from .notices import notice
from .records import Change
from .shapes import Shape
from .tables import branches, commits


def _given(name: str, kind: type[sa.types.TypeEngine[Any]]) -> sa.BindParameter[Any]:
    return sa.bindparam(name, type_=kind)


_move = (
    sa.update(branches)
    .where(
        branches.c.session_id == _given("session_id_", sa.BigInteger),
        branches.c.branch == _given("branch_", sa.Text),
        branches.c.head == _given("expected", sa.BigInteger),
        branches.c.head_hash == _given("known", sa.LargeBinary),
        sa.func.coalesce(branches.c.rewritten, 0) == _given("rewritten", sa.BigInteger),
        branches.c.closed_at.is_(None),
        sa.func.coalesce(branches.c.rewritten, 0) == sa.bindparam("rewritten", type_=sa.BigInteger),
        sa.or_(
            _given("lease", sa.BigInteger).is_(None),
            branches.c.lease_epoch == _given("lease", sa.BigInteger),
        ),
        ~sa.exists().where(
            commits.c.session_id == branches.c.session_id,
            commits.c.branch == branches.c.branch,
            commits.c.key == _given("key_", sa.Text),
        ),
    )
    .values(head=_given("head_", sa.BigInteger), head_hash=_given("hash_", sa.LargeBinary))
)
_moved = _move.returning(notice.label("notice")).cte("moved")
_both = Statement(
    sa.insert(commits).from_select(
        [column.name for column in commits.columns],
        sa.select(*(sa.bindparam(column.name, type_=column.type) for column in commits.columns)).select_from(
            _moved
        ),
    )
)
_move_alone = Statement(_move)
_insert = insert(commits)


def prepare(
    database: Database, session_id: int, branch: str, head: Head, shape: Shape, change: Change
) -> Prepared | None:
    """What a change makes of a remembered head, before anything is locked.

    None where it takes more than that: the change may not stand, ends a round, needs a ruling, fills a
    block of the index, or has something to be kept aside. `transitions.commit` decides then.
    """
    if change.round is not None or change.base != head.version or fills(head.version, head.version + 1):
        return None
    transition = shape.machine.transitions.get(change.transition or "")
    if transition is not None and transition.review:
        return None
    try:
        admitted = admission.admit(head, shape, change)
        doors.check_by_hand(shape.rights, admitted[0])
    except (Denied, FieldMissing, NotFound, Refused):
        return None
    stored = blobs.stowed(admitted[0].patch)
    if stored.aside or head.grown + len(stored.text) >= head.kept.due:
        return None
    made = make(head, branch, admitted, shape, stored, None, database.clock())
    moved = {
        "session_id_": session_id,
        "branch_": branch,
        "expected": head.version,
        "known": head.hash,
        "rewritten": head.rewritten,
        "lease": change.lease,
        "key_": change.key,
        "head_": made.commit.version,
        "hash_": made.commit.hash,
    }
    return Prepared(made, moved, row(session_id, made.commit, made.stored))


class Prepared(NamedTuple):
    """A commit that can be written if nobody has moved the head."""

    made: Made
    moved: dict[str, Any]
    row: dict[str, Any]

    def alone(self, database: Database) -> bool:
        """Write it in one exchange with a server; False, and nothing written, where the head has moved."""
        return database.alone(_both, **self.row, **self.moved) == 1

    def inside(self, work: Work) -> bool:
        """Write it in a transaction; False, and nothing written, where the head has moved."""
        if work.run(_move_alone, **self.moved) != 1:
            return False
        work.run(_insert, **self.row)
        return True
