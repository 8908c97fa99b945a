"""What running a session again answers: the records of `graph.rerun` and `graph.repair`."""

from __future__ import annotations

from dissensus_agents.errors import RerunStopped
from dissensus_agents.judgement.rates import Share
from dissensus_agents.reruns.answers import NOTHING, Decision, Missing, Rerun, Ruled, Spent, Way
from dissensus_agents.reruns.repairing import Kept, Repair

__all__ = [
    "NOTHING",
    "Decision",
    "Kept",
    "Missing",
    "Repair",
    "Rerun",
    "RerunStopped",
    "Ruled",
    "Share",
    "Spent",
    "Way",
]
