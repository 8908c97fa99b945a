"""Chat Completions: a request as a body, a body as a reply. Nothing here touches the network."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from ..messages import ReasoningKind, Reply, Request, Usage
from .client import estimate, sound
from .dialects import Dialect
from .texts import shown
from .thoughts import Thought, content_text, read_thought

MOST_TOKENS = 10**9
"""A count above this is no count."""

_SCHEMA_WORDS = (
    "Answer with one JSON value that fits this JSON schema, and with nothing else: "
    "no explanation, no code fence.\n"
)


class NotACompletion(ValueError):
    """The body is something else than a chat completion; the message says what."""


def request_body(request: Request, model: str, dialect: Dialect) -> bytes:
    """What is posted."""
    body: dict[str, Any] = {
        "model": model,
        "messages": _messages(request, dialect),
        dialect.limit: request.max_output_tokens,
        "stream": False,
    }
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.output_schema is not None and dialect.format != "none":
        body["response_format"] = _format(request.output_schema, dialect)
    return _dumped(body).encode("utf-8", "replace")


def _messages(request: Request, dialect: Dialect) -> list[dict[str, str]]:
    system = _system(request, dialect)
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": request.prompt})
    for turn in request.turns:
        messages.append({"role": "assistant", "content": turn.answer})
        messages.append({"role": "user", "content": turn.objection})
    return messages


def _system(request: Request, dialect: Dialect) -> str:
    if request.output_schema is None or dialect.shows_schema:
        return request.system
    # In its own order, which is the order in which the model answers: reasoning before the verdict.
    schema = _dumped(request.output_schema)
    return f"{request.system}\n\n{_SCHEMA_WORDS}{schema}".strip()


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _format(schema: dict[str, Any], dialect: Dialect) -> dict[str, Any]:
    if dialect.format == "json_object":
        return {"type": "json_object"}
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", str(schema.get("title") or "answer"))[:64]
    return {"type": "json_schema", "json_schema": {"name": name, "schema": schema}}


@dataclass(frozen=True, slots=True)
class ProviderError:
    """The error in a body: what the provider says, its own code, and the status it means."""

    message: str
    code: str = ""
    status: int | None = None


def parse_body(body: bytes) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body as an object, and what had to be mended in it.

    Raises:
        NotACompletion: It is no JSON object.
    """
    notes: tuple[str, ...] = ()
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text, notes = body.decode(errors="replace"), ("bytes that are not UTF-8 became U+FFFD",)
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        raise NotACompletion(f"what is not JSON: «{shown(text, 80)}»") from None
    if not isinstance(parsed, dict):
        raise NotACompletion(f"what is not a JSON object: «{shown(text, 80)}»")
    return parsed, notes


def error_in(parsed: dict[str, Any]) -> ProviderError | None:
    """The error that a body holds, whatever its status was."""
    choice = _first_choice(parsed)
    error = parsed.get("error") or choice.get("error")
    if not error:
        return None
    if not isinstance(error, dict):
        return ProviderError(str(error))
    code = error.get("code")
    status = code if isinstance(code, int) and 400 <= code < 600 else None
    return ProviderError(
        str(error.get("message") or error), shown(code or error.get("type") or "", 60), status
    )


def read_reply(parsed: dict[str, Any], request: Request, model: str, dialect: Dialect) -> Reply:
    """The reply in a chat completion.

    Raises:
        NotACompletion: It holds no choice, or no message in the first one.
    """
    choice = _first_choice(parsed)
    message = choice.get("message")
    if not isinstance(message, dict):
        raise NotACompletion("no choices, or no message in the first one")
    thought = read_thought(message, dialect.reasoning)
    refusal = content_text(message.get("refusal"))
    usage = _usage(parsed.get("usage")) or estimate(request, thought.text, thought.reasoning)
    return sound(
        Reply(
            text=thought.text or refusal,
            model=shown(parsed.get("model") or model, 200),
            usage=usage,
            reasoning=thought.reasoning,
            reasoning_kind=_kind(thought, usage),
            finish_reason="refusal" if refusal else shown(choice.get("finish_reason") or "stop"),
        )
    )


def _first_choice(parsed: dict[str, Any]) -> dict[str, Any]:
    choices = parsed.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def _kind(thought: Thought, usage: Usage) -> ReasoningKind:
    """Thinking that was billed and not shown is a fault to be seen, not to be swallowed."""
    if thought.reasoning is None and usage.reasoning > 0:
        return "withheld"
    return thought.kind


def _usage(counts: Any) -> Usage | None:
    """The provider's counts in buckets that do not overlap; None where it did not count."""
    if not isinstance(counts, dict):
        return None
    sent, answered = _count(counts, "prompt_tokens"), _count(counts, "completion_tokens")
    if sent + answered == 0:
        return None
    cached = _count(_part(counts, "prompt_tokens_details"), "cached_tokens")
    cached = min(cached or _count(counts, "prompt_cache_hit_tokens"), sent)
    reasoning = _count(_part(counts, "completion_tokens_details"), "reasoning_tokens")
    # xAI leaves the thinking out of completion_tokens, everybody else counts it in.
    apart = reasoning > 0 and _count(counts, "total_tokens") == sent + answered + reasoning
    thinking = reasoning if apart else min(reasoning, answered)
    visible = answered if apart else answered - thinking
    return Usage(input=sent - cached, output=visible, cached=cached, reasoning=thinking)


def _part(counts: dict[str, Any], name: str) -> dict[str, Any]:
    part = counts.get(name)
    return part if isinstance(part, dict) else {}


def _count(counts: dict[str, Any], name: str) -> int:
    count = counts.get(name)
    if isinstance(count, bool) or not isinstance(count, int):
        return 0
    return count if 0 <= count <= MOST_TOKENS else 0
