"""How much is shown and answered at once, so that it fits the smallest window of those who are asked.

A session keeps the window that it began with, so that its prompts stay what they are whoever sits in
its seats later.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dissensus_agents.context.fitting import window_of

if TYPE_CHECKING:
    from dissensus_agents.models.client import Model

BATCH = 24_000
"""Characters of the passages that one scout is shown at once, at most."""

TOLD = 24_000
"""Characters of the findings that a panel is shown, at most."""

PLANNED, SCOUTED, CONCLUDED = 2_000, 4_000, 6_000
"""Tokens of an answer at most, thinking included: of a plan, of a scout, of the panel and its supervisor."""

_AROUND = 1_500
"""Tokens of what stands around the passages: instructions, the question, the schema."""

_CHARACTERS = 3
"""Characters of a token, carefully."""


def smallest(models: Iterable[Model]) -> int | None:
    """The smallest window that is known of some models, in tokens."""
    return min((window for model in models if (window := window_of(model)) is not None), default=None)


def answers(most: int, window: int | None) -> int:
    """The tokens of an answer: a quarter of the window at most."""
    return most if window is None else max(256, min(most, window // 4))


def batch(window: int | None) -> int:
    """The characters of a batch: what the answer and the instructions leave of the window."""
    if window is None:
        return BATCH
    return max(1_000, min(BATCH, (window - answers(SCOUTED, window) - _AROUND) * _CHARACTERS))


def told(window: int | None) -> int:
    """The characters of findings: less than half of the window, for a supervisor reads the positions too."""
    return TOLD if window is None else max(1_000, min(TOLD, int(window * 0.4) * _CHARACTERS))
