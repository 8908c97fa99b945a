"""G7: the tree of a budget: session, agents and tasks; per day and in total; money, tokens, calls, time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from by_hand import answered, begun, intent
from dissensus_agents.models.prices import Price
from dissensus_state import calls, tables
from dissensus_state.accounts import DAY_MS, Account
from dissensus_state.budgets import Budget, Limits
from dissensus_state.calls import Stored
from dissensus_state.charges import given_up
from dissensus_state.errors import BudgetExceeded, Tampered, ValueRefused
from dissensus_state.journal import Journal
from dissensus_state.records import Call
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from inquiries import Notes
from tampering import changed, rows

CENT = 10_000_000


class Clock:
    """A clock that stands until it is set."""

    def __init__(self, day: int) -> None:
        self.day, self.ms = day, 0

    def __call__(self) -> int:
        """Milliseconds since 1970."""
        return self.day * DAY_MS + self.ms


@pytest.fixture
def clock() -> Clock:
    """It stands at the beginning of a day."""
    return Clock(20_000)


@pytest.fixture
def timed(database_url: str, clock: Clock) -> Iterator[Store]:
    """A store whose days are told by `clock`."""
    with Store.open(database_url, clock=clock) as store:
        yield store


def spends(
    session: Session[Any], agent: str = "ana", cost: int = 0, task: str = "gather", **settled: Any
) -> Call:
    """One call from its intent to its settlement, in a round of its own."""
    journal = Journal(session)
    round_, _ = begun(journal, task)
    held = replace(intent(agent, reserved=max(cost, 2 * CENT)), holds={"tokens": 500, "ms": 1000})
    (sent,) = journal.send(round_, [held])
    done = replace(answered(sent, cost=cost), **settled)
    journal.settle([done])
    return done


def stands(session: Session[Any]) -> dict[str, tuple[int | None, int, int]]:
    """Limit, held and spent of every account."""
    return {one.name: (one.limit, one.held, one.spent) for one in session.accounts}


def test_g07_a_call_is_held_in_every_account_it_falls_under_and_settled_in_each(store: Store) -> None:
    budget = Budget(
        usd=2,
        tokens=10_000,
        calls=50,
        seconds=60,
        per_day=Limits(usd=1),
        agents={"ana": Limits(usd="0.5", calls=20), "ben": Limits(usd="0.1")},
        tasks={"gather": Limits(tokens=1_000)},
    )
    session = store.create(Notes(), budget=budget)
    journal = Journal(session)
    round_, _ = begun(journal, "gather")
    (sent,) = journal.send(
        round_, [replace(intent("ana", reserved=5 * CENT), holds={"tokens": 600, "ms": 9000})]
    )

    assert stands(session) == {
        "total": (200 * CENT, 5 * CENT, 0),
        "agent:ana/calls": (20, 1, 0),
        "agent:ana/usd": (50 * CENT, 5 * CENT, 0),
        "agent:ben/usd": (10 * CENT, 0, 0),
        "task:gather/tokens": (1_000, 600, 0),
        "total/calls": (50, 1, 0),
        "total/ms": (60_000, 9_000, 0),
        "total/tokens": (10_000, 600, 0),
        "total/usd@day": (100 * CENT, 5 * CENT, 0),
    }
    assert journal.calls(round_)[0].holds == sent.holds == {"tokens": 600, "ms": 9000}

    journal.settle([answered(sent, cost=CENT)])

    assert {name: held for name, (_, held, _) in stands(session).items() if held} == {}
    assert {name: spent for name, (_, _, spent) in stands(session).items()} == {
        "total": CENT,
        "agent:ana/calls": 1,
        "agent:ana/usd": CENT,
        "agent:ben/usd": 0,
        "task:gather/tokens": 180,
        "total/calls": 1,
        "total/ms": 420,
        "total/tokens": 180,
        "total/usd@day": CENT,
    }
    assert session.verify().versions == 1
    assert session.limits == replace(
        budget,
        usd=Decimal(2),
        seconds=Decimal(60),
        per_day=Limits(usd=Decimal(1)),
        agents={"ana": Limits(usd=Decimal("0.5"), calls=20), "ben": Limits(usd=Decimal("0.1"))},
    )


FULL = [
    pytest.param(Budget(calls=1), "session: calls", "--calls N", id="calls"),
    pytest.param(Budget(tokens=600), "session: tokens", "--tokens N", id="tokens"),
    pytest.param(Budget(seconds="1.2"), "session: time", "--seconds S", id="time"),
    pytest.param(Budget(per_day=Limits(calls=1)), "session: calls per day", "--calls N --per-day", id="day"),
    pytest.param(
        Budget(agents={"ana": Limits(usd="0.02")}), "agent ana: money", "USD --agent ana", id="agent"
    ),
    pytest.param(
        Budget(tasks={"gather": Limits(per_day=Limits(tokens=600))}),
        "task gather: tokens per day",
        "--tokens N --task gather --per-day",
        id="task",
    ),
]


@pytest.mark.parametrize(("budget", "label", "option"), FULL)
def test_g07_what_does_not_fit_names_the_account_and_what_is_left_and_holds_nothing_anywhere(
    store: Store, budget: Budget, label: str, option: str
) -> None:
    session = store.create(Notes(), budget=replace(budget, usd=9))
    spends(session, cost=CENT)
    before = stands(session)
    with pytest.raises(BudgetExceeded) as caught:
        spends(session, cost=CENT)
    error = caught.value
    assert error.message.startswith(f"{label}: the worst case of 1 call(s) is ")
    assert f"dissensus budget {option}`" in error.next_step
    assert ("Wait until the day ends (UTC)" in error.next_step) == ("per day" in label)
    account = next(one for one in session.accounts if one.label == label)
    assert (error.context["account"], error.context["left"]) == (account.name, account.left)
    assert error.context["agents"] == ["ana"]
    assert stands(session) == before
    assert len(rows(session, tables.calls)) == 1
    other = "ben" if "agent" in label else "ana"
    if "agent" in label or "task" in label:
        spends(session, other, cost=CENT, task="conclude")


def test_g07_the_words_of_a_refusal_are_those_of_its_unit(store: Store) -> None:
    session = store.create(Notes(), budget=Budget(agents={"ana": Limits(per_day=Limits(calls=1))}))
    spends(session)
    with pytest.raises(BudgetExceeded) as caught:
        spends(session)
    assert caught.value.message == (
        "agent ana: calls per day: the worst case of 1 call(s) is 1 call, and 0 calls is left of 1 call "
        "(1 spent, 0 held)"
    )


def test_g07_a_day_begins_anew_at_midnight_utc_and_what_is_held_then_is_held_on(
    timed: Store, clock: Clock
) -> None:
    session = timed.create(Notes(), budget=Budget(per_day=Limits(calls=2)))
    spends(session)
    journal = Journal(session)
    round_, _ = begun(journal, "gather")
    (sent,) = journal.send(round_, [intent("ana")])
    with pytest.raises(BudgetExceeded):
        journal.send(round_, [intent("ben")])
    clock.ms = DAY_MS - 1
    with pytest.raises(BudgetExceeded):
        journal.send(round_, [intent("ben")])

    clock.day, clock.ms = clock.day + 1, 0
    journal.send(round_, [intent("ben")])
    with pytest.raises(BudgetExceeded):
        journal.send(round_, [intent("cy")])
    journal.settle([answered(sent)])
    assert stands(session)["total/calls@day"] == (2, 1, 1)
    assert session.verify().versions == 1


def test_g07_a_clock_that_goes_back_gives_no_day_back(timed: Store, clock: Clock) -> None:
    session = timed.create(Notes(), budget=Budget(per_day=Limits(calls=1)))
    spends(session)
    clock.day -= 1
    with pytest.raises(BudgetExceeded):
        spends(session)


def test_g07_a_soft_limit_warns_once_and_of_each_day_again(timed: Store, clock: Clock) -> None:
    session = timed.create(Notes(), budget=Budget(usd=1, per_day=Limits(calls=2), soft=0.5))
    for _ in range(2):
        spends(session, cost=30 * CENT)
    clock.day += 1
    spends(session, cost=10 * CENT)
    warned = [event.body for event in session.events() if event.kind == "budget.warning"]
    assert [(one["account"], one["spent"], one["soft"], one["limit"]) for one in warned] == [
        ("total/calls@day", 1, 1, 2),
        ("total", 60 * CENT, 50 * CENT, 100 * CENT),
        ("total/calls@day", 1, 1, 2),
    ]
    assert warned[1]["message"] == (
        "session: money: 0.600000 USD of 1.000000 USD spent, past the soft limit of 0.500000 USD"
    )
    session.set_budget(2)
    spends(session, cost=40 * CENT)
    assert [event.body["account"] for event in session.events() if event.kind == "budget.warning"][3:] == [
        "total"
    ]


def test_g07_soft_limits_of_ones_own_need_no_hard_ones(store: Store) -> None:
    session = store.create(Notes(), budget=Budget(soft=Limits(tokens=100)))
    spends(session)
    spends(session)
    (warned,) = [event.body for event in session.events() if event.kind == "budget.warning"]
    assert (warned["label"], warned["limit"], warned["spent"]) == ("session: tokens", None, 180)
    assert session.limits.soft == Limits(tokens=100)


def test_g07_a_limit_that_is_set_later_counts_what_was_spent_before(timed: Store, clock: Clock) -> None:
    session = timed.create(Notes(), budget=Budget(usd=5))
    spends(session, cost=3 * CENT)
    clock.day += 1
    spends(session, cost=2 * CENT)
    spends(session, "ben", cost=CENT, task="conclude")
    journal = Journal(session)
    round_, _ = begun(journal, "gather")
    (flying,) = journal.send(round_, [intent("ana", reserved=4 * CENT)])

    made = replace(
        session.limits,
        tokens=1_000,
        per_day=Limits(usd=1),
        agents={"ana": Limits(usd=1, calls=9)},
        tasks={"gather": Limits(seconds=7)},
        in_flight="return",
    )
    session.set_budget(made)

    assert stands(session) == {
        "total": (500 * CENT, 4 * CENT, 6 * CENT),
        "agent:ana/calls": (9, 1, 2),
        "agent:ana/usd": (100 * CENT, 4 * CENT, 5 * CENT),
        "task:gather/ms": (7_000, 0, 840),
        "total/tokens": (1_000, 0, 540),
        "total/usd@day": (100 * CENT, 4 * CENT, 3 * CENT),
    }
    journal.settle([answered(flying, cost=CENT)])
    assert stands(session)["agent:ana/usd"] == (100 * CENT, 0, 6 * CENT)
    assert stands(session)["total/tokens"] == (1_000, 0, 720)
    assert session.verify().versions == 1
    (told,) = [event.body for event in session.events() if event.kind == "budget"]
    assert told["policy"] == {"unpriced": "refuse", "in_flight": "return"}
    assert told["limits"]["agent:ana/calls"] == {"before": [None, None], "now": [9, None]}

    session.set_budget(Budget(usd=5))
    assert stands(session) == {"total": (500 * CENT, 0, 7 * CENT)}
    assert session.verify().versions == 1


def test_g07_changing_the_money_alone_leaves_everything_else_as_it_is(store: Store) -> None:
    budget = Budget(usd=1, calls=7, soft=0.8, unpriced=Price(Decimal(3), Decimal(9)), in_flight="return")
    session = store.create(Notes(), budget=budget)
    session.set_budget("2.5")
    kept = session.limits
    assert (kept.usd, kept.calls, kept.share, kept.in_flight) == (
        Decimal("2.5"),
        7,
        Decimal("0.8"),
        "return",
    )
    assert kept.terms == {"input": "3", "output": "9"}
    assert session.budget.soft == 200 * CENT
    assert stands(session) == {"total": (250 * CENT, 0, 0), "total/calls": (7, 0, 0)}


@pytest.mark.parametrize("rule", ["charge", "return"])
def test_g11_a_call_in_flight_at_a_crash_is_charged_or_given_back_by_the_rule(
    store: Store, rule: Any
) -> None:
    session = store.create(Notes(), budget=Budget(usd=1, tokens=9_000, seconds=99, calls=9, in_flight=rule))
    journal = Journal(session)
    round_, _ = begun(journal, "gather")
    both = [
        replace(intent(name, reserved=3 * CENT), status=status, holds={"tokens": 700, "ms": 8_000})
        for name, status in (("ana", "sent"), ("ben", "held"))
    ]
    journal.send(round_, both)  # type: ignore[arg-type]

    assert session.budget.in_flight == rule
    gone = [given_up(call, rule) for call in Journal(session).calls(round_)]
    Journal(session).settle(gone)

    assert [(call.status, call.cost) for call in gone] == [
        ("unknown", 3 * CENT if rule == "charge" else 0),
        ("failed", 0),
    ]
    charged = (3 * CENT, 1, 8_000, 700) if rule == "charge" else (0, 1, 0, 0)
    spent = {name: spent for name, (_, held, spent) in stands(session).items() if not held}
    assert spent == dict(zip(("total", "total/calls", "total/ms", "total/tokens"), charged, strict=True))
    assert session.verify().versions == 1


def test_g07_an_answer_that_nobody_counted_to_its_end_is_charged_in_full(store: Store) -> None:
    session = store.create(Notes(), budget=Budget(tokens=9_000, seconds=99))
    spends(session, status="partial", estimated=True, latency_ms=300)
    assert stands(session)["total/tokens"][2] == 500
    spends(session, status="partial", estimated=False, latency_ms=300)
    assert stands(session)["total/tokens"][2] == 680
    assert stands(session)["total/ms"][2] == 600
    assert session.verify().versions == 1


def test_g07_an_answer_that_is_used_again_is_no_call(store: Store) -> None:
    session = store.create(Notes(), budget=Budget(calls=1, tokens=1_000))
    spends(session)
    journal = Journal(session)
    round_, _ = begun(journal, "gather")
    first = replace(intent("ben"), key=b"q" * 32)
    session.set_budget(replace(session.limits, calls=2))
    (sent,) = journal.send(round_, [first])
    journal.settle([answered(sent, cost=CENT)])
    (again,) = journal.send(round_, [replace(intent("cy"), key=b"q" * 32, reserved=9 * CENT)])
    assert (again.status, again.cost, again.reserved, again.answer) == ("answered", 0, 0, "The valve.")
    assert stands(session) == {
        "total": (None, 0, CENT),
        "total/calls": (2, 0, 2),
        "total/tokens": (1000, 0, 360),
    }
    assert session.verify().versions == 1


@pytest.mark.parametrize("account", ["agent:ana/calls", "total/tokens", "total/usd@day"])
@pytest.mark.parametrize("column", ["held", "spent"])
def test_g08_what_an_account_says_and_no_call_explains_is_found(
    store: Store, account: str, column: str
) -> None:
    session = store.create(
        Notes(), budget=Budget(tokens=900, per_day=Limits(usd=1), agents={"ana": Limits(calls=3)})
    )
    spends(session, cost=CENT)
    (row,) = [one for one in rows(session, tables.ledger) if one["account"] == account]
    with (
        changed(session, tables.ledger, row, **{column: row[column] + 2 * CENT}),
        pytest.raises(Tampered, match=r"The ledger says .* the calls add up to"),
    ):
        session.verify()
    for name in ("agent:ana/sighs", "anna", "total/"):
        with changed(session, tables.ledger, row, account=name), pytest.raises(Tampered):
            session.verify()
    (total,) = [one for one in rows(session, tables.ledger) if one["account"] == "total"]
    for policy in ("free", '{"unpriced":"free"}', '{"unpriced":{"input":"x","output":"1"}}', "[]"):
        with changed(session, tables.ledger, total, unpriced=policy), pytest.raises(Tampered):
            session.verify()
    assert session.verify().versions == 1


WRONG: list[dict[str, Any]] = [
    {"calls": -1},
    {"tokens": 1.5},
    {"calls": True},
    {"tokens": 2**63},
    {"seconds": "soon"},
    {"seconds": -1},
    {"soft": 1.5},
    {"soft": 0},
    {"soft": "half"},
    {"in_flight": "forget"},
    {"unpriced": {"input": "1"}},
    {"unpriced": {"input": "1", "output": "nan"}},
    {"per_day": Limits(per_day=Limits(usd=1))},
    {"agents": {"": Limits(usd=1)}},
    {"agents": {"ana": 5}},
    {"agents": {"ana": {"usd": 1}}},
    {"tasks": ["conclude"]},
    {"per_day": 3},
    {"soft": "half"},
]


@pytest.mark.parametrize("given", WRONG, ids=str)
def test_g07_what_is_no_limit_is_refused_when_it_is_written_down(given: dict[str, Any]) -> None:
    with pytest.raises(ValueRefused) as refused:
        Budget(**given)
    assert "Give JSON" not in refused.value.next_step


def test_g07_a_small_soft_limit_is_not_reached_before_its_share(store: Store) -> None:
    session = store.create(Notes(), budget=Budget(calls=1, agents={"ana": Limits(calls=9)}, soft=0.8))
    assert {account.name: account.soft for account in session.accounts if account.unit == "calls"} == {
        "total/calls": 1,
        "agent:ana/calls": 8,
    }


def test_a_session_may_be_begun_with_us_dollars_alone(store: Store) -> None:
    assert store.create(Notes(), budget=2).limits == Budget(usd=2)


def test_g07_eight_threads_racing_in_a_tree_of_limits_never_overdraw_any_nor_wait_in_a_circle(
    store: Store,
) -> None:
    budget = Budget(
        usd="0.30", calls=25, agents={f"agent {n}": Limits(usd="0.05", calls=4) for n in range(8)}
    )
    session = store.create(Notes(), budget=budget)
    round_, _ = begun(Journal(session), "gather")

    def spend(worker: int) -> int:
        chance, made = random.Random(worker), 0
        for attempt in range(12):
            name = f"agent {chance.randrange(8)}"
            call = replace(intent(name, reserved=CENT, attempt=100 * worker + attempt), round=round_.round)
            try:
                with session.writing() as work:
                    (call,) = calls.send(work, session.session_id, [call], Stored())
            except BudgetExceeded:
                continue
            assert all(one.left is None or one.left >= 0 for one in session.accounts)
            with session.writing() as work:
                calls.settle(work, session.session_id, [answered(call, cost=CENT)])
            made += 1
        return made

    with ThreadPoolExecutor(8) as pool:
        made = sum(pool.map(spend, range(8)))
    assert 20 <= made <= 25
    assert all(one.held == 0 and (one.left or 0) >= 0 for one in session.accounts)
    assert session.budget == Account(30 * CENT, 0, made * CENT)
    assert session.verify().versions == 1


@pytest.mark.parametrize("name", ["x" * 2_000, "é" * 600, "a\x00b", "\ud800"])
def test_g13_a_limit_of_a_name_that_no_agent_can_have_is_refused_alike(store: Store, name: str) -> None:
    with pytest.raises(ValueRefused):
        store.create(Notes(), budget=Budget(agents={name: Limits(usd=1)}))
    session = store.create(Notes(), budget=Budget(agents={"ana/ben:cy@day": Limits(calls=3)}))
    spends(session, "ana/ben:cy@day")
    assert stands(session)["agent:ana/ben:cy@day/calls"] == (3, 0, 1)
    with pytest.raises(ValueRefused):
        session.change_budget(lambda now: replace(now, tasks={name: Limits(usd=1)}))
