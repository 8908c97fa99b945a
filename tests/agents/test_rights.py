"""G6: an agent reads and writes only what it was given, and a denied attempt is in the history."""

from __future__ import annotations

from typing import Any

import pytest

from dissensus_agents.agent import Agent
from dissensus_agents.errors import GraphError
from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.supervisor import Supervisor
from dissensus_state.errors import Denied, FieldMissing, NotFound
from dissensus_state.sessions import Session
from panels import Case, Voice, agent, cause, happened, one_step, ruling, voice


async def test_g06_an_agent_sees_only_what_it_may_read(session: Session[Case]) -> None:
    ana = agent("ana", cause("disk"), reads=["/documents/log"])
    ben = agent("ben", cause("disk"))

    await one_step([ana, ben]).run(session)

    assert "Why did it stop?" not in voice(ana).asked[0].prompt
    assert "the disk is full" in voice(ana).asked[0].prompt
    assert "Why did it stop?" in voice(ben).asked[0].prompt
    reads = {item.agent: item.reads for item in session.round(1)[1]}
    assert reads["ana"] == ("/documents/log",)
    assert "/question" in reads["ben"]


async def test_g06_a_prompt_that_reads_outside_of_its_paths_is_denied_and_in_the_history(
    session: Session[Case],
) -> None:
    ana = agent("ana", cause("disk"), reads=["/documents"], prompt=lambda view: view.part("/question"))

    with pytest.raises(Denied, match="ana may read /documents") as raised:
        await one_step([ana]).run(session)

    assert (raised.value.exit_code, raised.value.context["path"]) == (16, "/question")
    (denied,) = happened(session, "denied")
    assert (denied["agent"], denied["step"], denied["path"]) == ("ana", "judge", "/question")
    assert (voice(ana).asked, session.rounds(), session.head) == ([], [], 0)


async def test_g06_a_path_above_what_may_be_read_is_denied_too(session: Session[Case]) -> None:
    ana = agent("ana", cause("disk"), reads=["/documents/log"], prompt=lambda view: view.part("/documents"))

    with pytest.raises(Denied, match="Read only the paths below it"):
        await one_step([ana]).run(session)


async def test_g06_what_a_prompt_reads_without_showing_it_is_in_the_read_set(session: Session[Case]) -> None:
    def prompt(view: Any) -> str:
        return "few" if len(view.read("findings")) < 3 else "many"

    await one_step([agent("ana", cause("disk"), prompt=prompt)]).run(session)

    assert session.commit_at(1).reads == ("/findings",)


async def test_g06_a_patch_outside_of_what_the_step_may_write_is_denied_and_in_the_history(
    session: Session[Case],
) -> None:
    ana = agent("ana", {"answers": {"1": "yes", "2": "not asked"}}, attempts=2)

    with pytest.raises(Denied, match="may write /answers/1") as raised:
        await one_step([ana], ["/answers/1"]).run(session)

    assert raised.value.exit_code == 16
    assert [item["path"] for item in happened(session, "denied")] == ["/answers/2", "/answers/2"]
    assert "may write /answers/1" in voice(ana).asked[1].turns[0].objection
    assert (session.state.answers, session.head) == ({}, 0)


async def test_g06_an_agent_that_was_denied_may_mend_its_answer(session: Session[Case]) -> None:
    ana = agent("ana", {"answers": {"1": "yes", "2": "not asked"}}, {"answers": {"1": "yes"}})

    await one_step([ana], ["/answers/1"]).run(session)

    assert session.state.answers == {"1": "yes"}
    assert len(happened(session, "denied")) == 1


async def test_g06_a_step_that_may_write_a_part_of_a_field_leaves_the_rest(session: Session[Case]) -> None:
    with session.transaction("user") as transaction:
        transaction.set("verdict", {"cause": "disk", "detail": "kept"})
    ana = agent("ana", {"verdict": {"cause": "network", "detail": "not mine"}})

    await one_step([ana], ["/verdict/cause"]).run(session)

    assert session.raw()["verdict"] == {"cause": "network", "detail": "kept"}
    assert session.commit_at(2).writes == (("verdict", "cause"),)


async def test_g06_an_amendment_outside_of_what_the_step_may_write_is_sent_back_to_the_chair(
    session: Session[Case],
) -> None:
    outside = ruling("disk", decision="amend", amendment={"/question": "Another?"})
    chair = Voice("chair", outside, ruling("disk"))
    agents = [agent("a", cause("disk")), agent("b", cause("net"))]

    await one_step(agents, supervisor=Supervisor(chair)).run(session)

    assert "may write /verdict, and not /question" in chair.asked[1].turns[0].objection
    assert (session.state.question, session.commit_at(1).author) == ("Why did it stop?", "a")


async def test_a_prompt_that_reads_what_is_not_there_names_the_path(session: Session[Case]) -> None:
    ana = agent("ana", cause("disk"), prompt=lambda view: view.part("/documents/metrics"))

    with pytest.raises(NotFound, match="There is nothing at /documents/metrics"):
        await one_step([ana]).run(session)


def test_a_step_on_a_field_that_the_schema_has_not_is_refused_when_it_is_added() -> None:
    with pytest.raises(FieldMissing) as raised:
        one_step([agent("ana", cause("disk"))], ["verdikt"])
    assert (raised.value.exit_code, raised.value.context["path"]) == (17, "/verdikt")

    with pytest.raises(FieldMissing, match="has the fields question"):
        one_step([agent("ana", cause("disk"), reads=["documnts"])])


def test_a_step_that_writes_what_its_transition_may_not_is_refused_when_it_is_added() -> None:
    from inquiries import Inquiry

    with pytest.raises(GraphError, match="would write /verdict, which its transition 'gather' may not"):
        AgentGraph(Inquiry).add_step("gather", [agent("a", {})], writes={"verdict"})
    with pytest.raises(GraphError, match="takes the transition None; the schema has"):
        AgentGraph(Inquiry).add_step("judge", [agent("a", {})], writes={"verdict"})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"agents": []}, "needs agents with names of their own"),
        ({"agents": ["a", "a"]}, "needs agents with names of their own"),
        ({"agents": ["a"], "writes": []}, "needs something that it may write"),
        ({"agents": ["a"], "quorum": 2}, "has 1 agents, so its quorum cannot be 2"),
        ({"agents": ["a"], "quorum": 0}, "its quorum cannot be 0"),
        ({"agents": ["a"], "name": "a step"}, "'a step' is no name for a step"),
        ({"agents": ["a"], "transition": "gather"}, "declares no transitions"),
    ],
)
def test_a_step_that_cannot_be_run_is_refused_when_it_is_added(
    settings: dict[str, Any], message: str
) -> None:
    settings = {"name": "judge", "writes": ["verdict"], **settings}
    agents = [agent(name, cause("disk")) for name in settings.pop("agents")]
    with pytest.raises(GraphError, match=message) as raised:
        AgentGraph(Case).add_step(agents=agents, **settings)
    assert raised.value.exit_code == 2


def test_an_agent_needs_a_model_and_an_attempt() -> None:
    with pytest.raises(GraphError, match="3 is no model"):
        Agent("a", 3)  # type: ignore[arg-type]
    with pytest.raises(GraphError, match=r"attempts of the agent .* 1 or more, not 0"):
        agent("a", cause("disk"), attempts=0)
