"""Verifiers: quotations against their sources, sums worked out again, and the user's own checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus_agents.errors import GraphError
from dissensus_agents.judgement.equations import equations
from dissensus_agents.judgement.verifiers import (
    MAX_CHECKS,
    MAX_TEXT,
    Evidence,
    Values,
    Verifier,
    arithmetic,
    quotes_stand_in_sources,
    run_verifiers,
    verifier,
)
from dissensus_state.errors import BudgetExceeded
from dissensus_state.values import JSON, store

LOG = 'ERROR  pool exhausted: 112 ms wait,\n  "checkout" gave up after 3.5 s  (v1.20)'
STATE = {"documents": {"app.log": LOG, "notes": {"text": "Nobody deployed that day."}}}


def _quote(quote: JSON, source: JSON = "app.log") -> dict[str, JSON]:
    return {"quote": quote, "source": source}


def _on(proposed: Mapping[str, JSON], state: Mapping[str, JSON] = STATE) -> tuple[Evidence, ...]:
    return run_verifiers([quotes_stand_in_sources()], proposed, state)


def _one(quote: JSON, source: JSON = "app.log") -> Evidence:
    (found,) = _on({"/verdict": {"cause": "pool", "evidence": [_quote(quote, source)]}})
    return found


@pytest.mark.parametrize(
    ("quote", "source"),
    [
        ("pool exhausted: 112 ms wait", "app.log"),
        ("wait, “checkout” gave\tup", "app.log"),
        ("wait, «checkout» gave", "app.log"),
        ("after 3.5 s", "app.log"),
        ("Nobody deployed", "notes"),
        (LOG, "app.log"),
    ],
)
def test_a_quotation_that_stands_in_its_source_passes(quote: str, source: str) -> None:
    found = _one(quote, source)
    assert found.passed
    assert found.path == "/verdict/evidence/0"
    assert (found.verifier, found.version) == ("quotes_stand_in_sources", "1")
    assert source in found.detail


@pytest.mark.parametrize(
    ("quote", "source", "complaint"),
    [
        ("pool was exhausted", "app.log", "does not stand in 'app.log': “pool was exhausted”"),
        ("POOL EXHAUSTED", "app.log", "does not stand"),
        ("12 ms wait", "app.log", "does not stand"),
        ("gave up after 3", "app.log", "does not stand"),
        ("5 s", "app.log", "does not stand"),
        ("v1.2", "app.log", "does not stand"),
        ("pool", "db.log", "there is no source 'db.log' (known: app.log, notes)"),
        ("pool", None, "names no source"),
        ("pool", "", "names no source"),
        ("", "app.log", "empty"),
        (" \n", "app.log", "empty"),
        ("\u200b", "app.log", "does not stand"),
        (None, "app.log", "empty"),
        (42, "app.log", "empty"),
    ],
)
def test_a_quotation_that_does_not_stand_there_fails_and_says_why(
    quote: JSON, source: JSON, complaint: str
) -> None:
    found = _one(quote, source)
    assert not found.passed
    assert complaint in found.detail


def test_a_quotation_is_the_same_text_however_it_is_encoded() -> None:
    state = {"documents": {"menu": "Das Cafe\u0301 war zu."}}
    (found,) = _on({"/verdict/evidence": [_quote("Caf\u00e9 war", "menu")]}, state)
    assert found.passed


@pytest.mark.parametrize(
    ("proposed", "paths"),
    [
        ({"/verdict": {"evidence": _quote("x")}}, ["/verdict/evidence"]),
        ({"verdict": {"evidence": [_quote("x")]}}, ["/verdict/evidence/0"]),
        (
            {"/verdict/evidence": [_quote("x"), _quote("y")]},
            ["/verdict/evidence/0", "/verdict/evidence/1"],
        ),
        ({"/verdict/evidence/2": _quote("x")}, ["/verdict/evidence/2"]),
        ({"/verdict": {"evidence": "a bare text"}}, ["/verdict/evidence"]),
        ({"/verdict": [{"evidence": [_quote("x")]}]}, ["/verdict/0/evidence/0"]),
        ({"/verdict/evidence": [{"for": [_quote("x")]}]}, ["/verdict/evidence/0/for/0"]),
        ({"/verdict/evidence": ["a bare text"]}, ["/verdict/evidence/0"]),
        ({"/verdict/evidence": [{"source": "app.log"}]}, ["/verdict/evidence/0"]),
        ({"": {"verdict": {"evidence": [_quote("x")]}}}, ["/verdict/evidence/0"]),
        ({"/verdict": None}, []),
        ({"/verdict": {"cause": "pool"}}, []),
        ({"/other": {"evidence": [_quote("x")]}}, []),
        ({"/verdict/evidence": [{"note": "not a quotation"}]}, []),
    ],
)
def test_every_quotation_below_the_path_is_found_and_nothing_else(
    proposed: dict[str, JSON], paths: list[str]
) -> None:
    assert [found.path for found in _on(proposed)] == paths


def test_the_quotations_of_every_item_of_a_list_are_found() -> None:
    check = quotes_stand_in_sources("findings/quotes", "library", "words", "from", name_key="id")
    state = {"library": [{"id": "a", "text": "It rained."}, {"id": "b"}, "stray"]}
    item = {"quotes": [{"words": "rained", "from": "a"}, {"words": "rained", "from": "b"}]}
    for proposed in ({"/findings": [item]}, {"/findings/-": item}, {"/findings/7": item}):
        assert [found.passed for found in run_verifiers([check], proposed, state)] == [True, False]


def test_one_item_of_a_list_can_be_named() -> None:
    check = quotes_stand_in_sources("findings/1", "documents")
    proposed = {"/findings": [_quote("x"), _quote("pool exhausted"), _quote("y")]}
    (found,) = run_verifiers([check], proposed, STATE)
    assert found.passed
    assert found.path == "/findings/1"


def test_sources_are_found_by_the_paths_they_were_read_at() -> None:
    quotes = {"/verdict/evidence": [_quote("pool exhausted")]}
    assert all(found.passed for found in _on(quotes, {"/documents/app.log": LOG}))
    assert not any(found.passed for found in _on(quotes, {}))


def test_a_source_of_a_megabyte_is_searched_however_it_was_written() -> None:
    state = {"documents": {"marks": "a" + "\u0315\u0300" * 500_000 + " the end"}}
    (found,) = _on({"/verdict/evidence": [_quote("the end", "marks")]}, state)
    assert found.passed


@given(proposed=st.text(), source=st.text())
def test_any_part_between_two_spaces_of_a_source_can_be_quoted(proposed: str, source: str) -> None:
    words = source.split()
    part = " ".join(words[len(words) // 3 :][:4])
    if part.strip("\u200b\u2060\ufeff\u00ad"):
        (found,) = _on({"/verdict/evidence": [_quote(part, "s")]}, {"documents": {"s": source}})
        assert found.passed
    (found,) = _on({"/verdict/evidence": [_quote(proposed, "s")]}, {"documents": {"s": source}})
    assert store(found.as_dict())


def _sums(text: str, tolerance: float = 0.0) -> list[bool]:
    found = run_verifiers([arithmetic(tolerance=tolerance)], {"/why": text}, {})
    return [one.passed for one in found]


@pytest.mark.parametrize(
    "text",
    [
        "3 + 4 = 7",
        "So 2 * (3 + 4) = 14, as asked.",
        "(2 + 3) * 4 = 20",
        "(so 2 + 3 = 5)",
        "(2 + 3 = 5)",
        "2 ^ 3 ^ 2 = 512",
        "-2^2 + 4 = 0",
        "8 / 4 / 2 = 1",
        "10 - 3 - 2 = 5",
        "2 ^ -1 = 0.5",
        "4 × 5 = 20 and 9 ÷ 3 = 3 and 9 \u2212 10 = \u22121",
        "6 x 7 = 42",
        r"\( 6 \times 7 = 42 \)",
        "$1,200 + $300 = $1,500",
        "**6 * 7 = 42**",
        "2**5 = 32",
        "1. 6 * 7 = 42\n2) 6 * 8 = 48\n- 6 * 9 = 54",
        "10 / 3 = 3.33, and 2 / 3 = 0.66 or 2 / 3 = 0.67",
        "100 / 7 = 14",
        "20 / 50 = 40%",
        "(11 - 9) / 11 * 100 = 18.18%",
        "x = 2 + 3 = 5",
        "7 * 6 = 42.",
        "7 * 6 = 42 (per box)",
        "123456789 * 987654321 = 121932631112635269",
        "0.1 + 0.2 = 0.3",
    ],
)
def test_a_sum_that_comes_out_passes(text: str) -> None:
    found = _sums(text)
    assert found
    assert all(found)


@pytest.mark.parametrize(
    "text",
    [
        "3 + 4 = 8",
        "1234 * 5678 = 7006642",
        "365 - 59 = 206",
        "7 / 2 = 3",
        "2 / 3 = 0.68",
        "2 * 3 = 6.01",
        "20 / 50 = 50%",
        "14.4 - 72 = 57.6",
        "2 * 34.97 = 69.95",
        "- 6 * 9 = 55",
        "It is 5. 3 + 4 = 8",
        "sum: -3 + 4 = 2",
    ],
)
def test_a_sum_that_does_not_come_out_fails(text: str) -> None:
    assert _sums(text) == [False]


@pytest.mark.parametrize(
    "text",
    [
        "x - 3 + 5 = 8",
        "2x + 3 = 7",
        "f(2) + 3 = 7",
        "log 10 + 2 = 9",
        "5 km * 2 = 3",
        "13.6 eV (1 - 1/4) = 3",
        r"\frac{1}{2} + 3 = 4",
        "3 + 4 = y",
        "7 = 3 + 5",
        "3 + 4 = 5 + 2",
        "2 * 3 = 6k",
        "2 * 3,000,000 = 6 million",
        "17 / 5 = 3 remainder 2",
        "4 + 4 = 1 (mod 7)",
        "7 / 2 = 3 1/2",
        "5 + 5 = 10:30",
        "1,5 + 2 = 3,5",
        "2024-01-15 = 9",
        "= $1, 419 and 130 * 2 = $1, 260",
        "3 + 4 == 8",
        "3 + 4 <= 8",
        "3 + 4 != 8",
        "5! / 3 = 9",
        "50% + 1 = 2",
        "10 ± 3 + 2 = 1",
        "(1 + 2 = 4 * ",
        "1 + = 3",
        "5 = 6",
        "-5 = 6",
        "1 / 0 = 1",
        "0 ^ -1 = 0",
        "2 ^ 0.5 = 1",
        "9^9^9^9 = 1",
        "9^200 * 9^200 = 1",
        "2 3 + 1 = 4",
        "4 * (1 + 2 = 3",
        "(" * 70 + "1 + 1" + ")" * 70 + " = 3",
        "1 + " * 200 + "1 = 3",
        "=" * 1000,
    ],
)
def test_what_is_no_plain_equation_is_left_alone(text: str) -> None:
    assert _sums(text) == []


def test_a_tolerance_is_a_share_of_the_result() -> None:
    assert _sums("1000 * 2 = 2010") == [False]
    assert _sums("1000 * 2 = 2010", tolerance=0.005) == [True]


def test_a_wrong_sum_is_shown_with_what_it_comes_to() -> None:
    proposed = {"/verdict": {"why": ["Fine.", "So 365  - 59 = 206 days and 1/3 + 1 = 2.33."]}}
    one, other = run_verifiers([arithmetic("verdict/why")], proposed, {})
    assert (one.path, one.detail) == ("/verdict/why/1", "365 - 59 = 206: it comes to 306")
    assert other.detail == "1/3 + 1 = 2.33: it comes to 1.33333"
    assert not run_verifiers([arithmetic("verdict/cause")], proposed, {})


def test_a_text_too_long_to_read_to_its_end_is_not_passed_in_silence() -> None:
    assert _sums("1 + 1 = 2 " + "x" * MAX_TEXT) == [True, False]
    assert _sums("1 + 1 = 2; " * (MAX_CHECKS + 5))[-1] is False


class _Node:
    """An expression with its value, grown at random."""

    def __init__(self, text: str, value: Fraction) -> None:
        self.text, self.value = text, value


def _join(left: _Node, sign: str, right: _Node) -> _Node:
    if sign == "/" and not right.value:
        sign = "+"
    worked = {
        "+": lambda: left.value + right.value,
        "-": lambda: left.value - right.value,
        "*": lambda: left.value * right.value,
        "/": lambda: left.value / right.value,
    }
    return _Node(f"({left.text} {sign} {right.text})", worked[sign]())


nodes = st.recursive(
    st.integers(0, 99).map(lambda n: _Node(str(n), Fraction(n))),
    lambda inner: st.builds(_join, inner, st.sampled_from("+-*/"), inner),
    max_leaves=10,
)


@given(node=nodes, claimed=st.integers(-99, 99))
def test_every_expression_is_worked_out_exactly(node: _Node, claimed: int) -> None:
    found = list(equations(f"{node.text} = {claimed}", 9))
    if " " in node.text:
        assert [one.computed for one in found] == [node.value]
        assert found[0].claimed == claimed
    else:
        assert found == []


@given(text=st.text("0123456789.,+-*/^()=x% \n$e", max_size=300) | st.text())
def test_no_text_breaks_the_arithmetic(text: str) -> None:
    for one in run_verifiers([arithmetic()], {"/why": text}, {}):
        assert "broke" not in one.detail
        assert store(one.as_dict())


def _known(proposed: Values, state: Values) -> bool:
    return proposed["/cause"] in state["causes"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (True, [(True, "holds")]),
        (False, [(False, "does not hold")]),
        ("", [(True, "nothing to complain of")]),
        ("no such cause", [(False, "no such cause")]),
        ([], []),
        (Evidence("mine", "7", passed=True, detail="ok"), [(True, "ok")]),
        ([Evidence("mine", "7", passed=False, detail="no")], [(False, "no")]),
        (None, [(False, "the verifier gave NoneType, and not a bool, a str or Evidence")]),
        ([True], [(False, "the verifier gave bool, and not a bool, a str or Evidence")]),
        (1.5, [(False, "the verifier gave float, and not a bool, a str or Evidence")]),
    ],
)
def test_a_function_of_yours_is_a_verifier(answer: object, expected: list[tuple[bool, str]]) -> None:
    check = verifier(lambda _proposed, _state: answer, name="mine")  # type: ignore[arg-type, return-value]
    found = list(check.verify({}, {}))
    assert [(one.passed, one.detail) for one in found] == expected


def test_a_verifier_bears_the_name_and_version_you_give_it() -> None:
    @verifier
    def one(_proposed: Values, _state: Values) -> bool:
        return True

    @verifier(name="other", version="3")
    def two(_proposed: Values, _state: Values) -> str:
        return "no"

    assert [check.name for check in (one, two, verifier(_known))] == ["one", "other", "_known"]
    assert [check.version for check in (one, two)] == ["1", "3"]
    found = run_verifiers([one, two], {}, {})
    assert [(item.verifier, item.version, item.passed) for item in found] == [
        ("one", "1", True),
        ("other", "3", False),
    ]
    assert found[1].as_dict() == {
        "verifier": "other",
        "version": "3",
        "passed": False,
        "path": "",
        "detail": "no",
    }


def test_a_verifier_that_breaks_is_a_failed_check_that_says_so() -> None:
    (found,) = verifier(_known).verify({"/cause": "pool"}, {})
    assert not found.passed
    assert found.detail == "the verifier broke: KeyError: 'causes'"


class _Halfway:
    """A user's own class that breaks after its first piece of evidence."""

    name, version = "halfway", "1"

    def verify(self, _proposed: Values, _state: Values) -> Iterator[Evidence]:
        yield Evidence(self.name, self.version, passed=True)
        raise ValueError("lost \udc80 " + "x" * 9999)


class _Endless:
    """A user's own class that never ends."""

    name, version = "endless", "1"

    def verify(self, _proposed: Values, _state: Values) -> Iterator[Evidence]:
        while True:
            yield Evidence(self.name, self.version, passed=True)


def test_what_was_found_before_a_verifier_broke_is_kept() -> None:
    first, second = run_verifiers([_Halfway()], {}, {})
    assert first.passed
    assert not second.passed
    assert second.detail.startswith("the verifier broke: ValueError: lost ? x")
    assert len(second.detail) < 1000
    assert store(second.as_dict())


def test_a_verifier_without_end_is_stopped_and_has_failed() -> None:
    found = run_verifiers([_Endless(), verifier(_known)], {"/cause": 1}, {"causes": [1]})
    assert len(found) == MAX_CHECKS + 2
    assert [one.passed for one in found[-3:]] == [True, False, True]


def test_an_error_of_dissensus_itself_is_no_finding_about_the_proposal() -> None:
    @verifier
    def costly(_proposed: Values, _state: Values) -> bool:
        raise BudgetExceeded

    with pytest.raises(BudgetExceeded):
        run_verifiers([costly], {}, {})


def test_an_asynchronous_function_is_refused_when_it_is_named_a_verifier() -> None:
    async def later(_proposed: Values, _state: Values) -> bool:
        return True

    with pytest.raises(GraphError, match="'later' is asynchronous"):
        verifier(later)  # type: ignore[call-overload]


def test_one_check_on_another_makes_no_difference() -> None:
    checks: list[Verifier] = [quotes_stand_in_sources(), arithmetic()]
    proposed = {"/verdict": {"evidence": [_quote("pool exhausted")], "why": "3 + 4 = 8"}}
    together = run_verifiers(checks, proposed, STATE)
    apart = [one for check in checks for one in run_verifiers([check], proposed, STATE)]
    assert list(together) == apart
    assert [one.passed for one in together] == [True, False]
