"""Calculations as people write them: which come out, which don't, and which are left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus_agents.judgement.workings import workings


def _outcomes(text: str) -> list[bool]:
    return [working.holds for working in workings(text)]


@pytest.mark.parametrize(
    "text",
    [
        "3 + 4 = 7",
        "So the total is 2 * (3 + 4) = 14 apples, as asked.",
        "5 km * 2 = 10 km",
        "60 miles / 2 hours = 30 miles/hour",
        "80 kg * 9.8 m/s^2 = 784 N",
        "3 m * 4 m = 12 m^2",
        "20 / 50 * 100% = 40%",
        "20 / 50 = 40%",
        "25% * 80 = 20",
        "50% / 25% = 2",
        r"\frac{3}{4} \times 8 = 6",
        r"$\frac{1}{2} \cdot 10 \text{ m} = 5 \text{ m}$",
        r"\sqrt{16} + 1 = 5",
        "2 hours * 60 = 120 minutes",
        "1.5 m * 2 = 3000 mm",
        "10 / 3 ≈ 3.3",
        "2 * 3.14159 = 6.28",
        "9.99 * 3 = 30",
        "3 x 60 = <<3*60=180>>180 meters",
        "2 * 3 * 10^8 = 6 * 10^8",
        "6 * 10^-34 J / 2 * 10^-10 m = 3 * 10^-24",
        "2×10⁻³ × 3 = 6×10⁻³",
        "0.123 + 0.5 = 6.2 × 10^-1",
        "19(3/8) + 1 = 20.375",
        "x = 3 * 60 = 180",
        "3 + 4 = 7 * 2 = 14",
        "3(4 + 1) = 15",
        "$5 + $7 = $12",
        "- 3 * 4 = 12",
    ],
)
def test_what_comes_out_but_for_rounding_units_and_percent_holds(text: str) -> None:
    found = _outcomes(text)
    assert found
    assert all(found)


@pytest.mark.parametrize(
    "text",
    [
        "3 + 4 = 8",
        "5 km * 2 = 11 km",
        "27 + 273 = 290",
        "48 * 5/8 = 60",
        "20 / 50 * 100% = 50%",
        r"\frac{3}{4} \times 8 = 7",
        "10 / 3 ≈ 3.7",
        "-0.05 - 1 = -1.5",
        "2 * 3 * 10^8 = 6 * 10^9",
        "3 x 60 = 190 meters",
    ],
)
def test_what_does_not_come_out_fails(text: str) -> None:
    assert _outcomes(text) == [False]


@pytest.mark.parametrize(
    "text",
    [
        "y - 3 + 5 = 8",
        "2x + 3 = 7",
        "f(2) + 3 = 7",
        "log 10 + 2 = 9",
        "4 + 4 = 1 (mod 7)",
        "In arithmetic mod 5, 3 + 4 = 2",
        "17 / 5 = 3 remainder 2",
        "2 * 3,000,000 = 7 million",
        "3 + 4 == 8",
        "3 + 4 <= 8",
        "3 + 4 != 8",
        "5 km = 5000 m",
        "a_1 + 3 = 9",
        "80t - 16t^2 = 0, so t = 5",
        "1/0.25 = 1/20 + 1/di",
        "1 / 0 = 1",
        "9^9^9^9 = 1",
        "(-8)^0.5 = 1",
        "1 + = 3",
        "(" * 70 + "1 + 1" + ")" * 70 + " = 3",
        "=" * 1000,
    ],
)
def test_what_cannot_be_made_out_is_left_alone(text: str) -> None:
    assert _outcomes(text) == []


def test_a_working_says_what_it_comes_to_in_the_words_of_the_text() -> None:
    [working] = workings("So we have 365 - 59 = 206 days.")
    assert str(working) == "365 - 59 = 206 days."
    assert working.result == "306"


@given(a=st.integers(1, 9999), b=st.integers(1, 9999), off=st.integers(2, 50))
def test_every_sum_is_told_from_one_that_is_off_by_more_than_rounding(a: int, b: int, off: int) -> None:
    assert _outcomes(f"{a} + {b} = {a + b}") == [True]
    wrong = a + b + max(off, (a + b) // 20)
    assert _outcomes(f"{a} + {b} = {wrong}") == [False]


@given(text=st.text("0123456789.,+-*/^()=≈x% \n$e\\{}frackm", max_size=300) | st.text())
def test_no_text_breaks_it(text: str) -> None:
    for working in workings(text):
        assert working.gap >= 0
        assert str(working)
        assert working.result


def test_only_so_many_are_read() -> None:
    assert len(list(workings("1 + 1 = 2; " * 500, limit=10))) == 10
