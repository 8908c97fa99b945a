"""What a round's outcome may be called, read for the commands that show one."""

from __future__ import annotations

from collections.abc import Iterable
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
    told = made is not None and found.review is None
    events = session.events("weighed", rounds=(number, number)) if told else ()
    evidence = made.evidence if made is not None else ()
    said = status_of(found, proposals, calls, rulings, evidence, events)
    return {**said.as_dict(), "weighed": weighed_of(found, events) or None}


def confidences(session: Session[Any], rounds: Iterable[int | None]) -> dict[int, float]:
    """How likely what these rounds agreed on is right, after the discount; where grades say so."""
    numbers = [number for number in rounds if number]
    found: dict[int, float] = {}
    if not numbers:
        return found
    for event in session.events("weighed", rounds=(min(numbers), max(numbers))):
        shares = event.body.get("shares")
        if event.round is not None and isinstance(shares, dict) and len(shares) == 1:
            found[event.round] = float(next(iter(shares.values())))
    return found
