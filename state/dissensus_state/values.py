"""What may stand in the state: JSON values, one canonical text for each, and paths into them.

Both databases store the canonical text and nothing else, so they accept and refuse the same and
give back the same. It is RFC 8785 (JSON Canonicalization Scheme: key order, numbers) with one
extension: integers of any size stay exact, where RFC 8785 stops at 2^53.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Mapping
from json.encoder import encode_basestring
from typing import Any, TypeAlias

import orjson

from .errors import Tampered, ValueRefused
from .growing import Grown

JSON: TypeAlias = Any
"""None, bool, int, float, str, or a list or dict of these with string keys."""

Path: TypeAlias = tuple[str, ...]
"""A parsed JSON pointer; `()` is the whole state."""

MAX_DEPTH = 64
MAX_BYTES = 16 * 1024 * 1024
MAX_DIGITS = 4000
"""Below the limit at which Python itself refuses to read an integer's text (4,300 digits)."""

_encoder = json.JSONEncoder(ensure_ascii=False, sort_keys=True, allow_nan=False, separators=(",", ":"))
_OPTIONS = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)

_TOO_LONG = 10**MAX_DIGITS

_SHORT = 2**63

_EXACT_INTEGER_BELOW = 1e21
"""From here on RFC 8785 writes a number with an exponent."""

_NEVER_ASCII_ABOVE = "\ud7ff"

_ALIKE_FROM, _ALIKE_BELOW = 1e-4, 1e16
"""Between these Python writes a float that is no whole number as ECMAScript does."""


Where: TypeAlias = "str | tuple[Where, object]"
"""Where a value stands: a pointer, or where its container stands and its key there; only errors ask."""


def place(where: Where) -> str:
    """The pointer of where a value stands."""
    tokens: list[str] = []
    while not isinstance(where, str):
        where, token = where
        tokens.append(f"/{token}")
    return where + "".join(reversed(tokens))


def normalise(value: Any, where: Where = "", depth: int = 0) -> JSON:
    """The value as the state holds it, or `ValueRefused` naming the path that cannot be stored.

    A float that is a whole number below 1e21 becomes that integer (RFC 8785 writes both alike, so
    what is read back would be one), minus zero becomes zero, tuples become lists.
    """
    kind = type(value)
    if kind is str:
        return value if value.isascii() else _text(value, where)
    if value is None or kind is bool:
        return value
    if kind is int:
        return value if -_SHORT < value < _SHORT else _integer(value, where)
    if kind is float:
        return _float(value, where)
    if depth >= MAX_DEPTH:
        raise ValueRefused(f"Values nested deeper than {MAX_DEPTH} levels are not stored", path=place(where))
    if kind is dict:
        found = {
            key if type(key) is str and key.isascii() else key_of(key, where): item
            if type(item) is str and item.isascii()
            else normalise(item, (where, key), depth + 1)
            for key, item in value.items()
        }
        if len(found) < len(value):
            raise ValueRefused("Two keys here are one as text", path=place(where))
        return found
    if kind is list or kind is tuple:
        return [normalise(item, (where, n), depth + 1) for n, item in enumerate(value)]
    return _subclass(value, where, depth)


def _subclass(value: Any, where: Where, depth: int) -> JSON:
    """Enumerations and other subclasses of the plain types, as the plain type they are."""
    for plain in (str, int, float):
        if isinstance(value, plain):
            return normalise(plain(value), where, depth)
    if isinstance(value, Mapping):
        return normalise(dict(value), where, depth)
    raise ValueRefused(f"A {type(value).__name__} is not a JSON value", path=place(where))


def _text(value: str, where: Where) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueRefused(
            f"Text with a lone surrogate (U+{ord(value[error.start]):04X}) is not Unicode",
            path=place(where),
        ) from None
    return value


def is_unicode(text: str) -> bool:
    """Whether a text has no lone surrogates."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def key_of(key: Any, where: Where) -> str:
    """A key of a dictionary; `ValueRefused` where it is no text."""
    if not isinstance(key, str):
        raise ValueRefused(f"The key {key!r} is not a string", path=place(where))
    return _text(str(key), where)


def _integer(value: int, where: Where) -> int:
    if abs(value) >= _TOO_LONG:
        raise ValueRefused(f"Integers of more than {MAX_DIGITS} digits are not stored", path=place(where))
    return value


def _float(value: float, where: Where) -> JSON:
    if not math.isfinite(value):
        raise ValueRefused(f"{value} is not a JSON number", path=place(where))
    if abs(value) < _EXACT_INTEGER_BELOW and value == int(value):
        return int(value)
    return value


def canonical(value: JSON) -> str:
    """The one text of a normalised value (RFC 8785, integers of any size).

    Raises:
        ValueRefused: it is none, so that nothing that was not normalised can be stored by mistake.
    """
    try:
        return canonical_of_plain(value) if _plain(value) else _encode(value)
    except (AttributeError, RecursionError, TypeError, ValueError) as error:
        raise _unwritable(value, error) from None


def canonical_of_plain(value: JSON) -> str:
    """The same for a value that is known to have neither odd floats nor odd keys."""
    try:
        return orjson.dumps(value, option=_OPTIONS).decode()
    except orjson.JSONEncodeError:  # an integer of more than 64 bits
        pass
    try:
        return _encoder.encode(value)
    except (RecursionError, TypeError, ValueError) as error:
        raise _unwritable(value, error) from None


def seen_through(value: Any, depth: int) -> str | None:
    """The canonical text of a value which is just as `normalise` would make it; None for any other.

    Most are, and this look costs a fraction of the other.
    """
    try:
        text = orjson.dumps(value, option=_OPTIONS).decode() if _plain(value) else None
    except (AttributeError, RecursionError, TypeError):
        return None
    flat = text is not None and text.count("{") + text.count("[") + depth <= MAX_DEPTH
    return text if flat else None


def _unwritable(value: Any, error: Exception) -> ValueRefused:
    return ValueRefused(f"A {type(value).__name__} cannot be written as JSON: {error}")


def _plain(value: JSON) -> bool:
    """Whether an ordinary encoder writes this value as RFC 8785 does: no odd floats, no odd keys."""
    kind = type(value)
    if kind is str:
        return True
    if kind is dict:
        for key, item in value.items():
            if not (key.isascii() or max(key) <= _NEVER_ASCII_ABOVE) or not _plain(item):
                return False
        return True
    if kind is list:
        return all(map(_plain, value))
    if kind is float:
        return _ALIKE_FROM <= abs(value) < _ALIKE_BELOW and not value.is_integer()
    return kind is int or kind is bool or value is None


def _encode(value: JSON) -> str:
    kind = type(value)
    if kind is str:
        return encode_basestring(value)
    if kind is dict:
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        pairs = (f"{encode_basestring(key)}:{_encode(value[key])}" for key in keys)
        return "{" + ",".join(pairs) + "}"
    if kind is list:
        return "[" + ",".join(map(_encode, value)) + "]"
    return _number(value) if kind is float else _encoder.encode(value)


def _number(value: float) -> str:
    """A float as ECMAScript writes it (RFC 8785 section 3.2.2.3)."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a JSON number")
    sign, digits, point = _decimal(value)
    if 0 < point <= 21:
        body = digits.ljust(point, "0")
        body = body[:point] + ("." + body[point:] if len(body) > point else "")
    elif -6 < point <= 0:
        body = "0." + "0" * -point + digits
    else:
        power = point - 1
        fraction = "." + digits[1:] if len(digits) > 1 else ""
        body = f"{digits[0]}{fraction}e{'+' if power > 0 else ''}{power}"
    return sign + body


def _decimal(value: float) -> tuple[str, str, int]:
    """Sign, shortest digits, and where the point stands: 0.d1d2… x 10^point."""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    point = len(whole) + int(exponent or 0)
    digits = (whole + fraction).rstrip("0")
    stripped = digits.lstrip("0")
    return ("-" if value < 0 else ""), stripped, point - (len(digits) - len(stripped))


def parse(text: str) -> JSON:
    """Read a canonical text back; `Tampered` where what is stored is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Tampered(f"A stored text is not JSON: {error}") from None


def parse_list(text: str) -> list[JSON]:
    """Read a canonical list back; `Tampered` where what is stored is none."""
    if text == "[]":
        return []
    value = parse(text)
    if not isinstance(value, list):
        raise Tampered(f"A stored list is none: {text[:80]}")
    return value


def parse_object(text: str) -> dict[str, JSON]:
    """Read a canonical object back; `Tampered` where what is stored is none."""
    value = parse(text)
    if not isinstance(value, dict):
        raise Tampered(f"A stored object is none: {text[:80]}")
    return value


def copied(value: JSON) -> JSON:
    """A value that shares nothing with this one that can be changed."""
    kind = type(value)
    if kind is dict:
        return {key: copied(item) for key, item in value.items()}
    return [copied(item) for item in value] if kind is list or kind is Grown else value


def store(value: Any) -> str:
    """Normalise, bound and write a value: what is called before anything is stored."""
    return bounded(canonical(normalise(value)))


def bounded(text: str, path: str = "") -> str:
    """The text, or `ValueRefused` where it is longer than any value may be."""
    if len(text) > MAX_BYTES:
        raise ValueRefused(
            f"A value of {len(text):,} characters is over the limit of {MAX_BYTES:,}", path=path or None
        )
    return text


def digest(text: str | bytes) -> bytes:
    """SHA-256 of a text (as UTF-8) or of bytes."""
    try:
        return hashlib.sha256(text.encode() if isinstance(text, str) else text).digest()
    except UnicodeEncodeError:
        raise ValueRefused("Text with a lone surrogate cannot be stored") from None


@functools.lru_cache(maxsize=4096)
def pointer(path: Path) -> str:
    """The JSON pointer of a path (RFC 6901)."""
    return "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in path)


@functools.lru_cache(maxsize=4096)
def parse_path(text: str) -> Path:
    """Read `findings`, `/findings` or `/answers/73` (RFC 6901; a bare name is a field)."""
    if not text or text == "/":
        return ()
    if not text.isascii():
        _text(text, "")
    body = text.removeprefix("/")
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in body.split("/"))


def overlap(a: Path, b: Path) -> bool:
    """Whether one path stands inside the other, or they are the same."""
    shorter = min(len(a), len(b))
    return a[:shorter] == b[:shorter]


def within(path: Path, allowed: tuple[Path, ...]) -> bool:
    """Whether a path stands at or below one of the allowed ones."""
    return any(path[: len(place)] == place for place in allowed)
