"""Rules that rule: supervisors that cost nothing, decide where they can, and escalate where they cannot.

    add_step(…, supervisor=[Verified(), Vote(above=0.8), Supervisor(chair), Person("ana")])

Each is a function of the `Review` that gives a `Verdict`; its ruling is recorded as any other, with its
reason and its confidence. None upholds what a verifier has refuted. Those that count votes say nothing about
an agreement that is hollow or audited: what has to be checked there are the votes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dissensus_state.values import canonical

from ..errors import GraphError
from .ballots import Weighed, Weigher
from .reading import BY_FINDINGS, Held, Reader, Reading, read
from .verdicts import Review, Seen, Step, Verdict

MAX_QUESTION: Final = 24_000
"""Characters of the material in which the question, and the answers to choose from, are looked for."""


@dataclass(frozen=True, slots=True)
class Verified:
    """Upholds the one position of which a verifier has proved that it is right."""

    name: str = "verified"

    def __call__(self, review: Review) -> Verdict:
        """The verdict: a proof that is contradicted by another check, or by a second proof, is none."""
        proved = [seen for seen in review.positions if _proof(seen)]
        if len(proved) != 1:
            count = f"{len(proved)} positions are" if proved else "no position is"
            return escalation(f"{count} proved by a verifier")
        reason = f"verified by {_proof(proved[0])}"
        return Verdict(decision="uphold", position=proved[0].label, reason=reason)


def _proof(seen: Seen) -> str:
    """Which check has proved a position; none where another speaks against it."""
    proofs = [f"{item.verifier}: {item.detail}" for item in seen.evidence if item.proves]
    return "" if any(item.refutes for item in seen.evidence) else next(iter(proofs), "")


@dataclass(frozen=True, slots=True)
class Majority:
    """Upholds what more agents say than anything else, each counted once."""

    name: str = "majority"

    def __call__(self, review: Review) -> Verdict:
        """The verdict; a tie is escalated."""
        if hindered := _hindered(review) or review.unsettled:
            return escalation(hindered)
        counted = Counter(ballot.position for ballot in review.ballots).most_common(2)
        if not counted or (len(counted) == 2 and counted[0][1] == counted[1][1]):
            return escalation("no position has more votes than every other one")
        (best, most), all_ = counted[0], len(review.ballots)
        return upholding(review.positions[best], f"{most} of {all_} votes are for it")


@dataclass(frozen=True, slots=True)
class Vote:
    """Upholds the position that is likely enough to be right, by what the voters are worth.

    Args:
        weigher: Who says what votes are worth; by default the step's own, as the round has been weighed.
        above: How likely (0 to 1) a position must be for its votes to decide.
        among: Among how many answers the panel could choose, where that is known; for a `weigher`.
    """

    weigher: Weigher | None = None
    above: float = 0.8
    among: int | None = None
    name: str = "vote"

    def __post_init__(self) -> None:
        _check_share("Vote", self.above)

    def __call__(self, review: Review) -> Verdict:
        """The verdict, with the share as its confidence."""
        if hindered := _hindered(review):
            return escalation(hindered)
        weighed = self._weighed(review)
        if weighed is None or weighed.best is None or weighed.confidence is None:
            return escalation("nothing is known of the voters that would weigh their votes")
        seen, share = review.positions[weighed.best], weighed.confidence
        basis = f"{weighed.basis}, on {weighed.on} graded rounds" + (
            f"; {weighed.note}" if weighed.note else ""
        )
        if share < self.above:
            return escalation(f"the likeliest position has {share:.2f}, and not {self.above:g} ({basis})")
        return upholding(
            seen, f"its votes make it {share:.2f} likely, at least {self.above:g} ({basis})", share
        )

    def _weighed(self, review: Review) -> Weighed | None:
        if self.weigher is None:
            return review.weighed
        return self.weigher.weigh(review.ballots, review.step, self.among) if review.ballots else None


@dataclass(frozen=True, slots=True)
class Reads:
    """Upholds the side whose reasoning stands, read without a model.

    Args:
        above: How likely (0 to 1) a position must be for its reasoning to decide.
        reader: Who weighs what is found; by default only calculations that do not come out.
    """

    above: float = 0.65
    reader: Reader = BY_FINDINGS
    name: str = "reads"

    def __post_init__(self) -> None:
        _check_share("Reads", self.above)

    def __call__(self, review: Review) -> Verdict:
        """The verdict, with the share as its confidence; it decides nothing where reasoning is withheld."""
        if len(review.positions) < 2:
            return escalation("there is one position only, and nothing to read it against")
        if hidden := [seen.label for seen in review.positions if seen.withheld]:
            return escalation(f"the reasoning behind {', '.join(hidden)} is withheld")
        question = "\n".join(part.text for part in review.material)[:MAX_QUESTION]
        held = [
            Held(_says(review, seen), tuple(t for _, t in seen.reasoning if t)) for seen in review.positions
        ]
        found = read(held, question, above=self.above, reader=self.reader)
        basis = f"{found.note}; on {found.on} graded disagreements"
        if found.best is None:
            return escalation(f"no reasoning stands out by {self.above:g} ({basis})")
        verdict = upholding(review.positions[found.best], f"its reasoning stands ({basis})", found.confidence)
        return verdict.model_copy(update={"wrong_steps": list(_wrong(review, found))})


def _says(review: Review, seen: Seen) -> str:
    """What a position says on what is disputed."""
    said = [
        position.value
        for question in review.disagreements
        for position in question.positions
        if seen.label in position.holders
    ]
    return said[0] if len(said) == 1 and isinstance(said[0], str) else canonical(said)


def _wrong(review: Review, found: Reading) -> Iterator[Step]:
    """The first finding that is hard of each position."""
    for seen, findings in zip(review.positions, found.findings, strict=True):
        first = next((one for one in findings if one.hard), None)
        if first is not None:
            yield Step(position=seen.label, step=first.quote)


def upholding(seen: Seen, reason: str, confidence: float | None = None) -> Verdict:
    """A verdict for a position, unless a check of it has failed."""
    if seen.failed:
        return escalation(f"the position that would stand ({reason}) has failed a check: {seen.failed[0]}")
    return Verdict(decision="uphold", position=seen.label, reason=reason, confidence=confidence)


def escalation(reason: str) -> Verdict:
    """A verdict that leaves it to the next supervisor."""
    return Verdict(decision="escalate", reason=reason)


def _hindered(review: Review) -> str:
    """Why votes cannot decide here, whatever they say."""
    if review.hollow:
        return "the agreement is hollow: its votes cannot vouch for each other"
    return "an agreement is audited: its votes are what is to be checked" if review.audit else ""


def _check_share(what: str, share: float) -> None:
    if not 0 <= share <= 1:
        raise GraphError(f"{what}(above=…) is a share from 0 to 1, not {share!r}")


VERIFIED: Final = Verified()
"""What rules on a hollow agreement that a verifier has decided."""
