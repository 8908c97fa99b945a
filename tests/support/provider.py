"""`dissensus.testing.FakeProvider` for the tests of Chat Completions, with answers as they came.

provider.says(fault(429, "slow down", headers={"retry-after": "0"}), completion("42"))
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from dissensus.testing import FakeProvider, Raw, Received
from dissensus.testing.fake import Sayable


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

    def raw(self) -> Raw:
        """The same for the fake provider."""
        if self.silent:
            return Raw(head=b"", delay=self.delay, ending="close")
        length = len(self.body) if self.drip and self.length is None else self.length
        body = (bytes([byte]) for byte in self.body) if self.drip else self.body
        return Raw(self.status, body, self.headers, length, delay=self.delay, pause=self.drip)


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
    """The fake provider, asked by Chat Completions alone."""

    def __init__(self) -> None:
        self.fake = FakeProvider()

    @property
    def url(self) -> str:
        """The base URL."""
        return self.fake.url("openai")

    @property
    def received(self) -> list[Received]:
        """What came, the oldest first."""
        return self.fake.received

    @property
    def asked(self) -> threading.Event:
        """Whether anything came."""
        return self.fake.asked

    @property
    def connections(self) -> int:
        """How many connections there were."""
        return self.fake.connections

    def says(self, *answers: Say | Sayable) -> None:
        """What to answer from now on."""
        self.fake.says(*(answer.raw() if isinstance(answer, Say) else answer for answer in answers))


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider of its own for each test."""
    served = Provider()
    with served.fake:
        served.says(completion())
        yield served
