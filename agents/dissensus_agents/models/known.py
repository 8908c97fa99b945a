"""What is known of well-known models: their prices, with a date, and what they were made from.

A price that depends on the length of the prompt, or that a router changes weekly, is not in the
table: unknown is honest. One that depends on the hour stands here at its highest.
"""

from __future__ import annotations

import re
from decimal import Decimal

from .prices import Price

SEEN = "2026-11-22"
SOURCE = "genai-prices 0.2.3"

_USD_PER_MILLION = """
openai gpt-3.5-turbo 0.50 1.50 -
openai gpt-4-turbo 10 30 -
openai gpt-4.1 2 8 0.50
openai gpt-4.1-mini 0.40 1.60 0.10
openai gpt-4.1-nano 0.10 0.40 0.025
openai gpt-4o 2.50 10 1.25
openai gpt-4o-2024-05-13 5 15 -
openai gpt-4o-mini 0.15 0.60 0.075
openai gpt-5 1.25 10 0.125
openai gpt-5-mini 0.25 2 0.025
openai gpt-5-nano 0.05 0.40 0.005
openai gpt-5.1 1.25 10 0.125
openai gpt-5.2 1.75 14 0.175
openai gpt-5.4-mini 0.75 4.50 0.075
openai gpt-5.4-nano 0.20 1.25 0.02
openai o1 15 60 7.50
openai o3 2 8 0.50
openai o3-mini 1.10 4.40 0.55
openai o4-mini 1.10 4.40 0.275
deepseek deepseek-chat 0.27 1.10 0.07
deepseek deepseek-flash 0.30 1.20 0.006
deepseek deepseek-reasoner 0.55 2.19 0.14
deepseek deepseek-v4-flash 0.30 1.20 0.006
deepseek deepseek-v4-pro 1.32 3.96 0.044
groq llama-3.1-8b-instant 0.05 0.08 -
groq llama-3.3-70b-versatile 0.59 0.79 -
groq meta-llama/llama-4-maverick-17b-128e-instruct 0.20 0.60 -
groq meta-llama/llama-4-scout-17b-16e-instruct 0.11 0.34 -
groq moonshotai/kimi-k2-instruct 1 3 0.50
groq openai/gpt-oss-120b 0.15 0.60 0.075
groq openai/gpt-oss-20b 0.075 0.30 0.0375
groq qwen/qwen3-32b 0.29 0.59 -
together deepseek-ai/DeepSeek-V4-Pro-0813 1.32 3.96 0.13
together meta-llama/Llama-3.3-70B-Instruct-Turbo 0.88 0.88 -
together meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8 0.27 0.85 -
together meta-llama/Meta-Llama-3.1-405B-Instruct-Turbo 3.50 3.50 -
together meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo 0.88 0.88 -
together meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo 0.18 0.18 -
together moonshotai/Kimi-K3 3 15 0.30
together openai/gpt-oss-120b 0.15 0.60 -
together zai-org/GLM-5.3 1.40 4.40 0.26
"""
"""Provider, model, and USD per million tokens sent, answered and cached (`-`: like sent)."""


def _read_prices(table: str) -> dict[tuple[str, str], Price]:
    return {
        (provider, model): Price(
            Decimal(sent),
            Decimal(answered),
            None if cached == "-" else Decimal(cached),
            source=SOURCE,
            since=SEEN,
        )
        for provider, model, sent, answered, cached in map(str.split, table.strip().splitlines())
    }


PRICES = _read_prices(_USD_PER_MILLION)

_DATED = re.compile(r"-\d{4}-\d\d-\d\d\Z")

_LINEAGES = tuple(
    (re.compile(pattern), lineage)
    for pattern, lineage in (
        (r"distill.*llama", "meta/llama-3"),
        (r"distill.*qwen|qwq", "alibaba/qwen-2.5"),
        (r"gpt-oss", "openai/gpt-oss"),
        (r"gpt-?3\.?5", "openai/gpt-3.5"),
        (r"gpt-?(\d)", r"openai/gpt-\1"),
        (r"(?:\A|/)o[134](?:-|\Z)", "openai/o"),
        (r"gemini-(\d+(?:\.\d+)?)", r"google/gemini-\1"),
        (r"gemma-?(\d)", r"google/gemma-\1"),
        (r"claude-(?:[a-z]+-)?(\d)", r"anthropic/claude-\1"),
        (r"codellama|vicuna", "meta/llama-2"),
        (r"llama-?(\d)", r"meta/llama-\1"),
        (r"mixtral", "mistral/mixtral"),
        (r"mistral|ministral|magistral|codestral|devstral", "mistral/mistral"),
        (r"qwen-?(\d+(?:\.\d+)?)", r"alibaba/qwen-\1"),
        (r"deepseek(?:-[a-z]+)*-v(\d)", r"deepseek/v\1"),
        (r"deepseek-r1", "deepseek/v3"),
        (r"deepseek", "deepseek/deepseek"),
        (r"\bphi-?(\d)", r"microsoft/phi-\1"),
        (r"jamba-?(\d+(?:\.\d+)?)", r"ai21/jamba-\1"),
        (r"kimi-k(\d)", r"moonshot/kimi-\1"),
        (r"glm-(\d)", r"zhipu/glm-\1"),
        (r"grok-(\d)", r"xai/grok-\1"),
        (r"\bcommand-", "cohere/command"),
        (r"nemotron", "nvidia/nemotron"),
    )
)


def price_of(provider: str, model: str) -> Price | None:
    """What a provider takes for a model, None where the table does not say.

    A dated name (`gpt-4o-2024-08-06`) that has no price of its own has that of the undated one.
    """
    return PRICES.get((provider, model)) or PRICES.get((provider, _DATED.sub("", model)))


def lineage_of(model: str) -> str:
    """What a model was made from, read from its name, as `maker/family`; empty where unknown."""
    name = model.lower().replace("_", ".")
    for pattern, lineage in _LINEAGES:
        if found := pattern.search(name):
            return found.expand(lineage)
    return ""
