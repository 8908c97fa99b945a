"""Failover over real connections, in every format: a provider that fails, and the next one that answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from dissensus.models import AnthropicModel, GeminiModel, OpenAIModel, ResponsesModel
from dissensus.testing import Answer, FakeProvider, Fault
from dissensus_agents.agent import Agent
from dissensus_agents.models.health import HEALTH
from dissensus_agents.models.prices import FREE
from dissensus_state.store import Store
from panels import Case, happened, one_step, told

ADAPTERS: dict[Any, Any] = {
    "openai": OpenAIModel,
    "responses": ResponsesModel,
    "anthropic": AnthropicModel,
    "gemini": GeminiModel,
}
FAULTS = {
    "refused": "failed",
    "unavailable": "failed",
    "rate_limit_seconds": "failed",
    "insufficient_quota": "failed",
    "wrong_key": "failed",
    "too_large": "failed",
    "silent": "unknown",
    "reset_before": "unknown",
    "cut_in_event": "partial",
    "no_end": "partial",
    "error_midway": "partial",
    "empty_body": "unknown",
}
"""Faults, each with what the record calls the call that met it."""

SAID = '{"reasoning": "The log says so, in its first line.", "verdict": {"cause": "disk"}}'


@pytest.fixture
def providers() -> Iterator[tuple[FakeProvider, FakeProvider]]:
    HEALTH.forget()
    with FakeProvider() as first, FakeProvider() as second:
        second.says(SAID)
        yield first, second


def a_model(spoken: Any, provider: FakeProvider, name: str, **settings: Any) -> Any:
    given = {"key_env": None, "price": FREE, "name": name, **settings}
    return ADAPTERS[spoken]("a-model", base_url=provider.url(spoken), **given)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("spoken", ADAPTERS)
async def test_g14_whatever_befalls_the_first_provider_the_second_answers_and_both_are_in_the_record(
    providers: tuple[FakeProvider, FakeProvider], spoken: Any, fault: str
) -> None:
    first, second = providers
    first.says(Fault.named(fault))
    models = [a_model(spoken, first, "first", timeout=1.0), a_model(spoken, second, "second")]
    with Store.open("sqlite://") as store:
        session = store.create(Case())

        await one_step([Agent("ana", models)]).run(session)

        rows = [(call.model, call.status) for call in session.round(1)[2]]
        assert rows == [("first", FAULTS[fault]), ("second", "answered")]
        assert session.state.verdict is not None
        assert [body["model"] for body in happened(session, "failover")] == ["first"]
        assert session.verify()


@pytest.mark.parametrize("spoken", ADAPTERS)
async def test_a_refusal_is_answered_by_the_next_in_every_format(
    providers: tuple[FakeProvider, FakeProvider], spoken: Any
) -> None:
    first, second = providers
    first.says(Answer("", refusal="I can't help with that."))
    models = [a_model(spoken, first, "first"), a_model(spoken, second, "second")]
    with Store.open("sqlite://") as store:
        session = store.create(Case())

        await one_step([Agent("ana", models)]).run(session)

        refused, answered = session.round(1)[2]
        assert answered.status == "answered"
        assert (refused.detail or {})["kind"] in {"refusal", "content_policy"}


@pytest.mark.parametrize("spoken", ADAPTERS)
async def test_a_run_that_is_stopped_closes_the_connection_and_keeps_what_had_come(
    providers: tuple[FakeProvider, FakeProvider], spoken: Any
) -> None:
    first, _ = providers
    first.says(Answer(SAID, piece=10, pause=0.2))
    with Store.open("sqlite://") as store:
        session = store.create(Case())
        heard = asyncio.Event()

        async def watch() -> None:
            graph = one_step([Agent("ana", a_model(spoken, first, "first"))])
            async for progress in graph.stream(session, deltas=True):
                if progress.kind == "delta" and progress.body["text"]:
                    heard.set()

        running = asyncio.create_task(watch())
        await asyncio.wait_for(heard.wait(), 10)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

        (part,) = session.round(1)[2]
        assert (part.status, part.finish_reason) == ("partial", "stopped")
        assert part.answer
        assert SAID.startswith(part.answer)
        assert part.ttft_ms is not None


async def test_pieces_are_told_as_the_provider_sends_them(
    providers: tuple[FakeProvider, FakeProvider],
) -> None:
    _, second = providers
    with Store.open("sqlite://") as store:
        session = store.create(Case())
        progress = await told(one_step([Agent("ana", a_model("openai", second, "m"))]), session, deltas=True)
    assert "".join(item.body["text"] for item in progress if item.kind == "delta") == SAID
