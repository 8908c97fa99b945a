"""A corpus of answers as models give them, by family, and mutations of good ones."""

from __future__ import annotations

import json
import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from dissensus_agents.errors import MalformedAnswer, WrongType
from dissensus_agents.models.repairs import Broken, mend, mend_whole
from dissensus_agents.models.replies import read_answer
from malformations import CASES, Verdict
from malformed_more import FAMILIES, Outcome

VERDICT = TypeAdapter(Verdict)
ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)
MORE = [
    pytest.param(text, outcome, value, id=f"{family}: {name}")
    for family, cases in FAMILIES.items()
    for name, text, outcome, value in cases
]

WORDS = st.text(alphabet="ab \"'\\\n,:{}[]éß”", max_size=12)
ANSWERS = st.fixed_dictionaries(
    {"cause": WORDS},
    optional={"confidence": st.floats(0, 1), "quotes": st.lists(WORDS, max_size=3), "certain": st.booleans()},
)
SCRAPS = st.sampled_from(
    [*"{}[](),:;'\"`\\\n#/*.-_=<>0aTeN \u201c\u200b", "```", "//", "null", "</think>", "\\u00"]
)


@st.composite
def mutated(draw: st.DrawFn) -> tuple[dict[str, Any], str]:
    """A good answer, and the same after a few edits."""
    good = draw(ANSWERS)
    text = json.dumps(good, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1])))
    for _ in range(draw(st.integers(1, 4))):
        at, gone = draw(st.integers(0, len(text))), draw(st.integers(0, 3))
        text = text[:at] + draw(SCRAPS | st.just("")) + text[at + gone :]
    return good, text


@pytest.mark.parametrize(("text", "outcome", "value"), MORE)
def test_what_an_answer_plainly_says_is_read_and_nothing_is_guessed(
    text: str, outcome: Outcome, value: dict[str, Any] | None
) -> None:
    if outcome == "read":
        assert read_answer(text, VERDICT)[0].model_dump(exclude_unset=True) == value
        return
    with pytest.raises(MalformedAnswer if outcome == "refused" else WrongType):
        read_answer(text, VERDICT)


def test_of_the_answers_that_plainly_say_something_strict_json_would_lose_most() -> None:
    texts = {case.text for case in CASES} | {text for cases in FAMILIES.values() for _, text, _, _ in cases}
    assert len(texts) >= 220
    plain = [text for text in texts if reads(text)]
    assert len(plain) >= 120
    assert sum(map(strict, plain)) / len(plain) <= 0.2


def strict(text: str) -> bool:
    """Whether a reader of strict JSON would have taken it."""
    try:
        VERDICT.validate_python(json.loads(text))
    except ValueError:
        return False
    return True


def reads(text: str) -> bool:
    try:
        read_answer(text, VERDICT)
    except (MalformedAnswer, WrongType):
        return False
    return True


@given(mutated())
def test_a_mutated_answer_is_a_value_or_one_of_two_errors_in_bounded_work(
    both: tuple[dict[str, Any], str],
) -> None:
    _, text = both
    assert work(text) <= 4_000 + 400 * len(text)


def work(text: str) -> int:
    """How many functions were called to read it."""
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


@given(mutated())
def test_what_is_said_to_be_strict_is_what_a_strict_reader_reads(both: tuple[dict[str, Any], str]) -> None:
    _, text = both
    try:
        value, repairs = read_answer(text, VERDICT)
    except (MalformedAnswer, WrongType):
        return
    if not repairs:
        assert VERDICT.validate_python(json.loads(text.strip().strip("\ufeff"), strict=False)) == value


@given(mutated())
def test_a_mended_answer_reads_again_as_the_same_value_without_repairs(
    both: tuple[dict[str, Any], str],
) -> None:
    _, text = both
    try:
        value, _ = read_answer(text, VERDICT)
    except (MalformedAnswer, WrongType):
        return
    again = value.model_dump_json(exclude_unset=True)
    assert read_answer(again, VERDICT) == (value, ())


@given(mutated())
def test_mending_what_was_mended_changes_nothing(both: tuple[dict[str, Any], str]) -> None:
    _, text = both
    try:
        once = mend(text, text.find("{") if "{" in text else 0)
    except Broken:
        return
    twice = mend_whole(once.text)
    assert (twice.text, twice.repairs) == (once.text, ())
    json.loads(once.text)


AROUND = [
    "{}",
    "```json\n{}\n```",
    "Here it is:\n{}\nThat is all.",
    "<think>It may be {{this}} or [that].</think>\n{}",
    "<answer>{}</answer>",
    '{{"name": "answer", "arguments": {}}}',
    '<tool_call>{{"name": "answer", "arguments": {}}}</tool_call>',
    "[{}]",
    "# verdict\n{}",
    "\ufeff{}",
]


@given(ANSWERS, st.sampled_from(AROUND))
def test_whatever_stands_around_an_answer_the_answer_is_read(good: dict[str, Any], around: str) -> None:
    text = around.format(json.dumps(good))
    assert read_answer(text, VERDICT)[0] == Verdict(**good)


@given(ANSWERS)
def test_an_answer_in_the_arguments_of_a_call_as_a_string_is_read(good: dict[str, Any]) -> None:
    text = json.dumps({"function_call": {"name": "answer", "arguments": json.dumps(good)}})
    assert read_answer(text, VERDICT) == (Verdict(**good), ("tool call",))


@given(st.lists(ANSWERS, min_size=2, max_size=2, unique_by=json.dumps))
def test_of_two_answers_in_a_list_none_is_chosen(good: list[dict[str, Any]]) -> None:
    with pytest.raises(WrongType):
        read_answer(json.dumps(good), VERDICT)


@pytest.mark.parametrize("text", ['{"cause": "a", "cause": "b"}', "{'cause': 'a', 'cause': 'b'}"])
def test_two_values_under_one_key_are_refused_and_the_key_is_named(text: str) -> None:
    with pytest.raises(MalformedAnswer, match="The answer gives 'cause' two different values"):
        read_answer(text, VERDICT)


def test_a_type_that_is_a_list_of_one_is_left_as_it_is() -> None:
    assert read_answer('[{"name": "a", "arguments": {}}]', ANYTHING) == ([{"name": "a", "arguments": {}}], ())
