"""What a settled round's value may be called: verified, ruled, agreed, or the word of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from dissensus_state.records import Call, Event, Proposal, Round, Ruling
from dissensus_state.values import JSON

from .judgement.lineage import effective_votes

Word = Literal[
    "verified", "ruled", "agreed", "single", "open", "review", "parked", "rejected", "retried", "void"
]


@dataclass(frozen=True, slots=True)
class Status:
    """On what the outcome of a round rests.

    `verified`: evidence from outside the models passed, and none of it failed; `by` names the checks. It
    says no more than what they check. `ruled`: a supervisor decided; `by` names it. `agreed`: all who
    proposed something said the same. `single`: one agent alone did. Anything else is what has become of a
    round without a commit.

    `votes` are the effective votes behind it, `prior` those that lineages alone suggest. `confidence` (0 to
    1) is how likely it is right after the discount, or, where nothing graded says so, what the ruling states
    of itself. `basis` says where it is from (`prior`, `measured`, `fitted`, `ruling`), `on` on how many
    graded rounds it rests.
    """

    word: Word
    by: tuple[str, ...] = ()
    votes: float | None = None
    prior: float | None = None
    confidence: float | None = None
    basis: str = "prior"
    on: int = 0

    def __str__(self) -> str:
        said = [", ".join(self.by)] if self.by else []
        if self.word == "agreed" and self.votes is not None:
            said.append(f"{self.votes:.1f} effective votes")
        if self.confidence is not None:
            said.append(f"{self.confidence:.2f}")
        return f"{self.word} ({', '.join(said)})" if said else self.word

    def as_dict(self) -> dict[str, Any]:
        """The status as plain data; `text` is how it is said."""
        return {**asdict(self), "by": list(self.by), "text": str(self)}


def status_of(
    found: Round,
    proposals: Sequence[Proposal],
    calls: Sequence[Call],
    rulings: Sequence[Ruling],
    evidence: Iterable[Mapping[str, Any]] = (),
    events: Iterable[Event] = (),
) -> Status:
    """What the outcome of a round may be called.

    Args:
        found: The round, as `session.round(number)` gives it with the next three.
        proposals: Its proposals.
        calls: Its calls.
        rulings: Its rulings.
        evidence: That of the commit it ended in.
        events: The session's events, where the weighing of a round without a review stands.
    """
    if found.status != "committed":
        return Status(found.status)
    ruling = rulings[-1] if rulings else None
    behind = _behind(proposals, ruling)
    weighed = weighed_of(found, events)
    prior = _votes(behind, calls)
    share = _share(found, weighed, behind, ruling)
    stated = ruling.confidence if ruling is not None and share is None else None
    known: dict[str, Any] = {
        "votes": weighed.get("votes", prior) if ruling is None else prior,
        "prior": prior,
        "confidence": share if stated is None else stated,
        "basis": "ruling" if stated is not None else weighed.get("basis", "prior"),
        "on": 0 if stated is not None else weighed.get("on", 0),
    }
    checks = _verifying(evidence)
    if checks:
        return Status("verified", checks, **known)
    if ruling is not None:
        return Status("ruled", (ruling.author,), **known)
    return Status("agreed" if len(behind) > 1 else "single", **known)


def _behind(proposals: Sequence[Proposal], ruling: Ruling | None) -> list[str]:
    """The agents whose proposals were accepted."""
    if ruling is not None and ruling.upheld:
        return list(ruling.upheld)
    return [item.agent for item in proposals if item.status == "accepted"]


def _verifying(evidence: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The checks from outside the models that passed; none where any of them did not."""
    outside = [item for item in evidence if "verifier" in item and item.get("outside", True)]
    if not all(item.get("passed") for item in outside):
        return ()
    return tuple(dict.fromkeys(str(item["verifier"]) for item in outside))


def _votes(agents: Sequence[str], calls: Sequence[Call]) -> float | None:
    behind = {call.agent: (call.lineage, call.model) for call in calls if call.status == "answered"}
    models = [behind[agent] for agent in agents if agent in behind]
    if not models:
        return None
    return round(effective_votes([lineage for lineage, _ in models], [model for _, model in models]), 3)


def weighed_of(found: Round, events: Iterable[Event]) -> Mapping[str, Any]:
    """What is stored of a round's weighing, with its review or as an event; empty if nothing is."""
    stored: JSON = (found.review or {}).get("weighed")
    if stored is None:
        told = (one.body for one in events if one.kind == "weighed" and one.round == found.round)
        stored = next(told, None)
    return stored if isinstance(stored, dict) else {}


def _share(
    found: Round, weighed: Mapping[str, Any], behind: Sequence[str], ruling: Ruling | None
) -> float | None:
    """How likely the position is right that was committed as it stood; None where nothing graded says."""
    shares = weighed.get("shares")
    if not isinstance(shares, dict) or not shares or (ruling is not None and ruling.decision != "uphold"):
        return None
    if len(shares) == 1:
        return float(next(iter(shares.values())))
    disputed = (found.review or {}).get("disagreements", ())
    if len(disputed) != 1:
        return None
    for share, position in zip(shares.values(), disputed[0].get("positions", ()), strict=False):
        if set(behind) & set(position.get("holders", ())):
            return float(share)
    return None
