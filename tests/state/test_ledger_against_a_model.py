"""G7: whatever is sent, settled, limited and whatever day it is, the accounts are what a naive model says."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from by_hand import answered, intent
from dissensus_state import ledger
from dissensus_state.accounts import DAY_MS, Account
from dissensus_state.budgets import Budget, Limits
from dissensus_state.charges import given_up
from dissensus_state.errors import BudgetExceeded
from dissensus_state.journal import Journal
from dissensus_state.records import Call, Round
from dissensus_state.store import Store
from inquiries import Notes

AGENTS, TASKS = ("ana", "ben"), ("gather", "conclude")
SMALL = st.integers(0, 20)
AMOUNTS = st.one_of(st.none(), st.integers(10, 150))


def _limits(usd: int | None, tokens: int | None, calls: int | None, ms: int | None) -> Limits:
    return Limits(
        usd=None if usd is None else f"{usd / 1e9:.9f}",
        tokens=tokens,
        calls=calls,
        seconds=None if ms is None else f"{ms / 1e3:.3f}",
    )


PLAIN = st.builds(_limits, AMOUNTS, AMOUNTS, st.one_of(st.none(), st.integers(1, 9)), AMOUNTS)
LIMITS = st.builds(lambda one, day: replace(one, per_day=day), PLAIN, st.one_of(st.none(), PLAIN))
"""Limits as small as what calls come to."""

BUDGETS = st.builds(
    lambda own, agents, tasks: Budget(own.usd, own.tokens, own.calls, own.seconds, own.per_day, "refuse",
                                      agents, tasks),
    LIMITS,
    st.dictionaries(st.sampled_from(AGENTS), LIMITS, max_size=2),
    st.dictionaries(st.sampled_from(TASKS), LIMITS, max_size=2),
)  # fmt: skip

DAILY = Limits(usd="0.0000002", tokens=90, per_day=Limits(usd="0.0000001", calls=5, tokens=60))
BEGINNING = replace(Budget(agents={"ana": DAILY}, tasks={"gather": DAILY}), per_day=DAILY.per_day)


@dataclass
class Known:
    """A call as the naive model keeps it."""

    agent: str
    task: str
    held: dict[str, int]
    spent: dict[str, int] = field(default_factory=dict)
    sent_on: int = 0
    settled_on: int | None = None
    turn: int = 0


class Ledger(RuleBasedStateMachine):
    """One session, its calls, and a clock."""

    def __init__(self) -> None:
        super().__init__()
        self.day = 20_000
        self.store = Store.open("sqlite://", clock=lambda: self.day * DAY_MS)
        self.session = self.store.create(Notes(), budget=BEGINNING)
        self.journal = Journal(self.session)
        self.rounds: dict[str, Round] = {}
        for task in TASKS:
            begun = self.journal.begin(task, 0, [])
            assert begun is not None
            self.rounds[task] = begun[0]
        self.flying: list[tuple[Call, Known]] = []
        self.known: list[Known] = []
        self.opened = {one.name: (self.day, 0) for one in self.session.accounts}
        self.settled = 0
        self.number = 0

    def teardown(self) -> None:
        self.store.close()

    @precondition(lambda self: len(self.known) % 4 == 3)
    @rule(budget=BUDGETS)
    def limit(self, budget: Budget) -> None:
        """Another budget; accounts per day that are new count the calls that were sent today."""
        before = {one.name for one in self.session.accounts}
        self.session.set_budget(budget)
        for one in self.session.accounts:
            if one.name not in before:
                self.opened[one.name] = self.day, self.settled

    @rule(who=st.tuples(st.sampled_from(AGENTS), st.sampled_from(TASKS)), usd=SMALL, n=SMALL)
    def send(self, who: tuple[str, str], usd: int, n: int) -> None:
        """A call, unless the model says that it does not fit."""
        self.number += 1
        agent, task = who
        asked = replace(intent(agent, reserved=usd, attempt=self.number), holds={"tokens": n, "ms": n})
        units = {"usd": usd, "calls": 1, "tokens": n, "ms": n}
        mine = [one for one in self.session.accounts if one.covers(agent, task)]
        fits = all(one.left is None or units[one.unit] <= one.left or not units[one.unit] for one in mine)
        try:
            (sent,) = self.journal.send(self.rounds[task], [asked])
        except BudgetExceeded:
            assert not fits
            return
        assert fits
        held = {"usd": usd, "calls": 1, **(sent.holds or {})}
        one = Known(agent, task, held, sent_on=self.day)
        self.known.append(one)
        self.flying.append((sent, one))

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), how=st.sampled_from(["answered", "charge", "return"]))
    def settle(self, data: st.DataObject, how: Any) -> None:
        """What came of a call: an answer, or a worker that is gone."""
        sent, one = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
        if how == "answered":
            cost = data.draw(st.integers(0, sent.reserved))
            done = replace(answered(sent, cost=cost), input_tokens=3, output_tokens=0, cached_tokens=1)
            done = replace(done, reasoning_tokens=0, latency_ms=2)
            one.spent = {"usd": cost, "calls": 1, "tokens": 4, "ms": 2}
        else:
            done = given_up(sent, how)
            one.spent = {"usd": sent.reserved, "calls": 1, "tokens": 0, "ms": 0, **(sent.holds or {})}
            if how == "return":
                one.spent = {"usd": 0, "calls": 1, "tokens": 0, "ms": 0}
        self.settled += 1
        one.settled_on, one.turn = self.day, self.settled
        self.journal.settle([done])

    @rule()
    def sleep(self) -> None:
        """Another day."""
        self.day += 1

    @invariant()
    def accounts_are_what_the_model_says(self) -> None:
        """Everything held and spent, of every account."""
        for account in self.session.accounts:
            assert (account.held, account.spent) == self._naive(account), account.name
        with self.session.reading() as work:
            ledger.check(work, self.session.session_id)

    def _naive(self, account: Account) -> tuple[int, int]:
        mine = [one for one in self.known if account.covers(one.agent, one.task)]
        held = sum(one.held.get(account.unit, 0) for one in mine if one.settled_on is None)
        done = [one for one in mine if one.settled_on is not None]
        if account.daily:
            opened, turn = self.opened[account.name]
            new = [one for one in done if one.turn > turn and one.settled_on == self.day]
            old = [one for one in done if one.turn <= turn and one.sent_on == opened == self.day]
            done = new + old
        return held, sum(one.spent[account.unit] for one in done)


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
