"""G6: an agent writes only the paths that it was given; a denied attempt is in the history."""

from __future__ import annotations

import pytest

from by_hand import begun, change, in_review, rules, to_judging
from dissensus_state.errors import (
    Denied,
    DissensusError,
    FieldMissing,
    InvariantViolated,
    SchemaRefused,
    TransitionRefused,
)
from dissensus_state.journal import Journal
from dissensus_state.patches import Operation
from dissensus_state.records import Change
from dissensus_state.sessions import Session
from dissensus_state.transactions import Transaction
from inquiries import Inquiry, Notes, Work, does, nothing_changes


@pytest.mark.parametrize(
    ("writes", "work", "path"),
    [
        (["a"], does("set", "b", 1), "/b"),
        ([], does("set", "a", 1), "/a"),
        (["/answers/x"], does("merge", "answers", {"x": 1, "y": 2}), "/answers/y"),
        (["/answers/x"], does("set", "answers", {}), "/answers"),
        (["/answers/x"], does("remove", "/answers/xy"), "/answers/xy"),
        (["lines"], does("write", "tags", ["x"]), "/tags"),
    ],
)
def test_g06_a_write_outside_of_what_was_given_is_denied_and_recorded(
    notes: Session[Notes], writes: list[str], work: Work, path: str
) -> None:
    with nothing_changes(notes), pytest.raises(Denied) as caught:
        notes.transact(work, "ana", writes=writes)
    error = caught.value
    assert (error.context["path"], error.code, error.exit_code) == (path, "denied", 16)
    (event,) = notes.events()
    assert (event.kind, event.branch, event.body["author"]) == ("refused", "main", "ana")
    assert (event.body["code"], event.body["path"]) == ("denied", path)


@pytest.mark.parametrize(
    ("writes", "work"),
    [
        (["a"], does("set", "a", 1)),
        (["answers"], does("set", "/answers/x", 1)),
        (["/answers/x"], does("merge", "answers", {"x": 1})),
        (["/answers/x"], does("set", "/answers/x", {"deep": 1})),
    ],
)
def test_g06_a_write_at_or_below_what_was_given_is_admitted(
    notes: Session[Notes], writes: list[str], work: Work
) -> None:
    notes.transact(work, "ana", writes=writes)
    assert (notes.head, notes.events()) == (1, [])


@pytest.mark.parametrize(
    ("work", "path", "message"),
    [
        (does("set", "verdict", "the valve"), "/verdict", "The transition 'doubt' may write /doubts"),
        (does("set", "phase", "closed"), "/phase", "The phase is moved by the transition, not by a patch"),
    ],
)
def test_g06_a_transition_writes_what_it_declares_and_no_phase(
    inquiry: Session[Inquiry], work: Work, path: str, message: str
) -> None:
    with nothing_changes(inquiry), pytest.raises(Denied) as caught:
        inquiry.transact(work, "ana", "doubt")
    assert (caught.value.message, caught.value.context["path"]) == (message, path)
    assert inquiry.events()[0].body["code"] == "denied"


def test_g06_an_attempt_that_the_author_passes_over_is_in_the_history_as_well(notes: Session[Notes]) -> None:
    with notes.transaction("ana", writes=["a"]) as tx:
        tx.set("a", 1)
        with pytest.raises(Denied):
            tx.set("b", 2)
    assert (notes.head, notes.state) == (1, Notes(a=1))
    assert [event.body["path"] for event in notes.events()] == ["/b"]


@pytest.mark.parametrize(
    ("work", "transition", "kind"),
    [
        (does("append", "findings", {"text": 5}), "gather", SchemaRefused),
        (does("add", "doubts", 500), "gather", InvariantViolated),
        (does("add", "doubts", 1), "guess", TransitionRefused),
    ],
)
def test_g06_whatever_was_refused_is_in_the_history_with_its_code(
    inquiry: Session[Inquiry], work: Work, transition: str, kind: type[DissensusError]
) -> None:
    with pytest.raises(kind):
        inquiry.transact(work, "ana", transition)
    (event,) = inquiry.events()
    assert (event.kind, event.body["code"], event.body["author"]) == ("refused", kind.code, "ana")


def test_g06_a_round_commits_only_what_its_step_may_write(inquiry: Session[Inquiry]) -> None:
    to_judging(inquiry)
    journal, round_, made = in_review(inquiry)
    asked = change(inquiry, made[0], writes=(("doubts",),))
    with nothing_changes(inquiry), pytest.raises(Denied, match="ana may write /doubts"):
        journal.commit(round_, asked, rules(round_, made))


def test_g06_a_patch_made_by_hand_is_held_to_the_fields_there_are(notes: Session[Notes]) -> None:
    for path in ((), ("nothing",)):
        with nothing_changes(notes), pytest.raises(FieldMissing):
            notes.commit(Change("ana", (Operation("set", path, 1),), 0))


def test_g06_events_keep_their_order_and_their_round(inquiry: Session[Inquiry]) -> None:
    journal = Journal(inquiry)
    round_, _ = begun(journal, "gather", "ana")
    for number in range(3):
        inquiry.record("note", {"n": number}, round_=round_.round)
    events = inquiry.events()
    assert [(event.event, event.body["n"], event.round) for event in events] == [
        (1, 0, 1),
        (2, 1, 1),
        (3, 2, 1),
    ]


def test_g06_a_transaction_says_what_it_would_ask_for(notes: Session[Notes]) -> None:
    tx: Transaction = notes.transaction("ana", writes=["a", "/answers/x"], isolation="snapshot", key="k")
    tx.read("b")
    tx.set("a", 1)
    asked = tx.change()
    assert (asked.author, asked.base, asked.reads, asked.key) == ("ana", 0, (("b",),), "k")
    assert (asked.writes, asked.isolation) == ((("a",), ("answers", "x")), "snapshot")
    assert tx.patch == asked.patch
