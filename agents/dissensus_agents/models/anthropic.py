"""Claude, behind Anthropic's Messages."""

from __future__ import annotations

from typing import Any

from .anthropic_messages import AnthropicMessages, format_for
from .prices import Price
from .retries import PATIENCE, Patience
from .wire import WireModel

ANTHROPIC_URL = "https://api.anthropic.com/v1"


class AnthropicModel(WireModel):
    """A model behind a Messages endpoint.

    Args:
        model: The model, as the server calls it.
        base_url: Where `/messages` stands.
        key_env: The environment variable with the key; None: no key is sent.
        key_needed: Whether a call without that key is an error.
        lineage: What the model was made from; by default itself.
        price: None where it is unknown.
        form: How the format is spoken with this model; by default as its name tells.
        name: How the record calls it; by default `anthropic:model`.
        timeout: Seconds for one attempt.
        first: Seconds in which the answer must begin; by default the whole timeout.
        idle: Seconds that may pass between two pieces of it; by default the whole timeout.
        patience: How often and how long to try.
        client: An `AsyncClient` of httpx or httpx2 of your own, which you close.

    Raises:
        ProviderFailed: The base URL is none.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str = ANTHROPIC_URL,
        key_env: str | None = "ANTHROPIC_API_KEY",
        key_needed: bool = True,
        lineage: str = "",
        price: Price | None = None,
        form: AnthropicMessages | None = None,
        name: str = "",
        timeout: float = 300.0,
        first: float | None = None,
        idle: float | None = None,
        patience: Patience = PATIENCE,
        client: Any = None,
    ) -> None:
        super().__init__(
            form or format_for(model),
            model,
            base_url=base_url,
            key_env=key_env,
            key_needed=key_needed,
            lineage=lineage,
            price=price,
            name=name,
            timeout=timeout,
            first=first,
            idle=idle,
            patience=patience,
            client=client,
        )
