"""Makes the model of an entry: its provider's format, at its address."""

from __future__ import annotations

from typing import Any

from . import anthropic_messages, gemini_content
from .client import Model
from .completions import ChatCompletions
from .dialects import find_dialect
from .entries import Entry
from .formats import Format
from .prices import Price, Tier
from .responses import Responses
from .retries import Patience
from .wire import WireModel


def made(entry: Entry, *, timeout: float, patience: Patience, client: Any) -> Model:
    """The model that an entry describes. Nothing is asked.

    Raises:
        ProviderFailed: Its address is none.
        UnknownModel: Its dialect is none.
    """
    form = _format(entry)
    return WireModel(
        form,
        entry.model,
        base_url=entry.address,
        key_env=entry.key_env,
        key_needed=entry.key_needed,
        lineage=entry.lineage,
        price=entry.price,
        window=entry.window,
        name=entry.name,
        timeout=timeout,
        patience=patience,
        rpm=entry.rpm,
        tpm=entry.tpm,
        client=client,
        trusted=entry.trusted,
        streams=not isinstance(form, ChatCompletions) or form.dialect.streams,
    )


def _format(entry: Entry) -> Format:
    match entry.format:
        case "anthropic":
            return anthropic_messages.format_for(entry.model)
        case "gemini":
            return gemini_content.format_for(entry.model)
        case "responses":
            return Responses()
    return ChatCompletions(find_dialect(entry.dialect), extra=_dearest(entry))


def _dearest(entry: Entry) -> dict[str, Any]:
    """What a router may take at most: else a call could cost more than was reserved for it."""
    price = entry.price
    if entry.dialect != "openrouter" or price is None:
        return {}
    units: list[Price | Tier] = [price, *price.tiers]
    dearest = {
        "prompt": float(max(unit.input for unit in units)),
        "completion": float(max(unit.output for unit in units)),
    }
    return {"provider": {"max_price": dearest}}
