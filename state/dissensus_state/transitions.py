"""The one door by which a state changes: check, apply, append, move the head.

The lock on the branch's row (the writer lock on SQLite) orders the writers; what makes a lost race
harmless is the compare-and-set on the head, whatever the isolation level.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sqlalchemy as sa

from . import (
    admission,
    blobs,
    commits,
    conflicts,
    doors,
    evolution,
    heads,
    indexing,
    lifting,
    proposals,
    rounds,
    snapshots,
)
from .chain import cited
from .engines import Statement, Work, insert, insert_absent
from .errors import (
    Conflict,
    DissensusError,
    ReviewRequired,
)
from .heads import Branch, Head
from .making import Made, committed, lift, make, row
from .marks import fills
from .notices import announced
from .patches import Operation
from .records import Change, Commit, Ruling, carries, erases
from .shapes import Shape
from .tables import branches
from .tables import commits as commits_table
from .values import JSON

_insert_commit = insert(commits_table)
_insert_branch = insert_absent(branches)
_move_head = Statement(
    announced(
        sa.update(branches)
        .where(
            branches.c.session_id == sa.bindparam("session_id_"),
            branches.c.branch == sa.bindparam("branch_"),
            branches.c.head == sa.bindparam("expected"),
        )
        .values(head=sa.bindparam("head"), head_hash=sa.bindparam("head_hash"))
    )
)

Unseen = Callable[[int], Sequence[Commit]]
"""The commits after a version, up to the head."""


def begin(work: Work, session_id: int, branch: str, state: JSON, shape: Shape, author: str) -> Head:
    """Open a branch with version 0: the initial state as a commit of its own."""
    patch = tuple(Operation("set", (name,), value) for name, value in state.items())
    typed = shape.typed(state)
    admission.check_initial(shape, typed, tuple(state))
    open_branch(work, session_id, branch, -1, b"")
    stored = blobs.stowed(patch)
    kept = snapshots.initial(state, len(stored.text))
    before = Head(-1, b"", {}, None, kept, shape.version)
    change = Change(author=author, patch=patch, base=-1)
    commit = committed(before, branch, change, stored, None, shape.version, work.clock())
    head = Head(0, commit.hash, state, typed, kept, shape.version)
    write(work, session_id, before, [Made(commit, stored, head)])
    return head


def open_branch(
    work: Work, session_id: int, branch: str, head: int, hash_: bytes, base: tuple[str, int] | None = None
) -> None:
    """Write down a new branch at a version; `base` is what it is forked from.

    Raises:
        Conflict: there is a branch of that name.
    """
    made = work.run(
        _insert_branch,
        session_id=session_id,
        branch=branch,
        head=head,
        head_hash=hash_,
        lease_epoch=0,
        base_branch=base and base[0],
        base_version=base and base[1],
        closed_at=None,
        watched_until=None,
        pruned=None,
        rewritten=None,
        indexed=None,
    )
    if made != 1:
        raise Conflict(f"There is a branch {branch!r} already", next_step="Choose another name", retry=False)


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
        Denied: it writes outside of what its author or its transition may.
        TransitionRefused, InvariantViolated, SchemaRefused: it may not stand.
        ReviewRequired: the round or the transition needs a ruling, and none is bound to it.
    """
    found = heads.read(work, session_id, branch)
    stored, _ = heads.current(work, session_id, branch, found, known, shape)
    first = lift(stored, branch, shape, work.clock)
    head = first[-1].head if first else stored

    def unseen(base: int) -> Sequence[Commit]:
        older = commits.between(work, session_id, branch, base, stored.version)
        return [*older, *(item.commit for item in first)]

    made = decide(work, session_id, branch, found, head, shape, change, unseen, ruling)
    if isinstance(made, Commit):
        return made, stored
    return made.commit, write(work, session_id, stored, [*first, made], shape)


def decide(
    work: Work,
    session_id: int,
    branch: str,
    found: Branch,
    head: Head,
    shape: Shape,
    change: Change,
    unseen: Unseen,
    ruling: Ruling | None = None,
) -> Made | Commit:
    """What a change makes of the head; the commit that it made already, if its key says so."""
    heads.check_lease(found, branch, change.lease)
    done = commits.by_key(work, session_id, branch, change.key) if change.key else None
    if done is not None:
        return admission.check_repeated(done, change)
    if not erases(change.source):
        heads.check_open(found, branch)
    admission.check_base(change, head.version)
    if change.base < head.version:
        change, others = evolution.seen(change, unseen(change.base), shape.version)
        conflicts.check(change, others, head.version)
    admitted = admission.admit(head, shape, change)
    if ruling is not None and change.round is not None:
        proposals.rule(work, session_id, change.round, ruling)
    _check_review(work, session_id, change, shape, head)
    doors.check_commit(work, session_id, shape.rights, admitted[0])
    stored = blobs.stowed(admitted[0].patch)
    cites = cited(work, session_id, change.round)
    return make(head, branch, admitted, shape, stored, cites, work.clock())


def migrate(
    work: Work,
    session_id: int,
    branch: str,
    known: Head | None,
    shape: Shape,
    author: str,
    evidence: Sequence[JSON] = (),
) -> tuple[Commit | None, Head]:
    """Lift a branch to the schema's version by a commit of its own; none where it is there already."""
    found = heads.read(work, session_id, branch)
    head, _ = heads.current(work, session_id, branch, found, known, shape)
    made = lift(head, branch, shape, work.clock, author, evidence)
    if not made:
        return None, head
    heads.check_open(found, branch)
    return made[0].commit, write(work, session_id, head, made, shape)


def _check_review(work: Work, session_id: int, change: Change, shape: Shape, head: Head) -> None:
    """G5: where review is due, only a ruling lets a change pass; a round is settled once."""
    transition = admission.transition_of(shape, change, head.state)
    asked = transition is not None and transition.review
    if change.round is None:
        if asked and transition is not None and not carries(change.source):
            raise ReviewRequired(f"The transition {transition.name!r} is committed under a ruling only")
        return
    round_ = rounds.round_(work, session_id, change.round)
    if round_.settled:
        raise Conflict(f"The round {change.round} is settled already", round=change.round, retry=False)
    if not asked and round_.review is None and round_.status != "parked":
        return
    given = rounds.rulings_of(work, session_id, change.round)
    made = rounds.proposals_of(work, session_id, change.round)
    admission.check_review(change, round_, given[-1] if given else None, made)


def write(
    work: Work, session_id: int, before: Head, made: Sequence[Made], shape: Shape | None = None
) -> Head:
    """Write admitted commits down, one after the other, move the head, keep a snapshot where one is due."""
    if shape is not None and before.schema_version != shape.version:
        lifting.follow(work, session_id, shape)
    for item in made:
        blobs.keep(work, session_id, item.stored)
    work.run_all(_insert_commit, [row(session_id, item.commit, item.stored) for item in made])
    last = made[-1].commit
    _set_head(work, session_id, last.branch, before.version, last)
    if fills(before.version, last.version):
        indexing.catch_up(work, session_id, last.branch, last.version)
    return _kept(work, session_id, last.branch, made[-1].head)


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


def _kept(work: Work, session_id: int, branch: str, head: Head) -> Head:
    if head.grown < head.kept.due or head.version == 0:
        return head
    head = _caught_up(work, session_id, branch, head)
    if head.grown < head.kept.due:
        return head
    kept = snapshots.take(work, session_id, branch, head.version, head.state, head.kept, head.touched)
    return head._replace(kept=kept, grown=0, touched=frozenset())


def _caught_up(work: Work, session_id: int, branch: str, head: Head) -> Head:
    """The head on the chain of snapshots as it is, to which other processes may have added."""
    kept = snapshots.caught_up(work, session_id, branch, head.kept, head.version)
    if kept is head.kept:
        return head
    if kept is None:
        _, kept, grown, touched = commits.restore(work, session_id, branch, head.version)
    else:
        grown, touched = commits.since(work, session_id, branch, kept.version, head.version)
    return head._replace(kept=kept, grown=grown, touched=touched)


def decide_all(
    work: Work, session_id: int, branch: str, known: Head | None, shape: Shape, changes: Sequence[Change]
) -> tuple[list[Commit | DissensusError], Head, list[Commit]]:
    """Admit many changes in one transaction, each on what those before it have made.

    None of them may end a round: a refusal must not leave anything behind.

    Returns:
        What came of each, the head after all of them, and the commits that lie between it and `known`.
    """
    found = heads.read(work, session_id, branch)
    before, passed = heads.current(work, session_id, branch, found, known, shape)
    start = passed[0].version - 1 if passed else before.version
    made = lift(before, branch, shape, work.clock)
    head, lifts = made[-1].head if made else before, len(made)
    passed += [item.commit for item in made]
    outcomes: list[Commit | DissensusError] = []

    def unseen(base: int) -> Sequence[Commit]:
        older = [] if base >= start else list(commits.between(work, session_id, branch, base, start))
        return [*older, *(item for item in passed if item.version > base)]

    def decided(change: Change) -> Made | Commit:
        same = [item.commit for item in made if change.key and item.commit.key == change.key]
        if same:
            return admission.check_repeated(same[0], change)
        return decide(work, session_id, branch, found, head, shape, change, unseen)

    for change in changes:
        try:
            one = decided(change)
        except DissensusError as error:
            outcomes.append(error)
            continue
        if isinstance(one, Made):
            head = one.head
            made.append(one)
            passed.append(one.commit)
        outcomes.append(one.commit if isinstance(one, Made) else one)
    if len(made) == lifts:  # nothing was admitted, so nothing is lifted either
        return outcomes, before, passed[: len(passed) - lifts]
    return outcomes, write(work, session_id, before, made, shape), passed
