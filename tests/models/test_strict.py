from __future__ import annotations

import copy
import json
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, HttpUrl

from dissensus_agents.models.strict import strict_schema


class Finding(BaseModel):
    claim: str = Field(max_length=500)
    page: int | None = Field(None, ge=1)
    kind: Literal["fact", "guess"] = "fact"
    link: HttpUrl | None = None


class Report(BaseModel):
    """What was found."""

    reasoning: str = ""
    findings: list[Finding] = []
    best: Finding | None = None


class Free(BaseModel):
    notes: dict[str, str] = {}


class Anything(BaseModel):
    value: Any


class Pair(BaseModel):
    pair: tuple[int, str]


class Tree(BaseModel):
    name: str
    children: list[Tree] = []


def objects(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, list):
        return [found for part in schema for found in objects(part)]
    if not isinstance(schema, dict):
        return []
    inner = [found for part in schema.values() for found in objects(part)]
    return [schema, *inner] if isinstance(schema.get("properties"), dict) else inner


def test_every_object_of_a_strict_schema_is_closed_and_all_of_its_fields_are_required() -> None:
    strict = strict_schema(Report.model_json_schema())
    assert strict is not None
    assert len(objects(strict)) == 2
    for found in objects(strict):
        assert found["additionalProperties"] is False
        assert found["required"] == list(found["properties"])
    text = json.dumps(strict)
    assert not any(word in text for word in ("default", "maxLength", '"uri"', "oneOf", "allOf"))
    assert strict["properties"]["best"]["anyOf"] == [{"$ref": "#/$defs/Finding"}, {"type": "null"}]
    page = strict["$defs"]["Finding"]["properties"]["page"]
    assert page["anyOf"][0] == {"type": "integer", "minimum": 1}


def test_fields_stay_in_their_order_so_that_the_reasoning_comes_before_the_answer() -> None:
    strict = strict_schema(Report.model_json_schema()) or {}
    assert list(strict["properties"]) == ["reasoning", "findings", "best"]


def test_a_schema_that_contains_itself_stays_one() -> None:
    schema = Tree.model_json_schema()
    held = strict_schema({**schema["$defs"]["Tree"], "$defs": schema["$defs"]}) or {}
    assert held["properties"]["children"]["items"] == {"$ref": "#/$defs/Tree"}


@pytest.mark.parametrize("type_", [Free, Anything, Pair])
def test_what_cannot_be_said_strictly_has_no_strict_schema(type_: type[BaseModel]) -> None:
    assert strict_schema(type_.model_json_schema()) is None


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        {"type": "array", "items": {"type": "string"}},
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {"a": True}},
        {
            "type": "object",
            "properties": {"a": {"type": "string"}},
            "additionalProperties": {"type": "string"},
        },
        {"type": "object", "properties": {"a": {"$ref": "https://example.com/schema"}}},
        {"type": "object", "properties": {"a": {"not": {"type": "string"}}}},
        {"type": "object", "properties": {"a": {"allOf": [{"type": "string"}, {"minLength": 1}]}}},
        {"type": "object", "properties": {f"f{n}": {"type": "string"} for n in range(5001)}},
    ],
)
def test_a_schema_outside_of_the_strict_part_is_refused(schema: dict[str, Any]) -> None:
    assert strict_schema(schema) is None


def test_what_is_nested_too_deep_for_openai_is_not_strict() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(12):
        schema = {"type": "object", "properties": {"a": schema}}
    assert strict_schema(schema) is None


parts = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5) | st.just({"type": "string"}),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "properties", "items", "anyOf", "$ref", "allOf", "$defs", "required"]),
            inner,
        )
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["type", "properties", "$defs", "allOf"]), parts))
def test_whatever_a_schema_is_it_is_left_as_it_was_and_nothing_breaks(schema: dict[str, Any]) -> None:
    before = copy.deepcopy(schema)
    held = strict_schema(schema)
    assert schema == before
    assert held is None or isinstance(held["properties"], dict)


@given(st.sampled_from([Report, Tree, Finding]))
def test_a_strict_schema_is_at_most_twice_as_long_which_is_what_is_reserved_for(
    type_: type[BaseModel],
) -> None:
    schema = type_.model_json_schema()
    schema = schema if "properties" in schema else {**schema["$defs"]["Tree"], "$defs": schema["$defs"]}
    assert len(json.dumps(strict_schema(schema))) <= 2 * len(json.dumps(schema))
