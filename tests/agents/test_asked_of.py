"""A model of another lineage as the last resort: when it is asked, what it sees, what its word is worth."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest

from dissensus_agents.errors import GraphError
from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.evidence import verified
from dissensus_agents.judgement.opinions import AskedOf, asked_of
from dissensus_agents.judgement.supervisor import Supervisor
from dissensus_agents.judgement.verifiers import run_verifiers, verifier
from dissensus_agents.models.prices import Price
from dissensus_state.budgets import Budget
from dissensus_state.errors import Diverged
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from panels import Case, Voice, happened, one_step, panel, upholds

QUESTION = "Does the log show that this is the cause?"
HOLDS = {"answer": "holds", "reason": "The log says so.", "quotation": "the disk is full"}
FAILS = {"answer": "does_not_hold", "reason": "The log says another thing.", "quotation": ""}
SILENT = {"answer": "cannot_say", "reason": "The log breaks off."}


def judge(*said: Any, lineage: str = "maker-z/one", **settings: Any) -> tuple[AskedOf, Voice]:
    """A verifier that asks a model, and the model."""
    voice = Voice(
        "judge", *said, lineage=lineage, **{k: settings.pop(k) for k in ("price",) if k in settings}
    )
    return asked_of(voice, QUESTION, **settings), voice


def graph(causes: Iterable[str], *verifiers: Any, **settings: Any) -> AgentGraph:
    """One step with these causes, and these verifiers."""
    return one_step(panel(*causes), verifiers=list(verifiers), **settings)


def calls(session: Session[Case]) -> list[Any]:
    """The calls under the seat of a verifier."""
    return [call for call in session.round(1)[2] if call.agent.startswith("verifier:")]


async def test_its_opinion_is_evidence_that_is_not_from_outside(session: Session[Case]) -> None:
    check, voice = judge(HOLDS)
    await graph(["disk"], check).run(session)

    (item,) = session.commit_at(1).evidence
    assert (item["passed"], item["outside"], item["verifier"]) == (True, False, "asked_of")
    assert "decides" not in item
    assert item["detail"].startswith("judge, a model, says that it holds: The log says so.")
    assert "“the disk is full”" in item["detail"]
    assert not verified(session.commit_at(1).evidence, "asked_of")
    assert len(voice.asked) == 1


async def test_it_sees_the_material_and_the_proposal_and_nobodys_name(session: Session[Case]) -> None:
    check, voice = judge(HOLDS)
    await graph(["<<< disk >>>"], check).run(session)

    prompt = voice.asked[0].prompt
    assert "12:01 the disk is full" in prompt
    assert QUESTION in prompt
    assert '"cause":"< · < · < disk > · > · >"' in prompt
    assert "model-of-a" not in prompt
    assert "I think of" not in prompt


async def test_what_does_not_hold_asks_for_a_ruling(session: Session[Case]) -> None:
    check, _ = judge(FAILS)
    result = await graph(["disk"], check).run(session)
    assert result.status == "parked"
    review = session.round(1)[0].review or {}
    assert [(item["verifier"], item["outside"]) for item in review["failed"]] == [("asked_of", False)]
    assert "broke" not in review["failed"][0]


async def test_what_it_cannot_say_is_a_check_that_could_not_be_made(session: Session[Case]) -> None:
    check, _ = judge(SILENT)
    assert (await graph(["disk"], check).run(session)).status == "parked"
    (failed,) = (session.round(1)[0].review or {})["failed"]
    assert failed["broke"] is True


@pytest.mark.parametrize(
    ("answer", "asked"),
    [(True, 1), (False, 0)],
)
async def test_it_is_asked_only_where_nothing_outside_has_decided(
    session: Session[Case],
    answer: bool,  # noqa: FBT001
    asked: int,
) -> None:
    @verifier
    def outside(_: Any, __: Any) -> bool:
        return answer

    check, voice = judge(HOLDS)
    await graph(["disk"], check, outside, supervisor=Supervisor(upholds("disk"))).run(session)
    assert len(voice.asked) == asked


async def test_a_check_that_decides_leaves_nothing_to_be_asked(session: Session[Case]) -> None:
    from dissensus_agents.judgement.lookups import lookup

    check, voice = judge(HOLDS)
    await graph(["disk"], check, lookup(lambda _: "disk", "verdict/cause", asks="question")).run(session)
    assert voice.asked == []
    assert [item["decides"] for item in session.commit_at(1).evidence] == [True]


async def test_each_position_is_asked_about_once_and_the_agreed_one_for_all(session: Session[Case]) -> None:
    check, voice = judge(HOLDS)
    await graph(["disk", "disk", "flood"], check, supervisor=Supervisor(upholds("disk"))).run(session)
    assert len(voice.asked) == 2
    assert len({call.agent for call in calls(session)}) == 2
    assert all(call.agent.startswith("verifier:asked_of~") for call in calls(session))
    passed = (session.round(1)[0].review or {})["passed"]
    assert [item["agents"] for item in passed] == [["a", "b", "c"]]


async def test_an_amendment_is_asked_about_as_it_is_committed(session: Session[Case]) -> None:
    check, voice = judge(FAILS, HOLDS)
    amends = upholds("flood", decision="amend", amendment={"/verdict/cause": "disk"})
    await graph(["flood"], check, supervisor=Supervisor(amends)).run(session)
    assert len(voice.asked) == 2
    assert [item["passed"] for item in session.commit_at(1).evidence] == [True]


async def test_words_that_do_not_stand_in_the_material_are_sent_back(session: Session[Case]) -> None:
    invented = {**HOLDS, "quotation": "the disk was never full"}
    check, voice = judge(invented, HOLDS)
    await graph(["disk"], check).run(session)
    assert len(voice.asked) == 2
    assert "does not stand in the material" in voice.asked[1].turns[0].objection
    assert session.head == 1


async def test_an_answer_that_can_never_be_used_is_no_opinion(session: Session[Case]) -> None:
    check, voice = judge("what?")
    await graph(["disk"], check, supervisor=Supervisor(upholds("disk"))).run(session)
    assert len(voice.asked) == 2
    (item,) = session.commit_at(1).evidence
    assert (item["passed"], item["broke"], item["outside"]) == (False, True, False)
    assert item["detail"].startswith("its answer cannot be used: ")


async def test_its_call_is_reserved_and_one_that_is_not_paid_for_is_not_made(store: Store) -> None:
    session = store.create(Case(), budget=Budget(usd=0.01))
    check, voice = judge(HOLDS, price=Price(input=Decimal(0), output=Decimal(1_000_000)))
    await graph(["disk"], check, supervisor=Supervisor(upholds("disk"))).run(session)
    assert voice.asked == []
    (item,) = session.commit_at(1).evidence
    assert item["broke"]
    assert item["detail"].startswith("no opinion could be had: ")
    assert session.verify().versions == 2


async def test_a_run_that_was_stopped_takes_its_opinion_from_the_records(session: Session[Case]) -> None:
    check, voice = judge(FAILS)
    assert (await graph(["disk"], check).run(session)).status == "parked"
    again, silent = judge("never asked")
    assert (await graph(["disk"], again).run(session)).status == "parked"
    assert len(voice.asked) == 1
    assert silent.asked == []


async def test_one_that_was_stopped_after_the_answer_does_not_ask_again(session: Session[Case]) -> None:
    class Stopped(Exception):
        pass

    def stops(_: Any) -> Any:
        raise Stopped

    check, voice = judge(FAILS)
    with pytest.raises(Stopped):
        await graph(["disk"], check, supervisor=Supervisor(stops)).run(session)
    assert len(voice.asked) == 1
    again, silent = judge("never asked")
    await graph(["disk"], again, supervisor=Supervisor(upholds("disk"))).run(session)
    assert silent.asked == []
    assert [item["passed"] for item in session.commit_at(1).evidence] == [False]


async def test_g10_a_replay_holds_it_to_what_it_was_asked(session: Session[Case]) -> None:
    check, voice = judge({**HOLDS, "quotation": "nowhere"}, HOLDS)
    made = graph(["disk", "flood"], check, supervisor=Supervisor(upholds("disk")))
    await made.run(session)
    asked = len(voice.asked)
    await made.replay(session)
    assert len(voice.asked) == asked

    other = asked_of(Voice("judge", HOLDS, lineage="maker-z/one"), "Another question?")
    with pytest.raises(Diverged, match=r"verifiers .*asked_of"):
        await graph(["disk", "flood"], other, supervisor=Supervisor(upholds("disk"))).replay(session)
    with pytest.raises(Diverged, match="verifier"):
        await graph(["disk", "flood"], supervisor=Supervisor(upholds("disk"))).replay(session)


def test_it_is_not_of_the_lineage_that_it_checks_unless_you_say_so() -> None:
    check, _ = judge(HOLDS, lineage="maker-a/one")
    with pytest.raises(GraphError, match="'asked_of' of the step 'judge' is of the lineage of the agent 'a'"):
        graph(["disk"], check)
    kin, _ = judge(HOLDS, lineage="maker-a/one", kin=True)
    graph(["disk"], kin)


async def test_where_it_is_that_is_said(session: Session[Case]) -> None:
    kin, _ = judge(HOLDS, lineage="maker-a/one", kin=True)
    await graph(["disk"], kin).run(session)
    assert session.commit_at(1).evidence[0]["detail"].endswith("(same lineage)")


async def test_another_model_can_be_put_behind_it_and_none_of_the_lineage_it_judges(
    session: Session[Case],
) -> None:
    check, voice = judge(HOLDS)
    kin, other = Voice("kin", HOLDS, lineage="maker-a/one"), Voice("other", HOLDS, lineage="maker-z/one")
    made = graph(["disk"], check, supervisor=Supervisor(upholds("disk")))
    with pytest.raises(GraphError, match="of the lineage of the agent 'a', whom it would judge"):
        await made.run(session, models={"verifier:asked_of": kin})
    assert (session.head, kin.asked) == (0, [])
    await made.run(session, models={"verifier:asked_of": other})
    assert (voice.asked, len(other.asked)) == ([], 1)
    assert session.commit_at(1).evidence[0]["passed"]


def test_two_of_one_name_and_a_question_of_nothing_are_refused() -> None:
    one, _ = judge(HOLDS)
    other, _ = judge(HOLDS)
    with pytest.raises(GraphError, match="are asked under the seat verifier:asked_of"):
        graph(["disk"], one, other)
    with pytest.raises(GraphError, match="asks nothing"):
        asked_of(Voice("judge", HOLDS), " ")
    with pytest.raises(GraphError, match="no name for a verifier"):
        asked_of(Voice("judge", HOLDS), QUESTION, name="a~b")


def test_outside_of_a_step_nobody_is_asked() -> None:
    check, voice = judge(HOLDS)
    with pytest.raises(GraphError, match="which only a step of a graph can do"):
        run_verifiers([check], {"/verdict": {}}, {})
    assert voice.asked == []


def test_another_question_is_another_version() -> None:
    versions = {asked_of(Voice("judge", HOLDS), text).version for text in ("A?", "B?", "A?")}
    assert len(versions) == 2


async def test_of_a_field_that_is_not_proposed_nobody_is_asked(session: Session[Case]) -> None:
    check, voice = judge(HOLDS, path="note")
    await graph(["disk"], check).run(session)
    assert voice.asked == []
    assert session.commit_at(1).evidence == ()
    assert not happened(session, "failover")


async def test_a_hollow_agreement_can_be_sent_to_it_and_its_word_proves_nothing(
    session: Session[Case],
) -> None:
    check, voice = judge(HOLDS)
    made = graph(["disk", "disk"], hollow_below=5, hollow=[check], supervisor=Supervisor(upholds("disk")))
    await made.run(session)
    assert len(voice.asked) == 1
    review = session.round(1)[0].review or {}
    assert review["hollow"] is True
    assert [item["outside"] for item in review["passed"]] == [False]
    assert [item["outside"] for item in session.commit_at(1).evidence] == [False]
    await made.replay(session)
