r"""What LangGraph's serialisers have written, as plain JSON: no class that a blob names is ever made.

A blob may have been written by anybody. It is read as data, bounded, and what JSON cannot hold becomes
one of these forms; `forms` counts them.

| what | becomes |
|---|---|
| a message of LangChain | `{"type": "ai", "content": …}`: its fields without those that are empty |
| an object of another class | `{"type": "module.Class", …its fields}`, or `value` where it has no fields |
| bytes | `{"type": "builtins.bytes", "base64": "…"}` |
| NaN, infinities | `{"type": "builtins.float", "value": "nan"}` |
| text with lone surrogates | `{"type": "builtins.str", "escaped": "…\ud800"}` |
| a dictionary with keys that are no text | `{"type": "builtins.dict", "items": [[key, value], …]}` |
| sets | `{"type": "builtins.set", "value": […]}`, in one order |
| what is too deep, too large, pickled, encrypted, broken | `{"type": "unread", "why", "bytes", "sha256"}` |
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Iterator
from typing import Any

import orjson
import ormsgpack

from dissensus_state.values import JSON, MAX_BYTES, canonical, is_unicode, normalise

from .naming import shown

MAX_BLOB = 256 * 1024 * 1024
"""No blob over this many bytes is read at all."""

_MOST_KNOWN = 64 * 1024 * 1024
"""Objects that were read already are kept up to this many bytes: histories repeat them at every step."""

_DEEPEST = 48
"""How deep objects and containers may stand in each other; the state itself allows 64 levels."""

_LONGEST_INTEGER = 13_000
"""In bits: the state holds integers of up to 4,000 digits."""

_MESSAGES = frozenset({"human", "ai", "system", "tool", "function", "chat", "remove"})
_CHUNKS = frozenset(f"{kind}MessageChunk" for kind in ("Human", "AI", "System", "Tool", "Function", "Chat"))
_UNTYPED = {f"langchain_core.messages.{kind.capitalize()}Message": kind for kind in _MESSAGES - {"ai"}}
_UNTYPED["langchain_core.messages.AIMessage"] = "ai"
"""LangGraph.js tells the kind of a message by its class alone."""

_SETS = frozenset({"builtins.set", "builtins.frozenset"})

_ONE, _MANY, _NAMED, _METHOD, _PYDANTIC_1, _PYDANTIC_2, _NUMPY, _SNAPSHOT = range(8)
"""The extension types of `langgraph.checkpoint.serde.jsonplus`."""


class Plain(dict[str, Any]):
    """What something became that JSON cannot hold: plain already, and not to be walked again.

    `form` says which form it is, `deep` counts its levels.
    """

    __slots__ = ("deep", "form")

    def __init__(self, form: str, value: dict[str, Any]) -> None:
        super().__init__(value)
        self.form = form
        self.deep = 1 + max(map(_levels, value.values()), default=0)


class Snapshot:
    """The whole value of a channel that otherwise keeps what was added."""

    __slots__ = ("value",)

    def __init__(self, value: JSON) -> None:
        self.value = value


class Decoder:
    """Reads blobs; what it has read of them it remembers, within bounds."""

    def __init__(self) -> None:
        self._known: dict[bytes, Any] = {}
        self._room = _MOST_KNOWN
        self._depth = 0

    def read(self, kind: str | None, blob: bytes | None) -> JSON:
        """The value that a serialiser has written as `(kind, blob)`."""
        if kind is None or kind in {"null", "empty"} or blob is None:
            return None
        if len(blob) > MAX_BLOB:
            return self.unread("too large", blob)
        if kind in {"bytes", "bytearray"}:
            return self._bytes(blob)
        if "+" in kind:
            return self.unread("encrypted", blob)
        if kind == "pickle":
            return self.unread("pickled", blob)
        if kind not in {"msgpack", "json"}:
            return self.unread(f"written as {shown(kind, 40)}", blob)
        try:
            value = self._msgpack(blob) if kind == "msgpack" else self._json(blob)
            return self.bounded(self.plain(value))
        except (ValueError, RecursionError):  # ormsgpack's and json's errors are ValueErrors
            return self.unread("broken", blob)

    def parsed(self, kind: str | None, blob: bytes) -> dict[str, Any] | None:
        """A checkpoint as its serialiser has written it; None where it cannot be read as one.

        `plain` makes each of its values plain when it is asked for.
        """
        try:
            found = self._msgpack(blob) if kind == "msgpack" else self._json(blob) if kind == "json" else None
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def _msgpack(self, blob: bytes) -> Any:
        return ormsgpack.unpackb(blob, ext_hook=self._extension, option=ormsgpack.OPT_NON_STR_KEYS)

    def _json(self, blob: bytes) -> Any:
        return json.loads(blob, object_hook=self._revived)

    def _revived(self, value: dict[str, Any]) -> Any:
        """An object as LangChain wrote it into JSON, where it is one."""
        envelope = value.get("type") == "constructor" and value.get("lc") in (1, 2) and "id" in value
        return self._constructor(value) if envelope else value

    # Plain values

    def plain(self, value: Any, depth: int = 0) -> JSON:
        """A value that was parsed, as the state holds it."""
        kind = type(value)
        if kind is Plain:
            return value if depth + value.deep <= _DEEPEST else self.unread("too deep", text_of(value))
        if kind is str:
            return value if value.isascii() or is_unicode(value) else self._surrogates(value)
        if kind is bool or value is None:
            return value
        if kind is int or kind is float:
            return self._number(value)
        return self._container(value, depth)

    def _container(self, value: Any, depth: int) -> JSON:
        kind = type(value)
        if kind is bytes or kind is bytearray:
            return self._bytes(value)
        if kind is Snapshot:
            return self.plain(value.value, depth)
        if depth >= _DEEPEST or kind not in {list, tuple, dict}:
            return self._too_deep(value)
        if kind is dict:
            return self._dictionary(value, depth)
        return [self.plain(item, depth + 1) for item in value]

    def _too_deep(self, value: Any) -> JSON:
        try:
            return self.unread("too deep", repr(value).encode("utf-8", "backslashreplace"))
        except RecursionError:
            return self.unread("too deep", b"")

    def _dictionary(self, value: dict[Any, Any], depth: int) -> JSON:
        if not all(type(key) is str and (key.isascii() or is_unicode(key)) for key in value):
            items = [[self.plain(key, depth + 2), self.plain(item, depth + 2)] for key, item in value.items()]
            return Plain("builtins.dict", {"type": "builtins.dict", "items": items})
        return {key: self.plain(item, depth + 1) for key, item in value.items()}

    def _constructor(self, value: dict[str, Any]) -> JSON:
        names = value["id"] if isinstance(value["id"], list) else [value["id"]]
        name = ".".join(str(part) for part in names)
        if isinstance(value.get("kwargs"), dict) and value["kwargs"]:
            return self._object(name, self.plain(value["kwargs"], 1))
        arguments = self.plain(value.get("args") or [], 1)
        alone = isinstance(arguments, list) and len(arguments) == 1
        return self._object(name, arguments[0] if alone else arguments)

    def _object(self, name: str, payload: JSON) -> JSON:
        """An object of a class: its fields beside the class's name."""
        name = shown(name, 300)
        if isinstance(payload, dict) and name in _UNTYPED and "type" not in payload:
            payload = {"type": _UNTYPED[name], **payload}
        if isinstance(payload, dict) and _is_message(name, payload):
            said = {key: item for key, item in payload.items() if not _is_empty(key, item)}
            return Plain("messages", said)
        if name in _SETS and isinstance(payload, list):
            payload = sorted(payload, key=text_of)
        if isinstance(payload, dict) and "type" not in payload:
            return Plain(name, {"type": name, **payload})
        return Plain(name, {"type": name, "value": payload})

    def _bytes(self, value: bytes) -> JSON:
        said = {"type": "builtins.bytes", "base64": base64.b64encode(value).decode()}
        return self.bounded(Plain("builtins.bytes", said))

    def _surrogates(self, value: str) -> JSON:
        escaped = json.dumps(value)[1:-1]
        return Plain("builtins.str", {"type": "builtins.str", "escaped": escaped})

    def _number(self, value: float) -> JSON:
        if isinstance(value, int):
            short = value.bit_length() < _LONGEST_INTEGER
            return value if short else self.unread("too large", b"%x" % value)
        if not math.isfinite(value):
            return Plain("builtins.float", {"type": "builtins.float", "value": str(value)})
        return normalise(value)

    def unread(self, why: str, blob: bytes) -> JSON:
        """What is not read, with its digest."""
        digest = hashlib.sha256(blob).hexdigest()
        return Plain(f"unread: {why}", {"type": "unread", "why": why, "bytes": len(blob), "sha256": digest})

    def bounded(self, value: JSON) -> JSON:
        """The value, unless it is larger than any that the state holds."""
        text = text_of(value)
        return self.unread("too large", text) if len(text) > MAX_BYTES else value

    # Extensions of msgpack

    def _extension(self, code: int, data: bytes) -> Any:
        known = self._known.get(data) if code != _SNAPSHOT else None
        if known is not None:
            return known
        if self._depth >= _DEEPEST:
            return self.unread("too deep", data)
        self._depth += 1
        try:
            made = self._made(code, data)
        except (ValueError, RecursionError, TypeError, IndexError):
            return self.unread("broken", data)
        finally:
            self._depth -= 1
        if type(made) is Plain:
            if self._room < len(data):
                self._known.clear()
                self._room = _MOST_KNOWN
            self._room -= len(data)
            self._known[data] = made
        return made

    def _made(self, code: int, data: bytes) -> Any:
        inner = self._msgpack(data)
        if code == _SNAPSHOT:
            return Snapshot(inner)
        if code == _NUMPY:
            kind, shape, order, buffer = inner
            said = {"dtype": str(kind), "shape": self.plain(shape), "order": str(order)}
            said["base64"] = base64.b64encode(buffer).decode()
            return Plain("numpy.ndarray", {"type": "numpy.ndarray", **said})
        if code not in {_ONE, _MANY, _NAMED, _METHOD, _PYDANTIC_1, _PYDANTIC_2}:
            return self.unread(f"of an extension type {code}", data)
        module, name, payload = str(inner[0]), str(inner[1]), self.plain(inner[2], self._depth)
        return self._object(f"{module}.{name}", payload)


def forms(value: JSON) -> Iterator[str]:
    """What stands in a value that JSON could not hold as it was, by its forms."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if type(item) is Plain:
            yield item.form
        if isinstance(item, dict):
            waiting += item.values()
        elif type(item) is list:
            waiting += item


def text_of(value: JSON) -> bytes:
    """The one text of a plain value, with sorted keys: what is compared."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError):  # an integer of more than 64 bits
        return canonical(normalise(value)).encode()


def _is_message(name: str, payload: dict[str, Any]) -> bool:
    """Whether it is a message of LangChain, whose own `type` says which."""
    known = payload.get("type")
    kinds = isinstance(known, str) and (known in _MESSAGES or known in _CHUNKS)
    return kinds and name.startswith(("langchain_core.messages.", "langchain.schema.messages."))


def _is_empty(key: str, item: JSON) -> bool:
    """Whether a field of a message says nothing: its default."""
    return key != "content" and (item is None or item is False or item in ({}, []))


def _levels(value: JSON) -> int:
    """How many levels of containers a plain value has."""
    kind = type(value)
    if kind is Plain:
        return int(value.deep)
    if kind is dict:
        return 1 + max(map(_levels, value.values()), default=0)
    return 1 + max(map(_levels, value), default=0) if kind is list else 0
