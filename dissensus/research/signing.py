"""A person's signature at the terminal: the positions, the supervisor's advice, and a decision."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from dissensus.cli.people import login_name
from dissensus.cli.texts import visible
from dissensus_agents.session import settle, sides_of_round
from dissensus_state.errors import Conflict, Refused

if TYPE_CHECKING:
    from dissensus_agents.positions import Side
    from dissensus_state.sessions import Session

    from .schema import Research

LATER = "later"


def sign(session: Session[Research], number: int) -> bool:
    """Ask for the ruling on a parked round; False where the person would rather do it later."""
    held, proposals, _, rulings = session.round(number)
    sides = sides_of_round(held, proposals)
    _say("The conclusion waits for your ruling.")
    for side in sides:
        _position(side)
    _quotations(session, sides)
    if rulings:
        _say(rulings[-1].reason)
    labels = {f"uphold {side.label}": side.label for side in sides}
    chosen = click.prompt(
        "Your ruling", type=click.Choice([*labels, "retry", "reject", LATER]), default=LATER, err=True
    )
    if chosen == LATER:
        return False
    decision: Any = chosen.split()[0]
    told = "What shall the panel heed" if decision == "retry" else "Why"
    reason = click.prompt(told, err=True)
    try:
        settle(
            session,
            number,
            decision=decision,
            author=login_name(),
            reason=reason,
            position=labels.get(chosen),
            clarification=reason if decision == "retry" else None,
        )
    except (Conflict, Refused) as error:
        _say(f"{error.message}. {error.next_step}")
        return sign(session, number)
    return True


def _concluded(side: Side) -> dict[str, Any]:
    return next((item.value for item in side.patch if item.path == ("conclusion",)), {})


def _quotations(session: Session[Research], sides: Iterable[Side]) -> None:
    """The words that the positions rest on, with their places: nobody signs what they can't see."""
    state = session.state
    points = [point for side in sides for point in _concluded(side).get("points", ())]
    cited = {number for point in points for number in point.get("findings", ())}
    for item in state.standing:
        if item.finding in cited:
            place = state.reading[item.passage - 1]
            quotation = " ".join(state.findings[item.finding - 1].quotation.split())
            _say(f"F{item.finding}: “{quotation}” ({place.document}, {place.place})")


def _position(side: Side) -> None:
    conclusion = _concluded(side)
    _say(f"Position {side.label} ({', '.join(side.agents)}): {conclusion.get('short', '')}")
    _say(f"    {' '.join(str(conclusion.get('answer', '')).split())}")
    for point in conclusion.get("points", ()):
        cited = ", ".join(f"F{number}" for number in point.get("findings", ()))
        _say(f"    - {point.get('statement', '')} [{cited}]")


def _say(text: str) -> None:
    click.echo(visible(text), err=True)
