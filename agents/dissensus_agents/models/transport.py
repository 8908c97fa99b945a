"""The network: one POST and its answer as it arrives, bounded in time and size.

This is the only module that knows an HTTP library. It is imported with the first call, since it
costs as much as the rest of a start. Any client of httpx's API will do, httpx2's as well, whose
classes are others by the same names.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import os
import sys
import zlib
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any
from urllib.parse import SplitResult, urlsplit
from weakref import WeakKeyDictionary

from ..errors import ProviderFailed
from .formats import FailureKind
from .texts import shown
from .unpacking import Unpacker

CONNECT_SECONDS = 10.0
MOST_BYTES = 16 * 1024 * 1024
CONNECTIONS, CLIENTS = 8, 64
"""Connections of a client, and clients of a kind: at each request a client looks through all it has."""

_READ = ("content-encoding", "content-type", "date", "retry-after", "retry-after-ms")
_LIMITS = ("x-ratelimit-", "anthropic-ratelimit-")
_HEADERS = {"content-type": "application/json", "accept-encoding": "gzip"}


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a client must be set up for, of which a loop may need several."""

    local: bool
    encrypted: bool


@dataclass(slots=True)
class _Shared:
    """A client that an event loop shares, what keeps it open, and how many requests it has under way."""

    client: Any
    keeper: AsyncGenerator[Any, None]
    busy: int = 0

    @contextmanager
    def used(self) -> Iterator[Any]:
        """The client, for one request."""
        self.busy += 1
        try:
            yield self.client
        finally:
            self.busy -= 1


_Kept = dict[_Kind, list[_Shared]]
_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, _Kept] = WeakKeyDictionary()


class Unavailable(ProviderFailed):
    """The provider did not answer now; it may later."""

    code = "model.unavailable"


class Offline(ProviderFailed):
    """DISSENSUS_OFFLINE forbids any host but this machine."""

    code = "model.offline"
    next_step = "Unset DISSENSUS_OFFLINE, or name a server on this machine: nothing was sent"


def parse_url(url: str) -> SplitResult:
    """A URL that can be posted to.

    Raises:
        ProviderFailed: It is none.
    """
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts
    except ValueError:
        pass
    raise ProviderFailed(
        f"{shown(url.rpartition('@')[2], 80)!r} is no base URL",
        next_step="Write it as http://localhost:8000/v1 or https://api.example.com/v1",
    )


@functools.lru_cache(maxsize=256)
def address(parts: SplitResult) -> str:
    """A URL as it may be shown: without user, password and query."""
    host = parts.netloc.rpartition("@")[2]
    return shown(f"{parts.scheme}://{host}{parts.path}")


@functools.lru_cache(maxsize=256)
def is_local(parts: SplitResult) -> bool:
    """Whether a URL names this machine itself."""
    host = (parts.hostname or "").rstrip(".")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_allowed(parts: SplitResult) -> None:
    """Refuse any other machine while DISSENSUS_OFFLINE is set.

    Raises:
        Offline: It is set, and this is another machine.
    """
    wanted = os.environ.get("DISSENSUS_OFFLINE", "").strip().lower()
    if wanted not in ("", "0", "false", "no", "off") and not is_local(parts):
        raise Offline(f"DISSENSUS_OFFLINE is set, and {address(parts)} is another machine", kind="outage")


@dataclass(frozen=True, slots=True)
class Waits:
    """How long an answer is waited for, in seconds.

    `total` is for all of it, `first` until it begins, `idle` between two pieces of it.
    """

    total: float
    first: float | None = None
    idle: float | None = None


async def get(parts: SplitResult, *, seconds: float, client: Any = None) -> tuple[int, bytes]:
    """What stands at an address: its status and its body. No key is sent.

    Raises:
        Offline: Another machine is not allowed.
        Unavailable: No connection, no answer in time, or it broke off.
        ProviderFailed: It is over 16 MiB, or cannot be unpacked.
    """
    async with opened(parts, None, dict, waits=Waits(seconds), client=client) as incoming:
        return incoming.status, await incoming.whole()


@asynccontextmanager
async def opened(
    parts: SplitResult,
    body: bytes | None,
    headers: Callable[[], Mapping[str, str]],
    *,
    waits: Waits,
    client: Any = None,
) -> AsyncGenerator[Incoming]:
    """Send once, and hold the answer that begins to arrive, whatever its status; leaving closes it.

    Args:
        parts: Where to.
        body: JSON; None asks for what stands there (GET).
        headers: Gives the headers; the key is among them, so no frame of ours holds them.
        waits: How long to wait.
        client: A client of httpx's API; by default the one that this event loop shares.

    Raises:
        Offline: Another machine is not allowed.
        Unavailable: No connection, no answer in time, or it broke off.

    Where the provider may have charged for an answer that did not arrive, the error's context says
    `billed`. The library's own error is not chained: the request hangs on it, and with it the key.
    """
    check_allowed(parts)
    first = waits.total if waits.first is None else min(waits.first, waits.total)
    async with AsyncExitStack() as stack:
        if client is None:
            client = stack.enter_context((await _shared_client(parts)).used())
        wire = _Wire(parts, waits, _library(client))
        late = "did not answer" if first == waits.total else "did not begin to answer"
        with wire.failures(f"{late} in {first:g} s", "outage"):
            async with asyncio.timeout(first):
                request = _request(client, wire, body, headers)
                response = await stack.enter_async_context(request)
        yield Incoming(response, wire)


def _request(client: Any, wire: _Wire, body: bytes | None, headers: Callable[[], Mapping[str, str]]) -> Any:
    total = wire.waits.total
    return client.stream(
        "GET" if body is None else "POST",
        wire.parts.geturl(),
        content=body,
        headers={**_HEADERS, **headers()},
        timeout=wire.library.Timeout(total, connect=min(CONNECT_SECONDS, total)),
        follow_redirects=False,
    )


@dataclass(slots=True)
class _Wire:
    """Where an answer comes from, and until when."""

    parts: SplitResult
    waits: Waits
    library: ModuleType
    until: float = field(init=False)

    def __post_init__(self) -> None:
        self.until = asyncio.get_running_loop().time() + self.waits.total

    @contextmanager
    def failures(self, late: str, broken: FailureKind) -> Iterator[None]:
        """The library's errors as ours; `late` says what took too long."""
        library, where = self.library, address(self.parts)
        try:
            yield
        except (library.ConnectError, library.ConnectTimeout, library.PoolTimeout) as error:
            raise Unavailable(
                f"No connection to {where}: {shown(error) or type(error).__name__}",
                next_step="Check that the server runs and that the base URL is right, then resume",
                kind="outage",
            ) from None
        except (TimeoutError, library.TimeoutException):
            raise Unavailable(f"{where} {late}", billed=True, kind="timeout") from None
        except library.TransportError as error:
            what = shown(error) or type(error).__name__
            raise Unavailable(f"The answer of {where} broke off: {what}", billed=True, kind=broken) from None


class Incoming:
    """An answer that has begun to arrive.

    Attributes:
        status: The status.
        headers: Those that are read, names in lower case.
    """

    def __init__(self, response: Any, wire: _Wire) -> None:
        self.status: int = response.status_code
        self.headers = {
            name: value
            for name, value in ((name.lower(), value) for name, value in response.headers.items())
            if name in _READ or name.startswith(_LIMITS)
        }
        self._wire = wire
        self._raw = response.aiter_raw()

    async def whole(self) -> bytes:
        """All of it, unpacked.

        Raises:
            Unavailable: It does not come in time, or breaks off.
            ProviderFailed: It is over 16 MiB, or cannot be unpacked.
        """
        received = bytearray()
        async with aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                received += chunk
        return bytes(received)

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Its pieces as they arrive, unpacked.

        Raises:
            Unavailable: It does not come in time, or breaks off.
            ProviderFailed: It is over 16 MiB, or cannot be unpacked.
        """
        packed = size = 0
        try:
            unpacker = Unpacker(self.headers.get("content-encoding", ""))
            while (chunk := await self._next()) is not None:
                packed += len(chunk)
                for piece in unpacker.feed(chunk):
                    size += len(piece)
                    if max(size, packed) > MOST_BYTES:
                        raise _too_long(self._wire.parts)
                    yield piece
        except zlib.error as error:
            raise ProviderFailed(
                f"The answer of {address(self._wire.parts)} cannot be unpacked: {shown(error)}",
                billed=True,
                kind="malformed",
            ) from error

    def linger(self, seconds: float) -> None:
        """Wait no longer than this for whatever still comes."""
        self._wire.until = min(self._wire.until, asyncio.get_running_loop().time() + seconds)

    async def _next(self) -> bytes | None:
        """The next piece as it is on the wire, None at the end."""
        waits, now = self._wire.waits, asyncio.get_running_loop().time()
        until, late = self._wire.until, f"did not answer in {waits.total:g} s"
        if waits.idle is not None and now + waits.idle < until:
            until, late = now + waits.idle, f"sent nothing for {waits.idle:g} s"
        with self._wire.failures(late, "broken_off"):
            async with asyncio.timeout_at(until):
                piece: bytes | None = await anext(self._raw, None)
        return piece


def _too_long(parts: SplitResult) -> ProviderFailed:
    return ProviderFailed(
        f"The answer of {address(parts)} is longer than {MOST_BYTES // 2**20} MiB",
        next_step="Check that the base URL leads to a model's server",
        billed=True,
        kind="malformed",
    )


def _library(client: Any) -> ModuleType:
    """The module that a client's errors come from: httpx, or httpx2."""
    for kind in type(client).__mro__:
        root = kind.__module__.partition(".")[0]
        if root in ("httpx", "httpx2"):
            return sys.modules[root]
    raise TypeError(f"A client must be an AsyncClient of httpx or httpx2, not {type(client)!r}")


async def _shared_client(parts: SplitResult) -> _Shared:
    """A client of this event loop with room; this machine has its own, so that no proxy gets at it."""
    kind = _Kind(local=is_local(parts), encrypted=parts.scheme == "https")
    kept = _clients.setdefault(asyncio.get_running_loop(), {}).setdefault(kind, [])
    free = next((one for one in kept if one.busy < CONNECTIONS), None)
    if free is None and len(kept) < CLIENTS:
        keeper = _keep(kind)
        try:
            kept.append(free := _Shared(await anext(keeper), keeper))
        except (ImportError, OSError, ValueError) as error:
            raise ProviderFailed(
                f"No connection can be set up: {shown(error)}",
                next_step="Check the environment's proxies and certificates (HTTPS_PROXY, SSL_CERT_FILE)",
                kind="outage",
            ) from error
    return free or min(kept, key=lambda one: one.busy)


async def _keep(kind: _Kind) -> AsyncGenerator[Any, None]:
    """Hold a client for as long as the loop runs.

    A loop that ends closes the generators that began in it, and so this client, while it can still
    be closed in order: nobody has to remember to.
    """
    import httpx

    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    async with httpx.AsyncClient(
        trust_env=not kind.local,
        verify=_certificates(kind.local, *map(os.environ.get, _NAMED)) if kind.encrypted else False,
        limits=limits,
        headers={"user-agent": "dissensus"},
    ) as client:
        try:
            yield client
        finally:
            # The generator knows its loop, which would be kept for ever by what keeps the generator.
            _clients.pop(asyncio.get_running_loop(), None)


_NAMED = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@functools.lru_cache(maxsize=4)
def _certificates(local: bool, file: str | None, folder: str | None) -> Any:  # noqa: ARG001, FBT001 - what it is kept by
    """What a server's certificate is held to; reading that costs more than all else of a client."""
    import httpx

    return httpx.create_ssl_context(trust_env=not local)


async def close_clients() -> None:
    """Close the shared clients of this event loop, for a loop that will not end soon."""
    for kept in _clients.pop(asyncio.get_running_loop(), {}).values():
        for shared in kept:
            await shared.keeper.aclose()
