"""OpenAI's Responses: where its newer models show a summary of their thinking."""

from __future__ import annotations

import re
from typing import Any, Literal

from ..messages import ReasoningKind, Reply, Request, Turn
from .bodies import dumped
from .caching import cache_key
from .client import estimate, sound
from .completions import named_schema
from .counts import responses_usage
from .fields import keepable, object_in, objects_in
from .formats import NotAnAnswer, ProviderError
from .keys import Key
from .openai import OPENAI_URL
from .response_events import ResponseEvents, failure_in
from .texts import shown
from .thoughts import withheld_note
from .wire import WireModel

Summary = Literal["auto", "concise", "detailed"]

ENCRYPTED = "reasoning.encrypted_content"

_REASONS = re.compile(r"(?:\A|/)(?:o\d|gpt-oss|codex|gpt-(?:[5-9]|\d\d)(?!.*-chat))", re.IGNORECASE)
"""Names of models that think; the others answer 400 to whoever asks for their thinking."""

_INCOMPLETE = {"max_output_tokens": "length", "content_filter": "content_filter"}


class Responses:
    """The format.

    Nothing is kept at OpenAI (`store` is false): what it wants to see again comes back encrypted,
    and goes along with the answer to which it belongs.

    Args:
        summary: How much of its thinking a model is to show; None: nothing.
        reasons: Whether the model thinks; None: its name tells.
    """

    name = "openai-responses"

    def __init__(self, *, summary: Summary | None = "auto", reasons: bool | None = None) -> None:
        self._summary = summary
        self._reasons = reasons

    def path(self, model: str, *, stream: bool) -> str:  # noqa: ARG002 - the seam's signature
        """The same for every model, since its name stands in the body."""
        return "/responses"

    def headers(self, key: Key) -> dict[str, str]:
        """The key as a bearer's token."""
        return key.header

    def body(self, request: Request, model: str, *, stream: bool) -> bytes:
        """What is posted."""
        system, prompt = request.placed(request.system)
        body: dict[str, Any] = {
            "model": model,
            "input": self._input(request, prompt, model),
            "max_output_tokens": request.max_output_tokens,
            "store": False,
            "stream": stream,
        }
        if system:
            body["instructions"] = system
        if (kept := cache_key(request)) is not None:
            body["prompt_cache_key"] = kept
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.output_schema is not None:
            held = named_schema(request.output_schema, strict=True)
            # Strict is what Responses takes a format for that does not say.
            body["text"] = {"format": {"type": "json_schema", "strict": False, **held}}
        return dumped(body | self._thinking(request, model)).encode("utf-8", "replace")

    def _thinking(self, request: Request, model: str) -> dict[str, Any]:
        reasoning: dict[str, Any] = {}
        thinks = bool(_REASONS.search(model)) if self._reasons is None else self._reasons
        if request.effort is not None:
            reasoning["effort"] = "xhigh" if request.effort == "max" else request.effort
        if thinks and self._summary is not None:
            reasoning["summary"] = self._summary
        return ({"reasoning": reasoning} if reasoning else {}) | ({"include": [ENCRYPTED]} if thinks else {})

    def _input(self, request: Request, prompt: str, model: str) -> list[Any]:
        items: list[Any] = [{"role": "user", "content": prompt}]
        for turn in request.turns:
            items += _echoed(turn, model) or [{"role": "assistant", "content": turn.answer}]
            items.append({"role": "user", "content": turn.objection})
        return items

    def error_in(self, parsed: dict[str, Any]) -> ProviderError | None:
        """The error that a body holds, whatever its status was."""
        failed = parsed.get("error") or parsed.get("status") == "failed"
        return failure_in(parsed) if failed else None

    def read(self, parsed: dict[str, Any], request: Request, model: str) -> Reply:
        """The reply in a response.

        Raises:
            NotAnAnswer: It has no output.
        """
        output = parsed.get("output")
        if not isinstance(output, list):
            raise NotAnAnswer("no output")
        items = objects_in(output)
        messages = [item for item in items if item.get("type") == "message"]
        said = [part for item in messages for part in objects_in(item.get("content"))]
        text, refusal = _texts(said, "output_text", "text"), _texts(said, "refusal", "refusal")
        reasoning, kind = _thought(items)
        echo, lost = keepable(_echo(items, model))
        usage = responses_usage(parsed.get("usage")) or estimate(request, text, reasoning)
        return sound(
            Reply(
                text=text or refusal,
                model=shown(parsed.get("model") or model, 200),
                usage=usage,
                reasoning=reasoning,
                reasoning_kind="withheld" if reasoning is None and usage.reasoning else kind,
                finish_reason="refusal" if refusal else _finish(parsed),
                notes=(*withheld_note(reasoning, usage), *lost),
                echo=echo,
            )
        )

    def assembler(self) -> ResponseEvents:
        """For one streamed answer."""
        return ResponseEvents()


class ResponsesModel(WireModel):
    """A model behind OpenAI's Responses, or behind a server that speaks them.

    Args:
        model: The model, as the server calls it.
        base_url: Where `/responses` stands.
        key_env: The environment variable with the key; None: no key is sent.
        summary: How much of its thinking a model is to show; None: nothing.
        reasons: Whether the model thinks; None: its name tells.
        more: Whatever else `WireModel` takes.

    Raises:
        ProviderFailed: The base URL is none.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str = OPENAI_URL,
        key_env: str | None = "OPENAI_API_KEY",
        summary: Summary | None = "auto",
        reasons: bool | None = None,
        **more: Any,
    ) -> None:
        form = Responses(summary=summary, reasons=reasons)
        super().__init__(form, model, base_url=base_url, key_env=key_env, **more)


def _texts(parts: list[dict[str, Any]], kind: str, field: str, between: str = "") -> str:
    texts = (part.get(field) for part in parts if part.get("type") == kind)
    return between.join(text for text in texts if isinstance(text, str))


def _thought(items: list[dict[str, Any]]) -> tuple[str | None, ReasoningKind]:
    """The thinking itself where it is shown (open models), else its summary; encrypted is withheld."""
    thoughts = [item for item in items if item.get("type") == "reasoning"]
    raw = "\n\n".join(
        filter(None, (_texts(objects_in(one.get("content")), "reasoning_text", "text") for one in thoughts))
    )
    if raw:
        return raw, "raw"
    summaries = (_texts(objects_in(one.get("summary")), "summary_text", "text", "\n\n") for one in thoughts)
    if summary := "\n\n".join(filter(None, summaries)):
        return summary, "summary"
    hidden = any(one.get("encrypted_content") for one in thoughts)
    return None, "withheld" if hidden else "rationale"


def _finish(parsed: dict[str, Any]) -> str:
    reason = object_in(parsed, "incomplete_details").get("reason")
    if reason or parsed.get("status") == "incomplete":
        return _INCOMPLETE.get(str(reason), shown(reason or "incomplete"))
    status = parsed.get("status") or "completed"
    return "stop" if status == "completed" else shown(status)


def _echo(items: list[dict[str, Any]], model: str) -> Any:
    """The items as they came, if there is thinking among them that OpenAI can read again.

    A reasoning item must be followed by what it led to, so all of them go back together.
    """
    if not any(item.get("type") == "reasoning" and item.get("encrypted_content") for item in items):
        return None
    return {"by": f"{Responses.name}:{model}", "items": items}


def _echoed(turn: Turn, model: str) -> list[Any]:
    echo = turn.echo
    if not isinstance(echo, dict) or echo.get("by") != f"{Responses.name}:{model}":
        return []
    items = echo.get("items")
    return items if isinstance(items, list) else []
