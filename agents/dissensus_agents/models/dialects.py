"""What sets the servers apart that speak OpenAI's Chat Completions: a row for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ..errors import UnknownModel
from ..messages import Effort, ReasoningKind

Thinks: TypeAlias = Callable[[Effort], dict[str, Any]]
"""How much a model is to think, as the fields of a request."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of server wants to be asked, and how it answers.

    `limit` names the field that bounds the answer. `format` is how a typed answer is asked for: by
    `response_format`, by a `tool` that the model must call, or not at all; `strict` says that the
    server holds the answer to a strict schema; `shows_schema` says whether its models come to see
    the schema: where they don't, or where there is no such format, it stands in the prompt as well.
    `reasoning` is what a plain reasoning field of it holds, `effort` how it is told how much to
    think (None: nothing is known), `echoes` which fields of an answer it takes back with that
    answer, the first one that is there. `key_header` bears the key; None is a bearer's token.
    `counts_streams` says that it takes `stream_options`, without which a stream may end uncounted;
    `streams` that it can stream at all; `cache_key` that prompts with one beginning can be given one
    `prompt_cache_key`, by which they come to the machine that has it in its cache.
    """

    name: str
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    format: Literal["json_schema", "json_object", "tool", "none"] = "none"
    strict: bool = False
    shows_schema: bool = False
    reasoning: ReasoningKind = "raw"
    effort: Thinks | None = None
    echoes: tuple[str, ...] = ()
    key_header: str | None = None
    counts_streams: bool = True
    streams: bool = True
    cache_key: bool = False


def _plain(effort: Effort) -> dict[str, Any]:
    return {"reasoning_effort": "high" if effort == "max" else effort}


def _openai(effort: Effort) -> dict[str, Any]:
    return {"reasoning_effort": "xhigh" if effort == "max" else effort}


def _openrouter(effort: Effort) -> dict[str, Any]:
    return {"reasoning": {"effort": effort}}


def _together(effort: Effort) -> dict[str, Any]:
    return {"reasoning": {"enabled": False}} if effort == "none" else _plain(effort)


def _deepseek(effort: Effort) -> dict[str, Any]:
    if effort == "none":
        return {"thinking": {"type": "disabled"}}
    return {"thinking": {"type": "enabled"}, "reasoning_effort": effort}


def _vllm(effort: Effort) -> dict[str, Any]:
    """Its templates know a switch under two names; only some know how much."""
    on = effort != "none"
    switch = {"chat_template_kwargs": {"enable_thinking": on, "thinking": on}}
    return switch | _plain(effort) if on else switch


def _llamacpp(effort: Effort) -> dict[str, Any]:
    on = effort != "none"
    template = {"enable_thinking": on} | (_plain(effort) if on else {})
    return {"chat_template_kwargs": template}


COMPATIBLE = Dialect("openai-compatible", counts_streams=False)
"""Any server that nothing is known of: a field that it does not know could be its error 400."""

_OPENAI = Dialect(
    "openai",
    limit="max_completion_tokens",
    format="json_schema",
    strict=True,
    shows_schema=True,
    reasoning="summary",
    effort=_openai,
    cache_key=True,
)

DIALECTS = {
    dialect.name: dialect
    for dialect in (
        COMPATIBLE,
        _OPENAI,
        Dialect(
            "azure",
            limit="max_completion_tokens",
            format="json_schema",
            strict=True,
            shows_schema=True,
            reasoning="summary",
            effort=_openai,
            key_header="api-key",
        ),
        # It hangs on thinking that is sent back.
        Dialect("ollama", format="json_schema", effort=_plain),
        Dialect("vllm", format="json_schema", effort=_vllm, echoes=("reasoning", "reasoning_content")),
        Dialect("llamacpp", format="json_schema", effort=_llamacpp, echoes=("reasoning_content",)),
        Dialect(
            "openrouter",
            format="json_schema",
            effort=_openrouter,
            echoes=("reasoning_details", "reasoning"),
        ),
        # It wants reasoning_content back only beside the call of a tool, of which we send none.
        Dialect("deepseek", format="json_object", effort=_deepseek),
        Dialect("groq", format="json_object", effort=_plain),  # json_schema is a 400 for many of its models
        Dialect("together", effort=_together),
    )
}
"""Every dialect by its name."""


def find_dialect(name: str) -> Dialect:
    """The dialect of that name.

    Raises:
        UnknownModel: There is none.
    """
    if name not in DIALECTS:
        raise UnknownModel(f"No dialect is called {name!r}", next_step=f"Take one of {', '.join(DIALECTS)}")
    return DIALECTS[name]
