"""What the formats share: events of a stream, and their bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TypeAlias

Event: TypeAlias = tuple[str, Any]
"""The name of an event (empty: none) and its data, which is JSON, or a text as it is."""


def pieces(text: str, size: int) -> Iterator[str]:
    """A text in pieces of so many characters."""
    step = max(1, size)
    for start in range(0, len(text), step):
        yield text[start : start + step]


def written(event: Event) -> bytes:
    """An event as it goes over the wire."""
    name, data = event
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    named = f"event: {name}\n" if name else ""
    # What is no text cannot be written as UTF-8; JSON can still escape it.
    if not isinstance(data, str) and not _is_text(text):
        text = json.dumps(data)
    return f"{named}data: {text}\n\n".encode()


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
