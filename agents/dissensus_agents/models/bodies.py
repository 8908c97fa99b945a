"""Bodies of answers: bytes as a JSON object, an object as bytes, and what an error status says."""

from __future__ import annotations

import json
from typing import Any

from .formats import NotAnAnswer
from .texts import shown

MENDED = "bytes that are not UTF-8 became U+FFFD"

MOST_VALUES = 500_000
"""Values in a body; a few megabytes of empty lists would take hundreds of them in memory."""


def parse_body(body: bytes) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body as an object, and what had to be mended in it.

    Raises:
        NotAnAnswer: It is no JSON object.
    """
    parsed, mended = parse_object(body, "what")
    return parsed, (MENDED,) if mended else ()


def parse_object(body: bytes, what: str) -> tuple[dict[str, Any], bool]:
    """JSON as an object, and whether bytes in it were no text.

    Args:
        body: The bytes.
        what: What they are, for the error: `what is not JSON`.

    Raises:
        NotAnAnswer: They are no JSON object.
    """
    try:
        text, mended = body.decode(), False
    except UnicodeDecodeError:
        text, mended = body.decode(errors="replace"), True
    if sum(map(body.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise NotAnAnswer(f"{what} has more values than any answer")
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        raise NotAnAnswer(f"{what} is not JSON: «{shown(text[:200], 80)}»") from None
    if not isinstance(parsed, dict):
        raise NotAnAnswer(f"{what} is not a JSON object: «{shown(text[:200], 80)}»")
    return parsed, mended


def dumped(value: Any) -> str:
    """A value as compact JSON, in its own order."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def body_bytes(parsed: dict[str, Any]) -> bytes:
    """An object as the bytes of a body; a lone surrogate stays an escape.

    Raises:
        NotAnAnswer: It is nested deeper than can be written.
    """
    try:
        return dumped(parsed).encode()
    except UnicodeEncodeError:
        return json.dumps(parsed, separators=(",", ":")).encode()
    except RecursionError:
        raise NotAnAnswer("what is nested too deep") from None
