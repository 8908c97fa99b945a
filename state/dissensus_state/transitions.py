"""The one door by which a state changes: check, apply, append, move the head.

The lock on the branch's row (the writer lock on SQLite) orders the writers; what makes a lost race
harmless is the compare-and-set on the head, whatever the isolation level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from . import blobs, commits, conflicts, evolution, lifting, proposals, rounds, snapshots
from .chain import chained, cited
from .engines import Statement, Work, insert
from .errors import Conflict, Denied, FieldMissing, LeaseLost, NotFound, ReviewRequired
from .machine import Transition, check_guard, check_invariant, check_rights, check_writes
from .patches import Operation, Patch, apply, touched
from .records import Change, Commit, Ruling
from .shapes import Shape, SharedState, rules_for
from .tables import branches
from .tables import commits as commits_table
from .upcasting import check_known, lift
from .values import JSON, canonical, pointer

_insert_commit = insert(commits_table)
_insert_branch = insert(branches)
_head = sa.select(branches.c.head, branches.c.head_hash, branches.c.lease_epoch).where(
    branches.c.session_id == sa.bindparam("session_id"), branches.c.branch == sa.bindparam("branch")
)
_read_head = Statement(_head)
_lock_head = Statement(_head.with_for_update())
_move_head = Statement(
    sa.update(branches)
    .where(
        branches.c.session_id == sa.bindparam("session_id_"),
        branches.c.branch == sa.bindparam("branch_"),
        branches.c.head == sa.bindparam("expected"),
    )
    .values(head=sa.bindparam("head"), head_hash=sa.bindparam("head_hash"))
)


_take_lease = Statement(
    sa.update(branches)
    .where(
        branches.c.session_id == sa.bindparam("session_id_"),
        branches.c.branch == sa.bindparam("branch_"),
    )
    .values(lease_epoch=branches.c.lease_epoch + 1)
)


@dataclass(frozen=True, slots=True)
class Head:
    """A branch at its newest version, in memory: the stored state, the typed one, and the chain.

    `schema_version` is that of the stored state; where it is not the schema's, nothing is typed.
    `grown` counts the characters of the patches since the last snapshot, which had `snapshot`
    characters: when the first outweighs the second the next snapshot is due.
    """

    version: int
    hash: bytes
    state: JSON
    schema_version: int
    typed: SharedState | None = None
    grown: int = 0
    snapshot: int = 0


def read_head(work: Work, session_id: int, branch: str) -> tuple[int, bytes]:
    """The newest version of a branch and its hash; when writing, the branch is locked by it."""
    row = work.one(_lock_head if work.writes else _read_head, session_id=session_id, branch=branch)
    if row is None:
        raise NotFound(f"There is no branch {branch!r}")
    return row[0], bytes(row[1])


def take_lease(work: Work, session_id: int, branch: str) -> int:
    """Take a branch over: its new epoch, which fences every worker with an older one out."""
    work.run(_take_lease, session_id_=session_id, branch_=branch)
    row = work.one(_read_head, session_id=session_id, branch=branch)
    return 0 if row is None else int(row[2])


def fence(work: Work, session_id: int, branch: str, epoch: int) -> int:
    """Lock the branch and give its head; `LeaseLost` if another worker has taken it over since."""
    row = work.one(_lock_head, session_id=session_id, branch=branch)
    if row is None or row[2] != epoch:
        raise LeaseLost("Another worker has taken this branch over", branch=branch, retry=False)
    return int(row[0])


def current(work: Work, session_id: int, branch: str, known: Head | None, shape: Shape | None) -> Head:
    """The head as it is now and as it is stored, brought forward from what was known of it.

    Raises:
        SchemaNewer: it was written under a newer version of the schema.
    """
    version, hash_ = read_head(work, session_id, branch)
    if known is None or known.version > version:
        state, size, grown = commits.state_at(work, session_id, branch, version)
        number = lifting.schema_version(work, session_id, branch, version)
        known = Head(version, hash_, state, number, None, grown, size)
    for commit in commits.between(work, session_id, branch, known.version, version):
        known = _advanced(known, commit, shape)
    if shape is not None:
        check_known(shape, known.schema_version)
        if known.typed is None and known.schema_version == shape.version:
            known = replace(known, typed=shape.typed(known.state))
    return known


def _advanced(head: Head, commit: Commit, shape: Shape | None) -> Head:
    state, number = apply(head.state, commit.patch), commit.schema_version
    same = head.schema_version == number
    typed = shape.advance(head.typed, state, commit.patch) if shape and head.typed and same else None
    return replace(
        head, version=commit.version, hash=commit.hash, state=state, schema_version=number, typed=typed
    )


def lifted(head: Head, shape: Shape | None) -> Head:
    """A head in the schema's shape, to be read; what is stored stays as it is until `migrate`."""
    if shape is None or head.schema_version == shape.version:
        return head
    state = lift(shape, head.state, head.schema_version)
    return replace(head, state=state, schema_version=shape.version, typed=shape.typed(state))


def migrate(
    work: Work,
    session_id: int,
    branch: str,
    head: Head,
    shape: Shape,
    author: str = evolution.AUTHOR,
    evidence: Sequence[JSON] = (),
) -> tuple[Commit | None, Head]:
    """Lift a head of an older schema version by a commit of its own; none where it is there already."""
    if head.schema_version == shape.version:
        return None, head
    change, state, typed = evolution.migration(
        shape, head.state, head.schema_version, head.version, author, evidence
    )
    after = replace(head, state=state, schema_version=shape.version, typed=typed)
    lifting.follow(work, session_id, shape)
    return _append(work, session_id, branch, head, after, change, shape.version)


def begin(work: Work, session_id: int, branch: str, state: JSON, shape: Shape, author: str) -> Head:
    """Open a branch with version 0: the initial state as a commit of its own."""
    patch = tuple(Operation("set", (name,), value) for name, value in state.items())
    typed = shape.typed(state)
    _check_rules(shape, (), typed, typed, tuple(state))
    work.run(
        _insert_branch,
        session_id=session_id,
        branch=branch,
        head=-1,
        head_hash=b"",
        lease_epoch=0,
        base_branch=None,
        base_version=None,
        closed_at=None,
        watched_until=None,
        pruned=None,
    )
    change = Change(author=author, patch=patch, base=-1)
    empty = Head(-1, b"", {}, shape.version)
    opened = replace(empty, state=state, typed=typed)
    first = _append(work, session_id, branch, empty, opened, change, shape.version)[1]
    return replace(first, grown=0, snapshot=len(canonical(state)))


def commit(
    work: Work, session_id: int, branch: str, known: Head | None, shape: Shape, change: Change,
    ruling: Ruling | None = None,
) -> tuple[Commit, Head]:  # fmt: skip
    """Admit a change as the next version, or say why not; nothing is written then.

    Args:
        known: What this process remembers of the head, to start from.
        ruling: A ruling to be kept in the same transaction, on the round that the change names.

    Raises:
        Conflict: a commit that the change has not seen touches what it read or wrote.
        SchemaNewer, UpcastFailed: the head is of a newer schema version, or cannot be lifted to this.
        Denied: it writes outside of what its author or its transition may.
        TransitionRefused, InvariantViolated, SchemaRefused: it may not stand.
        ReviewRequired: the round or the transition needs a ruling, and none is bound to it.
    """
    head = current(work, session_id, branch, known, shape)
    done = commits.by_key(work, session_id, change.key) if change.key else None
    if done is not None:
        return _repeated(done, change), head
    _check_base(change, head)
    _, head = migrate(work, session_id, branch, head, shape)
    if change.base < head.version:
        unseen = list(commits.between(work, session_id, branch, change.base, head.version))
        change, unseen = evolution.seen(change, unseen, shape.version)
        conflicts.check(change, unseen, head.version)
    check_rights(change.author, change.writes, touched(change.patch))
    after, transition = _after(head, shape, change)
    if ruling is not None and change.round is not None:
        proposals.rule(work, session_id, change.round, ruling)
    _check_review(work, session_id, change, transition)
    change = replace(change, patch=_with_phase(change.patch, head, transition))
    return _append(work, session_id, branch, head, after, change, shape.version)


def _repeated(done: Commit, change: Change) -> Commit:
    """The commit that this key stands for; another change under the same key is a mistake."""
    if done.author != change.author or done.transition != change.transition:
        raise Conflict(
            f"The key {change.key!r} stands for version {done.version} by {done.author}",
            next_step="Use a new idempotency key for a new change",
            retry=False,
        )
    return done


def _check_base(change: Change, head: Head) -> None:
    if not 0 <= change.base <= head.version:
        raise NotFound(f"The base version {change.base} is not there: the head is {head.version}")


def _check_fields(shape: Shape, patch: Patch) -> None:
    for operation in patch:
        if not operation.path:
            raise FieldMissing("A patch changes fields, not the state as a whole")
        shape.field(operation.path[0])


def _after(head: Head, shape: Shape, change: Change) -> tuple[Head, Transition | None]:
    """The head after the change, held to the machine, the schema and the invariants."""
    _check_fields(shape, change.patch)
    typed = head.typed or shape.typed(head.state)
    transition = shape.machine.find(change.transition, head.state.get("phase"))
    check_writes(transition, (path for path in touched(change.patch) if path != ("phase",)))
    if transition is not None and any(path[:1] == ("phase",) for path in touched(change.patch)):
        raise Denied("The phase is moved by the transition, not by a patch", path="/phase")
    patch = _with_phase(change.patch, head, transition)
    state = apply(head.state, patch)
    after = shape.advance(typed, state, patch)
    _check_rules(shape, change.evidence, typed, after, {operation.path[0] for operation in patch})
    check_guard(transition, typed, after, change.evidence)
    return replace(head, state=state, typed=after), transition


def _with_phase(patch: Patch, head: Head, transition: Transition | None) -> Patch:
    if transition is None or head.state.get("phase") == transition.target:
        return patch
    return (*patch, Operation("set", ("phase",), transition.target))


def _check_rules(
    shape: Shape,
    evidence: Sequence[JSON],
    before: SharedState,
    after: SharedState,
    fields: Sequence[str] | set[str],
) -> None:
    for names, rule in rules_for(shape, fields):
        check_invariant(rule, names, before, after, evidence)


def _check_review(work: Work, session_id: int, change: Change, transition: Transition | None) -> None:
    """G5: where review is due, only a ruling on exactly these proposals and this base lets pass."""
    asked = transition is not None and transition.review
    if change.round is None:
        if asked and transition is not None:
            raise ReviewRequired(f"The transition {transition.name!r} is committed under a ruling only")
        return
    round_ = rounds.round_(work, session_id, change.round)
    if round_.settled:
        raise Conflict(f"The round {change.round} is settled already", round=change.round, retry=False)
    if not asked and round_.review is None and round_.status != "parked":
        return
    given = rounds.rulings_of(work, session_id, change.round)
    ruling = given[-1] if given else None
    if ruling is None or ruling.decision not in {"uphold", "amend"}:
        raise ReviewRequired(f"Round {change.round} awaits a ruling", round=change.round)
    made = rounds.proposals_of(work, session_id, change.round)
    if ruling.binding != rounds.binding(round_.base, made) or change.base != round_.base:
        raise ReviewRequired(
            f"The ruling of {ruling.author} is bound to other proposals or another base version",
            round=change.round,
        )
    if not rounds.keeps_to(change.patch, ruling, made):
        raise ReviewRequired(
            f"The patch does something that the ruling of {ruling.author} does not let it",
            round=change.round,
        )


def _append(
    work: Work,
    session_id: int,
    branch: str,
    before: Head,
    after: Head,
    change: Change,
    schema_version: int,
) -> tuple[Commit, Head]:
    """Write the commit, move the head, and take a snapshot where one is due."""
    version = before.version + 1
    stored = blobs.stow(work, session_id, change.patch)
    made = Commit(
        version=version,
        branch=branch,
        author=change.author,
        transition=change.transition,
        round=change.round,
        base=change.base,
        isolation=change.isolation,
        reads=tuple(sorted({pointer(path) for path in change.reads})),
        patch=change.patch,
        evidence=change.evidence,
        key=change.key,
        at=work.clock(),
        schema_version=schema_version,
        hash=b"",
        source=change.source,
    )
    made = replace(made, hash=chained(before.hash, made, stored, cited(work, session_id, made)))
    work.run(_insert_commit, **_row(session_id, made, stored))
    _set_head(work, session_id, branch, before.version, made)
    grown = before.grown + len(stored)
    head = replace(after, version=version, hash=made.hash, grown=grown, snapshot=before.snapshot)
    return made, _snapshot_if_due(work, session_id, branch, head)


def _row(session_id: int, made: Commit, stored: str) -> dict[str, object]:
    return {
        "session_id": session_id,
        "branch": made.branch,
        "version": made.version,
        "author": made.author,
        "transition": made.transition,
        "round": made.round,
        "base": None if made.base == made.version - 1 else made.base,
        "isolation": None if made.isolation == "serializable" else made.isolation,
        "reads": canonical(list(made.reads)),
        "patch": stored,
        "evidence": canonical(list(made.evidence)) if made.evidence else None,
        "key": made.key,
        "at": made.at,
        "schema_version": made.schema_version,
        "hash": made.hash,
        "source": None if made.source is None else canonical(made.source),
    }


def _set_head(work: Work, session_id: int, branch: str, expected: int, made: Commit) -> None:
    """The compare-and-set that admits one writer for each version."""
    moved = work.run(
        _move_head,
        session_id_=session_id,
        branch_=branch,
        expected=expected,
        head=made.version,
        head_hash=made.hash,
    )
    if moved != 1:
        raise Conflict("Another writer moved the head first", expected=expected, retry=True)


def _snapshot_if_due(work: Work, session_id: int, branch: str, head: Head) -> Head:
    if head.grown <= max(head.snapshot, snapshots.MIN_BYTES):
        return head
    size = snapshots.take(work, session_id, branch, head.version, head.state)
    return replace(head, grown=0, snapshot=size)
