"""What an answer says and what it is worth: by rules that can be looked up, for whatever a model writes."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dissensus.bench.graders import Grader, grader_of
from dissensus.bench.reading import decimal_of, f1, letter_of, number_of, option_of, text_of


def grader(said: Any, expected: Any, *options: str, load: Any = None) -> Grader:
    return grader_of(said, expected, options, load or (lambda name: None))


def worth(made: Grader, answer: str) -> float:
    read = made.read(answer)
    assert made.score is not None
    return 0.0 if read is None else made.score(read)


def published(text: str) -> str | None:
    """MMLU-Pro's own three rules, as they are written there (`extract_answer`, compute_accuracy.py)."""
    found = re.search(r"answer is \(?([A-J])\)?", text) or re.search(r".*[aA]nswer:\s*([A-J])", text)
    last = re.search(r"\b[A-J]\b(?!.*\b[A-J]\b)", text, re.DOTALL)
    return found[1] if found else last[0] if last else None


_words = st.sampled_from(["answer is", "Answer:", "(B)", "C", "J", "K", "I", " ", "\n", "a", "the", "(", "."])


@given(st.lists(_words, max_size=12).map(" ".join))
@example("Answer: \n C")
def test_a_letter_is_read_by_the_published_rule(text: str) -> None:
    assert letter_of(text) == published(text)


def test_a_short_answer_may_name_its_option_with_or_without_its_letter() -> None:
    options = ("a red thing", "Iron", "both A and B", "none")
    assert [option_of(said, options) for said in ("B", "(B)", "b) iron", "B) Iron", "iron.", "Iron")] == [
        "B", "B", "B", "B", "B", "B"]  # fmt: skip
    assert option_of("both A and B", options) == "C"
    assert option_of("E", options) == "E", "a letter that is none of the options is wrong, and not nothing"
    assert option_of("I cannot say", ("x", "y")) == "I", "MMLU-Pro's rule looks no further than A to J"
    assert option_of("who knows", options) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("so it is 1,234.50.", "1234.5"),
        ("#### 42", "42"),
        ("x = -3", "-3"),
        ("3-1", "1"),
        ("10,20", "20"),
        ("-.5", "-0.5"),
        ("1e5", "100000"),
        ("7.00", "7"),
        ("0.0", "0"),
        ("1e999999", None),
        ("none", None),
    ],
)
def test_the_last_number_is_read(text: str, number: str | None) -> None:
    assert number_of(text) == number


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30))
def test_a_number_keeps_its_value(value: Any) -> None:
    assert decimal_of(text_of(value)) == value


def test_a_number_is_right_within_its_tolerance() -> None:
    assert worth(grader(None, 42), "it is 42.0") == 1
    assert worth(grader("number:0.5", 42), "42.5") == 1
    assert worth(grader("number:0.5", 42), "42.51") == 0
    assert worth(grader({"kind": "number", "relative": 0.01}, "1,000"), "991") == 1
    for wrong in ({"kind": "number", "tolerance": -1}, {"kind": "number", "tolerance": "much"}):
        with pytest.raises(ValueError, match="a tolerance is a number"):
            grader(wrong, 1)


def test_texts_are_compared_as_people_would() -> None:
    assert worth(grader(None, "The  Hague"), " the hague. ") == 1
    assert worth(grader(None, ["yes", "true"]), "True") == 1
    assert worth(grader("contains", ["iron", "salt"]), "Salt and IRON") == 1
    assert worth(grader("contains", ["iron", "salt"]), "iron") == 0
    assert worth(grader("regex", r"^\d{3}$"), "123") == 1


def test_f1_is_squads() -> None:
    assert f1("the cat sat", "A cat sat!") == 1
    assert f1("cat", "cat sat") == pytest.approx(2 / 3)
    assert f1("", "cat") == 0
    assert worth(grader("f1", ["dog", "cat sat"]), "cat") == pytest.approx(2 / 3)


@given(st.text(max_size=30), st.text(max_size=30))
def test_f1_is_a_share_and_the_same_both_ways(one: str, other: str) -> None:
    assert 0 <= f1(one, other) <= 1
    assert f1(one, other) == f1(other, one)


def test_json_is_equal_as_a_value() -> None:
    right = grader(None, {"a": [1, 2.0], "b": None})
    assert worth(right, '```json\n{"b": null, "a": [1.0, 2]}\n```') == 1
    assert worth(right, '{"a": [2, 1], "b": null}') == 0
    assert right.read("no value here") is None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_json_of_any_shape_is_right_as_it_stands(value: Any) -> None:
    assert worth(grader("json", [value]), json.dumps([value])) == 1


def test_a_program_is_run_behind_walls() -> None:
    tests = grader("code", ["assert add(2, 3) == 5", "assert add(-1, 1) == 0"])
    assert worth(tests, "It is simple.\n```python\ndef add(a, b):\n    return a + b\n```\nDone.") == 1
    assert worth(tests, "def add(a, b):\n    return a * b") == 0
    assert worth(grader("code", {"add(2, 3)": 5}), "def add(a, b): return a + b") == 1
    with pytest.raises(ValueError, match="tests, or calls"):
        grader("code", {})


def test_a_function_of_ones_own_scores() -> None:
    def half(answer: str, expected: Any) -> float:
        return 0.5 if answer == expected else 0

    assert worth(grader("function:mine:half", "x", load=lambda name: half), "x") == 0.5
    made = grader("function:mine:odd", "x", load=lambda name: lambda answer, expected: "much")
    with pytest.raises(ValueError, match="a score is True, False, or a number from 0 to 1"):
        worth(made, "x")


def test_a_model_that_grades_is_no_evidence_from_outside() -> None:
    made = grader("model:chair", "x")
    assert (made.score, made.outside, made.by) == (None, False, "chair")


@pytest.mark.parametrize(
    ("said", "expected", "why"),
    [
        ("nonesuch", "x", "there is no grader 'nonesuch'"),
        ({"kind": "exact", "tolerance": 1}, "x", "the grader exact has no setting 'tolerance'"),
        (None, None, "`expected` is missing"),
        ("number", "many", "`expected` is no number"),
        ("regex", "(", "no regular expression"),
        ("choice", "A", "needs 2 to 26 options"),
        ("exact", {"a": 1}, "has to be a text"),
        ("function:", "x", "is written"),
        ("model", "x", "is written"),
    ],
)
def test_a_grader_that_does_not_fit_is_refused(said: Any, expected: Any, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        grader(said, expected)


def test_another_right_answer_is_another_seal() -> None:
    seals = {grader("exact", one).seal for one in ("x", "y")} | {grader("contains", "x").seal}
    assert len(seals) == 3
