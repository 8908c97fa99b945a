"""Texts and long lists: what is merely worded differently, and what is not read to its end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus_agents.judgement.comparators import ListOf, Text
from dissensus_agents.judgement.likeness import MAX_ITEMS, items_alike


@given(a=st.text("abc"), b=st.text("abc"))
def test_the_longest_common_part_is_the_one_of_the_textbook(a: str, b: str) -> None:
    rows = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, one in enumerate(a, 1):
        for j, other in enumerate(b, 1):
            either = max(rows[i - 1][j], rows[i][j - 1])
            rows[i][j] = rows[i - 1][j - 1] + 1 if one == other else either
    both = len(a) + len(b)
    assert items_alike(a, b) == (2 * rows[-1][-1] / both if both else 1.0)


CAUSE = "The connection pool was exhausted after the deploy, so requests waited for 30 s."


@pytest.mark.parametrize(
    "other",
    [
        "the  connection pool was exhausted\nafter the deploy; so requests waited for 30 s",
        "The connection pool was exhausted after that deploy, so all requests waited for 30 s.",
        "The connection pool was exhausted after the deploy, so requests waited.",
    ],
)
def test_another_wording_is_no_other_meaning(other: str) -> None:
    assert Text().distance(CAUSE, other) <= Text().tolerance


@pytest.mark.parametrize(
    "other",
    [
        "The connection pool was not exhausted after the deploy, so requests waited for 30 s.",
        "The connection pool wasn’t exhausted after the deploy, so requests waited for 30 s.",
        "The connection pool was exhausted after the deploy, so requests waited for 300 s.",
        "A certificate had expired at midnight; no client could open a session any more.",
    ],
)
def test_a_near_copy_that_says_the_contrary_is_far_apart(other: str) -> None:
    assert Text().distance(CAUSE, other) > Text().tolerance


def test_text_is_compared_as_it_is_read_and_not_as_it_is_encoded() -> None:
    assert Text().distance("Der Café-Server fiel aus", "der CAFE\u0301-Server  fiel aus!") == 0.0
    assert Text().distance("!!!", "???") == 1.0
    assert Text(similarity=0.5).distance("連接池已經耗盡", "連接池己經耗盡") < 0.5


def test_a_huge_text_is_compared_and_what_was_not_read_word_by_word_is_not_taken_for_the_same() -> None:
    head = "the pool was exhausted and " * 40_000
    assert len(head) > 1_000_000
    assert Text().distance(head, head + "x") > 0
    assert Text().distance(head + "a" * len(head), head + "b" * len(head)) > Text().tolerance
    marks = "a" + "\u0315\u0300" * 500_000
    assert Text().distance(marks, marks + "b") > 0


def test_a_huge_list_is_compared_and_what_follows_the_limit_counts() -> None:
    many = list(range(MAX_ITEMS))
    assert ListOf().distance([*many, 1], [*many, 2]) > 0
    assert ListOf().distance([0, *many, 1], [9, *many, 1]) == pytest.approx(1 / MAX_ITEMS, rel=0.01)
    assert ListOf().distance(many * 3, [*many, *reversed(many * 2)]) == pytest.approx(2 / 3)
