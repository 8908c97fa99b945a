"""A step of ours as a node of the user's own LangGraph graph."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, TypedDict

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph

from dissensus_agents.errors import GraphError, RoundParked
from dissensus_agents.graph import AgentGraph
from dissensus_agents.session import settle
from dissensus_state.sessions import Session
from panels import Case, agent, cause, one_step, panel


class Ids(TypedDict, total=False):
    """The state of the user's graph: nothing of ours."""

    session: str
    visits: int


def users_graph(ours: AgentGraph, session: Session[Any], checkpointer: Any = None) -> Any:
    builder: Any = StateGraph(Ids)
    builder.add_node("before", lambda state: {"visits": state.get("visits", 0) + 1})
    for step in ours.steps:
        builder.add_node(step, ours.node(step, session))
    line = [START, "before", *ours.steps, END]
    for one, other in pairwise(line):
        builder.add_edge(one, other)
    return builder.compile(checkpointer=checkpointer)


def two_steps() -> AgentGraph:
    gather = agent("scout", {"findings": ["one more"]})
    return one_step(panel("disk", "disk")).add_step("gather", [gather], writes={"findings"})


async def test_steps_run_as_nodes_of_a_users_graph_and_leave_its_state_alone(session: Session[Case]) -> None:
    graph = users_graph(two_steps(), session)

    result = await graph.ainvoke({"session": session.name})

    assert result == {"session": "case", "visits": 1}
    assert (session.head, session.state.findings) == (2, ["one more"])
    assert [item.step for item in session.rounds()] == ["judge", "gather"]


async def test_a_node_runs_under_a_users_checkpointer_as_often_as_it_is_visited(
    session: Session[Case],
) -> None:
    graph = users_graph(two_steps(), session, InMemorySaver())
    thread = {"configurable": {"thread_id": "1"}}

    first = await graph.ainvoke({"session": session.name}, thread)
    second = await graph.ainvoke({"session": session.name}, thread)

    assert (first["visits"], second["visits"]) == (1, 2)
    assert session.state.findings == ["one more", "one more"]
    assert session.head == 4
    saved = [item.values async for item in graph.aget_state_history(thread)]
    assert all(set(values) <= {"session", "visits"} for values in saved)


async def test_a_parked_round_stops_the_users_graph_and_it_goes_on_after_the_ruling(
    session: Session[Case],
) -> None:
    ours = one_step(panel("disk", "net"))
    graph = users_graph(ours, session, InMemorySaver())
    thread = {"configurable": {"thread_id": "1"}}

    with pytest.raises(RoundParked) as raised:
        await graph.ainvoke({"session": session.name}, thread)

    assert (raised.value.exit_code, raised.value.context["round"]) == (20, 1)
    assert "dissensus rule" in raised.value.next_step
    settle(session, 1, decision="uphold", author="jutta", reason="", position="A")
    assert session.head == 1


async def test_a_round_of_another_step_of_the_graph_that_was_left_is_finished_first(
    session: Session[Case],
) -> None:
    class Stopped(RuntimeError):
        pass

    def stops(_: Any) -> None:
        raise Stopped

    ours = AgentGraph(Case)
    ours.add_step("gather", [agent("scout", {"findings": ["one more"]})], writes={"findings"})
    ours.add_step("judge", [agent("a", stops, cause("disk"))], writes={"verdict"})
    with pytest.raises(Stopped):
        await users_graph(ours, session).ainvoke({})

    await users_graph(ours, session).ainvoke({})

    assert session.raw()["verdict"] == {"cause": "disk", "detail": ""}
    assert [item.status for item in session.rounds()].count("open") == 0


def test_a_node_of_a_step_that_is_not_there_names_those_that_are(session: Session[Case]) -> None:
    with pytest.raises(GraphError, match="There is no step 'jugde'; there are: judge, gather"):
        two_steps().node("jugde", session)
