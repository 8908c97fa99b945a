"""G10: a replay asks nobody, rebuilds everything, and names the first thing that differs."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sqlalchemy as sa

from dissensus_agents.agent import Agent
from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.comparators import Exact
from dissensus_agents.judgement.supervisor import Person, Supervisor
from dissensus_agents.messages import Reply
from dissensus_agents.session import settle
from dissensus_state.errors import Diverged
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from dissensus_state.tables import proposals
from judged import judging, muted, prompt, silent, speaking
from panels import Case, Voice, agent, cause, one_step, panel, ruling


async def test_g10_a_replay_rebuilds_every_round_and_asks_nobody(session: Session[Case]) -> None:
    gather = agent("scout", "no json", {"findings": ["one", "two"]})
    graph = judging(speaking).add_step("gather", [gather], writes={"findings"}).add_edge("judge", "gather")
    await graph.run(session)
    quiet = judging(muted).add_step("gather", [Agent("scout", silent("scout"))], writes={"findings"})

    replayed = await quiet.replay(session)

    assert (replayed.versions, replayed.rounds, replayed.answers, replayed.calls) == (3, 2, 5, 0)
    assert replayed.digest == session.replay().digest


async def test_g10_additions_of_agents_in_any_order_of_names_replay_alike(session: Session[Case]) -> None:
    agents = [agent(name, {"findings": [f"{name}'s"]}) for name in ("zoe", "ana", "Mia")]
    await one_step(agents, ["findings"]).run(session)

    quiet = [Agent(name, silent(name)) for name in ("zoe", "ana", "Mia")]

    assert (await one_step(quiet, ["findings"]).replay(session)).rounds == 1


async def test_g10_amendments_retries_parked_and_rejected_rounds_replay_alike(session: Session[Case]) -> None:
    amends = ruling("disk", decision="amend", amendment={"/verdict/detail": "amended"})
    retries = ruling("disk", decision="retry", clarification="Look again")
    rejects = ruling("disk", decision="reject")

    def step(*said: Any, supervisor: Any = None) -> AgentGraph:
        return one_step(panel("disk", "net"), supervisor=supervisor or Supervisor(Voice("chair", *said)))

    await step(retries, amends).run(session)
    await step(rejects).run(session, start="judge")
    person = step(supervisor=Supervisor(Person("jutta")))
    await person.run(session, start="judge")
    settle(session, 4, decision="uphold", author="jutta", reason="", position="A")

    replayed = await person.replay(session)

    assert (replayed.versions, replayed.rounds) == (3, 2)


async def test_g10_an_agent_that_abstained_is_replayed_as_such(session: Session[Case]) -> None:
    from dissensus_agents.errors import ProviderFailed

    graph = one_step(
        [agent("a", cause("disk")), agent("b", ProviderFailed("down")), agent("c", "no json", attempts=2)]
    )
    await graph.run(session)

    assert (await graph.replay(session)).answers == 3


async def differs(graph: AgentGraph, session: Session[Any]) -> Diverged:
    with pytest.raises(Diverged) as raised:
        await graph.replay(session)
    assert raised.value.exit_code == 5
    assert raised.value.context["round"] == 1
    assert raised.value.context["expected"] != raised.value.context["actual"]
    return raised.value


async def test_g10_a_changed_prompt_is_named_with_what_it_was_and_what_it_is(session: Session[Case]) -> None:
    await judging(speaking).run(session)

    def other(view: Any) -> list[Any]:
        return ["What is the reason?", view.part("/documents/log")]

    found = await differs(judging(muted, prompt=other), session)

    assert re.fullmatch(r"request of \w+, attempt 1: parts", found.context["field"])
    assert "What is the cause?" in found.context["expected"]
    assert "What is the reason?" in found.context["actual"]


async def test_g10_another_read_in_the_prompt_is_a_difference(session: Session[Case]) -> None:
    await judging(speaking).run(session)

    def other(view: Any) -> list[Any]:
        view.read("/question")
        return prompt(view)

    found = await differs(judging(muted, prompt=other), session)

    assert found.context["field"].endswith(": reads")
    assert "/question" in found.context["actual"]


async def test_g10_a_changed_role_is_a_difference_in_the_frame_of_the_request(session: Session[Case]) -> None:
    await judging(speaking).run(session)

    found = await differs(judging(muted, role="You read tables."), session)

    assert found.context["field"].endswith("attempt 1: frame")


async def test_g10_a_parse_function_that_reads_something_else_is_a_difference(session: Session[Case]) -> None:
    await judging(speaking).run(session)

    found = await differs(judging(muted, parse=lambda reply: {"verdict": {"cause": reply.text}}), session)

    assert found.context["field"].startswith("proposal of ")
    assert '"Cause: ' in found.context["actual"]


async def test_g10_a_parse_function_that_now_refuses_is_a_difference(session: Session[Case]) -> None:
    await judging(speaking).run(session)

    def refuses(_: Reply) -> dict[str, Any]:
        raise ValueError("nothing here")

    found = await differs(judging(muted, parse=refuses), session)

    assert found.context["field"].startswith("proposal of ")
    assert found.context["actual"] == '"an abstention"'


async def test_g10_a_change_of_who_is_asked_is_a_difference(session: Session[Case]) -> None:
    await one_step(panel("disk", "disk")).run(session)

    assert (await differs(one_step(panel("disk", "disk", "disk")), session)).context["field"] == "agents"
    assert (await differs(one_step(panel("disk")), session)).context["field"] == "agents"
    assert (await differs(AgentGraph(Case), session)).context["field"] == "step"


async def test_g10_a_tampered_proposal_is_named_with_the_recorded_and_the_rebuilt_patch(
    store: Store,
) -> None:
    session = store.create(Case())
    await judging(speaking).run(session)
    forged = '[["set","/verdict",{"cause":"flood","detail":""}]]'
    with session.database.engine.begin() as connection:
        connection.execute(sa.update(proposals).where(proposals.c.agent == "zoe").values(patch=forged))

    found = await differs(judging(muted), session)

    assert found.context["field"] == "proposal of zoe: patch"
    assert "flood" in found.context["expected"]
    assert "disk" in found.context["actual"]


async def test_g10_a_comparator_that_finds_other_sides_is_no_difference_where_the_ruling_stands(
    session: Session[Case],
) -> None:
    await judging(speaking).run(session)

    assert (await judging(muted, comparators={"verdict": Exact()}).replay(session)).rounds == 1


async def test_g10_a_replay_changes_nothing_not_even_where_a_read_is_denied_now(
    session: Session[Case],
) -> None:
    await one_step([agent("a", cause("disk"))]).run(session)
    before = (session.head, session.events(), session.rounds())

    found = await differs(one_step([agent("a", cause("disk"), reads=["/note"], prompt=prompt)]), session)

    assert "/documents/log" in found.context["actual"]
    assert (session.head, session.events(), session.rounds()) == before
