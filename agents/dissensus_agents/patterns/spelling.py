"""From a pattern as it is spelled to the pattern itself, over agents that the caller gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .cascade import Cascade, agree, confident
from .plan import Pattern, Switch
from .spelled import Spelled
from .together import Panel, Parallel

if TYPE_CHECKING:
    from ..agent import Agent

SURE = 0.8
"""The confidence that ends a tier of one agent, with whom nobody could agree."""


def pattern_of(written: Spelled, agents: Mapping[str, Agent]) -> Pattern:
    """The pattern that was spelled; who rules over it is the step's to say.

    A cascade goes up where a tier of several does not agree, and where a tier of one is not sure.

    Args:
        written: The pattern.
        agents: Its agents, by the names that it has for them.
    """
    seats = [[agents[name] for name in tier] for tier in written.tiers]
    match written.kind:
        case "switch":
            return Switch(seats[0][0])
        case "parallel":
            return Parallel(seats[0], take="first")
        case "panel":
            return Panel(seats[0])
    alone = any(len(tier) == 1 for tier in seats[:-1])
    return Cascade([_tier(tier) for tier in seats], until=confident(SURE) if alone else agree())


def _tier(seats: Sequence[Agent]) -> Pattern:
    return Switch(seats[0]) if len(seats) == 1 else Panel(seats)
