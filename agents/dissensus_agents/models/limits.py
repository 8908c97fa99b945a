"""Requests and tokens per minute, kept by all agents, threads and event loops of a process together.

Who wants to ask takes a place in the line of the model. The first in line goes as soon as the last
sixty seconds leave room for its request and for the tokens that it may take; so in no sixty seconds
more leave than the limit allows, whoever asks. What it really took is put in place of the estimate as
soon as it is known. Nobody polls: who waits sleeps until the time at which the first may go, and is
woken when that comes earlier.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..bounds import check_whole
from ..messages import Request, Usage
from .health import Key, key_of

MINUTE = 60.0
CHARACTERS_PER_TOKEN = 4
LONGEST_TEXT = 40


@dataclass(slots=True)
class Leaving:
    """One request in the window: when it left, and how many tokens it takes."""

    at: float
    tokens: int


class Window:
    """What left in the last sixty seconds, against what may. Pure: the time is given.

    Args:
        rpm: Requests per minute; None: no limit.
        tpm: Tokens per minute; None: no limit.
    """

    def __init__(self, rpm: int | None, tpm: int | None) -> None:
        self.rpm = rpm
        self.tpm = tpm
        self._left: deque[Leaving] = deque()
        self._tokens = 0
        self._closed_until = 0.0

    def opens(self, tokens: int, now: float) -> float:
        """The earliest time at which a request for this many tokens may leave."""
        self._forget(now)
        at = max(now, self._closed_until)
        count, taken = len(self._left), self._tokens
        wanted = self._possible(tokens)
        for leaving in self._left:
            if self._fits(count, taken, wanted):
                break
            at = max(at, leaving.at + MINUTE)
            count, taken = count - 1, taken - leaving.tokens
        return at

    def take(self, tokens: int, now: float) -> Leaving:
        """Let a request leave now."""
        leaving = Leaving(now, self._possible(tokens))
        self._left.append(leaving)
        self._tokens += leaving.tokens
        return leaving

    def correct(self, leaving: Leaving, tokens: int) -> None:
        """Put what a request really took in place of what was reckoned with."""
        if any(one is leaving for one in self._left):
            self._tokens += tokens - leaving.tokens
            leaving.tokens = tokens

    def take_back(self, leaving: Leaving) -> None:
        """A request did not leave after all."""
        if any(one is leaving for one in self._left):
            self._left = deque(one for one in self._left if one is not leaving)
            self._tokens -= leaving.tokens

    def close(self, until: float) -> None:
        """Let nothing leave before a time: the provider says that nothing is left."""
        self._closed_until = max(self._closed_until, until)

    def _possible(self, tokens: int) -> int:
        """A request that is larger than a whole minute's limit leaves when the minute is empty."""
        return tokens if self.tpm is None else min(tokens, self.tpm)

    def _fits(self, count: int, taken: int, tokens: int) -> bool:
        requests = self.rpm is None or count < self.rpm
        return requests and (self.tpm is None or taken + tokens <= self.tpm)

    def _forget(self, now: float) -> None:
        while self._left and self._left[0].at + MINUTE <= now:
            self._tokens -= self._left.popleft().tokens


class Line:
    """Those who wait to ask one model, in the order in which they came.

    Args:
        rpm: Requests per minute; None: no limit.
        tpm: Tokens per minute; None: no limit.
        clock: Gives seconds that never go back.
    """

    def __init__(self, rpm: int | None, tpm: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.window = Window(rpm, tpm)
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: deque[Place] = deque()

    def join(self, tokens: int) -> Place:
        """Take the next place; where nobody waits and there is room, it is one's turn already."""
        place = Place(self, tokens)
        with self._lock:
            self._waiting.append(place)
            self._advance()
        return place

    def wait(self, place: Place) -> float:
        """Seconds after which to look again whether it is one's turn; 0: it is."""
        with self._lock:
            self._advance(but=place)
            if place.leaving is not None or place not in self._waiting:
                return 0.0
            now = self._clock()
            return max(self.window.opens(self._waiting[0].tokens, now) - now, 0.001)

    def drop(self, place: Place, *, back: bool) -> None:
        """Leave the line; with `back`, as if one had never stood in it."""
        with self._lock:
            if place in self._waiting:
                self._waiting.remove(place)
            elif back and place.leaving is not None:
                self.window.take_back(place.leaving)
            self._changed()

    def correct(self, place: Place, tokens: int) -> None:
        """Say what a request really took."""
        with self._lock:
            if place.leaving is not None:
                self.window.correct(place.leaving, tokens)
            self._changed()

    def close(self, seconds: float) -> None:
        """Let nobody go for some seconds."""
        with self._lock:
            self.window.close(self._clock() + seconds)

    def _advance(self, but: Place | None = None) -> None:
        """Let all go whose turn it is; they are woken, and so is the next, but for the one that asks."""
        now = self._clock()
        gone: list[Place] = []
        while self._waiting and self.window.opens(self._waiting[0].tokens, now) <= now:
            place = self._waiting.popleft()
            place.leaving = self.window.take(place.tokens, now)
            gone.append(place)
        first = [self._waiting[0]] if gone and self._waiting else []
        for place in (*gone, *first):
            if place is not but:
                place.wake()

    def _changed(self) -> None:
        """There may be room earlier than the first in line thought."""
        self._advance()
        if self._waiting:
            self._waiting[0].wake()


class Place:
    """A place in a line; without one, it is always one's turn."""

    def __init__(self, line: Line | None = None, tokens: int = 0) -> None:
        self.tokens = tokens
        self.leaving: Leaving | None = None
        self._line = line
        self._ready: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def must_wait(self) -> bool:
        """Whether it is not one's turn yet."""
        return self._line is not None and self._line.wait(self) > 0

    async def turn(self) -> None:
        """Return when it is one's turn."""
        if self._line is None:
            return
        self._loop, self._ready = asyncio.get_running_loop(), asyncio.Event()
        while (seconds := self._line.wait(self)) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._ready.wait()
            self._ready.clear()

    def counted(self, usage: Usage | None) -> None:
        """What the request took, by the provider's own count; None: nothing."""
        if self._line is not None:
            self._line.correct(self, 0 if usage is None else _total(usage))

    def leave(self) -> None:
        """Stand in nobody's way any more; what has left, has left."""
        if self._line is not None and self.leaving is None:
            self._line.drop(self, back=False)

    def give_back(self) -> None:
        """As if one had never stood here: the request was not sent."""
        if self._line is not None:
            self._line.drop(self, back=True)

    def wake(self) -> None:
        """Look again, in whatever loop one waits."""
        if self._loop is not None and self._ready is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ready.set)


def _total(usage: Usage) -> int:
    return usage.input + usage.output + usage.cached + usage.reasoning + usage.written


_lines: dict[Key, Line] = {}
_lines_lock = threading.Lock()


def line_of(model: Any) -> Line | None:
    """The line of a model that has limits (`rpm`, `tpm`), the same for all who ask it."""
    rpm, tpm = getattr(model, "rpm", None), getattr(model, "tpm", None)
    check_whole(repr(getattr(model, "name", "")), rpm=rpm, tpm=tpm)
    if rpm is None and tpm is None:
        return None
    with _lines_lock:
        line = _lines.setdefault(key_of(model), Line(rpm, tpm))
        line.window.rpm, line.window.tpm = rpm, tpm
        return line


def line_up(model: Any, request: Request, after: Place | None = None) -> Place:
    """A place for one request in the line of its model.

    Args:
        model: Whom to ask.
        request: Its tokens are estimated: a quarter of its characters, and the longest answer.
        after: The place that is left for this one.
    """
    if after is not None:
        after.leave()
    line = line_of(model)
    if line is None:
        return Place()
    asked = -(-(request.characters + len(request.schema_text)) // CHARACTERS_PER_TOKEN)
    return line.join(asked + request.max_output_tokens)


def told(model: Any, headers: Mapping[str, str], now: datetime) -> None:
    """Heed what a provider says is left of its own limits: where nothing is, wait until it is again.

    Args:
        model: Who said so.
        headers: Of its answer, names in lower case.
        now: The time here, with its zone.
    """
    line = line_of(model)
    if line is None:
        return
    for kind in ("requests", "tokens", "input-tokens", "output-tokens"):
        for remaining, reset in (
            (f"x-ratelimit-remaining-{kind}", f"x-ratelimit-reset-{kind}"),
            (f"anthropic-ratelimit-{kind}-remaining", f"anthropic-ratelimit-{kind}-reset"),
        ):
            if headers.get(remaining, "").strip() == "0":
                seconds = reset_seconds(headers.get(reset, ""), now)
                if seconds is not None:
                    line.close(min(seconds, MINUTE))


def reset_seconds(text: str, now: datetime) -> float | None:
    """The seconds until a limit is lifted: `6m0s`, `250ms`, `12`, or a date (RFC 3339); None: unreadable."""
    try:
        return max((datetime.fromisoformat(text) - now).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return _duration(text.strip())


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PIECE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|[smhd])")


def _duration(text: str) -> float | None:
    """Seconds in the form `1h6m0s`, or plain."""
    if re.fullmatch(r"\d{1,9}(?:\.\d{1,9})?", text):
        return float(text)
    if len(text) > LONGEST_TEXT or not re.fullmatch(f"(?:{_PIECE.pattern})+", text):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _PIECE.findall(text))
