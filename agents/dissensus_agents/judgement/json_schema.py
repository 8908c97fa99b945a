"""A value against a JSON schema: the part of draft 2020-12 that people write by hand.

A keyword that is not known here is refused when the schema is given, and never passed over. Left out on
purpose: `pattern` (use `matches`, which is bounded), `format`, references out of the schema, and what
depends on what was evaluated before (`unevaluatedProperties`, `$dynamicRef`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sized
from typing import Any, Final

from dissensus_state.values import JSON, canonical

from ..errors import GraphError
from .evidence import short

Schema = Any
"""A JSON schema: an object, True or False."""

_NOTES: Final = frozenset(
    {"$schema", "$id", "$comment", "$defs", "definitions", "title", "description", "default", "examples"}
    | {"deprecated", "readOnly", "writeOnly"}
)
_BELOW: Final = frozenset(
    {"not", "items", "contains", "additionalProperties", "propertyNames", "if", "then", "else"}
)
_LISTS: Final = frozenset({"anyOf", "allOf", "oneOf", "prefixItems"})
_NAMED: Final = frozenset({"properties", "$defs", "definitions"})
_DEEPEST: Final = 64


def check_schema(schema: Schema) -> None:
    """Refuse a schema that says what is not checked here.

    Raises:
        GraphError: It names the keyword.
    """
    for one in _all(schema, 0):
        if isinstance(one, bool):
            continue
        if not isinstance(one, Mapping):
            raise GraphError(f"{short(repr(one))} is no JSON schema")
        if isinstance(one.get("type", []), str) and one["type"] not in _TYPES:
            raise GraphError(f"The JSON schema names a type {one['type']!r} that there is not")
        known = _NOTES | _BELOW | _LISTS | _NAMED | _CHECKS.keys() | {"$ref", "minContains", "maxContains"}
        if strange := sorted(one.keys() - known):
            raise GraphError(
                f"The keyword {strange[0]!r} of the JSON schema is not checked here",
                next_step="Leave it out, give a pydantic model, or for a `pattern` use matches(…)",
            )
        if "$ref" in one:
            _pointed(schema, one["$ref"])


def _all(schema: Schema, depth: int) -> Iterator[Schema]:
    if depth > _DEEPEST:
        raise GraphError("The JSON schema is nested too deeply")
    yield schema
    if not isinstance(schema, Mapping):
        return
    for key, value in schema.items():
        below = [value] if key in _BELOW else value if key in _LISTS else []
        below = list(value.values()) if key in _NAMED and isinstance(value, Mapping) else below
        for one in below:
            yield from _all(one, depth + 1)


def _pointed(root: Schema, reference: Any) -> Schema:
    found: Any = root if str(reference).startswith("#") else None
    try:
        for token in str(reference)[1:].split("/")[1:]:
            token = token.replace("~1", "/").replace("~0", "~")  # noqa: PLW2901 - the same, unescaped
            found = found[int(token)] if isinstance(found, list) else found[token]
    except (KeyError, IndexError, ValueError, TypeError):
        found = None
    if found is None:
        raise GraphError(f"The JSON schema refers to {reference!r}, which does not stand in it")
    return found


def complaint(value: JSON, schema: Schema) -> str:
    """The first thing that is wrong with a value; empty: nothing."""
    return _wrong(value, schema, schema, "", 0)


def _wrong(value: JSON, schema: Schema, root: Schema, at: str, depth: int) -> str:
    if isinstance(schema, bool):
        return "" if schema else f"{at or 'it'}: nothing is allowed here"
    if depth > _DEEPEST:
        return f"{at or 'it'}: nested too deeply to be checked"

    def below(item: JSON, one: Schema, name: object = None) -> str:
        return _wrong(item, one, root, at if name is None else f"{at}/{name}", depth + 1)

    if "$ref" in schema and (wrong := below(value, _pointed(root, schema["$ref"]))):
        return wrong
    for keyword, check in _CHECKS.items():
        if keyword in schema and (wrong := check(value, schema, below)):
            return wrong if wrong.startswith(("/", "it: ")) else f"{at or 'it'}: {wrong}"
    return ""


Below = Callable[..., str]
Check = Callable[[JSON, Mapping[str, Any], Below], str]


def _is_number(value: JSON) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: Final[Mapping[str, Callable[[JSON], bool]]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: (
        _is_number(value) and float(value).is_integer() if isinstance(value, float) else _is_number(value)
    ),
    "number": _is_number,
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def _type(value: JSON, schema: Mapping[str, Any], _: Below) -> str:
    names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return "" if any(_TYPES[name](value) for name in names) else f"it is no {' or '.join(names)}"


def _enum(value: JSON, schema: Mapping[str, Any], _: Below) -> str:
    told = short(", ".join(canonical(one) for one in schema["enum"]))
    return "" if any(_same(value, one) for one in schema["enum"]) else f"it is none of {told}"


def _const(value: JSON, schema: Mapping[str, Any], _: Below) -> str:
    return "" if _same(value, schema["const"]) else f"it is not {short(canonical(schema['const']))}"


def _same(one: JSON, other: JSON) -> bool:
    return canonical(one) == canonical(other)


def _bound(keyword: str, holds: Callable[[Any, Any], bool], words: str) -> Check:
    def check(value: JSON, schema: Mapping[str, Any], _: Below) -> str:
        fits = not _is_number(value) or holds(value, schema[keyword])
        return "" if fits else f"{short(str(value))} is {words} {schema[keyword]}"

    return check


def _size(keyword: str, kind: type[Sized], what: str) -> Check:
    least = keyword.startswith("min")

    def check(value: JSON, schema: Mapping[str, Any], _: Below) -> str:
        if not isinstance(value, kind):
            return ""
        fits = len(value) >= schema[keyword] if least else len(value) <= schema[keyword]
        return (
            ""
            if fits
            else f"it has {len(value)} {what}, {'at least' if least else 'at most'} {schema[keyword]}"
        )

    return check


def _multiple(value: JSON, schema: Mapping[str, Any], _: Below) -> str:
    step = schema["multipleOf"]
    fits = not _is_number(value) or abs(value / step - round(value / step)) < 1e-9
    return "" if fits else f"{value} is no multiple of {step}"


def _unique(value: JSON, schema: Mapping[str, Any], _: Below) -> str:
    texts = [canonical(item) for item in value] if isinstance(value, list) else []
    return "it holds one item twice" if schema["uniqueItems"] and len(set(texts)) < len(texts) else ""


def _required(value: JSON, schema: Mapping[str, Any], _: Below) -> str:
    lacks = [name for name in schema["required"] if isinstance(value, dict) and name not in value]
    return f"{lacks[0]!r} is missing" if lacks else ""


def _properties(value: JSON, schema: Mapping[str, Any], below: Below) -> str:
    there = (
        (name, one) for name, one in schema["properties"].items() if isinstance(value, dict) and name in value
    )
    return next((wrong for name, one in there if (wrong := below(value[name], one, name))), "")


def _additional(value: JSON, schema: Mapping[str, Any], below: Below) -> str:
    if not isinstance(value, dict):
        return ""
    rest = [name for name in value if name not in schema.get("properties", {})]
    if rest and schema["additionalProperties"] is False:
        return f"{short(rest[0], 60)!r} is not one of its properties"
    one = schema["additionalProperties"]
    return next((wrong for name in rest if (wrong := below(value[name], one, name))), "")


def _names(value: JSON, schema: Mapping[str, Any], below: Below) -> str:
    names = value if isinstance(value, dict) else ()
    return next((wrong for name in names if (wrong := below(name, schema["propertyNames"], name))), "")


def _prefix(value: JSON, schema: Mapping[str, Any], below: Below) -> str:
    pairs = zip(value, schema["prefixItems"], strict=False) if isinstance(value, list) else ()
    return next((wrong for n, (item, one) in enumerate(pairs) if (wrong := below(item, one, n))), "")


def _items(value: JSON, schema: Mapping[str, Any], below: Below) -> str:
    first = len(schema.get("prefixItems", ()))
    rest = list(enumerate(value))[first:] if isinstance(value, list) else []
    return next((wrong for n, item in rest if (wrong := below(item, schema["items"], n))), "")


def _contains(value: JSON, schema: Mapping[str, Any], below: Below) -> str:
    if not isinstance(value, list):
        return ""
    count = sum(not below(item, schema["contains"]) for item in value)
    least, most = schema.get("minContains", 1), schema.get("maxContains", len(value))
    return "" if least <= count <= most else f"{count} of its items are as they should be"


def _any(value: JSON, schema: Mapping[str, Any], below: Below) -> str:
    return "" if any(not below(value, one) for one in schema["anyOf"]) else "it fits none of what it may be"


def _every(value: JSON, schema: Mapping[str, Any], below: Below) -> str:
    return next((wrong for one in schema["allOf"] if (wrong := below(value, one))), "")


def _one(value: JSON, schema: Mapping[str, Any], below: Below) -> str:
    count = sum(not below(value, one) for one in schema["oneOf"])
    return "" if count == 1 else f"it fits {count} of what it may be one of"


def _no(value: JSON, schema: Mapping[str, Any], below: Below) -> str:
    return "" if below(value, schema["not"]) else "it is what it must not be"


def _if(value: JSON, schema: Mapping[str, Any], below: Below) -> str:
    branch = "else" if below(value, schema["if"]) else "then"
    return below(value, schema[branch]) if branch in schema else ""


_CHECKS: Final[Mapping[str, Check]] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "minimum": _bound("minimum", lambda value, bound: value >= bound, "less than"),
    "maximum": _bound("maximum", lambda value, bound: value <= bound, "more than"),
    "exclusiveMinimum": _bound("exclusiveMinimum", lambda value, bound: value > bound, "not above"),
    "exclusiveMaximum": _bound("exclusiveMaximum", lambda value, bound: value < bound, "not below"),
    "multipleOf": _multiple,
    "minLength": _size("minLength", str, "characters"),
    "maxLength": _size("maxLength", str, "characters"),
    "minItems": _size("minItems", list, "items"),
    "maxItems": _size("maxItems", list, "items"),
    "minProperties": _size("minProperties", dict, "properties"),
    "maxProperties": _size("maxProperties", dict, "properties"),
    "uniqueItems": _unique,
    "required": _required,
    "properties": _properties,
    "additionalProperties": _additional,
    "propertyNames": _names,
    "prefixItems": _prefix,
    "items": _items,
    "contains": _contains,
    "anyOf": _any,
    "allOf": _every,
    "oneOf": _one,
    "not": _no,
    "if": _if,
}
