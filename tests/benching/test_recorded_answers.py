"""Real answers of real models: the figures of a benchmark are those of counting them by hand."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Mapping
from decimal import Decimal
from itertools import combinations, islice
from pathlib import Path
from typing import Any

import pytest

from dissensus.bench.measured import measured
from dissensus.bench.plan import Plan, make_plan
from dissensus.bench.running import carry_out
from dissensus.bench.schema import Benchmark
from dissensus.bench.suggesting import suggest, with_cascades
from dissensus.bench.table import table
from dissensus.bench.tasks import read_tasks
from dissensus_agents.models.prices import Price
from dissensus_agents.models.recordings import RecordedModel
from dissensus_state.store import Store

DATA = Path(__file__).resolve().parents[3] / "shared/data/panel"
SEATS = {
    "flash": "gemini-1.5-flash-002",
    "llama": "Meta-Llama-3_1-70B-Instruct",
    "pro": "gemini-1.5-pro-002",
}
COUNT = 250
CASCADE = "cascade:flash+llama>pro"

Row = Mapping[str, Any]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """The first questions on record."""
    path = DATA / "mmlu_pro_panel.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"the recorded answers do not ship with the project, and are not at {path}")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in islice(lines, COUNT)]


@pytest.fixture(scope="module")
def plan(rows: list[Row]) -> Plan:
    """All of them, put to three models as they answered."""
    prices = json.loads((DATA / "models.json").read_text("utf-8"))

    def items() -> list[dict[str, Any]]:
        return [
            {
                "id": row["id"],
                "task": row["category"],
                "question": row["question"],
                "options": row["options"],
                "expected": row["answer"],
            }
            for row in rows
        ]

    tasks = read_tasks("recorded:items", lambda name: items)
    by_prompt = {item.prompt: row for item, row in zip(tasks.items, rows, strict=True)}

    def model(label: str) -> RecordedModel:
        name = SEATS[label.rpartition(":")[2]]
        said = prices[name]
        price = Price(Decimal(str(said["usd_in"])), Decimal(str(said["usd_out"])))
        return RecordedModel(
            name,
            lambda request: by_prompt[request.prompt]["answers"][name]["text"],
            lineage=said["lineage"],
            price=price,
        )

    named = [f"{label}=@recorded:{label}" for label in SEATS]
    return make_plan(tasks, named, [CASCADE], model, form="text")


def test_the_figures_are_those_of_counting_the_recordings(rows: list[Row], plan: Plan) -> None:
    with Store.open("sqlite://") as store:
        session = store.create(Benchmark(), budget=5)
        assert asyncio.run(carry_out(session, plan)).short is None
        found = measured(session, plan)
        session.on("lane-1").verify()
    data = table(found)
    said = {label: [row["answers"][name]["extracted"] for row in rows] for label, name in SEATS.items()}
    right = {
        label: [a == row["answer"] for a, row in zip(one, rows, strict=True)] for label, one in said.items()
    }
    quality = {row["name"]: row["quality"]["value"] for row in data["rows"] if row["task"] is None}
    for label in SEATS:
        assert quality[label] == pytest.approx(sum(right[label]) / COUNT, abs=2 / COUNT), (
            "the field on record"
        )
    for pair in data["pairs"]:
        a, b = pair["a"], pair["b"]
        both = [
            (x == y, p, q)
            for x, y, p, q in zip(said[a], said[b], right[a], right[b], strict=True)
            if x is not None and y is not None
        ]
        wrong = [same for same, p, q in both if not p and not q]
        assert pair["agreement"] == pytest.approx(sum(same for same, _, _ in both) / len(both), abs=0.03)
        assert pair["same_wrong"] == pytest.approx(sum(wrong) / len(wrong), abs=0.05)
        assert pair["phi"] == pytest.approx(_phi(right[a], right[b]), abs=0.03)
    rho = sum(_phi(right[a], right[b]) for a, b in combinations(SEATS, 2)) / 3
    votes = {one["of"]: one["votes"] for one in data["votes"]}
    assert votes["all models"] == pytest.approx(3 / (1 + 2 * rho), abs=0.05)


def _phi(one: list[bool], other: list[bool]) -> float:
    n, a, b = len(one), sum(one), sum(other)
    both = sum(x and y for x, y in zip(one, other, strict=True))
    return float((n * both - a * b) / (a * (n - a) * b * (n - b)) ** 0.5)


def test_a_cascade_follows_from_its_members_as_it_is_played(plan: Plan) -> None:
    """What is tried beside what was measured is what would have been measured."""
    bare = make_plan(
        plan.tasks,
        [f"{label}=@recorded:{label}" for label in SEATS],
        [],
        lambda label: plan.models[label.rpartition(":")[2]],
        form="text",
    )
    with Store.open("sqlite://") as store:
        session = store.create(Benchmark(), budget=5)
        asyncio.run(carry_out(session, bare))
        derived = with_cascades(measured(session, bare)).answers[CASCADE]
        routing = suggest(measured(session, bare), tolerance=0.1, least=50)
        asyncio.run(carry_out(session, plan))
        played = measured(session, plan).answers[CASCADE]
    assert {where: (one.said, one.score, one.cost) for where, one in derived.items()} == {
        where: (one.said, one.score, one.cost) for where, one in played.items()
    }
    assert routing.rules[0].use in {CASCADE, *SEATS}
    held = [item for item in plan.tasks.items if item.half == 1]
    assert routing.rules[0].held_out == len(held)
    if routing.rules[0].use == CASCADE:
        scores = [played[item.id, 1].score for item in held]
        assert routing.rules[0].quality == pytest.approx(sum(scores) / len(scores))
