"""From which stated confidence on a model is right often enough: set on graded rounds, tested on others.

    found = threshold_for(standing(store), "judge", 0.9, model="openai:gpt-4o-mini")
    Cascade([mini, large], until=confident(found.value))

The rounds that are graded and state a confidence are split by the digest of their keys into two halves. On
one the threshold is set: from the strictest on, each is tried as long as the exact one-sided 95 % bound of
the share that is right above it reaches the target (fixed-sequence testing: Angelopoulos and others, Learn
then Test, arXiv 2110.01052), so that the target is missed in one of twenty such settings at most. On
the other half it is tested, and what was found there goes with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from ..errors import TooFewGrades
from .rates import Share
from .standing import UNKNOWN, Record, Standing

LEAST: Final = 100
"""On how many graded rounds that state a confidence a threshold is set and tested at least."""

_MISSED: Final = 0.05


@dataclass(frozen=True, slots=True)
class Threshold:
    """From which stated confidence on a model's answers are right often enough.

    `kept` is the share of the tested rounds that state as much, and `right` how many of these were right;
    `on` counts the rounds it was set on, which are others.
    """

    value: float
    target: float
    task: str
    model: str
    on: int
    kept: Share
    right: Share

    @property
    def note(self) -> str:
        """On what it was set and how it was tested, in a sentence."""
        tested = "none of them stated as much"
        if self.right.rate is not None:
            tested = f"{self.right.rate:.3f} right ({self.right.low:.3f} to {self.right.high:.3f})"
        return (
            f"Set on {self.on} graded rounds of {self.model} at {self.task} so that at least {self.target:g}"
            f" are right (95 %); tested on {self.kept.of} others: {self.kept.hits} kept, {tested}"
        )

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            **{name: getattr(self, name) for name in ("value", "target", "task", "model", "on", "note")},
            "kept": self.kept.as_dict(),
            "right": self.right.as_dict(),
        }


def threshold_for(standing: Standing, task: str, target: float, *, model: str | None = None) -> Threshold:
    """The lowest stated confidence from which on a model's answers are right often enough.

    Args:
        standing: What settled rounds show.
        task: The step.
        target: The share that has to be right, above 0 and below 1.
        model: Whose confidence; not needed where one model alone has a record at the task.

    Raises:
        TooFewGrades: fewer than 100 graded rounds state a confidence, or none is high enough.
        ValueError: the target is no such share.
    """
    if not 0 < target < 1:
        raise ValueError(f"A target is a share between 0 and 1, not {target!r}")
    record = _record(standing, task, model)
    setting: list[tuple[float, bool]] = []
    testing: list[tuple[float, bool]] = []
    for first, confidence, right in _stated(record):
        (setting if first else testing).append((confidence, right))
    if len(setting) + len(testing) < LEAST:
        raise TooFewGrades(
            f"{record.model} has {len(setting) + len(testing)} graded rounds at {task!r} that state a"
            f" confidence, and a threshold takes {LEAST}",
            next_step="Grade more of them (`dissensus grade`), or use verifiers that decide",
        )
    value = _lowest(setting, target)
    if value is None:
        raise TooFewGrades(
            f"On {len(setting)} graded rounds no stated confidence of {record.model} at {task!r} shows that"
            f" {target:g} of its answers are right",
            next_step="Ask for less, grade more rounds, or let another model decide",
        )
    kept = [right for confidence, right in testing if confidence >= value]
    return Threshold(
        *(value, target, task, record.model, len(setting)),
        kept=Share.counted(len(kept), len(testing)),
        right=Share.counted(sum(kept), len(kept)),
    )


def _record(standing: Standing, task: str, model: str | None) -> Record:
    found = [one for one in standing.records.values() if one.task == task and model in (None, one.model)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(sorted(one.model for one in found))
    raise TooFewGrades(
        f"Several models have a record at {task!r}: {names}" if found else f"Nobody has a record at {task!r}",
        next_step="Name the model" if found else "Name the step and the model as `dissensus quality` does",
    )


def _stated(record: Record) -> Iterator[tuple[bool, float, bool]]:
    """Each graded entry that states a confidence: in which half it is, that, and whether it was right."""
    names = ("session_id", "round", "confidence", "right")
    for session, number, confidence, right in zip(*map(record.column, names), strict=True):
        if right != UNKNOWN and not math.isnan(confidence):
            yield sha256(f"{session}/{number}".encode()).digest()[0] % 2 == 0, confidence, bool(right)


def _lowest(setting: Sequence[tuple[float, bool]], target: float) -> float | None:
    """The last threshold, from the strictest down in hundredths, up to which all pass."""
    fewest = math.ceil(math.log(_MISSED) / math.log(target))  # that could pass at all, were all of them right
    found, right, of = None, 0, 0
    ordered = sorted(
        ((int(confidence * 100 + 1e-9), is_right) for confidence, is_right in setting), reverse=True
    )
    for n, (hundredth, is_right) in enumerate(ordered, 1):
        right, of = right + is_right, of + 1
        if of < fewest or (n < len(ordered) and ordered[n][0] == hundredth):
            continue
        if _at_least(right, of, target) > _MISSED:
            break
        found = hundredth / 100
    return found


def _at_least(hits: int, of: int, p: float) -> float:
    """The probability of at least so many hits, each with the probability p: what the exact bound inverts."""
    yes, no = math.log(p), math.log1p(-p)
    ways = math.lgamma(of + 1)
    return math.fsum(
        math.exp(ways - math.lgamma(k + 1) - math.lgamma(of - k + 1) + k * yes + (of - k) * no)
        for k in range(hits, of + 1)
    )
