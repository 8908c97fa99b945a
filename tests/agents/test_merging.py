"""Proposals to fields that merge in ways of the user's own, from the answers to the commit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dissensus_agents.agent import Agent
from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.supervisor import Review, Supervisor, Verdict
from dissensus_agents.judgement.verifiers import verifier
from dissensus_state.errors import Diverged, SchemaRefused
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from panels import agent, happened
from scores import Best, Scores


@pytest.fixture
def scores(store: Store) -> Session[Scores]:
    """A session in which three scores are kept."""
    session = store.create(Scores())
    with session.transaction("ana") as tx:
        tx.write("best", [5, 3])
    return session


def graph(agents: list[Agent], writes: set[str], **settings: Any) -> AgentGraph:
    return AgentGraph(Scores).add_step("judge", agents, writes=writes, **settings)


async def test_what_a_panel_says_by_a_merge_that_commutes_all_comes_in(scores: Session[Scores]) -> None:
    made = graph([agent("a", {"best": [9]}), agent("b", {"best": [4]})], {"best"})
    await made.run(scores)
    assert scores.state.best == [9, 5, 4]
    assert [item.value for item in scores.log()[0].patch] == [
        {"by": [9], "to": [9, 5, 3]},
        {"by": [4], "to": [9, 5, 4]},
    ]
    assert not happened(scores, "disagreed")
    assert scores.verify().rules_checked
    assert (await made.replay(scores)).rounds == 1


async def test_a_round_is_rebased_over_a_merge_that_it_has_not_seen(scores: Session[Scores]) -> None:
    def overtaking(request: Any) -> dict[str, Any]:
        scores.transact(lambda tx: tx.write("best", [7]), "ben")
        return {"best": [6]}

    await graph([agent("a", overtaking, reads=["/high"])], {"best"}).run(scores)
    assert scores.state.best == [7, 6, 5]
    assert (scores.log()[0].base, scores.log()[0].version) == (1, 3)
    assert scores.verify().rules_checked


async def test_a_panel_disagrees_on_a_merge_whose_order_matters_and_the_ruling_is_kept(
    scores: Session[Scores],
) -> None:
    seen: list[Review] = []

    def chair(review: Review) -> Verdict:
        seen.append(review)
        label = next(one.label for one in review.positions if one.values["/latest"] == ["net"])
        return Verdict(decision="uphold", reason="so", position=label)

    agents = [agent("a", {"latest": ["disk"]}), agent("b", {"latest": ["net"]})]
    await graph(agents, {"latest"}, supervisor=Supervisor(chair)).run(scores)
    assert [sorted(map(json.dumps, (p.value for p in one.positions))) for one in seen[0].disagreements] == [
        ['["disk"]', '["net"]']
    ]
    assert scores.state.latest == ["net"]
    assert [item.status for item in scores.round(1)[1]] == ["dissent", "accepted"]
    assert scores.verify().rules_checked


async def test_an_amendment_is_merged_in_the_fields_own_way(scores: Session[Scores]) -> None:
    def chair(review: Review) -> Verdict:
        return Verdict(decision="amend", reason="so", position="A", amendment={"/latest": ["both"]})

    agents = [agent("a", {"latest": ["disk"]}), agent("b", {"latest": ["net"]})]
    await graph(agents, {"latest"}, supervisor=Supervisor(chair)).run(scores)
    assert scores.state.latest == ["both"]
    assert scores.log()[0].patch[0].value == {"by": ["both"], "to": ["both"], "ordered": True}
    assert scores.verify().rules_checked


async def test_verifiers_see_what_was_given_and_not_how_it_is_stored(scores: Session[Scores]) -> None:
    seen: list[Any] = []

    @verifier
    def looks(proposed: Any, state: Any) -> bool:
        seen.append((dict(proposed), state["best"]))
        return True

    await graph([agent("a", {"best": [9]})], {"best"}, verifiers=[looks]).run(scores)
    assert seen[0] == ({"/best": [9]}, [5, 3])


async def test_a_merge_that_breaks_ends_the_run_and_is_told(scores: Session[Scores]) -> None:
    with pytest.raises(SchemaRefused, match="is broken: it raised KeyError"):
        await graph([agent("a", {"odd": ["break"]})], {"odd"}).run(scores)
    assert scores.head == 1


async def test_g10_a_replay_names_a_merge_that_comes_to_something_else_now(
    scores: Session[Scores], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = graph([agent("a", {"best": [9]})], {"best"})
    await made.run(scores)
    for merge, first, in_round in (
        (lambda *_: [1], "patch", "patch"),
        (lambda *_: ["x"], "admission", "patch"),
    ):
        monkeypatch.setattr(Best, "merge", merge)
        with pytest.raises(Diverged) as caught:
            await made.replay(scores)
        assert (caught.value.context["version"], caught.value.context["field"]) == (1, first)
        found = (await made.replay(scores, every=True)).differences
        assert next(one.field for one in found if one.round == 1) == in_round
