"""Reading what settled rounds show: page by page, the same on both databases, every number explained."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from by_hand import answered, begun, change, concluded, in_review, intent, proposes, to_judging
from dissensus_state.errors import DissensusError
from dissensus_state.journal import Journal, Outcome
from dissensus_state.records import Proposal
from dissensus_state.sessions import Session
from dissensus_state.standing import Settled, happened, known, settled
from dissensus_state.store import Store
from inquiries import Inquiry


def doubted(session: Session[Inquiry], *agents: str, step: str = "doubt", cost: int | None = 3) -> None:
    """A committed round in which each agent adds a doubt."""
    journal = Journal(session)
    round_, sent = begun(journal, step, *agents)
    journal.settle([answered(call, cost=cost) for call in sent])
    made = [proposes(session, agent, doubts=1) for agent in agents]
    journal.commit(round_, change(session, made[0], transition="doubt"), made=made)


def read(session: Session[Any], **how: Any) -> list[Settled]:
    with session.reading() as work:
        return list(settled(work, session.session_id, **how))


def test_a_round_shows_who_was_asked_what_it_cost_and_how_it_ended(inquiry: Session[Inquiry]) -> None:
    concluded(inquiry)
    inquiry.grade(1, right=["ben"], wrong=["supervisor"], by="eva")
    (one,) = read(inquiry)
    assert (one.round, one.task, one.status) == (1, "conclude", "committed")
    assert one.review == {"disagreements": ["/verdict"]}
    assert one.ruling is not None
    assert (one.ruling.author, one.ruling.upheld, one.judge) == ("chair", ("ana",), None)
    assert one.ruled is not None
    assert not one.ruled.right
    ana, ben = one.lines
    assert ana[:6] == ("ana", "accepted", 0.5, "ana-large", "acme", 1)
    assert ana[6:] == (0, 420, 3, None, None)
    assert (ben.status, ben.grade and ben.grade.right) == ("dissent", True)


def test_only_settled_rounds_are_read(inquiry: Session[Inquiry]) -> None:
    to_judging(inquiry)
    journal, round_, _ = in_review(inquiry)
    assert read(inquiry) == []
    journal.close(round_, "rejected")
    assert [(one.status, [line.status for line in one.lines]) for one in read(inquiry)] == [
        ("rejected", ["void", "void"])
    ]


def test_an_answer_that_was_asked_again_or_mended_is_counted_and_all_calls_are_paid(
    inquiry: Session[Inquiry],
) -> None:
    journal = Journal(inquiry)
    round_, sent = begun(journal, "doubt", "ana", "ben")
    journal.settle([answered(call, cost=3) for call in sent])
    again = journal.send(round_, [replace(intent("ana", attempt=2), model="spare")])
    journal.settle([replace(answered(again[0], cost=4), latency_ms=77)])
    made = [
        replace(proposes(inquiry, "ana", doubts=1), attempt=2),
        Proposal("ben", (), (), status="abstained", attempt=1, detail={"code": "answer.malformed"}),
    ]
    told = [Outcome("repaired", {"agent": "ana", "repairs": ["a comma"]})] * 2
    journal.commit(round_, change(inquiry, made[0], transition="doubt"), made=made, outcomes=told)
    (one,) = read(inquiry)
    ana, ben = one.lines
    assert (ana.model, ana.answers, ana.repaired, ana.latency_ms, ana.cost) == ("spare", 2, 2, 77, 7)
    assert (ben.status, ben.model, ben.answers, ben.failure) == (
        "abstained",
        "ben-large",
        1,
        {"code": "answer.malformed"},
    )


def test_an_unknown_cost_stays_unknown(inquiry: Session[Inquiry]) -> None:
    doubted(inquiry, "ana", cost=None)
    assert [line.cost for line in read(inquiry)[0].lines] == [None]


def test_pages_of_any_size_give_the_same_rounds_of_all_sessions(own_store: Store) -> None:
    sessions = [own_store.create(Inquiry(), name=f"s{n}") for n in range(3)]
    for turn in range(4):
        for session in sessions[turn % 2 :]:
            doubted(session, "ana", "ben")
    for session in sessions:
        session.grade(1, right=["ana"], by="eva")
    with own_store.database.reading() as work:
        whole = list(settled(work))
        for size in (1, 2, 3, 100):
            assert list(settled(work, size=size)) == whole
        keys = [(one.session_id, one.round) for one in whole]
        assert keys == sorted(keys)
        assert len(keys) == sum(len(session.rounds()) for session in sessions) == 10
        assert all([line.agent for line in one.lines] == ["ana", "ben"] for one in whole)
        assert sum(line.grade is not None for one in whole for line in one.lines) == 3


def test_rounds_are_chosen_by_session_step_time_and_number(inquiry: Session[Inquiry]) -> None:
    for _ in range(3):
        doubted(inquiry, "ana")
    doubted(inquiry, "ana", step="again")
    second = inquiry.rounds()[1].started_at
    assert [one.round for one in read(inquiry, task="again")] == [4]
    assert [one.round for one in read(inquiry, after=2)] == [3, 4]
    assert [one.round for one in read(inquiry, after=2, size=1)] == [3, 4]
    assert [one.task for one in read(inquiry, task="doubt")] == ["doubt"] * 3
    assert {one.round for one in read(inquiry, since=second)} >= {2, 3, 4}
    assert read(inquiry, since=inquiry.rounds()[-1].started_at + 1) == []


def test_what_weights_rest_on_is_the_grade_that_counts_newest_rounds_first(inquiry: Session[Inquiry]) -> None:
    for _ in range(2):
        doubted(inquiry, "ana", "ben")
    inquiry.grade(1, right=["ana"], wrong=["ben"], by="key", basis="reference")
    inquiry.grade(1, wrong=["ana"], by="eva")
    inquiry.grade(2, wrong=["ben"], by="eva")
    inquiry.grade(2, right=["ben"], by="eva")

    def mine(most: int) -> list[tuple[int, str, str, str, bool]]:
        with inquiry.reading() as work:
            found = [one for one in known(work, most) if one.session_id == inquiry.session_id]
        return sorted((one.round, one.task, one.model, one.lineage, one.right) for one in found)

    assert mine(1000) == [
        (1, "doubt", "ana-large", "acme", True),
        (1, "doubt", "ben-large", "acme", False),
        (2, "doubt", "ben-large", "acme", True),
    ]
    assert [number for number, *_ in mine(1)] == [2], "the newest session of this store was made last"


def test_events_of_a_kind_are_found_in_a_session_and_in_all(inquiry: Session[Inquiry], store: Store) -> None:
    inquiry.record("alarm", {"model": "m"})
    inquiry.record("other", {})
    with store.database.reading() as work:
        ours = happened(work, "alarm", inquiry.session_id)
        assert [body for _, body in ours] == [{"model": "m"}]
        assert ours[0] in happened(work, "alarm")


@pytest.fixture
def redacted(inquiry: Session[Inquiry]) -> Session[Inquiry]:
    """A session whose ruled round was redacted."""
    concluded(inquiry)
    inquiry.redact("/verdict", author="ana", reason="private")
    return inquiry


def test_a_redacted_round_is_read_for_what_is_left_of_it(redacted: Session[Inquiry]) -> None:
    (one,) = read(redacted)
    assert [line.agent for line in one.lines] == ["ana", "ben"]
    assert not isinstance(one.review, DissensusError)
