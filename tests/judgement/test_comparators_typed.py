"""Comparators of times, amounts, names, choices, addresses, sets by likeness, and records."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus.comparators import (
    Address,
    Amount,
    Choice,
    Comparator,
    ListOf,
    Name,
    Number,
    Record,
    SetOf,
    Time,
)
from dissensus_agents.errors import GraphError
from dissensus_agents.judgement.comparators import default_for
from dissensus_agents.judgement.lists import MOST_MATCHED
from dissensus_state.values import JSON

COMPARATORS: list[Comparator] = [
    Time(),
    Time(within=3600),
    Amount(),
    Amount(rel=0.1, abs=2),
    Name(),
    Name(aliases={"Postgres": "PostgreSQL"}),
    Choice(),
    Address(),
    SetOf(items=Name()),
    SetOf(items=Number(rel=0.2)),
    ListOf("id", items=Record({"n": Number(rel=0.2)})),
    Record({"n": Number(rel=0.2), "name": Name()}, tolerance=0.5),
]
written = st.sampled_from(
    [
        "2024-05-01",
        "2024-05-01T14:03:00Z",
        "2024-05-01T16:03+02:00",
        "2024-W05-1",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "$1,200",
        "-$5",
        "1.2k USD",
        "3 km",
        "3000 m",
        "40 %",
        "Postgres",
        "postgre-SQL",
        "PostgreSQL",
        "C",
        "(c)",
        "The answer is C",
        "https://a.org/x/?b=1&a=2#top",
        "http://A.org:80/x?a=2&b=1&utm_source=z",
        "http://[",
        "",
    ]
)
leaf = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | written
json = (
    leaf
    | st.lists(leaf, max_size=4)
    | st.lists(st.fixed_dictionaries({"id": st.integers(0, 3), "n": leaf}), max_size=4)
    | st.dictionaries(st.sampled_from(["n", "name", "id"]), leaf)
)


@pytest.mark.parametrize("comparator", COMPARATORS, ids=repr)
@given(a=json, b=json)
def test_a_distance_is_the_same_both_ways_and_between_nothing_and_all(
    comparator: Comparator, a: JSON, b: JSON
) -> None:
    apart = comparator.distance(a, b)
    assert apart == comparator.distance(b, a)
    assert 0.0 <= apart <= 1.0


@pytest.mark.parametrize("comparator", COMPARATORS, ids=repr)
@given(value=json.filter(lambda value: "nan" not in repr(value)))
def test_a_value_says_the_same_as_itself(comparator: Comparator, value: JSON) -> None:
    assert comparator.distance(value, value) == 0.0


@pytest.mark.parametrize(
    ("comparator", "a", "b", "distance"),
    [
        (Time(), "2024-05-01T14:03Z", "2024-05-01 16:03:00+02:00", 0.0),
        (Time(), "2024-05-01T14:03", "2024-05-01T14:03Z", 0.0),
        (Time(), "2024-05-01", "2024-05-01T23:59Z", 0.0),
        (Time(), "2024-05-01", "2024-05-02", 1.0),
        (Time(), "2024-05-01", "2024-05-02T06:00Z", 0.25),
        (Time(within=90), "2024-05-01T14:03:00Z", "2024-05-01T14:04:30Z", 0.0),
        (Time(), "2024-05-01T14:03Z", "2024-05-01T14:04:30Z", 90 / 86400),
        (Time(scale=180), "2024-05-01T14:03Z", "2024-05-01T14:04:30Z", 0.5),
        (Time(), "yesterday", "Yesterday", 1.0),
        (Time(), 20240501, 20240502, 1.0),
        (Amount(), "3 km", "3000 m", 0.0),
        (Amount(), "$1,200", "1.2k USD", 0.0),
        (Amount(), "$1.2M", "1200000 USD", 0.0),
        (Amount(), "€1.5 million", "1,500,000 EUR", 0.0),
        (Amount(), "5 EUR", "5 USD", 1.0),
        (Amount(), "-$5", "5 USD", 1.0),
        (Amount(), "40 %", 0.4, 0.0),
        (Amount(rel=0.05), "98 ms", "0.1 s", 0.0),
        (Amount(), "90 ms", "0.1 s", 0.1),
        (Amount(abs=60), "1 h", "61 min", 0.0),
        (Amount(), "3 m", "3 min", 1.0),
        (Amount(), "3 apples", "3 Apples", 0.0),
        (Amount(), "3 apples", "3 pears", 1.0),
        (Amount(), "3 M", "3 m", 1.0),
        (Amount(), "3k", 3000, 0.0),
        (Amount(), "2 MiB", "2097152 bytes", 0.0),
        (Amount(), "about three", "About three", 1.0),
        (Amount(), "1.200,50", "1200.50", 1.0),
        (Name(), "Connection-Pool", " connection  pool ", 0.0),
        (Name(), "caf\u00e9", "CAFE\u0301", 0.0),
        (Name(), "C++", "C#", 1.0),
        (Name(aliases={"Postgres": "PostgreSQL"}), "postgres", "PostgreSQL", 0.0),
        (Name(), "x" * 5000 + "a", "x" * 5000 + "b", 1.0),
        (Choice(), "C", "(c)", 0.0),
        (Choice(), "C. Oracle", "Answer: C", 0.0),
        (Choice(), "**The answer is (C)**", "c)", 0.0),
        (Choice(), "C", "D", 1.0),
        (Choice(), "a cat", "A", 1.0),
        (Address(), "HTTPS://Example.org:443/a/?b=1&a=2#top", "http://example.org/a?a=2&b=1", 0.0),
        (Address(), "https://example.org/a?utm_source=x", "https://example.org/a", 0.0),
        (Address(), "https://example.org/%7Ea", "https://example.org/~a", 0.0),
        (Address(), "https://example.org/a%2Fb", "https://example.org/a/b", 1.0),
        (Address(), "https://example.org/a", "https://example.org/A", 1.0),
        (Address(), "https://example.org:8080/", "https://example.org/", 1.0),
        (Address(), "javascript:1", "javascript:1 ", 1.0),
        (SetOf(items=Name()), ["Pool", "DNS"], ["dns", "pool"], 0.0),
        (SetOf(items=Number(rel=0.2)), [100, 115], [90, 105], 0.0),
        (SetOf(items=Number(rel=0.2)), [100], [90, 105], 0.5),
        (Record({"n": Number(rel=0.2)}), {"n": 100, "a": 1}, {"n": 90, "a": 1}, 0.0),
        (Record(), {"n": 1, "a": 1}, {"n": 1, "a": 2}, 0.5),
        (Record(), {"n": 1}, {"n": 1, "a": None}, 0.0),
        (ListOf("id", items=Record({"n": Number(rel=0.2)})), [{"id": 1, "n": 9}], [{"id": 1, "n": 10}], 0.0),
    ],
)
def test_each_kind_is_told_apart_as_people_do(
    comparator: Comparator, a: JSON, b: JSON, distance: float
) -> None:
    assert comparator.distance(a, b) == pytest.approx(distance)


@given(numbers=st.lists(st.integers(0, 40), max_size=12), seed=st.integers(0, 9))
def test_as_many_items_of_sets_are_paired_as_can_be_whatever_their_order(
    numbers: list[int], seed: int
) -> None:
    mixed = [number + 1 for number in numbers]
    random.Random(seed).shuffle(mixed)
    near = SetOf(items=Number(abs=1))
    assert near.distance(list(numbers), list(mixed)) == 0.0 or len(set(numbers)) < len(numbers)
    assert near.distance(list(numbers), list(mixed)) == near.distance(sorted(numbers), sorted(mixed))


def test_sets_too_long_to_be_matched_are_compared_exactly() -> None:
    many: list[JSON] = [f"Name {n}" for n in range(MOST_MATCHED + 1)]
    lower: list[JSON] = [f"name {n}" for n in range(MOST_MATCHED + 1)]
    assert SetOf(items=Name()).distance(many, lower) == 1.0
    assert SetOf(items=Name()).distance(many[:-1], lower[:-1]) == 0.0


def test_moments_written_in_several_ways_are_compared_as_times_by_default() -> None:
    assert isinstance(default_for(["2024-05-01T14:03Z", "2024-05-01T16:03+02:00"]), Time)
    assert not isinstance(default_for(["2024-05-01", "2024-05-02"]), Time)


@pytest.mark.parametrize("make", [lambda: Time(within=-1), lambda: Time(scale=0), lambda: Amount(rel=-1)])
def test_a_tolerance_that_means_nothing_is_refused(make: object) -> None:
    with pytest.raises(GraphError):
        make()  # type: ignore[operator]
