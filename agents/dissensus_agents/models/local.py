"""Servers of models that run on this machine: which, and what they serve.

They are asked at the addresses where they are known to listen, quickly, all at once, and without a key.
Other programs listen there too: whatever does not answer as such a server does is none.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult

from ..errors import ProviderFailed
from . import transport
from .catalog import providers_of
from .fields import count_in, object_in, objects_in, text_in
from .providers import Provider, address_of
from .settings import settings

SECONDS = 1.0
MOST_MODELS = 500
_LONGEST_NAME = 200
_NO_ANSWERS = re.compile(r"embed|rerank|bge-|minilm|whisper", re.IGNORECASE)
_BILLIONS = re.compile(r"(\d+(?:\.\d+)?)\s*b(?:\b|\Z)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Served:
    """A model of a server on this machine; `billions` of parameters, as far as it tells."""

    name: str
    window: int | None = None
    billions: float | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs: the provider's name, where it is, and its models, the largest first.

    `trouble` says why it lists none.
    """

    provider: str
    address: str
    models: tuple[Served, ...]
    trouble: str = ""


async def running(*, seconds: float = SECONDS) -> list[Server]:
    """The servers of models that run on this machine. No other machine is asked.

    Args:
        seconds: How long to wait for each; they are asked at once.

    Raises:
        SettingsRefused: `dissensus.toml` cannot be used.
    """
    places = [(one, address_of(one)) for one in providers_of(settings()).values() if one.local]
    local = [(one, address) for one, address in places if address and _is_here(address)]
    found = await asyncio.gather(*(_probed(one, address, seconds) for one, address in local))
    return [server for server in found if server is not None]


def _is_here(address: str) -> bool:
    try:
        return transport.is_local(transport.parse_url(address))
    except ProviderFailed:
        return False


async def _probed(provider: Provider, address: str, seconds: float) -> Server | None:
    try:
        status, body = await transport.get(_list_of(provider, address), seconds=seconds)
    except ProviderFailed:
        return None
    if status in (401, 403):
        return Server(provider.name, address, (), f"it asks for a key ({status})")
    if status != 200:
        return None
    served = _models_in(body)
    return None if served is None else Server(provider.name, address, tuple(sorted(served, key=_largest)))


def _list_of(provider: Provider, address: str) -> SplitResult:
    """Where a server lists its models."""
    base = address.rstrip("/")
    ollamas = provider.name == "ollama"
    return transport.parse_url(f"{base.removesuffix('/v1')}/api/tags" if ollamas else f"{base}/models")


def _largest(served: Served) -> tuple[float, str]:
    return -(served.billions or 0), served.name


def _models_in(body: bytes) -> list[Served] | None:
    """What a list names; None where it is no list of models."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(parsed, dict) or not isinstance(parsed.get("models", parsed.get("data")), list):
        return None
    return list(_served(parsed))[:MOST_MODELS]


def _served(parsed: dict[str, Any]) -> Iterator[Served]:
    """Ollama's list has `models` with names, the others' `data` with ids; llama.cpp's has both."""
    for row in objects_in(parsed.get("data")) or objects_in(parsed.get("models")):
        name = text_in(row, "id") or text_in(row, "name")
        if name and name.isprintable() and " " not in name and len(name) <= _LONGEST_NAME:
            yield Served(name, count_in(row, "max_model_len") or None, _billions(row, name))


def _billions(row: dict[str, Any], name: str) -> float | None:
    found = _BILLIONS.search(text_in(object_in(row, "details"), "parameter_size") or name)
    return float(found[1]) if found else None


def answers(served: Served) -> bool:
    """Whether a model answers questions, as far as its name tells: others embed texts, or hear."""
    return not _NO_ANSWERS.search(served.name)
