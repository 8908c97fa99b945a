"""The e-detector: silent while nothing changes, soon where something does, whatever the values look like."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus_agents.watch.detector import Detector, delay

RUN_LENGTH = 50


def coins(seed: int, n: int, p: float) -> list[float]:
    chance = random.Random(seed)
    return [float(chance.random() < p) for _ in range(n)]


@pytest.mark.parametrize("mean", [0.1, 0.5, 0.79, 0.99])
def test_at_the_very_edge_of_what_is_tested_it_rings_no_sooner_than_it_promises(mean: float) -> None:
    """The bound of an e-detector (Shin et al. 2022): the run length is at least L, the mean being just m."""
    lengths = []
    for seed in range(400):
        detector = Detector(mean, 1000, 0.05, RUN_LENGTH)
        lengths.append(delay(coins(seed, 2000, detector.tested), detector) or 2000)
    assert sum(lengths) / len(lengths) >= RUN_LENGTH


def test_within_n_answers_it_rings_on_a_quiet_stream_with_a_probability_of_n_over_l_at_most() -> None:
    rung = sum(
        delay(coins(seed, 100, 0.45), Detector(0.5, 10_000, 0.05, 1000)) is not None for seed in range(1000)
    )
    assert rung / 1000 <= 100 / 1000


def test_no_shape_of_the_values_is_assumed() -> None:
    """Values that are dependent, but in the mean what they were, are no change."""
    lengths = []
    for seed in range(300):
        chance = random.Random(seed)
        values = []
        for _ in range(100):
            values += [chance.choice((0.0, 0.9))] * 20 if chance.random() < 0.5 else [0.45] * 20
        detector = Detector(0.5, 10_000, 0.05, RUN_LENGTH)
        shuffled = [value for start in range(20) for value in values[start::20]]
        lengths.append(delay(shuffled, detector) or 2000)
    assert sum(lengths) / len(lengths) >= RUN_LENGTH


def test_a_fall_is_noticed_and_told_from_where_it_is() -> None:
    rung = []
    for seed in range(200):
        detector = Detector(0.84, 200)
        values = coins(seed, 150, 0.84) + coins(seed + 1000, 300, 0.5)
        after = delay(values, detector)
        assert after is not None
        if after > 150:
            now, answers = detector.change
            rung.append((after - 150, now, answers))
    delays = sorted(late for late, _, _ in rung)
    assert len(delays) >= 196
    assert delays[len(delays) // 2] <= 36
    assert sum(now for _, now, _ in rung) / len(rung) < 0.55
    assert abs(sum(answers - late for late, _, answers in rung)) / len(rung) < 10


def test_a_rise_is_no_fall() -> None:
    assert all(delay(coins(seed, 500, 0.7), Detector(0.5, 200)) is None for seed in range(100))


@given(
    values=st.lists(st.floats(0, 1), max_size=60),
    less=st.lists(st.floats(0, 1), max_size=60),
    mean=st.floats(0.05, 1),
    on=st.integers(30, 5000),
)
def test_worse_values_never_ring_later(values: list[float], less: list[float], mean: float, on: int) -> None:
    worse = [value * (less[n] if n < len(less) else 1) for n, value in enumerate(values)]
    one, other = delay(values, Detector(mean, on, 0.05, 5)), delay(worse, Detector(mean, on, 0.05, 5))
    assert one is None or (other is not None and other <= one)


@given(values=st.lists(st.floats(0, 1), max_size=200), mean=st.floats(0, 1), on=st.integers(30, 5000))
def test_whatever_comes_its_capital_stays_finite_and_above_nothing(
    values: list[float], mean: float, on: int
) -> None:
    detector = Detector(mean, on)
    for value in values:
        assert detector.heed(value) == (detector.capital >= detector.run_length)
        assert 0 <= detector.capital < float("inf")


def test_a_reference_of_few_answers_is_trusted_less() -> None:
    assert Detector(0.84, 30).tested < Detector(0.84, 200).tested < Detector(0.84, 5000).tested
    assert Detector(0.84, 5000).tested == pytest.approx(0.79)
    assert Detector(1.0, 30).tested < 0.95, "a reference without a failure is not certain"


def test_what_was_next_to_nothing_cannot_fall() -> None:
    detector = Detector(0.03, 200)
    assert detector.idle
    assert delay([0.0] * 1000, detector) is None
