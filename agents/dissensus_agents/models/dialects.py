"""What sets the servers apart that speak OpenAI's Chat Completions: a row for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..errors import UnknownModel
from ..messages import ReasoningKind


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of server wants to be asked, and how it answers.

    `limit` names the field that bounds the answer. `format` is what `response_format` it takes for
    typed answers; `shows_schema` says whether its models come to see that schema: where they don't,
    or where there is no such format, the schema stands in the prompt as well. `reasoning` is what a
    plain reasoning field of it holds. `counts_streams` says that it takes `stream_options`, without
    which a stream may end uncounted; `streams` that it can stream at all.
    """

    name: str
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    format: Literal["json_schema", "json_object", "none"] = "none"
    shows_schema: bool = False
    reasoning: ReasoningKind = "raw"
    counts_streams: bool = True
    streams: bool = True


COMPATIBLE = Dialect("openai-compatible", counts_streams=False)
"""Any server that nothing is known of: a field that it does not know could be its error 400."""

DIALECTS = {
    dialect.name: dialect
    for dialect in (
        COMPATIBLE,
        Dialect(
            "openai",
            limit="max_completion_tokens",
            format="json_schema",
            shows_schema=True,
            reasoning="summary",
        ),
        Dialect("ollama", format="json_schema"),
        Dialect("vllm", format="json_schema"),
        Dialect("llamacpp", format="json_schema"),
        Dialect("openrouter", format="json_schema"),
        Dialect("deepseek", format="json_object"),
        Dialect("groq", format="json_object"),  # json_schema is an error 400 for many of its models
        Dialect("together"),
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
