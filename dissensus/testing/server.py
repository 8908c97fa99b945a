"""HTTP on plain sockets: a proper server refuses to send what an improper one does."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from email.utils import formatdate

from .answers import Raw, Received

_TLS_RECORD = b"\x16"
_GARBAGE = b"this is no TLS\r\n\r\n"
_MOST_HEAD = 256 * 1024
_SMALL = 64 * 1024
_UNTIL_READ = 0.02
"""Seconds before a reset, so that what was sent before it is read."""


class Server:
    """A server in a thread, with a loop of its own; `reply` decides on what it sends."""

    def __init__(self, reply: Callable[[Received], Raw], host: str, port: int) -> None:
        self.connections = 0
        self.requests = 0
        self.port = port
        self._host = host
        self._reply = reply
        self._loop = asyncio.new_event_loop()
        self._listener: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fake provider", daemon=True)

    def start(self) -> None:
        """Listen.

        Raises:
            OSError: The port is taken.
        """
        self._thread.start()
        try:
            self.listen()
        except OSError:
            self.stop()
            raise

    def listen(self) -> None:
        """Take connections, on the same port as before."""
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    def refuse(self) -> None:
        """Take no more connections and drop those that there are; the port stays ours to listen on."""
        asyncio.run_coroutine_threadsafe(self._refuse(), self._loop).result()

    def stop(self) -> None:
        """End, whoever is still connected."""
        self.refuse()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = await asyncio.start_server(
                self._connected, self._host, self.port, limit=_MOST_HEAD, backlog=1024
            )
            self.port = self._listener.sockets[0].getsockname()[1]

    async def _refuse(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        if task is not None:  # it is one: asyncio starts this in a task of its own
            self._open.add(task)
            task.add_done_callback(self._open.discard)
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass  # the client went away, as clients do, or this server ends
        finally:
            writer.transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection is good for another one."""
        first = await reader.readexactly(1)
        if first == _TLS_RECORD:
            writer.write(_GARBAGE)
            await writer.drain()
            writer.write_eof()
            await reader.read()
            return False
        head = first + await reader.readuntil(b"\r\n\r\n")
        method, path, headers = _parsed(head)
        raw = await reader.readexactly(int(headers.get("content-length") or 0))
        number, self.requests = self.requests, self.requests + 1
        raw_answer = self._reply(Received(method, path, headers, raw, number))
        if raw_answer.delay:
            await asyncio.sleep(raw_answer.delay)
        return await _send(raw_answer, reader, writer)


def _parsed(head: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    method, path, *_ = [*first.split(" "), "", ""]
    pairs = (line.partition(":") for line in lines)
    return method, path, {name.lower(): value.strip() for name, _, value in pairs}


async def _send(raw: Raw, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    pieces: Iterable[bytes] = [raw.body] if isinstance(raw.body, bytes) else raw.body
    writer.write(_head(raw) if raw.head is None else raw.head)
    waiting = 0
    for piece in pieces:
        if writer.is_closing():
            raise ConnectionResetError("the client went away")
        writer.write(_chunk(piece) if raw.chunked else piece)
        waiting += len(piece)
        if raw.pause or waiting > _SMALL:
            await writer.drain()
            waiting = 0
        if raw.pause:
            await asyncio.sleep(raw.pause)
    if raw.chunked and raw.ending == "keep":
        writer.write(b"0\r\n\r\n")
    await writer.drain()
    return await _ended(raw, reader, writer)


async def _ended(raw: Raw, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """End as it is to end; whether the connection is kept."""
    framed = raw.chunked or (isinstance(raw.body, bytes) and raw.length is None)
    if raw.ending == "keep" and raw.head is None and framed:
        return True
    if raw.ending == "hang":
        await reader.read()  # until the client goes away
        return False
    if raw.ending == "reset":
        await asyncio.sleep(_UNTIL_READ)
        # To linger for no time at all is to reset (SO_LINGER in socket(7)).
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        return False
    writer.write_eof()
    await reader.read()
    return False


def _chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""


def _head(raw: Raw) -> bytes:
    headers = {"content-type": "application/json", "date": formatdate(usegmt=True)}
    if raw.chunked:
        headers["transfer-encoding"] = "chunked"
    elif raw.length is not None:
        headers["content-length"] = str(raw.length)
    elif isinstance(raw.body, bytes):
        headers["content-length"] = str(len(raw.body))
    headers.update({name.lower(): value for name, value in raw.headers.items()})
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {raw.status} Said\r\n{lines}\r\n".encode("latin-1")
