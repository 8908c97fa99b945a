"""OpenAI's Chat Completions, and every server that speaks them: vLLM, Ollama, llama.cpp."""

from __future__ import annotations

from typing import Any

from .completions import ChatCompletions
from .dialects import Dialect, find_dialect
from .prices import Price
from .retries import PATIENCE, Patience
from .wire import WireModel

OPENAI_URL = "https://api.openai.com/v1"


class OpenAIModel(WireModel):
    """A model behind a Chat Completions endpoint.

    Args:
        model: The model, as the server calls it.
        base_url: Where `/chat/completions` stands.
        key_env: The environment variable with the key; None: no key is sent.
        key_needed: Whether a call without that key is an error; local servers take either.
        lineage: What the model was made from; by default itself.
        price: None where it is unknown.
        dialect: A row of `dialects.DIALECTS`, or its name.
        name: How the record calls it; by default `dialect:model`.
        timeout: Seconds for one attempt.
        first: Seconds in which the answer must begin; by default the whole timeout.
        idle: Seconds that may pass between two pieces of it; by default the whole timeout.
        patience: How often and how long to try.
        client: An `AsyncClient` of httpx or httpx2 of your own, which you close; by default all
            models of an event loop share one.

    Raises:
        ProviderFailed: The base URL is none.
        UnknownModel: There is no such dialect.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str = OPENAI_URL,
        key_env: str | None = "OPENAI_API_KEY",
        key_needed: bool = True,
        lineage: str = "",
        price: Price | None = None,
        dialect: str | Dialect = "openai",
        name: str = "",
        timeout: float = 300.0,
        first: float | None = None,
        idle: float | None = None,
        patience: Patience = PATIENCE,
        client: Any = None,
    ) -> None:
        self.dialect = find_dialect(dialect) if isinstance(dialect, str) else dialect
        super().__init__(
            ChatCompletions(self.dialect),
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
            streams=self.dialect.streams,
        )
