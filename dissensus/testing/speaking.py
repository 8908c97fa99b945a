"""An answer as the bytes of the format that a request asks for, in one piece or as a stream."""

from __future__ import annotations

import json
from typing import Any

from . import anthropic, chat, gemini, responses
from .answers import Answer, Raw, Received, Spoken
from .speech import Event, written
from .troubles import error_body, status_of

_FORMATS = {"openai": chat, "responses": responses, "anthropic": anthropic, "gemini": gemini}
STREAM = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}


def spoken_in(asked: Received) -> Spoken:
    """The format of a request; Chat Completions where its path says nothing."""
    return asked.format or "openai"


def whole(answer: Answer, asked: Received) -> dict[str, Any]:
    """The body of an answer in one piece."""
    body: dict[str, Any] = _FORMATS[spoken_in(asked)].whole(answer, asked)
    return body


def events(answer: Answer, asked: Received) -> list[Event]:
    """The events of an answer as a stream."""
    return list(_FORMATS[spoken_in(asked)].stream(answer, asked))


def said(answer: Answer, asked: Received) -> Raw:
    """An answer as it goes over the wire."""
    if not asked.streamed:
        return Raw.json(whole(answer, asked), headers=answer.headers, delay=answer.delay)
    if asked.format == "gemini" and "alt=sse" not in asked.path:
        listed = [data for _, data in events(answer, asked)]
        return Raw.json(listed, headers=answer.headers, delay=answer.delay)
    if answer.pause:
        return streamed(events(answer, asked), headers=answer.headers, delay=answer.delay, pause=answer.pause)
    # All events as one piece: a benchmark of a client should not wait for its server.
    body = b"".join(map(written, events(answer, asked)))
    return Raw(body=[body], chunked=True, headers={**STREAM, **answer.headers}, delay=answer.delay)


def streamed(told: list[Event], **more: Any) -> Raw:
    """Events, each a piece of its own."""
    headers = {**STREAM, **more.pop("headers", {})}
    return Raw(body=[written(event) for event in told], chunked=True, headers=headers, **more)


def trouble(
    name: str,
    asked: Received,
    *,
    status: int | None = None,
    retry_after: float | str | None = None,
    message: str = "",
    headers: dict[str, str] | None = None,
) -> Raw:
    """An error in the words of the format that was asked in."""
    spoken = spoken_in(asked)
    seconds = retry_after if isinstance(retry_after, int | float) else None
    body = error_body(name, spoken, message=message, retry_after=seconds)
    waits = {}
    if retry_after is not None and (spoken != "gemini" or seconds is None):
        waits["retry-after"] = retry_after if isinstance(retry_after, str) else f"{retry_after:g}"
    return Raw.json(body, status or status_of(name, spoken), headers={**waits, **(headers or {})})


def error_event(name: str, asked: Received) -> Event:
    """An error as an event in the middle of a stream."""
    spoken = spoken_in(asked)
    body = error_body(name, spoken)
    if spoken == "anthropic":
        return "error", body
    if spoken == "responses":
        error = body["error"]
        data = {"type": "error", "code": error["code"] or error["type"], "message": error["message"]}
        return "error", {**data, "param": None, "sequence_number": 99}
    return "", body


def models(path: str, names: tuple[str, ...]) -> Raw | None:
    """The page that lists the models, where a path asks for one: OpenAI's, Ollama's, Google's."""
    page = path.partition("?")[0]
    if page.endswith("/api/tags"):
        return Raw.json({"models": [{"name": name, "model": name, "size": 1} for name in names]})
    if not page.endswith("/models"):
        return None
    if "/v1beta" in page:
        return Raw.json({"models": [{"name": f"models/{name}", "displayName": name} for name in names]})
    listed = [{"id": name, "object": "model", "created": 0, "owned_by": "dissensus"} for name in names]
    return Raw.json({"object": "list", "data": listed})


def nowhere(asked: Received) -> Raw:
    """What a page that is not there says."""
    where = json.dumps(f"{asked.method} {asked.path}")[:200]
    return trouble("unknown_model", asked, message=f"There is no {where} here")
