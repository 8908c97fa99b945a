"""Makes the model of an entry: its provider's format, at its address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import UnknownModel
from . import retries
from .anthropic import AnthropicModel
from .client import Model
from .entries import Entry
from .gemini import GeminiModel
from .openai import OpenAIModel

_KINDS: dict[str, Callable[..., Model]] = {
    "chat": OpenAIModel,
    "anthropic": AnthropicModel,
    "gemini": GeminiModel,
}


def made(entry: Entry, *, timeout: float, patience: retries.Patience, client: Any) -> Model:
    """The model that an entry describes. Nothing is asked.

    Raises:
        ProviderFailed: Its address is none.
        UnknownModel: Its dialect is none.
    """
    kind = _KINDS.get(entry.format)
    if kind is None:
        raise UnknownModel(f"{entry.name} speaks {entry.format}, which cannot be spoken here yet")
    dialect = {"dialect": entry.dialect} if entry.format == "chat" else {}
    return kind(
        entry.model,
        base_url=entry.address,
        key_env=entry.key_env,
        key_needed=entry.key_needed,
        lineage=entry.lineage,
        price=entry.price,
        name=entry.name,
        timeout=timeout,
        patience=patience,
        client=client,
        **dialect,
    )
