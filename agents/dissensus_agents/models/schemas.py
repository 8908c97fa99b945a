"""JSON schemas of answers, as the providers take them: in the format's own field, or in words."""

from __future__ import annotations

from typing import Any

from .bodies import dumped

IN_WORDS = (
    "Answer with one JSON value that fits this JSON schema, and with nothing else: "
    "no explanation, no code fence.\n"
)

_FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
_KEPT = ("$ref", "$defs", "type", "enum", "const", "description", "title", "anyOf", "oneOf", "allOf")
_READ = (*_KEPT, "default", "format", "items", "minItems", "properties", "required", "additionalProperties")
_DEEPEST = 64


class NotClosed(ValueError):
    """The schema allows what a closed one can't say: other keys, anything at all, or itself inside itself."""


def with_schema(system: str, schema: dict[str, Any]) -> str:
    """The system text with the schema in words, where no field of the format can hold it."""
    return f"{system}\n\n{IN_WORDS}{dumped(schema)}".strip()


def closed(schema: dict[str, Any]) -> dict[str, Any] | None:
    """The schema as a strict one: no other keys, and every key required, in the order they stand.

    Required keys are written before the others, so that a reasoning that may be left out would be
    written after the verdict. Bounds that strict schemas don't know stand in the description; they
    are checked when the answer is read. None where the schema cannot be closed.
    """
    try:
        return _closed(schema, 0)
    except (NotClosed, RecursionError):
        return None


def _closed(schema: Any, depth: int) -> dict[str, Any]:
    if not isinstance(schema, dict) or depth > _DEEPEST:
        raise NotClosed
    made = {name: schema[name] for name in _KEPT if name in schema}
    if "$defs" in made:
        if _circular(made["$defs"]):
            raise NotClosed
        made["$defs"] = {name: _closed(part, depth + 1) for name, part in made["$defs"].items()}
    if "$ref" in made:
        return {name: made[name] for name in ("$ref", "$defs") if name in made}
    for name in ("anyOf", "oneOf", "allOf"):
        if name in made:
            made[name] = [_closed(part, depth + 1) for part in made[name]]
    if "oneOf" in made:
        made["anyOf"] = made.pop("oneOf")
    if not made.keys() & {"type", "enum", "const", "anyOf", "allOf"}:
        raise NotClosed
    return _described(made | _inside(schema, depth), schema)


def _inside(schema: dict[str, Any], depth: int) -> dict[str, Any]:
    """What an object, a list or a text holds."""
    kind = schema.get("type")
    if kind == "object":
        properties = schema.get("properties")
        if not properties or schema.get("additionalProperties"):
            raise NotClosed
        inner = {name: _closed(part, depth + 1) for name, part in properties.items()}
        return {"properties": inner, "required": list(inner), "additionalProperties": False}
    if kind == "array":
        least = {"minItems": schema["minItems"]} if schema.get("minItems") in {0, 1} else {}
        return {"items": _closed(schema.get("items"), depth + 1), **least}
    if kind == "string" and schema.get("format") in _FORMATS:
        return {"format": schema["format"]}
    return {}


def _described(made: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """With the bounds that it cannot hold in its description."""
    lost = {name: value for name, value in schema.items() if name not in _READ}
    lost |= {name: schema[name] for name in ("minItems", "format") if name in schema and name not in made}
    if not lost:
        return made
    bounds = ", ".join(f"{name}: {value}" for name, value in lost.items())
    return made | {"description": f"{made.get('description', '')} ({bounds})".strip()}


def _circular(defs: dict[str, Any]) -> bool:
    """Whether a definition comes to stand inside itself."""
    uses = {name: _refs(part) for name, part in defs.items()}
    for name, used in uses.items():
        seen: set[str] = set()
        ahead = set(used)
        while ahead:
            seen |= ahead
            ahead = {far for near in ahead for far in uses.get(near, ())} - seen
        if name in seen:
            return True
    return False


def _refs(part: Any) -> set[str]:
    if isinstance(part, list):
        return {name for item in part for name in _refs(item)}
    if not isinstance(part, dict):
        return set()
    found = {name for item in part.values() for name in _refs(item)}
    reference = part.get("$ref")
    return found | {reference.rpartition("/")[2]} if isinstance(reference, str) else found


def plain(schema: Any) -> Any:
    """The schema without what Gemini refuses: words beside a `$ref`, and `const`."""
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("$ref"), str):
        return {name: _plain(name, item) for name, item in schema.items() if name.startswith("$")}
    made = {name: _plain(name, item) for name, item in schema.items() if name != "const"}
    return made | {"enum": [schema["const"]]} if "const" in schema else made


def _plain(name: str, item: Any) -> Any:
    if name in {"properties", "$defs"} and isinstance(item, dict):
        return {key: plain(part) for key, part in item.items()}
    if name in {"anyOf", "oneOf", "allOf", "prefixItems"} and isinstance(item, list):
        return [plain(part) for part in item]
    return plain(item) if name in {"items", "additionalProperties"} else item
