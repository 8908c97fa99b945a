"""Where some agents of a round stand, while others may still be asked."""

from __future__ import annotations

from collections.abc import Sequence

from dissensus_state.records import Proposal

from .comparing import stance_of
from .judgement.disagreement import compare
from .patterns.plan import Stand
from .positions import sides_of
from .running import Running
from .weighing import ballots_of, weighed_of


def stand_of(running: Running, made: Sequence[Proposal]) -> Stand:
    """Who of these says the same, and what that is worth; the round itself is not touched."""
    stances = [stance_of(running, item) for item in made]
    comparison = compare(stances, running.comparators, running.step.materiality)
    sides = [side.agents for side in sides_of(made, comparison.disagreements)]
    weighed = weighed_of(running, sides, comparison.disagreements)
    ballots = tuple(ballots_of(running, sides, whole=True))
    return Stand(tuple(sides), bool(comparison.disagreements), weighed.votes, weighed, ballots)
