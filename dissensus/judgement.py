"""Agreement for what it is worth: ballots, who weighs them, and the rules that rule on them."""

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
from dissensus_agents.judgement.discounted import Discounted
from dissensus_agents.judgement.prior import PriorWeigher
from dissensus_agents.judgement.rules import Majority, Reads, Verified, Vote
from dissensus_agents.judgement.verdicts import Review, Seen
from dissensus_agents.status import Status, status_of

__all__ = [
    "Ballot",
    "Basis",
    "Discounted",
    "Knowledge",
    "Majority",
    "PriorWeigher",
    "Rate",
    "Reads",
    "Review",
    "Seen",
    "Status",
    "Verified",
    "Vote",
    "Voter",
    "Weighed",
    "Weigher",
    "status_of",
]
