"""What the admission rule lets pass may be done in either order, up to what the docs say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dissensus_state.conflicts import check
from dissensus_state.errors import Conflict, DissensusError, NotFound
from dissensus_state.patches import Operation, Patch, apply, get
from dissensus_state.records import Change, Commit, Isolation
from dissensus_state.shapes import shape_of
from dissensus_state.values import JSON, Path, canonical
from inquiries import Notes

SHAPE = shape_of(Notes)

STATE: JSON = SHAPE.initial(
    Notes.model_validate(
        {
            "lines": ["one", "two"],
            "tags": ["b", "d"],
            "answers": {"x": 1, "y": {"deep": 1}},
            "claims": [{"id": "c1"}, {"id": "c2"}],
            "anything": {"list": [1, 2], "map": {"x": 1}},
        }
    )
)

small = st.integers(0, 3)
claims = st.lists(
    st.sampled_from(["c1", "c2", "c3", "c4"]).map(lambda name: {"id": name}), max_size=2, unique_by=str
)
answers = st.dictionaries(st.sampled_from("xyz"), small, max_size=2)
places = st.sampled_from(
    ["/answers/x", "/answers/z", "/answers/y/deep", "/lines/0", "/lines/1", "/anything/list/0"]
)
asked = st.one_of(
    st.tuples(st.just("set"), st.sampled_from(["a", "b", "anything"]), small),
    st.tuples(st.just("set"), places, small.map(str)),
    st.tuples(st.just("set"), st.just("lines"), st.lists(st.sampled_from("pq"), max_size=2)),
    st.tuples(st.just("set"), st.just("answers"), answers),
    st.tuples(
        st.just("append"), st.sampled_from(["lines", "/anything/list"]), st.lists(st.just("z"), min_size=1)
    ),
    st.tuples(st.just("add"), st.sampled_from(["a", "total"]), small),
    st.tuples(st.just("union"), st.just("tags"), st.lists(st.sampled_from("abcd"), max_size=2)),
    st.tuples(st.just("merge"), st.just("answers"), answers),
    st.tuples(st.just("merge"), st.just("/anything/map"), answers),
    st.tuples(st.just("merge"), st.just("claims"), claims),
    st.tuples(st.just("remove"), st.sampled_from(["/answers/x", "/anything/map/x"]), st.none()),
)
READ = ["a", "lines", "/lines/0", "/lines/7", "answers", "/answers/x", "/answers/z", "/claims/c1", "tags"]
reads = st.lists(st.sampled_from([*READ, "/claims/c4", ""]), max_size=2)


def _operation(asked: tuple[Any, str, Any]) -> Operation:
    verb, path, value = asked
    parsed = tuple(path.strip("/").split("/"))
    return SHAPE.operation(parsed, value, verb)


patches = st.lists(asked.map(_operation), min_size=1, max_size=3).map(tuple)


def _commit(version: int, patch: Patch) -> Commit:
    return Commit(
        version, "main", "ana", None, None, version - 1, "serializable", (), patch, (), None, 0, 1, b""
    )


def _change(patch: Patch, reads: list[str] | None = None, isolation: Isolation = "serializable") -> Change:
    parsed: list[Path] = [tuple(path.strip("/").split("/")) if path else () for path in reads or []]
    return Change("ben", patch, 0, tuple(parsed), isolation=isolation)


def _applied(state: JSON, patch: Patch) -> JSON:
    try:
        return apply(state, patch)
    except DissensusError:
        return None


def _seen(state: JSON, path: Path) -> str:
    try:
        return canonical(get(state, path, SHAPE.keys))
    except NotFound:
        return "nothing"


def _unordered(value: JSON) -> JSON:
    """A value whose lists are sorted: commuting appends and merges may differ in order alone."""
    if isinstance(value, dict):
        return {key: _unordered(item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted((_unordered(item) for item in value), key=canonical)
    return value


def _contested(there: Patch, change: Change) -> list[str]:
    try:
        check(change, [_commit(1, there)], 1)
    except Conflict as conflict:
        return list(conflict.context["paths"])
    return []


@settings(max_examples=200)
@given(st.lists(patches, min_size=1, max_size=2), patches, reads)
def test_g02_what_is_admitted_over_unseen_commits_could_have_come_first(
    unseen: list[Patch], patch: Patch, read: list[str]
) -> None:
    there = STATE
    for other in unseen:
        there = _applied(there, other)
        assume(there is not None)
    alone = _applied(STATE, patch)
    assume(alone is not None)
    change = _change(patch, read)
    try:
        check(change, [_commit(n + 1, other) for n, other in enumerate(unseen)], len(unseen))
    except Conflict:
        return
    after, before = _applied(there, patch), alone
    for other in unseen:
        before = _applied(before, other)
    assert canonical(_unordered(after)) == canonical(_unordered(before))
    for path in change.reads:
        assert _seen(there, path) == _seen(STATE, path)


@given(patches, patches, reads)
def test_g02_under_snapshot_isolation_only_the_writes_count(
    theirs: Patch, ours: Patch, read: list[str]
) -> None:
    assert _contested(theirs, _change(ours, read, "snapshot")) == _contested(theirs, _change(ours))


@given(patches, patches)
def test_g02_two_writers_conflict_whoever_comes_first(one: Patch, other: Patch) -> None:
    assert bool(_contested(one, _change(other))) == bool(_contested(other, _change(one)))


def test_g02_the_first_commit_in_the_way_is_named() -> None:
    unseen = [_commit(n, (Operation("set", (name,), n),)) for n, name in enumerate("bab", start=1)]
    with pytest.raises(Conflict) as caught:
        check(_change((Operation("set", ("a",), 0), Operation("set", ("b",), 0))), unseen, 3)
    assert caught.value.message == "ana changed /b in version 1"
    assert caught.value.context["actual"] == 3
