"""Anthropic's Messages: a request as a body, a body as a reply. Nothing here touches the network."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ..messages import Effort, ReasoningKind, Reply, Request, Turn, Usage
from .anthropic_events import MessageAssembler, error_of
from .bodies import dumped
from .caching import LEAST_TOKENS, kept_parts, system_kept
from .client import estimate, sound
from .fields import count_in, keepable, object_in, objects_in, text_in
from .formats import Assembler, NotAnAnswer, ProviderError
from .keys import Key
from .schemas import closed, with_schema
from .texts import shown

Thinking: TypeAlias = Literal["adaptive", "budget", "none"]
Typed: TypeAlias = Literal["json_schema", "strict_tool", "tool", "words"]

TOOL = "answer"
"""The one tool, where a typed answer is the call of a tool."""

LEAST_BUDGET = 1024
"""Tokens of thinking below which the provider refuses a budget."""

NO_ROOM = "max_output_tokens leaves no room for the thinking that was asked for"
NO_TEMPERATURE = "the temperature was not sent: a thinking model takes none"
PARTLY_WITHHELD = "a part of the thinking was withheld"

_SILENT = "(no answer)"
_BY_TOOL = f"Give your answer by calling the tool `{TOOL}` once."
_SHARES: dict[Effort, float] = {"low": 0.25, "medium": 0.5, "high": 0.7, "max": 0.85}
_ENDS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "stop",
    "max_tokens": "length",
}


@dataclass(frozen=True, slots=True)
class AnthropicMessages:
    """The Messages format, and what of it a model can do.

    Args:
        thinking: How an effort is asked for: `adaptive` with an effort, or `budget` tokens (Claude 4.5
            and before); `none`: the model does not think.
        typed: How a typed answer is asked for; a schema that cannot be closed is put into words.
        thoughts: What the text of a thinking block is; newer models hand out a summary.
        caching: Whether the provider is asked to keep long beginnings of prompts.
        least_kept: Tokens below which it keeps none.
        version: The `anthropic-version`.
    """

    thinking: Thinking = "adaptive"
    typed: Typed = "json_schema"
    thoughts: ReasoningKind = "summary"
    caching: bool = True
    least_kept: int = LEAST_TOKENS
    version: str = "2023-06-01"

    @property
    def name(self) -> str:
        """How errors and docs call it."""
        return "anthropic"

    def path(self, model: str, *, stream: bool) -> str:  # noqa: ARG002 - both stand in the body here
        """The one path; model and streaming are said in the body."""
        return "/messages"

    def headers(self, key: Key) -> dict[str, str]:
        """The key and the version of the format."""
        version = {"anthropic-version": self.version}
        return version | {"x-api-key": key.secret} if key.secret else version

    def body(self, request: Request, model: str, *, stream: bool) -> bytes:
        """What is posted."""
        body: dict[str, Any] = {"model": model, "max_tokens": request.max_output_tokens}
        thinking = self._thinks(request)
        typed, schema = self._typed(request)
        system, prompt = request.placed(self._system(request, typed, thinking=thinking))
        if system.strip():
            marked = self.caching and system_kept(system, self.least_kept)
            body["system"] = [_block(system, marked=marked)]
        body["messages"] = self._messages(request, prompt, model)
        if request.temperature is not None and not thinking:
            body["temperature"] = request.temperature
        body |= self._thinking(request, thinking=thinking)
        config = {"effort": request.effort} if thinking and self.thinking == "adaptive" else {}
        if typed == "json_schema":
            body["output_config"] = {**config, "format": {"type": "json_schema", "schema": schema}}
        elif config:
            body["output_config"] = config
        if typed in {"tool", "strict_tool"}:
            body |= _tool(schema, strict=typed == "strict_tool", forced=not thinking)
        if stream:
            body["stream"] = True
        return dumped(body).encode("utf-8", "replace")

    def error_in(self, parsed: dict[str, Any]) -> ProviderError | None:
        """The error that a body holds, whatever its status was."""
        return error_of(parsed)

    def read(self, parsed: dict[str, Any], request: Request, model: str) -> Reply:
        """The reply in a message.

        Raises:
            NotAnAnswer: It has no content.
        """
        if not isinstance(parsed.get("content"), list):
            raise NotAnAnswer("a message without content")
        blocks = objects_in(parsed["content"])
        text, beside = _text(blocks)
        reasoning, kind, notes = self._reasoning(blocks, beside)
        usage = _usage(parsed) or estimate(request, text, reasoning)
        if reasoning is None and usage.reasoning > 0:
            kind = "withheld"
        echo, lost = keepable(_echo(blocks, model))
        end = text_in(parsed, "stop_reason")
        why, noted = _ended(parsed, end)
        return sound(
            Reply(
                text=text or why,
                model=shown(text_in(parsed, "model") or model, 200),
                usage=usage,
                reasoning=reasoning,
                reasoning_kind=kind,
                finish_reason=_ENDS.get(end) or shown(end or "stop"),
                notes=(*self._unsent(request), *notes, *noted, *lost),
                echo=echo,
            )
        )

    def assembler(self) -> Assembler:
        """For one streamed message."""
        return MessageAssembler()

    def _thinks(self, request: Request) -> bool:
        """Whether the request asks the model to think, and leaves it room for it."""
        if request.effort in {None, "none"} or self.thinking == "none":
            return False
        return self.thinking == "adaptive" or request.max_output_tokens >= 2 * LEAST_BUDGET

    def _thinking(self, request: Request, *, thinking: bool) -> dict[str, Any]:
        if thinking and self.thinking == "adaptive":
            return {"thinking": {"type": "adaptive", "display": "summarized"}}
        if thinking and request.effort is not None:
            share = int(request.max_output_tokens * _SHARES[request.effort])
            return {"thinking": {"type": "enabled", "budget_tokens": max(LEAST_BUDGET, share)}}
        if request.effort == "none" and self.thinking != "none":
            return {"thinking": {"type": "disabled"}}
        return {}

    def _unsent(self, request: Request) -> tuple[str, ...]:
        """What the request asks for and the body does not say."""
        notes = []
        wanted = request.effort not in {None, "none"} and self.thinking != "none"
        if wanted and not self._thinks(request):
            notes.append(NO_ROOM)
        if request.temperature is not None and self._thinks(request):
            notes.append(NO_TEMPERATURE)
        return tuple(notes)

    def _typed(self, request: Request) -> tuple[Typed, dict[str, Any]]:
        """How the typed answer of this request is asked for, and the schema as it is sent."""
        schema = request.output_schema
        if schema is None:
            return "words", {}
        if self.typed in {"words", "tool"}:
            return self.typed, schema
        strict = closed(schema)
        return ("words", schema) if strict is None else (self.typed, strict)

    def _system(self, request: Request, typed: Typed, *, thinking: bool) -> str:
        """The system text, with the schema or the tool in words where that is needed."""
        system = request.system
        if typed == "words" and request.output_schema is not None:
            system = with_schema(system, request.output_schema)
        if typed in {"tool", "strict_tool"} and thinking:
            system = f"{system}\n\n{_BY_TOOL}".strip()
        return system

    def _messages(self, request: Request, prompt: str, model: str) -> list[dict[str, Any]]:
        kept = kept_parts(request, self.least_kept) if self.caching else 0
        before = len(prompt) - len(request.prompt)
        first = before + len(request.head(kept)) if kept else 0
        messages: list[dict[str, Any]] = [{"role": "user", "content": _content(prompt, first)}]
        for turn in request.turns:
            echo = _echoed(turn, model)
            said = [] if any(block.get("type") == "tool_use" for block in echo) else [_block(turn.answer)]
            messages.append({"role": "assistant", "content": [*echo, *said]})
            messages.append({"role": "user", "content": _objection(turn, echo)})
        return messages

    def _reasoning(
        self, blocks: list[dict[str, Any]], beside: str
    ) -> tuple[str | None, ReasoningKind, tuple[str, ...]]:
        """The thinking, how much of it could be read, and what is to be noted."""
        texts = [text_in(block, "thinking") for block in blocks if block.get("type") == "thinking"]
        redacted = any(block.get("type") == "redacted_thinking" for block in blocks)
        thinking = "\n\n".join(text for text in texts if text.strip())
        if thinking:
            return thinking, self.thoughts, (PARTLY_WITHHELD,) if redacted else ()
        if texts or redacted:
            return None, "withheld", ()
        return beside or None, "rationale", ()


def format_for(model: str) -> AnthropicMessages:
    """The format as a model of this name takes it; what is not known is taken for a new one."""
    found = re.search(r"claude-(?:[a-z]+-)?(\d+)(?:[-.](\d{1,2})(?!\d))?", model)
    if found is None:
        return AnthropicMessages()
    version = int(found[1]), int(found[2] or 0)
    if version < (3, 7):
        return AnthropicMessages(thinking="none", typed="tool")
    if version < (4, 0):
        return AnthropicMessages(thinking="budget", typed="tool", thoughts="raw")
    if version < (4, 5):
        return AnthropicMessages(thinking="budget", typed="tool")
    return AnthropicMessages(thinking="budget" if version < (4, 6) else "adaptive")


def _block(text: str, *, marked: bool = False) -> dict[str, Any]:
    """A block of text; an empty one is an error 400."""
    block: dict[str, Any] = {"type": "text", "text": text if text.strip() else _SILENT}
    return block | {"cache_control": {"type": "ephemeral"}} if marked else block


def _content(prompt: str, first: int) -> list[dict[str, Any]]:
    """The prompt: what is worth keeping, so many characters, as one marked block, the rest as another."""
    if first in {0, len(prompt)}:
        return [_block(prompt, marked=first > 0)]
    return [_block(prompt[:first], marked=True), _block(prompt[first:])]


def _tool(schema: dict[str, Any], *, strict: bool, forced: bool) -> dict[str, Any]:
    """The one tool whose call is the answer; a model that thinks cannot be forced to call it."""
    tool: dict[str, Any] = {"name": TOOL, "description": "Give the answer.", "input_schema": schema}
    if strict:
        tool["strict"] = True
    choice = {"type": "tool", "name": TOOL} if forced else {"type": "auto"}
    return {"tools": [tool], "tool_choice": choice}


def _text(blocks: list[dict[str, Any]]) -> tuple[str, str]:
    """The answer, and what was written beside it: the call of the tool is the answer, if there is one."""
    text = "".join(text_in(block, "text") for block in blocks if block.get("type") == "text")
    for block in blocks:
        if block.get("type") == "tool_use" and block.get("name") == TOOL:
            given = block.get("input")
            return given if isinstance(given, str) else _one_line(given), text
    return text, ""


def _one_line(given: Any) -> str:
    try:
        return dumped(given)
    except RecursionError:
        raise NotAnAnswer("a tool's input that is nested too deeply") from None


def _echo(blocks: list[dict[str, Any]], model: str) -> dict[str, Any] | None:
    """The blocks that must go back as they came, in order; the text goes back as the turn's answer."""
    content = [block for block in blocks if text_in(block, "type") in {"thinking", "redacted_thinking"}]
    if content:
        content += [block for block in blocks if _is_call(block)]
    return {"model": model, "content": content} if content else None


def _is_call(block: dict[str, Any]) -> bool:
    """Whether it is a whole call of the tool, which can go back and be answered."""
    named = block.get("name") == TOOL and bool(text_in(block, "id"))
    return block.get("type") == "tool_use" and named and isinstance(block.get("input"), dict)


def _echoed(turn: Turn, model: str) -> list[dict[str, Any]]:
    """What goes back with a turn: only to the model it came from, which alone can read it."""
    echo = object_in(turn.echo)
    return objects_in(echo.get("content")) if echo.get("model") == model else []


def _objection(turn: Turn, echo: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the model is told: to a call of the tool, as its result."""
    results = [
        {"type": "tool_result", "tool_use_id": block["id"], "is_error": True, "content": turn.objection}
        for block in echo
        if _is_call(block)
    ]
    return results or [_block(turn.objection)]


def _ended(parsed: dict[str, Any], end: str) -> tuple[str, tuple[str, ...]]:
    """What a refusal says where the answer says nothing, and what of the end is to be noted."""
    if end == "model_context_window_exceeded":
        return "", ("the model's window was full before the answer was at its end",)
    if end != "refusal":
        return "", ()
    details = object_in(parsed, "stop_details")
    category = shown(text_in(details, "category"), 60)
    return text_in(details, "explanation"), (f"refused: {category}",) if category else ()


def _usage(parsed: dict[str, Any]) -> Usage | None:
    """The provider's counts; None where it did not count.

    `input_tokens` leaves the cache out, `output_tokens` holds the thinking. Without a reason for the
    end the answer was cut off, and its count is that of the beginning: at least what came is taken.
    """
    counts = object_in(parsed, "usage")
    output = count_in(counts, "output_tokens")
    thinking = min(count_in(object_in(counts, "output_tokens_details"), "thinking_tokens"), output)
    cut_off = not text_in(parsed, "stop_reason")
    if cut_off:
        seen = sum(
            len(text_in(block, name))
            for block in objects_in(parsed.get("content"))
            for name in ("text", "thinking", "input")
        )
        output = max(output, -(-seen // 4))
    usage = Usage(
        input=count_in(counts, "input_tokens"),
        output=output - thinking,
        cached=count_in(counts, "cache_read_input_tokens"),
        reasoning=thinking,
        estimated=cut_off,
        written=count_in(counts, "cache_creation_input_tokens"),
    )
    return usage if usage.input + usage.cached + usage.written and counts else None
