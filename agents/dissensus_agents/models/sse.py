"""Server-sent events: bytes in as they arrive, whole events out; no network.

The format is WHATWG's (HTML, section 9.2), as far as providers use it: `id` and `retry` say nothing
here. What stands in `data` must be a JSON object; the one exception is OpenAI's `[DONE]`.
"""

from __future__ import annotations

import re
from typing import Any

from .bodies import parse_object
from .formats import Event, NotAnAnswer
from .texts import shown

MOST_EVENT = 4 * 1024 * 1024
"""Bytes of one event; an answer of 100,000 tokens takes half a megabyte."""

_LINE_END = re.compile(rb"\r\n|\r|\n")
_BOM = b"\xef\xbb\xbf"


class Events:
    """The events of one stream; however it is cut into chunks, they are the same.

    Attributes:
        ended: Whether `[DONE]` came; what follows it is not read.
        mended: Whether bytes that are not UTF-8 became U+FFFD.
    """

    def __init__(self, most: int = MOST_EVENT) -> None:
        self.ended = False
        self.mended = False
        self._most = most
        self._rest = bytearray()
        self._after_cr = False
        self._first = True
        self._data: list[bytes] = []
        self._size = 0
        self._name = ""

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that this chunk completes.

        Raises:
            NotAnAnswer: One is longer than the bound, or its data is no JSON object.
        """
        if self._after_cr and chunk.startswith(b"\n"):
            self._after_cr, chunk = False, chunk[1:]
        if not chunk or self.ended:
            return []
        self._after_cr = chunk.endswith(b"\r")
        head, *others = _LINE_END.split(chunk)
        self._rest += head
        self._check(self._size + len(self._rest))
        if not others:
            return []
        lines = [bytes(self._rest), *others[:-1]]
        self._rest = bytearray(others[-1])
        found = (self._line(line) for line in lines)
        return [event for event in found if event is not None]

    def close(self) -> list[Event]:
        """The last event of a stream whose server forgot the empty line after it.

        One that is cut off in its middle is none.
        """
        last, self._rest = bytes(self._rest), bytearray()
        try:
            events = [self._line(last) if last else None, self._line(b"")]
        except NotAnAnswer:
            return []
        return [event for event in events if event is not None]

    def _check(self, size: int) -> None:
        if size > self._most:
            raise NotAnAnswer(f"an event of more than {self._most:,} bytes")

    def _line(self, line: bytes) -> Event | None:
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        if not line:
            return self._dispatched()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._size += len(value) + 1
            self._check(self._size)
            self._data.append(value)
        elif field == b"event":
            self._name = shown(value[:200].decode(errors="replace"), 80)
        return None

    def _dispatched(self) -> Event | None:
        data, name = b"\n".join(self._data), self._name
        self._data, self._size, self._name = [], 0, ""
        if not data or self.ended:
            return None
        if data.strip() == b"[DONE]":
            self.ended = True
            return None
        return Event(self._parsed(data), name)

    def _parsed(self, data: bytes) -> dict[str, Any]:
        parsed, mended = parse_object(data, "an event that")
        self.mended = self.mended or mended
        return parsed
