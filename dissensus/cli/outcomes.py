"""What a round's outcome may be called, read for the commands that show one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .opening import ended_in

if TYPE_CHECKING:
    from dissensus_state.sessions import Session

    from .data import Data


def outcome(session: Session[Any], number: int | None) -> Data | None:
    """The status of a round, with what its voices were worth; None where there is no round."""
    if number is None:
        return None
    from dissensus_agents.status import status_of, weighed_of

    found, proposals, calls, rulings = session.round(number)
    made = ended_in(session, number)
    events = session.events("weighed") if made is not None and found.review is None else ()
    evidence = made.evidence if made is not None else ()
    said = status_of(found, proposals, calls, rulings, evidence, events)
    return {**said.as_dict(), "weighed": weighed_of(found, events) or None}


def confidences(session: Session[Any]) -> dict[int, float]:
    """How likely what was agreed on is right, by round, after the discount; where grades say so."""
    found: dict[int, float] = {}
    for event in session.events("weighed"):
        shares = event.body.get("shares")
        if event.round is not None and isinstance(shares, dict) and len(shares) == 1:
            found[event.round] = float(next(iter(shares.values())))
    return found
