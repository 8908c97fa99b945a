"""Which models are asked where nobody names any, and whether they may be: prices and their policy."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .errors import NoModels
from .money import at_worst

if TYPE_CHECKING:
    from dissensus_agents.models.client import Model

MOST = 3
"""Models that are taken where nobody names any."""

KEYS = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "DEEPSEEK_API_KEY", "GROQ_API_KEY")
"""Some of the variables that hold keys, to be shown to who has none."""


def models_here() -> list[str]:
    """The models that can be asked from here: with the keys in the environment, or on a server that runs.

    Raises:
        NoModels: there are none; it says what to set.
    """
    from dissensus_agents.models.available import available

    found = asyncio.run(available())
    priced = [entry for entry in found if entry.price is not None]
    if found:
        return [entry.name for entry in (priced or found)[:MOST]]
    keys = ", ".join(KEYS)
    raise NoModels(
        "No model was named, no key is in the environment, and no local server was found running",
        next_step=f"Set one of {keys}; or start Ollama; or name models with --models. "
        "To see it without any: `dissensus demo`",
    )


def unpriced(models: Sequence[Model]) -> list[str]:
    """The models whose price nobody knows."""
    return [model.name for model in models if model.price is None]


def are_free(models: Sequence[Model]) -> bool:
    """Whether all of them cost nothing."""
    return all(model.price is not None and not at_worst(model, 1000, 1000) for model in models)
