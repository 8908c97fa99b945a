"""A call between its intent and its leaving: whom it goes to, and what it has to wait for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from dissensus_state.records import Call

from .messages import Request
from .models.health import Health, key_of
from .models.limits import Place
from .models.retries import PATIENCE, Patience
from .patterns.failover import Choice, heeds


@dataclass(slots=True)
class Departure:
    """A call that is about to be made; what was written of it is in `call`."""

    call: Call
    choice: Choice
    request: Request
    place: Place


def seconds_of(call: Call) -> float | None:
    """The time that a call was given, where time is budgeted."""
    milliseconds = (call.holds or {}).get("ms")
    return None if milliseconds is None else milliseconds / 1000


async def wait_for(departure: Departure, health: Health) -> None:
    """Wait for as long as a model is to be left in peace, within its patience, and for its limit.

    While one call is let through to see how the model is, the others wait for what comes of it.
    """
    model = departure.choice.model
    patience: Patience = getattr(model, "patience", PATIENCE)
    left = patience.seconds if departure.choice.wait > 0 and heeds(model) else 0.0
    while left > 0 and (cooling := health.enter(key_of(model))) is not None:
        pause = min(cooling.seconds, left)
        await asyncio.sleep(pause)
        left -= pause
    await departure.place.turn()
