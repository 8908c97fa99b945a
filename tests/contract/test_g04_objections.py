"""G4: what refuses a commit says which rule, where, what stood there and what would, as bounded data."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from dissensus_state.errors import DissensusError, InvariantViolated, TransitionRefused
from dissensus_state.machine import Transition
from dissensus_state.objections import Objection, excerpt
from dissensus_state.sessions import Session
from dissensus_state.shapes import SharedState, invariant
from dissensus_state.store import Store
from dissensus_state.values import store as stored
from inquiries import Work, does, nothing_changes


class Verdict(BaseModel):
    """What is concluded."""

    cause: str = ""
    sure: int = 0


Answer = Callable[[Any, Any, Any], Any]


def ruled(rule: Answer, guard: Answer | None = None) -> type[SharedState]:
    """A schema whose one rule answers so."""

    class Ruled(SharedState):
        phase: Literal["open", "closed"] = "open"
        verdict: Verdict = Verdict()
        notes: list[str] = []
        count: int = 0

        @invariant("verdict", "count")
        @staticmethod
        def it_is_sound(before: Any, after: Any, evidence: Any) -> Any:
            """A verdict is sound. More of it follows."""
            return None if before is after else rule(before, after, evidence)

    if guard is not None:
        Ruled.transitions = [Transition("judge", "open -> open", guard=guard)]
    return Ruled


CAUSE = does("set", "/verdict/cause", "x")


def refused(session: Session[Any], work: Work = CAUSE, name: str | None = None) -> Any:
    """The error of a commit that is refused, which is in the history as it is."""
    with nothing_changes(session), pytest.raises(DissensusError) as caught:
        session.transact(work, "ana", name)
    body = session.events()[-1].body
    told = json.loads(json.dumps(caught.value.as_dict()))
    told = {name: told[name] for name in told if name not in {"session", "branch"}}
    assert {name: body[name] for name in told} == told
    return caught.value


def raises(error: BaseException) -> Answer:
    def rule(*_: Any) -> None:
        raise error

    return rule


@pytest.mark.parametrize(
    "answer",
    [
        lambda *_: Objection("no such cause", path="/verdict/cause", value="y", retry=False),
        raises(Objection("no such cause", path="/verdict/cause", value="y", retry=False)),
    ],
    ids=["returned", "raised"],
)
def test_g04_an_objection_says_where_and_what_and_whether_to_try_again(store: Store, answer: Answer) -> None:
    session: Session[Any] = store.create(ruled(answer)())
    error = refused(session)
    assert type(error) is InvariantViolated
    assert error.message == "it is sound: no such cause"
    assert error.context == {
        "rule": "it_is_sound",
        "says": "A verdict is sound. More of it follows.",
        "path": "/verdict/cause",
        "value": {"/verdict/cause": "y"},
        "before": {"/verdict/cause": ""},
        "retry": False,
        "session": session.name,
        "branch": "main",
    }


def test_g04_a_plain_refusal_tells_of_every_field_that_the_rule_names(store: Store) -> None:
    session: Session[Any] = store.create(ruled(lambda *_: False)())
    error = refused(session, does("set", "count", 7))
    assert error.context["value"] == {"/verdict": {"cause": "", "sure": 0}, "/count": 7}
    assert error.context["before"] == {"/verdict": {"cause": "", "sure": 0}, "/count": 0}
    assert (error.context["path"], error.context["retry"]) == ("/verdict, /count", True)


async def _later(*_: Any) -> bool:
    return True


DEFECTS: list[tuple[Answer, str]] = [
    (raises(KeyError("x")), "it raised KeyError: 'x'"),
    (raises(TypeError("no")), "it raised TypeError: no"),
    (raises(RecursionError()), "it raised RecursionError: "),
    (raises(type("Own", (Exception,), {})("mine")), "it raised Own: mine"),
    (lambda _, after, __: after.nothing, "it raised AttributeError: "),
    (lambda *_: 7, "it returned a int, and not None, a bool, a text or an Objection"),
    (lambda *_: [], "it returned a list"),
    (_later, "it returned a coroutine"),
    (lambda *_: Objection("x", path=7), "it raised AttributeError"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("answer", "defect"), DEFECTS, ids=[defect for _, defect in DEFECTS])
def test_g04_a_rule_that_breaks_refuses_and_is_named_as_the_defect(
    store: Store, answer: Answer, defect: str
) -> None:
    error = refused(store.create(ruled(answer)()))
    assert type(error) is InvariantViolated
    assert error.message.startswith(f"The rule 'it is sound' is broken: {defect}")
    assert (error.context["rule"], error.context["retry"]) == ("it_is_sound", False)
    assert error.context["defect"].startswith(defect)
    assert error.next_step.startswith("Mend the rule")

    guarded: Session[Any] = store.create(ruled(lambda *_: None, answer)())
    error = refused(guarded, name="judge")
    assert type(error) is TransitionRefused
    assert error.message.startswith(f"The guard of 'judge' is broken: {defect}")
    assert (error.context["transition"], error.context["retry"]) == ("judge", False)


@pytest.mark.parametrize(
    ("guard", "retry"),
    [
        (lambda before: bool(before.count), False),
        (lambda before, after: bool(after.count), True),
        (lambda before: Objection("later", retry=True), True),
    ],
    ids=["looks at what was", "looks at what would be", "says so itself"],
)
def test_g04_a_guard_says_whether_another_patch_could_pass(
    store: Store,
    guard: Any,
    retry: bool,  # noqa: FBT001 - the expectation
) -> None:
    session: Session[Any] = store.create(ruled(lambda *_: None, guard)())
    assert refused(session, name="judge").context["retry"] is retry


def test_g04_a_guard_may_be_any_object_that_can_be_called(store: Store) -> None:
    class Never:
        """Never."""

        __hash__ = None  # type: ignore[assignment]

        def __call__(self, before: Any) -> str:
            return "never"

    session: Session[Any] = store.create(ruled(lambda *_: None, Never())())
    error = refused(session, name="judge")
    assert (error.context["rule"], error.context["says"]) == ("Never", "Never.")
    assert session.shape.machine.table()[0]["guard"] == "Never"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("x" * 5000, "x" * 400 + "… (5,000 characters)"),
        ("a\ud800b\x00", "a?b\x00"),
        (10**5000, "an integer of about 5,001 digits"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (list(range(1000)), [0, 1, 2, 3, 4, 5, 6, 7, "… 992 more"]),
        ({str(n): n for n in range(20)}, {**{str(n): n for n in range(8)}, "…": "12 more"}),
        ([[[[[["deep"]]]]]], [[[[[["… 1 more"]]]]]]),
        (Verdict(cause="x"), {"cause": "x", "sure": 0}),
        (object(), "a object"),
        (b"\xff", "_w=="),
        (True, True),
        (None, None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_g04_whatever_a_rule_lays_before_us_is_told_as_bounded_data(
    store: Store, value: Any, told: Any
) -> None:
    session: Session[Any] = store.create(ruled(lambda *_: Objection("y" * 5000, value=value))())
    error = refused(session)
    assert error.context["value"] == {"/verdict": told}
    assert len(error.message) < 1100


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.sets(st.text()),
    max_leaves=200,
)


@given(anything)
def test_g04_an_excerpt_of_anything_can_be_stored_and_is_short(value: Any) -> None:
    assert len(stored(excerpt(value, 500))) < 20_000
