"""What is said to a model and what it says: requests and replies, with no provider in sight."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from dissensus_state.values import JSON, canonical, parse

from .context.templates import Template, Templates
from .errors import GraphError

ReasoningKind = Literal["raw", "summary", "withheld", "rationale"]
"""How much of a model's thinking could be read.

`raw`: the chain of thought as it was; `summary`: the provider's summary of it; `withheld`: the
model thought (reasoning tokens were billed) and nothing of it was shown; `rationale`: what the
model wrote in its answer to justify it.
"""


Effort = Literal["none", "low", "medium", "high", "max"]
"""How much a model is asked to think before it answers."""


def check_effort(effort: Effort | None, owner: str) -> Effort | None:
    """The effort, if it is one.

    Raises:
        GraphError: It is none.
    """
    known = get_args(Effort)
    if effort is None or effort in known:
        return effort
    raise GraphError(f"The effort of {owner!r} is one of {', '.join(known)}, and not {effort!r}")


@dataclass(frozen=True, slots=True)
class Shown:
    """What of a part is shown, where not all of it fits its model's window.

    `by` is the rule: `newest` or `relevant` items, a `piece` of a text, a `summary`. `room` are the
    tokens that there were for all parts, so that a replay fits them alike. `ranges` are places of items,
    or of characters for a piece, out of `of`: from the first on, up to but not with the second.
    `summaries` are the recorded calls that a summary was made by: seat and attempt.
    """

    by: Literal["newest", "relevant", "piece", "summary"]
    room: int
    of: int = 0
    ranges: tuple[tuple[int, int], ...] = ()
    summaries: tuple[tuple[str, int], ...] = ()

    def as_json(self) -> dict[str, JSON]:
        """What the records say of it."""
        if self.by == "summary":
            made: list[JSON] = [list(call) for call in self.summaries]
            return {"by": self.by, "room": self.room, "summaries": made}
        kept: list[JSON] = [list(one) for one in self.ranges]
        return {"by": self.by, "room": self.room, "kept": kept, "of": self.of}

    @property
    def count(self) -> int:
        """How many items (or characters) are shown."""
        return sum(end - begin for begin, end in self.ranges)


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a prompt: literal text, or something that stands in the history already.

    `source` says where it stands, so that it is not stored again: a JSON pointer into the state at
    the round's base version, `document:NAME#12` for a passage of a document of the session, or
    `position:A` for a position of the round under review. None is a literal. `shown` says what of it
    is shown, where that is not all. `value` is what stands there.
    """

    text: str
    source: str | None = None
    title: str = ""
    shown: Shown | None = None
    value: JSON = field(default=None, compare=False, repr=False)

    def render(self) -> str:
        """The piece as the model reads it."""
        return f"## {self.title}\n{self.text}" if self.title else self.text


@dataclass(frozen=True, slots=True)
class Turn:
    """An answer that would not do, and what the model is told about it.

    `echo` is what its provider wants back beside the text, as it came: signed thinking, encrypted blocks.
    """

    answer: str
    objection: str
    echo: JSON = None


@dataclass(frozen=True, slots=True)
class Request:
    """Everything that a model is asked in one call.

    `output_schema` is the JSON schema that the answer must fit (None: free text); `turns` are the
    answers of this very call that were sent back. `max_output_tokens` bounds answer and thinking
    together; `effort` None leaves the thinking to the provider. `templates` are ways to write the
    prompt, by the maker of the model; `template` is the one that was chosen for the model that is asked
    (None: headings). `pending` are the summaries that its parts still wait for. `sensitive` are the
    sensitive paths that it may tell of: it is only sent to a model that is trusted with them.
    """

    system: str
    parts: tuple[Part, ...]
    output_schema: dict[str, Any] | None = None
    max_output_tokens: int = 4096
    temperature: float | None = None
    turns: tuple[Turn, ...] = ()
    effort: Effort | None = None
    template: Template | None = None
    templates: Templates | None = field(default=None, compare=False, repr=False)
    pending: tuple[Pending, ...] = field(default=(), compare=False, repr=False)
    sensitive: tuple[str, ...] = field(default=(), compare=False, repr=False)

    @property
    def prompt(self) -> str:
        """The parts as one text."""
        return self.head(len(self.parts))

    def head(self, count: int) -> str:
        """The first parts as one text, with which the prompt begins."""
        parts = self.parts[:count]
        if self.template is not None:
            return self.template.text(parts)
        return "\n\n".join(part.render() for part in parts)

    def placed(self, system: str) -> tuple[str, str]:
        """A system text and the prompt, each where the model takes it: without a system role, all in one."""
        if self.template is None or self.template.system or not system:
            return system, self.prompt
        return "", f"{system}\n\n{self.prompt}"

    @property
    def characters(self) -> int:
        """How long everything sent is, in characters, the schema aside."""
        return (
            len(self.system)
            + self._prompt_characters
            + sum(len(turn.answer) + len(turn.objection) for turn in self.turns)
        )

    @property
    def _prompt_characters(self) -> int:
        if self.template is not None:
            return len(self.prompt)
        return sum(len(part.text) + len(part.title) + 5 for part in self.parts)

    @property
    def schema_text(self) -> str:
        """The output schema as one line of JSON; empty without one."""
        return "" if self.output_schema is None else _text_of(self.output_schema)

    @property
    def frame(self) -> str:
        """What is the same in every request of an agent in a step, as one text to be stored once."""
        template = None if self.template is None else canonical(self.template.as_json())
        return _frame(
            self.system, self.schema_text, self.max_output_tokens, self.temperature, self.effort, template
        )

    def said_to(self, name: str, lineage: str) -> Request:
        """The same request as a model of this name and lineage is asked it: in the template that suits it."""
        if self.templates is None:
            return self
        return replace(self, template=self.templates.for_model(name, lineage))

    def again(self, answer: str, objection: str, echo: JSON = None) -> Request:
        """The same request, with the answer that would not do and why."""
        return replace(self, turns=(*self.turns, Turn(answer, objection, echo)))


@dataclass(frozen=True, slots=True)
class Pending:
    """A part of a request that waits for its summary.

    `place` is the part's, `share` the tokens that it may take, `room` those of all parts together.
    `asks` are the questions to the `model` that summarises, by their seats.
    """

    place: int
    share: int
    room: int
    model: Any
    asks: Mapping[str, Request]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, in buckets that do not overlap.

    `input` is what was sent fresh, `cached` what the provider read from its cache, `written` what it
    wrote into it; `output` is the visible answer, `reasoning` the thinking. `estimated` says that the
    provider did not count and a quarter of the characters was taken.
    """

    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0
    estimated: bool = False
    written: int = 0


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of an answer, or of the thinking before it, as it arrives."""

    text: str = ""
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of a model, as it came.

    `model` is the model that answered, as the provider names it. `latency_ms` and `ttft_ms` (time
    to the first token, if it was seen) are milliseconds. `raw` is the provider's body. `notes` name
    what had to be mended, for instance characters that are not text. `echo` is what the provider wants
    back, as it came, if the model is asked again on top of this answer.
    """

    text: str
    model: str
    usage: Usage = Usage()
    reasoning: str | None = None
    reasoning_kind: ReasoningKind = "rationale"
    finish_reason: str = "stop"
    latency_ms: int = 0
    ttft_ms: int | None = None
    raw: bytes | None = None
    notes: tuple[str, ...] = ()
    echo: JSON = None


_MOST_SCHEMAS = 256
_schemas: dict[int, tuple[dict[str, Any], str]] = {}


def _text_of(schema: dict[str, Any]) -> str:
    """The text of a schema, written once for each object; holding the object keeps its id its own."""
    known = _schemas.get(id(schema))
    if known is None:
        if len(_schemas) >= _MOST_SCHEMAS:
            _schemas.clear()
        known = _schemas[id(schema)] = schema, canonical(schema)
    return known[1]


@functools.lru_cache(maxsize=256)
def _frame(
    system: str,
    schema: str,
    max_output_tokens: int,
    temperature: float | None,
    effort: Effort | None,
    template: str | None,
) -> str:
    stands: dict[str, JSON] = {
        "max_output_tokens": max_output_tokens,
        "system": system,
        "temperature": temperature,
    }
    if effort is not None:
        stands["effort"] = effort
    if template is not None:
        stands["template"] = parse(template)
    return canonical(stands)[:-1] + f',"schema":{schema or "null"}}}'
