"""Comparators: the laws that all of them keep, and what each finds the same."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dissensus_agents.errors import GraphError
from dissensus_agents.judgement.comparators import (
    By,
    Comparator,
    Exact,
    ListOf,
    Number,
    SetOf,
    Text,
    default_for,
    identity,
)
from dissensus_agents.judgement.likeness import MAX_CHARACTERS, MAX_ITEMS
from dissensus_state.values import JSON, MAX_DEPTH, canonical, normalise


def _by_length(a: object, b: object) -> float:
    longest = max(len(str(a)), len(str(b)))
    return abs(len(str(a)) - len(str(b))) / longest if longest else 0.0


COMPARATORS: list[Comparator] = [
    Exact(),
    Number(),
    Number(rel=0.1, abs=2),
    SetOf(),
    ListOf(),
    ListOf(key="id"),
    Text(),
    Text(similarity=0),
    By(_by_length),
]
numbers = st.integers() | st.integers(-(10**500), 10**500) | st.floats(allow_nan=False)
CAUSE = "The connection pool was exhausted after the deploy, so requests waited for 30 s."
words = st.lists(
    st.sampled_from(["not", "pool", "DNS", "12", "12.5", "isn’t", "caf\u00e9", "cafe\u0301", "\n"])
)
json = st.recursive(
    st.none() | st.booleans() | numbers | st.text() | words.map(" ".join),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.sampled_from(["id", "note", ""]), inner)
        | st.lists(st.fixed_dictionaries({"id": st.integers(0, 3), "note": inner}), max_size=4)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("comparator", COMPARATORS, ids=lambda one: repr(one).partition(" at 0x")[0])
@given(a=json, b=json)
@example(a=10**400, b=1.5)
@example(a=1e308, b=-1e308)
@example(a="a" * (MAX_CHARACTERS + 3), b="a" * (MAX_CHARACTERS + 3) + " b")
def test_a_distance_is_the_same_both_ways_and_between_nothing_and_all(
    comparator: Comparator, a: JSON, b: JSON
) -> None:
    apart = comparator.distance(a, b)
    assert apart == comparator.distance(b, a)
    assert 0.0 <= apart <= 1.0


@pytest.mark.parametrize("comparator", COMPARATORS, ids=lambda one: repr(one).partition(" at 0x")[0])
@given(value=json)
@example(value="word " * MAX_CHARACTERS)
@example(value=[1] * (MAX_ITEMS + 7))
def test_a_value_says_the_same_as_itself(comparator: Comparator, value: JSON) -> None:
    assert comparator.distance(value, value) == 0.0


@given(a=json, b=json)
def test_exact_means_what_the_state_stores(a: JSON, b: JSON) -> None:
    a, b = _storable(a), _storable(b)
    same = canonical(normalise(a)) == canonical(normalise(b))
    assert (Exact().distance(a, b) == 0.0) == same


def _storable(value: JSON) -> JSON:
    """The same value without infinity, and without floats that the state takes for integers."""
    if isinstance(value, float):
        return value if math.isfinite(value) and abs(value) < 1e21 else 0.5
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, list):
        return [_storable(item) for item in value]
    return {name: _storable(item) for name, item in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (1, 1.0, True),
        (True, 1, False),
        (False, 0, False),
        (None, False, False),
        ("1", 1, False),
        ([1, [True]], [1.0, [True]], True),
        ([1, [True]], [1, [1]], False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1.0}, True),
        ({"a": None}, {}, False),
        ([], {}, False),
        ("café", "cafe\u0301", False),
    ],
)
def test_exact_compares_json_and_not_python(a: JSON, b: JSON, *, same: bool) -> None:
    assert (Exact().distance(a, b) == 0.0) is same


def test_values_of_every_kind_can_be_put_in_one_order() -> None:
    values = [
        None,
        False,
        True,
        -1,
        2.5,
        10**400,
        "",
        "b",
        [],
        [1],
        ["a"],
        {},
        {"a": 1},
        {"a": "b"},
    ]
    found = sorted(values, key=identity)
    assert all(identity(one) < identity(other) for one, other in pairwise(found))


def test_exact_reaches_as_deep_as_the_state_does() -> None:
    deep: JSON = "x"
    other: JSON = "y"
    for _ in range(MAX_DEPTH):
        deep, other = [{"in": deep}], [{"in": other}]
    assert Exact().distance(deep, other) == 1.0


@pytest.mark.parametrize(
    ("comparator", "a", "b", "distance"),
    [
        (Number(), 0.1 + 0.2, 0.3, 0.0),
        (Number(), 100, 101, 1 / 101),
        (Number(rel=0.05), 100, 104, 0.0),
        (Number(rel=0.05), 100, 110, 10 / 110),
        (Number(), math.inf, math.inf, 0.0),
        (Number(), math.inf, 1.0, 1.0),
        (Number(abs=2), 0, 2, 0.0),
        (Number(abs=2), -1, 2, 1.0),
        (Number(), 10**400, 10**400 + 1, 0.0),
        (Number(rel=0), 10**400, 10**400 - 10**399, 0.1),
        (Number(rel=0), 10**400, 0.5, 1.0),
        (Number(rel=0.2), True, 1, 1.0),
        (Number(rel=0.2), "12", "12", 0.0),
        (Number(rel=0.2), "12", 12, 1.0),
    ],
)
def test_numbers_are_the_same_within_their_tolerance_and_else_as_far_as_they_differ(
    comparator: Number, a: JSON, b: JSON, distance: float
) -> None:
    assert comparator.distance(a, b) == pytest.approx(distance)


@pytest.mark.parametrize(
    ("comparator", "a", "b", "distance"),
    [
        (SetOf(), ["a", "b"], ["b", "a", "a"], 0.0),
        (SetOf(), ["a", "b"], ["b", "c"], 2 / 3),
        (SetOf(), [1], [True], 1.0),
        (SetOf(), [], [], 0.0),
        (SetOf(), [{"x": [1]}], [{"x": [1.0]}], 0.0),
        (ListOf(), ["a", "b"], ["b", "a"], 0.5),
        (ListOf(), ["a", "b", "c"], ["a", "c"], 0.2),
        (ListOf(), [], ["a"], 1.0),
        (ListOf(key="id"), [{"id": 1}, {"id": 2}], [{"id": 2}, {"id": 1}], 0.0),
        (ListOf(key="id"), [{"id": 1, "n": 1}, {"id": 2}], [{"id": 1, "n": 2}, {"id": 2}], 0.5),
        (ListOf(key="id"), [{"id": 1}], [{"id": 1}, {"id": 2}], 0.5),
        (ListOf(key="id"), [{"id": 1}, {"id": 1}], [{"id": 1}], 1 / 3),
        (ListOf(key="id"), [{"id": 1}, {"n": 1}], [{"n": 1}, {"id": 1}], 0.5),
        (SetOf(), "ab", "ba", 1.0),
        (ListOf(), {"a": 1}, {"a": 1}, 0.0),
    ],
)
def test_lists_differ_by_what_they_do_not_share(
    comparator: Comparator, a: JSON, b: JSON, distance: float
) -> None:
    assert comparator.distance(a, b) == pytest.approx(distance)


def test_your_own_function_is_asked_once_and_always_in_one_order() -> None:
    asked: list[tuple[str, str]] = []

    def far(a: str, b: str) -> float:
        asked.append((a, b))
        return 0.25 if a < b else 0.75

    assert By(far).distance("b", "a") == By(far).distance("a", "b") == 0.25
    assert By(far).distance("a", "a") == 0.0
    assert asked == [("a", "b"), ("a", "b")]


@pytest.mark.parametrize("answer", [7.0, -0.1, float("nan"), "near", None, True])
def test_a_function_that_gives_no_distance_is_named(answer: object) -> None:
    def odd(_a: object, _b: object) -> object:
        return answer

    with pytest.raises(GraphError, match="'odd' gave") as caught:
        By(odd).distance(1, 2)  # type: ignore[arg-type]
    assert "distance" in caught.value.next_step


@pytest.mark.parametrize(
    "make",
    [
        lambda: Number(rel=-1),
        lambda: Number(abs=float("nan")),
        lambda: Number(rel=float("inf")),
        lambda: Text(similarity=60),
    ],
)
def test_a_tolerance_that_means_nothing_is_refused(make: object) -> None:
    with pytest.raises(GraphError):
        make()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("values", "comparator"),
    [
        (["H", "C"], Exact),
        (["pool exhausted by the deploy", "x" * 60], Exact),
        (["pool exhausted", "resolver gone"], Exact),
        ([CAUSE, CAUSE + " Then it stopped."], Text),
        ([CAUSE, "pool"], Exact),
        ([1, 2.5], Number),
        ([1, True], Exact),
        ([["a"], []], ListOf),
        ([["a"], "a"], Exact),
        ([{"a": 1}, None], Exact),
    ],
)
def test_the_comparator_follows_from_the_values(values: list[JSON], comparator: type) -> None:
    assert type(default_for(values)) is comparator
