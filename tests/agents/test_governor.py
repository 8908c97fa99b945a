"""The cost governor: what a step does not pay for, and that the records say so."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from dissensus_agents.agent import Agent
from dissensus_agents.asking import Asker
from dissensus_agents.errors import GraphError, ProviderFailed, RoundVoid
from dissensus_agents.judgement.supervisor import Supervisor
from dissensus_agents.messages import Reply
from dissensus_agents.models.prices import Price
from dissensus_agents.watch.governor import SPARED, Governor
from dissensus_state.budgets import Limits
from dissensus_state.errors import BudgetExceeded, Denied, DissensusError
from dissensus_state.records import Budget
from dissensus_state.store import Store
from inquiries import does
from panels import Case, Voice, agent, cause, happened, kinds, one_step, panel, ruling, told, upholds, voice

PRICE = Price(Decimal(1), Decimal(10))


def asked(agents: list[Agent]) -> list[int]:
    """How often each was asked."""
    return [len(voice(one).asked) for one in agents]


def small(view: Any) -> str | bool:
    """Short questions are trivial."""
    return "the question is short" if len(view.read("question")) < 20 else False


async def test_a_trivial_input_is_for_one_agent_alone_and_the_records_say_who_was_spared(
    store: Store,
) -> None:
    session = store.create(Case())
    agents = panel("disk", "net", "cpu")
    graph = one_step(agents, governor=Governor(trivial=small), quorum=2, hollow_below=1.2)
    progress = await told(graph, session)

    assert asked(agents) == [1, 0, 0]
    assert session.state.verdict.cause == "disk"  # type: ignore[union-attr]
    made = {one.agent: (one.status, (one.detail or {}).get("code")) for one in session.round(1)[1]}
    assert made == {"a": ("accepted", None), "b": ("abstained", SPARED), "c": ("abstained", SPARED)}
    assert [one["agent"] for one in happened(session, "spared")] == ["b", "c"]
    assert happened(session, "spared")[0]["message"] == (
        "It was not asked: the input is trivial: the question is short"
    )
    assert kinds(progress).count("spared") == 2
    assert session.verify().versions == 2
    assert (await graph.replay(session)).rounds == 1


async def test_an_input_that_is_not_trivial_is_for_the_panel(store: Store) -> None:
    session = store.create(Case(question="Why did it stop, and why again so soon after?"))
    agents = panel("disk", "disk", "disk")
    await one_step(agents, governor=Governor(trivial=small)).run(session)
    assert asked(agents) == [1, 1, 1]


async def test_where_the_one_that_is_asked_fails_the_next_one_is_asked(store: Store) -> None:
    session = store.create(Case())
    agents = [agent("a", ProviderFailed("It broke")), *panel("-", "net", "cpu")[1:]]
    await one_step(agents, governor=Governor(trivial=lambda _: True), quorum=3).run(session)
    assert asked(agents) == [1, 1, 0]
    assert [one.status for one in session.round(1)[1]] == ["abstained", "accepted", "abstained"]


async def test_where_all_fail_the_round_is_void_though_only_one_was_needed(store: Store) -> None:
    session = store.create(Case())
    agents = [agent(name, ProviderFailed("It broke")) for name in "abc"]
    with pytest.raises(RoundVoid, match="0 of 3 agents proposed something, and 1 must"):
        await one_step(agents, governor=Governor(trivial=lambda _: True)).run(session)
    assert asked(agents) == [1, 1, 1]


async def test_two_who_disagree_send_the_round_to_review_and_the_rest_is_spared(store: Store) -> None:
    session = store.create(Case())
    agents = panel("disk", "net", "cpu", "fan")
    supervisor = Supervisor(upholds("net"), name="chair")
    graph = one_step(agents, governor=Governor(stop_early=True), supervisor=supervisor)
    await graph.run(session)
    assert asked(agents) == [1, 1, 0, 0]
    assert session.state.verdict.cause == "net"  # type: ignore[union-attr]
    why = "the others disagree already, so that the round is reviewed in any case"
    assert {one["message"] for one in happened(session, "spared")} == {f"It was not asked: {why}"}
    assert session.verify().versions == 2
    assert (await graph.replay(session)).rounds == 1


async def test_agreement_that_is_worth_the_votes_asked_for_is_enough(store: Store) -> None:
    session = store.create(Case())
    agents = panel(*["disk"] * 6)
    await one_step(agents, governor=Governor(stop_early=True), hollow_below=1.6).run(session)
    assert asked(agents) == [1, 1, 1, 0, 0, 0]
    assert "effective votes" in happened(session, "spared")[0]["message"]
    assert session.head == 1


async def test_without_a_number_of_votes_that_is_enough_agreement_asks_everybody(store: Store) -> None:
    agents = panel(*["disk"] * 4)
    await one_step(agents, governor=Governor(stop_early=True)).run(store.create(Case()))
    assert asked(agents) == [1, 1, 1, 1]


async def test_a_quorum_is_reached_before_anybody_is_spared(store: Store) -> None:
    agents = panel("disk", "net", "cpu", "fan")
    graph = one_step(
        agents, governor=Governor(stop_early=True), quorum=3, supervisor=Supervisor(upholds("cpu"), name="c")
    )
    await graph.run(store.create(Case()))
    assert asked(agents) == [1, 1, 1, 0]


MAJORITIES = [
    (("disk", "disk", "disk", "net", "net"), [1, 1, 1, 0, 0]),
    (("disk", "net", "disk", "disk", "net"), [1, 1, 1, 1, 0]),
    (("disk", "net", "net", "disk", "cpu"), [1, 1, 1, 1, 1]),
]


@pytest.mark.parametrize(("said", "expected"), MAJORITIES)
async def test_a_majority_that_the_rest_cannot_turn_is_enough_for_a_supervisor_who_follows_it(
    store: Store, said: tuple[str, ...], expected: list[int]
) -> None:
    agents = panel(*said)
    graph = one_step(
        agents, governor=Governor(stop_early="majority"), supervisor=Supervisor(upholds("disk"), name="c")
    )
    await graph.run(store.create(Case()))
    assert asked(agents) == expected


async def test_waves_are_as_large_as_they_are_made(store: Store) -> None:
    together = {name: asyncio.Barrier(len(wave)) for wave in ("ab", "cde", "fg") for name in [wave]}
    order: list[str] = []

    def waits(name: str) -> Any:
        async def answer(_: Any) -> Reply:
            order.append(name)
            barrier = next(barrier for wave, barrier in together.items() if name in wave)
            await asyncio.wait_for(barrier.wait(), 20)
            return Reply('{"verdict": {"cause": "disk"}}', "m")

        return answer

    agents = [agent(name, waits(name)) for name in "abcdefg"]
    await one_step(agents, governor=Governor(stop_early=True, wave=3)).run(store.create(Case()))
    assert [sorted(order[at:to]) for at, to in ((0, 2), (2, 5), (5, 7))] == [
        list("ab"),
        list("cde"),
        list("fg"),
    ]


async def test_only_those_who_are_asked_first_are_reserved_for(store: Store) -> None:
    agents = [
        Agent(name, Voice(f"m-{name}", cause("disk"), price=PRICE), max_output_tokens=1000) for name in "abc"
    ]
    tight = Budget(usd="0.013")
    with pytest.raises(BudgetExceeded):
        await one_step(agents, quorum=3).run(store.create(Case(), budget=tight))
    session = store.create(Case(), budget=tight)
    await one_step(agents, governor=Governor(trivial=lambda _: True)).run(session)
    assert session.head == 1


async def test_g11_a_round_that_was_stopped_between_its_waves_goes_on_with_what_was_paid_for(
    store: Store,
) -> None:
    session = store.create(Case())
    agents = panel("disk", "disk", "net", "fan", "cpu")
    supervisor = Supervisor(upholds("net"), name="chair")
    governor = Governor(stop_early=True)

    def stop(_: Any) -> Reply:
        raise RuntimeError("the power went")

    broken = [*agents[:2], agent("c", stop), *agents[3:]]
    with pytest.raises(RuntimeError):
        await one_step(broken, governor=governor, supervisor=supervisor).run(session)
    graph = one_step(agents, governor=governor, supervisor=supervisor)
    await graph.run(session)

    assert asked(agents) == [1, 1, 1, 0, 0]
    assert session.state.verdict.cause == "net"  # type: ignore[union-attr]
    assert (await graph.replay(session)).rounds == 1
    assert session.verify().versions == 2


@pytest.mark.parametrize("given", [{"stop_early": "soon"}, {"wave": 0}])
def test_a_governor_that_says_nothing_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(GraphError):
        Governor(**given)


# Answers that are used again

REUSE = Governor(reuse=True)


def twin(name: str, *said: Any, **settings: Any) -> Agent:
    """Agents whose model has one name, so that they ask the same question."""
    return Agent(name, Voice("one-model", *said, **settings), role="analyst")


async def test_a_question_that_was_answered_in_another_session_is_not_asked_again(store: Store) -> None:
    first, again = (twin("ana", cause(said), price=PRICE) for said in ("disk", "net"))
    one = store.create(Case(), name="one", budget=Budget(usd=1))
    two = store.create(Case(), name="two", budget=Budget(usd=0, calls=0))
    await one_step([first], governor=REUSE).run(one)
    graph = one_step([again], governor=REUSE)
    await graph.run(two)

    assert asked([first, again]) == [1, 0]
    assert two.state.verdict.cause == "disk"  # type: ignore[union-attr]
    (call,) = two.round(1)[2]
    assert (call.status, call.cost, call.reserved, call.agent) == ("answered", 0, 0, "ana")
    assert call.detail == {"reused": {"session": "one", "round": 1, "agent": "ana", "attempt": 1}}
    assert [(one.name, one.spent) for one in two.accounts] == [("total", 0), ("total/calls", 0)]
    for session in (one, two):
        assert session.verify().versions == 2
    assert (await graph.replay(two)).answers == 1


@pytest.mark.parametrize("other", ["temperature", "output", "role", "model", "question"])
async def test_a_question_that_differs_in_anything_is_asked(store: Store, other: str) -> None:
    first = Agent("ana", Voice("one-model", cause("disk")), role="analyst")
    settings: dict[str, Any] = {"role": "critic" if other == "role" else "analyst"}
    if other == "temperature":
        settings["temperature"] = 0.5
    if other == "output":
        settings["max_output_tokens"] = 77
    again = Agent("ana", Voice("other" if other == "model" else "one-model", cause("net")), **settings)
    question = "Why did it go on?" if other == "question" else "Why did it stop?"
    await one_step([first], governor=REUSE).run(store.create(Case()))
    await one_step([again], governor=REUSE).run(store.create(Case(question=question)))
    assert asked([first, again]) == [1, 1]


async def test_without_the_governor_two_samples_of_one_model_are_two_questions(store: Store) -> None:
    agents = [twin(name, cause("disk")) for name in ("ana", "ben")]
    await one_step(agents).run(store.create(Case()))
    assert asked(agents) == [1, 1]


async def test_those_who_ask_the_same_at_once_wait_for_one_answer(store: Store) -> None:
    async def slow(_: Any) -> Reply:
        await asyncio.sleep(0.05)
        return Reply('{"verdict": {"cause": "disk"}}', "one-model")

    agents = [twin("ana", slow, price=PRICE) for _ in range(3)]
    sessions = [store.create(Case(), budget=Budget(usd=1, calls=9)) for _ in agents]
    graphs = [one_step([each], governor=REUSE) for each in agents]
    await asyncio.gather(*(graph.run(each) for graph, each in zip(graphs, sessions, strict=True)))

    assert sorted(asked(agents)) == [0, 0, 1]
    calls = [each.round(1)[2][0] for each in sessions]
    (source,) = [each.name for each, call in zip(sessions, calls, strict=True) if not call.detail]
    told = [call.detail["reused"]["session"] for call in calls if call.detail]
    assert told == [source] * 2
    spent = [[(one.held, one.spent) for one in each.accounts] for each in sessions]
    paid = sum(call.cost or 0 for call in calls)
    assert sorted(spent) == [[(0, 0), (0, 0)], [(0, 0), (0, 0)], [(0, paid), (0, 1)]]
    for graph, each in zip(graphs, sessions, strict=True):
        assert each.verify().versions == 2
        assert (await graph.replay(each)).answers == 1


async def test_an_answer_that_is_recorded_between_writing_a_call_down_and_making_it_is_used(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, answered, make = asyncio.Event(), asyncio.Event(), Asker._ask_once

    async def late(self: Asker, departure: Any, *more: Any) -> Any:
        if self._journal.session.name == "two":
            written.set()
            await answered.wait()
        return await make(self, departure, *more)

    monkeypatch.setattr(Asker, "_ask_once", late)
    agents = [twin("ana", cause(said), price=PRICE) for said in ("disk", "net")]
    one, two = (store.create(Case(), name=name, budget=Budget(usd=1)) for name in ("one", "two"))
    second = asyncio.create_task(one_step([agents[1]], governor=REUSE).run(two))
    await written.wait()
    await one_step([agents[0]], governor=REUSE).run(one)
    answered.set()
    await second
    assert asked(agents) == [1, 0]
    (call,) = two.round(1)[2]
    assert (call.status, call.cost) == ("answered", 0)
    assert (call.detail or {})["reused"]["session"] == "one"
    assert (two.budget.held, two.budget.spent) == (0, 0)
    assert two.verify().versions == 2


async def test_where_the_one_that_asks_fails_the_next_one_asks(store: Store) -> None:
    async def broken(_: Any) -> Reply:
        await asyncio.sleep(0.05)
        raise ProviderFailed("It broke")

    agents = [twin("ana", broken), twin("ana", broken), twin("ana", broken)]
    graphs = [one_step([each], governor=REUSE) for each in agents]
    sessions = [store.create(Case()) for _ in agents]
    runs = (graph.run(each) for graph, each in zip(graphs, sessions, strict=True))
    failed = await asyncio.gather(*runs, return_exceptions=True)
    assert [type(one) for one in failed] == [RoundVoid] * 3
    assert asked(agents) == [1, 1, 1]


async def test_an_answer_that_was_redacted_is_not_used_again(store: Store) -> None:
    first, again = twin("ana", cause("canary")), twin("ana", cause("net"))
    one = store.create(Case())
    await one_step([first], governor=REUSE).run(one)
    one.redact("/verdict/cause", author="ana", reason="it is private")
    await one_step([again], governor=REUSE).run(store.create(Case()))
    assert asked([again]) == [1]


async def test_an_answer_whose_round_was_pruned_is_not_used_again(store: Store) -> None:
    first, again = twin("ana", cause("disk")), twin("ana", cause("net"))
    one = store.create(Case())
    await one_step([first], governor=REUSE).run(one)
    for _ in range(2):
        one.transact(does("set", "note", "later"), "ana")
    one.prune(one.plan_prune(3, recordings=True), author="ana")
    await one_step([again], governor=REUSE).run(store.create(Case()))
    assert asked([again]) == [1]


async def test_a_supervising_model_that_saw_the_same_positions_is_not_asked_again(store: Store) -> None:
    chairs = [Voice("chair", ruling("disk")), Voice("chair", ruling("disk"))]
    for chair in chairs:
        await one_step(panel("disk", "net"), supervisor=Supervisor(chair), governor=REUSE).run(
            store.create(Case())
        )
    assert [len(chair.asked) for chair in chairs] == [1, 0]


# Soft limits, policies


async def test_a_run_tells_whoever_watches_of_a_soft_limit_and_goes_on(store: Store) -> None:
    session = store.create(Case(), budget=Budget(usd=1, calls=9, soft=0.2))
    progress = await told(one_step(panel("disk", "disk", "disk")), session)
    (warning,) = [item for item in progress if item.kind == "warning"]
    assert (warning.step, warning.body["account"], warning.body["spent"]) == ("judge", "total/calls", 3)
    assert [event["account"] for event in happened(session, "budget.warning")] == ["total/calls"]
    assert session.head == 1


async def test_g07_a_price_that_is_assumed_is_held_charged_and_recorded_as_assumed(store: Store) -> None:
    dear = Price(Decimal(10), Decimal(30), source="a guess")
    session = store.create(Case(), budget=Budget(usd=1, unpriced=dear))
    agents = [Agent("ana", Voice("m", cause("disk"), price=None), max_output_tokens=100)]
    await one_step(agents).run(session)
    (call,) = session.round(1)[2]
    assert call.price == {"input": "10", "output": "30", "source": "a guess", "assumed": True}
    assert call.cost is not None
    assert call.reserved > call.cost > 0
    assert session.budget.spent == call.cost
    assert session.verify().versions == 2


async def test_g07_an_agent_that_has_used_its_calls_up_abstains_and_the_others_go_on(store: Store) -> None:
    session = store.create(Case(), budget=Budget(agents={"b": Limits(calls=0)}))
    agents = panel("disk", "net", "disk")
    await one_step(agents).run(session)
    assert asked(agents) == [1, 0, 1]
    (silent,) = [one for one in session.round(1)[1] if one.status == "abstained"]
    assert (silent.agent, (silent.detail or {})["code"]) == ("b", "budget.exceeded")
    assert "agent b: calls" in (silent.detail or {})["message"]


async def test_g07_a_call_is_stopped_at_the_time_that_is_held_for_it(store: Store) -> None:
    async def slow(_: Any) -> Reply:
        await asyncio.sleep(20)
        raise AssertionError("nobody stopped it")

    session = store.create(Case(), budget=Budget(seconds=1))
    ana = Agent("ana", Voice("m", slow), attempts=1)
    ana.model.timeout = 0.4  # type: ignore[attr-defined]
    with pytest.raises(DissensusError):
        await one_step([ana]).run(session)
    spent = {one.name: (one.held, one.spent) for one in session.accounts}["total/ms"]
    assert spent[0] == 0
    assert 0 < spent[1] <= 1000


async def test_g06_a_governor_sees_what_its_agent_may_read_and_a_denied_look_is_in_the_history(
    store: Store,
) -> None:
    session = store.create(Case())
    ana = agent("ana", cause("disk"), reads={"question"})
    with pytest.raises(Denied):
        await one_step([ana], governor=Governor(trivial=lambda view: bool(view.read("note")))).run(session)
    assert [event["path"] for event in happened(session, "denied")] == ["/note"]
    assert asked([ana]) == [0]


async def test_a_limit_of_an_agent_or_a_task_that_is_not_in_the_graph_is_told(store: Store) -> None:
    limits = {"ana": Limits(calls=9), "aan": Limits(calls=1)}
    session = store.create(Case(), budget=Budget(agents=limits, tasks={"judeg": Limits(calls=1)}))
    progress = await told(one_step([agent("ana", cause("disk"))]), session)
    told_of = {item.body["account"]: item.body["message"] for item in progress if item.kind == "warning"}
    assert list(told_of) == ["agent:aan", "task:judeg"]
    assert "Did you mean 'ana'?" in told_of["agent:aan"]
