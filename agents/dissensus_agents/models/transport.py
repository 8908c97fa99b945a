"""The network: one POST, bounded in time and size. The only module that knows an HTTP library.

The library is imported with the first call, since it costs as much as the rest of a start. Any
client of httpx's API will do, httpx2's as well, whose classes are others by the same names.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import sys
import zlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from urllib.parse import SplitResult, urlsplit
from weakref import WeakKeyDictionary

from ..errors import ProviderFailed
from .keys import Key
from .texts import shown

CONNECT_SECONDS = 10.0
MOST_BYTES = 16 * 1024 * 1024
MOST_CONNECTIONS = 512
KEPT_CONNECTIONS = 64

_READ = ("content-encoding", "date", "retry-after", "retry-after-ms")
_HEADERS = {"content-type": "application/json", "accept-encoding": "gzip"}
_GZIP_OR_ZLIB = 47


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a client must be set up for, of which a loop may need several."""

    local: bool
    encrypted: bool


_Kept = dict[_Kind, tuple[Any, AsyncGenerator[Any, None]]]
_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, _Kept] = WeakKeyDictionary()


class Unavailable(ProviderFailed):
    """The provider did not answer now; it may later."""

    code = "model.unavailable"


class Offline(ProviderFailed):
    """DISSENSUS_OFFLINE forbids any host but this machine."""

    code = "model.offline"
    next_step = "Unset DISSENSUS_OFFLINE, or name a server on this machine: nothing was sent"


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back, and of its headers those that are read, in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


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


def address(parts: SplitResult) -> str:
    """A URL as it may be shown: without user, password and query."""
    host = parts.netloc.rpartition("@")[2]
    return shown(f"{parts.scheme}://{host}{parts.path}")


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
        raise Offline(f"DISSENSUS_OFFLINE is set, and {address(parts)} is another machine")


async def post(parts: SplitResult, body: bytes, key: Key, *, seconds: float, client: Any = None) -> Answered:
    """Send once and read the whole answer, whatever its status.

    Args:
        parts: Where to.
        body: JSON.
        key: Sent along.
        seconds: For all of it.
        client: A client of httpx's API; by default the one that this event loop shares.

    Raises:
        Offline: Another machine is not allowed.
        Unavailable: No connection, no answer in time, or it broke off.
        ProviderFailed: The answer is over 16 MiB, or cannot be unpacked.

    Where the provider may have charged for an answer that did not arrive, the error's context says
    `billed`. The library's own error is not chained: the request hangs on it, and with it the key.
    """
    check_allowed(parts)
    if client is None:
        client = await _shared_client(parts)
    library = _library(client)
    try:
        async with asyncio.timeout(seconds):
            return await _post(client, library, parts, body, key, seconds)
    except (library.ConnectError, library.ConnectTimeout, library.PoolTimeout) as error:
        raise Unavailable(
            f"No connection to {address(parts)}: {shown(error) or type(error).__name__}",
            next_step="Check that the server runs and that the base URL is right, then resume",
        ) from None
    except (TimeoutError, library.TimeoutException):
        raise Unavailable(f"{address(parts)} did not answer in {seconds:g} s", billed=True) from None
    except library.TransportError as error:
        raise Unavailable(
            f"The answer of {address(parts)} broke off: {shown(error) or type(error).__name__}",
            billed=True,
        ) from None


async def _post(
    client: Any,
    library: ModuleType,
    parts: SplitResult,
    body: bytes,
    key: Key,
    seconds: float,
) -> Answered:
    limits = library.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds))
    async with client.stream(
        "POST",
        parts.geturl(),
        content=body,
        headers={**_HEADERS, **key.header},
        timeout=limits,
        follow_redirects=False,
    ) as response:
        named = {name: response.headers[name] for name in _READ if name in response.headers}
        received = await _read(response, parts)
        return Answered(response.status_code, named, _decoded(received, named, parts))


async def _read(response: Any, parts: SplitResult) -> bytes:
    received = bytearray()
    async for chunk in response.aiter_raw():
        received += chunk
        if len(received) > MOST_BYTES:
            raise _too_long(parts)
    return bytes(received)


def _decoded(received: bytes, headers: dict[str, str], parts: SplitResult) -> bytes:
    """The body unpacked, never more than the limit: a small one may unpack to gigabytes."""
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        return received
    try:
        unpacked = _unpacked(received, encoding)
    except zlib.error as error:
        raise ProviderFailed(
            f"The answer of {address(parts)} cannot be unpacked: {shown(error)}", billed=True
        ) from error
    if len(unpacked) > MOST_BYTES:
        raise _too_long(parts)
    return unpacked


def _unpacked(received: bytes, encoding: str) -> bytes:
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise zlib.error(f"unknown encoding {encoding}")
    return zlib.decompressobj(wbits=_GZIP_OR_ZLIB).decompress(received, MOST_BYTES + 1)


def _too_long(parts: SplitResult) -> ProviderFailed:
    return ProviderFailed(
        f"The answer of {address(parts)} is longer than {MOST_BYTES // 2**20} MiB",
        next_step="Check that the base URL leads to a model's server",
        billed=True,
    )


def _library(client: Any) -> ModuleType:
    """The module that a client's errors come from: httpx, or httpx2."""
    for kind in type(client).__mro__:
        root = kind.__module__.partition(".")[0]
        if root in ("httpx", "httpx2"):
            return sys.modules[root]
    raise TypeError(f"A client must be an AsyncClient of httpx or httpx2, not {type(client)!r}")


async def _shared_client(parts: SplitResult) -> Any:
    """The client of this event loop; this machine has its own, so that no proxy gets at it."""
    kind = _Kind(local=is_local(parts), encrypted=parts.scheme == "https")
    kept = _clients.setdefault(asyncio.get_running_loop(), {})
    if kind not in kept:
        keeper = _keep(kind)
        try:
            kept[kind] = (await anext(keeper), keeper)
        except (ImportError, OSError, ValueError) as error:
            raise ProviderFailed(
                f"No connection can be set up: {shown(error)}",
                next_step="Check the environment's proxies and certificates (HTTPS_PROXY, SSL_CERT_FILE)",
            ) from error
    client, _ = kept[kind]
    return client


async def _keep(kind: _Kind) -> AsyncGenerator[Any, None]:
    """Hold a client for as long as the loop runs.

    A loop that ends closes the generators that began in it, and so this client, while it can still
    be closed in order: nobody has to remember to.
    """
    import httpx

    limits = httpx.Limits(max_connections=MOST_CONNECTIONS, max_keepalive_connections=KEPT_CONNECTIONS)
    async with httpx.AsyncClient(
        trust_env=not kind.local,
        verify=kind.encrypted,
        limits=limits,
        headers={"user-agent": "dissensus"},
    ) as client:
        try:
            yield client
        finally:
            # The generator knows its loop, which would be kept for ever by what keeps the generator.
            _clients.pop(asyncio.get_running_loop(), None)


async def close_clients() -> None:
    """Close the shared clients of this event loop, for a loop that will not end soon."""
    for _, keeper in _clients.pop(asyncio.get_running_loop(), {}).values():
        await keeper.aclose()
