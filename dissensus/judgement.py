"""Agreement for what it is worth: ballots, who weighs them, and the rules that rule on them."""

from __future__ import annotations

from dissensus_agents.examples import Example, Voice, examples
from dissensus_agents.fitting import learn_cascade, learn_reader, learn_vote, load_cascade, load_vote
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
from dissensus_agents.judgement.correlation import Both, Together, together
from dissensus_agents.judgement.discounted import Discounted
from dissensus_agents.judgement.fitted import FittedVote
from dissensus_agents.judgement.fitted_reader import FittedReader
from dissensus_agents.judgement.fitting import Graded, fit
from dissensus_agents.judgement.fitting_paying import Tried
from dissensus_agents.judgement.manner import manner
from dissensus_agents.judgement.paying import Paying
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
from dissensus_agents.judgement.rules import Majority, Reads, Verified, Vote
from dissensus_agents.judgement.verdicts import Review, Seen
from dissensus_agents.status import Status, status_of

__all__ = [
    "Ballot",
    "Basis",
    "Both",
    "ByFindings",
    "Discounted",
    "Dispute",
    "Example",
    "Finding",
    "FittedReader",
    "FittedVote",
    "Graded",
    "Held",
    "Knowledge",
    "Majority",
    "Paying",
    "PriorWeigher",
    "Question",
    "Rate",
    "Reader",
    "Reading",
    "Reads",
    "Review",
    "Seen",
    "Status",
    "Together",
    "Tried",
    "Verified",
    "Voice",
    "Vote",
    "Voter",
    "Weighed",
    "Weigher",
    "examples",
    "first_wrong_step",
    "fit",
    "fit_reader",
    "learn_cascade",
    "learn_reader",
    "learn_vote",
    "load_cascade",
    "load_vote",
    "manner",
    "read",
    "status_of",
    "together",
]
