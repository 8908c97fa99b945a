"""The types of what stands in a file of a session: how each is written, read back, and held to. Pure.

A type knows its JSON schema, how a value of a column becomes JSON (`written`), and how JSON becomes a
value of the column again (`read`), which trusts nothing: it raises `ValueError`, saying what is wrong.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import orjson

from .blobs import Stowed, dereference, packed_digest, reference, restowed, unpack
from .engines import NAMES
from .errors import DissensusError, Tampered
from .values import JSON, MAX_BYTES, MAX_DEPTH, canonical, digest

BLOB = "blob:"
"""How a side of a conflict begins that is kept aside."""

_HEX = re.compile("[0-9a-f]{64}")
_REFERENCE = re.compile(r"[\w-]{43}", re.ASCII)
_SMALL, _WHOLE = 2**31, 2**63
_MOST_HEX = 8192


@dataclass(frozen=True, slots=True)
class Type:
    """One type: its JSON schema, and the way out and back in. `optional` lets null pass both ways."""

    schema: dict[str, Any]
    written: Callable[[Any], Any]
    read: Callable[[Any], Any]
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Packed:
    """Packed bytes that were read: what is stored of them waits until somebody asks.

    `data` is None where they are gone; `digest` is there in either case.
    """

    data: bytes | None
    digest: bytes


def optional(one: Type) -> Type:
    """The same, or null."""
    return replace(one, schema={"anyOf": [one.schema, {"type": "null"}]}, optional=True)


def _same(value: Any) -> Any:
    return value


def _integer(least: int, most: int, says: str = "") -> Type:
    def read(value: Any) -> int:
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"is no integer from {least} to {most}")
        return value

    schema: dict[str, Any] = {"type": "integer", "minimum": least, "maximum": most}
    return Type({**schema, "description": says} if says else schema, _same, read)


def _text(most: int, says: str = "", *, empty: bool = True) -> Type:
    def read(value: Any) -> str:
        if type(value) is not str:
            raise ValueError("is no text")
        if len(value) > most or (len(value) * 4 > most and len(value.encode()) > most):
            raise ValueError(f"has more than {most:,} bytes")
        if "\0" in value:
            raise ValueError("holds U+0000")
        if not (empty or value):
            raise ValueError("is empty")
        return value

    schema: dict[str, Any] = {"type": "string", "maxLength": most}
    return Type({**schema, "description": says} if says else schema, _same, read)


def name(of: str) -> Type:
    """A name, as long as a column of that name may be."""
    return _text(NAMES.get(of, 1_000))


def one_of(*words: str) -> Type:
    """One of these words."""
    known = frozenset(words)

    def read(value: Any) -> str:
        if type(value) is not str or value not in known:
            raise ValueError(f"is none of {', '.join(words)}")
        return value

    return Type({"enum": list(words)}, _same, read)


def _flag(value: Any) -> int:
    if type(value) is not bool:
        raise ValueError("is neither true nor false")
    return int(value)


def _number(value: Any) -> float:
    if type(value) not in {int, float} or not math.isfinite(value):
        raise ValueError("is no number")
    return float(value)


def _hash(value: Any) -> bytes:
    if type(value) is not str or _HEX.fullmatch(value) is None:
        raise ValueError("is no SHA-256 in hexadecimal")
    return bytes.fromhex(value)


def _bytes(value: Any) -> bytes:
    if type(value) is not str or len(value) > _MOST_HEX:
        raise ValueError("is no short text in hexadecimal")
    try:
        return bytes.fromhex(value)
    except ValueError:
        raise ValueError("is not hexadecimal") from None


def _hex(value: bytes) -> str:
    return bytes(value).hex()


def fragment(text: str) -> orjson.Fragment:
    """Canonical text as it stands; `Tampered` where it is no JSON, so that no line can be forged by it."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Tampered("A stored text is not JSON") from None
    return orjson.Fragment(text)


def checked(value: JSON) -> str:
    """The canonical text of JSON from outside, within the limits of size and depth."""
    try:
        text = canonical(value)
    except DissensusError as error:
        raise ValueError(f"cannot be stored: {error.message}") from None
    return _bounded(text, value)


def _bounded(text: str, value: JSON) -> str:
    if len(text) > MAX_BYTES:
        raise ValueError(f"has more than {MAX_BYTES:,} characters")
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise ValueError(f"is nested deeper than {MAX_DEPTH} levels")
    return text


def _depth(value: JSON) -> int:
    level, depth = [value], 0
    while level := [one for one in level if isinstance(one, dict | list)]:
        depth += 1
        level = [item for one in level for item in (one.values() if isinstance(one, dict) else one)]
    return depth


def _json(kind: type | None, schema: dict[str, Any], says: str) -> Type:
    def read(value: Any) -> str:
        if kind is not None and type(value) is not kind:
            raise ValueError(f"is no {schema['type']}")
        return checked(value)

    return Type({**schema, "description": says} if says else schema, fragment, read)


def objects(says: str = "") -> Type:
    """A JSON object, which is stored as canonical text."""
    return _json(dict, {"type": "object"}, says)


def lists(says: str = "") -> Type:
    """A JSON list, which is stored as canonical text."""
    return _json(list, {"type": "array"}, says)


def _paths(value: Any) -> str:
    if type(value) is not list or not all(type(path) is str for path in value):
        raise ValueError("is no list of texts")
    return checked(value)


def _patch(value: Any) -> Stowed:
    if type(value) is not list:
        raise ValueError("is no list of operations")
    try:
        made = restowed(value)
    except DissensusError as error:
        raise ValueError(f"cannot be stored: {error.message}") from None
    return made._replace(text=_bounded(made.text, value))


def anything(says: str = "") -> Type:
    """Any JSON, which is stored as canonical text."""
    return _json(None, {}, says)


def _pack_out(packed: bytes) -> Any:
    data = bytes(packed)
    if data[:1] == b"\x03":
        return {"gone": packed_digest(data)}
    plain = unpack(data)
    try:
        return plain.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(plain).decode()}


def _pack_in(value: Any) -> Packed:
    if type(value) is str:
        data = value.encode()
        return Packed(data, digest(data))
    match value:
        case {"gone": str(name), **rest} if not rest:
            return Packed(None, _hash(name))
        case {"base64": str(text), **rest} if not rest:
            try:
                data = base64.b64decode(text, validate=True)
            except (binascii.Error, ValueError):
                raise ValueError("is no base64") from None
            return Packed(data, digest(data))
    raise ValueError('is no text, and neither {"gone": SHA-256} nor {"base64": …}')


def _side_out(stored: str) -> Any:
    if stored.startswith(BLOB):
        return {"blob": dereference(stored.removeprefix(BLOB)).hex()}
    return {"value": fragment(stored)}


def _side_in(value: Any) -> str:
    match value:
        case {"blob": str(name), **rest} if not rest:
            return BLOB + reference(_hash(name))
        case {"value": inner, **rest} if not rest:
            return checked(inner)
    raise ValueError('is neither {"value": …} nor {"blob": SHA-256}')


_GONE = {
    "type": "object",
    "properties": {"gone": {"type": "string", "pattern": "^[0-9a-f]{64}$"}},
    "required": ["gone"],
    "additionalProperties": False,
}
_BASE64 = {
    "type": "object",
    "properties": {"base64": {"type": "string"}},
    "required": ["base64"],
    "additionalProperties": False,
}

WHOLE = _integer(-_WHOLE, _WHOLE - 1)
COUNT = _integer(0, _WHOLE - 1)
SMALL = _integer(-_SMALL, _SMALL - 1)
TIME = _integer(-_WHOLE, _WHOLE - 1, "Milliseconds since 1970")
MONEY = _integer(-_WHOLE, _WHOLE - 1, "10^-9 US dollars")
TEXT = _text(MAX_BYTES)
FLAG = Type({"type": "boolean"}, bool, _flag)
NUMBER = Type({"type": "number"}, float, _number)
HASH = Type(
    {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "SHA-256 in hexadecimal"}, _hex, _hash
)
BYTES = Type({"type": "string", "maxLength": _MOST_HEX, "description": "Bytes in hexadecimal"}, _hex, _bytes)
PACKED = Type(
    {
        "anyOf": [{"type": "string"}, _GONE, _BASE64],
        "description": "A text; bytes that are none in base64; or the SHA-256 of what was taken away",
    },
    _pack_out,
    _pack_in,
)
PATHS = Type(
    {"type": "array", "items": {"type": "string"}, "description": "Paths (RFC 6901)"}, fragment, _paths
)
PATCH = Type(
    {"type": "array", "items": {"type": "array"}, "description": "Operations: [verb, path, value] and so on"},
    fragment,
    _patch,
)
"""It is read as `blobs.Stowed`."""

SIDE = Type(
    {
        "type": "object",
        "properties": {"value": {}, "blob": {"type": "string", "pattern": "^[0-9a-f]{64}$"}},
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
        "description": "A value, or the SHA-256 of the `blob` that holds it",
    },
    _side_out,
    _side_in,
)
