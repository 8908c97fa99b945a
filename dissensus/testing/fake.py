"""A provider on this machine: a real HTTP server that speaks every format, and every fault.

    with FakeProvider() as provider:
        provider.says(Fault.rate_limit(retry_after=0), "42", reasoning="because")
        model = OpenAIModel("a-model", base_url=provider.url("openai"), key_env=None)

As a process of its own, so that its work is not the client's:

    python -m dissensus.testing.provider --port 8123 --says 42
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

from .answers import Answer, Raw, Received, Spoken
from .faults import Fault
from .server import Server
from .speaking import models, nowhere, said

Sayable: TypeAlias = str | Answer | Fault | Raw
"""What can be said: a text, a whole answer, a fault, bytes as they are."""

_BASES: dict[Spoken, str] = {"openai": "/v1", "responses": "/v1", "anthropic": "/v1", "gemini": "/v1beta"}


class FakeProvider:
    """A provider that says what it is told to say, in the format in which it is asked.

    It starts with `with`, or with `start()` and `stop()`.

    Args:
        port: Where to listen; 0: any free port.
        host: On which address.
        models: What its lists of models show.
        keeps: How many requests `received` holds; None: all of them.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        models: tuple[str, ...] = ("a-model",),
        keeps: int | None = None,
    ) -> None:
        self.models = models
        self.asked = threading.Event()
        self._host = host
        self._keeps = keeps
        self._received: list[Received] = []
        self._says: list[Sayable] = [Answer()]
        self._decides: Callable[[Received], Sayable] = self._next
        self._defect: Exception | None = None
        self._server = Server(self._reply, host, port)

    def says(self, *sayings: Sayable, **fields: Any) -> None:
        """What to answer from now on, in this order, the last one for ever.

        Args:
            sayings: Texts, `Answer`s, `Fault`s, `Raw` bytes.
            fields: Of `Answer`, for each of the texts.

        Raises:
            ValueError: Nothing is said, or something after a refused connection, which nobody can ask for.
        """
        if not sayings:
            raise ValueError("Say at least one thing")
        told: list[Sayable] = [
            Answer(saying, **fields) if isinstance(saying, str) else saying for saying in sayings
        ]
        refuses = [isinstance(saying, Fault) and saying.connection == "refused" for saying in told]
        if any(refuses) and len(told) > 1:
            raise ValueError("A refused connection cannot be told in a row: say it alone, then the next")
        self._says = told
        self._decides = self._next
        if refuses[0]:
            self._server.refuse()
        else:
            self._server.listen()

    def answers(self, decides: Callable[[Received], Sayable]) -> None:
        """Answer with what a function makes of each request.

        Whatever has no memory answers a process that was killed and asks again as it did before. An error
        in the function is answered with status 500, and raised when the provider stops.
        """
        self._decides = decides

    def url(self, spoken: Spoken = "openai", *, scheme: Literal["http", "https"] = "http") -> str:
        """The base URL for a format; with `https` there is no TLS behind it, but garbage."""
        return f"{scheme}://{self._host}:{self._server.port}{_BASES[spoken]}"

    @property
    def received(self) -> list[Received]:
        """The requests for an answer, the oldest first."""
        return list(self._received)

    @property
    def connections(self) -> int:
        """How many connections were taken."""
        return self._server.connections

    def start(self) -> Self:
        """Listen; the same provider, for chaining.

        Raises:
            OSError: The port is taken.
        """
        self._server.start()
        return self

    def stop(self) -> None:
        """End, and raise what the function of `answers` has raised."""
        self._server.stop()
        if self._defect is not None:
            raise self._defect

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()
        if self._defect is not None and error is None:
            raise self._defect

    def _next(self, _asked: Received) -> Sayable:
        return self._says.pop(0) if len(self._says) > 1 else self._says[0]

    def _reply(self, asked: Received) -> Raw:
        listed = models(asked.path, self.models) if asked.method == "GET" else None
        if listed is not None:
            return listed
        if asked.format is None:
            return nowhere(asked)
        if self._keeps is None or len(self._received) < self._keeps:
            self._received.append(asked)
        self.asked.set()
        return self._said(asked)

    def _said(self, asked: Received) -> Raw:
        try:
            saying = self._decides(asked)
            answer = Answer(saying) if isinstance(saying, str) else saying
            if isinstance(answer, Fault):
                return answer.raw(asked)
            return said(answer, asked) if isinstance(answer, Answer) else answer
        except Exception as error:  # noqa: BLE001 - whatever a user's function raises; `stop` raises it again
            self._defect = self._defect or error
            return Raw.json({"error": {"message": f"FakeProvider: {error!r}"}}, 500)
