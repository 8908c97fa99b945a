"""A graph runs on a fork as on the session itself: its own rounds, the same money."""

from __future__ import annotations

import asyncio

from dissensus_agents.graph import AgentGraph
from dissensus_state.sessions import Session
from panels import Case, agent, panel


def graph(finding: str, verdict: str) -> AgentGraph:
    """One who looks, and a panel that agrees."""
    return (
        AgentGraph(Case)
        .add_step("gather", [agent("scout", {"findings": [finding]})], writes={"findings"})
        .add_step("judge", panel(verdict), writes={"verdict"})
        .add_edge("gather", "judge")
    )


async def test_an_idea_is_run_on_a_fork_and_merged_once_it_was_good(session: Session[Case]) -> None:
    await graph("on main", "disk").run(session)
    idea = session.fork("idea", 0)

    result = await graph("on idea", "cache").run(idea)

    assert (result.status, result.rounds, idea.head) == ("finished", 2, 2), "it begins at its start"
    again = await graph("on idea", "cache").run(idea)
    assert (again.rounds, idea.head) == (0, 2)
    (conflict,) = session.merge("idea", author="chair").conflicts
    assert (conflict.path, conflict.ours["cause"], conflict.theirs["cause"]) == ("/verdict", "disk", "cache")
    session.settle(conflict.conflict, "theirs", author="chair")
    assert session.merge("idea", author="chair").commit is not None
    assert session.state.verdict == idea.state.verdict
    assert session.blame("/verdict").commit == idea.commit_at(2)
    assert idea.verify().versions == 3


async def test_two_branches_are_run_at_the_same_time(session: Session[Case]) -> None:
    ideas = [session.fork(name) for name in ("one", "two")]

    results = await asyncio.gather(*(graph(f"on {idea.branch}", idea.branch).run(idea) for idea in ideas))

    assert [(result.status, result.rounds) for result in results] == [("finished", 2)] * 2
    assert [item.round for item in session.rounds()] == [1, 2, 3, 4]
    for idea in ideas:
        assert idea.state.verdict is not None
        assert (idea.state.findings, idea.state.verdict.cause) == ([f"on {idea.branch}"], idea.branch)
        idea.verify()
    assert session.head == 0
