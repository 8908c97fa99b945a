"""What a provider sent, read by type: whatever is not what it should be is as if it were not there."""

from __future__ import annotations

from typing import Any

from dissensus_state.errors import DissensusError
from dissensus_state.values import JSON, normalise

MOST_TOKENS = 10**9
"""A count above this is no count."""

LOST_ECHO = "what the provider wants back cannot be stored, and does not go back"


def object_in(value: Any, *names: str) -> dict[str, Any]:
    """The object at these names; an empty one where there is none."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def objects_in(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; none where it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text_in(holder: dict[str, Any], name: str) -> str:
    """The text of that name; empty where there is none."""
    text = holder.get(name)
    return text if isinstance(text, str) else ""


def count_in(holder: dict[str, Any], name: str) -> int:
    """The count of that name; 0 where there is none that can be believed."""
    count = holder.get(name)
    if isinstance(count, bool) or not isinstance(count, int):
        return 0
    return count if 0 <= count <= MOST_TOKENS else 0


def keepable(echo: JSON) -> tuple[JSON, tuple[str, ...]]:
    """What goes back to the provider, if it can be stored as it came; else None, and a note of it."""
    if echo is None:
        return None, ()
    try:
        return normalise(echo), ()
    except DissensusError:
        return None, (LOST_ECHO,)
