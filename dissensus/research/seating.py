"""Which models are asked where nobody names any, and whether they may be: prices and their policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .errors import NoModels

if TYPE_CHECKING:
    from dissensus_agents.models.client import Model


def models_here() -> list[str]:
    """The models that can be asked from here: with the keys in the environment, or on a server that runs.

    Raises:
        NoModels: there are none; it says what to set.
    """
    from dissensus_agents.models.catalog import PROVIDERS

    keys = ", ".join(one.key_env for one in PROVIDERS.values() if one.key_env and not one.local)
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
    prices = [model.price for model in models]
    return all(price is not None and not price.output and not price.dearest_input for price in prices)
