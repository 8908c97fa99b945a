"""What a person decides on a round that waits, and that the graph then goes on."""

from __future__ import annotations

from typing import Any

import pytest

from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.supervisor import Person, Supervisor
from dissensus_agents.judgement.verifiers import verifier
from dissensus_agents.session import settle, sides_of_round
from dissensus_state.errors import Conflict, Denied, FieldMissing, NotFound, Refused, ReviewRequired
from dissensus_state.journal import Journal
from dissensus_state.records import Change
from dissensus_state.sessions import Session
from panels import Case, agent, cause, one_step, panel, voice


def waiting(*causes: str, **settings: Any) -> AgentGraph:
    """A graph whose disagreements wait for a person, with a step after it."""
    return (
        AgentGraph(Case)
        .add_step(
            "judge", panel(*causes), writes={"verdict"}, supervisor=Supervisor(Person("jutta")), **settings
        )
        .add_step("close", [agent("scribe", {"note": "closed"})], writes={"note"})
        .add_edge("judge", "close")
    )


def label(session: Session[Any], holder: str) -> str:
    """Under which label a person sees what this agent says."""
    round_, proposals, _, _ = session.round(1)
    return next(side.label for side in sides_of_round(round_, proposals) if holder in side.agents)


async def test_g05_a_person_upholds_a_position_and_the_graph_goes_on_behind_it(
    session: Session[Case],
) -> None:
    graph = waiting("disk", "net")
    await graph.run(session)

    made = settle(
        session, 1, decision="uphold", author="jutta", reason="I looked", position=label(session, "b")
    )
    result = await graph.run(session)

    assert made is not None
    assert (made.version, made.author) == (1, "b")
    assert session.at(1).verdict == session.state.verdict
    assert (result.status, result.rounds, session.state.note) == ("finished", 1, "closed")
    escalated, given = session.round(1)[3]
    assert (escalated.decision, given.decision, given.author, given.reason) == (
        "escalate",
        "uphold",
        "jutta",
        "I looked",
    )
    assert session.verify().versions == 3


async def test_a_person_amends_a_position(session: Session[Case]) -> None:
    await waiting("disk", "net").run(session)

    made = settle(
        session,
        1,
        decision="amend",
        author="jutta",
        reason="half right",
        position=label(session, "a").lower(),
        amendment={"/verdict/detail": "since 12:01"},
    )

    assert made is not None
    assert made.author == "jutta"
    assert session.raw()["verdict"] == {"cause": "disk", "detail": "since 12:01"}
    assert {item.agent: item.status for item in session.round(1)[1]} == {"a": "accepted", "b": "dissent"}


async def test_a_person_asks_again_and_the_panel_hears_it(session: Session[Case]) -> None:
    agents = [agent("a", cause("disk")), agent("b", cause("net"), cause("disk"))]
    graph = one_step(agents, supervisor=Supervisor(Person("jutta")))
    await graph.run(session)

    given = settle(
        session, 1, decision="retry", author="jutta", reason="unclear", clarification="Only the log counts"
    )
    result = await graph.run(session)

    assert given is None
    assert (result.status, session.commit_at(1).author) == ("finished", "a+b")
    assert all("Only the log counts" in voice(one).asked[1].prompt for one in agents)


async def test_a_person_rejects_and_the_graph_goes_on_without(session: Session[Case]) -> None:
    graph = waiting("disk", "net")
    await graph.run(session)

    assert settle(session, 1, decision="reject", author="jutta", reason="neither") is None
    await graph.run(session)

    assert (session.state.verdict, session.state.note) == (None, "closed")


async def test_g05_a_ruling_is_refused_when_the_state_moved_under_it_and_the_round_waits_on(
    session: Session[Case],
) -> None:
    await waiting("disk", "net").run(session)
    with session.transaction("user") as transaction:
        transaction.set("verdict", {"cause": "something else"})

    with pytest.raises(Conflict, match="user changed /verdict in version 1") as raised:
        settle(session, 1, decision="uphold", author="jutta", reason="late", position="A")

    assert (raised.value.context["expected"], raised.value.context["actual"]) == (0, 1)
    round_, _, _, rulings = session.round(1)
    assert (round_.status, [item.decision for item in rulings], session.head) == ("parked", ["escalate"], 1)
    settle(session, 1, decision="reject", author="jutta", reason="overtaken")
    assert session.round(1)[0].status == "rejected"


@pytest.mark.parametrize(
    ("ruling", "error", "message"),
    [
        ({"decision": "uphold"}, Refused, "To uphold, name a position"),
        ({"decision": "uphold", "position": "Z"}, NotFound, "no position 'Z'; it has A, B"),
        ({"decision": "amend", "position": "A"}, Refused, "To amend, give the values by path"),
        ({"decision": "retry"}, Refused, "To ask again, say what to make clear"),
        ({"decision": "amend", "amendment": {"/nonsense": 1}}, FieldMissing, "has the fields question"),
    ],
)
async def test_a_ruling_that_lacks_something_says_what_and_the_round_waits_on(
    session: Session[Case], ruling: dict[str, Any], error: type[Exception], message: str
) -> None:
    await waiting("disk", "net").run(session)

    with pytest.raises(error, match=message):
        settle(session, 1, author="jutta", reason="", **ruling)

    assert (session.round(1)[0].status, session.head) == ("parked", 0)


async def test_a_round_that_waits_for_nothing_cannot_be_ruled_on(session: Session[Case]) -> None:
    await one_step(panel("disk")).run(session)

    with pytest.raises(NotFound, match="Round 1 waits for no ruling: it is committed"):
        settle(session, 1, decision="reject", author="jutta", reason="")


async def test_g05_nothing_of_a_parked_round_is_committed_without_a_ruling(session: Session[Case]) -> None:
    await waiting("disk", "net").run(session)
    round_, (first, _), _, _ = session.round(1)

    with pytest.raises(ReviewRequired):
        Journal(session).commit(round_, Change("a", first.patch, 0, writes=None))

    assert session.head == 0


async def test_g05_a_ruling_by_somebody_else_is_bound_to_the_proposals_of_its_own_round(
    session: Session[Case],
) -> None:
    graph = one_step(panel("disk", "net"), supervisor=Supervisor(Person("jutta")))
    await graph.run(session)
    settle(session, 1, decision="reject", author="jutta", reason="")
    await graph.run(session, start="judge")
    settle(session, 2, decision="uphold", author="jutta", reason="", position="A")
    given = session.round(2)[3][-1]
    await graph.run(session, start="judge")
    third, proposals, _, _ = session.round(3)

    with pytest.raises(ReviewRequired, match="bound to other proposals or another base version"):
        Journal(session).commit(third, Change("a", proposals[0].patch, third.base), given)

    assert session.head == 1


async def test_g06_a_person_upholds_nothing_that_the_agent_might_not_write(session: Session[Case]) -> None:
    agents = [agent(name, {"answers": {"1": name, "2": "not mine"}}) for name in "ab"]
    graph = AgentGraph(Case).add_step(
        "judge", agents, writes={"/answers/1"}, supervisor=Supervisor(Person("jutta"))
    )

    with pytest.raises(Denied, match="may write /answers/1"):
        await graph.run(session)
        settle(session, 1, decision="uphold", author="jutta", reason="", position="A")

    assert session.state.answers == {}


async def test_what_a_person_upholds_keeps_the_evidence_of_its_checks_and_an_amendment_does_not(
    session: Session[Case],
) -> None:
    @verifier
    def is_known(proposed: Any, _: Any) -> bool:
        return bool(proposed["/verdict"]["cause"] == "disk")

    graph = one_step(panel("disk", "net"), verifiers=[is_known])
    await graph.run(session)
    upheld = settle(session, 1, decision="uphold", author="jutta", reason="", position=label(session, "a"))
    await graph.run(session, start="judge")
    amended = settle(
        session,
        2,
        decision="amend",
        author="jutta",
        reason="",
        position="A",
        amendment={"/verdict/cause": "new"},
    )

    assert upheld is not None
    assert amended is not None
    assert [(item["verifier"], item["passed"]) for item in upheld.evidence] == [("is_known", True)]
    assert amended.evidence == ()
