"""Intervals that hold what they say, and figures that agree with their definitions."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus.bench.statistics import (
    Voice,
    difference_of,
    effective_votes,
    mean_of,
    pair_of,
    phi_of,
    quantile,
    wilson,
)

_bools = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


def test_wilsons_interval_is_that_of_the_books() -> None:
    # Brown, Cai and DasGupta 2001; statsmodels.stats.proportion.proportion_confint(8, 10, method="wilson")
    low, high = wilson(0.8, 10)
    assert (round(low, 4), round(high, 4)) == (0.4902, 0.9433)
    assert wilson(0.0, 20)[0] == 0
    assert wilson(1.0, 20)[1] == 1


def test_repeats_of_one_item_are_no_more_items() -> None:
    alike = mean_of([1.0] * 30 + [0.0] * 20)
    assert alike is not None
    assert (alike.low, alike.high) == pytest.approx(wilson(0.6, 50), abs=0.003)
    differing = mean_of([0.6] * 50)
    assert differing is not None
    assert differing.high - differing.low <= alike.high - alike.low
    assert mean_of([]) is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=80))
def test_a_mean_lies_in_its_interval(scores: list[float]) -> None:
    found = mean_of(scores)
    assert found is not None
    assert 0 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1


@given(_bools)
def test_a_difference_turned_round_is_its_negative(pairs: list[tuple[bool, bool]]) -> None:
    one, other = [float(a) for a, _ in pairs], [float(b) for _, b in pairs]
    there, back = difference_of(one, other), difference_of(other, one)
    assert there is not None
    assert back is not None
    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low))
    assert there.low < there.high, "that nothing was seen to differ does not prove that nothing does"


@pytest.mark.parametrize("n", [20, 200])
def test_the_intervals_hold_what_they_say(n: int) -> None:
    drawn = random.Random(1)
    held = shares = 0
    for _ in range(1000):
        hard = [drawn.random() for _ in range(n)]
        one, other = ([float(drawn.random() < bias - 0.6 * h) for h in hard] for bias in (1.0, 0.9))
        apart, share = difference_of(one, other), mean_of(one)
        assert apart is not None
        assert share is not None
        held += apart.low <= 0.1 <= apart.high
        shares += share.low <= 0.7 <= share.high
    assert held >= 930
    assert shares >= 930


@given(_bools)
def test_phi_is_pearsons_correlation(pairs: list[tuple[bool, bool]]) -> None:
    one, other = [a for a, _ in pairs], [b for _, b in pairs]
    found = phi_of(one, other)
    if len(set(one)) == 1 or len(set(other)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(statistics.correlation(list(map(float, one)), list(map(float, other))))


def test_how_two_models_go_together() -> None:
    letters = [("A", "A", "A"), ("B", "B", "A"), ("C", "B", "A"), (None, None, "A"), ("A", "C", "A")]
    one = [Voice(a, a == right, 4) for a, _, right in letters]
    other = [Voice(b, b == right, 4) for _, b, right in letters]
    pair = pair_of(one, other)
    assert pair is not None
    assert (pair.n, pair.agreement, pair.both_wrong) == (5, 2 / 5, 3 / 5)
    assert (pair.same_wrong, pair.chance) == (1 / 3, pytest.approx(1 / 3))
    assert (pair.unanimous_wrong, pair.right_if_agree) == (1 / 5, 1 / 2)
    expected = 0.4 * 0.2 + 0.6 * 0.8 / 3
    assert pair.capa == pytest.approx((0.4 - expected) / (1 - expected))
    free = pair_of([Voice("x", right=True)], [Voice("y", right=False)])
    assert free is not None
    assert (free.capa, free.chance, free.phi) == (None, None, None)


def test_a_difference_has_the_interval_of_agresti_and_min() -> None:
    alike = difference_of([1.0] * 20, [1.0] * 20)
    assert alike is not None
    assert (alike.value, alike.low, alike.high) == pytest.approx((0, -0.0891, 0.0891), abs=1e-4)
    apart = difference_of([1.0] * 20, [1.0] * 12 + [0.0] * 8)  # b = 8, c = 0: (8.5 - 0.5) / 22 in the middle
    assert apart is not None
    assert ((apart.low + apart.high) / 2, apart.value) == pytest.approx((8 / 22, 0.4))


def test_effective_votes_follow_kish() -> None:
    assert effective_votes("a", lambda a, b: 0.9) == 1
    assert effective_votes("abc", lambda a, b: 0.5) == pytest.approx(1.5)
    assert effective_votes("abc", lambda a, b: -0.2) == 3, "more than its heads no panel is worth"
    assert effective_votes("abc", lambda a, b: None) is None


def test_quantiles_are_values_that_were_seen() -> None:
    assert quantile([], 0.5) is None
    assert quantile([3, 1, 2], 0.95) == 3
    assert quantile(range(1, 101), 0.95) == 95
    assert math.isclose(quantile([5], 0.5) or 0, 5)
