"""Among how many answers a schema lets a model choose, read off its JSON schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dissensus_state.values import parse_path

_DEEPEST = 32
"""References and containers that are followed at most: a schema may refer to itself."""


def options_at(schema: Mapping[str, Any], path: str) -> int | None:
    """How many values a path may have; None where they cannot be counted (a number, a text).

    Args:
        schema: A JSON schema, as pydantic writes it.
        path: A JSON pointer into what it describes.
    """
    at: Any = schema
    for token in parse_path(path):
        at = _below(_plain(at, schema), token)
        if at is None:
            return None
    return _count(_plain(at, schema), schema)


def _plain(at: Any, schema: Mapping[str, Any]) -> Any:
    """What a schema says without its references and without the null that it also allows."""
    for _ in range(_DEEPEST):
        if not isinstance(at, dict):
            return None
        if isinstance(reference := at.get("$ref"), str):
            at = schema.get("$defs", {}).get(reference.rpartition("/")[2])
        elif len(others := [one for one in at.get("anyOf", ()) if one != {"type": "null"}]) == 1:
            at = others[0]
        else:
            return at
    return None


def _below(at: Any, token: str) -> Any:
    if not isinstance(at, dict):
        return None
    properties = at.get("properties", {})
    if token in properties:
        return properties[token]
    more = at.get("items") if at.get("type") == "array" else at.get("additionalProperties")
    return more if isinstance(more, dict) else None


def _count(at: Any, schema: Mapping[str, Any]) -> int | None:
    if not isinstance(at, dict):
        return None
    if "const" in at:
        return 1
    if isinstance(values := at.get("enum"), list):
        return len(values)
    if at.get("type") == "boolean":
        return 2
    several = [_count(_plain(one, schema), schema) for one in at.get("anyOf", ()) if one != {"type": "null"}]
    return sum(one for one in several if one) if several and all(several) else None
