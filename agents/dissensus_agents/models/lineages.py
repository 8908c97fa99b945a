"""What models were made from, read from their names, as `maker/family`."""

from __future__ import annotations

import re

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
        (r"gemini", "google/gemini"),
        (r"gemma-?(\d)", r"google/gemma-\1"),
        (r"claude-(?:[a-z]+-)?(\d)", r"anthropic/claude-\1"),
        (r"claude", "anthropic/claude"),
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
        (r"minimax", "minimax/minimax"),
        (r"granite-?(\d)", r"ibm/granite-\1"),
        (r"olmo-?(\d)", r"allenai/olmo-\1"),
        (r"\bnova-", "amazon/nova"),
    )
)


def lineage_of(model: str) -> str:
    """What a model was made from, read from its name, as `maker/family`; empty where unknown."""
    name = model.lower().replace("_", ".")
    for pattern, lineage in _LINEAGES:
        if found := pattern.search(name):
            return found.expand(lineage)
    return ""
