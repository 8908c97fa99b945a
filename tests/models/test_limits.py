"""Requests and tokens per minute: never exceeded, in turn, and shared by threads and event loops."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissensus_agents.messages import Part, Request, Usage
from dissensus_agents.models import limits
from dissensus_agents.models.limits import MINUTE, Line, Window, line_of, line_up, reset_seconds, told

NOW = datetime(2031, 1, 1, tzinfo=UTC)
_numbers = count()


class Limited:
    """A model with limits."""

    def __init__(self, rpm: int | None = None, tpm: int | None = None) -> None:
        self.name = f"limited-{next(_numbers)}"
        self.rpm = rpm
        self.tpm = tpm


ASKED = Request("", (Part("x" * 391),), max_output_tokens=100)
"""About two hundred tokens."""


PAUSES = st.integers(0, 240).map(lambda eighths: eighths / 8)
"""Seconds that are exact in binary, so that a minute later is a minute later."""


@given(
    rpm=st.none() | st.integers(1, 5),
    tpm=st.none() | st.integers(1, 1000),
    wishes=st.lists(st.tuples(PAUSES, st.integers(0, 1500)), max_size=40),
)
@settings(max_examples=300, deadline=None)
def test_in_no_sixty_seconds_more_leaves_than_may(
    rpm: int | None, tpm: int | None, wishes: list[tuple[float, int]]
) -> None:
    window, now, left = Window(rpm, tpm), 0.0, []
    for pause, tokens in wishes:
        now = max(now + pause, window.opens(tokens, now + pause))
        taken = window.take(tokens, now)
        left.append((now, taken.tokens))
        last_minute = [one for one in left if one[0] > now - MINUTE]
        assert rpm is None or len(last_minute) <= rpm
        assert tpm is None or sum(one for _, one in last_minute) <= tpm


@given(st.lists(st.tuples(PAUSES, st.integers(0, 500), st.integers(0, 500)), max_size=30))
@settings(max_examples=200, deadline=None)
def test_what_was_really_taken_takes_the_place_of_the_estimate(wishes: list[tuple[float, int, int]]) -> None:
    window, now, left = Window(None, 1000), 0.0, []
    for pause, tokens, really in wishes:
        now = max(now + pause, window.opens(tokens, now + pause))
        taken = window.take(tokens, now)
        window.correct(taken, min(really, tokens))
        left.append((now, min(really, tokens)))
        assert sum(one for at, one in left if at > now - MINUTE) <= 1000


def test_room_that_was_reckoned_with_and_not_taken_is_there_for_the_next() -> None:
    window = Window(None, 1000)
    first = window.take(900, 0.0)
    assert window.opens(200, 1.0) == MINUTE
    window.correct(first, 100)
    assert window.opens(200, 1.0) == 1.0


def test_a_request_over_the_whole_minutes_limit_leaves_when_the_minute_is_empty() -> None:
    window = Window(None, 100)
    window.take(10, 0.0)
    assert window.opens(5000, 1.0) == MINUTE


def test_they_go_in_the_order_in_which_they_came_however_small_the_last_is() -> None:
    now = [0.0]
    line = Line(None, 1000, clock=lambda: now[0])
    big, second, small = line.join(900), line.join(800), line.join(1)
    assert [place.leaving is not None for place in (big, second, small)] == [True, False, False]
    now[0] = MINUTE
    assert [line.wait(place) for place in (small, second)] == [0.0, 0.0]


def test_a_place_that_is_given_up_makes_room() -> None:
    line = Line(1, None, clock=lambda: 0.0)
    first, second, third = line.join(1), line.join(1), line.join(1)
    second.give_back()
    first.give_back()
    assert third.leaving is not None
    assert not third.must_wait


def test_a_model_without_limits_never_makes_anybody_wait() -> None:
    place = line_up(object(), ASKED)
    assert not place.must_wait
    place.counted(Usage(5))
    place.leave()
    place.give_back()


@pytest.fixture
def short_minute(monkeypatch: pytest.MonkeyPatch) -> Iterator[float]:
    monkeypatch.setattr(limits, "MINUTE", 0.3)
    return 0.3


def asking_in_a_loop(model: Any, times: int, left: list[float]) -> None:
    async def one() -> None:
        place = line_up(model, ASKED)
        await place.turn()
        left.append(time.monotonic())
        place.counted(Usage(100, 50))

    async def all_() -> None:
        await asyncio.gather(*(one() for _ in range(times)))

    asyncio.run(all_())


def test_threads_and_event_loops_share_one_limit(short_minute: float) -> None:
    model, left = Limited(rpm=4), list[float]()
    threads = [threading.Thread(target=asking_in_a_loop, args=(model, 3, left)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    left.sort()
    assert len(left) == 12
    assert all(later - earlier >= short_minute * 0.9 for earlier, later in zip(left, left[4:], strict=False))


async def test_whoever_waits_is_woken_by_room_and_does_not_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Limited(tpm=250)
    first, second = line_up(model, ASKED), line_up(model, ASKED)
    looked = []
    line = line_of(model)
    assert line is not None
    wait = line.wait
    monkeypatch.setattr(line, "wait", lambda place: looked.append(1) or wait(place))
    waiting = asyncio.create_task(second.turn())
    await asyncio.sleep(0.1)
    assert not waiting.done()
    first.counted(Usage(10, 10))
    await asyncio.wait_for(waiting, 5)
    assert len(looked) <= 4


async def test_who_is_stopped_while_waiting_does_not_hold_the_others_up() -> None:
    model = Limited(rpm=1)
    first, second, third = (line_up(model, ASKED) for _ in range(3))
    waiting = asyncio.create_task(second.turn())
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    second.leave()
    first.give_back()
    await asyncio.wait_for(third.turn(), 5)
    assert third.leaving is not None


@pytest.mark.parametrize(
    ("headers", "closed"),
    [
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "12s"}, 12.0),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "250ms"}, 0.25),
        ({"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "12s"}, 0.0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, MINUTE),
        (
            {
                "anthropic-ratelimit-input-tokens-remaining": "0",
                "anthropic-ratelimit-input-tokens-reset": "2031-01-01T00:00:20Z",
            },
            20.0,
        ),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "soon"}, 0.0),
        ({"x-ratelimit-remaining-requests": "-1"}, 0.0),
        ({}, 0.0),
    ],
)
def test_what_a_provider_says_is_left_is_heeded(headers: dict[str, str], closed: float) -> None:
    model = Limited(rpm=100)
    line = line_of(model)
    assert line is not None
    line._clock = lambda: 5.0
    told(model, headers, NOW)
    assert line.wait(line.join(1)) == pytest.approx(closed)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6m0s", 360.0),
        ("250ms", 0.25),
        ("1h2m3.5s", 3723.5),
        ("12", 12.0),
        ("0", 0.0),
        ("2031-01-01T00:01:00+00:00", 60.0),
        ("2030-01-01T00:00:00Z", 0.0),
        ("2031-01-01T00:00:00", None),
        ("", None),
        ("12x", None),
        ("s", None),
        ("9" * 400, None),
        ("1s" * 400, None),
    ],
)
def test_a_reset_is_read_in_every_form_and_nonsense_is_none(text: str, seconds: float | None) -> None:
    assert reset_seconds(text, NOW) == seconds
