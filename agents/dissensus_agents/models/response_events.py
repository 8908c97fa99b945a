"""The events of a streamed OpenAI response, put together into the response that they make."""

from __future__ import annotations

from typing import Any

from ..messages import Delta
from .fields import count_in, object_in
from .formats import Event, NotAnAnswer, ProviderError

_TEXTS = ("response.output_text.delta", "response.refusal.delta", "response.function_call_arguments.delta")
_THOUGHTS = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")
_LAST = ("response.completed", "response.incomplete")

_PLACES = {
    "response.output_text.delta": ("content", "content_index", "output_text", "text"),
    "response.refusal.delta": ("content", "content_index", "refusal", "refusal"),
    "response.reasoning_text.delta": ("content", "content_index", "reasoning_text", "text"),
    "response.reasoning_summary_text.delta": ("summary", "summary_index", "summary_text", "text"),
}
"""Where a piece belongs: the list of its item, the field with its place there, its type, its text."""

_MOST_ITEMS = 1000


class ResponseEvents:
    """Puts one streamed response together.

    The last event holds the whole response; what came before it counts where it never comes.
    """

    def __init__(self) -> None:
        self._response: dict[str, Any] = {}
        self._items: dict[int, dict[str, Any]] = {}
        self._pieces: dict[tuple[int, str, int, str, str], list[str]] = {}
        self._complete = False

    @property
    def complete(self) -> bool:
        """Whether the whole response came, ended by itself or by a limit."""
        return self._complete

    def feed(self, event: Event) -> Delta | ProviderError | None:
        """Take in one event; of kinds that are not known here, nothing is made.

        Raises:
            NotAnAnswer: It has no type.
        """
        kind = event.data.get("type") or event.name
        if event.data.get("error") or kind in ("error", "response.failed"):
            return failure_in(event.data)
        if not isinstance(kind, str) or not kind:
            raise NotAnAnswer("an event without a type, which is none of a response")
        if self._complete:
            return None
        if isinstance(event.data.get("response"), dict):
            self._response = event.data["response"]
            self._complete = kind in _LAST
            return None
        if kind in ("response.output_item.added", "response.output_item.done"):
            self._item(event.data, done=kind.endswith("done"))
            return None
        return self._piece(kind, event.data)

    def _item(self, data: dict[str, Any], *, done: bool) -> None:
        index, item = count_in(data, "output_index"), data.get("item")
        if isinstance(item, dict) and len(self._items) < _MOST_ITEMS:
            self._items[index] = item
        if done:
            self._pieces = {place: said for place, said in self._pieces.items() if place[0] != index}

    def _piece(self, kind: str, data: dict[str, Any]) -> Delta | None:
        if kind == "response.reasoning_summary_part.added" and count_in(data, "summary_index") > 0:
            return Delta(reasoning="\n\n")
        delta = data.get("delta")
        if not isinstance(delta, str):
            return None
        if kind in _PLACES:
            listed, field, part, text = _PLACES[kind]
            place = (count_in(data, "output_index"), listed, count_in(data, field), part, text)
            self._pieces.setdefault(place, []).append(delta)
        if kind in _TEXTS:
            return Delta(text=delta)
        return Delta(reasoning=delta) if kind in _THOUGHTS else None

    def body(self) -> dict[str, Any]:
        """The response, as far as its events go."""
        if self._complete and self._response.get("output"):
            return self._response
        items = {index: dict(item) for index, item in self._items.items()}
        for (index, listed, _, part, text), said in sorted(self._pieces.items()):
            kind = "reasoning" if part in ("reasoning_text", "summary_text") else "message"
            item = items.setdefault(index, {"type": kind})
            kept = item.get(listed)
            item[listed] = [*(kept if isinstance(kept, list) else []), {"type": part, text: "".join(said)}]
        return {**self._response, "output": [items[index] for index in sorted(items)]}


def failure_in(data: dict[str, Any]) -> ProviderError:
    """What an error says, in a body, in an event, or in a response that failed."""
    error = data.get("error") or object_in(data, "response").get("error") or data
    if not isinstance(error, dict):
        return ProviderError(str(error))
    code = error.get("code")
    status = next((s for s in (data.get("status"), code) if isinstance(s, int) and 400 <= s < 600), None)
    named = code if isinstance(code, str) and code else error.get("type")
    return ProviderError(
        str(error.get("message") or error), "" if named in (None, "error") else str(named), status
    )
