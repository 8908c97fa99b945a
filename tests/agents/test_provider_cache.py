"""What a provider keeps of a prompt is asked for, counted apart, and stands in the cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from dissensus.testing import Answer, FakeProvider
from dissensus_agents.agent import Agent
from dissensus_agents.messages import Usage
from dissensus_agents.models.anthropic import AnthropicModel
from dissensus_agents.models.openai import OpenAIModel
from dissensus_agents.models.prices import Price
from dissensus_state.records import Budget
from dissensus_state.store import Store
from panels import Case, one_step

LONG = "12:01 the disk is full\n" * 300
PRICE = Price(Decimal(3), Decimal(15), cached=Decimal("0.3"), written=Decimal("3.75"))


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as made:
        yield made


def marks(body: Any) -> list[bool]:
    return ["cache_control" in block for block in body["messages"][0]["content"]]


async def test_g07_tokens_read_from_a_cache_and_written_into_it_have_their_own_price_in_the_cost(
    store: Store, provider: FakeProvider
) -> None:
    session = store.create(Case(documents={"log": LONG}), name="case", budget=Budget(usd=1))
    model = AnthropicModel("claude-x", base_url=provider.url("anthropic"), key_env=None, price=PRICE)
    said = json.dumps({"reasoning": "So.", "verdict": {"cause": "disk"}})
    provider.says(
        Answer("not JSON at all", usage=Usage(input=20, output=10, written=1900)),
        Answer(said, usage=Usage(input=60, output=30, cached=1900)),
    )

    def prompt(view: Any) -> list[Any]:
        return [view.part("/documents/log"), "What is the cause?"]

    await one_step([Agent("ana", model, prompt=prompt)]).run(session)
    first, second = session.round(1)[2]
    assert [(call.cached_tokens, call.written_tokens) for call in (first, second)] == [
        (0, 1900),
        (1900, None),
    ]
    assert first.cost == 20 * 3000 + 1900 * 3750 + 10 * 15_000
    assert second.cost == 60 * 3000 + 1900 * 300 + 30 * 15_000
    assert first.reserved >= first.cost
    assert session.budget.spent == first.cost + second.cost
    asked, again = (received.body for received in provider.received)
    assert marks(asked) == marks(again) == [True, False]
    assert asked["messages"][0] == again["messages"][0]


async def test_agents_of_one_model_that_read_the_same_have_a_key_for_it_each(
    store: Store, provider: FakeProvider
) -> None:
    session = store.create(Case(documents={"log": LONG}), name="case", budget=Budget(usd=1))
    model = OpenAIModel("gpt-x", base_url=provider.url("openai"), key_env=None, price=PRICE)
    provider.says(json.dumps({"reasoning": "So.", "verdict": {"cause": "disk"}}))
    await one_step([Agent("ana", model), Agent("bob", model)]).run(session)
    keys = {received.body["prompt_cache_key"] for received in provider.received}
    assert len(keys) == 2
