"""What a provider is asked and what it says, whatever the format."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias

from dissensus_agents.messages import Usage

Spoken: TypeAlias = Literal["openai", "responses", "anthropic", "gemini"]
"""The formats: Chat Completions, Responses, Messages, generateContent."""

Finish: TypeAlias = Literal["stop", "length", "content_filter", "refusal", "tool"]
"""Why an answer ends; each format has its own word for it."""

ReasoningField: TypeAlias = Literal["reasoning_content", "reasoning", "reasoning_details", "think"]
"""Where Chat Completions carry the thinking: DeepSeek, vLLM, OpenRouter, `<think>` in the text."""

CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True)
class Received:
    """One request, as it came: `number` counts from 0."""

    method: str
    path: str
    headers: Mapping[str, str]
    raw: bytes
    number: int = 0

    @cached_property
    def body(self) -> dict[str, Any]:
        """The body, parsed; empty where it is no JSON object."""
        try:
            parsed = json.loads(self.raw)
        except ValueError:
            return {}
        return parsed if isinstance(parsed, dict) else {}

    @cached_property
    def format(self) -> Spoken | None:
        """Which format the path asks for; None where it is another page."""
        path = self.path.partition("?")[0]
        if self.method != "POST":
            return None
        if path.endswith((":generateContent", ":streamGenerateContent")):
            return "gemini"
        ends: dict[str, Spoken] = {"completions": "openai", "responses": "responses", "messages": "anthropic"}
        return ends.get(path.rpartition("/")[2])

    @property
    def streamed(self) -> bool:
        """Whether the answer is wanted in pieces."""
        return ":streamGenerateContent" in self.path or self.body.get("stream") is True

    @property
    def model(self) -> str:
        """The model that is asked."""
        if self.format == "gemini":
            return self.path.partition("?")[0].rpartition("/")[2].partition(":")[0]
        return str(self.body.get("model") or "")

    @cached_property
    def text(self) -> str:
        """Everything that the model is told, the system's part first, as one text."""
        body = self.body
        named = ("system", "instructions", "systemInstruction", "messages", "input", "contents")
        return "\n".join(piece for name in named if name in body for piece in _texts(body[name]))


def _texts(value: Any) -> Iterable[str]:
    """The texts in a message, a list of them, or a part of one."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for name in ("content", "parts", "text"):
            if name in value:
                yield from _texts(value[name])


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, said in whatever format it is asked for.

    Attributes:
        text: The visible answer; None: there is none.
        reasoning: The thinking before it.
        usage: The tokens; by default a quarter of the characters. `counted=False` sends none.
        finish: Why it ends.
        refusal: The words of a refusal; it sets `finish` as well.
        tool: A call of a tool instead of a text: its name and arguments.
        model: Who answers; by default whoever is asked.
        signature: What proves the thinking (Messages, generateContent, OpenRouter).
        encrypted: Thinking that only the provider can read (`encrypted_content`, `redacted_thinking`).
        reasoning_field: Where Chat Completions carry the thinking.
        headers: Sent along.
        extra: Fields that go into the body as they are.
        piece: Characters in each event of a stream.
        delay: Seconds before the first byte.
        pause: Seconds after each event of a stream.
    """

    text: str | None = "an answer"
    reasoning: str | None = None
    usage: Usage | None = None
    counted: bool = True
    finish: Finish = "stop"
    refusal: str = ""
    tool: tuple[str, Mapping[str, Any]] | None = None
    model: str = ""
    signature: str = ""
    encrypted: str = ""
    reasoning_field: ReasoningField = "reasoning_content"
    headers: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    piece: int = 24
    delay: float = 0.0
    pause: float = 0.0

    @property
    def ending(self) -> Finish:
        """Why it ends, as its other fields have it."""
        if self.refusal:
            return "refusal"
        return "tool" if self.tool and self.finish == "stop" else self.finish

    def tokens(self, asked: Received) -> Usage:
        """What it uses."""
        if self.usage is not None:
            return self.usage
        words = self.refusal or self.text or (json.dumps(self.tool) if self.tool else "")
        return Usage(_tokens(asked.text), _tokens(words), reasoning=_tokens(self.reasoning or ""))

    def called(self, asked: Received) -> str:
        """The model that answers."""
        return self.model or asked.model or "a-model"


def _tokens(text: str) -> int:
    return -(-len(text) // CHARACTERS_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Raw:
    """One answer as bytes, and misdeeds on the wire.

    Attributes:
        status: Of HTTP.
        body: At once, or piece by piece.
        headers: Sent along; one with the same name replaces ours.
        length: The content-length that it claims; None: the right one.
        chunked: Whether each piece is a chunk of its own, without a length.
        head: What is sent instead of a status line and headers.
        delay: Seconds before anything.
        pause: Seconds after each piece.
        ending: `keep` the connection, `close` it, `reset` it, or say no more and `hang`.
    """

    status: int = 200
    body: bytes | Iterable[bytes] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    chunked: bool = False
    head: bytes | None = None
    delay: float = 0.0
    pause: float = 0.0
    ending: Literal["keep", "close", "reset", "hang"] = "keep"

    @classmethod
    def json(cls, value: Any, status: int = 200, **more: Any) -> Raw:
        """A body of JSON."""
        return cls(status=status, body=json.dumps(value).encode(), **more)
