"""Who serves models: their addresses, their keys, and how they are spoken to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from .entries import FormatName
from .openai import OPENAI_URL


@dataclass(frozen=True, slots=True)
class Provider:
    """Who serves models, and where.

    Attributes:
        name: What stands before the colon.
        base_url: Where it is asked; empty where each user has an address of their own.
        key_envs: The environment variables that may hold its key; the first that is set counts.
        url_env: The environment variable that overrides `base_url`.
        format: How it is spoken to.
        dialect: Which kind of server it is; by default its name.
        listed: What genai-prices calls it; empty where it does not know it.
        known: The name under which the small table has its models.
        local: Whether it is a server of one's own: free, and content without a key.
        key_needed: Whether a call without a key is an error.
    """

    name: str
    base_url: str
    key_envs: tuple[str, ...]
    url_env: str
    format: FormatName = "chat"
    dialect: str = ""
    listed: str = ""
    known: str = ""
    local: bool = False
    key_needed: bool = True

    @property
    def key_env(self) -> str | None:
        """The variable that holds its key, or is to hold it; None: it takes none."""
        there = [name for name in self.key_envs if os.environ.get(name, "").strip()]
        return next(iter((*there, *self.key_envs)), None)

    @property
    def table(self) -> str:
        """The name under which the small table has its models."""
        return self.known or self.name


PROVIDERS: Mapping[str, Provider] = {
    provider.name: provider
    for provider in (
        Provider("openai", OPENAI_URL, ("OPENAI_API_KEY",), "OPENAI_BASE_URL", listed="openai"),
        Provider(
            "openai-responses",
            OPENAI_URL,
            ("OPENAI_API_KEY",),
            "OPENAI_BASE_URL",
            format="responses",
            dialect="openai",
            listed="openai",
            known="openai",
        ),
        Provider(
            "anthropic",
            "https://api.anthropic.com/v1",
            ("ANTHROPIC_API_KEY",),
            "ANTHROPIC_BASE_URL",
            format="anthropic",
            listed="anthropic",
        ),
        Provider(
            "gemini",
            "https://generativelanguage.googleapis.com/v1beta",
            ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
            "GEMINI_BASE_URL",
            format="gemini",
            listed="google",
        ),
        Provider(
            "deepseek",
            "https://api.deepseek.com/v1",
            ("DEEPSEEK_API_KEY",),
            "DEEPSEEK_BASE_URL",
            listed="deepseek",
        ),
        Provider("groq", "https://api.groq.com/openai/v1", ("GROQ_API_KEY",), "GROQ_BASE_URL", listed="groq"),
        Provider(
            "openrouter",
            "https://openrouter.ai/api/v1",
            ("OPENROUTER_API_KEY",),
            "OPENROUTER_BASE_URL",
            listed="openrouter",
        ),
        Provider(
            "together",
            "https://api.together.xyz/v1",
            ("TOGETHER_API_KEY",),
            "TOGETHER_BASE_URL",
            listed="together",
        ),
        # What stands after the colon is a deployment, whose name says nothing: it is in no list.
        Provider("azure", "", ("AZURE_OPENAI_API_KEY",), "AZURE_OPENAI_ENDPOINT"),
        Provider("ollama", "http://127.0.0.1:11434/v1", ("OLLAMA_API_KEY",), "OLLAMA_HOST", local=True),
        Provider("vllm", "http://127.0.0.1:8000/v1", ("VLLM_API_KEY",), "VLLM_BASE_URL", local=True),
        Provider("llamacpp", "http://127.0.0.1:8080/v1", ("LLAMA_API_KEY",), "LLAMACPP_BASE_URL", local=True),
        # No key unless one is named: an OPENAI_API_KEY must not go to whoever speaks its format.
        Provider("openai-compatible", "", (), "OPENAI_COMPATIBLE_BASE_URL"),
    )
}
"""Every provider that is known without a setting, by its name."""

SYNONYMS = {
    "llama.cpp": "llamacpp",
    "llama-cpp": "llamacpp",
    "google": "gemini",
    "claude": "anthropic",
    "azure-openai": "azure",
}


_PATHS = {"azure": "/openai/v1", "anthropic": "/v1", "gemini": "/v1beta"}
"""Where the interface stands on a host, for those whose own variables name the host alone."""


def address_of(provider: Provider) -> str:
    """Where a provider is asked: the address in the environment, else its own; empty without either."""
    value = os.environ.get(provider.url_env, "").strip() if provider.url_env else ""
    if value and provider.name == "ollama":
        return _ollama_url(value)
    if value and provider.name in _PATHS:
        return _with_path(value, _PATHS[provider.name])
    return value or provider.base_url


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


def _with_path(url: str, path: str) -> str:
    """A URL with a path, unless it has one."""
    try:
        has_one = urlsplit(url).path.strip("/")
    except ValueError:
        return url
    return url if has_one else f"{url.rstrip('/')}{path}"
