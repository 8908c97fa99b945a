"""Patterns over real connections: what is left on its way, what is routed by a model, what is never sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any

import pytest

from dissensus.models import OpenAIModel
from dissensus.testing import Answer, FakeProvider, Fault
from dissensus_agents.agent import Agent
from dissensus_agents.graph import AgentGraph
from dissensus_agents.models.health import HEALTH
from dissensus_agents.models.prices import Price
from dissensus_agents.patterns.cascade import Cascade
from dissensus_agents.patterns.route import Route
from dissensus_agents.patterns.together import Panel, Parallel
from dissensus_state.budgets import InFlight
from dissensus_state.records import Budget
from dissensus_state.shapes import Sensitive, SharedState
from dissensus_state.store import Store

CANARY = "canary-51c9"
PRICE = Price(Decimal(1), Decimal(2))


class Case(SharedState):
    """A question, and something that not everybody may see."""

    question: str = "Why did it stop?"
    secret: Annotated[str, Sensitive] = CANARY
    verdict: str = ""


def said(cause: str) -> str:
    return json.dumps({"reasoning": "so", "verdict": cause})


@pytest.fixture
def providers() -> Iterator[dict[str, FakeProvider]]:
    HEALTH.forget()
    with FakeProvider() as one, FakeProvider() as two, FakeProvider() as three:
        yield {"one": one, "two": two, "three": three}


def seat(name: str, provider: FakeProvider, *, trusted: bool = False, **settings: Any) -> Agent:
    model = OpenAIModel(
        "a-model",
        base_url=provider.url("openai"),
        key_env=None,
        price=PRICE,
        name=name,
        lineage=f"maker-{name}/1",
    )
    model.trusted = trusted
    return Agent(name, model, max_output_tokens=200, **{"reads": {"question"}, **settings})


def step(pattern: Any) -> AgentGraph:
    return AgentGraph(Case).add_step("judge", pattern, writes={"verdict"})


RULES: dict[InFlight, bool] = {"charge": True, "return": False}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("late", ["before its answer", "in the middle of it"])
async def test_g07_a_call_that_is_left_on_its_way_is_settled_and_its_connection_closed(
    store: Store, providers: dict[str, FakeProvider], late: str, rule: InFlight
) -> None:
    slow = Answer(said("late"), delay=30) if late == "before its answer" else Answer(said("late"), pause=30)
    providers["one"].says(slow)
    providers["two"].says(Answer(said("disk"), delay=0.3))
    session = store.create(Case(), budget=Budget(usd=1, in_flight=rule))
    graph = step(Parallel([seat("one", providers["one"]), seat("two", providers["two"])], take="first"))
    await graph.run(session)

    assert session.state.verdict == "disk"
    calls = {call.agent: call for call in session.round(1)[2]}
    assert calls["two"].status == "answered"
    left = calls["one"]
    assert left.status in {"unknown", "partial"}
    charged = left.status == "partial" or RULES[rule]
    assert left.cost == (left.reserved if charged else 0)
    assert session.budget.held == 0
    assert session.budget.spent == (left.cost or 0) + (calls["two"].cost or 0)
    assert session.verify().versions == 2
    assert (await graph.replay(session)).calls == 0


async def test_a_cascade_goes_up_over_providers_that_are_down(
    store: Store, providers: dict[str, FakeProvider]
) -> None:
    providers["one"].says(Fault.named("unavailable"))
    providers["two"].says(said("net"))
    providers["three"].says(said("disk"))
    seats = [seat(name, one) for name, one in providers.items()]
    for one in seats:
        one.model.patience = type(one.model.patience)(attempts=1)  # type: ignore[attr-defined]
    session = store.create(Case(), budget=Budget(usd=1))
    graph = step(Cascade([Panel(seats[:2]), seats[2]]))
    await graph.run(session)
    assert session.state.verdict == "disk"
    assert session.decisions(1)[1]["reason"] == "1 of 1 lineage spoke"
    assert (await graph.replay(session)).calls == 0


async def test_what_is_sensitive_is_on_no_wire_but_that_of_a_trusted_model(
    store: Store, providers: dict[str, FakeProvider]
) -> None:
    for name, provider in providers.items():
        provider.says(said(name))
    providers["three"].says(json.dumps({"reason": "so", "option": "cheap", "confidence": 0.9}))
    cheap = seat("one", providers["one"], reads=None)
    own = seat("two", providers["two"], trusted=True, reads=None)
    public = seat("one", providers["one"])
    chooser = seat("three", providers["three"]).model
    session = store.create(Case(), budget=Budget(usd=1))
    await step(Route({"cheap": cheap, "own": own}, by=chooser, default="own")).run(session)
    assert session.state.verdict == "two"
    other = store.create(Case(), budget=Budget(usd=1))
    await step(Route({"cheap": public, "own": own}, by=chooser, default="own")).run(other)
    assert other.state.verdict == "one"

    wire = {name: b"".join(one.raw for one in provider.received) for name, provider in providers.items()}
    assert CANARY.encode() in wire["two"]
    assert CANARY.encode() not in wire["one"]
    assert CANARY.encode() not in wire["three"]
    assert len(providers["three"].received) == 1
