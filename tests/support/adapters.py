"""A model of each adapter, asked at the fake provider."""

from __future__ import annotations

from typing import Any, Literal

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


def asked_at(
    provider: FakeProvider,
    spoken: Spoken,
    model: str = "a-model",
    *,
    scheme: Literal["http", "https"] = "http",
    whole: bool = False,
    **more: Any,
) -> WireModel:
    """A model of an adapter; without a key, unless `key_env` names one.

    Args:
        provider: Who is asked.
        spoken: In which format.
        model: Which model.
        scheme: With `https` there is garbage behind it.
        whole: Whether answers come in one piece instead of as a stream.
        more: Whatever else `WireModel` takes.
    """
    url = provider.url(spoken, scheme=scheme)
    kept = {"key_env": None, "key_needed": False, **more}
    made: WireModel = ADAPTERS[spoken](model, base_url=url, **kept)
    return WireModel(made.format, model, base_url=url, streams=False, **kept) if whole else made
