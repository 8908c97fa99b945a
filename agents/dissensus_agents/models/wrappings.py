"""What models put around an answer: thinking in tags, a call of a tool, a list of one, a string."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from ..errors import MalformedAnswer
from .texts import shown

MOST_LAYERS = 4

_THOUGHT = re.compile(r"\A<(think|thinking|thought|thoughts|reasoning|reflection)>.*?</\1>\s*", re.DOTALL)
_BESIDE_ARGUMENTS = frozenset({"name", "type", "id", "call_id", "index"})
_ARGUMENTS = ("arguments", "parameters", "input")
_BESIDE_CALL = frozenset({"type", "id", "index", "role", "content"})


@dataclass(frozen=True, slots=True)
class Inside:
    """What was inside, as JSON or as the text of a string, and what was taken off."""

    text: str
    repairs: tuple[str, ...]


def answer_after_thinking(text: str) -> str | None:
    """What follows the thinking that a text begins with; None where it begins otherwise."""
    thought = _THOUGHT.match(text) if text.startswith("<") else None
    return text[thought.end() :] if thought and thought.end() < len(text) else None


def unwrapped(text: str) -> Inside | None:
    """What one value of strict JSON holds and nothing else; None where it wraps nothing."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    repairs: list[str] = []
    while len(repairs) < MOST_LAYERS and (layer := _layer(value)) is not None:
        value, repair = layer
        repairs.append(repair)
        if isinstance(value, str):
            break
    said = value.strip() if isinstance(value, str) else json.dumps(value)
    return Inside(said, tuple(dict.fromkeys(repairs))) if repairs else None


def _layer(value: Any) -> tuple[Any, str] | None:
    """The value without its outermost wrapping, and what that was."""
    if isinstance(value, str):
        return (value, "JSON inside a string") if value.lstrip()[:1] in {"{", "["} else None
    if isinstance(value, list):
        return (value[0], "list of one") if len(value) == 1 else None
    if not isinstance(value, dict):
        return None
    for name in ("function", "function_call", "tool_call", "tool_calls"):
        if name in value and value.keys() - {name} <= _BESIDE_CALL and not value.get("content"):
            return value[name], "tool call"
    held = [name for name in _ARGUMENTS if name in value]
    if len(held) == 1 and "name" in value and value.keys() - held <= _BESIDE_ARGUMENTS:
        return value[held[0]], "tool call"
    return None


def refuse_two_values(text: str) -> None:
    """Refuse JSON in which one object gives one key two different values: which is meant is a guess.

    Raises:
        MalformedAnswer: It does.
    """

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, value in found:
            if name in made and made[name] != value:
                raise MalformedAnswer(f"The answer gives {shown(name, 60)!r} two different values")
            made[name] = value
        return made

    try:
        json.loads(text, object_pairs_hook=pairs, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return  # it was read already, and keeps to other limits
