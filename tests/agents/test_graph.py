"""How steps follow each other: edges, loops, resuming, stopping, and graphs that do not fit."""

from __future__ import annotations

from typing import Any

import pytest

from dissensus_agents.errors import GraphError
from dissensus_agents.graph import END, START, AgentGraph
from dissensus_agents.judgement.supervisor import Supervisor
from dissensus_state.errors import DissensusError, Refused
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from panels import Case, agent, cause, kinds, one_step, panel, told, upholds, voice


def finding() -> Any:
    """A step's agent that adds one finding each time it is asked."""
    return agent("scout", {"findings": ["one more"]})


def three_findings(state: Case) -> str:
    return "gather" if len(state.findings) < 3 else "judge"


def loop() -> AgentGraph:
    """Gather three findings, then judge."""
    return (
        AgentGraph(Case)
        .add_step("gather", [finding()], writes={"findings"})
        .add_step("judge", panel("disk"), writes={"verdict"})
        .add_edge("gather", three_findings)
    )


async def test_a_graph_begins_at_its_first_step_and_loops_over_the_state_until_it_ends(
    session: Session[Case],
) -> None:
    result = await loop().run(session)

    assert (result.status, result.rounds, result.version) == ("finished", 4, 4)
    assert [item.step for item in session.rounds()] == ["gather", "gather", "gather", "judge"]


async def test_resuming_a_finished_graph_asks_nobody_and_changes_nothing(session: Session[Case]) -> None:
    graph = loop()
    await graph.run(session)

    again = await graph.run(session)

    assert (again.status, again.rounds, again.version) == ("finished", 0, 4)
    assert len(session.rounds()) == 4


async def test_an_edge_from_the_start_says_where_to_begin(session: Session[Case]) -> None:
    graph = loop().add_edge(START, "judge")

    await graph.run(session)

    assert [item.step for item in session.rounds()] == ["judge"]


async def test_an_edge_from_the_start_may_depend_on_the_state(session: Session[Case]) -> None:
    graph = loop().add_edge(START, lambda state: END if state.note == "" else "gather")

    result = await graph.run(session)

    assert (result.status, result.rounds) == ("finished", 0)


async def test_an_edge_may_lead_to_the_end(session: Session[Case]) -> None:
    graph = one_step(panel("disk")).add_step("never", [finding()], writes={"findings"}).add_edge("judge", END)

    assert (await graph.run(session)).rounds == 1


async def test_a_new_pass_may_start_at_a_step(session: Session[Case]) -> None:
    graph = loop()
    await graph.run(session)

    await graph.run(session, start="judge")

    assert [item.step for item in session.rounds()[4:]] == ["judge"]
    with pytest.raises(GraphError, match="There is no step 'jugde' to start at"):
        await graph.run(session, start="jugde")


async def test_a_round_that_was_left_is_finished_before_a_new_pass_starts(session: Session[Case]) -> None:
    graph = one_step(panel("disk", "net")).add_step("gather", [finding()], writes={"findings"})
    await graph.run(session)

    result = await graph.run(session, start="gather")

    assert (result.status, result.parked, len(session.rounds())) == ("parked", 1, 1)


async def test_a_graph_that_does_not_end_is_stopped_and_the_next_run_goes_on(session: Session[Case]) -> None:
    graph = AgentGraph(Case).add_step("gather", [finding()], writes={"findings"})
    graph.add_edge("gather", "gather")

    with pytest.raises(GraphError, match="stopped after 3 rounds") as raised:
        await graph.run(session, max_rounds=3)
    with pytest.raises(GraphError, match="stopped after 2 rounds"):
        await told(graph, session, max_rounds=2)

    assert "larger max_rounds" in raised.value.next_step
    assert len(session.state.findings) == session.head == 5


def test_two_ways_out_of_one_step_are_refused() -> None:
    with pytest.raises(GraphError, match="The step 'gather' has a way on already") as raised:
        loop().add_edge("gather", "judge")
    assert "one edge with a function of the state" in raised.value.next_step


def test_two_steps_of_one_name_are_refused() -> None:
    with pytest.raises(GraphError, match="There is a step 'judge' already"):
        loop().add_step("judge", panel("x"), writes={"verdict"})


async def test_unknown_steps_and_no_steps_are_named_before_anything_runs(session: Session[Case]) -> None:
    with pytest.raises(GraphError, match="from 'judge' names 'clos', which is no step"):
        await one_step(panel("disk")).add_edge("judge", "clos").run(session)
    with pytest.raises(GraphError, match="from 'jugde' names 'jugde', which is no step"):
        await one_step(panel("disk")).add_edge("jugde", END).run(session)
    with pytest.raises(GraphError, match="The graph has no steps"):
        await AgentGraph(Case).run(session)
    assert session.rounds() == []


async def test_a_function_that_names_no_step_is_an_error_and_loses_nothing(session: Session[Case]) -> None:
    graph = one_step(panel("disk")).add_edge("judge", lambda _: "nowhere")

    with pytest.raises(GraphError, match="The edge from 'judge' leads to 'nowhere', which is no step"):
        await graph.run(session)

    assert session.head == 1
    assert (await one_step(panel("disk")).run(session)).rounds == 0


async def test_a_session_whose_open_round_belongs_to_another_graph_is_refused_by_name(
    session: Session[Case],
) -> None:
    await one_step(panel("disk", "net")).run(session)
    other = AgentGraph(Case).add_step("gather", [finding()], writes={"findings"})

    with pytest.raises(GraphError, match="round 1 was left open at the step 'judge'") as raised:
        await other.run(session)

    assert raised.value.context["round"] == 1
    assert "dissensus rule" in raised.value.next_step


async def test_a_graph_over_a_session_of_another_schema_is_refused_before_anything_runs(
    store: Store,
) -> None:
    from inquiries import Notes

    session = store.create(Notes())

    with pytest.raises(GraphError, match="panels:Case"):
        await one_step(panel("disk")).run(session)

    assert session.rounds() == []


async def test_a_session_that_was_opened_without_its_schema_says_how_to_open_it(
    store: Store, session: Session[Case]
) -> None:
    with pytest.raises(Refused, match="opened without its schema panels:Case"):
        await one_step(panel("disk")).run(store.session(session.name))


async def test_a_disagreement_and_its_ruling_are_told_in_order(session: Session[Case]) -> None:
    graph = one_step(panel("disk", "net"), supervisor=Supervisor(upholds("disk")))

    progress = await told(graph, session)

    assert [kind for kind in kinds(progress) if kind not in {"asked", "answered", "proposed"}] == [
        "round",
        "disagreed",
        "reviewing",
        "ruled",
        "committed",
        "finished",
    ]
    assert all((item.step, item.round) == ("judge", 1) for item in progress[:-1])


async def test_whoever_stops_watching_stops_the_run_and_the_next_one_goes_on(session: Session[Case]) -> None:
    graph = loop()
    stream = graph.stream(session)
    async for progress in stream:
        if progress.kind == "committed":
            break
    await stream.aclose()

    result = await graph.run(session)

    assert (result.status, len(session.state.findings)) == ("finished", 3)
    assert session.verify().versions == session.head + 1


async def test_a_users_error_in_a_model_passes_through_and_the_next_run_goes_on(
    session: Session[Case],
) -> None:
    def breaks(_: Any) -> Any:
        raise ZeroDivisionError("a defect of the user's")

    ana = agent("ana", breaks, cause("disk"))

    with pytest.raises(ZeroDivisionError, match="a defect of the user's"):
        await one_step([ana]).run(session)
    await one_step([ana]).run(session)

    assert session.head == 1
    assert [call.status for call in session.round(1)[2]] == ["unknown", "answered"]


async def test_every_error_of_a_run_knows_its_session(session: Session[Case]) -> None:
    with pytest.raises(DissensusError) as raised:
        await one_step([agent("a", "?", attempts=1)]).run(session)

    assert raised.value.context["session"] == "case"
    assert raised.value.context["step"] == "judge"


def test_a_graph_is_drawn_with_its_edges() -> None:
    drawn = loop().mermaid()

    assert drawn.splitlines()[0] == "flowchart LR"
    assert "start([start]) --> gather" in drawn
    assert "judge --> stop([end])" in drawn
    assert "gather -.-> choice_gather{three_findings}" in drawn


async def test_agents_are_asked_at_once_and_not_one_after_the_other(session: Session[Case]) -> None:
    import asyncio

    arrived = asyncio.Barrier(3)

    async def waits(_: Any) -> Any:
        await asyncio.wait_for(arrived.wait(), 10)
        return cause("disk")

    await one_step([agent(name, waits) for name in "abc"]).run(session)

    assert session.commit_at(1).author == "a+b+c"


async def test_a_prompt_that_raises_stop_iteration_ends_the_run_and_does_not_hang_it(
    session: Session[Case],
) -> None:
    def prompt(_: Any) -> str:
        return next(iter(()))

    with pytest.raises(RuntimeError, match="StopIteration"):
        await one_step([agent("ana", cause("disk"), prompt=prompt)]).run(session)


async def test_a_round_begins_on_the_newest_version_though_this_process_remembers_an_older_one(
    store: Store, session: Session[Case]
) -> None:
    store.session(session.name, Case).transact(lambda tx: tx.set("/documents/metrics", "97 %"), "user")
    ana = agent("ana", cause("disk"), prompt=lambda view: view.part("/documents/metrics"))
    ben = agent("ben", cause("disk"), prompt=lambda view: view.read("documents")["metrics"])

    await one_step([ana, ben]).run(session, start="judge")

    assert session.rounds()[0].base == 1
    assert "97 %" in voice(ana).asked[0].prompt
