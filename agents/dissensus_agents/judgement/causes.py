"""Why agents may disagree: a first suspicion, from what a round knows of each side. Pure, without a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from dissensus_state.values import JSON, canonical

from .identity import is_number
from .reading import Held, read

Cause = Literal[
    "stale_read",
    "missing_evidence",
    "ambiguous_question",
    "broken_rule",
    "reasoning_error",
    "judgement",
]
"""Why agents may disagree: a first suspicion by rule, for the supervisor to confirm or correct.

The first rule that fits:

| cause | rule |
|---|---|
| `stale_read` | the agents had read different versions |
| `broken_rule` | exactly one position has only holders that broke a rule or failed a verifier |
| `reasoning_error` | all that can be read of the reasoning for exactly one position contradicts itself |
| `missing_evidence` | one position is held without any evidence, another with some |
| `missing_evidence` | what was shown to the holders of one position was not all shown to those of another |
| `reasoning_error` | every position is a number: at most one calculation is right |
| `ambiguous_question` | three agents or more, and no two of them say the same |
| `missing_evidence` | every agent says how sure it is, and none is surer than a coin (0.5) |
| `judgement` | none of these |

A reasoning contradicts itself where `reading` has a hard finding: a calculation that does not come out, an
answer that does not follow. On three models' answers to 5,197 questions of MMLU-Pro (letters, no evidence,
the same prompt) 71 % of 2,399 disagreements are of judgement, 23 % ambiguous, 6 % errors of reasoning; of
two models, the side whose reasoning fails is wrong in 80 % of 123 cases (one by lot: 66 %). The other
rules nobody has graded.
"""

CAUSES: frozenset[str] = frozenset(get_args(Cause))

UNSURE = 0.5
"""Confidence up to which an agent says that it does not know."""

_CITING = frozenset(("evidence", "quotes", "quotations", "citations", "cited", "sources", "references"))
_DEEPEST = 16


@dataclass(frozen=True, slots=True)
class Stance:
    """What one agent proposes, as `compare` needs it, and what the suspicion of a cause rests on.

    `values` holds the proposed value at each JSON pointer, `base_version` the version it had read,
    `evidence` how many pieces of evidence it cites or had confirmed, `broken` the rules or verifiers it
    failed, `seen` what of state and documents it was shown, `thinking` what can be read of its reasoning,
    `confidence` (0 to 1) what it says of itself.
    """

    agent: str
    lineage: str
    values: Mapping[str, JSON]
    base_version: int
    evidence: int = 0
    broken: tuple[str, ...] = ()
    seen: frozenset[str] = frozenset()
    thinking: str | None = None
    confidence: float | None = None


def cited(values: Mapping[str, JSON]) -> int:
    """How many pieces of evidence a proposal cites: items of fields such as `evidence` or `quotes`."""
    return sum(_cited(value, name.rpartition("/")[2], 0) for name, value in values.items())


def _cited(value: JSON, name: str, depth: int) -> int:
    if depth > _DEEPEST:
        return 0
    if name.casefold() in _CITING:
        return len(value) if isinstance(value, list | dict) else bool(value)
    if isinstance(value, dict):
        return sum(_cited(item, key, depth + 1) for key, item in value.items())
    return sum(_cited(item, "", depth + 1) for item in value) if isinstance(value, list) else 0


def suspected(sides: Sequence[tuple[JSON, Sequence[Stance]]]) -> Cause:
    """The suspected cause, by the rules of `Cause`, for each value the stances that hold it."""
    return next(_rules(sides), "judgement")


def _rules(sides: Sequence[tuple[JSON, Sequence[Stance]]]) -> Iterator[Cause]:
    held = [stances for _, stances in sides]
    speakers = [stance for stances in held for stance in stances]
    if len({stance.base_version for stance in speakers}) > 1:
        yield "stale_read"
    if sum(all(stance.broken for stance in stances) for stances in held) == 1:
        yield "broken_rule"
    if _contradicts_itself(sides):
        yield "reasoning_error"
    if len({any(stance.evidence for stance in stances) for stances in held}) == 2:
        yield "missing_evidence"
    shown = [frozenset[str]().union(*(stance.seen for stance in stances)) for stances in held]
    if len(set(shown)) > 1:
        yield "missing_evidence"
    if all(is_number(value) for value, _ in sides):
        yield "reasoning_error"
    if len(sides) == len(speakers) >= 3:
        yield "ambiguous_question"
    if all(stance.confidence is not None and stance.confidence <= UNSURE for stance in speakers):
        yield "missing_evidence"


def _contradicts_itself(sides: Sequence[tuple[JSON, Sequence[Stance]]]) -> bool:
    """Whether every reasoning that can be read for exactly one of the positions has a hard finding."""
    if not any(stance.thinking for _, stances in sides for stance in stances):
        return False
    return sum(_all_wrong(value, stances) for value, stances in sides) == 1


def _all_wrong(value: JSON, stances: Sequence[Stance]) -> bool:
    says: Any = value if isinstance(value, str) else canonical(value)
    thought = [stance.thinking for stance in stances if stance.thinking]
    found = [read([Held(says, (text,))]).findings[0] for text in thought]
    return bool(found) and all(any(one.hard for one in each) for each in found)
