"""The interval of an audited rate is exact, and the lot is even."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus_agents.judgement.audit import Audited, audits, clopper_pearson, drawn


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [
        (0, 10, 0.0, 0.3084971078187608),
        (1, 20, 0.001265089, 0.248732763),
        (5, 50, 0.033275094, 0.218135451),
        (10, 10, 0.6915028921812392, 1.0),
        (170, 1000, 0.147217022, 0.194744145),
    ],
)
def test_the_interval_is_that_of_clopper_and_pearson(hits: int, of: int, low: float, high: float) -> None:
    """The figures are those of the beta distribution's quantiles, as statistics packages give them."""
    assert clopper_pearson(hits, of) == pytest.approx((low, high), abs=1e-6)


@given(st.integers(1, 60), st.floats(0.01, 0.99))
def test_it_covers_the_true_rate_at_least_as_often_as_it_says(of: int, rate: float) -> None:
    covered = sum(
        math.comb(of, hits) * rate**hits * (1 - rate) ** (of - hits)
        for hits in range(of + 1)
        if clopper_pearson(hits, of)[0] <= rate <= clopper_pearson(hits, of)[1]
    )
    assert covered >= 0.95 - 1e-9


@given(st.integers(0, 400), st.integers(0, 400))
def test_it_holds_the_rate_and_narrows_with_what_is_counted(one: int, other: int) -> None:
    hits, of = min(one, other), max(one, other)
    low, high = clopper_pearson(hits, of)
    assert 0 <= low <= high <= 1
    if of:
        assert low <= hits / of <= high
        wider = clopper_pearson(hits, of, 0.99)
        assert wider[0] <= low
        assert wider[1] >= high


def test_nothing_counted_says_nothing() -> None:
    assert clopper_pearson(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="3 of 2"):
        clopper_pearson(3, 2)


def test_the_lot_draws_its_share_and_never_where_there_is_none() -> None:
    found = sum(drawn(0.2, "session", "step", n) is not None for n in range(5000))
    assert 0.18 < found / 5000 < 0.22
    assert not any(drawn(0.0, "session", "step", n) for n in range(100))
    assert all(drawn(1.0, "session", "step", n) for n in range(100))


def test_who_is_drawn_at_a_small_share_is_drawn_at_a_larger_one() -> None:
    few = {n for n in range(500) if drawn(0.1, "s", "t", n)}
    assert few < {n for n in range(500) if drawn(0.4, "s", "t", n)}


def test_what_rulings_and_what_grades_say_is_kept_apart_by_task() -> None:
    found = [
        Audited(1, "sum", 0.1, upheld=True, right=False),
        Audited(2, "sum", 0.1, upheld=False),
        Audited(3, "sum", 0.2, upheld=None),
        Audited(4, "cause", 0.1, upheld=True, right=True),
    ]

    cause, total = audits(found)

    assert (total.task, total.share) == ("sum", 0.2)
    assert (total.ruled.wrong, total.ruled.audited, total.ruled.rate) == (1, 2, 0.5)
    assert (total.graded.wrong, total.graded.audited, total.graded.rate) == (1, 1, 1.0)
    assert (cause.ruled.rate, cause.graded.rate) == (0.0, 0.0)
    assert total.as_dict()["ruled"]["rate"] == 0.5
