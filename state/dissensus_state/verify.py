"""G8: could this history have come about? The chain, the rule of admission, reviews, the money."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from . import calls, commits, rounds
from .chain import chained, cited
from .conflicts import check
from .engines import Statement, Work
from .errors import Conflict, DissensusError, Tampered
from .records import Change, Commit
from .replay import replay
from .shapes import Shape
from .tables import branches
from .tables import calls as calls_table
from .tables import commits as commits_table

_head = Statement(
    sa.select(branches.c.head, branches.c.head_hash).where(
        branches.c.session_id == sa.bindparam("session_id"),
        branches.c.branch == sa.bindparam("branch"),
    )
)
_patches = Statement(
    sa.select(commits_table.c.version, commits_table.c.patch)
    .where(
        commits_table.c.session_id == sa.bindparam("session_id"),
        commits_table.c.branch == sa.bindparam("branch"),
    )
    .order_by(commits_table.c.version)
)
_money = Statement(
    sa.select(
        sa.func.coalesce(
            sa.func.sum(sa.case((calls_table.c.status == "sent", calls_table.c.reserved), else_=0)),
            0,
        ),
        sa.func.coalesce(
            sa.func.sum(
                sa.case(
                    (calls_table.c.status == "sent", 0),
                    else_=sa.func.coalesce(calls_table.c.cost, calls_table.c.reserved),
                )
            ),
            0,
        ),
    ).where(calls_table.c.session_id == sa.bindparam("session_id"))
)


@dataclass(frozen=True, slots=True)
class Verified:
    """What was checked and holds: `versions` commits up to the hash of the head."""

    versions: int
    rounds: int
    head: str
    rules_checked: bool


def verify(work: Work, session_id: int, branch: str, shape: Shape | None = None) -> Verified:
    """Recompute the chain and admit every commit again.

    With the session's schema its machine is asked as well; without it, everything else is checked.

    Raises:
        Tampered: naming the first commit that could not have been admitted, and why.
    """
    rows = work.all(_patches, session_id=session_id, branch=branch)
    texts: dict[int, str] = {row[0]: row[1] for row in rows}
    known: list[Commit] = []
    previous, ended = b"", 0
    for commit in commits.between(work, session_id, branch, -1):
        _check_order(commit, len(known))
        _check_hash(work, session_id, commit, previous, texts[commit.version])
        _check_admission(commit, known)
        _check_review(work, session_id, commit, shape)
        previous = commit.hash
        known.append(commit)
        ended += commit.round is not None
    _check_head(work, session_id, branch, known, previous)
    _check_snapshots(work, session_id, branch)
    _check_money(work, session_id)
    return Verified(len(known), ended, previous.hex(), shape is not None)


def _tampered(commit: Commit, why: str) -> Tampered:
    return Tampered(
        f"Version {commit.version} could not have been admitted: {why}", version=commit.version
    )


def _check_order(commit: Commit, expected: int) -> None:
    if commit.version != expected:
        raise _tampered(commit, f"version {expected} is missing before it")


def _check_hash(work: Work, session_id: int, commit: Commit, previous: bytes, stored: str) -> None:
    try:
        hash_ = chained(previous, commit, stored, cited(work, session_id, commit))
    except DissensusError as error:
        raise _tampered(commit, f"what it cites cannot be read ({error.message})") from error
    if hash_ != commit.hash:
        raise _tampered(commit, "it, or the round it cites, was changed after it was committed")


def _check_admission(commit: Commit, known: list[Commit]) -> None:
    if commit.version and not 0 <= commit.base < commit.version:
        raise _tampered(commit, f"its base version {commit.base} did not exist")
    change = Change(
        commit.author, commit.patch, commit.base, commit.read_paths, isolation=commit.isolation
    )
    try:
        check(change, known[commit.base + 1 :], commit.version - 1)
    except Conflict as conflict:
        raise _tampered(commit, conflict.message) from conflict


def _check_review(work: Work, session_id: int, commit: Commit, shape: Shape | None) -> None:
    transition = shape.machine.transitions.get(commit.transition or "") if shape else None
    asked = transition is not None and transition.review
    if commit.round is None:
        if asked:
            raise _tampered(commit, f"{commit.transition!r} is committed under a ruling only")
        return
    ended = rounds.round_(work, session_id, commit.round)
    if ended.review is None and not asked:
        return
    given = rounds.rulings_of(work, session_id, commit.round)
    made = rounds.proposals_of(work, session_id, commit.round)
    if not given or given[-1].binding != rounds.binding(ended.base, made):
        raise _tampered(commit, "no ruling is bound to its proposals and base version")


def _check_head(
    work: Work, session_id: int, branch: str, known: list[Commit], previous: bytes
) -> None:
    row = work.one(_head, session_id=session_id, branch=branch)
    if row is None or row[0] != len(known) - 1 or bytes(row[1]) != previous:
        raise Tampered("The head is not the last commit of its branch", branch=branch)


def _check_snapshots(work: Work, session_id: int, branch: str) -> None:
    try:
        replay(work, session_id, branch)
    except DissensusError as error:
        raise Tampered(error.message, **error.context) from error


def _check_money(work: Work, session_id: int) -> None:
    row = work.one(_money, session_id=session_id)
    budget = calls.account(work, session_id)
    held, spent = (int(row[0]), int(row[1])) if row else (0, 0)
    if (budget.held, budget.spent) != (held, spent):
        raise Tampered(
            f"The ledger says {budget.held} nano-USD held and {budget.spent} spent; "
            f"the calls add up to {held} and {spent}"
        )
