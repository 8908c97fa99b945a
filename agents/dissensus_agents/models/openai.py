"""OpenAI's Chat Completions, and every server that speaks them: vLLM, Ollama, llama.cpp."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from dissensus_state.errors import located

from ..errors import ProviderFailed
from ..messages import Reply, Request
from . import retries, transport
from .completions import (
    NotACompletion,
    ProviderError,
    error_in,
    parse_body,
    read_reply,
    request_body,
)
from .dialects import Dialect, find_dialect
from .keys import Key, read_key
from .prices import Price
from .texts import shown
from .transport import Answered, Unavailable

OPENAI_URL = "https://api.openai.com/v1"


class OpenAIModel:
    """A model behind a Chat Completions endpoint.

    Nothing is read or sent before the first `answer`; the key is read from the environment at each
    call and kept nowhere.

    Args:
        model: The model, as the server calls it.
        base_url: Where `/chat/completions` stands.
        key_env: The environment variable with the key; None: no key is sent.
        key_needed: Whether a call without that key is an error; local servers take either.
        lineage: What the model was made from; by default itself.
        price: None where it is unknown.
        dialect: A row of `dialects.DIALECTS`, or its name.
        name: How the record calls it; by default `dialect:model`.
        timeout: Seconds for one attempt.
        patience: How often and how long to try.
        client: An `AsyncClient` of httpx or httpx2 of your own, which you close; by default all
            models of an event loop share one.

    Raises:
        ProviderFailed: The base URL is none.
        UnknownModel: There is no such dialect.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str = OPENAI_URL,
        key_env: str | None = "OPENAI_API_KEY",
        key_needed: bool = True,
        lineage: str = "",
        price: Price | None = None,
        dialect: str | Dialect = "openai",
        name: str = "",
        timeout: float = 300.0,
        patience: retries.Patience = retries.PATIENCE,
        client: Any = None,
    ) -> None:
        self.dialect = find_dialect(dialect) if isinstance(dialect, str) else dialect
        self.name = name or f"{self.dialect.name}:{model}"
        self.lineage = lineage or self.name
        self.price = price
        self._model = model
        self._url = transport.parse_url(f"{base_url.rstrip('/')}/chat/completions")
        self._key_env = key_env
        self._key_needed = key_needed
        self._timeout = timeout
        self._patience = patience
        self._client = client

    def __repr__(self) -> str:
        return f"OpenAIModel({self.name!r}, base_url={transport.address(self._url)!r})"

    async def answer(self, request: Request) -> Reply:
        """Ask, and ask again where that may help.

        Raises:
            MissingKey: The key is not in the environment.
            Offline: DISSENSUS_OFFLINE forbids this server.
            Unavailable: The server did not answer, in all the attempts.
            ProviderFailed: It answered with an error, or with something else than an answer.
        """
        key = read_key(self._key_env, model=self.name, needed=self._key_needed)
        body = request_body(request, self._model, self.dialect)
        attempts = retries.Attempts(self._patience)
        with located(model=self.name):
            reply = await attempts.run(lambda: self._once(request, body, key))
        return _noted(reply, attempts.missed)

    async def _once(self, request: Request, body: bytes, key: Key) -> Reply:
        started = time.perf_counter()
        answered = await self._send(body, key)
        reply = self._read(answered, request, key)
        return replace(reply, latency_ms=round((time.perf_counter() - started) * 1000))

    async def _send(self, body: bytes, key: Key) -> Answered:
        """Post; a key that the server sends back is cut out before anybody sees it."""
        answered = await transport.post(self._url, body, key, seconds=self._timeout, client=self._client)
        return replace(answered, body=key.cut_bytes(answered.body))

    def _read(self, answered: Answered, request: Request, key: Key) -> Reply:
        if answered.status != 200:
            raise self._refused(answered, _error_of(answered), key)
        try:
            parsed, notes = parse_body(answered.body)
            said = error_in(parsed) or read_reply(parsed, request, self._model, self.dialect)
        except NotACompletion as what:
            address = transport.address(self._url)
            raise ProviderFailed(f"{address} answered with {what}", billed=True) from None
        if isinstance(said, ProviderError):
            raise self._refused(answered, said, key)
        return _without_key(replace(said, raw=answered.body, notes=(*notes, *said.notes)), key)

    def _refused(self, answered: Answered, error: ProviderError, key: Key) -> ProviderFailed:
        """The error of an answer that is one, whatever its status."""
        status = error.status or answered.status
        again = retries.may_pass(status, error.code)
        wait = retries.retry_after(answered.headers, datetime.now(UTC)) if again else None
        said = shown(key.cut_message(error.message), 300)
        kind = Unavailable if again else ProviderFailed
        return kind(
            f"{transport.address(self._url)} answered {status}: {said or 'without a word'}",
            next_step=_next_step(status, self._key_env, wait),
            status=status,
            provider_code=shown(key.cut_message(error.code), 60) or None,
            retry_after=wait,
        )


def _error_of(answered: Answered) -> ProviderError:
    """What a status other than 200 says for itself."""
    if 300 <= answered.status < 400:
        return ProviderError("it redirects elsewhere, where a key must not follow")
    try:
        parsed, _ = parse_body(answered.body)
    except NotACompletion:
        return ProviderError(answered.body[:400].decode(errors="replace"))
    return error_in(parsed) or ProviderError(str(parsed.get("message") or parsed.get("detail") or parsed))


def _next_step(status: int, key_env: str | None, wait: float | None) -> str:
    if wait:
        return f"It asks to wait {wait:,.0f} s; resume then: nothing recorded is lost"
    if status in (401, 403) and key_env:
        return f"Check the key in {key_env} and what it may use, then resume"
    if status == 404:
        return "Check the model's name and the base URL, then resume"
    return ""


def _without_key(reply: Reply, key: Key) -> Reply:
    """The reply without a key that a server put into its text in a way of its own."""
    if not key.worth_hiding or key.secret not in f"{reply.text}{reply.reasoning}":
        return reply
    reasoning = None if reply.reasoning is None else key.cut(reply.reasoning)
    return replace(reply, text=key.cut(reply.text), reasoning=reasoning)


def _noted(reply: Reply, missed: list[str]) -> Reply:
    if not missed:
        return reply
    return replace(reply, notes=(*reply.notes, f"asked again after: {', '.join(missed)}"))
