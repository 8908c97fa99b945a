"""What the proposals of a round say against each other."""

from __future__ import annotations

from dissensus_state.records import Proposal

from .judgement.disagreement import Stance, compare
from .positions import sides_of, values_of
from .running import Run, Running


def compare_proposals(_: Run | None, running: Running) -> None:
    """Say where the proposals disagree, who stands together, and what the suspected cause is."""
    stances = [_stance(running, item) for item in running.made]
    running.comparison = compare(stances, running.comparators, running.step.materiality)
    running.sides = sides_of(running.made, running.comparison.disagreements)


def _stance(running: Running, item: Proposal) -> Stance:
    found = running.evidence.get(item.agent, ())
    return Stance(
        agent=item.agent,
        lineage=running.lineage(item.agent)[0],
        values=values_of(item.patch, running.step.review),
        base_version=running.round.base,
        broken=tuple(check.verifier for check in found if not check.passed),
    )
