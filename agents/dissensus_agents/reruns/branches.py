"""The branches of a rerun: forked once, found again by their names, with what they have come to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dissensus_state.budgets import Budget, Usd
from dissensus_state.errors import Conflict
from dissensus_state.records import Call
from dissensus_state.reuse import REUSED
from dissensus_state.values import JSON

from .lines import read_line
from .purse import RerunPurse, spent_by
from .tape import Place

if TYPE_CHECKING:
    from dissensus_state.sessions import Session

BEGUN, DONE, LEFT_OUT = "rerun", "reran", "left_out"
"""Kinds of events on such a branch: what was changed for it, how its walk ended, what did not fit."""


def begun_until(session: Session[Any], names: Sequence[str], until: int | None) -> int | None:
    """Up to which version of its origin it goes: as it was when the rerun was begun."""
    if until is not None:
        return until
    for event in session.events(BEGUN):
        if event.branch in names and isinstance(found := event.body.get("until"), int):
            return found
    return None


def on_branch(
    session: Session[Any], name: str, since: int, body: Mapping[str, JSON], author: str
) -> Session[Any]:
    """The session on a branch of the rerun, which is forked where it is not there yet.

    Raises:
        Conflict: there is a branch of that name that is none of this rerun's.
    """
    there = next((one for one in session.branches() if one.name == name), None)
    branch = _forked(session, name, since, author) if there is None else None
    if branch is None:
        branch = session.on(name)
        if branch.commit_at(since).hash != session.commit_at(since).hash:
            raise Conflict(
                f"The branch {name} does not begin at version {since} of {session.branch}",
                next_step="Close that branch, and give this rerun another `until`",
                retry=False,
            )
    if not any(event.branch == name for event in branch.events(BEGUN)):
        branch.record(BEGUN, {"origin": session.branch, "since": since, **body})
    return branch


def _forked(session: Session[Any], name: str, since: int, author: str) -> Session[Any] | None:
    """The new branch; None where another worker has begun it this very moment."""
    try:
        return session.fork(name, since, author=author)
    except Conflict:
        if all(one.name != name for one in session.branches()):
            raise
        return None


def used_on(branch: Session[Any], since: int) -> list[Place]:
    """The recorded calls that a branch has made again already."""
    found = (source_of(call, branch.name) for call in _calls(branch, since))
    return [place for place in found if place is not None]


def source_of(call: Call, session: str) -> Place | None:
    """The call of a session whose answer another call has; None where it has none of that session."""
    match (call.detail or {}).get(REUSED):
        case {"session": str(name), "round": int(number), "agent": str(seat), "attempt": int(attempt)}:
            return Place(number, seat, attempt) if name == session else None
    return None


def purse_of(
    session: Session[Any], names: Sequence[str], since: int, budget: Usd | None
) -> RerunPurse | None:
    """The rerun's own limit, with what its branches have spent of it already."""
    limit = None if budget is None else Budget(usd=budget).nano
    if limit is None:
        return None
    there = {one.name for one in session.branches()} & set(names)
    return RerunPurse(limit, sum(spent_by(_calls(session.on(name), since)) for name in there))


def _calls(branch: Session[Any], since: int) -> Iterable[Call]:
    own = [one.round for one in read_line(branch, since).rounds if one.branch == branch.branch]
    return [call for number in own for call in branch.round(number)[2]]


def left_out_on(branch: Session[Any]) -> list[dict[str, Any]]:
    """The commits that could not be carried to a branch, each with why."""
    return [
        event.body
        for event in branch.events(LEFT_OUT)
        if event.branch == branch.branch and isinstance(event.body.get("version"), int)
    ]


def status_of(branch: Session[Any]) -> tuple[str, dict[str, Any] | None]:
    """How the last walk on a branch ended, and the error that it ended by."""
    ended = [event.body for event in branch.events(DONE) if event.branch == branch.branch]
    if not ended:
        return "open", None
    status = str(ended[-1].get("status", "open"))
    return status, None if status in {"finished", "parked"} else ended[-1]
