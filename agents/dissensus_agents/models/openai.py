"""OpenAI's Chat Completions, and every server that speaks them: vLLM, Ollama, llama.cpp."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

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
        window: How many tokens fit into the model's window; None: nobody knows.
        dialect: A row of `dialects.DIALECTS`, or its name.
        name: How the record calls it; by default `dialect:model`.
        timeout: Seconds for one attempt.
        first: Seconds in which the answer must begin; by default the whole timeout.
        idle: Seconds that may pass between two pieces of it; by default the whole timeout.
        patience: How often and how long to try.
        rpm: Requests per minute that all who ask it in this process may make together.
        tpm: Tokens per minute, the same.
        client: An `AsyncClient` of httpx or httpx2 of your own, which you close; by default all
            models of an event loop share one.
        path: Where below the base URL.

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
        window: int | None = None,
        dialect: str | Dialect = "openai",
        name: str = "",
        timeout: float = 300.0,
        first: float | None = None,
        idle: float | None = None,
        patience: Patience = PATIENCE,
        rpm: int | None = None,
        tpm: int | None = None,
        client: Any = None,
        path: str = "/chat/completions",
    ) -> None:
        self.dialect = find_dialect(dialect) if isinstance(dialect, str) else dialect
        super().__init__(
            ChatCompletions(self.dialect, path=path),
            model,
            base_url=base_url,
            key_env=key_env,
            key_needed=key_needed,
            lineage=lineage,
            price=price,
            window=window,
            name=name,
            timeout=timeout,
            first=first,
            idle=idle,
            patience=patience,
            rpm=rpm,
            tpm=tpm,
            client=client,
            streams=self.dialect.streams,
        )


class AzureModel(OpenAIModel):
    """A deployment of Azure OpenAI.

    Args:
        deployment: Its name.
        endpoint: The resource, for instance `https://NAME.openai.azure.com`.
        api_version: For the older form of the address (`2024-10-21`); None: Azure's `/openai/v1`.
        key_env: The environment variable with the key.
        more: Whatever else `OpenAIModel` takes.

    Raises:
        ProviderFailed: The endpoint is no URL.
    """

    def __init__(
        self,
        deployment: str,
        *,
        endpoint: str,
        api_version: str | None = None,
        key_env: str = "AZURE_OPENAI_API_KEY",
        **more: Any,
    ) -> None:
        base, path = f"{endpoint.rstrip('/')}/openai/v1", "/chat/completions"
        if api_version is not None:
            base = f"{endpoint.rstrip('/')}/openai/deployments"
            path = f"/{{model}}/chat/completions?api-version={quote(api_version, safe='')}"
        settings = {"dialect": "azure", "path": path, **more}
        super().__init__(deployment, base_url=base, key_env=key_env, **settings)
