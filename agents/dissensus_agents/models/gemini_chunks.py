"""Gemini's chunks of a streamed response, put together; and its errors, blocked answers among them."""

from __future__ import annotations

import re
from typing import Any

from ..messages import Delta
from .fields import object_in, objects_in, text_in
from .formats import Event, FailureKind, NotAnAnswer, ProviderError
from .texts import shown

_KINDS: dict[str, tuple[int, FailureKind]] = {
    "INVALID_ARGUMENT": (400, "invalid"),
    "FAILED_PRECONDITION": (400, "invalid"),
    "OUT_OF_RANGE": (400, "invalid"),
    "UNAUTHENTICATED": (401, "key"),
    "PERMISSION_DENIED": (403, "key"),
    "NOT_FOUND": (404, "unknown_model"),
    "RESOURCE_EXHAUSTED": (429, "rate_limit"),
    "CANCELLED": (499, "outage"),
    "INTERNAL": (500, "outage"),
    "UNKNOWN": (500, "outage"),
    "UNAVAILABLE": (503, "outage"),
    "DEADLINE_EXCEEDED": (504, "timeout"),
}

_SAYS: tuple[tuple[str, FailureKind], ...] = (
    ("api_key_invalid", "key"),
    ("api key not valid", "key"),
    ("exceeds the maximum number of tokens", "context_overflow"),
    ("credits are depleted", "spent"),
    ("spending cap", "spent"),
    ("billing_disabled", "spent"),
)
"""What only the message or the reason tells."""

_BY_NUMBER: dict[int, FailureKind] = {402: "spent", 413: "context_overflow"}
"""Numbers that tell more than the status beside them, which is that of any bad request."""

BLOCKED = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "MODEL_ARMOR",
        "JAILBREAK",
    }
)
"""Reasons for which an answer was stopped by a policy."""

LONGEST_WAIT = 7 * 86_400.0


def error_of(parsed: dict[str, Any]) -> ProviderError | None:
    """The error in a body or in a chunk; None where there is none."""
    error = parsed.get("error")
    if not error:
        return _blocked(parsed)
    if not isinstance(error, dict):
        return ProviderError(error if isinstance(error, str) else "an error without a word")
    code = text_in(error, "status")
    number = error.get("code")
    status, kind = _KINDS.get(code, (None, None))
    if isinstance(number, int) and 400 <= number < 600:
        status = number
    details = objects_in(error.get("details"))
    reason = next((text_in(item, "reason") for item in details if text_in(item, "reason")), "")
    message = text_in(error, "message") or code or "an error without a word"
    said = f"{message} {reason}".lower()
    kind = next((meant for words, meant in _SAYS if words in said), _BY_NUMBER.get(status or 0, kind))
    return ProviderError(message, shown(reason or code, 60), status, kind, _retry_delay(details))


def _retry_delay(details: list[dict[str, Any]]) -> float | None:
    """The seconds of a RetryInfo (`"34.07s"`)."""
    for item in details:
        found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)s", text_in(item, "retryDelay"))
        if found:
            return min(float(found[1]), LONGEST_WAIT)
    return None


def _blocked(parsed: dict[str, Any]) -> ProviderError | None:
    """A prompt that a policy stopped; an answer that one stopped is an answer, and was counted."""
    feedback = object_in(parsed, "promptFeedback")
    reason = text_in(feedback, "blockReason")
    if reason and not objects_in(parsed.get("candidates")):
        said = text_in(feedback, "blockReasonMessage") or f"The prompt was blocked: {shown(reason, 40)}"
        return ProviderError(said, shown(reason, 60), kind="content_policy")
    return None


class ChunkAssembler:
    """Puts the chunks of one response together: each is a whole response with the next piece in it."""

    def __init__(self) -> None:
        self._body: dict[str, Any] = {}
        self._candidate: dict[str, Any] = {}
        self._parts: list[tuple[dict[str, Any], list[str]]] = []

    @property
    def complete(self) -> bool:
        """Whether a reason for the end was given."""
        return bool(text_in(self._candidate, "finishReason"))

    def feed(self, event: Event) -> Delta | ProviderError | None:
        """Take in one chunk.

        Raises:
            NotAnAnswer: It goes on after the end.
        """
        data = event.data
        error = error_of(data)
        self._body |= {name: value for name, value in data.items() if name not in {"candidates", "error"}}
        said = Delta()
        for candidate in objects_in(data.get("candidates")):
            if candidate.get("index", 0) != 0:
                continue
            pieces = objects_in(object_in(candidate, "content").get("parts"))
            if pieces and self.complete:
                raise NotAnAnswer("a piece of an answer after its end")
            for piece in pieces:
                self._add(piece)
                said = _with(said, piece)
            self._candidate |= {name: value for name, value in candidate.items() if name != "content"}
        if error is not None:
            return error
        return said if said.text or said.reasoning else None

    def body(self) -> dict[str, Any]:
        """The response as far as the chunks go."""
        if not self._candidate and not self._parts:
            return self._body
        parts = [{**part, "text": "".join(texts)} if texts else part for part, texts in self._parts]
        content = {"role": "model", "parts": parts}
        return {**self._body, "candidates": [{**self._candidate, "content": content}]}

    def _add(self, piece: dict[str, Any]) -> None:
        """Text goes on in the part before it, unless a signature closes one of the two."""
        text = text_in(piece, "text")
        rest = {name: value for name, value in piece.items() if name != "text"}
        if self._parts and self._parts[-1][1] and self._parts[-1][0] == rest and not _signed(rest):
            self._parts[-1][1].append(text)
        else:
            self._parts.append((rest, [text] if isinstance(piece.get("text"), str) else []))


def _signed(part: dict[str, Any]) -> bool:
    return "thoughtSignature" in part


def _with(said: Delta, piece: dict[str, Any]) -> Delta:
    text = text_in(piece, "text")
    if piece.get("thought") is True:
        return Delta(said.text, said.reasoning + text)
    return Delta(said.text + text, said.reasoning)
