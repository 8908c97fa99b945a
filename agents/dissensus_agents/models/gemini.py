"""Gemini, behind generateContent."""

from __future__ import annotations

from typing import Any

from .gemini_content import GeminiContent, format_for
from .wire import WireModel

GEMINI_URL = "https://generativelanguage.googleapis.com/v1beta"


class GeminiModel(WireModel):
    """A model behind a generateContent endpoint.

    Args:
        model: The model, as the server calls it.
        base_url: Where `/models` stands.
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
        base_url: str = GEMINI_URL,
        key_env: str | None = "GEMINI_API_KEY",
        form: GeminiContent | None = None,
        **more: Any,
    ) -> None:
        super().__init__(form or format_for(model), model, base_url=base_url, key_env=key_env, **more)
