"""A provider on this machine: a real HTTP server that speaks Chat Completions, and every fault.

`provider` is its fixture. It answers with what it was told to, in order, the last one for ever:

    provider.says(fault(429, "slow down", headers={"retry-after": "0"}), completion("42"))

It keeps what it received. It is written on plain sockets, since a proper server refuses to send
what an improper one does.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest


@dataclass(frozen=True)
class Say:
    """One answer, as bytes and misdeeds.

    `length` is the content-length it claims (None: the right one); `delay` are the seconds before
    it, `drip` the seconds after each byte; `silent` closes the connection without a word.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    delay: float = 0.0
    drip: float = 0.0
    silent: bool = False


@dataclass(frozen=True)
class Received:
    """One request, as it came."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.raw)
        return parsed


def completion(
    text: str | None = "an answer",
    *,
    usage: dict[str, Any] | None = None,
    finish_reason: str = "stop",
    model: str = "a-model",
    headers: dict[str, str] | None = None,
    **message: Any,
) -> Say:
    """A chat completion; further fields go into its message."""
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, **message},
                "finish_reason": finish_reason,
            }
        ],
        "usage": usage or {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
    }
    return Say(body=json.dumps(body).encode(), headers=headers or {})


def fault(
    status: int, message: str = "no", *, code: Any = None, headers: dict[str, str] | None = None
) -> Say:
    """An error in the form that OpenAI gives it."""
    error = {"message": message, "type": "an_error", "code": code}
    return Say(status, json.dumps({"error": error}).encode(), headers or {})


class Provider:
    """The server, in a thread with a loop of its own."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.asked = threading.Event()
        self.connections = 0
        self._answers: list[Say] = [completion()]
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._ends = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._port = 0

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self._port}/v1"

    def says(self, *answers: Say) -> None:
        """What to answer from now on."""
        self._answers = list(answers)

    def start(self) -> None:
        self._thread.start()
        self._started.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._ends.set)
        self._thread.join(10)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._ends.wait()
        server.close()
        open_connections = asyncio.all_tasks() - {asyncio.current_task()}
        for task in open_connections:
            task.cancel()
        await asyncio.gather(*open_connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client went away, as clients do
        finally:
            writer.transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection is still good for another."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        self.received.append(Received(first.split(" ")[1], headers, raw))
        self.asked.set()
        say = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        await asyncio.sleep(say.delay)
        if say.silent:
            return False
        await self._write(writer, say)
        return say.length is None

    async def _write(self, writer: asyncio.StreamWriter, say: Say) -> None:
        length = len(say.body) if say.length is None else say.length
        headers = {"content-type": "application/json", "content-length": str(length), **say.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"HTTP/1.1 {say.status} Said\r\n{lines}\r\n".encode("latin-1"))
        if say.drip:
            for byte in say.body:
                writer.write(bytes([byte]))
                await asyncio.sleep(say.drip)
        writer.write(b"" if say.drip else say.body)
        await writer.drain()


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider of its own for each test."""
    server = Provider()
    server.start()
    yield server
    server.stop()
