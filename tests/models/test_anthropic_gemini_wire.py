"""The two formats over the network, against the provider that speaks them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dissensus.testing import Answer, FakeProvider, Fault
from dissensus_agents.errors import ProviderFailed
from dissensus_agents.messages import Delta, Part, Reply, Request, Usage
from dissensus_agents.models.anthropic import AnthropicModel
from dissensus_agents.models.gemini import GeminiModel
from dissensus_agents.models.retries import Patience
from dissensus_agents.models.wire import WireModel

ASKED = Request("You are ana.", (Part("Who was it?"),))
KEY = "sk-ant-api03-0123456789abcdef"


@pytest.fixture(params=["anthropic", "gemini"])
def spoken(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as made:
        yield made


@pytest.fixture
def model(spoken: Any, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> WireModel:
    monkeypatch.setenv("A_KEY", KEY)
    kind = AnthropicModel if spoken == "anthropic" else GeminiModel
    patience = Patience(attempts=1)
    return kind("a-model", base_url=provider.url(spoken), key_env="A_KEY", patience=patience)


async def test_text_thinking_and_tokens_come_through(model: WireModel, provider: FakeProvider) -> None:
    usage = Usage(input=100, output=7, cached=50, reasoning=9)
    provider.says(Answer("It was her.", reasoning="Both were there.", signature="c2ln", usage=usage))
    reply = await model.answer(ASKED)
    assert (reply.text, reply.reasoning, reply.reasoning_kind) == (
        "It was her.",
        "Both were there.",
        "summary",
    )
    assert reply.usage == usage
    assert reply.finish_reason == "stop"
    assert reply.ttft_ms is not None


async def test_pieces_are_heard_as_they_come(model: WireModel, provider: FakeProvider) -> None:
    provider.says(Answer("It was her, I am sure.", reasoning="Both were there.", piece=5))
    pieces = [piece async for piece in model.stream(ASKED)]
    heard = [piece for piece in pieces if isinstance(piece, Delta)]
    assert "".join(piece.text for piece in heard) == "It was her, I am sure."
    assert "".join(piece.reasoning for piece in heard) == "Both were there."
    assert isinstance(pieces[-1], Reply)


async def test_the_key_is_in_one_header_and_nowhere_else(model: WireModel, provider: FakeProvider) -> None:
    await model.answer(ASKED)
    (asked,) = provider.received
    assert [name for name, value in asked.headers.items() if KEY in value] in (
        ["x-api-key"],
        ["x-goog-api-key"],
    )
    assert KEY not in asked.path
    assert KEY.encode() not in asked.raw


async def test_what_is_signed_goes_back_when_the_model_is_asked_again(
    model: WireModel, provider: FakeProvider
) -> None:
    provider.says(Answer("Her.", reasoning="Hm.", signature="c2lnbmVk"), "Really her.")
    first = await model.answer(ASKED)
    await model.answer(ASKED.again(first.text, "Say more.", first.echo))
    assert b"c2lnbmVk" not in provider.received[0].raw
    assert b"c2lnbmVk" in provider.received[1].raw
    assert provider.received[1].text.endswith("Say more.")


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.rate_limit(retry_after=3), "rate_limit"),
        (Fault.named("context_overflow"), "context_overflow"),
        (Fault.status(529), "outage"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
async def test_an_error_is_told_by_its_kind(
    model: WireModel, provider: FakeProvider, fault: Fault, kind: str
) -> None:
    provider.says(fault)
    with pytest.raises(ProviderFailed) as failed:
        await model.answer(ASKED)
    assert failed.value.context["kind"] == kind
    if kind == "rate_limit":
        assert failed.value.context["retry_after"] == 3


async def test_an_answer_that_a_policy_stopped_is_counted(provider: FakeProvider) -> None:
    provider.says(Answer("It", finish="refusal"))
    model = GeminiModel(
        "a-model", base_url=provider.url("gemini"), key_env=None, patience=Patience(attempts=1)
    )
    reply = await model.answer(ASKED)
    assert (reply.finish_reason, reply.usage.output, reply.usage.estimated) == ("content_filter", 1, False)
