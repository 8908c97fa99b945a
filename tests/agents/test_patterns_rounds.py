"""Patterns in a round: whom they ask, when they stop, what stands, and that the records say why."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from dissensus_agents.agent import Agent
from dissensus_agents.errors import GraphError, ProviderFailed
from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.ballots import Ballot, Weighed
from dissensus_agents.judgement.supervisor import Supervisor
from dissensus_agents.judgement.verifiers import verifier
from dissensus_agents.messages import Reply
from dissensus_agents.patterns.cascade import Cascade, agree, confident
from dissensus_agents.patterns.plan import Switch
from dissensus_agents.patterns.together import Panel, Parallel
from dissensus_agents.racing import LEFT
from dissensus_agents.watch.governor import SPARED, Governor
from dissensus_state.records import Budget
from dissensus_state.rights import Rights
from dissensus_state.store import Store
from panels import Case, agent, cause, happened, kinds, panel, told, upholds, voice


def step(pattern: Any, **settings: Any) -> AgentGraph:
    return AgentGraph(Case).add_step("judge", pattern, writes={"verdict"}, **settings)


def concluded(session: Any) -> str:
    """The cause that stands in the state."""
    return str(session.state.verdict.cause)


def asked(agents: list[Agent]) -> list[int]:
    return [len(voice(one).asked) for one in agents]


def sure(name: str, said: str, confidence: float | None = None, **more: Any) -> Agent:
    return agent(name, cause(said, confidence=confidence), lineage=f"maker-{name}/one", **more)


def chair(marker: str) -> Supervisor:
    return Supervisor(upholds(marker), name="chair")


async def whole(graph: AgentGraph, session: Any) -> None:
    """What must be so of every round of a pattern: the history verifies, and replays without a call."""
    _, proposals, _, _ = session.round(1)
    assert sorted(item.agent for item in proposals) == sorted(one.name for one in graph.steps["judge"].agents)
    assert session.verify().versions == session.head + 1
    assert (await graph.replay(session)).calls == 0
    assert session.budget.held == 0


async def test_a_switch_is_its_agent_and_another_model_is_one_option(store: Store) -> None:
    ana = sure("ana", "disk")
    graph = step(Switch(ana))
    session = store.create(Case())
    await graph.run(session, models={"ana": lambda _: cause("net")})
    assert concluded(session) == "net"
    assert asked([ana]) == [0]
    assert session.decisions(1) == []


# Parallel


async def test_the_first_good_answer_stands_and_the_others_are_left(store: Store) -> None:
    gone = asyncio.Event()

    async def slow(_: Any) -> Reply:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            gone.set()
            raise
        raise AssertionError

    fast, late = agent("fast", cause("disk")), agent("late", slow)
    session = store.create(Case(), budget=Budget(usd=1))
    graph = step(Parallel([late, fast], take="first"))
    progress = await told(graph, session)

    assert concluded(session) == "disk"
    assert gone.is_set()
    made = {one.agent: (one.status, (one.detail or {}).get("code")) for one in session.round(1)[1]}
    assert made == {"fast": ("accepted", None), "late": ("abstained", LEFT)}
    (left,) = [call for call in session.round(1)[2] if call.agent == "late"]
    assert (left.status, (left.detail or {})["in_flight"]) == ("unknown", "charge")
    assert kinds(progress).count("decided") == 2
    first, last = session.decisions(1)
    assert first["reason"] == "the first good answer stands"
    assert last["chosen"] == ["fast"]
    await whole(graph, session)


async def test_an_answer_that_fails_a_check_is_not_a_good_one(store: Store) -> None:
    @verifier
    def known(proposed: Any, _: Any) -> bool:
        return bool(proposed["/verdict"]["cause"] == "disk")

    async def late(_: Any) -> Reply:
        await asyncio.sleep(0.05)
        return Reply('{"verdict": {"cause": "disk"}}', "m")

    session = store.create(Case())
    graph = step(Parallel([agent("a", cause("net")), agent("b", late)], take="first"), verifiers=[known])
    await graph.run(session)
    assert concluded(session) == "disk"
    (ruling,) = session.round(1)[3]
    assert (ruling.author, ruling.upheld, ruling.dissent) == ("parallel", ("b",), ("a",))
    await whole(graph, session)


async def test_where_none_of_them_is_good_a_person_has_to_rule(store: Store) -> None:
    session = store.create(Case())
    bad = verifier(lambda proposed, _: False, name="never")
    graph = step(Parallel([sure("a", "net"), sure("b", "disk")], take="first"), verifiers=[bad])
    assert (await graph.run(session)).status == "parked"


async def test_a_hedge_asks_the_next_one_only_where_the_first_is_late(store: Store) -> None:
    session, quick = store.create(Case()), [sure("a", "disk"), sure("b", "net")]
    graph = step(Parallel(quick, take="first", hedge=30))
    await graph.run(session)
    assert asked(quick) == [1, 0]
    assert [(call.agent) for call in session.round(1)[2]] == ["a"]
    await whole(graph, session)


async def test_a_hedge_that_is_due_is_recorded_with_the_call_it_led_to(store: Store) -> None:
    async def slow(_: Any) -> Reply:
        await asyncio.sleep(60)
        raise AssertionError

    session = store.create(Case(), budget=Budget(usd=1))
    graph = step(Parallel([agent("a", slow), sure("b", "net"), sure("c", "x")], take="first", hedge=0.05))
    await graph.run(session)
    assert concluded(session) == "net"
    assert [one["chosen"] for one in session.decisions(1)] == [["a", "b", "c"], ["b"], ["b"]]
    assert session.decisions(1)[1]["reason"] == "no answer in 0.05 s"
    await whole(graph, session)


async def test_a_hedge_asks_the_next_one_at_once_where_the_first_fails(store: Store) -> None:
    session = store.create(Case())
    graph = step(Parallel([agent("a", ProviderFailed("It broke")), sure("b", "net")], take="first", hedge=30))
    await asyncio.wait_for(graph.run(session), 20)
    assert concluded(session) == "net"


async def test_the_best_is_the_surest_and_a_rule_upholds_it_over_the_others(store: Store) -> None:
    session = store.create(Case())
    graph = step(Parallel([sure("a", "disk", 0.6), sure("b", "net", 0.9)], take="best"))
    await graph.run(session)
    assert concluded(session) == "net"
    (ruling,) = session.round(1)[3]
    assert (ruling.author, ruling.decision, ruling.dissent) == ("parallel", "uphold", ("a",))
    assert session.decisions(1)[-1]["passed_over"] == [{"what": "a", "why": "it is less likely right"}]
    await whole(graph, session)


async def test_all_of_a_parallel_is_a_step_with_a_plain_list(store: Store) -> None:
    agents = panel("disk", "net")
    session = store.create(Case())
    await step(Parallel(agents), supervisor=chair("net")).run(session)
    assert concluded(session) == "net"
    assert session.decisions(1) == []
    assert session.round(1)[3][0].author == "chair"


# Panel


async def test_a_panel_that_agrees_is_not_grown(store: Store) -> None:
    session, agents = store.create(Case()), panel("disk", "disk", "net")
    graph = step(Panel(agents, grow=True))
    await graph.run(session)
    assert asked(agents) == [1, 1, 0]
    assert "effective votes" in happened(session, "spared")[0]["message"]
    await whole(graph, session)


async def test_a_panel_begins_with_two_of_different_lineage(store: Store) -> None:
    agents = [
        agent("a", cause("disk"), lineage="x/1"),
        agent("b", cause("disk"), lineage="x/1"),
        agent("c", cause("disk"), lineage="y/1"),
    ]
    session = store.create(Case())
    await step(Panel(agents, grow=True)).run(session)
    assert asked(agents) == [1, 0, 1]
    assert session.decisions(1)[0]["chosen"] == ["a", "c"]


GROWN = [
    (("disk", "net", "disk", "cpu", "fan"), [1, 1, 1, 1, 1]),
    (("disk", "net", "disk", "disk", "fan"), [1, 1, 1, 1, 0]),
    (("disk", "net", "net"), [1, 1, 1]),
]


@pytest.mark.parametrize(("said", "expected"), GROWN)
async def test_a_panel_grows_only_while_more_votes_can_change_the_outcome(
    store: Store, said: tuple[str, ...], expected: list[int]
) -> None:
    session, agents = store.create(Case()), panel(*said)
    graph = step(Panel(agents, grow=1), supervisor=chair("net"))
    await graph.run(session)
    assert asked(agents) == expected
    await whole(graph, session)


async def test_one_of_a_panel_that_fails_is_replaced_before_it_is_judged(store: Store) -> None:
    agents = [sure("a", "disk"), agent("b", ProviderFailed("It broke")), sure("c", "disk"), sure("d", "x")]
    session = store.create(Case())
    await step(Panel(agents, grow=True)).run(session)
    assert asked(agents) == [1, 1, 1, 0]


# Cascade


async def test_two_cheap_ones_that_agree_spare_the_dear_one(store: Store) -> None:
    session, agents = store.create(Case()), panel("disk", "disk", "net")
    graph = step(Cascade([Panel(agents[:2]), agents[2]]))
    await graph.run(session)
    assert asked(agents) == [1, 1, 0]
    code = {one.agent: (one.detail or {}).get("code") for one in session.round(1)[1]}
    assert code == {"a": None, "b": None, "c": SPARED}
    first, last = session.decisions(1)
    assert (first["chosen"], last["chosen"]) == (["tier 1"], ["a", "b"])
    assert last["reason"] == "tier 1 settles it: a and b agree"
    await whole(graph, session)


async def test_two_that_disagree_go_up_and_what_the_last_tier_says_is_upheld_over_their_dissent(
    store: Store,
) -> None:
    session, agents = store.create(Case()), panel("disk", "net", "net")
    graph = step(Cascade([Panel(agents[:2]), agents[2]]))
    await graph.run(session)
    assert concluded(session) == "net"
    (ruling,) = session.round(1)[3]
    assert (ruling.author, ruling.upheld, ruling.dissent) == ("cascade", ("b", "c"), ("a",))
    reasons = [one["reason"] for one in session.decisions(1)]
    assert reasons[1:] == ["they disagree: a against b", "tier 2 is the last one"]
    await whole(graph, session)


async def test_one_that_is_not_sure_enough_goes_up(store: Store) -> None:
    for confidence, expected in ((0.9, [1, 0]), (0.5, [1, 1]), (None, [1, 1])):
        agents = [sure("a", "disk", confidence), sure("b", "net", 0.9)]
        session = store.create(Case())
        await step(Cascade(agents, until=confident(0.8))).run(session)
        assert asked(agents) == expected


async def test_a_tier_that_fails_a_check_or_does_not_answer_goes_up(store: Store) -> None:
    known = verifier(lambda proposed, _: proposed["/verdict"]["cause"] == "disk", name="known")
    agents = [sure("a", "net", 0.99), agent("b", ProviderFailed("It broke")), sure("c", "disk", 0.9)]
    session = store.create(Case())
    graph = step(Cascade(agents, until=confident(0.8)), verifiers=[known])
    await graph.run(session)
    assert asked(agents) == [1, 1, 1]
    assert concluded(session) == "disk"
    assert [one["reason"] for one in session.decisions(1)][1:3] == [
        "a failed known",
        "nobody of tier 2 answered",
    ]
    await whole(graph, session)


async def test_a_last_tier_that_does_not_answer_leaves_what_was_too_unsure_to_a_person(store: Store) -> None:
    session = store.create(Case())
    agents = [sure("a", "net", 0.3), agent("b", ProviderFailed("It broke"))]
    result = await step(Cascade(agents, until=confident(0.8))).run(session)
    assert result.status == "parked"
    assert "nobody of tier 2 answered" in (session.round(1)[0].review or {})["unsettled"]


async def test_a_last_tier_that_disagrees_in_itself_goes_to_the_supervisor(store: Store) -> None:
    session, agents = store.create(Case()), panel("disk", "net", "cpu", "fan")
    graph = step(Cascade([Panel(agents[:2]), Panel(agents[2:])]), supervisor=chair("net"))
    await graph.run(session)
    assert concluded(session) == "net"
    assert session.round(1)[3][0].author == "chair"
    await whole(graph, session)


async def test_who_sits_in_two_tiers_is_asked_once(store: Store) -> None:
    agents = [sure("a", "disk", 0.2), sure("b", "disk"), sure("c", "net")]
    session = store.create(Case())
    graph = step(Cascade([agents[0], Panel(agents)], until=confident(0.8)), supervisor=chair("disk"))
    await graph.run(session)
    assert asked(agents) == [1, 1, 1]
    await whole(graph, session)


async def test_a_cascade_of_panels_that_grow(store: Store) -> None:
    agents = panel("disk", "net", "cpu", "net", "net", "fan")
    session = store.create(Case())
    graph = step(Cascade([Panel(agents[:3], grow=True), Panel(agents[3:], grow=True)]))
    await graph.run(session)
    assert asked(agents) == [1, 1, 1, 1, 1, 0]
    assert concluded(session) == "net"
    assert {one.get("at", "") for one in session.decisions(1)} == {"", "1", "2"}
    await whole(graph, session)


def test_a_tier_that_could_never_agree_is_refused() -> None:
    with pytest.raises(GraphError, match="Tier 1 of the cascade is of 1 agent"):
        Cascade([sure("a", "disk"), sure("b", "net")], until=agree())


async def test_a_quorum_is_of_those_who_are_asked(store: Store) -> None:
    agents = panel("disk", "disk", "net")
    session = store.create(Case())
    await step(Cascade([Panel(agents[:2]), agents[2]]), quorum=3).run(session)
    assert session.head == 1


async def test_what_commutes_in_a_parallel_is_all_committed(store: Store) -> None:
    session = store.create(Case())
    agents = [agent(name, {"findings": [name], "tags": ["x", name]}) for name in "ab"]
    graph = AgentGraph(Case).add_step("judge", Parallel(agents), writes={"findings", "tags"})
    await graph.run(session)
    assert session.state.findings == ["a", "b"]
    assert session.state.tags == {"x", "a", "b"}


async def test_models_are_swapped_wherever_their_agents_sit(store: Store) -> None:
    session, agents = store.create(Case()), panel("disk", "net", "net")
    graph = step(Cascade([Panel(agents[:2]), Parallel([agents[2]], take="first")]))
    await graph.run(session, models={"c": lambda _: cause("fan")})
    assert asked(agents) == [1, 1, 0]
    assert concluded(session) == "fan"
    with pytest.raises(GraphError, match="There is no agent 'router' to give a model to"):
        await graph.run(session, models={"router": lambda _: cause("fan")})


async def test_a_trivial_input_is_for_one_agent_of_any_pattern_and_is_judged_once(store: Store) -> None:
    session, judged = store.create(Case()), list[int]()

    def trivial(_: Any) -> str | bool:
        judged.append(1)
        return "it is short" if len(judged) == 1 else False

    def stop(_: Any) -> Reply:
        raise RuntimeError("the power went")

    agents = panel("disk", "net", "net")
    graph = step(Cascade([Panel(agents[:2]), agents[2]]), governor=Governor(trivial=trivial))
    with pytest.raises(RuntimeError):
        await graph.run(session, models={"a": stop})
    await graph.run(session)
    assert judged == [1]
    assert [len(voice(one).asked) for one in agents] == [1, 0, 0]
    assert session.decisions(1)[0]["pattern"] == "trivial"
    assert concluded(session) == "disk"


async def test_where_a_rule_may_not_rule_the_supervisor_does(store: Store) -> None:
    class Ruled(Case):
        """Only the chair may rule."""

        rights = [Rights("chair", read="/", rule="/verdict"), Rights("*", read="/", propose="/verdict")]

    session, agents = store.create(Ruled()), panel("disk", "net", "net")
    graph = AgentGraph(Ruled).add_step(
        "judge", Cascade([Panel(agents[:2]), agents[2]]), writes={"verdict"}, supervisor=chair("disk")
    )
    await graph.run(session)
    assert [one.author for one in session.round(1)[3]] == ["chair"]
    assert concluded(session) == "disk"


class Knows:
    """A weigher that knows how often each model is right."""

    def __init__(self, **right: float) -> None:
        self.right = right

    def weigh(self, ballots: Sequence[Ballot], task: str, options: int | None = None) -> Weighed:
        count = 1 + max((one.position for one in ballots), default=0)
        shares = [0.0] * count
        for one in ballots:
            shares[one.position] = max(shares[one.position], self.right[one.voter.model[-1]])
        known = tuple(share / max(1.0, sum(shares)) for share in shares)
        return Weighed(float(len(ballots)), known, "measured")


async def test_what_the_weigher_knows_counts_more_than_what_agents_say_of_themselves(store: Store) -> None:
    for right, expected in ((0.9, [1, 0]), (0.4, [1, 1])):
        agents = [sure("a", "disk"), sure("b", "net")]
        session = store.create(Case())
        graph = step(Cascade(agents, until=confident(0.8)), weigh=Knows(a=right, b=0.5))
        await graph.run(session)
        assert asked(agents) == expected
        assert f"{right:.2f} by measured weights" in session.decisions(1)[1]["reason"]

    session, agents = store.create(Case()), [sure("a", "disk", 0.99), sure("b", "net", 0.1)]
    await step(Parallel(agents, take="best"), weigh=Knows(a=0.3, b=0.6)).run(session)
    assert concluded(session) == "net"
    (decision,) = session.decisions(1)
    assert decision["reason"] == "b is the likeliest by measured weights"
    assert session.round(1)[3][0].confidence == pytest.approx(0.6)


async def test_a_panel_whose_agreement_is_worth_too_little_is_grown(store: Store) -> None:
    agents = [agent(name, cause("disk"), lineage="one/x") for name in "ab"] + [sure("c", "disk")]
    for bound, expected in ((1.0, [1, 0, 1]), (1.9, [1, 1, 1])):
        fresh = [agent(one.name, cause("disk"), lineage=one.model.lineage) for one in agents]
        session = store.create(Case())
        graph = step(Panel(fresh, grow=True), hollow_below=bound, supervisor=chair("disk"))
        await graph.run(session)
        assert asked(fresh) == expected
