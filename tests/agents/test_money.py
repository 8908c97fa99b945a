"""G7: what a call can cost at most is held before it is sent, and what it did cost is settled after."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from dissensus_agents.errors import ModelFailed, ProviderFailed
from dissensus_agents.judgement.supervisor import Supervisor
from dissensus_agents.messages import Reply, Usage
from dissensus_agents.models.prices import Price, worst_case
from dissensus_state.errors import BudgetExceeded, LeaseLost
from dissensus_state.records import Budget
from dissensus_state.store import Store
from panels import Case, Voice, agent, cause, happened, one_step, panel, ruling, voice

DEAR = Price(Decimal(10), Decimal(30), source="a test", since="2026-01-01")
REPLY = Reply('{"verdict": {"cause": "disk"}}', "m", usage=Usage(input=100, output=20))
COST = 100 * 10_000 + 20 * 30_000
"""What the reply costs, in nano-USD."""


def priced(name: str, *said: Any, price: Price | None = DEAR, **settings: Any) -> Any:
    """An agent whose calls cost something."""
    return agent(name, *(said or (REPLY,)), price=price, max_output_tokens=100, **settings)


async def test_g07_the_worst_case_is_held_while_a_call_is_out_and_its_cost_is_settled(store: Store) -> None:
    session = store.create(Case(), budget=Budget(usd=1))
    held: list[int] = []

    def answer(_: Any) -> Reply:
        held.append(session.budget.held)
        return REPLY

    ana = priced("ana", answer)
    await one_step([ana]).run(session)

    worst = worst_case(DEAR, voice(ana).asked[0])
    (call,) = session.round(1)[2]
    assert (held, call.reserved, call.cost) == ([worst], worst, COST)
    assert worst > COST
    budget = session.budget
    assert (budget.held, budget.spent, budget.left) == (0, COST, 1_000_000_000 - COST)
    assert call.price == {"input": "10", "output": "30", "source": "a test", "since": "2026-01-01"}


async def test_g07_a_round_that_does_not_fit_is_refused_before_anybody_is_asked(store: Store) -> None:
    session = store.create(Case(), budget=Budget(usd="0.015"))
    agents = [priced("a"), priced("b"), priced("c")]

    with pytest.raises(
        BudgetExceeded, match=r"worst case of 3 call\(s\) is 0\.0\d+ USD, and 0\.015000 USD is left"
    ) as raised:
        await one_step(agents).run(session)

    assert (raised.value.exit_code, raised.value.context["left_usd"]) == (6, 0.015)
    assert "dissensus budget" in raised.value.next_step
    assert [len(voice(one).asked) for one in agents] == [0, 0, 0]
    assert (session.rounds(), session.budget.held, session.budget.spent) == ([], 0, 0)


async def test_g07_an_answer_that_is_sent_back_is_reserved_for_again_and_stops_where_it_does_not_fit(
    store: Store,
) -> None:
    ana = priced("ana", "unreadable " * 20)
    await one_step([ana]).compile().aget_graph()
    session = store.create(Case(), budget=Budget(usd="0.04"))

    with pytest.raises(BudgetExceeded, match=r"worst case of 1 call\(s\)"):
        await one_step(
            [
                priced(
                    "ana",
                    "unreadable " * 200,
                )
            ]
        ).run(session)

    assert session.budget.held == 0
    assert 0 < session.budget.spent <= 40_000_000
    assert session.round(1)[0].status == "void"
    assert happened(session, "abstained")[0]["code"] == "budget.exceeded"


async def test_g07_a_call_without_a_price_is_refused_unless_the_session_allows_it(store: Store) -> None:
    session = store.create(Case(), budget=Budget(usd=1))
    ana = priced("ana", price=None)

    with pytest.raises(BudgetExceeded, match="The price of model-of-ana is unknown") as raised:
        await one_step([ana]).run(session)

    assert "unpriced='allow'" in raised.value.next_step
    assert (voice(ana).asked, session.rounds()) == ([], [])


async def test_g14_a_call_without_a_price_that_is_allowed_is_recorded_as_unknown_and_not_as_free(
    store: Store,
) -> None:
    session = store.create(Case(), budget=Budget(usd=1, unpriced="allow"))

    await one_step([priced("ana", price=None)]).run(session)

    (call,) = session.round(1)[2]
    assert (call.cost, call.price) == (None, None)
    assert (session.budget.spent, session.budget.held) == (0, 0)
    assert session.verify().versions == 2


async def test_g07_a_failed_call_gives_back_what_was_held(store: Store) -> None:
    session = store.create(Case(), budget=Budget(usd=1))

    await one_step([priced("a", ProviderFailed("It broke")), agent("b", cause("disk"))]).run(session)

    assert (session.budget.held, session.budget.spent) == (0, 0)
    assert [call.status for call in session.round(1)[2]] == ["failed", "answered"]
    assert session.verify().versions == 2


async def test_g07_a_call_that_broke_off_and_may_have_been_billed_is_charged_and_asked_again(
    store: Store,
) -> None:
    session = store.create(Case(), budget=Budget(usd=1))
    ana = priced("ana", ProviderFailed("It broke off", billed=True), REPLY)

    await one_step([ana]).run(session)

    lost, answered = session.round(1)[2]
    assert (lost.status, answered.status) == ("unknown", "answered")
    assert (session.budget.held, session.budget.spent) == (0, lost.reserved + COST)
    assert session.verify().versions == 2


async def test_g07_calls_that_break_off_again_and_again_are_given_up(store: Store) -> None:
    session = store.create(Case(), budget=Budget(usd=1))
    ana = priced("ana", ProviderFailed("It broke off", billed=True), attempts=2)

    await one_step([ana, agent("ben", cause("disk"))]).run(session)

    calls = [call for call in session.round(1)[2] if call.agent == "ana"]
    assert [call.status for call in calls] == ["unknown"] * 2
    assert session.budget.spent == sum(call.reserved for call in calls)
    assert session.commit_at(1).author == "ben"


async def test_g07_a_supervisor_whose_calls_break_off_again_and_again_is_given_up_until_the_next_run(
    store: Store,
) -> None:
    session = store.create(Case(), budget=Budget(usd=1))
    broken = ProviderFailed("It broke off", billed=True)
    chair = Voice("chair", *[broken] * 2, ruling("disk"), price=DEAR)
    graph = one_step(panel("disk", "net"), supervisor=Supervisor(chair))

    with pytest.raises(ModelFailed, match="It broke off"):
        await graph.run(session)
    assert len(chair.asked) == 2

    await graph.run(session)

    assert session.commit_at(1).author == "a"
    assert session.budget.held == 0


async def test_g07_the_supervisors_call_is_reserved_for_as_well(store: Store) -> None:
    chair = Voice("chair", ruling("disk"), price=DEAR)
    graph = one_step(panel("disk", "net"), supervisor=Supervisor(chair))
    session = store.create(Case(), budget=Budget(usd="0.05"))

    with pytest.raises(BudgetExceeded):
        await graph.run(session)

    assert (chair.asked, session.round(1)[0].status) == ([], "review")
    richer = one_step(panel("disk", "net"), supervisor=Supervisor(Voice("chair", ruling("disk"))))
    await richer.run(session)
    assert session.head == 1


async def test_g07_two_runs_at_once_never_spend_more_than_there_is(store: Store, database_url: str) -> None:
    limit = 20_000_000
    session = store.create(Case(), name="shared", budget=Budget(usd="0.02"))

    async def slow(_: Any) -> Reply:
        await asyncio.sleep(0.01)
        return REPLY

    with Store.open(database_url) as other:
        sessions = [session, other.session("shared", Case)]
        graphs = [one_step([priced("a", slow)]), one_step([priced("a", slow)])]
        results = await asyncio.gather(
            *(graph.run(one) for graph, one in zip(graphs, sessions, strict=True)), return_exceptions=True
        )

    failed = [result for result in results if isinstance(result, BaseException)]
    assert all(isinstance(error, LeaseLost | BudgetExceeded) for error in failed)
    budget = session.budget
    assert budget.held + budget.spent <= limit
    if budget.held:
        await one_step([agent("a", cause("disk"))]).run(session)
    assert session.budget.held == 0
    assert session.budget.spent <= limit
    assert session.verify()


async def test_a_graph_that_is_stopped_for_its_length_has_sent_no_call_that_it_did_not_make(
    store: Store,
) -> None:
    session = store.create(Case(), budget=Budget(usd=1))
    from dissensus_agents.errors import GraphError

    ana = priced("ana")
    graph = one_step([ana]).add_edge("judge", lambda _: "judge")

    with pytest.raises(GraphError, match="stopped after 2 rounds"):
        await graph.run(session, max_rounds=2)

    sent = [call for number in range(1, len(session.rounds()) + 1) for call in session.round(number)[2]]
    assert [call.status for call in sent] == ["answered", "answered"]
    assert (len(voice(ana).asked), session.head, session.budget.held) == (2, 2, 0)
