"""The laws by which a history of whole values becomes one of changes."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dissensus_agents.foreign.changes import changes
from dissensus_agents.foreign.decoding import text_of
from dissensus_agents.foreign.records import Node, Write
from dissensus_agents.foreign.supersteps import divided, tasks_of
from dissensus_agents.foreign.trees import heirs, ordered
from dissensus_state.patches import Operation, apply
from dissensus_state.values import normalise

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.5]) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=4),
    max_leaves=12,
).map(normalise)


@given(plain, plain, st.lists(plain, max_size=3))
def test_the_changes_turn_one_value_into_the_other(old: Any, new: Any, more: list[Any]) -> None:
    for before, after in (
        (old, new),
        ([old], [old, *more]),
        ([old, new], [old, *more]),
        ({"a": old}, {"a": new}),
    ):
        made = changes("x", before, after, text_of(before), text_of(after))
        assert text_of(apply({"x": before}, tuple(made))) == text_of({"x": after})


@given(st.lists(plain, min_size=1, max_size=4), st.lists(plain, min_size=1, max_size=4))
def test_what_is_added_to_a_list_is_an_append_of_just_that(old: list[Any], more: list[Any]) -> None:
    whole = [*old, *more]
    assert changes("x", old, whole, text_of(old), text_of(whole)) == [Operation("append", ("x",), more)]


def test_true_and_one_are_told_apart() -> None:
    assert changes("x", {"a": 1}, {"a": True}, b'{"a":1}', b'{"a":true}') == [
        Operation("set", ("x", "a"), value=True)
    ]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.lists(plain, max_size=3)), min_size=1, max_size=5))
def test_what_parallel_tasks_added_is_divided_among_them_without_loss(given_: list[Any]) -> None:
    values = {
        Write("c", f"task{n}", f"~__pregel_pull, {node}", 0, "x"): items
        for n, (node, items) in enumerate(sorted(given_, key=lambda one: one[0]))
    }
    added = [item for items in values.values() for item in items]
    ran = sorted({node for node, _ in given_})
    tasks = tasks_of([*values], [], ran)
    parts = divided({"x": [Operation("append", ("x",), added)]}, tasks, ran, values.__getitem__)
    state: Any = {"x": []}
    for part in parts:
        state = apply(state, tuple(part.operations))
    assert state["x"] == added
    assert {name for part in parts for name in part.nodes} == set(ran)


def test_what_a_reducer_made_otherwise_is_the_change_of_all_who_wrote() -> None:
    writes = [Write("c", name, f"~__pregel_pull, {name}", 0, "x") for name in ("a", "b")]
    changed = {"x": [Operation("append", ("x",), ["b", "a"])]}
    parts = divided(changed, tasks_of(writes, [], ["a", "b"]), ["a", "b"], lambda write: [write.task])
    assert [(part.name, part.operations) for part in parts] == [("a+b", changed["x"])]


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(-1, 12)), max_size=12, unique_by=lambda one: one[0])
)
def test_parents_come_first_and_each_parent_has_one_heir(pairs: list[tuple[int, int]]) -> None:
    nodes = [Node("", f"{own:02}", f"{above:02}" if above >= 0 else None) for own, above in pairs]
    line = ordered(nodes)
    assert sorted(one.id for one in line) == sorted(one.id for one in nodes)
    seen: set[str] = set()
    there = {one.id for one in nodes}
    for one in line:
        assert one.parent not in there or one.parent in seen or one.parent == one.id
        seen.add(one.id)
    first = heirs(line)
    for parent in {one.parent for one in line}:
        children = [one for one in line if (one.parent if one.parent in there else None) == parent]
        assert len([one for one in children if one.id in first]) == (1 if children else 0)


def test_the_branch_goes_on_with_the_child_that_leads_to_the_newest() -> None:
    tree = [Node("", *one) for one in (("1", None), ("2", "1"), ("3", "1"), ("4", "2"))]
    assert heirs(ordered(tree)) == {"1", "2", "4"}


def test_what_may_be_of_a_node_whose_writes_are_not_kept_is_not_said_to_be_anothers() -> None:
    kept = [Write("c", "1", "~__pregel_pull, a", 0, "x"), Write("c", "1", "~__pregel_pull, a", 1, "y")]
    changed = {
        "x": [Operation("append", ("x",), ["a", "b"])],
        "y": [Operation("set", ("y",), "of a")],
        "z": [Operation("set", ("z",), "of b")],
    }
    written = {kept[0]: ["a"], kept[1]: "of a"}
    parts = divided(changed, tasks_of(kept, [], ["a", "b"]), ["a", "b"], written.__getitem__)
    assert [(part.name, part.operations) for part in parts] == [
        ("a", changed["y"]),
        ("a+b", changed["x"]),
        ("b", changed["z"]),
    ]
