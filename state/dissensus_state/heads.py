"""A branch at its newest version: what the database says of it, and what is remembered in memory."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from . import commits, lifting
from .engines import Row, Statement, Work
from .errors import BranchClosed, LeaseLost, NotFound
from .growing import settled
from .patches import grow
from .records import Commit
from .shapes import Shape, SharedState
from .snapshots import Kept
from .tables import branches
from .upcasting import check_known, lift
from .values import JSON

_columns = sa.select(
    branches.c.head,
    branches.c.head_hash,
    branches.c.lease_epoch,
    branches.c.closed_at,
    branches.c.watched_until,
    branches.c.rewritten,
).where(branches.c.session_id == sa.bindparam("session_id"), branches.c.branch == sa.bindparam("branch"))
PEEK = Statement(_columns)
_lock = Statement(_columns.with_for_update())
_take_lease = Statement(
    sa.update(branches)
    .where(
        branches.c.session_id == sa.bindparam("session_id_"),
        branches.c.branch == sa.bindparam("branch_"),
    )
    .values(lease_epoch=branches.c.lease_epoch + 1)
)


class Branch(NamedTuple):
    """What the database says of a branch: its newest version, and who runs and watches it.

    `rewritten` counts how often something was taken out of its history; who remembers another count
    remembers what is no longer so.
    """

    version: int
    hash: bytes
    epoch: int
    closed_at: int | None
    watched_until: int | None
    rewritten: int


class Head(NamedTuple):
    """A branch at a version, in memory: the stored state, the typed one, and the chain of snapshots.

    `typed` is None until a commit asks for it.

    `state` may hold lists that have grown since (`growing.Grown`); `plain` has none. `grown` counts the
    characters of the patches since the last snapshot, `touched` are the fields that they changed
    otherwise than by adding items. `schema_version` is that of the stored state; where it is not the
    schema's, nothing is typed.
    """

    version: int
    hash: bytes
    state: JSON
    typed: SharedState | None
    kept: Kept
    schema_version: int
    grown: int = 0
    touched: frozenset[str] = frozenset()
    rewritten: int = 0

    def stands(self, found: Branch) -> bool:
        """Whether it is what the database has."""
        mine, its = (self.version, self.hash, self.rewritten), (found.version, found.hash, found.rewritten)
        return mine == its

    @property
    def plain(self) -> JSON:
        """The state with plain lists, for whoever only reads."""
        return settled(self.state)

    def advanced(self, made: Commit, shape: Shape | None) -> Head:
        """The head after one more commit."""
        state = grow(self.state, made.patch)
        typed = None
        if shape is not None and self.typed is not None and made.schema_version == self.schema_version:
            typed = shape.advance(self.typed, self.state, state, made.patch)
        return self.to(made, state, typed)

    def to(self, made: Commit, state: JSON, typed: SharedState | None) -> Head:
        """The head with this state, which a commit has made of it."""
        touched, grown = self.touched | commits.changed(made.patch), self.grown + made.size
        return self._replace(
            version=made.version,
            hash=made.hash,
            state=state,
            typed=typed,
            schema_version=made.schema_version,
            grown=grown,
            touched=touched,
        )

    def lifted(self, shape: Shape | None) -> Head:
        """The head in the schema's shape, to be read: a write lifts it by a commit (`evolution`)."""
        if shape is None or self.schema_version == shape.version:
            return self
        state = lift(shape, self.plain, self.schema_version)
        return self._replace(state=state, typed=shape.typed(state), schema_version=shape.version)


def read(work: Work, session_id: int, branch: str) -> Branch:
    """A branch as the database has it; when writing, its row is locked by it."""
    row = work.one(_lock if work.writes else PEEK, session_id=session_id, branch=branch)
    return branch_of(row, branch)


def peeked(work: Work, session_id: int, branch: str) -> Branch:
    """A branch as the database has it, which is not locked: another that is merged from, say."""
    return branch_of(work.one(PEEK, session_id=session_id, branch=branch), branch)


def check_open(found: Branch, branch: str) -> None:
    """Raise `BranchClosed` where nothing is committed to a branch any more."""
    if found.closed_at is not None:
        raise BranchClosed(f"The branch {branch!r} is closed", branch=branch, retry=False)


def branch_of(row: Row | None, branch: str) -> Branch:
    """A branch from its row; `NotFound` where there is none."""
    if row is None:
        raise NotFound(f"There is no branch {branch!r}", branch=branch)
    return Branch(row[0], bytes(row[1]), row[2], row[3], row[4], row[5] or 0)


def take_lease(work: Work, session_id: int, branch: str) -> int:
    """Take a branch over: its new epoch, which fences every worker with an older one out."""
    work.run(_take_lease, session_id_=session_id, branch_=branch)
    return read(work, session_id, branch).epoch


def fence(work: Work, session_id: int, branch: str, epoch: int, *, to_begin: bool = False) -> Branch:
    """Lock the branch and give it; `LeaseLost` if another worker has taken it over since.

    Args:
        to_begin: Something new is begun, so `BranchClosed` if the branch is closed.
    """
    found = read(work, session_id, branch)
    check_lease(found, branch, epoch)
    if to_begin:
        check_open(found, branch)
    return found


def check_lease(found: Branch, branch: str, epoch: int | None) -> None:
    """Raise `LeaseLost` where a branch was taken over since this epoch."""
    if epoch is not None and found.epoch != epoch:
        raise LeaseLost("Another worker has taken this branch over", branch=branch, retry=False)


def _known(
    work: Work, session_id: int, branch: str, found: Branch, known: Head | None
) -> tuple[Head | None, list[Commit]]:
    """What is remembered, if the branch goes on from it, and the commits since.

    It does not where the database went back under a living process: a backup was restored, or a server
    that lagged behind has taken over. Nor where something was taken out of its history since.
    """
    if known is None or known.version > found.version or known.rewritten != found.rewritten:
        return None, []
    if known.version == found.version:
        return (known if known.hash == found.hash else None), []
    same, *passed = commits.between(work, session_id, branch, known.version - 1, found.version)
    return (known, passed) if same.hash == known.hash else (None, [])


def current(
    work: Work, session_id: int, branch: str, found: Branch, known: Head | None, shape: Shape | None
) -> tuple[Head, list[Commit]]:
    """The head as the database has it, brought forward from what was known, and the commits in between.

    Raises:
        SchemaNewer: it was written under a newer version of the schema.
    """
    known, passed = _known(work, session_id, branch, found, known)
    if known is None:
        state, kept, grown, touched = commits.restore(work, session_id, branch, found.version)
        number = lifting.schema_version(work, session_id, branch, found.version)
        known = Head(found.version, found.hash, state, None, kept, number, grown, touched, found.rewritten)
    for commit in passed:
        known = known.advanced(commit, shape)
    if shape is not None:
        check_known(shape, known.schema_version)
    return known, passed
