"""The seats of steps: everything that a model can be put behind by its name."""

from __future__ import annotations

from collections.abc import Iterator

from .judgement.meaning import SEAT as COMPARATOR
from .patterns.route import routing_seats
from .steps import Step


def seats_in(step: Step) -> Iterator[str]:
    """The names of a step's agents, supervisors, routers, models that verify, and comparators that ask."""
    yield from (agent.name for agent in step.everybody)
    yield from step.seats
    yield from routing_seats(step.pattern)
    yield from (one.seat for one in step.askers)
    if step.fetching:
        yield COMPARATOR
