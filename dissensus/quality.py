"""Quality over time: standings, figures, alarms, and thresholds that rest on them.

from dissensus.quality import Alarms, quality, standing

found = standing(store)                      # what settled rounds show of each model at each task
print(quality(store).models[0].right)        # with intervals, alarms and audits
"""

from __future__ import annotations

from dissensus_agents.judgement.audit import Audit, ErrorRate
from dissensus_agents.judgement.measured import Measured
from dissensus_agents.judgement.rates import Calibration, Share
from dissensus_agents.judgement.standing import Standing
from dissensus_agents.judgement.thresholds import Threshold, threshold_for
from dissensus_agents.quality import audits, knowledge, quality, reset, standing
from dissensus_agents.watch.alarms import Alarm, Alarms
from dissensus_agents.watch.quality import Pair, Quality, Report
from dissensus_state.records import Grade

__all__ = [
    "Alarm",
    "Alarms",
    "Audit",
    "Calibration",
    "ErrorRate",
    "Grade",
    "Measured",
    "Pair",
    "Quality",
    "Report",
    "Share",
    "Standing",
    "Threshold",
    "audits",
    "knowledge",
    "quality",
    "reset",
    "standing",
    "threshold_for",
]
