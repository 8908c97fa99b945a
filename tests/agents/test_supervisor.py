"""What a supervisor may decide, and what becomes of the round then."""

from __future__ import annotations

from typing import Any

import pytest

from dissensus_agents.errors import RoundVoid, WrongType
from dissensus_agents.graph import END, AgentGraph
from dissensus_agents.judgement.supervisor import Person, Review, Supervisor, Verdict
from dissensus_state.errors import NotFound
from dissensus_state.sessions import Session
from panels import Case, Voice, agent, cause, happened, kinds, one_step, panel, ruling, told, upholds, voice


@pytest.fixture(params=["model", "function"])
def chair(request: pytest.FixtureRequest) -> Any:
    """Makes a supervisor, of either kind, that rules so on the position with this text."""

    def make(marker: str, **verdict: Any) -> Supervisor:
        if request.param == "function":
            return Supervisor(upholds(marker, **verdict), name="chair")
        return Supervisor(Voice("chair", ruling(marker, **verdict)))

    return make


async def test_what_the_supervisor_upholds_is_committed_and_the_rest_is_dissent(
    session: Session[Case], chair: Any
) -> None:
    graph = one_step(panel("disk", "net", "net"), supervisor=chair("disk", cause="missing_evidence"))

    await graph.run(session)

    round_, proposals, _, (given,) = session.round(1)
    assert session.state.verdict is not None
    assert session.state.verdict.cause == "disk"
    assert session.commit_at(1).author == "a"
    assert {item.agent: item.status for item in proposals} == {
        "a": "accepted",
        "b": "dissent",
        "c": "dissent",
    }
    assert (given.author, given.decision, given.cause) == ("chair", "uphold", "missing_evidence")
    assert (given.upheld, given.dissent, round_.status) == (("a",), ("b", "c"), "committed")


async def test_an_amendment_of_a_whole_field_is_committed_in_the_supervisors_name(
    session: Session[Case], chair: Any
) -> None:
    amendment = {"/verdict": {"cause": "a full disk"}}
    graph = one_step(panel("disk", "net"), supervisor=chair("disk", decision="amend", amendment=amendment))

    await graph.run(session)

    assert session.state.verdict is not None
    assert session.state.verdict.cause == "a full disk"
    assert session.commit_at(1).author == "chair"
    assert {item.agent: item.status for item in session.round(1)[1]} == {"a": "accepted", "b": "dissent"}


async def test_an_amendment_below_a_field_keeps_the_rest_of_the_position(
    session: Session[Case], chair: Any
) -> None:
    agents = [
        agent("a", {"verdict": {"cause": "disk", "detail": "of a"}}),
        agent("b", {"verdict": {"cause": "net", "detail": "of b"}}),
    ]
    amendment = {"/verdict/cause": "a full disk"}
    graph = one_step(agents, supervisor=chair("of a", decision="amend", amendment=amendment))

    await graph.run(session)

    assert session.raw()["verdict"] == {"cause": "a full disk", "detail": "of a"}


async def test_an_amendment_of_one_key_keeps_the_others_of_the_position(
    session: Session[Case], chair: Any
) -> None:
    agents = [agent("a", {"answers": {"1": "yes", "2": "no"}}), agent("b", {"answers": {"1": "no"}})]
    graph = one_step(
        agents, ["answers"], supervisor=chair("yes", decision="amend", amendment={"/answers/1": "perhaps"})
    )

    await graph.run(session)

    assert session.state.answers == {"1": "perhaps", "2": "no"}


async def test_a_clarification_reaches_every_agent_and_the_step_is_asked_again(
    session: Session[Case], chair: Any
) -> None:
    agents = [agent("a", cause("disk")), agent("b", cause("net"), cause("disk"))]
    graph = one_step(agents, supervisor=chair("net", decision="retry", clarification="Look at 12:01"))

    progress = await told(graph, session)

    assert kinds(progress).count("round") == 2
    assert ["Look at 12:01" in request.prompt for one in agents for request in voice(one).asked] == [
        False,
        True,
        False,
        True,
    ]
    first, second = session.rounds()
    assert (first.status, second.again_of, second.note) == ("retried", 1, "Look at 12:01")
    assert [item.status for item in session.round(1)[1]] == ["void", "void"]
    assert session.commit_at(1).author == "a+b"


async def test_a_step_is_sent_back_no_more_often_than_it_may_and_the_next_run_goes_on(
    session: Session[Case], chair: Any
) -> None:
    supervisor = chair("net", decision="retry", clarification="Again")
    stubborn = one_step(panel("disk", "net"), supervisor=supervisor, again=1)

    with pytest.raises(RoundVoid, match="sent the step 'judge' back 2 times") as raised:
        await stubborn.run(session)

    assert (raised.value.code, raised.value.exit_code) == ("round.void", 19)
    assert [item.status for item in session.rounds()] == ["retried", "retried"]
    result = await one_step(panel("disk", "disk"), supervisor=supervisor).run(session)
    assert (result.status, session.head, session.rounds()[-1].note) == ("finished", 1, "Again")


async def test_what_is_rejected_is_not_committed_and_the_graph_goes_on(
    session: Session[Case], chair: Any
) -> None:
    graph = (
        AgentGraph(Case)
        .add_step(
            "judge", panel("disk", "net"), writes={"verdict"}, supervisor=chair("net", decision="reject")
        )
        .add_step("close", [agent("scribe", {"note": "no verdict"})], writes={"note"})
        .add_edge("judge", "close")
        .add_edge("close", END)
    )

    progress = await told(graph, session)

    assert "rejected" in kinds(progress)
    assert session.state.verdict is None
    assert session.state.note == "no verdict"
    assert [item.status for item in session.rounds()] == ["rejected", "committed"]


async def test_what_a_supervisor_escalates_waits_for_a_person_and_is_asked_no_more(
    session: Session[Case], chair: Any
) -> None:
    agents = panel("disk", "net")
    graph = one_step(agents, supervisor=chair("net", decision="escalate"))

    first = await graph.run(session)
    second = await graph.run(session)

    assert (first.status, first.parked, first.version) == ("parked", 1, 0)
    assert (second.status, second.parked) == ("parked", 1)
    assert [len(voice(one).asked) for one in agents] == [1, 1]
    assert [item.decision for item in session.round(1)[3]] == ["escalate"]


async def test_a_person_as_supervisor_parks_the_round_at_once(session: Session[Case]) -> None:
    graph = one_step(panel("disk", "net"), supervisor=Supervisor(Person("jutta")))

    progress = await told(graph, session)

    parked = next(item for item in progress if item.kind == "parked")
    assert parked.body["reason"] == "jutta has to rule"
    assert parked.body["session"] == "case"
    assert progress[-1].body["status"] == "parked"
    assert session.round(1)[3][0].author == "jutta"


async def test_an_awaited_function_may_rule(session: Session[Case]) -> None:
    async def chair(review: Review) -> Verdict:
        return upholds("net")(review)

    await one_step(panel("disk", "net"), supervisor=Supervisor(chair)).run(session)

    assert session.commit_at(1).author == "b"


async def test_a_function_that_names_no_position_is_told_which_there_are(session: Session[Case]) -> None:
    wrong = Supervisor(lambda _: Verdict(decision="uphold", position="Z"))

    with pytest.raises(WrongType, match="There is no position 'Z'; there are: A, B"):
        await one_step(panel("disk", "net"), supervisor=wrong).run(session)

    await one_step(panel("disk", "net"), supervisor=Supervisor(upholds("net"))).run(session)
    assert (session.commit_at(1).author, len(session.rounds())) == ("b", 1)


async def test_a_function_that_gives_no_verdict_is_named(session: Session[Case]) -> None:
    from dissensus_agents.errors import GraphError

    wrong = Supervisor(lambda _: {"decision": "uphold"}, name="rule")  # type: ignore[arg-type, return-value]

    with pytest.raises(GraphError, match="The supervisor rule gave a dict, and no Verdict"):
        await one_step(panel("disk", "net"), supervisor=wrong).run(session)


async def test_g05_a_step_whose_transition_asks_for_review_is_ruled_on_though_all_agree(
    store: Any,
) -> None:
    from inquiries import Finding, Inquiry

    session = store.create(Inquiry(phase="judging", findings=[Finding(text="it is full")]), name="asked")
    graph = AgentGraph(Inquiry).add_step(
        "conclude",
        [agent("a", {"verdict": "disk"}), agent("b", {"verdict": "disk"})],
        writes={"verdict"},
        supervisor=Supervisor(upholds("disk")),
    )

    await graph.run(session)

    assert session.round(1)[0].review == {"asked": True}
    assert (session.state.verdict, session.state.phase) == ("disk", "closed")
    assert session.verify().rules_checked


async def test_an_unknown_round_cannot_be_settled(session: Session[Case]) -> None:
    from dissensus_agents.session import settle

    with pytest.raises(NotFound, match="There is no round 7"):
        settle(session, 7, decision="reject", author="jutta", reason="none")


async def test_g14_a_supervisor_of_the_lineage_that_it_judges_is_noted(session: Session[Case]) -> None:
    kin = Voice("chair", ruling("net"), lineage="maker-a/one")

    await one_step(panel("disk", "net"), supervisor=Supervisor(kin)).run(session)

    assert session.round(1)[3][0].notes == ("shares the lineage maker-a/one with a",)
    assert happened(session, "abstained") == []
