"""Verifiers: the user's own checks, and what becomes of those that break."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from dissensus_agents.errors import GraphError
from dissensus_agents.judgement.verifiers import (
    MAX_CHECKS,
    Evidence,
    Values,
    Verifier,
    arithmetic,
    quotes_stand_in_sources,
    run_verifiers,
    verifier,
)
from dissensus_agents.judgement.witnessing import witnessed
from dissensus_state.errors import BudgetExceeded
from dissensus_state.values import store


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
    given: Any = answer
    check: Verifier = verifier(lambda _proposed, _state: given, name="mine")
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
    assert second.detail.startswith("the verifier broke: ValueError: lost \ufffd x")
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


def test_an_asynchronous_function_is_a_verifier_as_well() -> None:
    @verifier
    async def later(proposed: Values, _state: Values) -> bool:
        await asyncio.sleep(0)
        return bool(proposed["/cause"])

    found = run_verifiers([later, verifier(_known)], {"/cause": "pool"}, {"causes": ["pool"]})
    assert [(one.verifier, one.passed) for one in found] == [("later", True), ("_known", True)]


async def test_one_that_waits_is_not_run_without_waiting_inside_of_an_event_loop() -> None:
    @verifier
    async def later(_proposed: Values, _state: Values) -> bool:
        return True

    with pytest.raises(GraphError, match="cannot be run inside of an event loop"):
        run_verifiers([later], {}, {})
    assert [one.passed for one in await witnessed([later], {}, {})] == [True]


def test_a_function_that_takes_too_long_has_found_nothing() -> None:
    @verifier(seconds=0.01)
    async def slow(_proposed: Values, _state: Values) -> bool:
        await asyncio.sleep(10)
        return True

    (found,) = run_verifiers([slow], {}, {})
    assert (found.passed, found.broke, found.refutes) == (False, True, False)
    assert found.detail == "the verifier gave no answer in 0.01 seconds"


def test_one_check_on_another_makes_no_difference() -> None:
    checks: list[Verifier] = [quotes_stand_in_sources(), arithmetic()]
    proposed = {"/verdict": {"evidence": [{"quote": "full", "source": "log"}], "why": "3 + 4 = 8"}}
    state = {"documents": {"log": "The pool is full."}}
    together = run_verifiers(checks, proposed, state)
    apart = [one for check in checks for one in run_verifiers([check], proposed, state)]
    assert list(together) == apart
    assert [one.passed for one in together] == [True, False]
