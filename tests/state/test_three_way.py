"""Two states that grew from one, brought together by path and by how each field merges."""

from __future__ import annotations

import time
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus_state.patches import apply
from dissensus_state.shapes import (
    Add,
    Append,
    Max,
    Merge,
    MergeByKey,
    Min,
    SharedState,
    Union,
    shape_of,
)
from dissensus_state.three_way import ABSENT, Clash, Merged, same, three_way
from dissensus_state.values import JSON, canonical
from inquiries import Claim


class Longest(Merge):
    """A merge of the user's own."""

    commutes = True

    def merge(self, old: JSON, new: JSON) -> JSON:
        """The longer text."""
        return max(old, new, key=len)


class Board(SharedState):
    """A field of each kind."""

    text: str = ""
    phase: str = ""
    anything: Any = None
    items: list[Any] = []
    table: dict[str, Any] = {}
    lines: Annotated[list[Any], Append] = []
    marks: Annotated[set[str], Union] = set()
    total: Annotated[int, Add] = 0
    high: Annotated[int | None, Max] = None
    low: Annotated[int, Min] = 0
    answers: Annotated[dict[str, Any], MergeByKey] = {}
    claims: Annotated[list[Claim], MergeByKey("id")] = []
    motto: Annotated[str, Longest()] = ""


SHAPE = shape_of(Board)
EMPTY = SHAPE.initial(Board())


def merged(base: JSON, ours: JSON, theirs: JSON) -> Merged:
    return three_way(base, ours, theirs, SHAPE.merges, SHAPE.sets)


def joined(name: str, base: JSON, ours: JSON, theirs: JSON) -> JSON:
    """What one field comes to; its clashes where there are any."""
    three = [{**EMPTY, name: value} for value in (base, ours, theirs)]
    found = merged(*three)
    return found.clashes or apply(three[1], found.patch)[name]


values = st.recursive(
    st.integers(-2, 2) | st.sampled_from(["", "a", "b"]) | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=6,
)
texts = st.sampled_from(["", "a", "b", "ab"])
few = st.lists(st.integers(0, 3), max_size=5)
keyed = st.lists(
    st.builds(lambda key, text: {"id": key, "text": text}, st.sampled_from("pqr"), texts),
    max_size=3,
    unique_by=lambda item: str(item["id"]),
)
states = st.fixed_dictionaries(
    {
        "text": texts,
        "phase": texts,
        "anything": values,
        "items": few,
        "table": st.dictionaries(st.sampled_from("xyz"), values, max_size=3),
        "lines": few,
        "marks": st.sets(texts).map(sorted),
        "total": st.integers(-5, 5),
        "high": st.none() | st.integers(-2, 2),
        "low": st.integers(-2, 2),
        "answers": st.dictionaries(st.sampled_from("xyz"), values, max_size=3),
        "claims": keyed,
        "motto": texts,
    }
)


@given(base=states, ours=states)
def test_merging_what_brings_nothing_new_changes_nothing(base: JSON, ours: JSON) -> None:
    found = merged(base, ours, base)
    assert (found.operations, found.clashes) == ([], [])


@given(base=states, theirs=states)
def test_what_only_one_side_changed_is_taken_bit_for_bit(base: JSON, theirs: JSON) -> None:
    found = merged(base, base, theirs)
    assert not found.clashes
    assert canonical(apply(base, found.patch)) == canonical(theirs)


@given(before=states, after=states)
def test_a_step_that_is_taken_back_at_once_leaves_what_was_before_bit_for_bit(
    before: JSON, after: JSON
) -> None:
    found = three_way(after, after, before, SHAPE.taking_back, SHAPE.sets)
    assert not found.clashes
    assert canonical(apply(after, found.patch)) == canonical(before)


@given(base=states, ours=states, theirs=states)
def test_what_both_changed_differently_is_merged_as_declared_or_contested(
    base: JSON, ours: JSON, theirs: JSON
) -> None:
    found = merged(base, ours, theirs)
    state = apply(ours, found.patch)
    paths = {clash.path for clash in found.clashes}
    for name in ("text", "phase", "motto"):
        three = base[name], ours[name], theirs[name]
        differently = len(set(three)) == 3 or (three[0] != three[1] == ours[name] != theirs[name] != three[0])
        assert (f"/{name}" in paths) == differently
    assert state["total"] == ours["total"] + theirs["total"] - base["total"]
    for field in ("table", "answers"):
        for key in "xyz":
            three = tuple(side[field].get(key, ABSENT) for side in (base, ours, theirs))
            _held(f"/{field}/{key}", three, state[field].get(key, ABSENT), paths)
    for key in "pqr":
        sides = [{item["id"]: item for item in side["claims"]} for side in (base, ours, theirs, state)]
        *three, after = (side.get(key, ABSENT) for side in sides)
        _held(f"/claims/{key}", tuple(three), after, paths)


def _held(path: str, three: tuple[JSON, ...], after: JSON, paths: set[str]) -> None:
    """One key of three sides: the side that changed it stands there, or it is contested at or below."""
    base, ours, theirs = three
    if same(theirs, base) or same(ours, theirs):
        assert same(after, ours)
    elif same(ours, base):
        assert same(after, theirs)
    elif not all(isinstance(item, dict | list) for item in three):
        assert path in paths
        assert same(after, ours)


@given(base=states, ours=states, theirs=states)
def test_nothing_is_contested_that_the_other_way_round_is_not(base: JSON, ours: JSON, theirs: JSON) -> None:
    one, other = merged(base, ours, theirs), merged(base, theirs, ours)
    assert {clash.path for clash in one.clashes} == {clash.path for clash in other.clashes}


@given(base=states, ours=states, theirs=states)
def test_changes_that_do_not_clash_give_the_same_either_way_but_for_the_order_of_lists(
    base: JSON, ours: JSON, theirs: JSON
) -> None:
    one, other = merged(base, ours, theirs), merged(base, theirs, ours)
    if not one.clashes:
        assert _unordered(apply(ours, one.patch)) == _unordered(apply(theirs, other.patch))


def _unordered(value: JSON) -> str:
    if isinstance(value, list):
        return canonical(sorted(map(_unordered, value)))
    if isinstance(value, dict):
        return canonical({key: _unordered(item) for key, item in value.items()})
    return canonical(value)


@given(base=states, ours=states, theirs=states)
def test_the_order_of_keys_in_memory_changes_nothing(base: JSON, ours: JSON, theirs: JSON) -> None:
    turned = [dict(reversed(side.items())) for side in (base, ours, theirs)]
    assert merged(*turned) == merged(base, ours, theirs)


@pytest.mark.parametrize(
    ("name", "base", "ours", "theirs", "wanted"),
    [
        ("lines", ["a"], ["a", "b"], ["a", "c"], ["a", "b", "c"]),
        ("lines", ["a"], ["a", "b"], ["a", "b"], ["a", "b", "b"]),
        ("lines", ["a", "b"], ["b"], ["a", "b", "c"], ["b", "c"]),
        ("lines", ["a", "b"], ["b"], ["b"], ["b"]),
        ("items", ["a", "b", "c"], ["A", "b", "c"], ["a", "b", "C"], ["A", "b", "C"]),
        ("items", ["a", "b", "c"], ["a", "c"], ["a", "b", "c", "d"], ["a", "c", "d"]),
        ("total", 5, 6, 6, 7),
        ("high", 1, 3, 2, 3),
        ("high", None, None, 2, 2),
        ("high", 1, 3, None, 3),
        ("low", 3, 1, 2, 1),
        ("marks", ["a", "b"], ["a", "b", "c"], ["b", "d"], ["b", "c", "d"]),
        ("table", {"x": {"y": 1, "z": 1}}, {"x": {"y": 2, "z": 1}}, {"x": {"y": 1}}, {"x": {"y": 2}}),
        ("text", "a", "b", "b", "b"),
    ],
)
def test_what_a_field_comes_to(name: str, base: JSON, ours: JSON, theirs: JSON, wanted: JSON) -> None:
    assert joined(name, base, ours, theirs) == wanted


@pytest.mark.parametrize(
    ("name", "base", "ours", "theirs", "path"),
    [
        ("items", ["a"], ["a", "b"], ["a", "c"], "/items"),
        ("items", ["a", "b"], ["A", "b"], ["b"], "/items"),
        ("lines", ["a", "b"], ["A", "b"], ["x", "b"], "/lines"),
        ("table", {"x": 1}, {"x": 2}, {}, "/table/x"),
        ("table", {}, {"x/y": 2}, {"x/y": 3}, "/table/x~1y"),
        ("claims", [{"id": "p", "text": ""}], [{"id": "p", "text": "a"}], [], "/claims/p"),
        ("motto", "a", "abc", "ab", "/motto"),
        ("high", 1, "a", 3, "/high"),
        ("total", 0, 10**400, 1e300, "/total"),
    ],
)
def test_what_nothing_declared_can_bring_together_is_contested(
    name: str, base: JSON, ours: JSON, theirs: JSON, path: str
) -> None:
    (clash,) = joined(name, base, ours, theirs)
    assert isinstance(clash, Clash)
    assert clash.path == path


def test_only_what_changed_is_written() -> None:
    many = [{"id": str(number), "text": ""} for number in range(100)]
    base = {**EMPTY, "lines": [*range(100)], "claims": many, "answers": {str(n): n for n in range(100)}}
    theirs = {
        **base,
        "lines": [*base["lines"], "new"],
        "claims": [{"id": "0", "text": "new"}, *many[1:]],
        "answers": {**base["answers"], "7": "new"},
        "marks": ["new"],
        "total": 5,
        "high": 3,
        "low": 1,
    }
    found = [operation.to_json() for operation in merged(base, base, theirs).operations]
    assert found == [
        ["merge", "/answers", {"7": "new"}],
        ["merge", "/claims", [{"id": "0", "text": "new"}], "id"],
        ["max", "/high", 3],
        ["append", "/lines", ["new"]],
        ["set", "/low", 1],
        ["union", "/marks", ["new"]],
        ["add", "/total", 5],
    ]


@pytest.mark.parametrize(
    "sides",
    [
        ([0] * 20_000, [1] * 20_000, [0] * 19_999),
        ([0] * 900, [0, 1] * 450, [1, 0] * 450),
        ({str(n): n for n in range(20_000)}, {"x": 1}, {str(n): n + 1 for n in range(10_000)}),
        ({str(n): n for n in range(20_000)}, {str(n): n for n in range(20_001)}, {}),
    ],
)
def test_however_large_and_alike_the_values_a_merge_takes_no_time_to_speak_of(
    sides: tuple[JSON, ...],
) -> None:
    start = time.monotonic()
    merged(*({**EMPTY, "anything": side} for side in sides))
    assert time.monotonic() - start < 3
