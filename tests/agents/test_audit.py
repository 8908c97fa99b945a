"""A seeded share of the agreements is reviewed as well: what a trigger on disagreement never sees."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dissensus.quality import audits
from dissensus_agents.errors import GraphError
from dissensus_agents.graph import END
from dissensus_agents.judgement.audit import drawn
from dissensus_agents.judgement.rules import Majority, Vote
from dissensus_agents.judgement.standing import Standing
from dissensus_agents.judgement.supervisor import Review, Supervisor, Verdict
from dissensus_agents.session import settle
from dissensus_state.sessions import Session
from dissensus_state.standing import settled
from dissensus_state.store import Store
from panels import Case, Voice, one_step, panel, ruling, upholds


class Stopped(RuntimeError):
    """Something outside of dissensus ends the run."""


async def test_an_agreement_that_is_drawn_is_reviewed_and_the_supervisor_is_told(
    session: Session[Case],
) -> None:
    chair = Voice("chair", ruling("disk"))

    await one_step(panel("disk", "disk"), audit=1.0, supervisor=Supervisor(chair)).run(session)

    round_, _, _, (given,) = session.round(1)
    seed = drawn(1.0, "case", "judge", 1)
    assert round_.review == {"audit": True, "share": 1.0, "seed": seed}
    assert "This agreement was drawn by lot to be checked" in chair.asked[0].prompt
    assert "model-of-" not in chair.asked[0].prompt
    assert (given.decision, given.upheld) == ("uphold", ("a", "b"))
    assert session.commit_at(1).author == "a+b"


async def test_the_lot_is_the_same_on_both_databases_and_in_every_run() -> None:
    graph = one_step(panel("disk", "disk"), audit=0.3, supervisor=Supervisor(upholds("disk")))
    found = []
    for url in ("sqlite://", "sqlite://"):
        with Store.open(url) as store:
            session = store.create(Case(), name="lot")
            for _ in range(20):
                await graph.run(session, start="judge")
            found.append([bool(item.review) for item in session.rounds()])

    assert found[0] == found[1] == [drawn(0.3, "lot", "judge", n) is not None for n in range(1, 21)]
    assert 0 < sum(found[0]) < 20


async def test_g13_the_lot_does_not_ask_which_database_it_is_drawn_on(session: Session[Case]) -> None:
    graph = one_step(panel("disk", "disk"), audit=0.5, supervisor=Supervisor(upholds("disk")))
    for _ in range(6):
        await graph.run(session, start="judge")

    audited = [(item.review or {}).get("seed") for item in session.rounds()]
    assert audited == [drawn(0.5, "case", "judge", n) for n in range(1, 7)]


async def test_g11_a_resumed_run_takes_the_same_decision(session: Session[Case]) -> None:
    stops = [True]

    def stopping(review: Review) -> Verdict:
        if stops:
            stops.pop()
            raise Stopped
        return upholds("disk")(review)

    with pytest.raises(Stopped):
        await one_step(panel("disk", "disk"), audit=1.0, supervisor=stopping).run(session)
    await one_step(panel("disk", "disk"), audit=0.0, supervisor=stopping).run(session)

    assert (session.round(1)[0].review or {})["audit"] is True
    assert session.round(1)[3][0].decision == "uphold"


async def test_votes_do_not_decide_on_what_was_drawn_to_check_the_votes(session: Session[Case]) -> None:
    rejecting = Supervisor(upholds("disk", decision="reject"), name="chair")
    graph = one_step(panel("disk", "disk"), audit=1.0, supervisor=[Majority(), Vote(above=0), rejecting])

    await graph.run(session)

    assert [one.decision for one in session.round(1)[3]] == ["escalate", "escalate", "reject"]


async def test_a_plain_agreement_that_is_not_drawn_stores_nothing_of_it(session: Session[Case]) -> None:
    await one_step(panel("disk", "disk"), audit=1e-9).run(session)

    assert session.round(1)[0].review is None
    assert session.events() == []


async def test_a_disagreement_is_no_audit(session: Session[Case]) -> None:
    await one_step(panel("disk", "net"), audit=1.0, supervisor=Supervisor(upholds("net"))).run(session)

    assert "audit" not in (session.round(1)[0].review or {})


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_is_from_nought_to_one(share: float) -> None:
    with pytest.raises(
        GraphError, match=r"`audit` (is a share from 0 to 1|of the step .* is a number of 0 or more)"
    ):
        one_step(panel("disk"), audit=share)


async def test_the_audits_of_a_store_say_how_many_agreements_were_wrong(store: Store) -> None:
    verdicts: list[Any] = ["uphold", "reject", "uphold", "uphold"]

    def chair(review: Review) -> Verdict:
        return upholds("disk", decision=verdicts.pop(0))(review)

    session = store.create(Case(), name="audited")
    graph = one_step(panel("disk", "disk"), audit=1.0, supervisor=Supervisor(chair))
    for _ in range(4):
        await graph.run(session, start="judge")
    session.grade(3, wrong=["a", "b"], basis="reference", by="the key")

    (found,) = audits(store)
    assert audits(session) == [found]
    assert (found.task, found.share) == ("judge", 1.0)
    assert (found.ruled.wrong, found.ruled.audited, found.graded.wrong, found.graded.audited) == (1, 4, 1, 1)
    assert found.ruled.low < 0.25 < found.ruled.high


async def test_advice_that_a_person_did_not_follow_was_overturned(store: Store) -> None:
    import json

    from dissensus_agents.judgement.supervisor import Person
    from dissensus_agents.messages import Reply
    from panels import agent

    withheld = Reply(json.dumps({"verdict": {"cause": "net"}}), "m", reasoning_kind="withheld")
    agents = [*panel("disk"), agent("b", withheld, lineage="maker-b/one")]
    chain = [Supervisor(Voice("chair", ruling('"net"'))), Person("ana")]
    for position in "AB":
        session = store.create(Case())
        await one_step(agents, supervisor=chain).run(session)
        settle(session, 1, decision="uphold", author="ana", reason="I looked", position=position)

    with store.database.reading() as work:
        judges = Standing.of(settled(work)).judges
    judge = judges["chair", "model", "judge"]
    assert (judge.model, judge.held, judge.overturned) == ("chair", 1, 1)
    assert judge.decisions["escalate"] == 2


async def test_advice_to_reject_what_a_person_upholds_was_overturned(store: Store) -> None:
    from dissensus_agents.judgement.supervisor import Person

    advising = Supervisor(Voice("chair", {"decision": "reject", "reason": "neither"}), advises=True)
    session = store.create(Case())
    await one_step(panel("disk", "net"), supervisor=[advising, Person("ana")]).run(session)
    settle(session, 1, decision="uphold", author="ana", reason="I looked", position="A")

    with store.database.reading() as work:
        judge = Standing.of(settled(work)).judges["chair", "model", "judge"]
    assert (judge.held, judge.overturned) == (0, 1)


async def test_a_chain_of_rounds_is_audited_at_its_share(store: Store) -> None:
    session = store.create(Case(), name="many")
    graph = one_step(panel("disk", "disk"), audit=0.2, supervisor=Supervisor(upholds("disk")))
    graph.add_edge("judge", lambda _: "judge" if session.head < 40 else END)

    await asyncio.wait_for(graph.run(session), 60)

    assert 2 <= sum(bool(item.review) for item in session.rounds()) <= 16
