"""The chunks of a streamed chat completion, put together into the completion that they make."""

from __future__ import annotations

from typing import Any

from ..messages import Delta
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
        self._message: dict[str, Any] = {}
        self._texts: dict[str, list[str]] = {}
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
        for choice in choices if isinstance(choices, list) else []:
            if isinstance(choice, dict) and choice.get("index", 0) == 0:
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
        if name == "content" and isinstance(value, str | list):
            self._content(value)
        elif isinstance(value, str) and name in _TEXTS:
            self._texts.setdefault(name, []).append(value)
        elif isinstance(value, list) and name == "reasoning_details":
            kept = self._message.setdefault(name, [])
            for part in value:
                _join(kept, part)
        elif isinstance(value, list) and name == "tool_calls":
            _join_calls(self._message.setdefault(name, []), value)
        elif value is not None:
            self._message[name] = value

    def _content(self, value: str | list[Any]) -> None:
        """Content is a text, or parts; Mistral's streams have both, one after the other."""
        parts = self._message.get("content")
        if isinstance(value, str) and parts is None:
            self._texts.setdefault("content", []).append(value)
            return
        if parts is None:
            before = "".join(self._texts.pop("content", []))
            parts = self._message["content"] = [{"type": "text", "text": before}] if before else []
        for part in [{"type": "text", "text": value}] if isinstance(value, str) else value:
            _join(parts, part)

    def body(self) -> dict[str, Any]:
        """The completion, as far as its chunks go."""
        texts = {name: "".join(pieces) for name, pieces in self._texts.items()}
        message = {"role": "assistant", "content": None, **texts, **self._message}
        choice = {"index": 0, "message": message, "finish_reason": self._finish}
        choices = [choice] if self._seen else []
        return {**self._top, "object": "chat.completion", "choices": choices}


def error_in(parsed: dict[str, Any]) -> ProviderError | None:
    """The error that a body or a chunk holds, at its top or in its first choice."""
    choices = parsed.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    error = parsed.get("error") or (choice.get("error") if isinstance(choice, dict) else None)
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
    parts = details if isinstance(details, list) else []
    texts = (part.get("text") or part.get("summary") for part in parts if isinstance(part, dict))
    return "".join(text for text in texts if isinstance(text, str))


def _thinking(content: Any) -> str:
    parts = content if isinstance(content, list) else []
    return "".join(content_text(part.get("thinking")) for part in parts if isinstance(part, dict))


def _arguments(delta: dict[str, Any]) -> str:
    calls = delta.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        function = call.get("function") if isinstance(call, dict) else None
        arguments = function.get("arguments") if isinstance(function, dict) else None
        if isinstance(arguments, str):
            return arguments
    return ""


def _join(kept: list[Any], part: Any) -> None:
    """Add a part, or go on with the last one, if this is a further piece of it."""
    last = kept[-1] if kept else None
    if not isinstance(part, dict) or not isinstance(last, dict) or not _goes_on(last, part):
        kept.append(dict(part) if isinstance(part, dict) else part)
        return
    for name, value in part.items():
        known = last.get(name)
        if name in ("text", "summary", "data") and isinstance(known, str) and isinstance(value, str):
            last[name] = known + value
        elif name == "thinking" and isinstance(known, list) and isinstance(value, list):
            last[name] = [*known, *value]
        elif value is not None:
            last[name] = value


def _goes_on(last: dict[str, Any], part: dict[str, Any]) -> bool:
    return last.get("type") == part.get("type") and last.get("index") == part.get("index")


def _join_calls(kept: list[Any], calls: list[Any]) -> None:
    """Tool calls come in pieces under their index, their arguments as pieces of a text."""
    for call in calls:
        if not isinstance(call, dict):
            continue
        index = call.get("index", 0)
        known = next((one for one in kept if one.get("index", 0) == index), None)
        function = call.get("function")
        if known is None or not isinstance(function, dict):
            kept.append({**call, "function": dict(function) if isinstance(function, dict) else {}})
            continue
        for name, value in function.items():
            before = known["function"].get(name)
            joined = before + value if isinstance(before, str) and isinstance(value, str) else value
            if value is not None:
                known["function"][name] = joined
