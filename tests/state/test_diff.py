"""A difference between two states: empty only where they are one, and true on both sides."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dissensus_state.diff import diff
from dissensus_state.errors import NotFound
from dissensus_state.patches import get
from dissensus_state.values import canonical, normalise, parse_path
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
        for state, value, absent in ((one, item.before, "added"), (other, item.after, "removed")):
            if item.kind == absent:
                assert _missing(state, path)
            else:
                assert canonical(get(state, path)) == canonical(value)


def _missing(state: Any, path: tuple[str, ...]) -> bool:
    try:
        get(state, path)
    except NotFound:
        return True
    return False


@given(states, states)
def test_the_way_back_is_the_way_there_turned_round(one: Any, other: Any) -> None:
    turned = {"added": "removed", "removed": "added", "changed": "changed"}
    there = {(item.path, item.kind) for item in diff(one, other)}
    back = {(item.path, turned[item.kind]) for item in diff(other, one)}
    assert there == back


@given(keyed, keyed)
def test_items_with_keys_are_compared_by_key_wherever_they_stand(one: Any, other: Any) -> None:
    found = diff({"claims": list(one)}, {"claims": list(other)}, {"claims": "id"})
    before, after = ({item["id"]: item["n"] for item in items} for items in (one, other))
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert {parse_path(item.path)[1] for item in found} == changed
    assert (found == []) == (before == after)
