"""What agreement is worth where nothing has been graded: by lineage alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .ballots import Ballot, Voter, Weighed
from .lineage import effective_votes


@dataclass(frozen=True, slots=True)
class PriorWeigher:
    """Weighs by what lineages suggest; how likely a position is right it does not know.

    Wherever nothing of a store is graded, a step weighs so.
    """

    def weigh(self, ballots: Sequence[Ballot], task: str, options: int | None = None) -> Weighed:  # noqa: ARG002 - the seam's signature
        """The effective votes behind the position that has most of them; no shares."""
        behind: dict[int, list[Voter]] = {}
        for ballot in ballots:
            behind.setdefault(ballot.position, []).append(ballot.voter)
        votes = (
            effective_votes([one.lineage for one in voters], [one.model for one in voters])
            for voters in behind.values()
        )
        return Weighed(max(votes, default=0.0))


PRIOR = PriorWeigher()
