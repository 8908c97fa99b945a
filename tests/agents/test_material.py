"""What a supervisor is shown of a panel whose prompts were fitted."""

from __future__ import annotations

from dissensus_agents.agent import Agent
from dissensus_agents.context.fits import Newest
from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.supervisor import Review, Supervisor, Verdict
from dissensus_agents.models.scripted import FunctionModel
from dissensus_state.shapes import SharedState
from dissensus_state.store import Store


class Search(SharedState):
    findings: list[str]
    verdict: str = ""


def says(name: str, fit: Newest | None = None) -> Agent:
    return Agent(name, FunctionModel(name, lambda _: {"verdict": name}, lineage=f"{name}/one"), fit=fit)


async def test_what_one_agent_saw_whole_is_not_paid_for_again_as_far_as_it_fitted_another(
    store: Store,
) -> None:
    seen: list[Review] = []

    def chair(review: Review) -> Verdict:
        seen.append(review)
        return Verdict(decision="uphold", position="A", reason="so")

    graph = AgentGraph(Search)
    panel = [says("whole"), says("newest", Newest(tokens=200)), says("fewer", Newest(tokens=150))]
    graph.add_step("judge", panel, writes={"verdict"}, supervisor=Supervisor(chair))
    graph.add_step("again", panel[1:], writes={"verdict"}, supervisor=Supervisor(chair))
    graph.add_edge("judge", "again")
    session = store.create(Search(findings=[f"Room {n} was empty" for n in range(200)]))

    await graph.run(session)

    shown = [[part.shown for part in one.material if part.source == "/findings"] for one in seen]
    assert [len(parts) for parts in shown] == [1, 2]
    assert shown[0] == [None]
    assert (await graph.replay(session)).rounds == 2
