"""G7: the worst case of a call is held before it is sent, atomically across all workers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from by_hand import answered, begun, intent
from dissensus_state import blobs, calls, tables
from dissensus_state.calls import Stored
from dissensus_state.errors import BudgetExceeded, Conflict, NotFound, Tampered, ValueRefused
from dissensus_state.journal import Journal
from dissensus_state.records import Account, Budget, Call
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from inquiries import Notes
from tampering import rows

CENT = 10_000_000
"""In nano-USD."""


@pytest.fixture
def dime(store: Store) -> Session[Notes]:
    """A session that may spend ten cents."""
    return store.create(Notes(), budget=Budget(usd="0.10"))


def _sent(session: Session[Notes], *intents: Call) -> Call:
    journal = Journal(session)
    round_, _ = begun(journal, "gather")
    return journal.send(round_, intents)[0]


@pytest.mark.parametrize(
    ("usd", "nano"),
    [(None, None), (2, 2_000_000_000), (0.1, 100_000_000), ("0.000000001", 1), (Decimal("1e-9"), 1), (0, 0)],
)
def test_g07_a_budget_is_kept_to_the_billionth_of_a_dollar(store: Store, usd: Any, nano: int | None) -> None:
    session = store.create(Notes(), budget=Budget(usd=usd))
    assert session.budget == Account(nano, 0, 0, "refuse")
    assert session.budget.left == nano


@pytest.mark.parametrize("usd", [-1, float("nan"), float("inf"), "ten", 1e30])
def test_g07_what_is_no_amount_is_no_budget(usd: Any) -> None:
    with pytest.raises(ValueRefused, match="is no amount of US dollars"):
        Budget(usd=usd)


def test_g07_an_unpriced_call_has_a_policy_and_no_third_one() -> None:
    with pytest.raises(ValueRefused, match="not 'free'"):
        Budget(unpriced="free")  # type: ignore[arg-type]


def test_g07_a_call_holds_its_worst_case_until_its_cost_is_known(dime: Session[Notes]) -> None:
    journal = Journal(dime)
    round_, _ = begun(journal, "gather")
    sent = journal.send(round_, [intent("ana", reserved=4 * CENT), intent("ben", reserved=3 * CENT)])
    assert dime.budget == Account(10 * CENT, 7 * CENT, 0, "refuse")
    journal.settle([answered(sent[0], cost=CENT)])
    assert dime.budget == Account(10 * CENT, 3 * CENT, CENT, "refuse")
    journal.settle([replace(sent[1], status="unknown", cost=None)])
    assert dime.budget == Account(10 * CENT, 0, 4 * CENT, "refuse")
    assert dime.budget.left == 6 * CENT
    assert dime.verify().versions == 1


def test_g07_what_does_not_fit_is_refused_with_what_is_left_and_nothing_is_held(dime: Session[Notes]) -> None:
    journal = Journal(dime)
    round_, _ = begun(journal, "gather")
    journal.settle(
        [answered(call, cost=4 * CENT) for call in journal.send(round_, [intent(reserved=5 * CENT)])]
    )
    with pytest.raises(BudgetExceeded) as caught:
        journal.send(round_, [intent("ben", reserved=4 * CENT), intent("cy", reserved=3 * CENT)])
    error = caught.value
    assert error.message == (
        "The worst case of 2 call(s) is 0.070000 USD, and 0.060000 USD is left of 0.100000 USD "
        "(0.040000 spent, 0.000000 held)"
    )
    assert (error.code, error.exit_code) == ("budget.exceeded", 6)
    assert (error.context["agents"], error.context["left_usd"]) == (["ben", "cy"], 0.06)
    assert [call.agent for call in journal.calls(round_)] == ["ana"]
    assert dime.budget.held == 0


def test_g07_what_is_left_may_be_spent_to_the_last_billionth_and_not_one_more(dime: Session[Notes]) -> None:
    _sent(dime, intent(reserved=10 * CENT - 1))
    with pytest.raises(BudgetExceeded):
        _sent(dime, intent(reserved=2))
    _sent(dime, intent(reserved=1))
    assert dime.budget.left == 0


def test_g07_a_round_whose_first_calls_do_not_fit_is_not_opened(dime: Session[Notes]) -> None:
    with pytest.raises(BudgetExceeded):
        Journal(dime).begin("gather", 0, [intent(reserved=11 * CENT)])
    assert dime.rounds() == []


def test_g07_eight_threads_racing_for_the_last_cent_never_overdraw(dime: Session[Notes]) -> None:
    round_, _ = begun(Journal(dime), "gather")

    def spend(worker: int) -> int:
        for attempt in range(10):
            call = replace(intent(f"agent {worker}", reserved=CENT, attempt=attempt), round=round_.round)
            try:
                with dime.writing() as work:
                    calls.send(work, dime.session_id, [call], Stored())
            except BudgetExceeded:
                return attempt
            assert dime.budget.left is not None
            assert dime.budget.left >= 0
            with dime.writing() as work:
                calls.settle(work, dime.session_id, [answered(call, cost=CENT)])
        return 10

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(spend, range(8))) == 10
    assert dime.budget == Account(10 * CENT, 0, 10 * CENT, "refuse")


def test_g07_a_call_is_settled_once(dime: Session[Notes]) -> None:
    call = _sent(dime, intent(reserved=2 * CENT))
    journal = Journal(dime)
    journal.settle([answered(call, cost=CENT)])
    with pytest.raises(Conflict, match="The call was settled by another worker"):
        journal.settle([answered(call, cost=CENT)])
    assert dime.budget == Account(10 * CENT, 0, CENT, "refuse")


def test_g07_a_session_without_a_budget_counts_what_it_spends(notes: Session[Notes]) -> None:
    call = _sent(notes, intent(reserved=500 * CENT))
    Journal(notes).settle([answered(call, cost=300 * CENT)])
    assert notes.budget == Account(None, 0, 300 * CENT, "allow")
    assert notes.budget.left is None


def test_g07_a_call_is_recorded_with_its_price_its_tokens_and_its_words(notes: Session[Notes]) -> None:
    journal = Journal(notes)
    round_, _ = begun(journal, "gather")
    (sent,) = journal.send(round_, [intent(reserved=CENT)])
    done = answered(sent, "A long answer. " * 5000 + "\x00\N{GRINNING FACE}", cost=None)
    journal.settle([done])
    (stored,) = journal.calls(round_)
    assert replace(stored, request=done.request) == done
    assert stored.sent_at > 0


def test_g07_a_long_piece_of_a_prompt_is_stored_once_for_the_session(notes: Session[Notes]) -> None:
    journal = Journal(notes)
    round_, _ = begun(journal, "gather")
    document = {"text": "The log of the pump. " * 100, "title": "pump.log"}
    for attempt in range(3):
        journal.send(round_, [replace(intent(attempt=attempt), request=[document, {"text": "Why?"}])])
    Journal(notes).send(round_, [replace(intent("ben"), request=[document])])
    stored = [call.request for call in journal.calls(round_)]
    assert len(rows(notes, tables.blobs)) == 1
    assert stored[0][1] == {"text": "Why?"}
    assert {(item[0]["title"], item[0]["blob"]) for item in stored} == {("pump.log", stored[0][0]["blob"])}
    with notes.reading() as work:
        name = blobs.dereference(stored[0][0]["blob"])
        assert blobs.get(work, notes.session_id, name) == document["text"]
        with pytest.raises(NotFound, match="is not stored"):
            blobs.get(work, notes.session_id, b"x" * 32)
    for nothing in ("x", "é"):
        with pytest.raises(Tampered, match="refers to nothing"):
            blobs.dereference(nothing)
