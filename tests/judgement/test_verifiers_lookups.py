"""Lookups: what a source says, and what is said when it does not answer."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from dissensus_agents.errors import GraphError
from dissensus_agents.judgement.lookups import lookup
from dissensus_agents.judgement.witnessing import run_verifiers, witnessed
from dissensus_state.errors import BudgetExceeded
from dissensus_state.values import store

PEOPLE = {"Turin": 851_000, "Aosta": 33_000}
TOWN = {"/verdict": {"town": "Turin", "people": 851_000}}


def test_what_the_source_says_is_compared_and_decides() -> None:
    check = lookup(PEOPLE.get, "verdict/people", asks="verdict/town", name="census", version="2026")
    (found,) = run_verifiers([check], TOWN, {})
    assert (found.verifier, found.version, found.path) == ("census", "2026", "/verdict/people")
    assert (found.passed, found.decides) == (True, True)
    assert found.detail == 'asked for "Turin", the source says 851000'
    (other,) = run_verifiers([check], {"/verdict": {"town": "Aosta", "people": 34_000}}, {})
    assert (other.passed, other.refutes) == (False, True)
    assert other.detail == 'asked for "Aosta", the source says 33000, and not 34000'
    near = lookup(PEOPLE.get, "verdict/people", asks="verdict/town", tolerance=0.05)
    assert run_verifiers([near], {"/verdict": {"town": "Aosta", "people": 34_000}}, {})[0].passed


def test_what_is_asked_for_may_stand_in_the_state() -> None:
    check = lookup(PEOPLE.get, "people", asks="town")
    assert run_verifiers([check], {"/people": 33_000}, {"town": "Aosta"})[0].passed
    (found,) = run_verifiers([check], {"/people": 33_000}, {})
    assert (found.passed, found.broke) == (False, True)


@pytest.mark.parametrize(
    ("answer", "passed", "detail"),
    [
        (True, True, 'asked for "x": it stands there'),
        ("", True, 'asked for "x": it stands there'),
        (False, False, 'asked for "x": it does not stand there'),
        ("withdrawn", False, 'asked for "x": withdrawn'),
    ],
)
def test_a_plain_answer_does_not_decide(answer: Any, passed: bool, detail: str) -> None:  # noqa: FBT001
    (found,) = run_verifiers([lookup(lambda _: answer, "id")], {"/id": "x"}, {})
    assert (found.passed, found.decides, found.broke, found.detail) == (passed, False, False, detail)


def _raise(_: Any) -> None:
    raise ConnectionError("no route\x1b[2J to \x00 host" * 100)


async def _sleep(_: Any) -> None:
    await asyncio.sleep(100)


async def _async(item: str) -> int | None:
    await asyncio.sleep(0)
    return PEOPLE.get(item)


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (_raise, "the source was not reached: ConnectionError: no route"),
        (_sleep, "the source was not reached: TimeoutError: no answer in 0.05 seconds"),
        (lambda _: time.sleep(0.5), "the source was not reached: TimeoutError: no answer in 0.05 seconds"),
        (lambda _: None, "the source knows nothing"),
        (lambda _: {1, 2}, "the source gave no JSON value"),
        (lambda _: float("nan"), "the source gave no JSON value"),
    ],
)
def test_a_source_that_gives_no_answer_is_unknown_and_speaks_against_nobody(
    function: Callable[[Any], Any], says: str
) -> None:
    check = lookup(function, "verdict/people", asks="verdict/town", seconds=0.05)
    (found,) = run_verifiers([check], TOWN, {})
    assert (found.passed, found.broke, found.refutes, found.proves) == (False, True, False, False)
    assert found.detail.startswith(f'asked for "Turin", {says}')
    assert "\x1b" not in found.detail
    store(found.as_dict())


def test_an_error_of_ours_is_no_silence_of_the_source() -> None:
    def spent(_: Any) -> None:
        raise BudgetExceeded

    with pytest.raises(BudgetExceeded):
        run_verifiers([lookup(spent, "id")], {"/id": 1}, {})


async def test_one_thing_is_asked_for_once_and_only_a_few_at_a_time() -> None:
    asked: list[str] = []
    now = most = 0

    async def slow(item: str) -> int | None:
        nonlocal now, most
        asked.append(item)
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        return 1

    towns = [f"t{n % 6}" for n in range(20)]
    proposed = {"/found/-": [{"town": town, "n": 1} for town in towns]}
    found = await witnessed([lookup(slow, "found/n", asks="found/town", at_once=2)], proposed, {})
    assert [one.passed for one in found] == [True] * 20
    assert sorted(asked) == sorted(set(towns))
    assert most == 2


async def test_the_event_loop_goes_on_while_a_plain_function_waits() -> None:
    threads: list[str] = []

    def blocking(_: Any) -> bool:
        threads.append(threading.current_thread().name)
        time.sleep(0.2)
        return True

    beats = 0

    async def beating() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.01)
            beats += 1

    heart = asyncio.create_task(beating())
    assert (await witnessed([lookup(blocking, "id")], {"/id": 1}, {}))[0].passed
    heart.cancel()
    assert beats > 3
    assert threads != [threading.current_thread().name]


def test_several_kinds_of_verifiers_keep_their_order() -> None:
    checks = [lookup(_async, "verdict/people", asks="verdict/town", name=f"n{n}") for n in range(3)]
    assert [one.verifier for one in run_verifiers(checks, TOWN, {})] == ["n0", "n1", "n2"]


def test_bounds_that_are_none_are_refused() -> None:
    for settings in ({"seconds": 0}, {"at_once": 0}):
        with pytest.raises(GraphError, match="a lookup"):
            lookup(PEOPLE.get, "id", **settings)  # type: ignore[arg-type]
