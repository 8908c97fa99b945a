"""How far to trust a conclusion, after the discount for what its authors have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dissensus.cli.texts import count
from dissensus_agents.judgement.lineage import effective_votes
from dissensus_agents.status import Status

_WORDS = ((0.72, "high"), (0.6, "moderate"), (0.45, "low"), (0.0, "very low"))

LEAST_VOTES = 1.2
"""Independent votes without which no confidence is called high."""


@dataclass(frozen=True, slots=True)
class Voice:
    """An analyst: what its model is, and how sure it said it was."""

    agent: str
    model: str
    lineage: str
    stated: float | None


@dataclass(frozen=True, slots=True)
class Confidence:
    """A confidence in words, and how it came about."""

    word: str
    value: float | None
    reason: str

    def __str__(self) -> str:
        return f"{self.word} ({self.reason})"


def confidence(upheld: Sequence[Voice], against: Sequence[Voice], known: Status | None = None) -> Confidence:
    """What the panel's stated confidence is worth.

    Where graded rounds say how likely the conclusion is right, after the discount for what errors have in
    common, that counts, and not what models state of themselves.

    Where nothing is graded, those who agree count as many votes as they are worth together
    (`effective_votes`), each with the mean of what they state; those who disagree count against it in the
    same way; and one vote more says that nobody knows (0.5). So no panel is ever surer than its members,
    and one model alone never high.
    """
    if known is not None and known.confidence is not None and known.on:
        return _measured(upheld, against, known, known.confidence)
    sure, votes = _mean(upheld), _votes(upheld)
    other, others = _mean(against), _votes(against)
    if sure is None or not votes:
        return Confidence("not stated", None, _reason(upheld, against, votes, sure))
    contrary = 1 - (other if other is not None else 0.5)
    value = (0.5 + votes * sure + others * contrary) / (1 + votes + others)
    word = _word(value)
    if word == "high" and votes < LEAST_VOTES:
        word = "moderate"
    return Confidence(word, round(value, 3), _reason(upheld, against, votes, sure))


def _word(value: float) -> str:
    return next(word for least, word in _WORDS if value >= least)


def _measured(upheld: Sequence[Voice], against: Sequence[Voice], known: Status, value: float) -> Confidence:
    votes = _votes(upheld) if known.votes is None else known.votes
    said = _reason(upheld, against, votes, _mean(upheld))
    graded = f"{value:.2f} after the discount, by {count(known.on, 'graded round')}"
    return Confidence(_word(value), round(value, 3), f"{said}; {graded}")


def _mean(voices: Sequence[Voice]) -> float | None:
    stated = [voice.stated for voice in voices if voice.stated is not None]
    return sum(stated) / len(stated) if stated else None


def _votes(voices: Sequence[Voice]) -> float:
    return effective_votes([voice.lineage for voice in voices], [voice.model for voice in voices])


def _reason(upheld: Sequence[Voice], against: Sequence[Voice], votes: float, sure: float | None) -> str:
    total = len(upheld) + len(against)
    said = f"{len(upheld)} of {count(total, 'analyst')} hold it"
    if len(upheld) > 1:
        said += f", worth {votes:.1f} independent votes for what their models have in common"
    elif len(upheld) == 1:
        said += ", one vote"
    return said + (f"; they state {sure:.2f}" if sure is not None else "; none states how sure it is")
