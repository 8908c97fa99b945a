"""Holding a value to a JSON Schema, as far as the published ones go."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_KINDS: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}
_KNOWN = {
    "$ref", "type", "const", "enum", "anyOf", "properties", "required", "additionalProperties", "items",
    "minimum", "maximum", "maxLength", "pattern", "minProperties", "maxProperties", "description",
}  # fmt: skip


def misfits(value: Any, schema: dict[str, Any], root: dict[str, Any], where: str = "") -> list[str]:
    """Where a value does not fit, and why; an unknown keyword is an error of the test."""
    assert schema.keys() <= _KNOWN, schema.keys() - _KNOWN
    return list(_misfits(value, schema, root, where))


def _misfits(value: Any, schema: dict[str, Any], root: dict[str, Any], where: str) -> Iterator[str]:
    if "$ref" in schema:
        found: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        yield from misfits(value, found, root, where)
    if "anyOf" in schema and all(misfits(value, one, root, where) for one in schema["anyOf"]):
        yield f"{where}: none of the alternatives"
    if not _is_of(value, schema.get("type", [])):
        yield f"{where}: is no {schema['type']}"
        return
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        yield f"{where}: is another one"
    if isinstance(value, dict):
        yield from _of_object(value, schema, root, where)
    if isinstance(value, list) and "items" in schema:
        for number, item in enumerate(value):
            yield from misfits(item, schema["items"], root, f"{where}/{number}")
    if not _is_within(value, schema):
        yield f"{where}: is beyond its limits"


def _is_of(value: Any, kinds: str | list[str]) -> bool:
    named = [kinds] if isinstance(kinds, str) else kinds
    if isinstance(value, bool):
        return not named or "boolean" in named
    return not named or any(isinstance(value, _KINDS[kind]) for kind in named)


def _is_within(value: Any, schema: dict[str, Any]) -> bool:
    if isinstance(value, str):
        fits = len(value) <= schema.get("maxLength", len(value))
        return fits and re.search(schema.get("pattern", ""), value) is not None
    if isinstance(value, int | float):
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    return True


def _of_object(
    value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any], where: str
) -> Iterator[str]:
    yield from (f"{where}: lacks {name}" for name in schema.get("required", ()) if name not in value)
    if not schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", len(value)):
        yield f"{where}: has {len(value)} keys"
    rest = schema.get("additionalProperties", True)
    for name, item in value.items():
        if name in schema.get("properties", {}):
            yield from misfits(item, schema["properties"][name], root, f"{where}/{name}")
        elif rest is False:
            yield f"{where}: {name} is unknown"
        elif isinstance(rest, dict):
            yield from misfits(item, rest, root, f"{where}/{name}")
