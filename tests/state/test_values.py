"""What the state can hold, and the one text of it."""

from __future__ import annotations

import enum
import math
from collections import OrderedDict
from types import MappingProxyType
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from dissensus_state.errors import Tampered, ValueRefused
from dissensus_state.values import (
    MAX_BYTES,
    MAX_DEPTH,
    canonical,
    copied,
    normalise,
    overlap,
    parse,
    parse_list,
    parse_object,
    parse_path,
    pointer,
    store,
    within,
)
from json_values import nested, same, texts, values

in_the_domain = st.integers(-(2**53) + 1, 2**53 - 1)
proper_floats = st.floats(allow_nan=False, allow_infinity=False).filter(
    lambda number: abs(number) < 2**53 or abs(number) >= 1e21
)


@given(nested(st.none() | st.booleans() | in_the_domain | proper_floats | texts))
@example([0.1, -0.0, 5e-324, 1e21, 1.797e308, 1e-7, 1e-6, 123456.789, -1.5e-10, 9007199254740991.0])
@example({"\U0001f600": 1, "\uffff": 2, "\ud7ff": 3, "": 4, "a": 5, "\x00": '\x1f\x7f\u2028"\\/'})
def test_the_canonical_text_is_that_of_rfc_8785(value: Any) -> None:
    assert canonical(normalise(value)) == rfc8785.dumps(value).decode()


@given(values)
@example([1e20, 2**64, -(10**400), 1.5e300, 123456789012345680000.0])
def test_what_is_stored_is_read_back_as_it_was(value: Any) -> None:
    stored = store(value)
    assert same(parse(stored), normalise(value))
    assert store(parse(stored)) == stored


@given(values)
def test_a_value_has_one_normal_form(value: Any) -> None:
    assert same(normalise(normalise(value)), normalise(value))


@given(values, values)
def test_two_values_have_one_text_only_if_they_are_one_value(one: Any, other: Any) -> None:
    assert (store(one) == store(other)) == same(normalise(one), normalise(other))


@given(values)
def test_a_copy_is_the_same_and_shares_nothing_that_can_be_changed(value: Any) -> None:
    stored = normalise(value)
    copy = copied(stored)
    assert same(copy, stored)
    assert not _parts(copy) & _parts(stored)


def _parts(value: Any) -> set[int]:
    if not isinstance(value, dict | list):
        return set()
    inner = value.values() if isinstance(value, dict) else value
    return {id(value)}.union(*map(_parts, inner))


class Colour(enum.StrEnum):
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("a\x00b", '"a\\u0000b"'),
        ({"\x00": 1}, '{"\\u0000":1}'),
        (-0.0, "0"),
        (3.0, "3"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (2**53 + 1, "9007199254740993"),
        (2**64, "18446744073709551616"),
        (10**400, "1" + "0" * 400),
        (10**4000 - 1, "9" * 4000),
        (1.797e308, "1.797e+308"),
        ({"b": 1, "a": 2, "aa": 3}, '{"a":2,"aa":3,"b":1}'),
        ((1, [2]), "[1,[2]]"),
        (True, "true"),
        (Colour.RED, '"red"'),
        ({Colour.RED: Colour.RED}, '{"red":"red"}'),
        (OrderedDict(a=1), '{"a":1}'),
        (MappingProxyType({"a": 1}), '{"a":1}'),
        (Number.ONE, "1"),
    ],
)
def test_odd_values_that_json_can_hold_are_kept(value: Any, stored: str) -> None:
    assert store(value) == stored
    assert store(parse(stored)) == stored


def _deep(levels: int) -> Any:
    value: Any = "leaf"
    for _ in range(levels):
        value = [value]
    return value


def _endless() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "path", "message"),
    [
        ({"x": "\ud800"}, "/x", "Text with a lone surrogate (U+D800) is not Unicode"),
        ({"\udfff": 1}, "", "Text with a lone surrogate (U+DFFF) is not Unicode"),
        ([1, math.nan], "/1", "nan is not a JSON number"),
        ([[math.inf]], "/0/0", "inf is not a JSON number"),
        ({"x": {1: "a", "1": "b"}}, "/x", "The key 1 is not a string"),
        ({"x": {None: 1}}, "/x", "The key None is not a string"),
        ({"x": [10**4000]}, "/x/0", "Integers of more than 4000 digits are not stored"),
        ({"x": b"bytes"}, "/x", "A bytes is not a JSON value"),
        ({"x": {1, 2}}, "/x", "A set is not a JSON value"),
        (_deep(MAX_DEPTH + 1), "/0" * MAX_DEPTH, "Values nested deeper than 64 levels are not stored"),
        (_deep(100_000), "/0" * MAX_DEPTH, "Values nested deeper than 64 levels are not stored"),
        (_endless(), "/0" * MAX_DEPTH, "Values nested deeper than 64 levels are not stored"),
        ("x" * (MAX_BYTES + 1), None, "A value of 16,777,219 characters is over the limit of 16,777,216"),
    ],
)
def test_what_json_cannot_hold_is_refused_where_it_stands(value: Any, path: str | None, message: str) -> None:
    with pytest.raises(ValueRefused) as caught:
        store(value)
    assert (caught.value.message, caught.value.context.get("path")) == (message, path)
    assert caught.value.next_step.startswith("Give JSON: finite numbers, valid text, string keys")


def test_the_deepest_value_and_the_longest_are_kept() -> None:
    assert parse(store(_deep(MAX_DEPTH))) == _deep(MAX_DEPTH)
    assert len(store("x" * (MAX_BYTES - 2))) == MAX_BYTES


@pytest.mark.parametrize("text", ["", "{", "nan'", '"\\ud8', "[" * 100_000, "\x00"])
def test_a_stored_text_that_is_none_is_told_as_tampering(text: str) -> None:
    for read in (parse, parse_list, parse_object):
        with pytest.raises(Tampered, match="A stored text is not JSON"):
            read(text)


def test_a_stored_text_of_another_kind_is_told_as_tampering() -> None:
    with pytest.raises(Tampered, match=r"A stored list is none: \{\}"):
        parse_list("{}")
    with pytest.raises(Tampered, match=r"A stored object is none: \[\]"):
        parse_object("[]")


@given(st.lists(st.text(st.characters(codec="utf-8")), max_size=4).map(tuple))
def test_a_path_is_read_back_from_its_pointer(path: tuple[str, ...]) -> None:
    assert parse_path(pointer(path)) == (() if path == ("",) else path)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("findings", ("findings",)),
        ("/findings/0", ("findings", "0")),
        ("answers/x", ("answers", "x")),
        ("/a~1b/m~0n", ("a/b", "m~n")),
        ("/~01", ("~1",)),
        ("/answers/", ("answers", "")),
        ("", ()),
        ("/", ()),
    ],
)
def test_a_path_may_be_written_as_a_pointer_or_as_a_field(text: str, path: tuple[str, ...]) -> None:
    assert parse_path(text) == path


def test_a_path_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(ValueRefused):
        parse_path("/answers/\ud800")


paths = st.lists(st.sampled_from("abc"), max_size=3).map(tuple)


@given(paths, paths)
def test_two_paths_overlap_where_one_stands_inside_the_other(
    one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    inside = one == other[: len(one)] or other == one[: len(other)]
    assert overlap(one, other) is overlap(other, one) is inside
    assert within(one, (other,)) == (one[: len(other)] == other)
