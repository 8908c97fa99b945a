"""G11, as far as the state goes: a worker that lost its lease cannot write."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from by_hand import answered, begun, change, in_review, intent, proposes, rules, to_judging
from dissensus_state.errors import LeaseLost
from dissensus_state.journal import Journal
from dissensus_state.records import Call, Proposal, Round
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from inquiries import Inquiry, Notes, does, nothing_changes

Attempt = Callable[[Journal, Round, Call, Proposal], object]

ATTEMPTS: list[Attempt] = [
    lambda journal, *_: journal.begin("gather", journal.session.head, [intent("cy")]),
    lambda journal, round_, *_: journal.send(round_, [intent("cy")]),
    lambda journal, _, call, __: journal.settle([answered(call)]),
    lambda journal, round_, _, made: journal.propose(round_, [made]),
    lambda journal, round_, _, made: journal.commit(round_, change(journal.session, made), made=[made]),
    lambda journal, round_, *_: journal.close(round_, "rejected"),
]
NAMES = ["begin", "send", "settle", "propose", "commit", "close"]


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=NAMES)
def test_g11_a_worker_that_lost_its_lease_writes_nothing(inquiry: Session[Inquiry], attempt: Attempt) -> None:
    old = Journal(inquiry)
    round_, (call,) = begun(old, "gather", "ana")
    Journal(inquiry)
    with nothing_changes(inquiry), pytest.raises(LeaseLost) as caught:
        attempt(old, round_, call, proposes(inquiry, "ana", doubts=1))
    assert (caught.value.code, caught.value.context["retry"]) == ("lease.lost", False)
    assert caught.value.message == "Another worker has taken this branch over"
    assert [item.status for item in old.calls(round_)] == ["sent"]
    assert old.proposals(round_) == []


def test_g11_the_worker_that_took_over_goes_on_with_what_was_recorded(
    own_store: Store, database_url: str
) -> None:
    session = own_store.create(Inquiry(verdict=None))
    with session.transaction("scout", "gather") as tx:
        tx.append("findings", {"text": "The valve was open"})
    to_judging(session)
    _, round_, made = in_review(session)
    with Store.open(database_url) as elsewhere:
        journal = Journal(elsewhere.session(schema=Inquiry))
        assert journal.last_round() == round_
        assert tuple(journal.proposals(round_)) == made
        assert [call.answer for call in journal.calls(round_)] == ["The valve.", "The valve."]
        journal.commit(round_, change(session, made[0]), rules(round_, made, upheld=("ana",)))
    assert session.state.phase == "closed"


def test_g11_a_commit_by_hand_asks_for_no_lease_and_a_round_on_an_older_version_is_not_begun(
    notes: Session[Notes],
) -> None:
    journal = Journal(notes)
    notes.transact(does("set", "a", 1), "ana")
    assert journal.begin("gather", 0, [intent("ana")]) is None
    assert notes.rounds() == []
    assert journal.begin("gather", 1, [intent("ana")]) is not None
