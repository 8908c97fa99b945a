"""Grades: what is known afterwards of a settled round, kept beside it and never taken back."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from by_hand import answered, begun, change, concluded, in_review, proposes, rules, to_judging
from dissensus_state import standing, tables
from dissensus_state.engines import Statement, Work
from dissensus_state.errors import Conflict, Denied, NotFound, Refused, Tampered, ValueRefused
from dissensus_state.grades import MAX_DETAIL, counting
from dissensus_state.journal import Journal
from dissensus_state.records import Grade, Proposal
from dissensus_state.rights import Rights
from dissensus_state.sessions import Session
from dissensus_state.shapes import SharedState
from dissensus_state.store import Store
from inquiries import Inquiry
from tampering import rows, write


@pytest.fixture
def settled(inquiry: Session[Inquiry]) -> Session[Inquiry]:
    """A session whose round 1 is settled: ana was upheld, ben dissents."""
    concluded(inquiry)
    return inquiry


def test_a_settled_round_is_graded_and_the_grades_are_read_as_they_were_given(
    settled: Session[Inquiry],
) -> None:
    given = settled.grade(1, right=["ben"], wrong=["ana", "supervisor"], by="eva", detail="See the log")
    assert [(one.agent, one.right, one.basis, one.author, one.detail, one.n) for one in given] == [
        ("ben", True, "person", "eva", "See the log", 1),
        ("ana", False, "person", "eva", "See the log", 1),
        ("supervisor", False, "person", "eva", "See the log", 1),
    ]
    assert settled.grades(1) == settled.grades() == sorted(given, key=lambda one: one.agent)
    assert settled.verify().rounds == 1, "a grade changes nothing of the history"
    assert settled.head == 3


@pytest.mark.parametrize("changed", [{"basis": "guess"}, {"is_right": 7}])
def test_a_grade_that_none_can_be_is_named_wherever_it_would_count(
    settled: Session[Inquiry], changed: dict[str, Any]
) -> None:
    settled.grade(1, right=["ana"], by="eva")
    write(settled, tables.grades, rows(settled, tables.grades)[0], changed)
    with pytest.raises(Tampered, match="A grade of ana in round 1"):
        settled.grades(1)
    with settled.reading() as work, pytest.raises(Tampered, match="A grade of ana in round 1"):
        list(standing.settled(work))


def test_the_same_said_again_changes_nothing_and_another_word_is_added(settled: Session[Inquiry]) -> None:
    settled.grade(1, right=["ana"], by="eva")
    settled.grade(1, right=["ana"], by="eva")
    assert len(settled.grades()) == 1
    settled.grade(1, wrong=["ana"], by="eva")
    settled.grade(1, wrong=["ana"], by="eva", detail="The pump ran")
    settled.grade(1, right=["ana"], by="tom")
    assert [(one.n, one.right, one.author) for one in settled.grades(1)] == [
        (1, True, "eva"),
        (2, False, "eva"),
        (3, False, "eva"),
        (4, True, "tom"),
    ]


def test_of_several_grades_the_newest_of_the_strongest_basis_counts(settled: Session[Inquiry]) -> None:
    settled.grade(1, right=["ana"], by="the key", basis="reference")
    settled.grade(1, wrong=["ana", "ben"], by="eva")
    settled.grade(1, right=["ana", "ben"], by="ran_it", basis="verifier", version="2")
    found = counting(settled.grades(1))
    assert {name: (one.right, one.basis) for name, one in found.items()} == {
        "ana": (True, "reference"),
        "ben": (False, "person"),
    }
    settled.grade(1, right=["ben"], by="tom")
    assert counting(settled.grades(1))["ben"].right


def test_a_round_that_is_not_settled_is_not_graded(inquiry: Session[Inquiry]) -> None:
    to_judging(inquiry)
    in_review(inquiry)
    with pytest.raises(Conflict, match="Round 1 is not settled yet: it is review") as caught:
        inquiry.grade(1, right=["ana"], by="eva")
    assert (caught.value.context["retry"], caught.value.context["round"]) == (False, 1)
    assert "dissensus rule" in caught.value.next_step
    assert inquiry.grades() == []


REFUSED = [
    pytest.param({"right": ["ana"]}, 7, NotFound, "There is no round 7", id="no round"),
    pytest.param({"right": ["tom"]}, 1, NotFound, "No 'tom' was asked in round 1, but ana, ben", id="nobody"),
    pytest.param({"right": ["ana"], "wrong": ["ana"]}, 1, Refused, "ana cannot be both", id="both"),
    pytest.param({}, 1, Refused, "names the agents", id="none"),
    pytest.param({"right": ["ana"], "basis": "rumour"}, 1, Refused, "not on 'rumour'", id="basis"),
    pytest.param({"right": ["ana"], "by": ""}, 1, ValueRefused, "cannot be who grades", id="unnamed"),
    pytest.param({"right": ["ana"], "by": "a\nb"}, 1, ValueRefused, "cannot be who grades", id="two lines"),
    pytest.param(
        {"right": ["ana"], "detail": "x" * (MAX_DETAIL + 1)}, 1, ValueRefused, "2,001 characters", id="long"
    ),
    pytest.param({"right": ["ana"], "detail": "\x00"}, 1, ValueRefused, "cannot be stored", id="NUL"),
]


@pytest.mark.parametrize(("given", "number", "kind", "why"), REFUSED)
def test_what_cannot_be_a_grade_is_refused_and_leaves_none(
    settled: Session[Inquiry], given: dict[str, Any], number: int, kind: type[Exception], why: str
) -> None:
    with pytest.raises(kind, match=why):
        settled.grade(number, **{"by": "eva", **given})
    assert settled.grades() == []


def test_one_that_is_refused_takes_those_beside_it_with_it(settled: Session[Inquiry]) -> None:
    with pytest.raises(NotFound):
        settled.grade(1, right=["ana"], wrong=["tom"], by="eva")
    assert settled.grades() == []


def test_who_abstained_was_neither_right_nor_wrong_and_no_ruling_is_not_graded(
    inquiry: Session[Inquiry],
) -> None:
    journal = Journal(inquiry)
    round_, _ = begun(journal, "doubt", "ana", "ben")
    made = proposes(inquiry, "ana", doubts=1)
    silent = Proposal("ben", (), (), status="abstained", detail={"why": "no answer"})
    journal.commit(round_, change(inquiry, made, transition="doubt"), made=[made, silent])
    with pytest.raises(Refused, match="ben abstained in round 1"):
        inquiry.grade(1, wrong=["ben"], by="eva")
    with pytest.raises(NotFound, match="There is no ruling on round 1"):
        inquiry.grade(1, wrong=["supervisor"], by="eva")


class Guarded(SharedState):
    """A state that only the chair may rule on."""

    cause: str = ""
    note: str = ""

    rights = [
        Rights("ana", read="/", propose={"cause"}, commit={"cause"}),
        Rights("chair", rule={"cause"}),
        Rights("clerk", rule={"note"}),
    ]


@pytest.mark.parametrize("name", ["ana", "clerk", "nobody"])
def test_g06_who_may_not_rule_may_not_grade_and_the_attempt_is_in_the_history(
    store: Store, name: str
) -> None:
    session = store.create(Guarded())
    journal = Journal(session)
    round_, _ = begun(journal, "find", "ana")
    made = proposes(session, "ana", cause="the valve")
    made = Proposal("ana", made.patch, (), 0.5, 1)
    journal.commit(round_, change(session, made, transition=None, reads=()), made=[made])
    with pytest.raises(Denied):
        session.grade(1, wrong=["ana"], by=name)
    assert session.grades() == []
    (event,) = session.events()
    assert (event.kind, event.body["author"]) == ("refused", name)
    assert len(session.grade(1, wrong=["ana"], by="chair")) == 1


def test_without_its_schema_a_session_is_read_but_not_graded(settled: Session[Inquiry], store: Store) -> None:
    settled.grade(1, right=["ana"], by="eva")
    bare: Session[Any] = store.session(settled.name)
    assert bare.grades() == settled.grades()
    with pytest.raises(Refused, match="opened without its schema"):
        bare.grade(1, right=["ben"], by="eva")


FOUND = (
    Grade("ana", right=False, basis="verifier", author="ran_it", version="1", detail="/verdict"),
    Grade("ana", right=True, basis="person", author="eva"),
    Grade("ben", right=True, basis="verifier", author="v" * 5000, version="1", detail="\x00" + "d" * 5000),
)


def test_g01_what_is_known_at_a_settlement_is_kept_with_the_commit(inquiry: Session[Inquiry]) -> None:
    to_judging(inquiry)
    journal, round_, made = in_review(inquiry)
    ruling = rules(round_, made, upheld=("ana",), dissent=("ben",))
    journal.commit(round_, change(inquiry, made[0]), ruling, graded=FOUND)
    found = inquiry.grades(1)
    assert [(one.agent, one.n, one.right, one.basis) for one in found] == [
        ("ana", 1, False, "verifier"),
        ("ana", 2, True, "person"),
        ("ben", 1, True, "verifier"),
    ]
    assert max(len(one.author) for one in found) < 1100
    assert max(len(one.detail or "") for one in found) < MAX_DETAIL + 100
    assert inquiry.verify().rounds == 1


def test_g01_a_commit_that_is_refused_leaves_no_grade(inquiry: Session[Inquiry]) -> None:
    to_judging(inquiry)
    journal, round_, made = in_review(inquiry)
    with pytest.raises(Refused, match="awaits a ruling"):
        journal.commit(round_, change(inquiry, made[0]), graded=FOUND)
    assert inquiry.grades() == []


@pytest.mark.parametrize(("status", "kept"), [("rejected", 3), ("retried", 3), ("parked", 0)])
def test_what_is_known_of_a_round_is_told_once_it_is_settled(
    inquiry: Session[Inquiry], status: Any, kept: int
) -> None:
    to_judging(inquiry)
    journal, round_, _ = in_review(inquiry)
    journal.close(round_, status, graded=FOUND)
    assert len(inquiry.grades()) == kept


def test_a_round_of_which_nothing_is_known_costs_no_statement_and_no_row(
    inquiry: Session[Inquiry], monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(inquiry)
    round_, sent = begun(journal, "doubt", "ana")
    journal.settle([answered(sent[0])])
    made = proposes(inquiry, "ana", doubts=1)
    asked: list[str] = []
    run, run_all = Work.run, Work.run_all

    def listen(work: Work, statement: Statement, **values: Any) -> int:
        asked.append(statement.bound(work.database, values)[0])
        return run(work, statement, **values)

    def listen_all(work: Work, statement: Statement, rows: Any) -> None:
        asked.extend(statement.bound(work.database, row)[0] for row in rows)
        run_all(work, statement, rows)

    monkeypatch.setattr(Work, "run", listen)
    monkeypatch.setattr(Work, "run_all", listen_all)
    journal.commit(round_, change(inquiry, made, transition="doubt"), made=[made])
    assert len(asked) > 3
    assert not [text for text in asked if "grades" in text]
    assert rows(inquiry, tables.grades) == []


def test_two_who_grade_at_once_are_both_heard(settled: Session[Inquiry]) -> None:
    start = threading.Barrier(4)

    def say(name: str) -> None:
        start.wait()
        for turn in range(10):
            settled.grade(1, **{"right" if turn % 2 else "wrong": ["ana"]}, by=name)

    workers = [threading.Thread(target=say, args=(f"person {n}",)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    found = settled.grades(1)
    assert [one.n for one in found] == list(range(1, 41))
    assert len({one.author for one in found}) == 4


def test_the_room_that_reasons_take_is_told(settled: Session[Inquiry]) -> None:
    settled.grade(1, right=["ana"], by="eva", detail="12 letters..")
    assert settled.sizes().as_dict()["beside"]["grades"] == 12


def test_a_pruned_round_keeps_its_grades(inquiry: Session[Inquiry]) -> None:
    journal = Journal(inquiry)
    round_, _ = begun(journal, "doubt", "ana")
    made = proposes(inquiry, "ana", doubts=1)
    journal.commit(round_, change(inquiry, made, transition="doubt"), made=[made])
    inquiry.grade(1, right=["ana"], by="eva")
    with inquiry.transaction("ben", "doubt") as tx:
        tx.add("doubts", 1)
    done = inquiry.prune(inquiry.plan_prune(inquiry.head, recordings=True), author="eva")
    assert done.rounds == 1
    assert [(one.agent, one.right) for one in inquiry.grades()] == [("ana", True)]
