"""Makes the model of an entry: its provider's format, at its address."""

from __future__ import annotations

from typing import Any

from ..errors import UnknownModel
from . import retries
from .client import Model
from .entries import Entry
from .openai import OpenAIModel


def made(entry: Entry, *, timeout: float, patience: retries.Patience, client: Any) -> Model:
    """The model that an entry describes. Nothing is asked.

    Raises:
        ProviderFailed: Its address is none.
        UnknownModel: Its dialect is none.
    """
    if entry.format != "chat":
        raise UnknownModel(f"{entry.name} speaks {entry.format}, which cannot be spoken here yet")
    return OpenAIModel(
        entry.model,
        base_url=entry.address,
        key_env=entry.key_env,
        key_needed=entry.key_needed,
        lineage=entry.lineage,
        price=entry.price,
        dialect=entry.dialect,
        name=entry.name,
        timeout=timeout,
        patience=patience,
        client=client,
    )
