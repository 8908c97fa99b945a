"""The small built-in table: what well-known models cost, how much fits into them, when they end.

It is what genai-prices said on the day it was made, so that the common models are priced without it.
A price that depends on the hour stands here at its highest; one that a router changes weekly does not
stand here: unknown is honest. How much a model answers at most, and when it ends, is from its
provider's own pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from .entries import Deprecated
from .prices import Price, Tier

SEEN = "2026-11-25"
SOURCE = "genai-prices 0.2.3"

_TABLE = """
openai gpt-3.5-turbo 16385 4096 0.5 1.5 - -
openai gpt-4 8192 8192 30 60 - -
openai gpt-4-turbo 128000 4096 10 30 - -
openai gpt-4.1 1047576 32768 2 8 0.5 -
openai gpt-4.1-mini 1047576 32768 0.4 1.6 0.1 -
openai gpt-4.1-nano 1047576 32768 0.1 0.4 0.025 -
openai gpt-4o 128000 16384 2.5 10 1.25 -
openai gpt-4o-2024-05-13 128000 4096 5 15 - -
openai gpt-4o-mini 128000 16384 0.15 0.6 0.075 -
openai gpt-5 400000 128000 1.25 10 0.125 -
openai gpt-5-mini 400000 128000 0.25 2 0.025 -
openai gpt-5-nano 400000 128000 0.05 0.4 0.005 -
openai gpt-5-pro 400000 272000 15 120 - -
openai gpt-5.1 400000 128000 1.25 10 0.125 -
openai gpt-5.2 400000 128000 1.75 14 0.175 -
openai gpt-5.2-pro 400000 128000 21 168 - -
openai gpt-5.4 1050000 128000 2.5 15 0.25 - >272000:5/22.5/0.5/-
openai gpt-5.4-mini 400000 128000 0.75 4.5 0.075 -
openai gpt-5.4-nano 400000 128000 0.2 1.25 0.02 -
openai gpt-5.4-pro 1050000 128000 30 180 - - >272000:60/270/-/-
openai gpt-5.5 1000000 128000 5 30 0.5 - >272000:10/45/1/-
openai gpt-5.5-pro 1000000 128000 30 180 - - >272000:60/270/-/-
openai gpt-5.6-luna 1050000 - 0.2 1.2 0.02 0.25 2026-07-30 >272000:0.4/1.8/0.04/0.5
openai gpt-5.6-sol 1050000 - 4 20 0.4 5 2026-08-21 >272000:8/30/0.8/10
openai gpt-5.6-terra 1050000 - 2 12 0.2 2.5 2026-07-30 >272000:4/18/0.4/5
openai gpt-6-astra 1050000 - 10 50 1 12.5 >272000:20/75/2/25
openai gpt-6-luna 1050000 - 0.1 0.5 0.01 0.125 >272000:0.2/0.75/0.02/0.25
openai gpt-6-sol 1050000 - 2 10 0.2 2.5 >272000:4/15/0.4/5
openai gpt-6.1-sol 1050000 - 2 10 0.1 2.5 >272000:4/15/0.2/5
openai gpt-6.1-terra 1050000 - 1 5 0.05 1.25 >272000:2/7.5/0.1/2.5
openai o1 200000 100000 15 60 7.5 -
openai o1-pro 200000 100000 150 600 - -
openai o3 200000 100000 2 8 0.5 - 2025-06-10
openai o3-mini 200000 100000 1.1 4.4 0.55 -
openai o3-pro 200000 100000 20 80 - -
openai o4-mini 200000 100000 1.1 4.4 0.275 -
anthropic claude-3-5-haiku 200000 8192 0.8 4 0.08 1
anthropic claude-3-5-sonnet 200000 8192 3 15 0.3 3.75
anthropic claude-3-7-sonnet 200000 64000 3 15 0.3 3.75
anthropic claude-3-haiku 200000 4096 0.25 1.25 0.03 0.3
anthropic claude-3-opus 200000 4096 15 75 1.5 18.75
anthropic claude-fable-5 1000000 - 10 50 1 12.5
anthropic claude-fable-5-1 1000000 - 10 50 0.25 12.5
anthropic claude-fable-5-2 1000000 - 8 40 0.2 10
anthropic claude-haiku-4-5 200000 64000 1 5 0.1 1.25
anthropic claude-haiku-5-5 1000000 - 0.1 0.5 0.01 0.125 >100000:0.5/2.5/0.05/0.625
anthropic claude-mythos-5-2 1000000 - 8 40 0.2 10
anthropic claude-opus-4 200000 32000 15 75 1.5 18.75
anthropic claude-opus-4-0 200000 32000 15 75 1.5 18.75
anthropic claude-opus-4-1 200000 32000 15 75 1.5 18.75
anthropic claude-opus-4-5 200000 64000 5 25 0.5 6.25
anthropic claude-opus-4-6 1000000 128000 5 25 0.5 6.25 2026-03-13
anthropic claude-opus-4-7 1000000 128000 5 25 0.5 6.25
anthropic claude-opus-4-8 1000000 128000 5 25 0.5 6.25
anthropic claude-opus-5 1000000 - 5 25 0.5 6.25
anthropic claude-opus-5-5 1000000 - 4 20 0.2 5
anthropic claude-sonnet-4 200000 64000 3 15 0.3 3.75
anthropic claude-sonnet-4-0 200000 64000 3 15 0.3 3.75
anthropic claude-sonnet-4-5 200000 64000 3 15 0.3 3.75 >200000:6/22.5/0.6/7.5
anthropic claude-sonnet-4-6 1000000 128000 3 15 0.3 3.75 2026-03-13
anthropic claude-sonnet-5 1000000 - 2 10 0.2 2.5
anthropic claude-sonnet-5-5 1000000 - 2 10 0.1 2.5
gemini gemini-2.0-flash 1000000 8192 0.1 0.4 0.025 -
gemini gemini-2.0-flash-lite 1000000 8192 0.075 0.3 - -
gemini gemini-2.5-flash 1048576 65536 0.3 2.5 0.03 -
gemini gemini-2.5-flash-lite 1000000 65536 0.1 0.4 0.01 -
gemini gemini-2.5-pro 1048576 65536 1.25 10 0.125 - >200000:2.5/15/0.25/-
gemini gemini-3-flash-preview 1000000 65536 0.5 3 0.05 - 2026-01-05
gemini gemini-3-pro-preview 1048576 65536 2 12 0.2 - 2026-01-05 >200000:4/18/0.4/-
gemini gemini-3.1-flash-lite 1000000 65536 0.25 1.5 0.025 -
gemini gemini-3.1-pro-preview 1048576 65536 2 12 0.2 - >200000:4/18/0.4/-
gemini gemini-3.5-flash 1000000 - 1.5 9 0.15 -
gemini gemini-3.5-flash-lite 1000000 - 0.3 2.5 0.03 -
gemini gemini-3.6-flash 1000000 - 0.75 3.75 0.075 -
gemini gemini-3.6-flash 1000000 - 1.5 7.5 0.15 - 2027-01-01
gemini gemini-3.7-flash 1000000 - 0.75 3.75 0.075 -
gemini gemini-3.7-flash 1000000 - 1.5 7.5 0.15 - 2027-01-01
gemini gemini-3.8-flash 1000000 - 0.75 3.75 0.075 -
gemini gemini-3.8-flash 1000000 - 1.5 7.5 0.15 - 2027-01-01
gemini gemini-4-argon 1048576 - 2 10 0.1 -
gemini gemini-4-argon 1048576 - 4 20 0.2 - 2026-12-01
deepseek deepseek-chat 64000 8192 0.27 1.1 0.07 -
deepseek deepseek-flash 1000000 - 0.3 1.2 0.006 -
deepseek deepseek-reasoner 64000 65536 0.55 2.19 0.14 -
deepseek deepseek-v4-flash 1000000 - 0.3 1.2 0.006 - 2026-09-10
deepseek deepseek-v4-pro 1000000 - 1.32 3.96 0.044 - 2026-08-17
groq llama-3.1-8b-instant - - 0.05 0.08 - -
groq llama-3.3-70b-versatile - - 0.59 0.79 - -
groq meta-llama/llama-4-maverick-17b-128e-instruct 131072 - 0.2 0.6 - -
groq meta-llama/llama-4-scout-17b-16e-instruct - - 0.11 0.34 - -
groq moonshotai/kimi-k2-instruct 131072 - 1 3 0.5 -
groq openai/gpt-oss-120b 131072 - 0.15 0.6 0.075 -
groq openai/gpt-oss-20b 131072 - 0.075 0.3 0.0375 -
groq qwen/qwen3-32b 131072 - 0.29 0.59 - -
together deepseek-ai/DeepSeek-V4-Pro-0813 1048576 - 1.32 3.96 0.13 -
together meta-llama/Llama-3.3-70B-Instruct-Turbo - - 0.88 0.88 - -
together meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8 - - 0.27 0.85 - -
together meta-llama/Meta-Llama-3.1-405B-Instruct-Turbo - - 3.5 3.5 - -
together meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo - - 0.88 0.88 - -
together meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo - - 0.18 0.18 - -
together moonshotai/Kimi-K3 1048576 - 3 15 0.3 -
together openai/gpt-oss-120b 131072 - 0.15 0.6 - -
together zai-org/GLM-5.3 1048575 - 1.4 4.4 0.26 -
"""
"""Provider, model, window, longest answer, and USD per million tokens sent, answered, cached, written.

Behind them the day from which a price counts, where it is known, and what it is above a length
(`>tokens:sent/answered/cached/written`). `-`: unknown; of cached and written tokens: like sent.
"""

_ENDS = """
anthropic claude-3-5-haiku 2026-02-19 claude-haiku-4-5
anthropic claude-3-5-sonnet 2025-10-28 claude-sonnet-4-6
anthropic claude-3-7-sonnet 2026-02-19 claude-sonnet-4-6
anthropic claude-3-opus 2026-01-05 claude-opus-4-8
anthropic claude-opus-4 2026-06-15 claude-opus-4-8
anthropic claude-opus-4-0 2026-06-15 claude-opus-4-8
anthropic claude-sonnet-4 2026-06-15 claude-sonnet-4-6
anthropic claude-sonnet-4-0 2026-06-15 claude-sonnet-4-6
gemini gemini-2.0-flash 2026-06-01 gemini-3.5-flash
gemini gemini-2.0-flash-lite 2026-06-01 gemini-3.5-flash-lite
gemini gemini-2.5-flash 2026-12-01 gemini-3.5-flash-lite
gemini gemini-2.5-pro 2026-12-01 gemini-3.8-flash
gemini gemini-3-pro-preview 2026-03-09 gemini-3.1-pro-preview
"""
"""Provider, model, the day on which it is switched off, and what its provider says to take instead."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the table says of one model: its prices in the order in which they begin."""

    window: int | None
    max_output: int | None
    prices: tuple[Price, ...]

    def price(self, day: date) -> Price:
        """What it costs on a day: the last price that has begun; the first where none has."""
        begun = [price for price in self.prices if price.since <= day.isoformat()]
        return (begun or [self.prices[0]])[-1]


def _read_table(table: str) -> dict[tuple[str, str], Known]:
    known: dict[tuple[str, str], Known] = {}
    for line in table.strip().splitlines():
        provider, model, window, longest, *prices = line.split()
        before = known.get((provider, model))
        earlier = before.prices if before else ()
        known[provider, model] = Known(_count(window), _count(longest), (*earlier, _price(prices)))
    return known


def _price(cells: list[str]) -> Price:
    sent, answered, cached, written = _usd(cells[:4])
    starts = [cell for cell in cells[4:] if cell[0] != ">"]
    tiers = tuple(_tiers(cell for cell in cells[4:] if cell[0] == ">"))
    since = starts[0] if starts else SEEN
    return Price(_known(sent), _known(answered), cached, SOURCE, since, written, tiers)


def _tiers(cells: Iterator[str]) -> Iterator[Tier]:
    for cell in cells:
        above, _, prices = cell[1:].partition(":")
        sent, answered, cached, written = _usd(prices.split("/"))
        yield Tier(int(above), _known(sent), _known(answered), cached, written)


def _usd(cells: list[str]) -> list[Decimal | None]:
    return [None if cell == "-" else Decimal(cell) for cell in cells]


def _known(usd: Decimal | None) -> Decimal:
    if usd is None:
        raise ValueError("A row of the table has no price for what is sent or answered")
    return usd


def _count(cell: str) -> int | None:
    return None if cell == "-" else int(cell)


KNOWN = _read_table(_TABLE)
"""By provider and model."""

ENDS = {
    (provider, model): Deprecated(ends, instead)
    for provider, model, ends, instead in map(str.split, _ENDS.strip().splitlines())
}
"""By provider and model."""

CORRECTIONS: dict[tuple[str, str], dict[str, int]] = {
    ("gemini", "gemini-2.5-pro"): {"window": 1_048_576},
    ("gemini", "gemini-3-pro-preview"): {"window": 1_048_576},
    ("gemini", "gemini-3.1-pro-preview"): {"window": 1_048_576},
    ("openai", "gpt-4.1"): {"window": 1_047_576},
    ("openai", "gpt-4.1-mini"): {"window": 1_047_576},
    ("openai", "gpt-4.1-nano"): {"window": 1_047_576},
}
"""What genai-prices does not know or rounds up, as the providers' pages say: this wins over it."""

_DATED = re.compile(r"-(?:\d{4}-\d\d-\d\d|20\d{6}|latest|00\d)\Z")


def names_of(model: str) -> tuple[str, ...]:
    """A model's name, and the one without a date (`gpt-4o-2024-08-06`, `claude-haiku-4-5-20251001`)."""
    plain = model.removeprefix("models/")
    undated = _DATED.sub("", plain)
    return (plain,) if undated == plain else (plain, undated)


def known_of(provider: str, model: str) -> Known | None:
    """What the table says of a model; a dated name without a row of its own has the undated one's."""
    return next((KNOWN[provider, name] for name in names_of(model) if (provider, name) in KNOWN), None)


def end_of(provider: str, model: str) -> Deprecated | None:
    """When a model is switched off, as far as its provider has said so."""
    return next((ENDS[provider, name] for name in names_of(model) if (provider, name) in ENDS), None)


def corrections_of(provider: str, model: str) -> dict[str, int]:
    """What is known better here than in genai-prices."""
    found = (CORRECTIONS[provider, name] for name in names_of(model) if (provider, name) in CORRECTIONS)
    return next(found, {})
