"""Claude, behind Anthropic's Messages."""

from __future__ import annotations

from typing import Any

from .anthropic_messages import AnthropicMessages, format_for
from .wire import WireModel

ANTHROPIC_URL = "https://api.anthropic.com/v1"


class AnthropicModel(WireModel):
    """A model behind a Messages endpoint.

    Args:
        model: The model, as the server calls it.
        base_url: Where `/messages` stands.
        key_env: The environment variable with the key; None: no key is sent.
        form: How the format is spoken with this model; by default as its name tells.
        more: Whatever else `WireModel` takes.

    Raises:
        ProviderFailed: The base URL is none.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str = ANTHROPIC_URL,
        key_env: str | None = "ANTHROPIC_API_KEY",
        form: AnthropicMessages | None = None,
        **more: Any,
    ) -> None:
        super().__init__(form or format_for(model), model, base_url=base_url, key_env=key_env, **more)
