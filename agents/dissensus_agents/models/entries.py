"""What the catalogue says of a model: an entry, with whoever says each part of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from .prices import Price

FormatName: TypeAlias = Literal["chat", "responses", "anthropic", "gemini"]
"""How a provider is spoken to: Chat Completions, OpenAI's Responses, Anthropic's messages, Gemini."""

Shown: TypeAlias = Literal["raw", "summary", "withheld", "none"]
"""How much of its thinking a model shows; `none`: it does not think before it answers."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a model can do; None where nobody says.

    `structured`: its provider holds it to a schema; `tools`: it calls tools; `reasoning`: how much of
    its thinking is shown; `streaming`: its answer comes in pieces; `caching`: its provider keeps the
    beginning of a prompt, and takes less for it; `vision`: dissensus sends no pictures.
    """

    structured: bool | None = None
    tools: bool | None = None
    reasoning: Shown | None = None
    streaming: bool | None = None
    caching: bool | None = None
    vision: Literal[False] = False


@dataclass(frozen=True, slots=True)
class Deprecated:
    """That a model will be switched off, or is: on which day (ISO, or empty) and what to take instead."""

    ends: str = ""
    instead: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """All that is known of a model; None and empty texts are what nobody knows.

    Attributes:
        name: `provider:model`, as the record calls it.
        provider: Who serves it.
        model: What the provider calls it.
        format: How it is spoken to.
        dialect: Which kind of server it is, among those of one format.
        address: The base URL that it is asked at.
        key_env: The environment variable with its key.
        key_needed: Whether a call without that key is an error.
        local: Whether it is served on a machine of one's own.
        lineage: What it was made from, as `maker/family`; the name itself where nobody knows.
        window: How many tokens fit into it, prompt and answer together.
        max_output: How many tokens it answers at most.
        price: What it costs; None: nobody knows, which is not nothing.
        abilities: What it can do.
        trusted: Whether it may see what is sensitive.
        deprecated: That it will be switched off; None: nobody says so.
        rpm: How many requests a minute its user may send.
        tpm: How many tokens a minute.
        sources: Who says it, for `lineage, window, max_output, price` and whatever the user said.
    """

    name: str
    provider: str
    model: str
    format: FormatName
    dialect: str
    address: str
    key_env: str | None
    key_needed: bool
    local: bool
    lineage: str
    window: int | None = None
    max_output: int | None = None
    price: Price | None = None
    abilities: Abilities = Abilities()
    trusted: bool = False
    deprecated: Deprecated | None = None
    rpm: int | None = None
    tpm: int | None = None
    sources: dict[str, str] = field(default_factory=dict, compare=False)
