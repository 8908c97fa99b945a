"""How a provider's health is remembered: a pure machine on an injected clock, and its laws."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dissensus_agents.models.health import (
    AT_ONCE,
    COUNTED,
    FIRST_FOR_PEOPLE,
    FIRST_SECONDS,
    LONGEST_ASKED,
    LONGEST_SECONDS,
    LOST_PROBE_SECONDS,
    OPENS_AFTER,
    Health,
)

KEY = ("here", "m")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def a_health() -> tuple[Health, Clock]:
    clock = Clock()
    return Health(clock), clock


def seconds(health: Health) -> float:
    cooling = health.cooling(KEY)
    return 0.0 if cooling is None else cooling.seconds


def test_a_few_failures_in_a_row_open_the_circuit_and_a_success_between_them_does_not() -> None:
    health, _ = a_health()
    for _ in range(OPENS_AFTER - 1):
        health.failed(KEY, "outage")
    assert health.cooling(KEY) is None
    health.succeeded(KEY)
    for _ in range(OPENS_AFTER):
        assert health.cooling(KEY) is None
        health.failed(KEY, "timeout")
    assert seconds(health) == FIRST_SECONDS


def test_a_rate_limit_spent_credit_and_a_wrong_key_open_it_at_once() -> None:
    for kind in sorted(AT_ONCE):
        health, _ = a_health()
        health.failed(KEY, kind)
        cooling = health.cooling(KEY)
        assert cooling is not None
        assert cooling.kind == kind
        assert cooling.seconds == (FIRST_SECONDS if kind == "rate_limit" else FIRST_FOR_PEOPLE)


def test_what_says_nothing_of_a_providers_health_opens_nothing() -> None:
    health, _ = a_health()
    for kind in ("refusal", "content_policy", "context_overflow", "invalid"):
        for _ in range(10):
            health.failed(KEY, kind)  # type: ignore[arg-type]
    assert health.cooling(KEY) is None


def test_exactly_one_is_let_through_to_see_how_it_is() -> None:
    health, clock = a_health()
    health.failed(KEY, "rate_limit")
    clock.now += FIRST_SECONDS
    assert [health.enter(KEY) is None for _ in range(5)] == [True, False, False, False, False]
    health.succeeded(KEY)
    assert [health.enter(KEY) is None for _ in range(3)] == [True] * 3


def test_the_while_gets_longer_each_time_up_to_a_bound() -> None:
    health, clock = a_health()
    waits = []
    health.failed(KEY, "rate_limit")
    for _ in range(10):
        waits.append(seconds(health))
        clock.now += waits[-1]
        assert health.enter(KEY) is None
        health.failed(KEY, "outage")
    assert waits[:4] == [FIRST_SECONDS * 2**n for n in range(4)]
    assert waits[-1] == LONGEST_SECONDS


def test_seconds_that_a_provider_asks_for_are_kept_and_a_longer_second_wish_extends_a_shorter_first() -> None:
    health, clock = a_health()
    health.failed(KEY, "rate_limit", 30.0)
    assert seconds(health) == 30.0
    clock.now += 1
    health.failed(KEY, "rate_limit", 90.0)
    assert seconds(health) == 90.0
    health.failed(KEY, "rate_limit", 10.0)
    assert seconds(health) == 90.0
    health.failed(KEY, "rate_limit", 10.0**12)
    assert seconds(health) == LONGEST_ASKED


def test_calls_that_were_under_way_when_it_opened_do_not_make_the_while_longer() -> None:
    health, clock = a_health()
    for _ in range(9):
        health.failed(KEY, "rate_limit")
    assert seconds(health) == FIRST_SECONDS
    clock.now += FIRST_SECONDS
    assert health.enter(KEY) is None
    health.failed(KEY, "rate_limit")
    assert seconds(health) == 2 * FIRST_SECONDS


def test_one_that_was_let_through_and_came_to_nothing_makes_room_for_another() -> None:
    health, clock = a_health()
    health.failed(KEY, "rate_limit")
    clock.now += FIRST_SECONDS
    assert health.enter(KEY) is None
    health.gave_up(KEY)
    assert health.enter(KEY) is None
    clock.now += LOST_PROBE_SECONDS
    assert health.enter(KEY) is None


def test_what_failed_some_time_ago_counts_from_then() -> None:
    health, _ = a_health()
    health.failed(KEY, "rate_limit", 100.0, ago=60.0)
    assert seconds(health) == 40.0
    health.forget()
    health.failed(KEY, "rate_limit", 100.0, ago=160.0)
    assert seconds(health) == 0.0


@given(st.lists(st.sampled_from(sorted(COUNTED | AT_ONCE)), max_size=60))
@settings(max_examples=100, deadline=None)
def test_a_success_forgets_everything_that_went_before(kinds: list[Any]) -> None:
    health, _ = a_health()
    for kind in kinds:
        health.failed(KEY, kind)
    health.succeeded(KEY)
    for _ in range(OPENS_AFTER - 1):
        health.failed(KEY, "outage")
    assert health.cooling(KEY) is None


class HealthLaws(RuleBasedStateMachine):
    """Whatever happens in whatever order, the laws of a circuit breaker hold."""

    @initialize()
    def begin(self) -> None:
        self.clock = Clock()
        self.health = Health(self.clock)
        self.let_through = 0
        self.closed = True
        self.asked_until = 0.0

    @rule(passed=st.floats(0, 400))
    def time_passes(self, passed: float) -> None:
        before = seconds(self.health)
        self.clock.now += passed
        assert seconds(self.health) <= max(before, 1.0)

    @rule(kind=st.sampled_from(sorted(COUNTED | AT_ONCE)), wish=st.none() | st.floats(0, 1000))
    def fails(self, kind: Any, wish: float | None) -> None:
        before = seconds(self.health)
        probing = self.let_through > 0
        self.health.failed(KEY, kind, wish)
        after = seconds(self.health)
        if not probing:
            assert after >= before - 1e-6
        if wish is not None and after:
            assert after >= wish - 1e-6 or kind in COUNTED
            self.asked_until = max(self.asked_until, self.clock.now + wish) if after >= wish else 0.0
        assert after <= max(LONGEST_SECONDS, wish or 0.0, before) + 1e-6
        self.let_through = 0
        self.closed = self.closed and after == 0

    @rule()
    def succeeds(self) -> None:
        self.health.succeeded(KEY)
        assert self.health.cooling(KEY) is None
        self.let_through, self.closed, self.asked_until = 0, True, 0.0

    @rule()
    def somebody_wants_to_ask(self) -> None:
        cooling = self.health.enter(KEY)
        if cooling is None and not self.closed:
            assert self.let_through == 0, "two were let through while nobody knew how it is"
            self.let_through = 1

    @precondition(lambda self: self.let_through)
    @rule()
    def the_one_that_was_let_through_is_stopped(self) -> None:
        self.health.gave_up(KEY)
        self.let_through = 0

    @invariant()
    def nobody_waits_for_ever(self) -> None:
        assert seconds(self.health) <= LONGEST_ASKED

    @invariant()
    def what_a_provider_asked_for_is_kept(self) -> None:
        if self.clock.now < self.asked_until - 1e-6:
            assert self.health.cooling(KEY) is not None


TestHealthLaws = HealthLaws.TestCase
TestHealthLaws.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
