"""A provider over the network: a format, an address, and a key that is read at each call."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from typing import Any

from dissensus_state.errors import located

from ..bounds import check_seconds, check_whole
from ..errors import ProviderFailed
from ..messages import Delta, Reply, Request
from . import calling, limits, transport
from .addresses import parse_base, without_login
from .attempt import Attempt
from .formats import Format
from .hiding import hidden_in_logs
from .keys import Key, read_key
from .prices import Price
from .retries import PATIENCE, Patience
from .transport import Waits


class WireModel:
    """A model behind a provider's HTTP interface.

    Nothing is read or sent before the first question; the key is read from the environment at each
    call and kept nowhere.

    Args:
        form: How the provider writes requests and answers.
        model: The model, as the provider calls it.
        base_url: Where the format's paths stand.
        key_env: The environment variable with the key; None: no key is sent.
        key_needed: Whether a call without that key is an error; local servers take either.
        lineage: What the model was made from; by default itself.
        price: None where it is unknown.
        window: How many tokens fit into the model's window, prompt and answer together; None: nobody knows.
        name: How the record calls it; by default `format:model`.
        timeout: Seconds for one attempt, from the connection to the end of the answer.
        first: Seconds in which the answer must begin; by default the whole timeout.
        idle: Seconds that may pass between two pieces of it; by default the whole timeout.
        patience: How often and how long to try.
        rpm: Requests per minute that all who ask it in this process may make together.
        tpm: Tokens per minute, the same.
        client: An `AsyncClient` of httpx or httpx2 of your own, which you close; by default all
            models of an event loop share one.
        streams: Whether answers are asked for piece by piece, which tells the time to the first token.
        trusted: Whether it may be shown what is sensitive.

    Attributes:
        address: Where it is asked, without what is secret in a URL.

    Raises:
        ProviderFailed: The base URL is none.
        GraphError: A bound is none.
    """

    def __init__(
        self,
        form: Format,
        model: str,
        *,
        base_url: str,
        key_env: str | None,
        key_needed: bool = True,
        lineage: str = "",
        price: Price | None = None,
        window: int | None = None,
        name: str = "",
        timeout: float = 300.0,
        first: float | None = None,
        idle: float | None = None,
        patience: Patience = PATIENCE,
        rpm: int | None = None,
        tpm: int | None = None,
        client: Any = None,
        streams: bool = True,
        trusted: bool = False,
    ) -> None:
        check_whole(repr(name or model), rpm=rpm, tpm=tpm, window=window)
        check_seconds(repr(name or model), timeout=timeout, first=first, idle=idle)
        self.address = ""
        self.format = form
        self.name = name or f"{form.name}:{model}"
        self.lineage = lineage or self.name
        self.price = price
        self.window = window
        self.patience = patience
        self.timeout = timeout
        self.rpm = rpm
        self.tpm = tpm
        self.trusted = trusted
        self._model = model
        path = form.path(model, stream=streams)
        try:
            parse_base(base_url)
            self._url, self._login = without_login(transport.parse_url(f"{base_url.rstrip('/')}{path}"))
        except ProviderFailed as error:
            del base_url  # whoever shows the locals of this frame does not show what is in it
            raise error.with_traceback(None) from None
        self.address = transport.address(self._url)
        self._key_env = key_env
        self._key_needed = key_needed
        self._waits = Waits(timeout, first, idle)
        self._client = client
        self._streams = streams

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, base_url={self.address!r})"

    async def answer(self, request: Request) -> Reply:
        """Ask, and ask again where that may help.

        Raises:
            MissingKey: The key is not in the environment.
            Offline: DISSENSUS_OFFLINE forbids this server.
            Unavailable: The server did not answer, in all the attempts.
            ProviderFailed: It answered with an error, or with something else than an answer.
        """
        return await calling.call(self, request)

    async def stream(self, request: Request) -> AsyncGenerator[Delta | Reply]:
        """Ask once: pieces as they arrive, and at the end the whole reply.

        Closing it stops the answer at the provider: the connection is closed.

        Raises:
            MissingKey: The key is not in the environment.
            Offline: DISSENSUS_OFFLINE forbids this server.
            Unavailable: The server did not answer, or its answer broke off.
            ProviderFailed: It answered with an error, or with something else than an answer.
        """
        with located(model=self.name):
            key = self._key()
            attempt = self._asked(request, key)
            body = self.format.body(request, self._model, stream=self._streams)
            headers = partial(self._headers, key)
            with hidden_in_logs(key):
                async with transport.opened(
                    self._url, body, headers, waits=self._waits, client=self._client
                ) as incoming:
                    limits.told(self, incoming.headers, datetime.now(UTC))
                    async with aclosing(attempt.heard(incoming)) as pieces:
                        async for piece in pieces:
                            yield piece
            yield attempt.reply()

    def _key(self) -> Key:
        key = read_key(self._key_env, model=self.name, needed=self._key_needed)
        return key if self._login is None else Key(key.secret, (self._login, *self._login.also))

    def _headers(self, key: Key) -> dict[str, str]:
        """What bears the key; a user and password of the address go before it, as in every client."""
        made = dict(self.format.headers(key))
        return made if self._login is None else {**made, "authorization": f"Basic {self._login.secret}"}

    def _asked(self, request: Request, key: Key) -> Attempt:
        return Attempt(self.format, self._model, request, key, where=self.address, key_env=self._key_env)
