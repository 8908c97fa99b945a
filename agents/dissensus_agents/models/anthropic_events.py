"""Anthropic's events of a streamed message, put together; and its errors, which may stand among them."""

from __future__ import annotations

import json
from typing import Any

from ..messages import Delta
from .fields import object_in, text_in
from .formats import Event, FailureKind, NotAnAnswer, ProviderError
from .texts import shown

_KINDS: dict[str, tuple[int, FailureKind]] = {
    "invalid_request_error": (400, "invalid"),
    "authentication_error": (401, "key"),
    "billing_error": (402, "spent"),
    "permission_error": (403, "key"),
    "not_found_error": (404, "unknown_model"),
    "request_too_large": (413, "context_overflow"),
    "rate_limit_error": (429, "rate_limit"),
    "api_error": (500, "outage"),
    "timeout_error": (504, "timeout"),
    "overloaded_error": (529, "outage"),
}

_SAYS: tuple[tuple[str, FailureKind], ...] = (
    ("prompt is too long", "context_overflow"),
    ("exceed context limit", "context_overflow"),
    ("credit balance is too low", "spent"),
    ("spend limit", "spent"),
    ("content filtering policy", "content_policy"),
)
"""What only the message tells."""

_PIECES = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}
"""The field that holds the piece of each kind of delta."""

MOST_BLOCKS = 10_000


def error_of(parsed: dict[str, Any]) -> ProviderError | None:
    """The error in a body or in the data of an event; None where there is none."""
    if parsed.get("type") != "error" and not parsed.get("error"):
        return None
    error = parsed.get("error")
    if not isinstance(error, dict):
        return ProviderError(error if isinstance(error, str) else "an error without a word")
    code = text_in(error, "type")
    message = text_in(error, "message") or code or "an error without a word"
    cause = text_in(object_in(error, "details"), "error_code")
    status, kind = _KINDS.get(code, (None, None))
    said = f"{message} {cause.replace('_', ' ')}".lower()
    kind = next((meant for words, meant in _SAYS if words in said), kind)
    return ProviderError(message, shown(cause or code, 60), status, kind)


class MessageAssembler:
    """Puts the events of one message together.

    Deltas have no numbers, so an event that came twice can be seen by the beginnings only: a second
    beginning of a message or of a block makes the whole of it no answer.
    """

    def __init__(self) -> None:
        self._message: dict[str, Any] | None = None
        self._blocks: dict[int, dict[str, Any]] = {}
        self._pieces: dict[tuple[int, str], list[str]] = {}
        self._stopped = False

    @property
    def complete(self) -> bool:
        """Whether the message is at its end, and says why."""
        return self._stopped and bool(text_in(self._message or {}, "stop_reason"))

    def feed(self, event: Event) -> Delta | ProviderError | None:
        """Take in one event; those of a kind that is not known say nothing.

        Raises:
            NotAnAnswer: It cannot stand where it stands.
        """
        data = event.data
        kind = text_in(data, "type") or event.name
        if kind == "error":
            return error_of({"type": "error", **data})
        if kind == "message_start":
            self._start(data)
        elif self._message is None:
            if kind.startswith(("content_block", "message")):
                raise NotAnAnswer(f"a {shown(kind, 40)} before any message_start")
        elif kind == "content_block_start":
            return self._begin(data)
        elif kind == "content_block_delta":
            return self._piece(data)
        elif kind == "message_delta":
            self._message |= object_in(data, "delta")
            self._message["usage"] = object_in(self._message, "usage") | _counted(data)
        elif kind == "message_stop":
            self._stopped = True
        return None

    def body(self) -> dict[str, Any]:
        """The message as far as the events go."""
        if self._message is None:
            return {}
        content = [self._block(index) for index in sorted(self._blocks)]
        return {**self._message, "content": content}

    def _start(self, data: dict[str, Any]) -> None:
        if self._message is not None:
            raise NotAnAnswer("a message that begins twice")
        message = data.get("message")
        if not isinstance(message, dict):
            raise NotAnAnswer("a message_start without a message")
        self._message = dict(message)

    def _begin(self, data: dict[str, Any]) -> Delta | None:
        index = _index(data)
        if index in self._blocks or self._stopped:
            raise NotAnAnswer("a content block that begins twice, or after the end")
        block = object_in(data, "content_block")
        self._blocks[index] = dict(block)
        return _delta(block)

    def _piece(self, data: dict[str, Any]) -> Delta | None:
        index = _index(data)
        if index not in self._blocks or self._stopped:
            raise NotAnAnswer("a piece of a content block that never began, or after the end")
        delta = object_in(data, "delta")
        name = _PIECES.get(text_in(delta, "type"))
        if name is None:
            return None
        self._pieces.setdefault((index, name), []).append(text_in(delta, name))
        return _delta(delta)

    def _block(self, index: int) -> dict[str, Any]:
        """A block with its pieces in their places."""
        block = dict(self._blocks[index])
        for name in ("text", "thinking", "signature"):
            if (index, name) in self._pieces:
                block[name] = text_in(block, name) + "".join(self._pieces[index, name])
        if (index, "partial_json") in self._pieces:
            block["input"] = _input("".join(self._pieces[index, "partial_json"]))
        return block


def _counted(data: dict[str, Any]) -> dict[str, Any]:
    """The counts of the end, which are in total; those that are null were said at the beginning."""
    return {name: count for name, count in object_in(data, "usage").items() if count is not None}


def _index(data: dict[str, Any]) -> int:
    index = data.get("index")
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < MOST_BLOCKS:
        raise NotAnAnswer("a content block without an index")
    return index


def _delta(piece: dict[str, Any]) -> Delta | None:
    shown_now = Delta(text_in(piece, "text") or text_in(piece, "partial_json"), text_in(piece, "thinking"))
    return shown_now if shown_now.text or shown_now.reasoning else None


def _input(text: str) -> Any:
    """What a tool is called with; as text where it was cut off, or is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
