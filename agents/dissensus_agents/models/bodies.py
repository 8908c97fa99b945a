"""Bodies of answers: bytes as a JSON object, an object as bytes, and what an error status says."""

from __future__ import annotations

import json
from typing import Any

from .formats import NotAnAnswer
from .texts import shown


def parse_body(body: bytes) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body as an object, and what had to be mended in it.

    Raises:
        NotAnAnswer: It is no JSON object.
    """
    notes: tuple[str, ...] = ()
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text, notes = body.decode(errors="replace"), ("bytes that are not UTF-8 became U+FFFD",)
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        raise NotAnAnswer(f"what is not JSON: «{shown(text, 80)}»") from None
    if not isinstance(parsed, dict):
        raise NotAnAnswer(f"what is not a JSON object: «{shown(text, 80)}»")
    return parsed, notes


def dumped(value: Any) -> str:
    """A value as compact JSON, in its own order."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def body_bytes(parsed: dict[str, Any]) -> bytes:
    """An object as the bytes of a body; a lone surrogate stays an escape."""
    try:
        return dumped(parsed).encode()
    except UnicodeEncodeError:
        return json.dumps(parsed, separators=(",", ":")).encode()
