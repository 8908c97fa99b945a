"""The arithmetic verifier: which sums of a text are worked out again, and what they come to."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus_agents.judgement.equations import equations
from dissensus_agents.judgement.verifiers import MAX_CHECKS, MAX_TEXT, arithmetic, run_verifiers
from dissensus_state.values import store


def _sums(text: str, tolerance: float = 0.0) -> list[bool]:
    found = run_verifiers([arithmetic(tolerance=tolerance)], {"/why": text}, {})
    return [one.passed for one in found]


@pytest.mark.parametrize(
    "text",
    [
        "3 + 4 = 7",
        "So 2 * (3 + 4) = 14, as asked.",
        "(2 + 3) * 4 = 20",
        "(so 2 + 3 = 5)",
        "(2 + 3 = 5)",
        "2 ^ 3 ^ 2 = 512",
        "-2^2 + 4 = 0",
        "8 / 4 / 2 = 1",
        "10 - 3 - 2 = 5",
        "2 ^ -1 = 0.5",
        "4 × 5 = 20 and 9 ÷ 3 = 3 and 9 \u2212 10 = \u22121",
        "6 x 7 = 42",
        r"\( 6 \times 7 = 42 \)",
        "$1,200 + $300 = $1,500",
        "**6 * 7 = 42**",
        "2**5 = 32",
        "1. 6 * 7 = 42\n2) 6 * 8 = 48\n- 6 * 9 = 54",
        "10 / 3 = 3.33, and 2 / 3 = 0.66 or 2 / 3 = 0.67",
        "100 / 7 = 14",
        "20 / 50 = 40%",
        "(11 - 9) / 11 * 100 = 18.18%",
        "x = 2 + 3 = 5",
        "7 * 6 = 42.",
        "7 * 6 = 42 (per box)",
        "123456789 * 987654321 = 121932631112635269",
        "0.1 + 0.2 = 0.3",
    ],
)
def test_a_sum_that_comes_out_passes(text: str) -> None:
    found = _sums(text)
    assert found
    assert all(found)


@pytest.mark.parametrize(
    "text",
    [
        "3 + 4 = 8",
        "1234 * 5678 = 7006642",
        "365 - 59 = 206",
        "7 / 2 = 3",
        "2 / 3 = 0.68",
        "2 * 3 = 6.01",
        "20 / 50 = 50%",
        "14.4 - 72 = 57.6",
        "2 * 34.97 = 69.95",
        "- 6 * 9 = 55",
        "It is 5. 3 + 4 = 8",
        "sum: -3 + 4 = 2",
    ],
)
def test_a_sum_that_does_not_come_out_fails(text: str) -> None:
    assert _sums(text) == [False]


@pytest.mark.parametrize(
    "text",
    [
        "y - 3 + 5 = 8",
        "2x + 3 = 7",
        "f(2) + 3 = 7",
        "log 10 + 2 = 9",
        "5 km * 2 = 3",
        "13.6 eV (1 - 1/4) = 3",
        r"\frac{1}{2} + 3 = 4",
        "3 + 4 = y",
        "7 = 3 + 5",
        "3 + 4 = 5 + 2",
        "2 * 3 = 6k",
        "2 * 3,000,000 = 6 million",
        "17 / 5 = 3 remainder 2",
        "4 + 4 = 1 (mod 7)",
        "7 / 2 = 3 1/2",
        "5 + 5 = 10:30",
        "1,5 + 2 = 3,5",
        "2024-01-15 = 9",
        "So 130 * 2 = $1, 260",
        "3 + 4 == 8",
        "3 + 4 <= 8",
        "3 + 4 != 8",
        "5! / 3 = 9",
        "50% + 1 = 2",
        "10 ± 3 + 2 = 1",
        "(1 + 2 = 4 * ",
        "1 + = 3",
        "5 = 6",
        "-5 = 6",
        "1 / 0 = 1",
        "0 ^ -1 = 0",
        "2 ^ 0.5 = 1",
        "9^9^9^9 = 1",
        "9^200 * 9^200 = 1",
        "2 3 + 1 = 4",
        "4 * (1 + 2 = 3",
        "(" * 70 + "1 + 1" + ")" * 70 + " = 3",
        "1 + " * 200 + "1 = 3",
        "=" * 1000,
    ],
)
def test_what_is_no_plain_equation_is_left_alone(text: str) -> None:
    assert _sums(text) == []


def test_a_tolerance_is_a_share_of_the_result() -> None:
    assert _sums("1000 * 2 = 2010") == [False]
    assert _sums("1000 * 2 = 2010", tolerance=0.005) == [True]


def test_a_wrong_sum_is_shown_with_what_it_comes_to() -> None:
    proposed = {"/verdict": {"why": ["Fine.", "So 365  - 59 = 206 days and 1/3 + 1 = 2.33."]}}
    one, other = run_verifiers([arithmetic("verdict/why")], proposed, {})
    assert (one.path, one.detail) == ("/verdict/why/1", "365 - 59 = 206: it comes to 306")
    assert other.detail == "1/3 + 1 = 2.33: it comes to 1.33333"
    assert not run_verifiers([arithmetic("verdict/cause")], proposed, {})


def test_a_text_too_long_to_read_to_its_end_is_not_passed_in_silence() -> None:
    assert _sums("1 + 1 = 2 " + "x" * MAX_TEXT) == [True, False]
    assert _sums("1 + 1 = 2; " * (MAX_CHECKS + 5))[-1] is False


class _Node:
    """An expression with its value, grown at random."""

    def __init__(self, text: str, value: Fraction) -> None:
        self.text, self.value = text, value


def _join(left: _Node, sign: str, right: _Node) -> _Node:
    if sign == "/" and not right.value:
        sign = "+"
    worked = {
        "+": lambda: left.value + right.value,
        "-": lambda: left.value - right.value,
        "*": lambda: left.value * right.value,
        "/": lambda: left.value / right.value,
    }
    return _Node(f"({left.text} {sign} {right.text})", worked[sign]())


nodes = st.recursive(
    st.integers(0, 99).map(lambda n: _Node(str(n), Fraction(n))),
    lambda inner: st.builds(_join, inner, st.sampled_from("+-*/"), inner),
    max_leaves=10,
)


@given(node=nodes, claimed=st.integers(-99, 99))
def test_every_expression_is_worked_out_exactly(node: _Node, claimed: int) -> None:
    found = list(equations(f"{node.text} = {claimed}", 9))
    if " " in node.text:
        assert [one.computed for one in found] == [node.value]
        assert found[0].claimed == claimed
    else:
        assert found == []


@given(text=st.text("0123456789.,+-*/^()=x% \n$e", max_size=300) | st.text())
def test_no_text_breaks_the_arithmetic(text: str) -> None:
    for one in run_verifiers([arithmetic()], {"/why": text}, {}):
        assert "broke" not in one.detail
        assert store(one.as_dict())
