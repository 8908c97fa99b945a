"""Makes the model of an entry: its provider's format, at its address."""

from __future__ import annotations

from typing import Any

from . import anthropic_messages, gemini_content
from .client import Model
from .completions import ChatCompletions
from .dialects import find_dialect
from .entries import Entry
from .formats import Format
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
    return ChatCompletions(find_dialect(entry.dialect))
