"""Quality over time: what a store's rounds say of each model at each task, as figures with intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..judgement.audit import Audit, audits
from ..judgement.correlation import Together
from ..judgement.rates import Calibration, Share, calibration
from ..judgement.standing import BASES, UNKNOWN, Judge, Record, Standing
from .alarms import Alarm, Alarms, Watch

MOST_PAIRS = 50
"""How many pairs of models are told, those with most rounds in common first."""


@dataclass(frozen=True, slots=True)
class Quality:
    """What one model did at one task.

    Attributes:
        asked, abstained: How often it was asked, and had nothing to propose.
        right: Of its proposals that are graded from outside the models, those that were right; `by` on what.
        dissent: Of its proposals, those that lost, whoever decided.
        overruled: Of its proposals that a model or a person ruled on, those that did not stand.
        failed: Of its proposals, those that failed a check from outside the models.
        malformed: Of the times it was asked, those in which an answer could not be read as it was.
        refused: Of the times it was asked, those in which it refused.
        latency_ms: The median and the 95th percentile of the answers that proposals rest on; None: unknown.
        cost: In nano-USD, what is known; `unpriced` counts the times in which it is not.
        calibration: How far the confidence that it states can be believed.
    """

    model: str
    lineage: str
    task: str
    asked: int
    abstained: int
    right: Share
    by: Mapping[str, int]
    dissent: Share
    overruled: Share
    failed: Share
    malformed: Share
    refused: Share
    latency_ms: tuple[int, int] | None
    cost: int
    unpriced: int
    calibration: Calibration

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        shares = ("right", "dissent", "overruled", "failed", "malformed", "refused")
        return {
            "model": self.model,
            "lineage": self.lineage,
            "task": self.task,
            "asked": self.asked,
            "abstained": self.abstained,
            **{name: getattr(self, name).as_dict() for name in shares},
            "by": dict(self.by),
            "latency_ms": None if self.latency_ms is None else list(self.latency_ms),
            "cost_nano_usd": self.cost,
            "unpriced": self.unpriced,
            "calibration": self.calibration.as_dict(),
        }


def quality_of(record: Record) -> Quality:
    """The figures of a model's record at a task."""
    asked = len(record)
    proposed = sum(record.column("proposed"))
    right = [value for value in record.column("right") if value != UNKNOWN]
    ruled = [value for value in record.column("ruled") if value != UNKNOWN]
    costs = [value for value in record.column("cost") if value != UNKNOWN]
    bases = record.column("basis")
    stated = zip(record.column("confidence"), record.column("right"), strict=True)
    return Quality(
        *(record.model, record.lineage, record.task, asked, asked - proposed),
        right=Share.counted(sum(right), len(right)),
        by={name: bases.count(n) for n, name in enumerate(BASES) if name and bases.count(n)},
        dissent=Share.counted(sum(record.column("dissent")), proposed),
        overruled=Share.counted(ruled.count(0), len(ruled)),
        failed=Share.counted(sum(value > 0 for value in record.column("failed")), proposed),
        malformed=Share.counted(sum(value > 0 for value in record.column("malformed")), asked),
        refused=Share.counted(sum(record.column("refused")), asked),
        latency_ms=_percentiles(value for value in record.column("latency") if value != UNKNOWN),
        cost=sum(costs),
        unpriced=asked - len(costs),
        calibration=calibration(
            (sure, bool(right)) for sure, right in stated if right != UNKNOWN and not math.isnan(sure)
        ),
    )


def _percentiles(values: Iterable[int]) -> tuple[int, int] | None:
    kept = sorted(values)
    if not kept:
        return None
    return kept[len(kept) // 2], kept[min(math.ceil(0.95 * len(kept)), len(kept)) - 1]


@dataclass(frozen=True, slots=True)
class Pair:
    """How the errors of two models go together at a task, in the rounds that are graded for both."""

    task: str
    one: str
    other: str
    together: Together

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        found = self.together
        same = Share.counted(int(found.same_errors.hits), int(found.same_errors.of))
        figures = {name: getattr(found, name) for name in ("phi", "kappa", "capa")}
        return {
            "task": self.task,
            "models": [self.one, self.other],
            "rounds": found.of,
            **{name: None if value is None else round(value, 4) for name, value in figures.items()},
            "same_errors": same.as_dict(),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What a store's rounds say of its models.

    Attributes:
        rounds: How many settled rounds it rests on.
        models: By task and model.
        pairs: How errors go together, the pairs with most rounds in common first.
        judges: Who has ruled, by task and author, and how often that held or was overturned from outside.
        audits: How often agreements that were drawn by lot were wrong, by task.
        alarms: The alarms that stand.
        watched: How many streams have learned what is normal, and how many there are.
    """

    rounds: int
    models: tuple[Quality, ...]
    pairs: tuple[Pair, ...]
    judges: tuple[Judge, ...]
    audits: tuple[Audit, ...]
    alarms: tuple[Alarm, ...]
    watched: tuple[int, int]


def report(
    standing: Standing, alarms: Alarms, resets: Mapping[tuple[str, str, str], int] | None = None
) -> Report:
    """What there is to say of a standing.

    Args:
        standing: What settled rounds show.
        alarms: What is watched, and when it rings.
        resets: By model, task and measure: since when a stream learns anew, in milliseconds since 1970.
    """
    watch = Watch(alarms, resets)
    rung = watch.over(standing)
    records = sorted(standing.records.values(), key=lambda one: (one.task, one.model))
    judges = sorted(standing.judges.values(), key=lambda one: (one.task, one.author, one.by))
    return Report(
        standing.rounds,
        tuple(map(quality_of, records)),
        tuple(_pairs(standing)),
        tuple(judges),
        tuple(audits(standing.audited)),
        tuple(rung),
        (sum(stream.learned for stream in watch.streams), len(watch.streams)),
    )


def _pairs(standing: Standing) -> Iterable[Pair]:
    most = sorted(standing.pairs.items(), key=lambda item: (-item[1].total(), item[0]))[:MOST_PAIRS]
    for (task, one, other), _ in most:
        yield Pair(task, one, other, standing.together(task, one, other))
