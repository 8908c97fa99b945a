"""A JSON schema in the part of the language to which OpenAI can hold an answer strictly.

Every object lists all of its properties as required and allows no others (OpenAI's guide to
structured outputs). What only narrows a value further is left out: the answer is held to the whole
schema anyway, by the type that it came from. What cannot be said in that part is not: then the
schema is sent as it is, and is not strict.
"""

from __future__ import annotations

from typing import Any

DEEPEST = 10
MOST_PROPERTIES = 5000

_KEPT = frozenset(
    {"type", "title", "description", "enum", "const", "pattern", "format", "multipleOf"}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems"}
)
_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})


class _NotStrictError(Exception):
    """Something that the strict part of the language has no words for."""


_MOST_MADE = 256
_made: dict[int, tuple[dict[str, Any], dict[str, Any] | None]] = {}


def strict_schema(schema: dict[str, Any]) -> dict[str, Any] | None:
    """The schema in its strict form, None if it has none; made once, so it is not the caller's to change."""
    known = _made.get(id(schema))
    if known is None:
        if len(_made) >= _MOST_MADE:
            _made.clear()
        known = _made[id(schema)] = schema, _strictly(schema)  # holding it keeps its id its own
    return known[1]


def _strictly(schema: dict[str, Any]) -> dict[str, Any] | None:
    try:
        if not isinstance(schema.get("properties"), dict):
            return None
        strict = _strict(schema, 0)
        if definitions := schema.get("$defs"):
            strict["$defs"] = {name: _strict(one, 1) for name, one in _dict(definitions).items()}
    except _NotStrictError:
        return None
    return strict if _count(strict) <= MOST_PROPERTIES else None


def _strict(schema: Any, depth: int) -> dict[str, Any]:
    schema = _dict(schema)
    if depth > DEEPEST:
        raise _NotStrictError
    if "$ref" in schema:
        return {"$ref": _reference(schema["$ref"])}
    merged = schema.get("allOf")
    if isinstance(merged, list) and len(merged) == 1:
        return _strict({**_dict(merged[0]), **{k: v for k, v in schema.items() if k != "allOf"}}, depth)
    kept = {name: value for name, value in schema.items() if name in _KEPT}
    if kept.get("format") not in (None, *_FORMATS):
        del kept["format"]
    for name in ("anyOf", "oneOf"):
        if name in schema:
            return kept | {"anyOf": [_strict(one, depth) for one in _list(schema[name])]}
    if "properties" in schema or schema.get("type") == "object":
        return kept | _object(schema, depth)
    if schema.get("type") == "array":
        return kept | {"items": _strict(schema.get("items"), depth + 1)}
    if not kept.keys() & {"type", "enum", "const"} or schema.keys() & _UNKNOWN:
        raise _NotStrictError
    return kept


_UNKNOWN = frozenset({"allOf", "not", "if", "then", "else", "prefixItems", "patternProperties"})


def _object(schema: dict[str, Any], depth: int) -> dict[str, Any]:
    properties = _dict(schema.get("properties"))
    # One with free keys is a dictionary, which strict answers do not have.
    if not properties or schema.get("additionalProperties") or schema.keys() & _UNKNOWN:
        raise _NotStrictError
    return {
        "properties": {name: _strict(one, depth + 1) for name, one in properties.items()},
        "required": list(properties),
        "additionalProperties": False,
    }


def _reference(target: Any) -> str:
    if isinstance(target, str) and target.startswith(("#/$defs/", "#")):
        return target
    raise _NotStrictError


def _dict(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise _NotStrictError


def _list(value: Any) -> list[Any]:
    if isinstance(value, list) and value:
        return value
    raise _NotStrictError


def _count(schema: Any) -> int:
    """How many properties there are in all."""
    if isinstance(schema, list):
        return sum(map(_count, schema))
    if not isinstance(schema, dict):
        return 0
    own = len(schema["properties"]) if isinstance(schema.get("properties"), dict) else 0
    return own + sum(map(_count, schema.values()))
