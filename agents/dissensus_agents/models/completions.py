"""OpenAI's Chat Completions, and whatever speaks them: a format with a table of dialects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ..messages import ReasoningKind, Reply, Request, Turn, Usage
from .bodies import dumped
from .caching import cache_key
from .chunks import Chunks, error_in
from .client import estimate, sound
from .counts import chat_usage
from .dialects import Dialect
from .fields import keepable, object_in, objects_in
from .formats import NotAnAnswer, ProviderError
from .keys import Key
from .schemas import with_schema
from .strict import strict_schema
from .texts import shown
from .thoughts import Thought, content_text, read_thought, withheld_note

_TOOL = "answer"


class ChatCompletions:
    """The format, as one dialect has it.

    Args:
        dialect: What sets its servers apart.
        path: Where below the base URL; `{model}` is the model's name.
        extra: Fields that stand in every body.
    """

    def __init__(
        self,
        dialect: Dialect,
        *,
        path: str = "/chat/completions",
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.dialect = dialect
        self._path = path
        self._extra = dict(extra or {})

    @property
    def name(self) -> str:
        """The dialect's."""
        return self.dialect.name

    def path(self, model: str, *, stream: bool) -> str:  # noqa: ARG002 - the seam's signature
        """The same for every model, but for deployments of Azure."""
        return self._path.replace("{model}", quote(model, safe=""))

    def headers(self, key: Key) -> dict[str, str]:
        """The key as a bearer's token, or in the header of the dialect."""
        if self.dialect.key_header is None or not key.secret:
            return key.header
        return {self.dialect.key_header: key.secret}

    def body(self, request: Request, model: str, *, stream: bool) -> bytes:
        """What is posted."""
        dialect = self.dialect
        body: dict[str, Any] = {
            "model": model,
            "messages": self._messages(request, model),
            dialect.limit: request.max_output_tokens,
            "stream": stream,
            **self._extra,
        }
        if stream and dialect.counts_streams:
            body["stream_options"] = {"include_usage": True}
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.effort is not None and dialect.effort is not None:
            body |= dialect.effort(request.effort)
        if request.output_schema is not None:
            body |= _format(request.output_schema, dialect)
        if dialect.cache_key and (kept := cache_key(request)) is not None:
            body["prompt_cache_key"] = kept
        return dumped(body).encode("utf-8", "replace")

    def error_in(self, parsed: dict[str, Any]) -> ProviderError | None:
        """The error that a body holds, whatever its status was."""
        return error_in(parsed)

    def read(self, parsed: dict[str, Any], request: Request, model: str) -> Reply:
        """The reply in a chat completion.

        Raises:
            NotAnAnswer: It holds no choice, or no message in the first one.
        """
        choice = _first_choice(parsed)
        message = choice.get("message")
        if not isinstance(message, dict):
            raise NotAnAnswer("no choices, or no message in the first one")
        thought = read_thought(message, self.dialect.reasoning)
        refusal = content_text(message.get("refusal"))
        called = _called(message) if self.dialect.format == "tool" and not thought.text else ""
        echo, lost = keepable(self._echo(message, model))
        usage = chat_usage(_counts(parsed)) or estimate(request, thought.text, thought.reasoning)
        return sound(
            Reply(
                text=thought.text or called or refusal,
                model=shown(parsed.get("model") or model, 200),
                usage=usage,
                reasoning=thought.reasoning,
                reasoning_kind=_kind(thought, usage),
                finish_reason=_finish(choice, refusal=refusal, called=called),
                notes=(*withheld_note(thought.reasoning, usage), *self._notes(parsed, request), *lost),
                echo=echo,
            )
        )

    def assembler(self) -> Chunks:
        """For one streamed answer."""
        return Chunks()

    def _messages(self, request: Request, model: str) -> list[dict[str, Any]]:
        system, prompt = request.placed(_system(request, self.dialect))
        messages: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
        messages.append({"role": "user", "content": prompt})
        for turn in request.turns:
            messages.append({"role": "assistant", "content": turn.answer, **self._echoed(turn, model)})
            messages.append({"role": "user", "content": turn.objection})
        return messages

    def _echo(self, message: dict[str, Any], model: str) -> Any:
        """What this server takes back beside the text, under the name it came with.

        Signed and encrypted thinking is worth nothing to another model: the echo says whose it is.
        """
        for name in self.dialect.echoes:
            if message.get(name):
                return {"by": f"{self.name}:{model}", name: message[name]}
        return None

    def _echoed(self, turn: Turn, model: str) -> dict[str, Any]:
        echo = turn.echo
        if not isinstance(echo, dict) or echo.get("by") != f"{self.name}:{model}":
            return {}
        return {name: echo[name] for name in self.dialect.echoes if name in echo}

    def _notes(self, parsed: dict[str, Any], request: Request) -> tuple[str, ...]:
        notes = []
        if request.effort is not None and self.dialect.effort is None:
            notes.append(f"how much to think was not passed on: {self.name} may not know it")
        billed = object_in(parsed, "usage").get("cost")
        if isinstance(billed, int | float) and not isinstance(billed, bool) and 0 < billed < 10**6:
            notes.append(f"the provider billed {f'{billed:.9f}'.rstrip('0')} USD")
        return tuple(notes)


def _system(request: Request, dialect: Dialect) -> str:
    if request.output_schema is None or dialect.shows_schema:
        return request.system
    # In its own order, which is the order in which the model answers: reasoning before the verdict.
    return with_schema(request.system, request.output_schema)


def _format(schema: dict[str, Any], dialect: Dialect) -> dict[str, Any]:
    if dialect.format == "none":
        return {}
    if dialect.format == "json_object":
        return {"response_format": {"type": "json_object"}}
    if dialect.format == "tool":
        function = {"name": _TOOL, "description": "Give the answer", "parameters": schema}
        choice = {"type": "function", "function": {"name": _TOOL}}
        return {"tools": [{"type": "function", "function": function}], "tool_choice": choice}
    return {
        "response_format": {"type": "json_schema", "json_schema": named_schema(schema, strict=dialect.strict)}
    }


def named_schema(schema: dict[str, Any], *, strict: bool) -> dict[str, Any]:
    """A schema under a name, strict where that is wanted and can be."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", str(schema.get("title") or "answer"))[:64]
    held = strict_schema(schema) if strict else None
    if held is None:
        return {"name": name, "schema": schema}
    return {"name": name, "schema": held, "strict": True}


def _first_choice(parsed: dict[str, Any]) -> dict[str, Any]:
    return next(iter(objects_in(parsed.get("choices"))), {})


def _called(message: dict[str, Any]) -> str:
    """The arguments of the tool by which a typed answer comes."""
    for call in objects_in(message.get("tool_calls")):
        function = object_in(call, "function")
        if function.get("name") == _TOOL:
            arguments = function.get("arguments")
            # Some servers send them parsed.
            return arguments if isinstance(arguments, str) else dumped(arguments)
    return ""


def _finish(choice: dict[str, Any], *, refusal: str, called: str) -> str:
    if refusal:
        return "refusal"
    reason = shown(choice.get("finish_reason") or "stop")
    return "stop" if called and reason == "tool_calls" else reason


def _counts(parsed: dict[str, Any]) -> Any:
    """The counts of an answer; Groq puts those of a stream aside."""
    return parsed.get("usage") or object_in(parsed, "x_groq").get("usage")


def _kind(thought: Thought, usage: Usage) -> ReasoningKind:
    """Thinking that was billed and not shown is a fault to be seen, not to be swallowed."""
    if thought.reasoning is None and usage.reasoning > 0:
        return "withheld"
    return thought.kind
