"""Lifting states is pure; whatever goes wrong on the way is told with the step, the path and the value."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus_state.delta import delta
from dissensus_state.errors import LinkMissing, SchemaNewer, UpcastFailed
from dissensus_state.evolution import migration
from dissensus_state.patches import apply
from dissensus_state.shapes import Shape, SharedState, shape_of
from dissensus_state.upcasting import MAX_SHOWN, lift, upcaster, upcasters_of
from dissensus_state.values import canonical, copied, normalise
from generations import First, Grown, Second, Third
from json_values import texts, values

STORED = {
    "title": "Pumps",
    "phase": "open",
    "text": "It stopped",
    "seconds": 1.5,
    "notes": ["at nine"],
    "claims": [{"id": "7", "text": "the valve"}],
    "answers": {},
}

states = st.dictionaries(texts, values, max_size=5).map(normalise)


def shape_with(upcast: Callable[[Any], Any], version: int = 2) -> Shape:
    """A schema of one number, with one upcaster from version 1."""

    class Counter(SharedState, version=version):
        n: int = 0

        lifting = upcaster(1)(staticmethod(upcast))

    return Shape(Counter)


def test_a_state_goes_through_every_step_of_the_chain() -> None:
    lifted = lift(shape_of(Third), STORED, 1)
    assert lifted == {
        "title": "Pumps",
        "phase": "open",
        "body": "It stopped",
        "milliseconds": 1500,
        "notes": [{"text": "at nine", "source": ""}],
        "claims": [{"name": "claim 7", "text": "the valve"}],
        "answers": {},
        "tags": [],
    }


def test_the_state_that_is_lifted_stays_as_it_was() -> None:
    before = copied(STORED)
    lift(shape_of(Third), STORED, 1)
    assert before == STORED


def test_an_upcaster_may_change_what_it_is_given_to_the_last_corner() -> None:
    class Nested(SharedState, version=2):
        lines: list[dict[str, int]]

        @upcaster(1)
        @staticmethod
        def one_more(state: Any) -> Any:
            state["lines"][0]["n"] += 1
            state["lines"].append({})
            return state

    before = {"lines": [{"n": 1}]}
    assert lift(Shape(Nested), before, 1) == {"lines": [{"n": 2}, {}]}
    assert before == {"lines": [{"n": 1}]}


def test_lifting_step_by_step_comes_to_the_same_as_lifting_at_once() -> None:
    second = lift(shape_of(Second), STORED, 1)
    assert lift(shape_of(Third), second, 2) == lift(shape_of(Third), STORED, 1)


def test_a_new_field_with_a_default_needs_no_upcaster() -> None:
    assert lift(shape_of(Grown), STORED, 1) == {**STORED, "tags": ["new"]}


def test_a_state_of_the_schemas_own_version_is_not_touched() -> None:
    assert lift(shape_of(First), STORED, 1) is STORED


def test_a_missing_link_is_named() -> None:
    class Later(SharedState, version=4):
        wholly: str
        different: int = 0

        @upcaster(2)
        @staticmethod
        def one_link(state: Any) -> Any:
            return state

    with pytest.raises(LinkMissing) as caught:
        lift(Shape(Later), {"different": 1}, 1)
    error = caught.value
    assert error.code == "schema.link_missing"
    assert error.context == {"upcast": "1 -> 4", "path": "/wholly", "missing": ["1 -> 2", "3 -> 4"]}
    assert "no upcaster for 1 -> 2, 3 -> 4" in error.message


def raises(error: Exception) -> Callable[[Any], Any]:
    def upcast(_: Any) -> Any:
        raise error

    return upcast


@pytest.mark.parametrize(
    ("upcast", "told", "said"),
    [
        (lambda state: state["m"], {"upcast": "1 -> 2", "path": "/", "value": '{"n":1}'}, "KeyError"),
        (raises(ValueError("no")), {"upcast": "1 -> 2", "path": "/", "value": '{"n":1}'}, "ValueError: no"),
        (raises(RecursionError()), {"upcast": "1 -> 2", "path": "/", "value": '{"n":1}'}, "RecursionError"),
        (lambda _: None, {"upcast": "1 -> 2", "path": "/", "value": "null"}, "is no state"),
        (lambda _: [1], {"upcast": "1 -> 2", "path": "/", "value": "[1]"}, "is no state"),
        (lambda _: {"n": "many"}, {"upcast": "1 -> 2", "path": "/n", "value": '"many"'}, "valid integer"),
        (lambda s: {**s, "x": 2}, {"upcast": "1 -> 2", "path": "/x", "value": "2"}, "not permitted"),
        (lambda _: {"n": float("nan")}, {"upcast": "1 -> 2", "path": "/n", "value": "nan"}, "not a JSON"),
        (lambda _: {"n": {1, 2}}, {"upcast": "1 -> 2", "path": "/n", "value": "{1, 2}"}, "not a JSON value"),
        (lambda _: {3: 1}, {"upcast": "1 -> 2", "path": "/", "value": "{3: 1}"}, "not a string"),
        (
            lambda _: {"n": "\ud800"},
            {"upcast": "1 -> 2", "path": "/n", "value": "'\\ud800'"},
            "lone surrogate",
        ),
    ],
)
def test_what_an_upcaster_does_wrong_is_told_with_step_path_and_value(
    upcast: Callable[[Any], Any], told: dict[str, Any], said: str
) -> None:
    with pytest.raises(UpcastFailed) as caught:
        lift(shape_with(upcast), {"n": 1}, 1)
    assert caught.value.context == told
    assert said in caught.value.message
    assert caught.value.code == "schema.upcast_failed"


def test_an_error_shows_only_the_beginning_of_a_long_value() -> None:
    with pytest.raises(UpcastFailed) as caught:
        lift(shape_with(lambda _: {"n": "x" * 100_000}), {"n": 1}, 1)
    assert len(caught.value.context["value"]) <= MAX_SHOWN + 1
    assert len(str(caught.value)) < 1000


def test_a_state_of_a_newer_version_is_refused_and_not_guessed_at() -> None:
    with pytest.raises(SchemaNewer, match="schema version 3, and generations:Report is at version 2"):
        lift(shape_of(Second), {}, 3)


def test_two_upcasters_from_one_version_are_a_mistake() -> None:
    class Twice(SharedState, version=2):
        one = upcaster(1)(staticmethod(lambda state: state))
        two = upcaster(1)(staticmethod(lambda state: {**state}))

    with pytest.raises(UpcastFailed, match="two upcasters from version 1"):
        upcasters_of(Twice)


def test_an_upcaster_that_starts_at_the_schemas_own_version_is_a_mistake() -> None:
    with pytest.raises(UpcastFailed, match="is at version 1 and upcasts from 1"):
        upcasters_of(shape_with(lambda state: state, version=1).schema)


def test_an_upcaster_that_says_something_else_each_time_makes_no_migration() -> None:
    numbers = itertools.count()
    shape = shape_with(lambda _: {"n": next(numbers)})
    with pytest.raises(UpcastFailed, match="twice gives two states"):
        migration(shape, {"n": 1}, 1, 0, "schema")


@given(states, states)
def test_a_delta_makes_the_one_state_of_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    patch = delta(before, after)
    assert canonical(apply(before, patch)) == canonical(after)
    assert delta(after, after) == ()


@given(st.dictionaries(st.sampled_from("ab"), values, min_size=1).map(normalise), values.map(normalise))
def test_a_delta_takes_no_more_text_than_setting_the_fields_that_differ(
    before: dict[str, Any], value: Any
) -> None:
    after = {**before, "a": value}
    whole = [["set", "/a", value]]
    patch = [operation.to_json() for operation in delta(before, after)]
    assert len(canonical(patch)) <= len(canonical(whole))


def test_a_delta_names_what_differs_deep_inside_and_sets_whole_what_has_no_places() -> None:
    before = {"list": [{"a": "x" * 50, "b": 1}] * 3, "keyed": [{"id": "1", "a": "x" * 50}], "gone": 1}
    after = {
        "list": [*before["list"][:2], {"a": "x" * 50, "b": 2}],
        "keyed": [{"id": "1", "a": "x" * 50, "b": 2}],
        "new": None,
    }
    patch = [operation.to_json() for operation in delta(before, after, {"keyed"})]
    assert patch == [
        ["remove", "/gone"],
        ["set", "/list/2/b", 2],
        ["set", "/keyed", after["keyed"]],
        ["set", "/new", None],
    ]
