"""Routes and chains: which way is taken, that it is decided once, and what is never shown to whom."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import pytest

from dissensus_agents.agent import Agent
from dissensus_agents.crossing import aside
from dissensus_agents.errors import GraphError, ProviderFailed
from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.supervisor import Supervisor, Verdict
from dissensus_agents.judgement.verifiers import verifier
from dissensus_agents.messages import Reply, Request
from dissensus_agents.models.prices import Price
from dissensus_agents.patterns.asked import Asked, Choice, Option
from dissensus_agents.patterns.cascade import Cascade
from dissensus_agents.patterns.chain import Chain, Link
from dissensus_agents.patterns.complexity import complexity
from dissensus_agents.patterns.route import Route
from dissensus_agents.patterns.routers import by_task, by_value, cheapest, fastest, reliable
from dissensus_agents.patterns.together import Panel
from dissensus_agents.recordings.answering import Recordings, answered_from
from dissensus_agents.recordings.exporting import export_recordings
from dissensus_agents.watch.governor import SPARED
from dissensus_state.budgets import Limits
from dissensus_state.errors import Diverged
from dissensus_state.records import Budget
from dissensus_state.shapes import Append, SharedState
from dissensus_state.store import Store
from panels import Case, Voice, agent, cause, happened, panel, told, voice


def step(pattern: Any, **settings: Any) -> AgentGraph:
    return AgentGraph(Case).add_step("judge", pattern, writes={"verdict"}, **settings)


def concluded(session: Any) -> str:
    """The cause that stands in the state."""
    return str(session.state.verdict.cause)


def asked(agents: list[Agent]) -> list[int]:
    return [len(voice(one).asked) for one in agents]


def two() -> list[Agent]:
    return panel("disk", "net")


def ways(agents: list[Agent], by: Any, **settings: Any) -> Route:
    return Route({"simple": agents[0], "hard": agents[1]}, by=by, **settings)


async def test_a_route_takes_one_way_once_and_says_what_it_passed_over(store: Store) -> None:
    session, agents = store.create(Case()), two()
    seen: list[Asked] = []

    def router(question: Asked) -> Choice:
        seen.append(question)
        return Choice("hard", "it is long", 0.7, {"simple": "too weak"})

    graph = step(ways(agents, router))
    progress = await told(graph, session)
    assert asked(agents) == [0, 1]
    (question,) = seen
    assert question.task == "judge"
    assert "Why did it stop?" in question.question
    assert question.options["simple"].models == ("model-of-a",)
    (decision,) = session.decisions(1)
    assert decision["chosen"] == ["hard"]
    assert (decision["reason"], decision["confidence"]) == ("it is long", 0.7)
    assert decision["passed_over"] == [{"what": "simple", "why": "too weak"}]
    assert [one.body["pattern"] for one in progress if one.kind == "decided"] == ["route"]
    code = {one.agent: (one.detail or {}).get("code") for one in session.round(1)[1]}
    assert code == {"a": SPARED, "b": None}
    assert (await graph.replay(session)).calls == 0


async def test_a_route_whose_decision_today_could_not_be_diverges_when_it_is_replayed(store: Store) -> None:
    session, agents = store.create(Case()), two()
    await step(ways(agents, lambda _: "hard")).run(session)
    other = step(Route({"simple": agents[0], "other": agents[1]}, by=lambda _: "other"))
    with pytest.raises(Diverged) as caught:
        await other.replay(session)
    assert caught.value.context["field"] == "decision of the route"
    with pytest.raises(Diverged, match="decision at the outside"):
        await step(Panel(agents)).replay(session)


async def test_a_route_of_one_way_is_that_way(store: Store) -> None:
    session, agents = store.create(Case()), two()
    await step(Route({"only": agents[0]}, by=lambda _: "nothing of the kind")).run(session)
    assert concluded(session) == "disk"
    assert session.decisions(1)[0]["reason"] == "it is the only option"


async def test_a_router_that_names_no_way_takes_the_default_and_says_so_or_is_an_error(store: Store) -> None:
    agents = two()
    with pytest.raises(GraphError, match="the router named 'x', and the route has no default"):
        await step(ways(agents, lambda _: "x")).run(store.create(Case()))
    session = store.create(Case())
    await step(ways(agents, lambda _: "x", default="simple")).run(session)
    assert session.decisions(1)[0]["reason"] == "the router named 'x'; the default is taken"
    assert asked(agents) == [1, 0]


async def test_the_cheapest_way_is_taken_at_known_prices(store: Store) -> None:
    dear, cheap = Price(Decimal(9), Decimal(9)), Price(Decimal(1), Decimal(1))
    agents = [agent("a", cause("x"), price=dear), agent("b", cause("y"), price=cheap)]
    agents += [agent("c", cause("z"), price=None)]
    session = store.create(Case(), budget=Budget(usd=1, unpriced="allow"))
    route = Route({"dear": agents[0], "cheap": agents[1], "unknown": agents[2]}, by=cheapest())
    await step(route).run(session)
    assert asked(agents) == [0, 1, 0]
    over = {one["what"]: one["why"] for one in session.decisions(1)[0]["passed_over"]}
    assert over["unknown"] == "its price is unknown"
    assert over["dear"].startswith("it can cost $")


async def test_the_fastest_way_is_the_one_whose_models_took_least_time_as_it_is_recorded(
    store: Store,
) -> None:
    from dissensus_agents.messages import Reply

    def takes(milliseconds: int) -> Reply:
        return Reply('{"verdict": {"cause": "x"}}', "m", latency_ms=milliseconds)

    agents = [agent("a", takes(900)), agent("b", takes(20))]
    await step(agents, supervisor=Supervisor(lambda _: Verdict(decision="reject"))).run(store.create(Case()))
    session = store.create(Case())
    await step(ways(agents, fastest())).run(session)
    assert session.decisions(1)[0]["chosen"] == ["hard"]
    assert session.decisions(1)[0]["reason"] == "its models took 0.02 s lately"
    fresh = step(Route({"x": agent("x", cause("x")), "y": agent("y", cause("y"))}, fastest(), default="y"))
    other = store.create(Case())
    with pytest.raises(GraphError):
        await step(Route({"x": agent("n1", cause("x")), "y": agent("n2", cause("y"))}, fastest())).run(other)
    again = store.create(Case())
    await fresh.run(again)
    assert again.decisions(1)[0]["reason"] == "no latency is recorded; the default is taken"


async def test_the_reliable_way_is_the_cheapest_of_those_that_were_as_often_right(store: Store) -> None:
    dear, cheap = Price(Decimal(9), Decimal(9)), Price(Decimal(1), Decimal(1))
    agents = [agent("a", cause("x"), price=dear), agent("b", cause("x"), price=cheap)]
    agents += [agent("c", cause("x"), price=cheap)]
    parts = {"dear": agents[0], "cheap": agents[1], "poor": agents[2], "new": agent("d", cause("x"))}
    session = store.create(Case())
    route = Route(parts, reliable(least=4, within=0.1), default="dear")
    await step(route).run(session)
    assert session.decisions(1)[0]["reason"] == "no way has 4 graded rounds; the default is taken"
    for round_ in range(4):
        taught = store.create(Case())
        await step(agents).run(taught)
        good = ["a", "b"] + ["c"] * (round_ == 0)
        taught.grade(1, right=good, wrong=[] if round_ == 0 else ["c"], basis="reference", by="the key")
    again = store.create(Case())
    await step(route).run(again)
    (decided,) = again.decisions(1)
    assert (decided["chosen"], decided["confidence"]) == (["cheap"], 1.0)
    assert decided["reason"] == "it was right in 4 of 4 graded rounds"
    over = {one["what"]: one["why"] for one in decided["passed_over"]}
    assert over["new"] == "it has 0 graded rounds, and 4 are asked for"
    assert over["poor"] == "it was right 0.25 of the time"
    assert over["dear"] == "it was right 1.00 of the time"
    other = AgentGraph(Case).add_step("another", route, writes={"verdict"})
    elsewhere = store.create(Case())
    await other.run(elsewhere)  # what a model is worth at one task says nothing of another
    assert elsewhere.decisions(1)[0]["chosen"] == ["dear"]


@pytest.mark.parametrize("wrong", [{"least": 0}, {"within": 2}])
def test_a_reliable_way_has_bounds(wrong: dict[str, Any]) -> None:
    with pytest.raises(GraphError, match="least=1 or more"):
        reliable(**wrong)


async def test_a_way_by_task_and_by_a_value_of_the_state(store: Store) -> None:
    for by, expected in (
        (by_task({"judge": "hard"}), "hard"),
        (by_value("note", {"quick": "simple"}), "simple"),
    ):
        session = store.create(Case(note="quick"))
        await step(ways(two(), by)).run(session)
        assert session.decisions(1)[0]["chosen"] == [expected]


@pytest.mark.parametrize(
    ("question", "expected"),
    [("Hi?", "easy"), ("Prove step by step why $x^2 + 3x = 12$ then compare 14 km and 3 hours." * 9, "hard")],
)
async def test_a_way_by_how_hard_the_question_looks(store: Store, question: str, expected: str) -> None:
    agents = [agent(name, cause(name), prompt=lambda view: view.part("question")) for name in "ab"]
    session = store.create(Case(question=question))
    await step(Route({"easy": agents[0], "hard": agents[1]}, by=complexity())).run(session)
    assert session.decisions(1)[0]["chosen"] == [expected]


def test_a_level_whose_way_is_gone_falls_to_the_next_harder_one() -> None:
    ways = ("easy", "middle", "hard")
    router = complexity((0.2, 0.5))
    for left, expected in ((ways, "easy"), (ways[1:], "middle"), (ways[2:], "hard")):
        said = router(Asked("judge", "Hi?", {name: Option(name) for name in left}, ways=ways))
        assert isinstance(said, Choice)
        assert said.option == expected


# A model that routes


def chosen(option: str, **more: Any) -> dict[str, Any]:
    return {"option": option, "reason": "it says so", "confidence": 0.8, **more}


async def test_a_model_routes_by_a_call_that_is_recorded_and_reserved(store: Store) -> None:
    session, agents = store.create(Case(), budget=Budget(usd=1)), two()
    router = Voice("chooser", chosen("hard"), price=Price(Decimal(1), Decimal(1)))
    graph = step(ways(agents, router, default="simple", describe={"hard": "for long questions"}))
    await graph.run(session)
    assert asked(agents) == [0, 1]
    (call,) = [one for one in session.round(1)[2] if one.agent == "router"]
    assert (call.model, call.status) == ("chooser", "answered")
    assert call.cost
    assert session.budget.spent >= call.cost
    assert "hard: for long questions" in router.asked[0].system
    assert "Why did it stop?" in router.asked[0].prompt
    (decision,) = session.decisions(1)
    assert (decision["chosen"], decision["confidence"]) == (["hard"], 0.8)
    assert (await graph.replay(session)).calls == 0
    assert session.verify().versions == 2
    await graph.run(store.create(Case()), models={"router": lambda _: chosen("simple")})
    assert asked(agents) == [1, 1]


@pytest.mark.parametrize("said", ["no JSON at all", chosen("elsewhere"), ProviderFailed("It broke")])
async def test_a_model_that_cannot_choose_is_answered_by_the_default_and_that_is_recorded(
    store: Store, said: Any
) -> None:
    session, agents = store.create(Case()), two()
    router = Voice("chooser", said)
    await step(ways(agents, router, default="simple")).run(session)
    assert asked(agents) == [1, 0]
    assert "the default is taken" in session.decisions(1)[0]["reason"]
    (event,) = happened(session, "defaulted")
    assert (event["seat"], event["option"]) == ("router", "simple")


async def test_a_choice_that_cannot_be_read_is_asked_again_once(store: Store) -> None:
    session, agents = store.create(Case()), two()
    router = Voice("chooser", chosen("elsewhere"), chosen("hard"))
    await step(ways(agents, router, default="simple")).run(session)
    assert asked(agents) == [0, 1]
    assert len(router.asked) == 2
    assert "There is no option 'elsewhere'" in router.asked[1].turns[0].objection


async def test_a_routed_run_is_answered_from_its_recordings_and_its_seat_can_be_limited(
    store: Store, tmp_path: Path
) -> None:
    session, agents = store.create(Case(), budget=Budget(agents={"router": Limits(calls=3)})), two()
    graph = step(ways(agents, Voice("chooser", chosen("hard")), default="simple"))
    progress = await told(graph, session)
    assert [one for one in progress if one.kind == "warning"] == []
    made = export_recordings(session, tmp_path / "told.jsonl")
    again = store.create(Case())
    await answered_from(graph, Recordings.open(made.path)).run(again)
    assert asked(agents) == [0, 1]
    assert again.state == session.state
    assert again.decisions(1) == session.decisions(1)


def test_no_agent_is_called_as_a_seat_that_routes() -> None:
    with pytest.raises(GraphError, match="'router' is the name of the seat that routes"):
        step([agent("router", cause("x"))])


def test_a_model_that_routes_needs_a_default() -> None:
    with pytest.raises(GraphError, match="needs a default"):
        ways(two(), Voice("chooser", chosen("hard")))


async def test_routes_stand_in_routes_and_each_model_that_routes_has_a_seat_of_its_own(store: Store) -> None:
    agents = panel("disk", "net", "cpu")
    inner = Route({"b": agents[1], "c": agents[2]}, by=Voice("second", chosen("c")), default="b")
    outer = Route({"a": agents[0], "deep": inner}, by=Voice("first", chosen("deep")), default="a")
    session = store.create(Case())
    graph = step(outer)
    await graph.run(session)
    assert asked(agents) == [0, 0, 1]
    assert [one.get("at", "") for one in session.decisions(1)] == ["", "deep"]
    seats = {one.agent: one.model for one in session.round(1)[2]}
    assert seats == {"router": "first", "router-2": "second", "c": "model-of-c"}
    assert (await graph.replay(session)).calls == 0


async def test_whoever_stands_on_a_way_not_taken_is_not_said_to_be_spared_by_the_way_that_was(
    store: Store,
) -> None:
    session, agents = store.create(Case()), panel("disk", "disk", "net")
    taken = Cascade([Panel(agents[:2]), agents[2]])
    route = Route(
        {"long": taken, "short": agent("zoe", cause("net"))}, by=lambda _: Choice("long", "it is long")
    )
    await step(route).run(session)
    said = {one["agent"]: one["message"] for one in happened(session, "spared")}
    assert said["zoe"] == "It was not asked: another one was chosen"
    assert "tier 1 settles it" in said[agents[2].name]


async def test_a_route_over_cascades_of_panels(store: Store) -> None:
    agents = panel("disk", "net", "net", "fan")
    hard = Cascade([Panel(agents[:2]), agents[2]])
    session = store.create(Case())
    graph = step(Route({"easy": agents[3], "hard": hard}, by=lambda _: "hard"))
    await graph.run(session)
    assert concluded(session) == "net"
    assert [one["pattern"] for one in session.decisions(1)] == ["route", "cascade", "cascade", "cascade"]
    assert (await graph.replay(session)).calls == 0


# Chains


class Notes(SharedState):
    text: str = "The disk was full at 12:01."
    facts: Annotated[list[str], Append] = []
    verdict: str = ""


def fact(*said: str) -> Agent:
    return agent("finder", *({"facts": [one]} for one in said))


def judge(said: str = "disk") -> Agent:
    return agent("judge", lambda request: {"verdict": f"{said}: {'fact' in request.prompt}"})


def chained(*, finder: Agent | None = None, checks: Any = (), **settings: Any) -> AgentGraph:
    links = [
        Link("extract", finder or fact("a fact"), writes="facts", verifiers=checks),
        Link("judge", judge(), writes={"verdict"}),
    ]
    return AgentGraph(Notes).add_step("triage", Chain(links), **settings)


async def test_a_chain_hands_on_through_the_state_with_a_commit_at_each_joint(store: Store) -> None:
    session = store.create(Notes())
    graph = chained()
    await graph.run(session)
    assert session.state.verdict == "disk: True"
    assert [one.step for one in session.rounds()] == ["triage.extract", "triage.judge"]
    assert session.head == 2
    assert (await graph.replay(session)).rounds == 2
    assert "triage.extract --> triage.judge" in graph.mermaid()


async def test_what_fails_a_check_at_a_joint_is_caught_there_and_not_handed_on(store: Store) -> None:
    known = verifier(lambda proposed, _: "wrong" not in str(proposed), name="known")
    finder = fact("wrong", "a fact")
    session = store.create(Notes())
    graph = chained(
        finder=finder, checks=[known], supervisor=Supervisor(lambda _: Verdict(decision="reject"))
    )
    await graph.run(session)
    assert [(one.step, one.status) for one in session.rounds()] == [("triage.extract", "rejected")]
    assert session.head == 0
    await graph.run(session)  # the next run begins with that link again
    assert [one.step for one in session.rounds()] == ["triage.extract", "triage.extract", "triage.judge"]
    assert session.state.verdict == "disk: True"


async def test_edges_lead_to_chains_and_from_them(store: Store) -> None:
    graph = AgentGraph(Notes)
    graph.add_step("first", agent("first", {"facts": ["a fact of the first"]}), writes="facts")
    graph.add_step("triage", Chain([Link("judge", judge(), writes="verdict")]))
    graph.add_step("last", agent("last", {"facts": ["done"]}), writes="facts")
    graph.add_edge("first", "triage").add_edge("triage", "last")
    session = store.create(Notes())
    await graph.run(session)
    assert [one.step for one in session.rounds()] == ["first", "triage.judge", "last"]


def over_chains(by: Any, **settings: Any) -> AgentGraph:
    long = Chain(
        [Link("extract", fact("a fact"), writes="facts"), Link("judge", judge("long"), writes="verdict")]
    )
    short = agent("quick", {"verdict": "short"})
    graph = AgentGraph(Notes)
    graph.add_step("answer", Route({"short": short, "long": long}, by=by, **settings), writes="verdict")
    graph.add_step("last", agent("last", {"facts": ["done"]}), writes="facts")
    return graph.add_edge("answer", "last")


async def test_a_route_over_chains_is_decided_between_rounds_and_the_decision_stands_in_the_history(
    store: Store,
) -> None:
    for choice, steps in (
        ("long", ["answer.long.extract", "answer.long.judge", "last"]),
        ("short", ["answer.short", "last"]),
    ):
        session = store.create(Notes())
        graph = over_chains(lambda asked, choice=choice: Choice(choice, f"of {sorted(asked.options)}"))
        progress = await told(graph, session)
        assert [one.step for one in session.rounds()] == steps
        (decision,) = session.decisions()
        assert decision["chosen"] == [choice]
        assert (decision["route"], decision["after"]) == ("answer", 0)
        assert decision["reason"] == "of ['long', 'short']"
        assert [one.step for one in progress if one.kind == "decided"] == ["answer"]
        assert (await graph.replay(session)).rounds == len(steps)


async def test_a_route_over_chains_that_was_decided_is_not_decided_again(store: Store) -> None:
    session = store.create(Notes())

    def dies(_: Request) -> Any:
        raise RuntimeError("the power went")

    graph = over_chains(lambda _: "long")
    with pytest.raises(RuntimeError):
        await graph.run(session, models={"finder": dies}, max_rounds=9)
    again = over_chains(lambda _: "short")
    await again.run(session)
    assert [one.step for one in session.rounds()] == ["answer.long.extract", "answer.long.judge", "last"]
    assert len(session.decisions()) == 1


async def test_a_decision_after_which_nothing_was_begun_is_read_back(store: Store) -> None:
    session = store.create(Notes())
    graph = over_chains(lambda _: "long")
    run = await graph._begin(session, 9)
    run.emit = lambda _: None
    assert await aside(graph._entry, run, None) == "answer.long.extract"
    await over_chains(lambda _: "short").run(session)
    assert session.rounds()[0].step == "answer.long.extract"


def test_chains_are_drawn() -> None:
    drawn = over_chains(lambda _: "long").mermaid()
    assert 'answer{"answer"}' in drawn
    assert "answer -->|long| answer.long.extract" in drawn
    assert "answer.long.judge --> last" in drawn
    assert "start([start]) --> answer" in drawn
    patterned = step(Cascade([Panel(two()), panel("x", "y", "z")[2]])).mermaid()
    assert 'judge["judge<br/>panel of a, b ⇒ c"]' in patterned


def test_a_chain_cannot_stand_where_one_round_is_needed() -> None:
    chain = Chain([Link("one", judge(), writes="verdict")])
    with pytest.raises(GraphError, match="neither an agent nor a pattern"):
        Panel([judge(), chain])  # type: ignore[list-item]
    with pytest.raises(GraphError, match="a model cannot choose among them"):
        over_chains(Voice("chooser", chosen("long")), default="long")
    with pytest.raises(GraphError, match=r"'a\.b' is no name"):
        AgentGraph(Notes).add_step("x", Chain([Link("a.b", judge(), writes="verdict")]))
