"""A difference between two states: empty only where they are one, and true on both sides."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus_state.alignment import common, words
from dissensus_state.comparing import Found, compared
from dissensus_state.diff import ABSENT, Difference, at_path, diff
from dissensus_state.errors import NotFound
from dissensus_state.patches import get
from dissensus_state.values import Path, canonical, normalise, parse_path
from json_values import nested, scalars, texts

states = st.dictionaries(texts.filter(bool), nested(scalars), max_size=4).map(normalise)
keyed = st.lists(st.sampled_from("abcd"), unique=True, max_size=4).flatmap(
    lambda names: st.tuples(
        *(st.fixed_dictionaries({"id": st.just(name), "n": st.integers(0, 2)}) for name in names)
    )
)


@given(states, states)
def test_nothing_differs_exactly_where_two_states_are_one(one: Any, other: Any) -> None:
    assert diff(one, one) == []
    assert (diff(one, other) == []) == (canonical(one) == canonical(other))


@given(states, states)
def test_each_difference_names_what_stands_on_either_side(one: Any, other: Any) -> None:
    for item in diff(one, other):
        path = parse_path(item.path)
        was = path if item.was is None else parse_path(item.was)
        if item.kind != "added":
            assert canonical(get(one, was)) == canonical(item.before)
        if item.kind != "removed":
            assert canonical(get(other, path)) == canonical(item.after)


@given(states, states)
def test_what_differs_makes_the_second_state_of_the_first(one: Any, other: Any) -> None:
    assert canonical(patched(one, diff(one, other))) == canonical(other)


def patched(state: Any, found: list[Difference]) -> Any:
    """The state with all that differs done to it: changes, then removals, then additions."""
    state = copy.deepcopy(state)
    for item in found:
        if item.kind == "changed":
            *above, last = parse_path(item.was or item.path)
            _put(get(state, tuple(above)), last, item.after)
    gone = [parse_path(item.path) for item in found if item.kind == "removed"]
    for *above, last in sorted(gone, key=lambda path: (len(path), _number(path[-1])), reverse=True):
        holder = get(state, tuple(above))
        del holder[int(last) if isinstance(holder, list) else last]
    come = [(parse_path(item.path), item.after) for item in found if item.kind == "added"]
    for (*above, last), value in sorted(come, key=lambda one: (len(one[0]), _number(one[0][-1]))):
        holder = get(state, tuple(above))
        if isinstance(holder, list):
            holder.insert(int(last), value)
        else:
            holder[last] = value
    return state


def _put(holder: Any, token: str, value: Any) -> None:
    holder[int(token) if isinstance(holder, list) else token] = value


def _number(token: str) -> int:
    return int(token) if token.isascii() and token.isdigit() else -1


@given(st.lists(st.integers(0, 3), max_size=9), st.lists(st.integers(0, 3), max_size=9))
def test_of_a_list_the_longest_common_part_stays(one: list[int], other: list[int]) -> None:
    runs = common(one, other)
    assert sum(run.length for run in runs) == _longest(one, other)
    for run in runs:
        assert one[run.before : run.before + run.length] == other[run.after : run.after + run.length]


def _longest(one: list[int], other: list[int]) -> int:
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, mine in enumerate(one):
        for j, its in enumerate(other):
            above = max(table[i][j + 1], table[i + 1][j])
            table[i + 1][j + 1] = table[i][j] + 1 if mine == its else above
    return table[-1][-1]


def test_an_item_put_in_front_is_one_difference() -> None:
    before = {"findings": [{"text": f"finding {n}"} for n in range(9)]}
    after = {"findings": [{"text": "new"}, *before["findings"][:8], {"text": "other"}]}
    assert [item.as_dict() for item in diff(before, after)] == [
        {"path": "/findings/0", "kind": "added", "after": {"text": "new"}},
        {
            "path": "/findings/9/text",
            "kind": "changed",
            "before": "finding 8",
            "after": "other",
            "was": "/findings/8/text",
        },
    ]


def test_lists_that_have_little_in_common_are_compared_by_position_in_time() -> None:
    before = {"items": list(range(20_000))}
    after = {"items": [-1, *range(30_000, 49_998), 19_999]}
    found = diff(before, after)
    assert len(found) == 19_999
    assert (found[0].path, found[0].kind, found[-1].path) == ("/items/0", "changed", "/items/19998")


@given(states, states, st.sampled_from([1, 2]))
def test_what_differs_at_a_path_is_what_of_it_stands_there(one: Any, other: Any, depth: int) -> None:
    every = diff(one, other)
    for item in every:
        path = parse_path(item.path)[:depth]
        if item.was is not None or any(token.isdigit() for token in path):
            continue
        there = [found for found in every if parse_path(found.path)[: len(path)] == path]
        assert at_path(_standing(one, path), _standing(other, path), path, {}) == there


def _standing(state: Any, path: Path) -> Any:
    try:
        return get(state, path)
    except NotFound:
        return ABSENT


def test_at_a_path_where_nothing_stands_on_either_side_there_is_nothing_to_compare() -> None:
    nothing = Found(ABSENT, {})
    with pytest.raises(NotFound, match="nothing at /b/c in either version"):
        compared(nothing, nothing, ("b", "c"))


sentences = st.lists(
    st.sampled_from(["the ", "valve", " pump", "\n", "ü", ".", "  ", "was"]), max_size=30
).map("".join)


@given(sentences, sentences)
def test_the_words_that_stayed_went_and_came_are_both_texts(one: str, other: str) -> None:
    told = words(one, other)
    assert "".join(text for sign, text in told if sign != "+") == one
    assert "".join(text for sign, text in told if sign != "-") == other
    assert all(text for _, text in told)
    if one == other:
        assert {sign for sign, _ in told} <= {"="}


def test_a_long_text_that_changed_is_told_word_by_word() -> None:
    [item] = diff(
        {"brief": "the valve was <b>open</b> at noon"}, {"brief": "the pump was <b>shut</b> at noon"}
    )
    assert str(item) == "~ /brief  the [-valve-]{+pump+} was <b>[-open-]{+shut+}</b> at noon"
    assert item.as_dict()["words"] == [
        ["=", "the "],
        ["-", "valve"],
        ["+", "pump"],
        ["=", " was <b>"],
        ["-", "open"],
        ["+", "shut"],
        ["=", "</b> at noon"],
    ]
    shown = item._repr_html_()
    assert ">valve</del>" in shown
    assert ">pump</ins>" in shown
    assert "&lt;b&gt;" in shown
    assert "<b>" not in shown
    assert diff({"a": "one"}, {"a": "two"})[0].words is None


def test_texts_far_apart_are_replaced_whole_and_in_time() -> None:
    one = " ".join(f"a{n}" for n in range(20_000))
    other = " ".join(f"b{n}" for n in range(20_000))
    assert words(f"In short: {one}", f"In short: {other}") == [("=", "In short: "), ("-", one), ("+", other)]
    line = str(diff({"brief": one}, {"brief": other})[0])
    assert len(line) < 5_000
    assert "characters more)" in line


@given(states, states)
def test_the_way_back_is_the_way_there_turned_round(one: Any, other: Any) -> None:
    turned = {"added": "removed", "removed": "added", "changed": "changed"}
    assert canonical(patched(other, diff(other, one))) == canonical(one)
    flat = [{name: str(value) for name, value in state.items()} for state in (one, other)]
    there = {(item.path, item.kind) for item in diff(*flat)}
    assert there == {(item.path, turned[item.kind]) for item in diff(*flat[::-1])}


@given(keyed, keyed)
def test_items_with_keys_are_compared_by_key_wherever_they_stand(one: Any, other: Any) -> None:
    found = diff({"claims": list(one)}, {"claims": list(other)}, {"claims": "id"})
    before, after = ({item["id"]: item["n"] for item in items} for items in (one, other))
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert {parse_path(item.path)[1] for item in found} == changed
    assert (found == []) == (before == after)
