"""Code that is run: tests, calls, and what the evidence says of them."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from dissensus_agents.errors import GraphError
from dissensus_agents.judgement.evidence import Evidence
from dissensus_agents.judgement.programs import MAX_CODE, runs
from dissensus_agents.judgement.sandbox.kernel import landlock_abi
from dissensus_agents.judgement.witnessing import run_verifiers
from dissensus_state.values import store

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or landlock_abi() < 1,
    reason="the walls are Linux's: Landlock and seccomp",
)

DIVIDE = "def f():\n    return 1 / 0"
ADD = "def add(a, b):\n    return a + b\n"


def found(code: Any, **settings: Any) -> Evidence:
    """What the verifier finds on this code, in an object."""
    (one,) = run_verifiers([runs("fix/code", **settings)], {"/fix": {"code": code, "why": "so"}}, {})
    store(one.as_dict())  # it can be stored, whatever the code did
    return one


@pytest.mark.parametrize(
    ("code", "settings", "detail"),
    [
        (ADD, {}, "the code runs to its end"),
        (ADD, {"tests": "assert add(2, 3) == 5"}, "1 of 1 tests pass"),
        (ADD, {"tests": ["assert add(2, 3) == 5", "x = add(1, 1)\nassert x == 2"]}, "2 of 2 tests pass"),
        (ADD, {"expects": {"add(2, 3)": 5, "add('a', 'b')": "ab"}}, "2 of 2 calls give what is expected"),
        (ADD, {"expects": {"add(0.1, 0.2)": 0.3}, "tolerance": 1e-9}, "1 of 1 calls give what is expected"),
        (
            ADD,
            {"expects": {"[add(1, 1), {'a': (1, None)}]": [2, {"a": [1, None]}]}},
            "1 of 1 calls give what is expected",
        ),
        (f"```python\n{ADD}```", {"tests": "assert add(2, 3) == 5"}, "1 of 1 tests pass"),
        (f"```\n{ADD}```\n", {"tests": "assert add(2, 3) == 5"}, "1 of 1 tests pass"),
    ],
)
def test_code_that_does_what_it_should_passes(code: str, settings: dict[str, Any], detail: str) -> None:
    one = found(code, **settings)
    assert (one.passed, one.path, one.detail) == (True, "/fix/code", detail)
    assert one.decides is bool(settings)


@pytest.mark.parametrize(
    ("code", "settings", "detail"),
    [
        (ADD, {"tests": ["add(1, 1)", "assert 0"]}, "1 of 2 tests fail; assert 0: AssertionError: "),
        (ADD, {"tests": "add(1)"}, "1 of 1 tests fail; add(1): TypeError: add() missing 1 required positi…"),
        (DIVIDE, {"tests": "f()"}, "1 of 1 tests fail; f(): ZeroDivisionError: division by zero (line 2)"),
        (ADD, {"expects": {"add(2, 2)": 5}}, "add(2, 2) gives 4, and not 5"),
        (ADD, {"expects": {"add(1, 0) == 1": 1}}, "add(1, 0) == 1 gives true, and not 1"),
        (ADD, {"expects": {"add({}, 2)": 5}}, "add({}, 2) fails: TypeError: unsupported operand type(s) f…"),
        (ADD, {"expects": {"{add(1, 1)}": 2}}, "{add(1, 1)} fails: TypeError: Object of type set is not J…"),
        ("print('half')\n1 / 0", {}, "the code fails: ZeroDivisionError: division by zero (line 2); it…"),
        ("", {}, "there is no code"),
        (None, {}, "there is no code"),
        ("x" * (MAX_CODE + 1), {}, "the code is longer than 200,000 characters, and was not run"),
    ],
)  # fmt: skip
def test_code_that_does_not_is_told_where_it_fails(code: Any, settings: dict[str, Any], detail: str) -> None:
    one = found(code, **settings)
    assert (one.passed, one.broke, one.decides) == (False, False, False)
    said, cut, _ = detail.partition("…")
    assert one.detail.startswith(said) if cut else one.detail == detail


def test_a_test_sees_what_the_code_made_and_leaves_nothing_to_the_next() -> None:
    tests = ["add = None", "assert add(1, 1) == 2"]
    assert found(ADD, tests=tests).passed


def test_an_equality_of_the_codes_own_deceives_no_expectation() -> None:
    code = "class Same(int):\n    __eq__ = lambda *_: True\ndef add(*_): return Same(7)"
    assert found(code, tests="assert add(2, 3) == 5").passed  # in its own process it may say what it likes
    assert not found(code, expects={"add(2, 3)": 5}).passed


def test_every_place_that_proposes_code_is_run() -> None:
    proposed = {"/fixes/-": [{"code": ADD}, {"code": "1 / 0"}]}
    one, other = run_verifiers([runs("fixes/code")], proposed, {})
    assert [(item.path, item.passed) for item in (one, other)] == [
        ("/fixes/-/0/code", True),
        ("/fixes/-/1/code", False),
    ]
    assert run_verifiers([runs("fixes/code")], {"/verdict": {}}, {}) == ()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"language": "bash"}, "'bash' cannot be run"),
        ({"walls": "paper"}, "'kernel' or 'any'"),
        ({"seconds": 0}, "seconds of a sandbox"),
        ({"memory_mb": -1}, "memory_mb of a sandbox"),
    ],
)
def test_settings_that_make_no_sense_are_refused_where_they_are_written(
    settings: dict[str, Any], says: str
) -> None:
    with pytest.raises(GraphError, match=says):
        runs("fix", **settings)
