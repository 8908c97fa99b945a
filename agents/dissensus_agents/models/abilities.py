"""What models can do, as far as their names and providers tell; `dissensus models check` tries it."""

from __future__ import annotations

import re

from .entries import Abilities, FormatName, Shown

_STRUCTURED = {
    "openai": r"gpt-4o(?!-2024-05-13)|gpt-4\.1|gpt-[5-9]|(?:\A|/)o[134]",
    "anthropic": r"claude-(?:[a-z]+-)?(?:4-[5-9]|[5-9])",
    "gemini": r"gemini-[2-9]",
    "ollama": r"",
    "vllm": r"",
    "llamacpp": r"",
}
"""By dialect, the models whose provider holds them to a schema; an empty pattern is all of them."""

_CACHED = {
    "openai": r"gpt-4o(?!-2024-05-13)|gpt-4\.1|gpt-[5-9]|(?:\A|/)o[134]",
    "anthropic": r"claude",
    "gemini": r"gemini-2\.5|gemini-[3-9]",
    "deepseek": r"",
}

_THINKING = r"(?:\A|/)o[134](?:-|\Z)|gpt-[5-9](?!.*chat)"

_SHOWN: tuple[tuple[str, Shown], ...] = (
    (r"deepseek-reasoner|deepseek-r1|qwq|gpt-oss|magistral|-thinking|-reasoning", "raw"),
    (r"claude-3-7", "raw"),
    (r"claude-(?:[a-z]+-)?[4-9]", "summary"),
    (r"gemini-2\.5|gemini-[3-9]", "summary"),
    (r"claude-3|gemini-(?:1|2\.0)|gpt-3|gpt-4|llama-?[23]|deepseek-chat|mistral|mixtral|gemma", "none"),
)


def abilities_of(model: str, dialect: str, format_: FormatName) -> Abilities:
    """What a model can do, read from its name; None for what the name does not tell."""
    name = model.lower()
    structured, cached = _told(_STRUCTURED, dialect, name), _told(_CACHED, dialect, name)
    reasoning = _shown(name, format_)
    return Abilities(structured, _tools(dialect, name), reasoning, streaming=True, caching=cached)


def _told(table: dict[str, str], dialect: str, name: str) -> bool | None:
    pattern = table.get(dialect)
    return None if pattern is None else bool(re.search(pattern, name))


def _tools(dialect: str, name: str) -> bool | None:
    if dialect in ("openai", "anthropic", "gemini", "deepseek"):
        return not re.search(r"gpt-3\.5-turbo-instruct|claude-2|claude-v", name)
    return None


def _shown(name: str, format_: FormatName) -> Shown | None:
    if "gpt-oss" not in name and re.search(_THINKING, name):
        return "summary" if format_ == "responses" else "withheld"
    return next((shown for pattern, shown in _SHOWN if re.search(pattern, name)), None)
