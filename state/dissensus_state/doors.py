"""The doors at which rights are asked for: proposals, rulings, commits, as they are made and as they stand.

A commit under a ruling is let pass by the right to rule of whoever ruled; any other by the right to
commit of its authors. So what an agent may only propose, it needs a ruling to get committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import rounds, takeovers
from .patches import Operation, Patch, pieces, touched
from .records import CARRY, OMIT, REDACT, RETRACT, carries, erases
from .rights import JOINT, Grants, authors, check, denied, holds
from .values import Path, overlap, parse_path

if TYPE_CHECKING:
    from .engines import Work
    from .errors import Denied
    from .records import Change, Proposal, Ruling

_PHASE: Path = ("phase",)


def check_proposals(grants: Grants | None, made: Iterable[Proposal]) -> None:
    """Raise `Denied` where an agent proposes or has read what it may not; who abstained did neither."""
    if grants is None:
        return
    for item in _proper(made):
        check(grants, item.agent, "propose", touched(item.patch))
        check(grants, item.agent, "read", map(parse_path, item.reads))


def check_ruling(grants: Grants | None, ruling: Ruling, made: Iterable[Proposal]) -> None:
    """Raise `Denied` where a ruling is on a path that its author may not rule on; to escalate is free."""
    if grants is None or ruling.decision == "escalate":
        return
    ruled = [path for item in _proper(made) for path in touched(item.patch)]
    check(grants, ruling.author, "rule", [*ruled, *touched(ruling.amendment)])


def check_commit(work: Work, session_id: int, grants: Grants | None, change: Change) -> None:
    """Raise `Denied` where nobody who stands behind a commit may make it, or has read what it may not.

    Args:
        change: With the move of the phase in its patch.
    """
    if grants is None:
        return
    if takes_over(change) and not erases(change.source):
        check_taken_over(work, session_id, grants, change)
        return
    if change.round is None or erases(change.source):
        check_made(grants, change, None, (), ())
        return
    stored = rounds.proposals_of(work, session_id, change.round)
    given = rounds.rulings_of(work, session_id, change.round)
    base = rounds.round_(work, session_id, change.round).base if given else None
    check_made(grants, change, base, stored, given)


def takes_over(change: Change) -> bool:
    """Whether a change retracts a commit or brings one again: its right rests on that of another one."""
    return change.source is not None and not change.source.keys().isdisjoint({RETRACT, CARRY})


def check_made(
    grants: Grants | None,
    change: Change,
    base: int | None,
    stored: Sequence[Proposal],
    given: Sequence[Ruling],
) -> None:
    """The same, of what stands behind the commit: the base, the proposals and the rulings of its round."""
    if grants is None:
        return
    if erases(change.source):
        check_erasing(grants, change.author, change.source or {})
        return
    if change.round is None:
        check_by_hand(grants, change)
        return
    made = _proper(stored)
    check_proposals(grants, made)
    covered = {parse_path(path) for item in made for path in item.reads}
    check(grants, change.author, "read", [path for path in change.reads if path not in covered])
    ruling = given[-1] if given else None
    if ruling is not None:
        check_ruling(grants, ruling, made)
    if ruling is not None and base is not None and _bound(ruling, change, base, stored, made):
        check(grants, ruling.author, "rule", touched(change.patch))
    else:
        check_unruled(grants, change.author, change.patch, made)


def check_erasing(grants: Grants | None, author: str, source: Mapping[str, Any]) -> None:
    """Raise `Denied` where somebody may not rule on what is to be taken away; a prune takes all."""
    if OMIT in source:
        return  # of a copy, which its maker had read as a whole
    place = source[REDACT]["path"] if REDACT in source else ""
    check(grants, author, "rule", [parse_path(place)])


def check_taken_over(work: Work, session_id: int, grants: Grants, change: Change) -> None:
    """Raise `Denied` where somebody may not retract a commit, or not bring it again.

    Who retracts needs the right to rule on what was written. What is carried over in the name of its
    author is let pass by what let it pass before; whoever else brings it needs the right to commit it.
    """
    origin = takeovers.origin(work, session_id, change.source).commit
    made = takeovers.first(work, session_id, origin)
    if not carries(change.source):
        check(grants, change.author, "rule", touched(origin.patch))
    elif change.author == made.author:
        check_commit(work, session_id, grants, takeovers.change_of(made))
    else:
        check_unruled(grants, change.author, change.patch, ())


def check_by_hand(grants: Grants | None, change: Change) -> None:
    """Raise `Denied` where the author of a change by hand may not make it, or has read too much."""
    check(grants, change.author, "read", change.reads)
    check_unruled(grants, change.author, change.patch, ())


def _bound(
    ruling: Ruling, change: Change, base: int, stored: Sequence[Proposal], made: Sequence[Proposal]
) -> bool:
    """Whether a ruling is on exactly these proposals and this base, and lets this commit pass."""
    return (
        ruling.decision in {"uphold", "amend"}
        and change.base == base
        and ruling.binding == rounds.binding(base, stored)
        and rounds.keeps_to(change.patch, ruling, made)
    )


def check_unruled(grants: Grants | None, author: str, patch: Patch, made: Sequence[Proposal]) -> None:
    """Raise `Denied` where a patch may not be committed without a ruling.

    What several agents of a round say together is committed in the name of all; of each piece one who
    proposed it must have the right.
    """
    if grants is None:
        return
    joint = [item for item in made if item.agent in set(authors(author))]
    if JOINT not in author or len(joint) < len(set(authors(author))):
        check(grants, author, "commit", touched(patch))
        return
    sure: set[str] = set()
    for item in joint:
        for operation in item.patch:
            if holds(grants, item.agent, "commit", operation.touched()):
                sure |= pieces((operation,))
    for operation in patch:
        moves = operation.path == _PHASE and any(
            holds(grants, item.agent, "commit", (_PHASE,)) for item in joint
        )
        if not moves and (operation.path == _PHASE or not pieces((operation,)) <= sure):
            raise _denied_together(grants, joint, operation)
    if not patch and not any(grants.paths(item.agent, "commit") for item in joint):
        raise _denied_together(grants, joint, Operation("set", ()))


def _denied_together(grants: Grants, joint: Sequence[Proposal], wanted: Operation) -> Denied:
    """The error of the first agent who brought this, and may only propose it."""
    bringing = (item for item in joint if any(overlap(path, wanted.path) for path in touched(item.patch)))
    first = next(bringing, joint[0]).agent
    return denied(first, "commit", wanted.path, grants.paths(first, "commit"))


def _proper(made: Iterable[Proposal]) -> list[Proposal]:
    return [item for item in made if item.status != "abstained"]
