"""One question on the wire: an answer as it arrives becomes pieces and a reply, or an error."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict, replace
from datetime import UTC, datetime

from ..errors import ProviderFailed
from ..messages import Delta, Reply, Request
from . import retries
from .bodies import body_bytes, parse_body
from .formats import FailureKind, Format, NotAnAnswer, ProviderError
from .hearing import Hearing
from .keys import Key
from .kinds import PASSING, asked_wait, kind_told
from .texts import shown
from .transport import Incoming, Unavailable

LINGER = 5.0
"""Seconds in which a stream must end after it has said that the answer is whole."""

LAST_LINGER = 0.5
"""The same after it has said that nothing follows at all: for the connection's sake."""

UNENDED = "the answer was whole, but its stream did not end as it should"


class Attempt:
    """One question that is asked once.

    Args:
        form: How the provider writes requests and answers.
        model: The model, as the provider calls it.
        request: The question.
        key: Cut out of whatever comes back.
        where: The address, for errors.
        key_env: The environment variable with the key, for errors.
    """

    def __init__(
        self, form: Format, model: str, request: Request, key: Key, *, where: str, key_env: str | None
    ) -> None:
        self._form = form
        self._model = model
        self._request = request
        self._key = key
        self._where = where
        self._key_env = key_env
        self._started = time.perf_counter()
        self._ttft: int | None = None
        self._reply: Reply | None = None

    def reply(self) -> Reply:
        """The whole reply, once all of it was heard."""
        if self._reply is None:
            raise AssertionError("the answer was not heard to its end")
        return replace(self._reply, latency_ms=self._milliseconds(), ttft_ms=self._ttft)

    async def heard(self, incoming: Incoming) -> AsyncGenerator[Delta]:
        """Take in the answer, and tell its pieces on the way.

        Raises:
            ProviderFailed: It is an error, or no answer.
            Unavailable: It does not come, or not to its end.
        """
        try:
            if incoming.status == 200 and "text/event-stream" in incoming.headers.get("content-type", ""):
                async with aclosing(self._streamed(incoming)) as deltas:
                    async for delta in deltas:
                        yield delta
                return
            body = self._key.cut_bytes(await incoming.whole())
            if incoming.status != 200:
                raise self._failed(self._error_of(body, incoming.status), incoming)
            if body.lstrip().startswith((b"data:", b"event:")):
                self._disguised(body, incoming)
            else:
                self._take(body, (), incoming)
        except NotAnAnswer as what:
            said = self._key.cut_message(str(what))
            raise ProviderFailed(
                f"{self._where} answered with {said}", billed=True, kind="malformed"
            ) from None
        except ProviderFailed as error:
            # The frames below hold what the server sent, in which the key may be.
            raise error.with_traceback(None) from None

    async def _streamed(self, incoming: Incoming) -> AsyncGenerator[Delta]:
        hearing = Hearing(self._form.assembler(), self._key)
        notes: tuple[str, ...] = ()
        try:
            async with aclosing(incoming.chunks()) as chunks:
                async for chunk in chunks:
                    deltas = hearing.feed(chunk)
                    self._time(hearing)
                    for delta in deltas:
                        yield delta
                    if hearing.error is not None:
                        raise self._failed(hearing.error, incoming, begun=hearing.begun)
                    if hearing.whole:
                        incoming.linger(LAST_LINGER if hearing.ended else LINGER)
        except Unavailable as broken:
            if not hearing.whole:
                raise self._counted(broken, hearing) from None
            notes = (UNENDED,)
        for delta in hearing.close():
            yield delta
        self._end(hearing, incoming, notes)

    def _disguised(self, body: bytes, incoming: Incoming) -> None:
        """Take in a stream that came under the name of something else."""
        hearing = Hearing(self._form.assembler(), self._key)
        hearing.feed(body)
        hearing.close()
        self._end(hearing, incoming, ("a stream came under another content type",))

    def _end(self, hearing: Hearing, incoming: Incoming, notes: tuple[str, ...]) -> None:
        if hearing.error is not None:
            raise self._failed(hearing.error, incoming, begun=hearing.begun)
        if not hearing.whole:
            broken = Unavailable(
                f"The answer of {self._where} broke off: its stream ended in the middle",
                billed=True,
                kind="broken_off",
            )
            raise self._counted(broken, hearing)
        self._time(hearing)
        if getattr(hearing.assembler, "says_done", False) and not (hearing.ended or notes):
            notes = (UNENDED,)
        body = body_bytes(hearing.assembler.body())
        self._take(self._key.cut_bytes(body), (*hearing.notes, *notes), incoming)

    def _take(self, body: bytes, notes: tuple[str, ...], incoming: Incoming) -> None:
        """Read a whole body, in which the key does not stand any more."""
        parsed, mended = parse_body(body)
        if error := self._form.error_in(parsed):
            raise self._failed(error, incoming)
        reply = self._form.read(parsed, self._request, self._model)
        noted = replace(reply, raw=body, notes=(*notes, *mended, *reply.notes))
        self._reply = _without_key(noted, self._key)

    def _counted(self, broken: Unavailable, hearing: Hearing) -> Unavailable:
        """The error of an answer that broke off, with the tokens that the provider had counted by then."""
        try:
            usage = self._form.read(hearing.assembler.body(), self._request, self._model).usage
        except NotAnAnswer:
            return broken
        if not usage.estimated:
            broken.context["usage"] = asdict(usage)
        return broken

    def _failed(self, error: ProviderError, incoming: Incoming, *, begun: bool = False) -> ProviderFailed:
        """The error of an answer that is one, whatever its status.

        Args:
            error: What the provider says.
            incoming: What it says it in.
            begun: Whether some of an answer came before it, which may be billed.
        """
        status = error.status or incoming.status
        code = shown(self._key.cut_message(error.code), 60)
        kind = error.kind or kind_told(status, code, error.message)
        passing = kind in PASSING
        # A success that holds an error without a name tells nothing of what another attempt would meet.
        may_pass = passing and (begun or status != 200 or bool(code))
        wait = _wait(error, incoming) if passing else None
        said = shown(self._key.cut_message(error.message), 300)
        return (Unavailable if may_pass else ProviderFailed)(
            f"{self._where} answered {status}: {said or 'without a word'}",
            next_step=_next_step(kind, status, self._key_env, wait),
            kind="broken_off" if begun and passing else kind,
            status=status,
            provider_code=code or None,
            retry_after=wait,
            billed=True if begun else None,
        )

    def _error_of(self, body: bytes, status: int) -> ProviderError:
        """What a status other than 200 says for itself."""
        if 300 <= status < 400:
            return ProviderError("it redirects elsewhere, where a key must not follow")
        try:
            parsed, _ = parse_body(body)
        except NotAnAnswer:
            return ProviderError(body[:400].decode(errors="replace"))
        told = self._form.error_in(parsed)
        return told or ProviderError(str(parsed.get("message") or parsed.get("detail") or parsed))

    def _time(self, hearing: Hearing) -> None:
        if hearing.begun and self._ttft is None:
            self._ttft = self._milliseconds()

    def _milliseconds(self) -> int:
        return round((time.perf_counter() - self._started) * 1000)


def _wait(error: ProviderError, incoming: Incoming) -> float | None:
    """The seconds that a provider asks to wait, wherever it says so."""
    asked = retries.retry_after(incoming.headers, datetime.now(UTC))
    if asked is None:
        asked = error.retry_after
    return asked_wait(error.message) if asked is None else asked


def _next_step(kind: FailureKind, status: int, key_env: str | None, wait: float | None) -> str:
    if wait:
        return f"It asks to wait {wait:,.0f} s; resume then: nothing recorded is lost"
    if kind == "key" and key_env:
        return f"Check the key in {key_env} and what it may use, then resume"
    if status == 404:
        return "Check the model's name and the base URL, then resume"
    return _NEXT.get(kind, "")


_NEXT: dict[FailureKind, str] = {
    "spent": "Top up the provider's credit or raise its spending limit, then resume",
    "context_overflow": "Let the agent read less, or take a model with a larger window, then resume",
    "content_policy": "Change what is asked, or take another model, then resume",
    "unknown_model": "Check the model's name and the base URL, then resume",
}
"""What to do where the kind tells more than the status."""


def _without_key(reply: Reply, key: Key) -> Reply:
    """The reply without a key that a server put into its text in a way of its own."""
    if not key.worth_hiding:
        return reply
    reasoning = None if reply.reasoning is None else key.cut(reply.reasoning)
    return replace(reply, text=key.cut(reply.text), reasoning=reasoning)
