"""One call of a model: the one retry loop, an answer that is heard as it comes, and where it is stopped.

Whatever answers in one piece, a function, a script or a recording, is asked once. A model that
streams is asked again where nothing was billed and another attempt may help, as its provider and
the caller's patience have it; everything else is for whoever reserves the money to decide.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from dissensus_state.errors import located
from dissensus_state.values import JSON

from ..errors import GraphError, ModelFailed, ProviderFailed
from ..messages import Delta, Reply, Request
from . import limits, retries
from .client import Model, Streaming, streams
from .formats import FailureKind
from .health import HEALTH, Health, key_of
from .kinds import kind_of_error
from .retries import PATIENCE, Patience
from .transport import Unavailable

BYTES_PER_TOKEN = 16
"""How long tokens are on average at most, in bytes of UTF-8: about four in English, three in Chinese."""

ALWAYS_ALLOWED = 4096
"""Bytes that an answer may have in any case, however short it was to be."""

WORDED: frozenset[FailureKind] = frozenset({"refusal", "content_policy", "context_overflow"})
"""What ends an answer for its content, wherever in it that comes."""

ONCE = Patience(attempts=1)
"""For a candidate that another one can stand in for: what fails is passed over at once."""


class CallStopped(ModelFailed):
    """An answer was stopped before its end; what came of it is kept and never used."""

    code = "call.stopped"
    next_step = "Raise max_output_tokens or the budget's time, or swap the model; then resume"


@dataclass(slots=True)
class Heard:
    """What has been heard of an answer so far.

    `tell` is called with each piece as it arrives. `tries` are the attempts that failed before, each
    as `{"kind", "status", "waited_ms"}`. `began` is the time (of `time.perf_counter`) at which the
    attempt was sent, `first` that of its first piece.
    """

    tell: Callable[[Delta], None] | None = None
    most: int | None = None
    tries: list[dict[str, JSON]] = field(default_factory=list)
    began: float | None = None
    first: float | None = None
    size: int = 0
    _text: list[str] = field(default_factory=list)
    _reasoning: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The answer so far."""
        return "".join(self._text)

    @property
    def reasoning(self) -> str | None:
        """The thinking so far; None where nothing was heard of it."""
        return "".join(self._reasoning) or None

    @property
    def anything(self) -> bool:
        """Whether a piece has arrived."""
        return self.first is not None

    @property
    def ttft_ms(self) -> int | None:
        """Milliseconds to the first piece."""
        return None if self.first is None or self.began is None else round((self.first - self.began) * 1000)

    @property
    def latency_ms(self) -> int:
        """Milliseconds since the attempt was sent."""
        return 0 if self.began is None else round((time.perf_counter() - self.began) * 1000)

    def begin(self) -> None:
        """A new attempt is sent."""
        self.began, self.first = time.perf_counter(), None

    def take(self, delta: Delta) -> None:
        """Hear a piece.

        Raises:
            CallStopped: The answer is longer than what was reserved for it can be.
        """
        if self.first is None:
            self.first = time.perf_counter()
        if delta.text:
            self._text.append(delta.text)
        if delta.reasoning:
            self._reasoning.append(delta.reasoning)
        self.size += len(delta.text) + len(delta.reasoning)
        if self.tell is not None:
            self.tell(delta)
        if self.most is not None and self.size > self.most:
            raise CallStopped(
                f"The answer is longer than its bound of output tokens can be: {self.size:,} characters",
                why="output",
                kind="malformed",
                billed=True,
            )


def most_heard(request: Request) -> int:
    """How long an answer to a request, thinking included, can be if its bound of tokens is kept."""
    return max(request.max_output_tokens * BYTES_PER_TOKEN, ALWAYS_ALLOWED)


async def call(
    model: Model | Streaming,
    request: Request,
    *,
    heard: Heard | None = None,
    patience: Patience | None = None,
    seconds: float | None = None,
    place: limits.Place | None = None,
    health: Health = HEALTH,
) -> Reply:
    """The answer of a model, asked again where that costs nothing and may help.

    Args:
        model: Any model; one that streams is heard as it answers.
        request: What it is asked.
        heard: Keeps what is heard, also of an answer that breaks off or is stopped.
        patience: How often and how long to try; by default the model's own.
        seconds: The time budget of the whole call; past it, it is stopped.
        place: A place in the line of the model's rate limit, where the caller has one already.
        health: Where it is remembered how the model fares.

    Raises:
        ModelFailed: No usable answer came. `context` has `kind`, and `billed` where it may be charged.
        CallStopped: It went past its bound of output or its time.
    """
    heard = Heard(most=most_heard(request)) if heard is None else heard
    trying = _Trying(model, request, heard, place or limits.line_up(model, request), health)
    clock = asyncio.timeout(seconds)
    try:
        async with clock:
            if not streams(model):
                return await trying.once()
            own: Patience = getattr(model, "patience", PATIENCE)
            return await trying.run(patience or own)
    except TimeoutError:
        if not clock.expired():
            raise
        raise CallStopped(
            f"The call took longer than its {seconds:g} s",
            why="time",
            kind="timeout",
            billed=heard.began is not None,
        ) from None
    finally:
        trying.place.leave()


@dataclass(slots=True)
class _Trying:
    """The attempts of one call."""

    model: Any
    request: Request
    heard: Heard
    place: limits.Place
    health: Health
    missed: list[str] = field(default_factory=list)
    until: float = 0.0
    failed_at: float = 0.0
    failed: dict[str, JSON] | None = None

    async def once(self) -> Reply:
        """Ask something that answers in one piece."""
        await self.place.turn()
        self.heard.begin()
        reply: object = await self.model.answer(self.request)
        if not isinstance(reply, Reply):
            raise GraphError(
                f"The model {self.model.name} answered with a {type(reply).__name__}, and no Reply",
                next_step="Return dissensus.models.Reply(text, model) from its `answer`",
            )
        self.place.counted(reply.usage)
        return reply

    async def run(self, patience: Patience) -> Reply:
        """Try until it works, until it cannot, or until patience ends."""
        import stamina

        retries.keep_standard_output_clean(stamina)
        self.until = asyncio.get_running_loop().time() + patience.seconds
        async for trial in stamina.retry_context(
            on=self._wait,
            attempts=patience.attempts,
            timeout=patience.seconds,
            wait_initial=patience.pause,
            wait_max=patience.seconds / 4,
            wait_jitter=patience.pause,
        ):
            with trial, located(model=getattr(self.model, "name", None)):
                return self._noted(await self._attempt())
        raise AssertionError("the last attempt neither returned nor raised")

    async def _attempt(self) -> Reply:
        """One attempt; how it went is remembered of the provider."""
        if self.failed is not None:
            waited = round((time.perf_counter() - self.failed_at) * 1000)
            self.heard.tries.append({**self.failed, "waited_ms": waited})
            self.failed = None
        await self.place.turn()
        self.heard.begin()
        key = key_of(self.model)
        try:
            reply = await listen(self.model.stream(self.request), self.heard)
        except ModelFailed as error:
            self.place.counted(None)
            if isinstance(error, CallStopped):
                self.health.gave_up(key)
            else:
                self.health.failed(key, kind_of_error(error), error.context.get("retry_after"))
            raise
        except BaseException:  # it was stopped from here, which tells nothing of the model
            self.health.gave_up(key)
            raise
        self.health.succeeded(key)
        self.place.counted(reply.usage)
        return reply

    def _wait(self, error: Exception) -> bool | float:
        """Seconds until the next attempt; True: the usual ones; False: there is none."""
        if not isinstance(error, Unavailable) or error.context.get("billed"):
            return False
        asked = error.context.get("retry_after")
        left = self.until - asyncio.get_running_loop().time()
        if asked is not None and asked > left:
            return False
        status = error.context.get("status")
        self.failed_at = time.perf_counter()
        self.missed.append(str(status or "no connection"))
        # It becomes one of the tries once there is another one: the last is what the call itself says.
        self.failed = {"kind": kind_of_error(error), "status": status}
        self.place = limits.line_up(self.model, self.request, after=self.place)
        # Agents that were refused together must not come back together.
        return True if asked is None else float(asked) * random.uniform(1.0, 1.1)  # noqa: S311

    def _noted(self, reply: Reply) -> Reply:
        if not self.missed:
            return reply
        return replace(reply, notes=(*reply.notes, f"asked again after: {', '.join(self.missed)}"))


async def listen(pieces: AsyncGenerator[Delta | Reply], heard: Heard) -> Reply:
    """Hear one streamed answer to its end.

    Raises:
        ModelFailed: It broke off; once a piece has come, its kind is `broken_off` and it may be billed.
    """
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                if isinstance(piece, Reply):
                    return _timed(piece, heard)
                heard.take(piece)
    except ModelFailed as error:
        if heard.anything and not isinstance(error, CallStopped):
            _broke_off(error)
        raise
    raise ProviderFailed("The answer ended without its end", kind="broken_off", billed=True)


def _broke_off(error: ModelFailed) -> None:
    """Whatever ends an answer that has begun breaks it off, and the part that came is billed."""
    kind = kind_of_error(error)
    cut = kind not in WORDED
    told = {"after": kind} if cut and kind != "broken_off" else {}
    error.context = {**error.context, **told, "kind": "broken_off" if cut else kind, "billed": True}


def _timed(reply: Reply, heard: Heard) -> Reply:
    ttft = heard.ttft_ms if reply.ttft_ms is None else reply.ttft_ms
    return replace(reply, ttft_ms=ttft, latency_ms=reply.latency_ms or heard.latency_ms)
