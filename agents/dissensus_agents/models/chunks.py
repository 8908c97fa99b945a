"""The chunks of a streamed chat completion, put together into the completion that they make."""

from __future__ import annotations

from typing import Any

from ..messages import Delta
from .fields import object_in, objects_in, text_in
from .formats import Event, NotAnAnswer, ProviderError
from .thoughts import content_text

_TEXTS = ("content", "reasoning_content", "reasoning", "refusal")
"""Fields of a message that come in pieces, to be joined."""


class Chunks:
    """Puts one streamed chat completion together.

    Attributes:
        says_done: A stream of this format ends with `[DONE]`; without it, something may be missing.
    """

    says_done = True

    def __init__(self) -> None:
        self._top: dict[str, Any] = {}
        self._others: dict[str, Any] = {}
        self._texts: dict[str, list[str]] = {}
        self._parts: list[dict[str, Any]] = []
        self._details: list[dict[str, Any]] = []
        self._calls: list[dict[str, Any]] = []
        self._finish: Any = None
        self._seen = False

    @property
    def complete(self) -> bool:
        """Whether the reason to finish came."""
        return self._finish is not None

    def feed(self, event: Event) -> Delta | ProviderError | None:
        """Take in one chunk.

        Raises:
            NotAnAnswer: It is none.
        """
        chunk = event.data
        if error := error_in(chunk):
            return error
        choices = chunk.get("choices")
        if choices is None and "usage" not in chunk and event.name in ("", "message"):
            raise NotAnAnswer("an event that is no chunk of a chat completion")
        self._note(chunk)
        for choice in objects_in(choices):
            if choice.get("index", 0) == 0:
                return self._choice(choice)
        return None

    def _note(self, chunk: dict[str, Any]) -> None:
        """Keep what stands beside the choices; what comes later wins, if it says anything."""
        self._top |= {name: value for name, value in chunk.items() if name != "choices" and value is not None}

    def _choice(self, choice: dict[str, Any]) -> Delta | None:
        self._seen = True
        if choice.get("finish_reason") is not None:
            self._finish = choice["finish_reason"]
        # Some servers send the message as a whole, in a stream of one event.
        delta = choice.get("delta") or choice.get("message")
        if not isinstance(delta, dict):
            return None
        for name, value in delta.items():
            self._piece(name, value)
        return _shown(delta)

    def _piece(self, name: str, value: Any) -> None:
        if name == "content" and (self._parts or isinstance(value, list)):
            self._part(value)
        elif isinstance(value, str) and name in _TEXTS:
            self._texts.setdefault(name, []).append(value)
        elif name == "reasoning_details":
            _join(self._details, objects_in(value))
        elif name == "tool_calls":
            _join_calls(self._calls, objects_in(value))
        elif value is not None and name not in _TEXTS:
            self._others[name] = value

    def _part(self, value: Any) -> None:
        """Content is a text, or parts; Mistral's streams have both, one after the other."""
        before = "".join(self._texts.pop("content", []))
        if before:
            self._parts.append({"type": "text", "text": before})
        _join(self._parts, [{"type": "text", "text": value}] if isinstance(value, str) else objects_in(value))

    def body(self) -> dict[str, Any]:
        """The completion, as far as its chunks go."""
        texts = {name: "".join(pieces) for name, pieces in self._texts.items()}
        lists = {"content": self._parts, "reasoning_details": self._details, "tool_calls": self._calls}
        message = {
            "role": "assistant",
            "content": None,
            **self._others,
            **texts,
            **{name: [_joined(one) for one in listed] for name, listed in lists.items() if listed},
        }
        choice = {"index": 0, "message": message, "finish_reason": self._finish}
        choices = [choice] if self._seen else []
        return {**self._top, "object": "chat.completion", "choices": choices}


def error_in(parsed: dict[str, Any]) -> ProviderError | None:
    """The error that a body or a chunk holds, at its top or in its first choice."""
    choice = next(iter(objects_in(parsed.get("choices"))), {})
    error = parsed.get("error") or choice.get("error")
    if parsed.get("object") == "error":  # vLLM, before it took OpenAI's form
        error = error or parsed
    if not error:
        return None
    if not isinstance(error, dict):
        return ProviderError(str(error))
    code, named = error.get("code"), error.get("type")
    status = code if isinstance(code, int) and 400 <= code < 600 else None
    # A number says no more than the status: then the type may be the name.
    name = code if isinstance(code, str) else named or code
    return ProviderError(str(error.get("message") or error), str(name or ""), status)


def _shown(delta: dict[str, Any]) -> Delta:
    """What a chunk shows; OpenRouter says the thinking twice, as a field and in its details."""
    thought = delta.get("reasoning_content") or delta.get("reasoning")
    content = delta.get("content")
    text = content_text(content) or content_text(delta.get("refusal")) or _arguments(delta)
    if not isinstance(thought, str):
        thought = _texts_of(delta.get("reasoning_details")) or _thinking(content)
    return Delta(text, thought)


def _texts_of(details: Any) -> str:
    return "".join(text_in(part, "text") or text_in(part, "summary") for part in objects_in(details))


def _thinking(content: Any) -> str:
    return "".join(content_text(part.get("thinking")) for part in objects_in(content))


def _arguments(delta: dict[str, Any]) -> str:
    calls = objects_in(delta.get("tool_calls"))
    return "".join(text_in(object_in(call, "function"), "arguments") for call in calls[:1])


class _Pieces(list[str]):
    """A text that is still coming: joined once, at the end, however many pieces it has."""


def _join(kept: list[dict[str, Any]], parts: list[dict[str, Any]]) -> None:
    """Add parts; one may be a further piece of the last."""
    for part in parts:
        last = kept[-1] if kept else None
        if last is None or any(last.get(name) != part.get(name) for name in ("type", "index")):
            last = {name: part[name] for name in ("type", "index") if name in part}
            kept.append(last)
        for name, value in part.items():
            known = last.get(name)
            if name in ("text", "summary", "data") and isinstance(value, str):
                _add(last, name, value)
            elif name == "thinking" and isinstance(known, list) and isinstance(value, list):
                known += value
            elif value is not None or name not in last:
                last[name] = list(value) if isinstance(value, list) else value


def _join_calls(kept: list[dict[str, Any]], calls: list[dict[str, Any]]) -> None:
    """Tool calls come in pieces under their index, their arguments as pieces of a text."""
    for call in calls:
        index = call.get("index", 0)
        known = next((one for one in kept if one.get("index", 0) == index), None)
        if known is None:
            known = {**call, "function": {}}
            kept.append(known)
        for name, value in object_in(call, "function").items():
            if isinstance(value, str):
                _add(known["function"], name, value)
            elif value is not None:
                known["function"][name] = value


def _add(holder: dict[str, Any], name: str, piece: str) -> None:
    known = holder.get(name)
    if isinstance(known, _Pieces):
        known.append(piece)
    else:
        holder[name] = _Pieces([piece])


def _joined(value: Any, deep: int = 2) -> Any:
    """The same with every text in one piece; those that came in pieces stand no deeper."""
    if isinstance(value, _Pieces):
        return "".join(value)
    if isinstance(value, dict) and deep:
        return {name: _joined(one, deep - 1) for name, one in value.items()}
    return value
