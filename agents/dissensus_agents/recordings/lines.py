"""The lines of a file of recordings; docs/recordings.md says how to read one without the library."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

FORMAT = "dissensus.recordings"
VERSION = 1

MOST_LINE = 64 * 1024 * 1024
"""Bytes that a line may have; a longer one is refused before it is read."""

HOW = (
    "JSON Lines in UTF-8. A line of type 'part' holds one text of the prompts, by its SHA-256 in "
    "hexadecimal; it stands before the first line that names it. A line of type 'call' is one call of a "
    "model: its request names parts. What a model was sent is the system text, the parts in their order "
    "with their titles, and the turns. The last line is of type 'end': without it the file is not whole."
)

Digest: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256, in hexadecimal."""

Whole: TypeAlias = Annotated[int, Field(ge=0)]


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class Header(_Line):
    """The first line: what the file is, what it holds, and how to read it."""

    type: Literal["header"] = "header"
    format: Literal["dissensus.recordings"] = "dissensus.recordings"
    version: int
    session: str
    state: str = Field(description="The name of the session's schema")
    state_version: int
    left_out: tuple[Literal["raw", "reasoning"], ...] = Field(
        default=(), description="What whoever made the file did not put into it"
    )
    how_to_read: str = ""


class PartLine(_Line):
    """One text of the prompts."""

    type: Literal["part"] = "part"
    sha256: Digest
    text: str


class Piece(_Line):
    """A piece of a prompt, in its place."""

    text: Digest | None = Field(description="The part; null: it cannot be had any more, `missing` says why")
    title: str = Field(default="", description="The heading above it")
    source: str | None = Field(
        default=None,
        description="Where it stands: a path of the state, `document:NAME#12`, `position:A`, `reversed:A`",
    )
    version: int | None = Field(default=None, description="The version of the state that it was read at")
    shown: dict[str, Any] | None = Field(default=None, description="What of it is shown, where not all is")
    redacted: bool = Field(default=False, description="Some of it was taken away for good")
    missing: str | None = None


class Said(_Line):
    """An answer of this very call that would not do, and what the model was told about it."""

    answer: Digest
    objection: Digest
    echo: Digest | None = Field(default=None, description="JSON that the provider wanted back")


class Asked(_Line):
    """What a model was asked."""

    system: Digest
    schema_: Digest | None = Field(alias="schema", description="The JSON schema of the answer")
    parts: tuple[Piece, ...]
    turns: tuple[Said, ...] = ()
    max_output_tokens: int
    temperature: float | None = None
    effort: Literal["none", "low", "medium", "high", "max"] | None = None
    template: dict[str, Any] | None = Field(default=None, description="What stands around each titled part")


class Tokens(_Line):
    """What was used, in buckets that do not overlap."""

    input: Whole = 0
    cached: Whole = Field(default=0, description="Read from the provider's cache")
    written: Whole = Field(default=0, description="Written to the provider's cache")
    output: Whole = 0
    reasoning: Whole = 0
    estimated: bool = False


class Raw(_Line):
    """The provider's body, as text or else in base64."""

    text: str | None = None
    base64: str | None = None


class CallLine(_Line):
    """One call of a model."""

    type: Literal["call"] = "call"
    round: int
    step: str
    branch: str
    base: int = Field(description="The version of the state that the round was begun on")
    seat: str = Field(description="The agent, or `supervisor`")
    attempt: int
    model: str
    lineage: str
    status: Literal["held", "sent", "answered", "partial", "failed", "unknown"]
    sent_at: int = Field(description="Milliseconds since 1970")
    request: Asked | None = Field(description="null: it was taken away for good, or is no agent's")
    digest: Digest | None = Field(
        description="SHA-256 of the request, canonical; null where a piece of it is missing or redacted"
    )
    answer: str | None = None
    reasoning: str | None = None
    reasoning_kind: Literal["raw", "summary", "withheld", "rationale"] = "rationale"
    echo: Any = Field(default=None, description="What the provider wants back, as it came")
    finish_reason: str = "stop"
    usage: Tokens = Tokens()
    price: dict[str, Any] | None = Field(default=None, description="US dollars for a million tokens")
    reserved_nano_usd: int = 0
    cost_nano_usd: int | None = Field(default=None, description="null: nobody knows")
    latency_ms: Whole = 0
    ttft_ms: int | None = Field(default=None, description="Milliseconds to the first piece")
    detail: dict[str, Any] | None = Field(
        default=None, description="`tries`, `passed_over`, notes; of a failure its code, message and kind"
    )
    raw: Raw | None = None
    redacted: tuple[Literal["request", "answer", "reasoning", "raw"], ...] = Field(
        default=(), description="What was taken away for good"
    )


class End(_Line):
    """The last line: how many lines stood before it, and the digest of their bytes."""

    type: Literal["end"] = "end"
    parts: Whole
    calls: Whole
    sha256: Digest


Line: TypeAlias = Annotated[Header | PartLine | CallLine | End, Field(discriminator="type")]
LINE: TypeAdapter[Header | PartLine | CallLine | End] = TypeAdapter(Line)


def schema() -> dict[str, Any]:
    """The JSON schema of a line."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **LINE.json_schema(by_alias=True)}


def encoded(line: _Line) -> bytes:
    """A line as it stands in the file."""
    return line.model_dump_json(by_alias=True).encode() + b"\n"


def sha256(text: str) -> str:
    """The digest under which a text stands."""
    return hashlib.sha256(text.encode()).hexdigest()
