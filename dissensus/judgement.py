"""Agreement for what it is worth: ballots, who weighs them, and what `add_step(weigh=…)` takes."""

from __future__ import annotations

from dissensus_agents.judgement.ballots import (
    Ballot,
    Basis,
    Knowledge,
    Rate,
    Voter,
    Weighed,
    Weigher,
)
from dissensus_agents.judgement.prior import PriorWeigher

__all__ = ["Ballot", "Basis", "Knowledge", "PriorWeigher", "Rate", "Voter", "Weighed", "Weigher"]
