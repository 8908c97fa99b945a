"""A line to PostgreSQL that can be cut at an exact moment: before a statement, or before its answer.

It reads the protocol as far as needed to know which statement an exchange is about
(https://www.postgresql.org/docs/current/protocol-message-formats.html).
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal, Self

from sqlalchemy.engine import make_url

from crash_points import name_of

Cut = Literal["request", "answer", "reset"]
"""What is lost: the request before the server has it, its answer, or that with the line reset."""

_NOT_YET_STARTED = {80877103, 80877104}
"""A client asks first whether the line is to be encrypted."""

_READY = (b"Z\x00\x00\x00\x05I", b"Z\x00\x00\x00\x05T", b"Z\x00\x00\x00\x05E")


class Proxy:
    """A port of this machine behind which a PostgreSQL server stands; use it in a `with` block.

    Attributes:
        silent: Nothing is passed on, nor answered.
    """

    def __init__(self, url: str) -> None:
        self._target = make_url(url)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._writers: set[asyncio.StreamWriter] = set()
        self._over = asyncio.Event()
        self._changes = 0
        self._loss: tuple[int, Cut] | None = None
        self.silent = False

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.url = str(self._target.set(port=self._server.sockets[0].getsockname()[1]))
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @contextmanager
    def losing(self, number: int, cut: Cut) -> Iterator[None]:
        """Within the block, cut the line at the change with this number, counted from 0."""
        self._changes, self._loss = 0, (number, cut)
        try:
            yield
        finally:
            self._loss = None

    def asked(self) -> Cut | None:
        """Whether the next change is to be lost."""
        number, self._changes = self._changes, self._changes + 1
        return self._loss[1] if self._loss and self._loss[0] == number else None

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _close(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()
        self._over.set()
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.silent:
            await self._over.wait()
            writer.close()
            return
        up_reader, up_writer = await asyncio.open_connection(self._target.host, self._target.port)
        line = _Line(self, reader, up_writer)
        self._writers |= {writer, up_writer}
        answers = asyncio.ensure_future(line.pass_answers(up_reader, writer))
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await line.pass_requests()
            await answers
        answers.cancel()
        up_writer.close()
        if line.lost == "reset":
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.close()
        self._writers -= {writer, up_writer}


class _Line:
    """One connection."""

    def __init__(self, proxy: Proxy, reader: asyncio.StreamReader, up: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._reader = reader
        self._up = up
        self._prepared: dict[bytes, str] = {}
        self.lost: Cut | None = None

    async def pass_requests(self) -> None:
        """Pass on what the client sends, an exchange at a time, until one is to be lost."""
        while await self._greeting() in _NOT_YET_STARTED:
            pass
        exchange, text = b"", ""
        while True:
            head = await self._reader.readexactly(5)
            body = await self._reader.readexactly(struct.unpack("!i", head[1:])[0] - 4)
            exchange += head + body
            text = self._text(head[:1], body) or text
            if head[:1] in b"PBDEC":
                continue
            self.lost = self._proxy.asked() if name_of(text) else None
            if self.lost == "request":
                raise ConnectionError
            self._up.write(exchange)
            if self.lost:
                return
            exchange, text = b"", ""

    async def _greeting(self) -> int:
        head = await self._reader.readexactly(8)
        size, code = struct.unpack("!ii", head)
        self._up.write(head + await self._reader.readexactly(size - 8))
        return int(code)

    def _text(self, kind: bytes, body: bytes) -> str:
        """The statement that a message is about; "" where it tells none."""
        match kind:
            case b"Q":
                return body[:-1].decode()
            case b"P":
                name, text, _ = body.split(b"\0", 2)
                self._prepared[name] = text.decode()
                return self._prepared[name]
            case b"B":
                return self._prepared.get(body.split(b"\0", 2)[1], "")
        return ""

    async def pass_answers(self, up: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what the server answers; where that is to be lost, wait until it has said all of it."""
        unsaid = b""
        while answer := await up.read(65536):
            if self.lost is None:
                writer.write(answer)
                continue
            unsaid += answer
            if unsaid[-6:] in _READY:
                raise ConnectionError
        writer.close()
