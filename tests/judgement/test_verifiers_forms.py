"""Forms: types, JSON schemas, regular expressions that can't be kept busy for ever."""

from __future__ import annotations

import re
import time
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from dissensus_agents.errors import GraphError
from dissensus_agents.judgement.forms import MAX_MATCHED, matches, schema
from dissensus_agents.judgement.json_schema import check_schema, complaint
from dissensus_agents.judgement.witnessing import run_verifiers


class Finding(BaseModel):
    """A finding as this step wants it."""

    kind: Literal["fact", "guess"]
    page: int


def verdict(check: Any, value: Any) -> tuple[bool, str]:
    """Whether it passed, and what was said of it."""
    (found,) = run_verifiers([check], {"/note": {"it": value}}, {})
    assert found.path == "/note/it"
    return found.passed, found.detail


def test_a_value_fits_a_type_or_is_told_where_it_does_not() -> None:
    check = schema("note/it", Finding)
    assert verdict(check, {"kind": "fact", "page": 3}) == (True, "fits")
    assert verdict(check, {"kind": "fact", "page": "3"}) == (True, "fits")
    assert verdict(schema("note/it", Finding, strict=True), {"kind": "fact", "page": "3"}) == (
        False,
        "page: Input should be a valid integer",
    )
    passed, said = verdict(check, {"kind": "rumour"})
    assert not passed
    assert said == "kind: Input should be 'fact' or 'guess'; page: Field required"
    assert verdict(schema("note/it", list[int]), [1, 2]) == (True, "fits")


FORM = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["name", "lines"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 5},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}, "minItems": 1, "uniqueItems": True},
        "rate": {"anyOf": [{"type": "null"}, {"type": "number", "minimum": 0, "exclusiveMaximum": 1}]},
    },
    "$defs": {"line": {"type": ["integer", "string"], "not": {"const": 13}}},
}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"name": "a", "lines": [1, "b"], "rate": 0.5}, ""),
        ({"name": "a", "lines": [1.0], "rate": None}, ""),
        ([], "it: it is no object"),
        ({"lines": [1]}, "it: 'name' is missing"),
        ({"name": "", "lines": [1]}, "/name: it has 0 characters, at least 1"),
        ({"name": "abcdef", "lines": [1]}, "/name: it has 6 characters, at most 5"),
        ({"name": "a", "lines": []}, "/lines: it has 0 items, at least 1"),
        ({"name": "a", "lines": [1, 1]}, "/lines: it holds one item twice"),
        ({"name": "a", "lines": [1, True]}, "/lines/1: it is no integer or string"),
        ({"name": "a", "lines": [1, 13]}, "/lines/1: it is what it must not be"),
        ({"name": "a", "lines": [1], "rate": 1}, "/rate: it fits none of what it may be"),
        ({"name": "a", "lines": [1], "more": 1}, "it: 'more' is not one of its properties"),
    ],
)
def test_a_value_fits_a_json_schema_or_is_told_where_it_does_not(value: Any, said: str) -> None:
    assert verdict(schema("note/it", FORM), value) == (not said, said or "fits")


@pytest.mark.parametrize(
    ("form", "good", "bad"),
    [
        (True, 1, None),
        ({"enum": [1, "a", None]}, None, True),
        ({"const": {"a": [1]}}, {"a": [1.0]}, {"a": [2]}),
        ({"multipleOf": 0.1}, 0.3, 0.35),
        ({"maximum": 3, "exclusiveMinimum": 1}, 3, 1),
        ({"prefixItems": [{"type": "integer"}], "items": {"type": "string"}}, [1, "a"], [1, 2]),
        ({"contains": {"type": "null"}, "maxContains": 1}, [1, None], [None, None]),
        ({"minProperties": 1, "maxProperties": 1}, {"a": 1}, {}),
        ({"propertyNames": {"maxLength": 2}}, {"ab": 1}, {"abc": 1}),
        ({"additionalProperties": {"type": "integer"}}, {"a": 1}, {"a": "1"}),
        ({"allOf": [{"minimum": 1}, {"maximum": 3}]}, 2, 4),
        ({"oneOf": [{"minimum": 2}, {"maximum": 3}]}, 1, 2.5),
        ({"if": {"type": "integer"}, "then": {"minimum": 5}, "else": {"type": "string"}}, "a", 4),
        ({"items": {"$ref": "#"}, "type": "array"}, [[], [[]]], [[1]]),
        ({"minLength": 2}, 7, "a"),
    ],
)
def test_each_keyword_holds_and_is_broken(form: Any, good: Any, bad: Any) -> None:
    check_schema(form)
    assert complaint(good, form) == ""
    assert bad is None or complaint(bad, form)


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"type": "string", "pattern": "a+"}, "'pattern'"),
        ({"properties": {"a": {"format": "date"}}}, "'format'"),
        ({"type": "text"}, "a type 'text'"),
        ({"$ref": "https://example.org/x"}, "does not stand in it"),
        ({"$ref": "#/$defs/none"}, "does not stand in it"),
        ({"items": 3}, "is no JSON schema"),
    ],
)
def test_what_is_not_checked_is_refused_and_never_passed_over(form: Any, says: str) -> None:
    with pytest.raises(GraphError, match=re.escape(says)):
        schema("note", form)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_any_value_is_fitting_or_told_of(value: Any) -> None:
    assert isinstance(complaint(value, FORM), str)
    assert complaint(value, {}) == complaint(value, schema=True) == ""
    assert complaint(value, schema=False)


def test_a_text_matches_or_does_not() -> None:
    check = matches("note/it", r"CVE-\d{4}-\d+")
    assert verdict(check, "CVE-2024-3094") == (True, r"matches CVE-\d{4}-\d+")
    assert verdict(check, "see CVE-2024-3094") == (False, r"does not match CVE-\d{4}-\d+: see CVE-2024-3094")
    assert verdict(matches("note/it", r"CVE-\d+", whole=False), "see CVE-2024-3094")[0]
    assert verdict(matches("note/it", re.compile("cve", re.IGNORECASE)), "CVE")[0]
    assert verdict(check, 7) == (False, "it is no text")
    assert run_verifiers([check], {"/other": 1}, {}) == ()
    with pytest.raises(GraphError, match="is no regular expression"):
        matches("note", "(")


def test_a_pattern_that_goes_on_for_ever_is_ended_and_what_came_before_is_kept() -> None:
    begun = time.monotonic()
    check = matches("notes", r"(a+)+b")
    one, other = run_verifiers([check], {"/notes/0": "aab", "/notes/1": "a" * 60}, {})
    assert (one.passed, one.broke) == (True, False)
    assert (other.passed, other.broke) == (False, True)
    assert other.detail == "the pattern was not done with it in 1 seconds: (a+)+b"
    assert time.monotonic() - begun < 15


def test_more_than_can_be_looked_at_is_unknown() -> None:
    (found,) = run_verifiers([matches("note", ".*")], {"/note": "a" * (MAX_MATCHED + 1)}, {})
    assert (found.passed, found.broke) == (False, True)
