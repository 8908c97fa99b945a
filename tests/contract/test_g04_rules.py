"""G4: every version satisfies schema and rules; a refused commit changes nothing and says why."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, model_validator

from dissensus_state.errors import (
    DissensusError,
    FieldMissing,
    InvariantViolated,
    NotFound,
    Refused,
    SchemaRefused,
    TransitionRefused,
    ValueRefused,
)
from dissensus_state.sessions import Session
from dissensus_state.shapes import Add, Append, MergeByKey, SharedState, invariant
from dissensus_state.store import Store
from dissensus_state.transactions import Transaction
from inquiries import Claim, Inquiry, Notes, Work, does, nothing_changes

REFUSED = [
    pytest.param(does("append", "findings", {"text": 5}), SchemaRefused, "/findings/0/text",
                 "Input should be a valid string (given: '5')", id="a value of another type"),
    pytest.param(does("append", "findings", {"source": "log"}), SchemaRefused, "/findings/0/text",
                 "Field required (given: \"{'source': 'log'}\")", id="a part is missing"),
    pytest.param(does("add", "doubts", "many"), SchemaRefused, "/doubts",
                 "Input should be a valid integer, unable to parse string as an integer (given: 'many')",
                 id="a text for a number"),
    pytest.param(does("set", "/answers/why", 5), SchemaRefused, "/answers/why",
                 "Input should be a valid string (given: '5')", id="a value in a dictionary"),
    pytest.param(does("append", "doubts", 1), SchemaRefused, "/doubts",
                 "Input should be a valid integer (given: '[1]')", id="an operation that does not fit"),
    pytest.param(does("remove", "verdict"), SchemaRefused, "/verdict",
                 "The field 'verdict' does not take remove", id="taking a field away"),
    pytest.param(does("append", "tags", "x"), SchemaRefused, "/tags",
                 "The field 'tags' does not take append", id="appending to a set"),
    pytest.param(does("append", "claims", Claim(id="c1")), SchemaRefused, "/claims",
                 "The field 'claims' does not take append", id="appending to a list with keys"),
    pytest.param(does("set", "claims", [Claim(id="c1"), Claim(id="c1")]), SchemaRefused, "/claims",
                 "Two items here have the same 'id'", id="one key twice"),
    pytest.param(does("write", "findings", float("nan")), ValueRefused, "/findings",
                 "nan is not a JSON number", id="no JSON"),
    pytest.param(does("add", "doubts", 100), InvariantViolated, "/doubts",
                 "doubts stay below a hundred: it does not hold", id="a rule that says no"),
    pytest.param(does("set", "nothing", 1), FieldMissing, "/nothing",
                 "The schema inquiries:Inquiry has the fields question, phase, findings, tags, doubts, "
                 "answers, claims, verdict", id="no such field"),
    pytest.param(does("set", "", {}), FieldMissing, None,
                 "A patch changes fields, not the state as a whole", id="the whole state"),
    pytest.param(does("set", "/findings/7/text", "x"), NotFound, None,
                 "There is nothing at /findings/7", id="a place that is not there"),
    pytest.param(does("remove", "/answers/none"), NotFound, None,
                 "There is nothing at /answers/none to remove", id="a key that is not there"),
    pytest.param(does("read", "nothing"), FieldMissing, "/nothing",
                 "The schema inquiries:Inquiry has the fields question, phase, findings, tags, doubts, "
                 "answers, claims, verdict", id="reading no such field"),
]  # fmt: skip


@pytest.mark.parametrize(("work", "kind", "path", "message"), REFUSED)
def test_g04_a_refused_change_says_which_rule_and_where_and_changes_nothing(
    inquiry: Session[Inquiry], work: Work, kind: type[DissensusError], path: str | None, message: str
) -> None:
    with nothing_changes(inquiry), pytest.raises(kind) as caught:
        inquiry.transact(work, "ana", "gather")
    error = caught.value
    assert type(error) is kind
    assert (error.message, error.context.get("path")) == (message, path)
    assert error.next_step
    assert inquiry.verify().versions == 2


def test_g04_every_refusal_has_a_code_and_an_exit_code_that_stay() -> None:
    kinds: list[type[DissensusError]] = [FieldMissing, *_leaves(Refused)]
    assert {kind.code: kind.exit_code for kind in kinds} == {
        "schema.field_missing": 17,
        "value.refused": 18,
        "schema.refused": 18,
        "invariant.violated": 18,
        "transition.refused": 18,
        "carry.refused": 18,
        "review.required": 18,
        "schema.newer": 18,
        "schema.upcast_failed": 18,
    }


def _leaves(kind: type[DissensusError]) -> list[type[DissensusError]]:
    return [leaf for leaf in kind.__subclasses__() if leaf.__module__ == "dissensus_state.errors"]


@pytest.mark.parametrize(
    ("transition", "message"),
    [
        (None, "A commit without a name is not one of the transitions"),
        ("guess", "'guess' is not one of the transitions ['conclude', 'doubt', 'gather', 'open_judging']"),
        ("conclude", "'conclude' starts in ['judging'], and the phase is 'gathering'"),
    ],
)
def test_g04_a_commit_names_a_transition_that_starts_here(
    inquiry: Session[Inquiry], transition: str | None, message: str
) -> None:
    with nothing_changes(inquiry), pytest.raises(TransitionRefused) as caught:
        inquiry.transact(does("add", "doubts", 1), "ana", transition)
    assert caught.value.message.startswith(message)
    assert caught.value.code == "transition.refused"


def test_g04_a_state_without_transitions_takes_none(notes: Session[Notes]) -> None:
    with (
        nothing_changes(notes),
        pytest.raises(TransitionRefused, match="declares no transitions, so none is"),
    ):
        notes.transact(does("set", "a", 1), "ana", "gather")


def test_g04_a_guard_says_why_it_refuses(store: Store) -> None:
    empty = store.create(Inquiry())
    with nothing_changes(empty), pytest.raises(TransitionRefused) as caught:
        empty.transact(does("evidence", {}), "ana", "open_judging")
    assert caught.value.message == "The guard of 'open_judging' refuses: there are no findings to judge"
    assert caught.value.context["rule"] == "enough_findings"


def test_g04_a_broken_rule_is_named_with_the_fields_and_their_values(inquiry: Session[Inquiry]) -> None:
    with pytest.raises(InvariantViolated) as caught:
        inquiry.transact(does("add", "doubts", 250), "ana", "gather")
    assert caught.value.context == {
        "rule": "doubts_stay_below_a_hundred",
        "says": "A rule that says only whether it holds.",
        "path": "/doubts",
        "value": {"/doubts": 250},
        "before": {"/doubts": 0},
        "transition": "gather",
        "retry": True,
        "session": inquiry.name,
        "branch": "main",
    }


def test_g04_a_rule_is_asked_about_the_state_at_the_head_not_at_the_base(inquiry: Session[Inquiry]) -> None:
    late = inquiry.transaction("ben", "gather")
    late.add("doubts", 60)
    with inquiry.transaction("ana", "gather") as early:
        early.add("doubts", 60)
    with nothing_changes(inquiry), pytest.raises(InvariantViolated):
        late.__exit__(None)
    assert inquiry.state.doubts == 60


class Bounded(SharedState):
    """Conditions on whole fields."""

    floor: Annotated[int, Add, Field(ge=0)] = 0
    few: Annotated[list[int], Append, Field(max_length=2)] = []
    named: Annotated[dict[str, int], MergeByKey, Field(max_length=1)] = {}


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (does("add", "floor", -6), "Input should be greater than or equal to 0 (given: '-1')"),
        (does("append", "few", 2, 3), "List should have at most 2 items"),
        (does("merge", "named", {"y": 2}), "Dictionary should have at most 1 item"),
    ],
)
def test_g04_a_condition_on_a_field_is_held_to_what_becomes_of_it(
    store: Store, work: Work, message: str
) -> None:
    session = store.create(Bounded(floor=7, few=[1], named={"x": 0}))
    session.transact(does("add", "floor", -2), "ana")
    session.transact(does("merge", "named", {"x": 1}), "ana")
    with nothing_changes(session), pytest.raises(SchemaRefused) as caught:
        session.transact(work, "ana")
    assert caught.value.message.startswith(message)
    session.transact(does("append", "few", 2), "ana")
    assert session.state == Bounded(floor=5, few=[1, 2], named={"x": 1})


class Ruled(SharedState):
    """Rules in every form in which they can be written."""

    low: int = 0
    high: int = 9
    verdict: str | None = None

    @model_validator(mode="after")
    def _low_is_below_high(self) -> Ruled:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self

    @invariant("verdict")
    @staticmethod
    def a_verdict_is_not_taken_back(before: Ruled, after: Ruled) -> None:
        """A rule that raises."""
        if before.verdict is not None and after.verdict is None:
            raise ValueError("it was given")

    @invariant("verdict")
    @staticmethod
    def a_verdict_needs_evidence(_: Ruled, after: Ruled, evidence: tuple[Any, ...]) -> object:
        """A rule that asks for what was laid beside the commit."""
        return after.verdict is None or any(item["holds"] for item in evidence) or "nothing supports it"

    @invariant()
    @staticmethod
    def everything_is_asked_always(*states: Any) -> bool:
        """A rule of every commit, which takes whatever there is."""
        return len(states) == 3 and states[1].low != 5


@pytest.mark.parametrize(
    ("work", "kind", "message"),
    [
        (does("set", "low", 10), SchemaRefused, "Value error, low is above high"),
        (does("set", "verdict", "yes"), InvariantViolated, "a verdict needs evidence: nothing supports it"),
        (does("set", "low", 5), InvariantViolated, "everything is asked always: it does not hold"),
    ],
)
def test_g04_a_rule_may_be_written_as_a_validator_or_as_an_invariant(
    store: Store, work: Work, kind: type[DissensusError], message: str
) -> None:
    session = store.create(Ruled())
    with nothing_changes(session), pytest.raises(kind) as caught:
        session.transact(work, "ana")
    assert caught.value.message.startswith(message)


def test_g04_a_rule_sees_the_state_before_the_state_after_and_the_evidence(store: Store) -> None:
    session = store.create(Ruled())

    def conclude(tx: Transaction) -> None:
        tx.set("verdict", "yes")
        tx.evidence({"quotation": "open", "holds": True})

    session.transact(conclude, "ana")
    assert session.log(1)[0].evidence == ({"quotation": "open", "holds": True},)
    with nothing_changes(session), pytest.raises(InvariantViolated, match="is not taken back: it was given"):
        session.transact(does("set", "verdict", None), "ana")


def test_g04_a_session_does_not_begin_with_a_state_that_breaks_its_own_rules(own_store: Store) -> None:
    with pytest.raises(InvariantViolated, match="a verdict needs evidence"):
        own_store.create(Ruled(verdict="yes"))
    assert own_store.sessions() == []


def test_g04_a_session_is_changed_with_the_schema_it_was_made_with(own_store: Store) -> None:
    own_store.create(Notes(), name="notes")
    with pytest.raises(SchemaRefused, match="made with inquiries:Notes, not with inquiries:Inquiry"):
        own_store.session("notes", Inquiry)
    unknown: Session[Notes] = own_store.session("notes")
    assert unknown.raw()["a"] == 0
    with pytest.raises(DissensusError, match="schema"):
        unknown.transact(does("set", "a", 1), "ana")


def test_g04_a_rule_over_a_field_that_is_not_there_is_refused_when_the_schema_is_used(store: Store) -> None:
    class Misspelt(SharedState):
        verdict: str = ""

        @invariant("verdikt")
        @staticmethod
        def rule(_: Any) -> bool:
            return True

    with pytest.raises(FieldMissing, match="The invariant rule names a field that is not there"):
        store.create(Misspelt())


class Aliased(BaseModel):
    """A part whose field has another name outside."""

    from_: str = Field(alias="from")


class Letters(SharedState):
    """Fields that are not what JSON holds as it is."""

    letters: Annotated[list[Aliased], Append] = []
    names: set[str] = set()
    pages: dict[int, str] = {}


def test_g04_models_sets_and_numbered_keys_are_read_back_as_they_were_written(store: Store) -> None:
    session = store.create(Letters(names={"b", "a"}, pages={7: "seven"}))
    with session.transaction("ana") as tx:
        tx.append("letters", Aliased(**{"from": "ana"}), {"from": "ben"}, {"from_": "cy"})
        tx.set("names", {"d", "c"})
        tx.set("/pages/8", "eight")
        tx.set("/pages/9", "nine")
    assert session.raw()["names"] == ["c", "d"]
    assert [item.from_ for item in session.state.letters] == ["ana", "ben", "cy"]
    assert session.state.pages == {7: "seven", 8: "eight", 9: "nine"}
    assert session.at(0) == Letters(names={"a", "b"}, pages={7: "seven"})


class Plain(SharedState):
    """A list that is appended to though nothing says that it is one of that kind."""

    lines: list[str] = []
    allowed: bool = True

    @invariant("lines")
    def one_line_at_a_time(before: Any, after: Any) -> Any:  # noqa: N805
        """At most one line is added by a commit."""
        return len(after.lines) - len(before.lines) <= 1 or "more than one"


def test_g04_a_rule_sees_a_plain_list_as_it_was_before_it_was_appended_to(store: Store) -> None:
    session = store.create(Plain())
    for number in range(3):
        session.transact(does("append", "lines", str(number)), "ana")
    with pytest.raises(InvariantViolated), session.transaction("ana") as tx:
        tx.append("lines", "3", "4")
    assert session.state.lines == ["0", "1", "2"]
