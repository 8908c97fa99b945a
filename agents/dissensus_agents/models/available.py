"""Which models can be asked here and now, and in which order to take them.

The rule, for whoever has to choose without being told:

1. what the alias `default` in `dissensus.toml` stands for, as far as its keys are there;
2. of each provider whose key is in the environment one model, then a second one, and so on: those that
   `[providers.NAME] models` names, else those of the table below; the providers as they stand in it;
3. of each server that runs on this machine its models, the largest first.

Then those of a lineage that no earlier one has come first: any first few are as independent as can be.
What is priced, or free, goes before what is not, and what has been switched off is left out.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain, zip_longest

from .catalog import describe, names_for, providers_of
from .entries import Entry
from .local import SECONDS, Server, answers, running
from .settings import Settings, settings

DEFAULT = "default"
"""The alias that says what to take before anything else."""

PREFERRED: dict[str, tuple[str, ...]] = {
    "anthropic": ("claude-sonnet-5-5", "claude-haiku-4-5", "claude-opus-5-5"),
    "openai": ("gpt-6.1-terra", "gpt-5-mini", "gpt-6.1-sol"),
    "gemini": ("gemini-3.8-flash", "gemini-3.5-flash-lite", "gemini-3.1-pro-preview"),
    "deepseek": ("deepseek-v4-pro", "deepseek-v4-flash"),
    "groq": ("openai/gpt-oss-120b", "llama-3.3-70b-versatile", "qwen/qwen3-32b"),
    "together": ("moonshotai/Kimi-K3", "zai-org/GLM-5.3", "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
    "openrouter": ("anthropic/claude-sonnet-5.5", "openai/gpt-6.1-terra", "google/gemini-3.8-flash"),
}
"""Of each provider, what to take first: able and not the dearest. Not every provider: see the rule."""


async def available(
    *, search: bool = True, seconds: float = SECONDS, servers: list[Server] | None = None
) -> list[Entry]:
    """The models that can be asked here and now, the first to take first, by the rule of this module.

    Keys are looked for in the environment, and not tried.

    Args:
        search: Whether to look for servers that run on this machine.
        seconds: How long to wait for one of those.
        servers: Those that were found already.

    Raises:
        SettingsRefused: `dissensus.toml` cannot be used.
    """
    said = settings()
    if servers is None:
        servers = await running(seconds=seconds) if search else []
    hosted = [entry for entry in _wanted(said) if has_key(entry) and not entry.local]
    local = [entry for server in servers for entry in served_by(server)]
    there = {entry.name: entry for entry in chain(hosted, local)}
    chosen = [there.get(name) or describe(name, said=said) for name in _chosen(said)]
    usable = [entry for entry in chosen if entry.name in there or (has_key(entry) and not entry.local)]
    every = {entry.name: entry for entry in chain(usable, hosted, local) if not _is_over(entry)}
    return spread(every.values())


def served_by(server: Server) -> list[Entry]:
    """The models of a server on this machine that answer questions, as the catalogue describes them."""
    described = [
        (served, describe(f"{server.provider}:{served.name}")) for served in server.models if answers(served)
    ]
    return [
        replace(entry, window=entry.window or served.window, address=server.address)
        for served, entry in described
    ]


def has_key(entry: Entry) -> bool:
    """Whether the key that a model needs is in the environment; of what needs none, yes."""
    return not entry.key_needed or bool(os.environ.get(entry.key_env or "", "").strip())


def spread(entries: Iterable[Entry]) -> list[Entry]:
    """Entries in their order, but first those of a lineage that none before has; the unpriced last."""
    first: list[Entry] = []
    rest: list[Entry] = []
    seen: set[str] = set()
    for entry in sorted(entries, key=lambda entry: entry.price is None):
        (rest if entry.lineage in seen else first).append(entry)
        seen.add(entry.lineage)
    return first + rest


def _chosen(said: Settings) -> list[str]:
    return names_for(DEFAULT, said) if DEFAULT in said.document.aliases else []


def _wanted(said: Settings) -> Iterator[Entry]:
    """What to take of each provider: the first of all of them, then the second of all, and so on."""
    tables = said.document.providers
    own = {name: tables[name].models for name in tables if tables[name].models}
    lists = {name: models for name, models in {**PREFERRED, **own}.items() if name in providers_of(said)}
    rows = zip_longest(*([f"{name}:{model}" for model in models] for name, models in lists.items()))
    for name in chain.from_iterable(rows):
        if name is not None:
            yield describe(name, said=said)


def _is_over(entry: Entry) -> bool:
    """Whether a model has been switched off by now."""
    ends = entry.deprecated.ends if entry.deprecated else ""
    return bool(ends) and ends <= datetime.now(UTC).date().isoformat()
