"""Gemini's generateContent: a request as a body, a body as a reply. Nothing here touches the network."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from urllib.parse import quote

from ..messages import Effort, Reply, Request, Turn, Usage
from .bodies import dumped
from .client import estimate, sound
from .fields import count_in, keepable, object_in, objects_in, text_in
from .formats import Assembler, NotAnAnswer, ProviderError
from .gemini_chunks import BLOCKED, ChunkAssembler, error_of
from .keys import Key
from .schemas import plain, with_schema
from .texts import shown

Thinking: TypeAlias = Literal["level", "budget", "none"]

NOT_OFF = "thinking was asked to be off; this model can think little, not nothing"

_SILENT = "(no answer)"
_LEVELS: dict[Effort, str] = {"none": "low", "low": "low", "medium": "medium", "high": "high", "max": "high"}
_SHARES: dict[Effort, float] = {"none": 0, "low": 0.25, "medium": 0.5, "high": 0.7, "max": 0.85}
_MOST_BUDGET = 24_576
_ENDS = {"STOP": "stop", "MAX_TOKENS": "length"} | dict.fromkeys(BLOCKED, "content_filter")


@dataclass(frozen=True, slots=True)
class GeminiContent:
    """The generateContent format, and what of it a model can do.

    Args:
        thinking: How an effort is asked for: a `level` (Gemini 3 on), or a `budget` of tokens (2.5);
            `none`: the model does not think.
        typed: Whether it takes a schema for its answer; where not, the schema is put into words.
        system: Whether it takes a system text; where not, that stands at the head of the prompt.
    """

    thinking: Thinking = "level"
    typed: bool = True
    system: bool = True

    @property
    def name(self) -> str:
        """How errors and docs call it."""
        return "gemini"

    def path(self, model: str, *, stream: bool) -> str:
        """The model stands in the path; the key never does."""
        kind, slash, own = model.partition("/")
        if not slash or kind not in {"models", "tunedModels"}:
            kind, own = "models", model
        verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return f"/{kind}/{quote(own, safe='')}:{verb}"

    def headers(self, key: Key) -> dict[str, str]:
        """The header that carries the key."""
        return {"x-goog-api-key": key.secret} if key.secret else {}

    def body(self, request: Request, model: str, *, stream: bool) -> bytes:  # noqa: ARG002 - in the path
        """What is posted."""
        system = request.system
        if request.output_schema is not None and not self.typed:
            system = with_schema(system, request.output_schema)
        body: dict[str, Any] = {}
        system, prompt = request.placed(system)
        if system.strip() and self.system:
            body["systemInstruction"] = {"parts": [{"text": system}]}
        elif system.strip():
            prompt = f"{system}\n\n{prompt}"
        body["contents"] = _contents(prompt, request.turns, model)
        body["generationConfig"] = self._generation(request)
        return dumped(body).encode("utf-8", "replace")

    def error_in(self, parsed: dict[str, Any]) -> ProviderError | None:
        """The error that a body holds, whatever its status was; a blocked prompt or answer is one."""
        return error_of(parsed)

    def read(self, parsed: dict[str, Any], request: Request, model: str) -> Reply:
        """The reply in a response.

        Raises:
            NotAnAnswer: It has no candidate.
        """
        candidates = objects_in(parsed.get("candidates"))
        if not candidates:
            raise NotAnAnswer("a response without candidates")
        parts = objects_in(object_in(candidates[0], "content").get("parts"))
        text = "".join(text_in(part, "text") for part in parts if part.get("thought") is not True)
        thoughts = "".join(text_in(part, "text") for part in parts if part.get("thought") is True)
        reasoning = thoughts if thoughts.strip() else None
        usage = _usage(parsed, cut_off=not text_in(candidates[0], "finishReason"), seen=len(text + thoughts))
        usage = usage or estimate(request, text, reasoning)
        echo, lost = keepable(_echo(parts, model))
        withheld = "withheld" if usage.reasoning else "rationale"
        end = text_in(candidates[0], "finishReason")
        return sound(
            Reply(
                text=text,
                model=shown(text_in(parsed, "modelVersion") or model, 200),
                usage=usage,
                reasoning=reasoning,
                reasoning_kind="summary" if reasoning else withheld,  # type: ignore[arg-type]
                finish_reason=_ENDS.get(end) or shown(end.lower() or "stop"),
                notes=(*self._unsent(request), *lost),
                echo=echo,
            )
        )

    def assembler(self) -> Assembler:
        """For one streamed response."""
        return ChunkAssembler()

    def _generation(self, request: Request) -> dict[str, Any]:
        config: dict[str, Any] = {"maxOutputTokens": request.max_output_tokens}
        if request.temperature is not None:
            config["temperature"] = request.temperature
        if request.output_schema is not None and self.typed:
            config["responseMimeType"] = "application/json"
            config["responseJsonSchema"] = plain(request.output_schema)
        if self.thinking != "none":
            config["thinkingConfig"] = self._thinking(request)
        return config

    def _thinking(self, request: Request) -> dict[str, Any]:
        """The summary of the thoughts is always asked for; how much there is, by the effort."""
        effort = request.effort
        config: dict[str, Any] = {"includeThoughts": True}
        if effort is None:
            return config
        if self.thinking == "level":
            return config | {"thinkingLevel": _LEVELS[effort]}
        share = int(request.max_output_tokens * _SHARES[effort])
        return {"includeThoughts": share > 0, "thinkingBudget": min(share, _MOST_BUDGET)}

    def _unsent(self, request: Request) -> tuple[str, ...]:
        return (NOT_OFF,) if request.effort == "none" and self.thinking == "level" else ()


def format_for(model: str) -> GeminiContent:
    """The format as a model of this name takes it; what is not known is taken for a new one."""
    if re.search(r"\bgemma", model):
        return GeminiContent(thinking="none", typed=False, system=False)
    found = re.search(r"gemini-(\d+)(?:\.(\d+))?", model)
    if found is None:
        return GeminiContent()
    version = int(found[1]), int(found[2] or 0)
    if version < (2, 5):
        return GeminiContent(thinking="none")
    return GeminiContent(thinking="budget" if version < (3, 0) else "level")


def _contents(prompt: str, turns: tuple[Turn, ...], model: str) -> list[dict[str, Any]]:
    contents: list[dict[str, Any]] = [_content("user", prompt)]
    for turn in turns:
        parts = _echoed(turn, model)
        contents.append({"role": "model", "parts": parts} if parts else _content("model", turn.answer))
        contents.append(_content("user", turn.objection))
    return contents


def _content(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"text": text if text.strip() else _SILENT}]}


def _echo(parts: list[dict[str, Any]], model: str) -> dict[str, Any] | None:
    """The answer's parts as they came, if one of them is signed: a signature stays with its part."""
    if not any(text_in(part, "thoughtSignature") for part in parts):
        return None
    kept = [part for part in parts if part.get("thought") is not True or text_in(part, "thoughtSignature")]
    return {"model": model, "parts": kept}


def _echoed(turn: Turn, model: str) -> list[dict[str, Any]]:
    """What goes back with a turn: only to the model it came from, which alone can read it."""
    echo = object_in(turn.echo)
    return objects_in(echo.get("parts")) if echo.get("model") == model else []


def _usage(parsed: dict[str, Any], *, cut_off: bool, seen: int) -> Usage | None:
    """The provider's counts; None where it did not count.

    `promptTokenCount` holds what was cached, `candidatesTokenCount` leaves the thoughts out. Of an
    answer that was cut off, at least what came is taken.
    """
    counts = object_in(parsed, "usageMetadata")
    sent = count_in(counts, "promptTokenCount")
    if not sent:
        return None
    cached = min(count_in(counts, "cachedContentTokenCount"), sent)
    output = count_in(counts, "candidatesTokenCount")
    thoughts = count_in(counts, "thoughtsTokenCount")
    if cut_off:
        output = max(output, -(-seen // 4) - thoughts)
    return Usage(
        input=sent - cached + count_in(counts, "toolUsePromptTokenCount"),
        output=output,
        cached=cached,
        reasoning=thoughts,
        estimated=cut_off,
    )
