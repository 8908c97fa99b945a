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
from dissensus_agents.judgement.chains import Question
from dissensus_agents.judgement.fitted_reader import FittedReader
from dissensus_agents.judgement.prior import PriorWeigher
from dissensus_agents.judgement.reader_fitting import Dispute, fit_reader
from dissensus_agents.judgement.reading import (
    ByFindings,
    Finding,
    Held,
    Reader,
    Reading,
    first_wrong_step,
    read,
)

__all__ = [
    "Ballot",
    "Basis",
    "ByFindings",
    "Dispute",
    "Finding",
    "FittedReader",
    "Held",
    "Knowledge",
    "PriorWeigher",
    "Question",
    "Rate",
    "Reader",
    "Reading",
    "Voter",
    "Weighed",
    "Weigher",
    "first_wrong_step",
    "fit_reader",
    "read",
]
