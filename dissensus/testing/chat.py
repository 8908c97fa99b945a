"""OpenAI's Chat Completions, as a server speaks them, with the dialects of thinking."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .answers import Answer, Received
from .speech import Event, pieces

_ENDINGS = {"tool": "tool_calls", "refusal": "stop"}


def whole(answer: Answer, asked: Received) -> dict[str, Any]:
    """The answer in one piece."""
    refusal = answer.refusal or None
    message: dict[str, Any] = {"role": "assistant", "content": _content(answer), "refusal": refusal}
    if answer.tool:
        message["tool_calls"] = [_tool(answer)]
    choice = {
        "index": 0,
        "message": message | _thinking(answer, answer.reasoning or "", signed=True),
        "logprobs": None,
        "finish_reason": _ENDINGS.get(answer.ending, answer.ending),
    }
    body = {**_frame(answer, asked, "chat.completion"), "choices": [choice]}
    if answer.counted:
        body["usage"] = _usage(answer, asked)
    return {**body, **answer.extra}


def stream(answer: Answer, asked: Received) -> Iterator[Event]:
    """The same in pieces; the tokens only if they are asked for, as OpenAI does."""
    frame = {**_frame(answer, asked, "chat.completion.chunk"), **answer.extra}
    for delta in _deltas(answer):
        yield "", {**frame, "choices": [_choice(delta)]}
    yield "", {**frame, "choices": [_choice({}, _ENDINGS.get(answer.ending, answer.ending))]}
    options = asked.body.get("stream_options")
    if answer.counted and isinstance(options, dict) and options.get("include_usage"):
        yield "", {**frame, "choices": [], "usage": _usage(answer, asked)}
    yield "", "[DONE]"


def _deltas(answer: Answer) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": ""}
    if answer.reasoning_field != "think":
        thoughts = list(pieces(answer.reasoning or "", answer.piece))
        for number, piece in enumerate(thoughts, 1):
            yield _thinking(answer, piece, signed=number == len(thoughts))
    for piece in pieces(_content(answer) or "", answer.piece):
        yield {"content": piece}
    for piece in pieces(answer.refusal, answer.piece):
        yield {"refusal": piece}
    if answer.tool:
        call = _tool(answer)
        arguments = call["function"]["arguments"]
        yield {"tool_calls": [{**call, "index": 0, "function": {"name": answer.tool[0], "arguments": ""}}]}
        for piece in pieces(arguments, answer.piece):
            yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}


def _frame(answer: Answer, asked: Received, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{asked.number}",
        "object": kind,
        "created": 1_760_000_000,
        "model": answer.called(asked),
    }


def _choice(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def _content(answer: Answer) -> str | None:
    if answer.tool or answer.refusal:
        return None
    if answer.reasoning and answer.reasoning_field == "think":
        return f"<think>{answer.reasoning}</think>\n{answer.text or ''}"
    return answer.text


def _thinking(answer: Answer, text: str, *, signed: bool) -> dict[str, Any]:
    """The fields that carry a piece of the thinking; what is signed comes with its last piece."""
    if answer.reasoning_field == "think" or not (text or answer.encrypted):
        return {}
    if answer.reasoning_field != "reasoning_details":
        return {answer.reasoning_field: text} if text else {}
    details: list[dict[str, Any]] = []
    if text:
        details.append({"type": "reasoning.text", "text": text, "format": "unknown", "index": 0})
    if text and signed and answer.signature:
        details[0]["signature"] = answer.signature
    if signed and answer.encrypted:
        details.append({"type": "reasoning.encrypted", "data": answer.encrypted, "index": 1})
    return {"reasoning": text, "reasoning_details": details}


def _tool(answer: Answer) -> dict[str, Any]:
    name, arguments = answer.tool or ("", {})
    return {
        "id": "call_0",
        "type": "function",
        "function": {"name": name, "arguments": json.dumps(dict(arguments))},
    }


def _usage(answer: Answer, asked: Received) -> dict[str, Any]:
    used = answer.tokens(asked)
    sent, answered = used.input + used.cached + used.written, used.output + used.reasoning
    details = {"cached_tokens": used.cached}
    if used.written:
        details["cache_write_tokens"] = used.written
    return {
        "prompt_tokens": sent,
        "completion_tokens": answered,
        "total_tokens": sent + answered,
        "prompt_tokens_details": details,
        "completion_tokens_details": {"reasoning_tokens": used.reasoning},
    }
