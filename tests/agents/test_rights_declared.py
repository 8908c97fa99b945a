"""G6: what a schema's rights give an agent or a supervisor, and what they keep from it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from dissensus_agents.agent import Agent
from dissensus_agents.errors import GraphError
from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.supervisor import Person, Supervisor
from dissensus_agents.session import settle
from dissensus_state.errors import Denied
from dissensus_state.rights import Rights
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from panels import Case, agent, cause, happened, upholds, voice

PEOPLE = [
    Rights("ana", read={"question", "/answers/none"}, propose="/verdict", commit="/verdict"),
    Rights("ben", read={"question", "documents"}, propose={"/verdict", "/answers/1"}),
    Rights("chair", read={"question", "verdict"}, rule={"verdict", "answers", "findings"}),
]


def case(rights: Iterable[Rights] = PEOPLE) -> type[Case]:
    """The case, with rights."""

    class Held(Case):
        pass

    Held.rights = list(rights)
    return Held


@pytest.fixture
def session(store: Store) -> Session[Any]:
    return store.create(case()())


def one_step(
    session: Session[Any], agents: list[Agent], writes: Iterable[str] = ("verdict",), **settings: Any
) -> AgentGraph:
    return AgentGraph(session.shape.schema).add_step("judge", agents, writes=set(writes), **settings)


async def test_g06_an_agent_is_shown_what_both_it_and_its_rights_name(session: Session[Any]) -> None:
    ana, ben = agent("ana", cause("disk")), agent("ben", cause("disk"), reads=["/documents/log", "findings"])

    await one_step(session, [ana, ben]).run(session)

    reads = {item.agent: item.reads for item in session.round(1)[1]}
    assert reads == {"ana": ("/answers/none", "/question"), "ben": ("/documents/log",)}
    assert "the disk is full" not in voice(ana).asked[0].prompt
    assert session.verify().versions == 2


async def test_g06_a_prompt_that_reads_beyond_its_rights_is_denied_and_in_the_history(
    session: Session[Any],
) -> None:
    ana = agent("ana", cause("disk"), reads=["/documents"], prompt=lambda view: view.part("/documents"))

    with pytest.raises(Denied, match="ana may read nothing") as raised:
        await one_step(session, [ana]).run(session)

    assert {name: raised.value.context[name] for name in ("author", "path", "right", "allowed")} == {
        "author": "ana",
        "path": "/documents",
        "right": "read",
        "allowed": [],
    }
    assert happened(session, "denied")[0]["right"] == "read"


async def test_g06_an_agent_is_asked_for_what_it_may_propose_and_denied_the_rest(
    session: Session[Any],
) -> None:
    silent = {"verdict": None}
    ben = agent("ben", {**silent, "answers": {"1": "yes", "2": "no"}}, {**silent, "answers": {"1": "yes"}})
    chair = Supervisor(upholds("yes"), name="chair")

    await one_step(session, [ben], ["verdict", "answers", "findings"], supervisor=chair).run(session)

    asked = json.dumps(voice(ben).asked[0].output_schema)
    assert ("answers" in asked, "verdict" in asked, "findings" in asked) == (True, True, False)
    assert "ben may propose /answers/1, /verdict" in voice(ben).asked[1].turns[0].objection
    (event,) = happened(session, "denied")
    assert (event["agent"], event["path"], event["right"]) == ("ben", "/answers/2", "propose")
    assert session.state.answers == {"1": "yes"}


async def test_g06_what_its_agents_may_only_propose_a_round_brings_before_the_supervisor(
    session: Session[Any],
) -> None:
    ben = agent("ben", cause("disk"))
    chair = Supervisor(upholds("disk"), name="chair")

    await one_step(session, [ben], supervisor=chair).run(session)

    ((held, _, _, rulings),) = [session.round(1)]
    assert (held.review, rulings[0].author) == ({"asked": True}, "chair")
    assert rulings[0].notes == ("was not shown /documents",)
    assert (session.state.verdict.cause, session.commit_at(1).author) == ("disk", "ben")
    assert session.verify().versions == 2


async def test_g06_what_one_who_may_commit_says_too_needs_no_ruling(session: Session[Any]) -> None:
    graph = one_step(session, [agent("ana", cause("disk")), agent("ben", cause("disk"))])
    await graph.run(session)
    assert (session.round(1)[0].review, session.commit_at(1).author) == (None, "ana+ben")
    assert (await graph.replay(session)).versions == session.verify().versions == 2


async def test_g06_a_supervisor_is_shown_what_it_may_read(session: Session[Any]) -> None:
    seen: list[tuple[str, ...]] = []

    def chair(review: Any) -> Any:
        seen.append(tuple(part.source or part.text for part in review.material))
        return upholds("disk")(review)

    agents = [
        agent("ana", cause("disk")),
        agent("ben", cause("net"), prompt=lambda view: ["It says", view.part("documents")]),
    ]
    await one_step(session, agents, supervisor=Supervisor(chair, name="chair")).run(session)

    assert seen == [("/question",)]
    assert session.round(1)[3][0].notes == ("was not shown /documents",)


async def test_g06_a_person_rules_by_its_own_right(session: Session[Any]) -> None:
    graph = one_step(session, [agent("ben", cause("disk"))], supervisor=Supervisor(Person("somebody")))
    await graph.run(session)
    assert session.round(1)[0].status == "parked"
    ruling = {"decision": "uphold", "position": "A", "reason": "so"}
    for author in ("ana", "nobody"):
        with pytest.raises(Denied, match=f"{author} may rule on nothing") as raised:
            settle(session, 1, author=author, **ruling)
        assert raised.value.context["right"] == "rule"
    assert [item["author"] for item in happened(session, "denied")] == ["ana", "nobody"]
    settle(session, 1, author="chair", **ruling)
    assert session.state.verdict.cause == "disk"


@pytest.mark.parametrize(
    ("agents", "settings", "message"),
    [
        (["zoe"], {}, "The agent 'zoe' may propose nothing of what the step 'judge' writes: /verdict"),
        (["ana"], {"writes": ["findings"]}, "The agent 'ana' may propose nothing"),
        (["ana"], {"supervisor": Supervisor(upholds(""), name="dean")}, "The supervisor 'dean' may not rule"),
    ],
)
def test_g06_a_step_whose_people_have_not_the_rights_is_refused_when_it_is_added(
    session: Session[Any], agents: list[str], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(GraphError, match=message):
        one_step(session, [agent(name, cause("disk")) for name in agents], **settings)
