"""The table: quality with intervals, cost, time, and how the models' errors go together, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise
from statistics import fmean
from typing import Any

from dissensus_agents.models.client import Model

from .measured import Answer, Measured
from .statistics import Estimate, Pair, difference_of, effective_votes, mean_of, middle, pair_of, quantile
from .tasks import Item

Data = dict[str, Any]

NANO = 1e9


def table(found: Measured) -> Data:
    """Everything that was measured, over all items and task by task."""
    tasks = found.plan.tasks
    names = tasks.names if len(tasks.names) > 1 else ()
    return {
        "tasks": {"source": tasks.source, "sha256": tasks.sha256, "items": len(tasks.items)},
        "repeats": found.plan.repeats,
        "form": found.plan.form,
        "graders": sorted({item.grader.kind for item in tasks.items}),
        "models": [_model(label, model) for label, model in found.plan.models.items()],
        "rows": [*_rows(found, None), *(row for name in names for row in _rows(found, name))],
        "pairs": _pairs(found),
        "votes": _votes(found),
        "steps": _steps(found),
        "budget": {"spent_usd": found.spent / NANO, "limit_usd": _usd(found.limit)},
        "ungraded": found.ungraded,
        "notes": _notes(found),
    }


def _model(label: str, model: Model) -> Data:
    price = model.price
    return {
        "name": label,
        "model": model.name,
        "lineage": model.lineage,
        "usd_in": None if price is None else float(price.input),
        "usd_out": None if price is None else float(price.output),
    }


def best_single(found: Measured, items: Sequence[Item]) -> str | None:
    """The model of the highest quality, the cheaper one of two that are equal; None where nobody answered."""
    answered = [label for label in found.models if found.means(label, items)]
    if not answered:
        return None
    return max(answered, key=lambda one: (fmean(found.means(one, items).values()), -_cost(found, one, items)))


def _cost(found: Measured, subject: str, items: Sequence[Item]) -> float:
    cost = cost_of(found.of(subject, items))
    return float("inf") if cost is None else cost


def cost_of(answers: Sequence[Answer]) -> float | None:
    """The mean cost of an answer in US dollars; None where a price is unknown, or there is none."""
    costs = [one.cost for one in answers]
    if not costs or any(cost is None for cost in costs):
        return None
    return sum(cost for cost in costs if cost is not None) / len(costs) / NANO


def apart(found: Measured, one: str, other: str, items: Sequence[Item]) -> Estimate | None:
    """How much better `one` is than `other`, on the items that both have answered."""
    a, b = found.means(one, items), found.means(other, items)
    both = [key for key in a if key in b]
    return difference_of([a[key] for key in both], [b[key] for key in both])


def _rows(found: Measured, task: str | None) -> list[Data]:
    items = found.items(task)
    best = best_single(found, items)
    rows = [_row(found, name, task, items, best) for name in (*found.models, *found.patterns)]
    for row in rows:
        row["dominated_by"] = [one["name"] for one in rows if _dominates(one, row)]
    return rows


def _row(found: Measured, name: str, task: str | None, items: Sequence[Item], best: str | None) -> Data:
    answers = found.of(name, items)
    quality = mean_of(list(found.means(name, items).values()))
    apart_ = None if best in {None, name} else apart(found, name, str(best), items)
    latency, ttft = [one.latency for one in answers], [one.ttft for one in answers if one.ttft is not None]
    usd = cost_of(answers)
    is_model = name in found.plan.models
    return {
        "name": name,
        "kind": "model" if is_model else "pattern",
        "task": task,
        "items": 0 if quality is None else quality.n,
        "of": len(items),
        "answers": len(answers),
        "quality": None if quality is None else quality.as_dict(),
        "best": name == best,
        "difference": None if apart_ is None else apart_.as_dict(),
        "usd_per_item": usd,
        "usd": None if usd is None else usd * len(answers),
        "latency_ms": {"p50": middle(latency), "p95": quantile(latency, 0.95)},
        "ttft_ms": {"p50": middle(ttft), "p95": quantile(ttft, 0.95)},
        "tokens_per_item": fmean(one.tokens for one in answers) if answers else None,
        "unfit": sum(bool(one.unfit) for one in answers) if is_model else None,
        "nothing": sum(one.said is None for one in answers),
        "failed": found.failed.get(name) if task is None else None,
    }


def _dominates(one: Data, other: Data) -> bool:
    """Whether one is at least as good and at most as dear, and better in one of the two."""
    a, b = (row["quality"] and row["quality"]["value"] for row in (one, other))
    cost, dear = one["usd_per_item"], other["usd_per_item"]
    if one is other or None in (a, b, cost, dear) or one["items"] < other["items"]:
        return False
    return bool(a >= b and cost <= dear and (a > b or cost < dear))


# How errors go together


def _pairs(found: Measured) -> list[Data]:
    items = found.items()
    pairs = []
    for a, b in combinations(found.models, 2):
        pair = pair_of(*found.voices(a, b, items))
        if pair is not None:
            kin = found.plan.models[a].lineage == found.plan.models[b].lineage
            pairs.append({"a": a, "b": b, "same_lineage": kin, **_pair(pair)})
    return pairs


def _pair(pair: Pair) -> Data:
    return {name: getattr(pair, name) for name in Pair.__slots__}


def _votes(found: Measured) -> list[Data]:
    """What all models, and the members of each pattern, are worth together."""
    items = found.items()
    phis = {
        frozenset(pair): None if (made := pair_of(*found.voices(*pair, items))) is None else made.phi
        for pair in combinations(found.models, 2)
    }
    groups = {"all models": tuple(found.models)} if len(found.models) > 1 else {}
    groups |= {str(one): one.members for one in found.plan.patterns}
    return [
        {
            "of": name,
            "models": len(group),
            "votes": effective_votes(group, lambda a, b: phis[frozenset((a, b))]),
        }
        for name, group in groups.items()
    ]


# The price of the next point


def _steps(found: Measured) -> list[Data]:
    """Between neighbours of the Pareto front, cheapest first: what is gained, and what that costs."""
    items = found.items()
    rows = [row for row in _rows(found, None) if row["quality"] and row["usd_per_item"] is not None]
    front = sorted((row for row in rows if not row["dominated_by"]), key=lambda row: row["usd_per_item"])
    return [_step(found, one, other, items) for one, other in pairwise(front)]


def _step(found: Measured, one: Data, other: Data, items: Sequence[Item]) -> Data:
    gain = apart(found, other["name"], one["name"], items)
    more = other["usd_per_item"] - one["usd_per_item"]
    points = 0.0 if gain is None else gain.value * 100
    return {
        "from": one["name"],
        "to": other["name"],
        "gain": None if gain is None else gain.as_dict(),
        "times_usd": _ratio(other["usd_per_item"], one["usd_per_item"]),
        "times_tokens": _ratio(other["tokens_per_item"], one["tokens_per_item"]),
        "usd_per_1000_items": more * 1000,
        "usd_per_point_1000_items": more * 1000 / points if points > 0 else None,
        "more_ms": _minus(other["latency_ms"]["p50"], one["latency_ms"]["p50"]),
    }


def _ratio(one: float | None, other: float | None) -> float | None:
    return None if one is None or not other else one / other


def _minus(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _usd(nano: int | None) -> float | None:
    return None if nano is None else nano / NANO


def _notes(found: Measured) -> list[str]:
    """What a reader has to know beside the figures."""
    plan, notes = found.plan, list[str]()
    graders = sorted({item.grader.by for item in plan.tasks.items if not item.grader.outside})
    for name in graders:
        lineage = plan.everybody[name].lineage
        notes.append(
            f"{name} graded answers: that is a model's opinion, and no evidence from outside of the models"
        )
        own = [label for label, model in plan.models.items() if model.lineage == lineage]
        if own:
            notes.append(f"{name} has graded models of its own lineage: {', '.join(own)}")
    if found.lost:
        notes.append(
            f"${found.lost / NANO:.4f} were charged for calls that a stopped run has lost; no row has them"
        )
    if found.ungraded:
        notes.append(f"{found.ungraded} answers wait for a grading model, and are not counted")
    lacking = [label for label, model in plan.models.items() if model.price is None]
    if lacking:
        notes.append(f"the price of {', '.join(lacking)} is unknown, and so is what it costs")
    kept = sum(item.sensitive for item in plan.tasks.items)
    if kept:
        notes.append(f"{kept} sensitive items were put to trusted models alone")
    return notes
