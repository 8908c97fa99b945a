"""Finds a model by its name, `provider:model`. A `Model` of one's own needs no catalogue."""

from __future__ import annotations

import os
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from ..errors import UnknownModel
from . import retries
from .client import Model
from .known import PRICES, lineage_of, price_of
from .openai import OPENAI_URL, OpenAIModel
from .prices import FREE, Price
from .texts import shown

LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Provider:
    """Who serves models, and where.

    `local` servers are one's own: free, and content without a key. The environment variable
    `url_env` overrides `base_url`.
    """

    name: str
    base_url: str
    key_env: str | None
    url_env: str
    local: bool = False


PROVIDERS = {
    provider.name: provider
    for provider in (
        Provider("openai", OPENAI_URL, "OPENAI_API_KEY", "OPENAI_BASE_URL"),
        Provider("deepseek", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY", "DEEPSEEK_BASE_URL"),
        Provider("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY", "GROQ_BASE_URL"),
        Provider(
            "openrouter",
            "https://openrouter.ai/api/v1",
            "OPENROUTER_API_KEY",
            "OPENROUTER_BASE_URL",
        ),
        Provider("together", "https://api.together.xyz/v1", "TOGETHER_API_KEY", "TOGETHER_BASE_URL"),
        Provider("ollama", "http://127.0.0.1:11434/v1", "OLLAMA_API_KEY", "OLLAMA_HOST", local=True),
        Provider("vllm", "http://127.0.0.1:8000/v1", "VLLM_API_KEY", "VLLM_BASE_URL", local=True),
        Provider("llamacpp", "http://127.0.0.1:8080/v1", "LLAMA_API_KEY", "LLAMACPP_BASE_URL", local=True),
        # No key unless one is named: an OPENAI_API_KEY must not go to whoever speaks its format.
        Provider("openai-compatible", "", None, "OPENAI_COMPATIBLE_BASE_URL"),
    )
}

_ALIASES = {"llama.cpp": "llamacpp", "llama-cpp": "llamacpp"}


def resolve(
    name: str,
    *,
    base_url: str = "",
    key_env: str | None = None,
    lineage: str = "",
    price: Price | None = None,
    timeout: float = 300.0,
    patience: retries.Patience = retries.PATIENCE,
    client: Any = None,
) -> Model:
    """The model of a name such as `openai:gpt-4o-mini` or `ollama:llama3.1:8b`.

    Nothing is asked and no key is read yet. The price is the one given, else nothing for local
    servers, else the table's if the model is asked where its provider serves it, else unknown.

    Args:
        name: Provider and model.
        base_url: Where to ask, instead of the provider's own address.
        key_env: The environment variable with the key, instead of the provider's.
        lineage: What the model was made from, where its name does not tell.
        price: What it costs, where the table does not know.
        timeout: Seconds for one attempt.
        patience: How often and how long to try.
        client: An `AsyncClient` of your own.

    Raises:
        UnknownModel: No such provider, or the name is not `provider:model`.
        ProviderFailed: The base URL is none.
    """
    provider, model = _parse(name)
    url = base_url or _url_from_environment(provider) or provider.base_url
    if not url:
        raise UnknownModel(
            f"{provider.name} needs to know where {model} is served",
            next_step=f"Give base_url=, or set {provider.url_env}",
        )
    return OpenAIModel(
        model,
        base_url=url,
        key_env=key_env or provider.key_env,
        key_needed=bool(key_env) or not provider.local,
        lineage=lineage or lineage_of(model),
        price=price or _price(provider, model, url),
        dialect=provider.name,
        name=f"{provider.name}:{model}",
        timeout=timeout,
        patience=patience,
        client=client,
    )


def _parse(name: str) -> tuple[Provider, str]:
    given, colon, model = name.strip().partition(":")
    wanted = given.strip().lower()
    provider = PROVIDERS.get(_ALIASES.get(wanted, wanted))
    if not colon or provider is None:
        raise _unknown(name)
    if not model.isprintable() or not model or " " in model or len(name) > LONGEST_NAME:
        raise UnknownModel(f"{shown(repr(name), 80)} names no model of {provider.name}")
    return provider, model


def _unknown(name: str) -> UnknownModel:
    close = _close_to(name)
    instead = f"Did you mean {' or '.join(close)}? " if close else ""
    return UnknownModel(
        f"{shown(repr(name), 80)} is no model that is known here",
        next_step=f"{instead}Write provider:model, with one of {', '.join(PROVIDERS)}",
    )


def _close_to(name: str) -> list[str]:
    """Known names like this one: of a provider before a colon, or of a model without provider."""
    given, colon, model = name[:LONGEST_NAME].strip().partition(":")
    if colon:
        near = get_close_matches(given.lower(), [*PROVIDERS, *_ALIASES], n=1)
        return [f"{_ALIASES.get(one, one)}:{model}" for one in near if model]
    known = {model: f"{provider}:{model}" for provider, model in reversed(PRICES)}
    return [known[one] for one in get_close_matches(given, known, n=2)]


def _price(provider: Provider, model: str, url: str) -> Price | None:
    if provider.local:
        return FREE
    return price_of(provider.name, model) if url == provider.base_url else None


def _url_from_environment(provider: Provider) -> str:
    value = os.environ.get(provider.url_env, "").strip()
    return _ollama_url(value) if value and provider.name == "ollama" else value


def _ollama_url(host: str) -> str:
    """OLLAMA_HOST, which may be a host, a port, both or a URL, and 0.0.0.0 where it is served."""
    url = host if "://" in host else f"http://{host}"
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 11434)
    except ValueError:
        return host
    name = parts.hostname or "127.0.0.1"
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(name, name)  # noqa: S104
    bracketed = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{bracketed}:{port}{parts.path.rstrip('/') or '/v1'}"
