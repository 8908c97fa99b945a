"""Alarms while a graph runs, and weights that follow from what was graded."""

from __future__ import annotations

from typing import Any

import pytest

from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.supervisor import Person, Supervisor
from dissensus_agents.judgement.verifiers import verifier
from dissensus_agents.quality import knowledge, quality, reset, standing
from dissensus_agents.watch.alarms import Alarms
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from panels import Case, agent, cause, happened, kinds, one_step, panel, told, upholds

SOON = Alarms(reference=30, measures={"failed": "rises"})


@verifier
def is_in_the_log(proposed: Any, state: Any) -> bool:
    """The cause is a word of the log."""
    return str(proposed["/verdict"]["cause"]) in state["documents"]["log"]


def worsening(good: int, bad: int) -> AgentGraph:
    """One agent that says something of the log so often, and then something else."""
    said = [cause("disk")] * good + [cause("flood")] * bad
    return AgentGraph(Case, alarms=SOON).add_step(
        "judge",
        [agent("a", *said)],
        writes={"verdict"},
        verifiers=[is_in_the_log],
        supervisor=Supervisor(upholds("")),
    )


async def test_an_alarm_rings_in_the_run_in_which_it_gets_worse_and_once(session: Session[Case]) -> None:
    graph = worsening(40, 40)
    rung = []
    for _ in range(60):
        progress = await told(graph, session, start="judge")
        rung += [item for item in progress if item.kind == "alarm"]
    (one,) = rung
    assert one.round is not None
    assert 40 < one.round < 55
    assert (one.body["model"], one.body["task"], one.body["measure"]) == ("model-of-a", "judge", "failed")
    (event,) = happened(session, "alarm")
    assert event == dict(one.body)


async def test_what_is_graded_after_its_round_rings_with_the_next_run(session: Session[Case]) -> None:
    """So it does for what another run has settled, or one that was killed before it could tell."""
    watched = Alarms(reference=30, measures={"right": "falls"})
    graph = AgentGraph(Case, alarms=watched).add_step(
        "judge", [agent("a", cause("disk"))], writes={"verdict"}
    )
    for number in range(1, 61):
        assert "alarm" not in kinds(await told(graph, session, start="judge"))
        names: dict[str, Any] = {"right" if number <= 40 else "wrong": ["a"]}
        session.grade(number, **names, by="key", basis="reference")
        if quality(session, alarms=watched).alarms:
            break
    (rung,) = [one for one in await told(graph, session, start="judge") if one.kind == "alarm"]
    (event,) = happened(session, "alarm")
    assert event == dict(rung.body)
    assert (event["measure"], event["round"]) == ("right", number)
    assert "alarm" not in kinds(await told(graph, session, start="judge"))


async def test_an_alarm_that_was_reset_may_ring_again(session: Session[Case], store: Store) -> None:
    graph = worsening(40, 60)
    for _ in range(50):
        await graph.run(session, start="judge")
    (alarm,) = quality(store, alarms=SOON).alarms
    reset(store, alarm, by="eva")
    assert quality(store, alarms=SOON).alarms == quality(session, alarms=SOON).alarms == ()
    assert [body["author"] for body in happened(session, "alarm.reset")] == ["eva"]


async def test_a_graph_that_asks_for_no_alarms_looks_for_none(session: Session[Case]) -> None:
    assert "alarm" not in kinds(await told(one_step(panel("disk")), session))


async def graded(session: Session[Case], rounds: int) -> None:
    """Rounds in which a is right and b is wrong, as a known answer says."""
    graph = one_step(
        [agent("a", cause("disk"), lineage="x/one"), agent("b", cause("net"), lineage="y/one")],
        supervisor=Supervisor(upholds("net")),
    )
    for number in range(1, rounds + 1):
        await graph.run(session, start="judge")
        session.grade(number, right=["a"], wrong=["b"], by="key", basis="reference")


async def test_what_was_graded_weighs_in_the_next_run(session: Session[Case]) -> None:
    await graded(session, 6)
    found = knowledge(session)
    assert found.on == 6
    rate = found.accuracy("model-of-a", "judge")
    assert rate is not None
    assert (rate.hits, rate.of) == (6, 6)
    graph = one_step(
        [agent("a", cause("disk"), lineage="x/one"), agent("b", cause("net"), lineage="y/one")],
        supervisor=Supervisor(Person("eva")),
    )
    progress = await told(graph, session, start="judge")
    (disagreed,) = [item for item in progress if item.kind == "disagreed"]
    weighed = disagreed.body["weighed"]
    assert (weighed["basis"], weighed["on"]) == ("measured", 6)
    assert max(weighed["shares"], key=weighed["shares"].get) == "A"


async def test_a_supervisor_has_a_record_of_how_often_it_was_overturned(session: Session[Case]) -> None:
    await graded(session, 3)
    (judge,) = standing(session).judges.values()
    assert (judge.by, judge.held, judge.overturned) == ("rule", 0, 3)
    assert quality(session).judges == (judge,)


async def test_figures_of_a_session_and_of_its_store(session: Session[Case], store: Store) -> None:
    await graded(session, 2)
    other = store.create(Case(), name="other")
    await one_step(panel("disk")).run(other)
    assert quality(store).rounds == 3
    assert quality(session).rounds == 2
    assert quality(store, task="none").models == ()
    (mine,) = quality(store, model="model-of-b").models
    assert (mine.model, mine.right.hits, mine.right.of, mine.dissent.hits) == ("model-of-b", 0, 2, 0)
    (pair,) = quality(store).pairs
    assert (pair.one, pair.other, pair.together.of) == ("model-of-a", "model-of-b", 2)


@pytest.mark.parametrize("since", [0, 10**15])
async def test_only_what_began_since(session: Session[Case], since: int) -> None:
    await graded(session, 1)
    assert quality(session, since=since).rounds == (0 if since else 1)
