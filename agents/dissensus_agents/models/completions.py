"""OpenAI's Chat Completions, and whatever speaks them: a format with a table of dialects."""

from __future__ import annotations

import re
from typing import Any

from ..messages import ReasoningKind, Reply, Request, Usage
from .bodies import dumped
from .chunks import Chunks, error_in
from .client import estimate, sound
from .dialects import Dialect
from .formats import NotAnAnswer, ProviderError
from .keys import Key
from .texts import shown
from .thoughts import Thought, content_text, read_thought

MOST_TOKENS = 10**9
"""A count above this is no count."""

_SCHEMA_WORDS = (
    "Answer with one JSON value that fits this JSON schema, and with nothing else: "
    "no explanation, no code fence.\n"
)


class ChatCompletions:
    """The format, as one dialect has it."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect

    @property
    def name(self) -> str:
        """The dialect's."""
        return self.dialect.name

    def path(self, model: str, *, stream: bool) -> str:  # noqa: ARG002 - the seam's signature
        """The same for every model, since its name stands in the body."""
        return "/chat/completions"

    def headers(self, key: Key) -> dict[str, str]:
        """The key as a bearer's token."""
        return key.header

    def body(self, request: Request, model: str, *, stream: bool) -> bytes:
        """What is posted."""
        dialect = self.dialect
        body: dict[str, Any] = {
            "model": model,
            "messages": _messages(request, dialect),
            dialect.limit: request.max_output_tokens,
            "stream": stream,
        }
        if stream and dialect.counts_streams:
            body["stream_options"] = {"include_usage": True}
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.output_schema is not None and dialect.format != "none":
            body["response_format"] = _format(request.output_schema, dialect)
        return dumped(body).encode("utf-8", "replace")

    def error_in(self, parsed: dict[str, Any]) -> ProviderError | None:
        """The error that a body holds, whatever its status was."""
        return error_in(parsed)

    def read(self, parsed: dict[str, Any], request: Request, model: str) -> Reply:
        """The reply in a chat completion.

        Raises:
            NotAnAnswer: It holds no choice, or no message in the first one.
        """
        return _read_reply(parsed, request, model, self.dialect)

    def assembler(self) -> Chunks:
        """For one streamed answer."""
        return Chunks()


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
    schema = dumped(request.output_schema)
    return f"{request.system}\n\n{_SCHEMA_WORDS}{schema}".strip()


def _format(schema: dict[str, Any], dialect: Dialect) -> dict[str, Any]:
    if dialect.format == "json_object":
        return {"type": "json_object"}
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", str(schema.get("title") or "answer"))[:64]
    return {"type": "json_schema", "json_schema": {"name": name, "schema": schema}}


def _read_reply(parsed: dict[str, Any], request: Request, model: str, dialect: Dialect) -> Reply:
    choice = _first_choice(parsed)
    message = choice.get("message")
    if not isinstance(message, dict):
        raise NotAnAnswer("no choices, or no message in the first one")
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
