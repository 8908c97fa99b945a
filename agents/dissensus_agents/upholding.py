"""The ruling of a pattern that decides between proposals: it upholds some over the dissent of others."""

from __future__ import annotations

from dissensus_state.records import Ruling
from dissensus_state.rights import holds
from dissensus_state.rounds import binding
from dissensus_state.shapes import Shape

from .positions import Side
from .running import Running

_OTHERS = ("asked", "hollow", "sent_to", "unsettled", "audit", "verified")
"""Reasons for a review that no pattern answers."""


def upheld_by_pattern(shape: Shape, running: Running) -> Ruling | None:
    """What the round's pattern decides where its proposals differ; None where it leaves that to others.

    A cascade upholds the tier that settled it, a `Parallel` the best or the first. It is a rule like any
    other: it needs the right to rule, and where anything but the disagreement itself asks for a review, or
    what it would uphold has failed a check or disagrees in itself, the step's supervisor is asked.
    """
    stop, review = running.stop, running.review or {}
    if stop is None or not stop.deciding or not stop.decisions or not running.comparison.disagreements:
        return None
    if any(review.get(reason) for reason in _OTHERS):
        return None
    side = _side(running, stop.deciding)
    decision = stop.decisions[-1]
    if side is None or not holds(shape.rights, decision.pattern, "rule", running.step.task.writes):
        return None
    upheld = frozenset(side.agents)
    bound = binding(running.round.base, running.proposals)
    return Ruling(
        author=decision.pattern,
        decision="uphold",
        binding=bound,
        reason=decision.reason,
        upheld=side.agents,
        dissent=tuple(item.agent for item in running.made if item.agent not in upheld),
        seed=int.from_bytes(bound[:4], "big"),  # as rules have it; who has none is a person
        confidence=decision.confidence,
    )


def _side(running: Running, deciding: tuple[str, ...]) -> Side | None:
    """The one side on which all of those stand that decide, if it has failed no check."""
    made = {item.agent for item in running.made if item.agent in deciding}
    found = [side for side in running.sides if made and made <= set(side.agents)]
    if len(found) != 1:
        return None
    failed = (check for one in made for check in running.evidence.get(one, ()) if not check.passed)
    return None if any(failed) else found[0]
