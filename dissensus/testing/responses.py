"""OpenAI's Responses, as a server speaks them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

from .answers import Answer, Received
from .speech import Event, pieces

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


def whole(answer: Answer, asked: Received) -> dict[str, Any]:
    """The answer in one piece."""
    reason = _INCOMPLETE.get(answer.ending)
    body = {
        **_frame(answer, asked),
        "status": "incomplete" if reason else "completed",
        "incomplete_details": {"reason": reason} if reason else None,
        "output": _items(answer),
    }
    if answer.counted:
        body["usage"] = _usage(answer, asked)
    return {**body, **answer.extra}


def stream(answer: Answer, asked: Received) -> Iterator[Event]:
    """The same as events, which are numbered."""
    body = whole(answer, asked)
    begun = {**body, "status": "in_progress", "incomplete_details": None, "output": [], "usage": None}
    numbers = count()
    for kind, data in _events(answer, body, begun):
        yield kind, {"type": kind, "sequence_number": next(numbers), **data}


def _events(answer: Answer, body: dict[str, Any], begun: dict[str, Any]) -> Iterator[Event]:
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    for place, item in enumerate(body["output"]):
        at = {"output_index": place}
        yield "response.output_item.added", {**at, "item": _empty(item)}
        yield from _inside(item, {**at, "item_id": item["id"]}, answer.piece)
        yield "response.output_item.done", {**at, "item": item}
    yield f"response.{body['status']}", {"response": body}


def _inside(item: dict[str, Any], at: dict[str, Any], size: int) -> Iterator[Event]:
    if item["type"] == "function_call":
        yield from _text("response.function_call_arguments", item["arguments"], "arguments", at, size)
    for number, part in enumerate(item.get("summary", ())):
        here = {**at, "summary_index": number}
        yield (
            "response.reasoning_summary_part.added",
            {**here, "part": {"type": "summary_text", "text": ""}},
        )
        yield from _text("response.reasoning_summary_text", part["text"], "text", here, size)
        yield "response.reasoning_summary_part.done", {**here, "part": part}
    for number, part in enumerate(item.get("content", ())):
        here = {**at, "content_index": number}
        field = "refusal" if part["type"] == "refusal" else "text"
        yield "response.content_part.added", {**here, "part": {**part, field: ""}}
        name = "response.refusal" if field == "refusal" else "response.output_text"
        yield from _text(name, part[field], field, here, size)
        yield "response.content_part.done", {**here, "part": part}


def _text(name: str, text: str, field: str, at: dict[str, Any], size: int) -> Iterator[Event]:
    more: dict[str, Any] = {"logprobs": []} if name == "response.output_text" else {}
    for piece in pieces(text, size):
        yield f"{name}.delta", {**at, "delta": piece, **more}
    yield f"{name}.done", {**at, field: text, **more}


def _frame(answer: Answer, asked: Received) -> dict[str, Any]:
    return {
        "id": f"resp_{asked.number}",
        "object": "response",
        "created_at": 1_760_000_000,
        "model": answer.called(asked),
        "error": None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
    }


def _items(answer: Answer) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if answer.reasoning or answer.encrypted:
        summary = [{"type": "summary_text", "text": answer.reasoning}] if answer.reasoning else []
        item: dict[str, Any] = {"id": "rs_0", "type": "reasoning", "summary": summary}
        items.append({**item, "encrypted_content": answer.encrypted} if answer.encrypted else item)
    if answer.tool:
        name, arguments = answer.tool
        call = {"id": "fc_0", "type": "function_call", "call_id": "call_0", "status": "completed"}
        items.append({**call, "name": name, "arguments": json.dumps(dict(arguments))})
    elif answer.refusal or answer.text is not None:
        items.append(_message(answer))
    return items


def _message(answer: Answer) -> dict[str, Any]:
    part: dict[str, Any] = {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}
    if answer.refusal:
        part = {"type": "refusal", "refusal": answer.refusal}
    status = "incomplete" if answer.ending in _INCOMPLETE else "completed"
    return {"id": "msg_0", "type": "message", "status": status, "role": "assistant", "content": [part]}


def _empty(item: dict[str, Any]) -> dict[str, Any]:
    """An item as it is when it begins."""
    if item["type"] == "function_call":
        return {**item, "status": "in_progress", "arguments": ""}
    if item["type"] == "message":
        return {**item, "status": "in_progress", "content": []}
    return {"id": item["id"], "type": "reasoning", "summary": []}


def _usage(answer: Answer, asked: Received) -> dict[str, Any]:
    used = answer.tokens(asked)
    sent, answered = used.input + used.cached + used.written, used.output + used.reasoning
    return {
        "input_tokens": sent,
        "input_tokens_details": {"cached_tokens": used.cached, "cache_write_tokens": used.written},
        "output_tokens": answered,
        "output_tokens_details": {"reasoning_tokens": used.reasoning},
        "total_tokens": sent + answered,
    }
