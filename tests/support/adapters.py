"""A model of each adapter, asked at the fake provider."""

from __future__ import annotations

from typing import Any

from dissensus.testing import FakeProvider
from dissensus.testing.answers import Spoken
from dissensus_agents.models.anthropic import AnthropicModel
from dissensus_agents.models.gemini import GeminiModel
from dissensus_agents.models.openai import OpenAIModel
from dissensus_agents.models.responses import ResponsesModel
from dissensus_agents.models.wire import WireModel

ADAPTERS: dict[Spoken, Any] = {
    "openai": OpenAIModel,
    "responses": ResponsesModel,
    "anthropic": AnthropicModel,
    "gemini": GeminiModel,
}


def base_of(provider: FakeProvider, spoken: Spoken) -> str:
    """Where an adapter asks."""
    return provider.url(spoken)


def asked_at(provider: FakeProvider, spoken: Spoken, model: str = "a-model", **more: Any) -> WireModel:
    """A model that needs no key."""
    scheme = more.pop("scheme", "http")
    url = provider.url(spoken, scheme=scheme)
    made: WireModel = ADAPTERS[spoken](model, base_url=url, key_env=None, key_needed=False, **more)
    return made
