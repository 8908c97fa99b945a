"""What disagreement cost, how often a ruling changed the answer, and disputes page by page."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from by_hand import answered, change, intent, proposes, rules
from dissensus_state.contest import Contest, Paid
from dissensus_state.journal import Journal
from dissensus_state.proportions import wilson
from dissensus_state.records import Round
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from inquiries import Notes

PANEL = ("ana", "ben", "cy")


def _told(session: Session[Notes], agents: tuple[str, ...] = PANEL, again_of: Round | None = None) -> Any:
    """A round whose agents have each proposed a text, at a cost of 100 each, and whose chair cost 7."""
    journal = Journal(session)
    opened = journal.begin("write", session.head, [intent(name, reserved=200) for name in agents], again_of)
    assert opened is not None
    round_, sent = opened
    journal.settle([answered(call, cost=100) for call in sent])
    return journal, round_, tuple(proposes(session, name, text=f"by {name}") for name in agents)


def _dispute(*held: tuple[str, ...], path: str = "/text", cause: str = "judgement") -> dict[str, Any]:
    positions = [{"value": f"by {names[0]}", "holders": list(names)} for names in held]
    return {"path": path, "positions": positions, "distance": 1, "cause": cause}


def _ruled(
    session: Session[Notes], disputes: list[dict[str, Any]], decision: Any = "uphold", **said: Any
) -> Round:
    """A round that is reviewed, and settled by a ruling."""
    journal, round_, made = _told(session)
    review = journal.propose(round_, made, {"disagreements": disputes, **said.pop("review", {})})
    (chair,) = journal.send(round_, [intent("chair", reserved=9)])
    journal.settle([answered(chair, cost=7)])
    ruling = rules(review, made, decision, **said)
    if decision in {"uphold", "amend"}:
        winner = next(item for item in made if item.agent in (ruling.upheld or ("ana",)))
        journal.commit(review, change(session, winner, transition=None, reads=()), ruling)
    else:
        status = {"retry": "retried", "reject": "rejected"}[decision]
        journal.close(review, status, ruling)
    return review


def test_what_lost_and_what_was_ruled_is_what_disagreement_cost(store: Store) -> None:
    session = store.create(Notes())
    _ruled(session, [_dispute(("ana",), ("ben", "cy"))], upheld=("ana",), dissent=("ben", "cy"))
    found = session.cost().disagreement
    assert (found.rounds, found.contested) == (1, 1)
    assert (found.losing, found.rulings, found.repeats) == (Paid(2, 200, 0), Paid(1, 7, 0), Paid())
    assert found.total == Paid(3, 207, 0)
    assert (found.ruled, found.changed, found.tied) == (1, 1, 0)


def test_a_ruling_for_the_plurality_changes_nothing(store: Store) -> None:
    session = store.create(Notes())
    _ruled(session, [_dispute(("ana",), ("ben", "cy"))], upheld=("ben",), dissent=("ana",))
    assert (session.cost().disagreement.ruled, session.cost().disagreement.changed) == (1, 0)


def test_where_two_positions_have_as_many_it_is_the_first_name_and_counted(store: Store) -> None:
    session = store.create(Notes())
    _ruled(session, [_dispute(("cy",), ("ana",), ("ben",))], upheld=("ben",), dissent=("ana", "cy"))
    found = session.cost().disagreement
    assert (found.ruled, found.changed, found.tied) == (1, 1, 1)


@pytest.mark.parametrize(("value", "changed"), [("by ana", 0), ("something else", 1)])
def test_an_amendment_changes_the_answer_where_it_says_something_else(
    store: Store, value: str, changed: int
) -> None:
    session = store.create(Notes())
    disputes = [_dispute(("ana", "cy"), ("ben",))]
    journal, round_, made = _told(session)
    review = journal.propose(round_, made, {"disagreements": disputes})
    amendment = proposes(session, "chair", text=value)
    ruling = rules(review, made, "amend", amendment=amendment.patch, dissent=PANEL)
    journal.commit(review, change(session, amendment, transition=None, reads=()), ruling)
    found = session.cost().disagreement
    assert (found.ruled, found.changed) == (1, changed)


def test_a_round_that_asks_a_contested_one_again_is_paid_for_disagreement(store: Store) -> None:
    session = store.create(Notes())
    first = _ruled(session, [_dispute(("ana",), ("ben", "cy"))], "retry", clarification="Quote it")
    journal, again, made = _told(session, ("ana",), first)
    journal.commit(again, change(session, made[0], transition=None, reads=()))
    found = session.cost().disagreement
    assert (found.losing, found.rulings, found.repeats) == (Paid(3, 300, 0), Paid(1, 7, 0), Paid(1, 100, 0))
    assert (found.ruled, found.contested) == (0, 1)


def test_an_agreement_that_is_reviewed_by_chance_is_an_audit(store: Store) -> None:
    session = store.create(Notes())
    _ruled(session, [], upheld=PANEL, review={"audit": True})
    found = session.cost().disagreement
    assert (found.contested, found.audits, found.total) == (0, Paid(1, 7, 0), Paid(1, 7, 0))


def test_the_cost_of_a_session_adds_up_by_model(store: Store) -> None:
    session = store.create(Notes())
    _ruled(session, [_dispute(("ana",), ("ben", "cy"))], upheld=("ana",), dissent=("ben", "cy"))
    spent = session.cost()
    assert spent.total.cost == sum(one.cost for one in spent.agents) == 307
    assert sum(one.calls for one in spent.models) == sum(one.calls for one in spent.days) == 4
    assert "of 1 rounds contested" in str(spent)
    assert spent.as_dict()["disagreement"]["total"]["cost"] == 207


@given(st.integers(0, 50), st.integers(0, 50))
def test_the_interval_holds_the_rate(hits: int, more: int) -> None:
    low, high = wilson(hits, hits + more)
    assert 0 <= low <= (hits / (hits + more) if hits + more else 0.5) <= high <= 1
    assert (
        Contest(1, 1, Paid(), Paid(), Paid(), Paid(), hits + more, hits, 0, low, high).as_dict()["low"] == low
    )


def test_disputes_are_found_by_path_step_cause_and_agent_and_turned_page_by_page(store: Store) -> None:
    session = store.create(Notes())
    for number in range(6):
        path = "/text" if number % 2 else "/anything/deep"
        cause = "judgement" if number < 3 else "missing evidence"
        held = [_dispute(("ana",), ("ben", "cy"), path=path, cause=cause)]
        _ruled(session, held, upheld=("ana",), dissent=("ben", "cy"))
    assert [one.round for one in session.disagreements(path="/anything")] == [1, 3, 5]
    assert [one.round for one in session.disagreements(path="/text", cause="judgement")] == [2]
    assert [one.round for one in session.disagreements(agent="ben", step="write")] == [1, 2, 3, 4, 5, 6]
    assert not session.disagreements(agent="nobody")
    assert not session.disagreements(step="elsewhere")
    assert not session.disagreements(only_open=True)
    seen, after = [], 0
    while True:
        page = session.disagreements(limit=2, after=after, cause="missing evidence")
        seen += [one.round for one in page]
        if page.next is None:
            break
        after = page.next
    assert seen == [4, 5, 6]
