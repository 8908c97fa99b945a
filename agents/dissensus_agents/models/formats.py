"""What a wire format is: a request as a body, a body or a stream of events as a reply; no network.

A provider is a format with an address and a key (`wire.WireModel`). A format is pure: the same
request gives the same bytes, and everything that comes back is untrusted and bounded before it gets
here. An answer that was streamed is assembled into the body that would have come in one piece, so
that it is read in one way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from ..messages import Delta, Reply, Request
from .keys import Key

FailureKind: TypeAlias = Literal[
    "timeout",
    "rate_limit",
    "outage",
    "broken_off",
    "refusal",
    "content_policy",
    "context_overflow",
    "spent",
    "key",
    "unknown_model",
    "invalid",
    "malformed",
]
"""Why a call brought no usable answer: what failover decides by, and what the record says.

`outage`: no connection, or an error of the server; `broken_off`: in the middle of an answer;
`spent`: the provider's credit is gone; `key`: missing or not accepted; `invalid`: any other request
that the provider will not take; `malformed`: what came is no answer in this format.
"""


@dataclass(frozen=True, slots=True)
class ProviderError:
    """The error in a body: what the provider says, its own code, and the status and kind it means.

    `retry_after` are the seconds that the body (not a header) asks to wait.
    """

    message: str
    code: str = ""
    status: int | None = None
    kind: FailureKind | None = None
    retry_after: float | None = None


class NotAnAnswer(ValueError):
    """The body is something else than an answer in this format; the message says what."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream (SSE): its name, if it has one, and its data, parsed."""

    data: dict[str, Any]
    name: str = ""


class Assembler(Protocol):
    """Puts the events of one stream together."""

    @property
    def complete(self) -> bool:
        """Whether the stream has said that it is at its end, with a reason for it."""
        ...

    def feed(self, event: Event) -> Delta | ProviderError | None:
        """Take in one event: a piece of the answer, an error inside the stream, or nothing to show.

        Raises:
            NotAnAnswer: It is no event of this format.
        """
        ...

    def body(self) -> dict[str, Any]:
        """The body as it would have come in one piece, as far as the events go."""
        ...


class Format(Protocol):
    """One provider's way of writing requests and answers."""

    @property
    def name(self) -> str:
        """How dialects, errors and docs call it."""
        ...

    def path(self, model: str, *, stream: bool) -> str:
        """Path and query below the base URL, with the model's name escaped where it stands in it."""
        ...

    def headers(self, key: Key) -> dict[str, str]:
        """The headers that carry the key, and those that the format asks for."""
        ...

    def body(self, request: Request, model: str, *, stream: bool) -> bytes:
        """What is posted."""
        ...

    def error_in(self, parsed: dict[str, Any]) -> ProviderError | None:
        """The error that a body holds, whatever its status was."""
        ...

    def read(self, parsed: dict[str, Any], request: Request, model: str) -> Reply:
        """The reply in a body.

        Raises:
            NotAnAnswer: There is none.
        """
        ...

    def assembler(self) -> Assembler:
        """For one streamed answer."""
        ...
