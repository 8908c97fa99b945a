"""A hollow agreement is sent on: to verifiers, to an agent of another lineage, then to the supervisors."""

from __future__ import annotations

from typing import Any

import pytest

from dissensus_agents.errors import GraphError, ProviderFailed
from dissensus_agents.judgement.evidence import Evidence
from dissensus_agents.judgement.rules import Majority
from dissensus_agents.judgement.supervisor import Review, Supervisor, Verdict
from dissensus_agents.judgement.verifiers import verifier
from dissensus_state.errors import DissensusError
from dissensus_state.sessions import Session
from panels import Case, Voice, agent, cause, happened, kinds, one_step, ruling, told, upholds, voice


class Stopped(RuntimeError):
    """Something outside of dissensus ends the run."""


def twins(said: str = "disk") -> list[Any]:
    """Two agents of one lineage who say the same: worth 1.3 votes."""
    return [agent(name, cause(said), lineage="google/gemini") for name in "ab"]


def other(said: str, name: str = "z") -> Any:
    return agent(name, cause(said), lineage="meta/llama")


def looked(*, passed: bool, decides: bool = False, name: str = "looked") -> Any:
    def look(_proposed: Any, _state: Any) -> Evidence:
        return Evidence(name, "1", passed=passed, detail="in the log", decides=decides)

    return verifier(look, name=name)


async def test_a_proof_has_a_hollow_agreement_ruled_on_by_a_rule(session: Session[Case]) -> None:
    asked = other("net")
    graph = one_step(
        twins(), hollow_below=1.5, hollow=[looked(passed=True, decides=True), asked], supervisor=Majority()
    )

    await graph.run(session)

    round_, _, _, (given,) = session.round(1)
    assert (round_.review or {})["verified"] is True
    assert (round_.review or {})["sent_to"] == [{"to": "looked", "found": "proved", "votes": [1.316, 1.316]}]
    assert (given.author, given.decision, given.upheld) == ("verified", "uphold", ("a", "b"))
    assert given.reason == "verified by looked: in the log"
    assert voice(asked).asked == []
    assert session.commit_at(1).evidence
    assert (await graph.replay(session)).calls == 0


async def test_a_check_that_only_does_not_refute_makes_no_agreement_of_it(session: Session[Case]) -> None:
    chair = Voice("chair", ruling("disk"))
    graph = one_step(twins(), hollow_below=1.5, hollow=[looked(passed=True)], supervisor=Supervisor(chair))

    await graph.run(session)

    review = session.round(1)[0].review or {}
    assert (review["hollow"], "verified" in review) == (True, False)
    assert review["sent_to"][0]["found"] == "nothing"
    assert "worth 1.3 independent votes only" in chair.asked[0].prompt
    assert session.round(1)[3][0].author == "chair"


async def test_a_check_that_refutes_a_hollow_agreement_is_reviewed_with_it(session: Session[Case]) -> None:
    rejecting = Supervisor(upholds("disk", decision="reject"), name="chair")
    graph = one_step(
        twins(), hollow_below=1.5, hollow=[looked(passed=False)], supervisor=[Majority(), rejecting]
    )

    await graph.run(session)

    review = session.round(1)[0].review or {}
    assert (review["sent_to"][0]["found"], session.head) == ("refuted", 0)
    assert review["failed"][0]["verifier"] == "looked"


async def test_a_proof_that_another_check_contradicts_is_none(session: Session[Case]) -> None:
    hollow = [looked(passed=True, decides=True, name="query")]
    graph = one_step(
        twins(),
        hollow_below=1.5,
        hollow=hollow,
        verifiers=[looked(passed=False, name="sums")],
        supervisor=Supervisor(upholds("disk", decision="reject"), name="chair"),
    )

    await graph.run(session)

    review = session.round(1)[0].review or {}
    assert (review["sent_to"][0]["found"], "verified" in review) == ("proved", False)
    assert [one.author for one in session.round(1)[3]] == ["chair"]


async def test_what_only_the_added_agent_was_shown_is_shown_to_a_supervisor_after_a_stop(
    session: Session[Case],
) -> None:
    stops = [True]

    def stopping(_: Review) -> Verdict:
        if stops:
            stops.pop()
            raise Stopped
        return Verdict(decision="escalate", reason="no rule")

    asked = agent("z", cause("net"), lineage="meta/llama", prompt=lambda _: ["Shown to one alone"])
    chair = Voice("chair", ruling("net"))
    graph = one_step(twins(), hollow_below=1.5, hollow=[asked], supervisor=[stopping, Supervisor(chair)])

    with pytest.raises(Stopped):
        await graph.run(session)
    await graph.run(session)

    assert "Shown to one alone" in chair.asked[0].prompt


async def test_an_agent_of_another_lineage_that_agrees_adds_its_vote(session: Session[Case]) -> None:
    asked = other("disk")
    graph = one_step(twins(), hollow_below=1.5, hollow=[asked])

    progress = await told(graph, session)

    assert session.commit_at(1).author == "a+b+z"
    assert (session.round(1)[0].review, session.round(1)[3]) == (None, [])
    assert happened(session, "hollow") == [
        {"step": "judge", "to": "z", "found": "agrees", "votes": [1.316, 1.573]}
    ]
    assert "hollow" in kinds(progress)
    assert len(voice(asked).asked) == 1
    assert {call.agent for call in session.round(1)[2]} == {"a", "b", "z"}
    assert (await graph.replay(session)).answers == 3


async def test_one_that_disagrees_makes_a_disagreement_of_it(session: Session[Case]) -> None:
    graph = one_step(twins(), hollow_below=1.5, hollow=[other("net")], supervisor=Supervisor(upholds("net")))

    await graph.run(session)

    round_, proposals, _, (given,) = session.round(1)
    review = round_.review or {}
    assert "hollow" not in review
    assert [held["holders"] for held in review["disagreements"][0]["positions"]] == [["a", "b"], ["z"]]
    assert (given.upheld, given.dissent) == (("z",), ("a", "b"))
    assert [item.status for item in proposals] == ["dissent", "dissent", "accepted"]
    assert (await graph.replay(session)).calls == 0


async def test_no_pattern_decides_over_whoever_was_asked_about_its_hollow_agreement(
    session: Session[Case],
) -> None:
    from dissensus.patterns import Cascade, Panel, agree
    from dissensus_agents.graph import AgentGraph

    cascade = Cascade([Panel(twins()), agent("c", cause("disk"), lineage="qwen/qwen")], until=agree())
    graph = AgentGraph(Case).add_step(
        "judge", cascade, writes={"verdict"}, hollow_below=1.9, hollow=[other("net")]
    )

    result = await graph.run(session)

    review = session.round(1)[0].review or {}
    assert (result.status, review["sent_to"][0]["found"]) == ("parked", "disagrees")
    assert (await graph.run(session)).status == "parked"


async def test_what_is_hollow_after_all_of_them_is_the_supervisors_to_rule_on(session: Session[Case]) -> None:
    out = agent("z", ProviderFailed("down"), lineage="meta/llama")
    chair = Voice("chair", ruling("disk"))
    hollow = [looked(passed=True), out, other("disk", "y")]
    graph = one_step(twins(), hollow_below=1.9, hollow=hollow, supervisor=[Majority(), Supervisor(chair)])

    await graph.run(session)

    review, given = session.round(1)[0].review or {}, session.round(1)[3]
    assert [item["found"] for item in review["sent_to"]] == ["nothing", "abstained", "agrees"]
    assert review["hollow"] is True
    assert [(one.author, one.decision) for one in given] == [("majority", "escalate"), ("chair", "uphold")]
    assert "cannot vouch for each other" in given[0].reason
    assert (await graph.replay(session)).calls == 0


@pytest.mark.parametrize("stop", ["after the agent", "before the ruling"])
async def test_g11_whoever_was_asked_about_a_hollow_agreement_is_asked_once(
    session: Session[Case], stop: str
) -> None:
    stops = [True]

    def stopping(_: Review) -> Verdict:
        if stops:
            stops.pop()
            raise Stopped
        return Verdict(decision="escalate", reason="no rule")

    def breaks(_proposed: Any, _state: Any) -> bool:
        if stops and stop == "after the agent":
            stops.pop()
            raise DissensusError("stopped")
        return True

    asked, chair = other("disk"), Voice("chair", ruling("disk"))
    agents = twins()
    chain = [stopping if stop == "before the ruling" else Majority(), Supervisor(chair)]
    graph = one_step(
        agents, hollow_below=1.9, hollow=[asked, verifier(breaks, name="breaks")], supervisor=chain
    )

    with pytest.raises((Stopped, DissensusError)):
        await graph.run(session)
    await graph.run(session)

    assert [len(voice(one).asked) for one in (*agents, asked)] == [1, 1, 1]
    assert len(chair.asked) == 1
    assert session.commit_at(1).author == "a+b+z"
    assert (await graph.replay(session)).calls == 0


def test_what_a_hollow_agreement_is_sent_to_has_to_be_able_to_help() -> None:
    with pytest.raises(GraphError, match="and not when one is hollow"):
        one_step(twins(), hollow=[other("disk")])
    with pytest.raises(GraphError, match="'z' is of a lineage that the panel of 'judge' has already"):
        one_step(twins(), hollow_below=1.5, hollow=[agent("z", cause("disk"), lineage="google/gemini/2")])
    with pytest.raises(GraphError, match="names of their own"):
        one_step(twins(), hollow_below=1.5, hollow=[other("disk", "a")])


async def test_another_model_can_be_put_behind_the_agent_that_is_asked_then(session: Session[Case]) -> None:
    swapped = Voice("swapped", cause("net"), lineage="qwen/qwen")
    graph = one_step(twins(), hollow_below=1.5, hollow=[other("disk")], supervisor=Supervisor(upholds("net")))

    await graph.run(session, models={"z": swapped})

    assert session.commit_at(1).author == "z"
    assert len(swapped.asked) == 1
