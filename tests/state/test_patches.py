"""Patches: applying one leaves the state it came from as it was, and commuting ones commute."""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus_state.errors import NotFound, ValueRefused
from dissensus_state.patches import (
    Folder,
    Operation,
    Patch,
    apply,
    get,
    patch_from_json,
    patch_to_json,
    touched,
)
from dissensus_state.values import canonical, normalise, parse
from json_values import nested, same, scalars, values

tokens = st.sampled_from(["x", "y", "0", "1", "-1", "items", "tags", "²"])
paths = st.lists(tokens, max_size=3).map(tuple)
verbs = st.sampled_from(["set", "remove", "append", "add", "union", "merge"])
states = st.fixed_dictionaries(
    {
        "items": st.lists(st.fixed_dictionaries({"id": st.sampled_from("abc"), "n": scalars}), max_size=3),
        "tags": st.lists(scalars, max_size=3),
        "x": nested(scalars),
        "y": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    }
).map(normalise)
operations = st.builds(Operation, verbs, paths, values.map(normalise), st.sampled_from([None, "id"]))


@given(states, st.lists(operations, max_size=4).map(tuple))
def test_applying_a_patch_changes_neither_the_state_nor_the_patch(state: Any, patch: Patch) -> None:
    before, given_patch = deepcopy(state), deepcopy(patch)
    with suppress(NotFound, ValueRefused):
        apply(state, patch)
    assert same(state, before)
    assert patch == given_patch


@given(states, st.lists(st.integers() | st.text(max_size=3), max_size=3))
def test_what_a_patch_does_not_touch_is_shared_not_copied(state: Any, items: list[Any]) -> None:
    after = apply(state, (Operation("append", ("tags",), items),))
    assert after["tags"] == [*state["tags"], *items]
    assert after["items"] is state["items"]
    assert after["x"] is state["x"]


lists = st.lists(scalars, max_size=4).map(normalise)


@given(states, lists, lists)
def test_appends_commute_up_to_the_order_of_what_is_appended(state: Any, one: Any, other: Any) -> None:
    a, b = Operation("append", ("tags",), one), Operation("append", ("tags",), other)
    ab, ba = apply(state, (a, b)), apply(state, (b, a))
    assert sorted(map(canonical, ab["tags"])) == sorted(map(canonical, ba["tags"]))
    assert ab["tags"][: len(state["tags"])] == state["tags"]


@given(st.integers(), st.integers(), st.integers())
def test_additions_of_whole_numbers_commute(start: int, one: int, other: int) -> None:
    a, b = Operation("add", ("n",), one), Operation("add", ("n",), other)
    assert apply({"n": start}, (a, b)) == apply({"n": start}, (b, a)) == {"n": start + one + other}


@given(lists, lists, lists)
def test_unions_commute_and_doing_one_twice_is_doing_it_once(start: Any, one: Any, other: Any) -> None:
    begun = apply({"s": []}, (Operation("union", ("s",), start),))
    a, b = Operation("union", ("s",), one), Operation("union", ("s",), other)
    assert same(apply(begun, (a, b)), apply(begun, (b, a)))
    assert same(apply(begun, (a, a)), apply(begun, (a,)))
    texts = [canonical(item) for item in apply(begun, (a, b))["s"]]
    assert texts == sorted(set(texts))


@given(st.lists(operations.filter(lambda item: item.verb == "merge" or not item.key), max_size=4).map(tuple))
def test_a_patch_is_read_back_from_its_stored_form(patch: Patch) -> None:
    stored = parse(canonical(patch_to_json(patch)))
    assert patch_to_json(patch_from_json(stored)) == stored


@pytest.mark.parametrize(
    "stored",
    [
        5,
        "set",
        {},
        [5],
        [[]],
        [["set"]],
        [["set", "/a"]],
        [["leap", "/a", 1]],
        [["set", 5, 1]],
        [["remove", "/a", 1]],
    ],
)
def test_what_is_no_patch_is_refused(stored: Any) -> None:
    with pytest.raises(ValueRefused, match=r"is not (an operation|a patch)"):
        patch_from_json(stored)


KEYED: Any = {"items": [{"id": "a", "n": 1}, {"id": "b", "n": 2}], "map": {"x": 1}, "n": 1, "f": 0.5}


@pytest.mark.parametrize(
    ("operation", "after"),
    [
        (
            Operation("merge", ("items",), [{"id": "b", "n": 3}, {"id": "c", "n": 4}], "id"),
            {"items": "a1 b3 c4"},
        ),
        (Operation("merge", ("map",), {"x": 2, "y": 3}), {"map": {"x": 2, "y": 3}}),
        (Operation("remove", ("map", "x")), {"map": {}}),
        (Operation("set", ("map", "new"), 1), {"map": {"x": 1, "new": 1}}),
        (Operation("set", ("items", "1", "n"), 9), {"items": "a1 b9"}),
        (Operation("add", ("n",), 0.5), {"n": 1.5}),
        (Operation("add", ("f",), 0.5), {"f": 1}),
    ],
)
def test_each_operation_does_what_its_name_says(operation: Operation, after: dict[str, Any]) -> None:
    result = apply(KEYED, (operation,))
    if "items" in after:
        result["items"] = " ".join(f"{item['id']}{item['n']}" for item in result["items"])
        after = {**KEYED, **after}
    assert result == {**KEYED, **after}
    assert type(result["f"]) is type(after.get("f", 0.5))


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (Operation("set", ("none", "x"), 1), "There is nothing at /none"),
        (Operation("set", ("items", "2"), 1), "There is nothing at /items/2"),
        (Operation("set", ("items", "01"), 1), "There is nothing at /items/01"),
        (Operation("set", ("n", "x"), 1), "There is nothing at /n/x"),
        (Operation("append", ("none",), [1]), "There is nothing at /none"),
        (Operation("remove", ("map", "y")), "There is nothing at /map/y to remove"),
        (Operation("remove", ("items", "0")), "Only a key of a dictionary can be removed"),
        (Operation("add", ("map",), 1), "Only numbers can be added"),
        (Operation("add", ("n",), value=True), "Only numbers can be added"),
        (Operation("add", ("f",), 10**400), "The sum is beyond what a number can hold"),
        (Operation("append", ("n",), [1]), "The operation append needs a list here and in its value"),
        (Operation("append", ("items",), 1), "The operation append needs a list here and in its value"),
        (Operation("union", ("map",), [1]), "The operation union needs a list here and in its value"),
        (Operation("merge", ("items",), {"x": 1}), "Only a dictionary merges by key"),
        (Operation("merge", ("map",), [1]),
         "A merge takes a dictionary, or a list of objects with the field None"),
        (Operation("merge", ("items",), [{"n": 1}], "id"),
         "A merge takes a dictionary, or a list of objects with the field 'id'"),
        (Operation("merge", ("items",), [{"no": 1}], "no"),
         "A merge takes a dictionary, or a list of objects with the field 'no'"),
    ],
)  # fmt: skip
def test_an_operation_that_does_not_fit_says_where(operation: Operation, message: str) -> None:
    with pytest.raises((NotFound, ValueRefused)) as caught:
        apply(KEYED, (operation,))
    assert caught.value.message == message


def test_a_merge_touches_only_the_keys_it_names() -> None:
    patch = (
        Operation("merge", ("map",), {"x": 1, "y": 2}),
        Operation("merge", ("items",), [{"id": "a"}], "id"),
        Operation("set", ("n",), 1),
    )
    assert touched(patch) == (("map", "x"), ("map", "y"), ("items", "a"), ("n",))
    assert touched((Operation("merge", ("map",), {}),)) == (("map",),)


@pytest.mark.parametrize(
    ("path", "value"),
    [(("items", "b", "n"), 2), (("map", "x"), 1), (("n",), 1), ((), KEYED), (("items",), KEYED["items"])],
)
def test_items_with_keys_are_found_by_their_key(path: tuple[str, ...], value: Any) -> None:
    assert get(KEYED, path, {"items": "id"}) == value


@pytest.mark.parametrize("path", [("none",), ("items", "c"), ("items", "0"), ("n", "x"), ("map", "x", "y")])
def test_nothing_is_found_where_nothing_is(path: tuple[str, ...]) -> None:
    with pytest.raises(NotFound, match="There is nothing at /"):
        get(KEYED, path, {"items": "id"})


ITEMS = st.lists(st.fixed_dictionaries({"id": st.sampled_from("abcd"), "n": st.integers(0, 9)}), max_size=3)
STEPS = st.one_of(
    st.builds(lambda items: Operation("merge", ("claims",), items, "id"), ITEMS),
    st.builds(lambda items: Operation("append", ("claims",), items), ITEMS),
    st.builds(lambda items: Operation("set", ("claims",), items), ITEMS),
    st.builds(lambda n: Operation("set", ("claims", "0", "n"), n), st.integers(0, 9)),
    st.builds(
        lambda key, n: Operation("merge", ("answers",), {key: n}), st.sampled_from("abcd"), st.integers()
    ),
    st.builds(lambda items: Operation("set", (), {"claims": items, "answers": {}}), ITEMS),
)


@given(states, st.lists(st.lists(STEPS | operations, max_size=3).map(tuple), max_size=8))
def test_folding_in_place_comes_to_what_applying_comes_to(before: Any, steps: list[Patch]) -> None:
    state: Any = {**before, "claims": [], "answers": {}}
    folder = Folder(deepcopy(state))
    for patch in steps:
        try:
            state = apply(state, patch)
        except (NotFound, ValueRefused):
            with pytest.raises((NotFound, ValueRefused)):
                folder.fold(deepcopy(patch))
            return
        folder.fold(deepcopy(patch))
        assert same(folder.state, state)
