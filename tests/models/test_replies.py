from __future__ import annotations

import json
import sys
from types import FrameType
from typing import Annotated, Any, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, BeforeValidator, TypeAdapter

from dissensus_agents.errors import MalformedAnswer, WrongType
from dissensus_agents.models.repairs import MAX_DEPTH, Broken, mend_whole
from dissensus_agents.models.replies import (
    MAX_BRACKETS,
    MAX_CHARACTERS,
    MAX_REPAIRED,
    MAX_TRIED,
    objection,
    read_answer,
)
from malformations import CASES, Case, Verdict

VERDICT = TypeAdapter(Verdict)
ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)
PIECES = st.sampled_from(
    [
        *"{}[](),:;'\"`“”‘’\\/*\n\t .+-019eE…é\x00\u200b\ud800",
        *("```", "json", "None", "true", "NaN", "cause", "//", '"""'),
        *("\\u", "\\ud83d", "\\x4", '"cause": "a"'),
    ]
)
SCRAPS = st.lists(PIECES, max_size=60).map("".join)
BRUISED = st.tuples(
    st.sampled_from([case.text for case in CASES]), st.integers(0, 99), st.integers(0, 9), SCRAPS
).map(lambda cut: cut[0][: cut[1]] + cut[3][: cut[2]] + cut[0][cut[1] + cut[2] :])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_malformed_answer_is_read_where_it_plainly_says_something_and_refused_where_not(
    case: Case,
) -> None:
    if case.value is None:
        with pytest.raises(MalformedAnswer):
            read_answer(case.text, VERDICT)
        return
    verdict, repairs = read_answer(case.text, VERDICT)
    assert verdict.model_dump(exclude_unset=True) == case.value
    assert not case.repair or case.repair in repairs


def test_the_corpus_is_large_and_most_of_it_is_not_json() -> None:
    broken = [case for case in CASES if case.value is None or read_answer(case.text, VERDICT)[1]]
    assert len(broken) >= 60


def test_what_is_strict_json_is_read_without_repairs() -> None:
    assert read_answer(' {"cause": "a"}\n', VERDICT) == (Verdict(cause="a"), ())


@given(JSON)
def test_any_json_value_is_read_as_it_is(value: Any) -> None:
    assert read_answer(json.dumps(value), ANYTHING) == (value, ())


@given(JSON, st.booleans(), st.sampled_from([None, 1]))
def test_mending_what_is_not_broken_changes_nothing(
    value: Any,
    ascii_only: bool,  # noqa: FBT001
    indent: int | None,
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert json.loads(mend_whole(text).text) == value


@given(st.recursive(st.none() | st.booleans() | st.integers(), st.lists, max_leaves=5))
def test_a_python_value_is_read_as_it_was_printed(value: Any) -> None:
    assert read_answer(f"Answer: {[value]!r}", ANYTHING)[0] == [value]


@given(st.text(alphabet=st.characters(codec="utf-8")))
@example("'\"")
@example("\\'\U000e0001\x85")
def test_text_is_read_as_it_was_printed_by_python(text: str) -> None:
    assert read_answer(repr({"cause": text}), VERDICT)[0].cause == text


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\"'\\")))
def test_a_string_is_read_in_any_quotation_marks(text: str) -> None:
    for quoted in (f"{{'cause': '{text}'}}", f'{{"cause": """{text}"""}}'):
        assert read_answer(quoted, VERDICT)[0].cause == text


@given(st.text() | SCRAPS | BRUISED)
@example("[" * 100_000)
@example('{"a":' * 1_000)
@example("9" * 5_000)
@example('{"cause": ' + "9" * 5_000 + "}")
@example("[1e999999]")
@example('{"cause":"a","cause":"b"}')
@example("\ud800")
@example('"\\ud800"')
@example('"\\"')
def test_whatever_a_model_says_is_a_value_or_one_of_two_errors(text: str) -> None:
    for adapter in (VERDICT, ANYTHING):
        try:
            _, repairs = read_answer(text, adapter)
        except (MalformedAnswer, WrongType) as error:
            said = objection(error)
        else:
            said = " ".join(repairs)
        assert said.isprintable()
        assert len(said) < 2_000


@pytest.mark.parametrize(
    "unit",
    [
        *('"', "'", '"a" ', "{", "[", "[1 ", "[x ", "{x ", "\\", '\\"', '{"a": ', "[1,", "[/*"),
        *("[//", '"a", ', '[" ', '{"a" ', "```", "```json\n", "{'a': '", "(", "[] ", "[1] "),
        *(", ", '""" ', "' '"),
    ],
)
def test_the_work_grows_with_the_text_and_not_faster(unit: str) -> None:
    """Counted in calls, not in seconds."""
    short, long = (work(unit * (characters // len(unit))) for characters in (20_000, 40_000))
    assert long <= 2.5 * short + 1_000


def work(text: str) -> int:
    calls = 0

    def count(_frame: FrameType, _event: str, _argument: object) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(count)
    try:
        read_answer(text, VERDICT)
    except (MalformedAnswer, WrongType):
        pass
    finally:
        sys.setprofile(None)
    return calls


def test_an_answer_over_the_bound_is_refused() -> None:
    with pytest.raises(MalformedAnswer, match="longer than 1,048,576 characters"):
        read_answer(" " * (MAX_CHARACTERS + 1), VERDICT)


def test_a_long_answer_is_read_if_it_is_strict_json_and_not_mended_otherwise() -> None:
    long = json.dumps({"cause": "x" * MAX_REPAIRED})
    assert len(read_answer(long, VERDICT)[0].cause) == MAX_REPAIRED
    with pytest.raises(MalformedAnswer, match="too long"):
        read_answer(long[:-1] + ",}", VERDICT)


def test_an_answer_among_more_brackets_than_anybody_writes_is_refused() -> None:
    with pytest.raises(MalformedAnswer, match="brackets"):
        read_answer("[1] " * (MAX_BRACKETS + 1) + '{"cause": "a"}', VERDICT)


def test_an_answer_is_found_among_many_short_values_without_trying_them_all() -> None:
    tried: list[Any] = []
    adapter = TypeAdapter(Annotated[Verdict, BeforeValidator(lambda value: tried.append(value) or value)])
    citations = " ".join(f"[{number}]" for number in range(500))
    assert read_answer(f"{citations} {{'cause': 'a'}}", adapter)[0].cause == "a"
    assert len(tried) <= MAX_TRIED


def test_an_answer_is_nested_as_deep_as_the_state_can_hold_and_no_deeper() -> None:
    deep = "[" * MAX_DEPTH + "1,]" + "]" * (MAX_DEPTH - 1)
    assert "trailing comma" in read_answer(deep, ANYTHING)[1]
    with pytest.raises(MalformedAnswer, match="nested deeper than 64 levels"):
        read_answer(f"[{deep}]", ANYTHING)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_what_no_state_can_hold_is_refused(constant: str) -> None:
    with pytest.raises(MalformedAnswer, match="finite number or null"):
        read_answer(f'{{"a": {constant}}}', ANYTHING)
    assert read_answer(f'"{constant}"', ANYTHING) == (constant, ())


class Finding(BaseModel):
    place: str
    weight: int


class Report(BaseModel):
    phase: Literal["open", "closed"]
    findings: list[Finding]


def test_a_wrong_type_names_each_path_and_what_must_stand_there() -> None:
    text = '{"phase": "shut", "findings": [{"place": "a"}, {"place": 7, "weight": "heavy"}]}'
    with pytest.raises(WrongType) as caught:
        read_answer(text, TypeAdapter(Report))
    assert caught.value.message == (
        "The answer does not fit the output type: /phase: Input should be 'open' or 'closed'; "
        "/findings/0/weight: Field required; /findings/1/place: Input should be a valid string; "
        "/findings/1/weight: Input should be a valid integer, unable to parse string as an integer"
    )
    assert caught.value.exit_code == 15


def test_a_wrong_type_that_had_to_be_mended_first_is_one_all_the_same() -> None:
    with pytest.raises(WrongType, match="/cause: Field required"):
        read_answer("Sure: {'certain': True,}", VERDICT)


def test_a_wrong_type_inside_of_a_string_is_one_all_the_same() -> None:
    with pytest.raises(WrongType, match="/cause: Field required"):
        read_answer(json.dumps("{}"), VERDICT)


def test_many_complaints_are_cut_short_and_counted() -> None:
    with pytest.raises(WrongType) as caught:
        read_answer(json.dumps(["x"] * 100), TypeAdapter(list[int]))
    assert caught.value.message.count("valid integer") == 5
    assert caught.value.message.endswith("; and 95 more")


def test_the_objection_tells_the_model_what_to_mend_and_what_to_send() -> None:
    with pytest.raises(WrongType) as caught:
        read_answer("{}", VERDICT)
    assert objection(caught.value) == (
        "Your answer could not be used. The answer does not fit the output type: "
        "/cause: Field required. Answer again with exactly one JSON value that fits the schema, "
        "and nothing around it."
    )


def test_an_answer_that_breaks_off_is_asked_to_be_briefer() -> None:
    with pytest.raises(MalformedAnswer, match="breaks off before it is complete: be briefer"):
        read_answer('{"cause": "disk fu', VERDICT)


def test_an_answer_that_cannot_be_read_is_shown_where() -> None:
    with pytest.raises(MalformedAnswer, match="disk_full is no JSON value, at character 10, near"):
        read_answer('{"cause": disk_full}', VERDICT)


def test_a_value_with_something_after_it_is_not_the_whole_text() -> None:
    with pytest.raises(Broken, match="something follows"):
        mend_whole("1 2")
