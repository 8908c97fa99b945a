"""A schema that admits any field: whatever comes and goes, the typed state is the stored one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dissensus_state.errors import Refused, SchemaRefused, TransitionRefused
from dissensus_state.machine import Transition
from dissensus_state.open_states import OpenState
from dissensus_state.shapes import Append, shape_of
from dissensus_state.store import Store
from dissensus_state.values import pointer


class Anything(OpenState):
    declared: Annotated[list[int], Append] = []


class Staged(OpenState):
    phase: Literal["open", "closed"] = "open"

    transitions = [Transition("close", "open -> closed")]


NAMES = ["a", "messages", "model_fields", "transitions", "__class__", "é", "a/b~c", "copy"]
values = st.recursive(
    st.none() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from("sar"), values), max_size=12))
def test_the_typed_state_is_what_is_stored_whatever_comes_and_goes(store: Store, steps: list[Any]) -> None:
    session = store.create(Anything())
    kept: dict[str, Any] = {"declared": []}
    for name, verb, value in steps:
        with session.transaction("somebody", f"step {name}") as tx:
            if verb == "r" and name in kept:
                tx.remove(pointer((name,)))
                del kept[name]
            elif verb == "a" and isinstance(kept.get(name), list):
                tx.append(pointer((name,)), value)
                kept[name] = [*kept[name], value]
            else:
                tx.set(pointer((name,)), value)
                kept[name] = value
        assert session.raw() == kept
    state = session.state
    assert {**(state.model_extra or {}), "declared": state.declared} == kept
    assert session.at(session.head) == state
    again = store.session(session.name, Anything)
    assert again.state == state
    assert again.verify().versions == len(steps) + 1


def test_what_is_declared_is_held_to_its_type_and_everything_is_json(store: Store) -> None:
    session = store.create(Anything())
    with pytest.raises(SchemaRefused), session.transaction("a") as tx:
        tx.append("declared", "no number")
    with pytest.raises(Refused), session.transaction("a") as tx:
        tx.set("other", float("nan"))
    with session.transaction("a") as tx:
        tx.append("declared", 1)
        tx.set("other", {"deep": [1]})
    with session.transaction("b") as tx:
        assert tx.read("other") == {"deep": [1]}
        tx.set("/other/deep/0", 2)
    assert session.raw() == {"declared": [1], "other": {"deep": [2]}}


def test_two_branches_that_add_to_the_same_list_come_together(store: Store) -> None:
    session = store.create(Anything())
    with session.transaction("a") as tx:
        tx.set("log", ["first"])
        tx.set("gone", 1)
    idea = session.fork("idea")
    for one, item in ((session, "ours"), (idea, "theirs")):
        with one.transaction("b") as tx:
            tx.append("log", item)
    with idea.transaction("b") as tx:
        tx.remove("gone")
    assert session.merge("idea", author="a").conflicts == ()
    assert session.raw() == {"declared": [], "log": ["first", "ours", "theirs"]}
    session.revert(session.head, author="a")
    assert session.raw() == {"declared": [], "log": ["first", "ours"], "gone": 1}


def test_a_transition_is_a_label_unless_the_schema_declares_a_machine() -> None:
    assert shape_of(Anything).machine.find("anything", "anywhere") is None
    staged = shape_of(Staged).machine
    assert staged.find("close", "open") is not None
    with pytest.raises(TransitionRefused):
        staged.find("anything", "open")
