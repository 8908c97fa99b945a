"""What is given to a schema from outside, and the forms in which it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import pytest
from pydantic import BaseModel, computed_field

from dissensus_state.errors import FieldMissing, SchemaRefused, ValueRefused
from dissensus_state.patches import Operation, apply
from dissensus_state.shapes import Append, MergeByKey, SharedState, Union, shape_of
from dissensus_state.store import Store
from dissensus_state.values import MAX_BYTES, MAX_DEPTH
from inquiries import Claim, Notes, does


class Loose(BaseModel):
    """A part that holds anything."""

    inner: Any = None
    when: datetime | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def twice(self) -> str:
        """Not stored: it follows from the rest."""
        return f"{self.inner}{self.inner}"


class Mixed(SharedState):
    """Fields of every kind."""

    loose: Loose | None = None
    many: Annotated[list[Loose], Append] = []
    ids: Annotated[set[UUID] | None, Union] = None
    plain: set[str] | None = None
    sums: Mapping[str, Decimal] = {}
    nested: dict[str, list[Annotated[dict[str, int], "counts"]]] = {}
    rows: Annotated[list[dict[str, Any]], MergeByKey("no")] = []
    bare: list = []  # type: ignore[type-arg]


SHAPE = shape_of(Mixed)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("path", "value", "stored"),
    [
        ("loose", Loose(inner=(1, 2.0), when=EPOCH), {"inner": [1, 2], "when": "1970-01-01T00:00:00Z"}),
        (
            "loose",
            {"inner": {"x": [Loose()]}},
            {"inner": {"x": [{"inner": None, "when": None}]}, "when": None},
        ),
        ("ids", {UUID(int=2), UUID(int=1)}, [str(UUID(int=1)), str(UUID(int=2))]),
        ("ids", None, None),
        ("plain", set("hypothesis"), [*"ehiopsty"]),
        ("ids", [UUID(int=n % 7) for n in range(9)], [str(UUID(int=n)) for n in range(7)]),
        ("/loose/inner", {"letters": set("hypothesis")}, {"letters": [*"ehiopsty"]}),
        ("sums", {"x": Decimal("1.50")}, {"x": "1.50"}),
        ("/sums/x", "2", "2"),
        ("/nested/a/0/b", 3, 3),
        ("/bare/0", "anything", "anything"),
        ("/loose/inner", "checked with its field", "checked with its field"),
        ("rows", [{"no": 1}, {"no": 2}], [{"no": 1}, {"no": 2}]),
    ],
)
def test_a_value_is_kept_as_plain_data_in_one_form(path: str, value: Any, stored: Any) -> None:
    parsed = tuple(path.strip("/").split("/"))
    assert SHAPE.operation(parsed, value, "set").value == stored


def _deep(levels: int) -> Any:
    value: Any = "leaf"
    for _ in range(levels):
        value = {"x": value}
    return value


def _endless() -> Any:
    value: dict[str, Any] = {}
    value["x"] = value
    return value


class Node(BaseModel):
    """A part that may hold itself."""

    following: Node | None = None


def _ring() -> Node:
    node = Node()
    node.following = node
    return node


def _itself() -> Loose:
    value = Loose()
    value.inner = value
    return value


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (float("nan"), "/anything"),
        ({"deep": [1, float("-inf")]}, "/anything/deep/1"),
        (Loose(inner=float("nan")), "/anything/inner"),
        ({"x": "\ud800"}, "/anything/x"),
        ({"\ud800": 1}, "/anything"),
        ({1: "a", "1": "b"}, "/anything"),
        (Loose(inner={1: "a", "1": "b"}), "/anything/inner"),
        ({"x": 10**4000}, "/anything/x"),
        (_deep(MAX_DEPTH), "/anything" + "/x" * (MAX_DEPTH - 1)),
        (_deep(100_000), "/anything" + "/x" * MAX_DEPTH),
        (_endless(), "/anything" + "/x" * MAX_DEPTH),
        (Loose(inner=_endless()), "/anything/inner" + "/x" * (MAX_DEPTH - 1)),
        (_itself(), "/anything" + "/inner" * MAX_DEPTH),
        (_ring(), "/anything"),
        (object(), "/anything"),
        (b"\xff", "/anything"),
    ],
)
def test_what_json_does_not_have_is_refused_and_not_made_into_something_else(value: Any, path: str) -> None:
    with pytest.raises(ValueRefused) as caught:
        shape_of(Notes).operation(("anything",), value)
    assert caught.value.context["path"] == path
    with pytest.raises(ValueRefused):
        shape_of(Notes).initial(Notes(anything=value))


def test_a_value_deep_inside_counts_its_way_down() -> None:
    shape = shape_of(Notes)
    assert shape.operation(("anything", *"x" * 60), _deep(3)).value == _deep(3)
    with pytest.raises(ValueRefused, match="nested deeper than 64 levels"):
        shape.operation(("anything", *"x" * 60), _deep(4))


@pytest.mark.parametrize("verb", ["set", "append"])
def test_a_value_that_is_too_long_is_refused_with_its_path(verb: str) -> None:
    with Store.open("sqlite://") as store:
        session = store.create(Notes())
        path = "text" if verb == "set" else "lines"
        with pytest.raises(ValueRefused, match="is over the limit of 16,777,216") as caught:
            session.transact(does(verb, path, "x" * (MAX_BYTES + 1)), "ana")
        assert caught.value.context["path"] == f"/{path}"
        with pytest.raises(ValueRefused, match="is over the limit"):
            store.create(Notes(text="x" * (MAX_BYTES + 1)))
        assert session.head == 0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"no": 1}, {"no": "1"}], "Two items here have the same 'no'"),
        ([{"other": 1}], "Every item here needs its 'no'"),
        ([{"no": None}], "Every item here needs its 'no'"),
    ],
)
def test_items_with_keys_have_their_keys_and_have_them_alone(rows: Any, message: str) -> None:
    for verb in ("set", "merge"):
        with pytest.raises(SchemaRefused, match=message) as caught:
            SHAPE.operation(("rows",), rows, verb)
        assert caught.value.context["path"] == "/rows"
    with pytest.raises(SchemaRefused, match=message):
        SHAPE.initial(Mixed(rows=rows))


def test_checking_a_change_costs_what_changed_and_not_what_is_there() -> None:
    before = Notes(lines=["one"] * 1000, answers={str(n): n for n in range(1000)}, claims=[Claim(id="c")])
    shape = shape_of(Notes)
    state = shape.initial(before)
    patch = (
        shape.operation(("lines",), ["two"]),
        shape.operation(("answers",), {"new": 1}),
        shape.operation(("claims",), [{"id": "c", "text": "other"}]),
        shape.operation(("answers", "0"), "zero", "set"),
    )
    after = apply(state, patch)
    assert shape.advance(shape.typed(state), state, after, patch) == shape.typed(after)
    first = before.lines[0]
    added = shape.advance(before, state, apply(state, patch[:2]), patch[:2])
    assert added == shape.typed(apply(state, patch[:2]))
    assert vars(added)["claims"] is before.claims
    assert vars(added)["lines"][0] is first


def test_a_changed_item_is_checked_and_the_others_stay_the_very_objects_that_they_were() -> None:
    before = Notes(
        answers={str(n): n for n in range(9)}, claims=[Claim(id=str(n), text="as it was") for n in range(9)]
    )
    shape = shape_of(Notes)
    state = shape.initial(before)
    patch = (
        shape.operation(("claims",), [{"id": "4", "text": "changed"}, {"id": "new", "text": "added"}]),
        shape.operation(("answers", "4"), "four", "set"),
        shape.operation(("answers",), {"5": "five", "new": 1}),
    )
    after = apply(state, patch)
    made = shape.advance(before, state, after, patch)
    assert made == shape.typed(after)
    assert [item.id for item in made.claims] == [*map(str, range(9)), "new"]
    assert all(made.claims[n] is before.claims[n] for n in range(9) if n != 4)
    assert before.claims[4].text == "as it was"
    gone = (shape.operation(("answers", "0"), None, "remove"),)
    assert shape.advance(made, after, apply(after, gone), gone) == shape.typed(apply(after, gone))


def test_a_key_that_is_empty_text_is_a_key_like_others() -> None:
    shape = shape_of(Notes)
    assert shape.operation(("answers",), {"": 1}, "set").value == {"": 1}
    assert shape.operation(("answers", ""), 2).value == 2
    assert shape.operation(("answers",), {"": 3}, "set") == Operation("set", ("answers",), {"": 3})


def test_a_patch_changes_fields_that_there_are() -> None:
    with pytest.raises(FieldMissing, match="not the state as a whole"):
        SHAPE.operation((), {})
    with pytest.raises(FieldMissing, match="has the fields loose, many, ids, plain"):
        SHAPE.operation(("none",), 1)
