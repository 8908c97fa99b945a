"""What would a schema break? Every head is lifted to it and held to its rules; nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from . import lifting
from .branches import all_branches
from .engines import Statement, Work
from .errors import DissensusError
from .evolution import broken_rules
from .records import SETTLED
from .shapes import Shape, SharedState, shape_of
from .showing import Shown
from .tables import commits, rounds
from .upcasting import USERS_ERRORS, check_known, lift, shown

if TYPE_CHECKING:
    from .sessions import Session, SessionInfo
    from .store import Store

_eras = Statement(
    sa.select(sa.func.min(commits.c.version), sa.func.max(commits.c.version))
    .where(commits.c.session_id == sa.bindparam("session_id"), commits.c.branch == sa.bindparam("branch"))
    .group_by(commits.c.schema_version)
)
_unsettled = Statement(
    sa.select(sa.func.count()).where(
        rounds.c.session_id == sa.bindparam("session_id"),
        rounds.c.branch == sa.bindparam("branch"),
        *(rounds.c.status != status for status in sorted(SETTLED)),
    )
)


@dataclass(frozen=True, slots=True)
class Breach:
    """What a schema breaks in one stored state.

    `code` is that of the error, or `unexpected` where the stored rows raise something else.
    `path` and `value` (its beginning) say what does not fit, `upcast` which step failed, `rule` which
    invariant does not hold.
    """

    code: str
    message: str
    path: str | None = None
    value: str | None = None
    upcast: str | None = None
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class Tried(Shown):
    """One stored state that a schema was tried on; without breaches it can be read and gone on from.

    `schema_version` is None where not even that can be read. `unsettled` counts the rounds that were
    begun under an older version and would be asked again.
    """

    session: str
    branch: str
    version: int
    schema_version: int | None
    breaches: tuple[Breach, ...] = ()
    unsettled: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data."""
        return asdict(self) | {"breaches": [asdict(breach) for breach in self.breaches]}


def check_schema(store: Store, schema: type[SharedState], *, history: bool = False) -> list[Tried]:
    """The stored states that a schema would break: none, where it is safe to go on with it.

    Invariants see the lifted state as before and after, and no evidence.

    Args:
        history: Try the first and the last version of every schema version too, not only the heads.
    """
    return [tried for tried in try_schema(store, schema, history=history) if tried.breaches]


def try_schema(store: Store, schema: type[SharedState], *, history: bool = False) -> Iterator[Tried]:
    """Every head of every branch of every session of that schema, with what breaks."""
    shape = shape_of(schema)
    for info in store.sessions():
        if shape.is_named(info.schema):
            with store.database.reading() as work:
                yield from _session(work, info, shape, history=history)


def _session(work: Work, info: SessionInfo, shape: Shape, *, history: bool) -> Iterator[Tried]:
    for one in all_branches(work, info.session_id):
        branch, head = one.name, one.head
        eras = work.all(_eras, session_id=info.session_id, branch=branch) if history else ()
        for version in sorted({head, *(version for era in eras for version in era)}):
            yield _tried(work, info, shape, branch, version, is_head=version == head)


def branches_of(session: Session[Any]) -> list[str]:
    """The branches of a session that can be written to."""
    return [one.name for one in session.branches() if one.closed_at is None]


def _tried(work: Work, info: SessionInfo, shape: Shape, branch: str, version: int, *, is_head: bool) -> Tried:
    number: int | None = None
    try:
        number = lifting.schema_version(work, info.session_id, branch, version)
        check_known(shape, number)
        state, _ = lifting.stored_at(work, info.session_id, branch, version)
        typed = shape.typed(lift(shape, state, number))
        errors: list[Exception] = [*broken_rules(shape, typed)]
    except (DissensusError, *USERS_ERRORS) as error:
        errors = [error]
    left = work.one(_unsettled, session_id=info.session_id, branch=branch) if is_head else None
    again = left[0] if left and number is not None and number < shape.version else 0
    return Tried(info.name, branch, version, number, tuple(map(_breach, errors)), again)


def _breach(error: Exception) -> Breach:
    if not isinstance(error, DissensusError):
        return Breach("unexpected", f"{type(error).__name__}: {error}"[:1000])
    told = error.context
    value = told.get("value")
    return Breach(
        error.code,
        error.message[:1000],
        told.get("path"),
        value if value is None else shown(value) if not isinstance(value, str) else value[:200],
        told.get("upcast"),
        told.get("rule"),
    )
