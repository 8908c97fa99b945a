"""Google's generateContent, as a server speaks it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .answers import Answer, Received
from .speech import Event, pieces

_ENDINGS = {"stop": "STOP", "length": "MAX_TOKENS", "refusal": "SAFETY", "tool": "STOP"}


def whole(answer: Answer, asked: Received) -> dict[str, Any]:
    """The answer in one piece; one that is blocked has no candidate at all."""
    if answer.ending == "content_filter":
        blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}
        return {**blocked, **_frame(answer, asked), **answer.extra}
    candidate = _candidate(_parts(answer), _ENDINGS[answer.ending])
    return {"candidates": [candidate], **_frame(answer, asked), **answer.extra}


def stream(answer: Answer, asked: Received) -> Iterator[Event]:
    """The same in fragments, each a whole response; the last one says why it ends."""
    if answer.ending == "content_filter":
        yield "", whole(answer, asked)
        return
    frame = {**_frame(answer, asked), **answer.extra}
    for part in _parts(answer):
        for piece in _pieces(part, answer.piece):
            yield "", {"candidates": [_candidate([piece], None)], **frame}
    last: list[dict[str, Any]] = [{"text": ""}] if answer.ending != "refusal" else []
    yield "", {"candidates": [_candidate(last, _ENDINGS[answer.ending])], **frame}


def _pieces(part: dict[str, Any], size: int) -> Iterator[dict[str, Any]]:
    """A part in pieces; its signature comes with the last one."""
    signature = {name: part[name] for name in ("thoughtSignature",) if name in part}
    rest = {name: value for name, value in part.items() if name != "thoughtSignature"}
    cut = [{**rest, "text": text} for text in pieces(part.get("text", ""), size)] or [rest]
    yield from cut[:-1]
    yield {**cut[-1], **signature}


def _candidate(parts: list[dict[str, Any]], finish: str | None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"index": 0}
    if parts:
        candidate["content"] = {"role": "model", "parts": parts}
    return {**candidate, "finishReason": finish} if finish else candidate


def _parts(answer: Answer) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    if answer.reasoning:
        parts.append({"text": answer.reasoning, "thought": True})
    if answer.tool:
        name, arguments = answer.tool
        parts.append({"functionCall": {"name": name, "args": dict(arguments)}})
    elif answer.text is not None and not answer.refusal:
        parts.append({"text": answer.text})
    if parts and answer.signature:
        parts[-1]["thoughtSignature"] = answer.signature
    return parts


def _frame(answer: Answer, asked: Received) -> dict[str, Any]:
    frame: dict[str, Any] = {"modelVersion": answer.called(asked), "responseId": f"response-{asked.number}"}
    return {**frame, "usageMetadata": _usage(answer, asked)} if answer.counted else frame


def _usage(answer: Answer, asked: Received) -> dict[str, Any]:
    """The tokens: the thinking is not in `candidatesTokenCount`, the cached are in `promptTokenCount`."""
    used = answer.tokens(asked)
    sent = used.input + used.cached + used.written
    counts = {"promptTokenCount": sent, "candidatesTokenCount": used.output}
    if used.cached:
        counts["cachedContentTokenCount"] = used.cached
    if used.reasoning:
        counts["thoughtsTokenCount"] = used.reasoning
    return {**counts, "totalTokenCount": sent + used.output + used.reasoning}
