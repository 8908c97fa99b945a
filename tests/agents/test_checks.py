"""Verifiers, hollow consensus and invariants: what stands between agreement and a commit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.supervisor import Review, Supervisor, Verdict
from dissensus_agents.judgement.verifiers import quotes_stand_in_sources, verifier
from dissensus_state.errors import InvariantViolated
from dissensus_state.sessions import Session
from dissensus_state.shapes import SharedState, invariant
from dissensus_state.store import Store
from panels import Case, Voice, agent, cause, happened, kinds, one_step, panel, ruling, told, upholds, voice


@verifier
def is_in_the_log(proposed: Any, state: Any) -> bool | str:
    """The cause is a word of the log."""
    said = str(proposed["/verdict"]["cause"])
    return said in state["documents"]["log"] or f"the log has no {said!r}"


async def test_a_failed_check_asks_for_a_ruling_though_all_agree(session: Session[Case]) -> None:
    seen: list[Review] = []

    def chair(review: Review) -> Verdict:
        seen.append(review)
        return Verdict(decision="reject", reason="a check failed")

    progress = await told(
        one_step(panel("flood", "flood"), verifiers=[is_in_the_log], supervisor=Supervisor(chair)), session
    )

    assert "agreed" in kinds(progress)
    (position,) = seen[0].positions
    assert position.failed == ("is_in_the_log: the log has no 'flood'",)
    review = session.round(1)[0].review
    assert review is not None
    assert [(item["verifier"], item["agents"]) for item in review["failed"]] == [
        ("is_in_the_log", ["a", "b"])
    ]
    assert (session.round(1)[0].status, session.head) == ("rejected", 0)


async def test_a_check_that_passes_goes_into_the_commit_as_its_evidence(session: Session[Case]) -> None:
    await one_step(panel("disk", "disk"), verifiers=[is_in_the_log]).run(session)

    assert session.commit_at(1).evidence == (
        {"verifier": "is_in_the_log", "version": "1", "passed": True, "path": "", "detail": "holds"},
    )


async def test_each_side_is_checked_and_the_one_upheld_brings_its_own_evidence(
    session: Session[Case],
) -> None:
    graph = one_step(
        panel("disk", "flood"), verifiers=[is_in_the_log], supervisor=Supervisor(upholds("disk"))
    )

    await graph.run(session)

    assert [item["passed"] for item in session.commit_at(1).evidence] == [True]
    review = session.round(1)[0].review
    assert review is not None
    assert [item["agents"] for item in review["failed"]] == [["b"]]
    assert [item["agents"] for item in review["passed"]] == [["a"]]


async def test_an_amendment_is_checked_as_it_is_committed(session: Session[Case]) -> None:
    amends = upholds("flood", decision="amend", amendment={"/verdict/cause": "writer"})
    graph = one_step(panel("disk", "flood"), verifiers=[is_in_the_log], supervisor=Supervisor(amends))

    await graph.run(session)

    assert session.raw()["verdict"]["cause"] == "writer"
    assert [item["passed"] for item in session.commit_at(1).evidence] == [True]


async def test_a_supervising_model_reads_which_checks_a_position_failed(session: Session[Case]) -> None:
    chair = Voice("chair", ruling("disk"))

    await one_step(panel("disk", "flood"), verifiers=[is_in_the_log], supervisor=Supervisor(chair)).run(
        session
    )

    assert chair.asked[0].prompt.count("Failed check: is_in_the_log: the log has no 'flood'") == 1


async def test_a_verifier_that_breaks_is_a_failed_check_and_no_pass(session: Session[Case]) -> None:
    @verifier
    def breaks(_: Any, __: Any) -> bool:
        raise ZeroDivisionError("by zero")

    result = await one_step(panel("disk"), verifiers=[breaks]).run(session)

    assert result.status == "parked"
    review = session.round(1)[0].review
    assert review is not None
    assert review["failed"][0]["detail"] == "the verifier broke: ZeroDivisionError: by zero"


class Quoted(SharedState):
    """A verdict may stand only on a quotation that was checked."""

    documents: dict[str, str] = {"log": "12:01 the disk is full"}
    verdict: dict[str, Any] | None = None

    @invariant("verdict")
    @staticmethod
    def a_verdict_rests_on_a_checked_quotation(_: Any, after: Any, evidence: Any) -> str | None:
        checked = [item for item in evidence if item["passed"]]
        return None if after.verdict is None or checked else "no quotation was found in its source"


async def test_g04_evidence_of_the_verifiers_reaches_the_invariants(store: Store) -> None:
    quoted = {"verdict": {"evidence": [{"quote": "the disk is full", "source": "log"}]}}
    unquoted = {"verdict": {"evidence": []}}
    session = store.create(Quoted())

    def graph(said: Any) -> AgentGraph:
        checks = [quotes_stand_in_sources()]
        return AgentGraph(Quoted).add_step(
            "judge", [agent("a", said)], writes={"verdict"}, verifiers=checks, again=0
        )

    with pytest.raises(InvariantViolated, match="no quotation was found in its source"):
        await graph(unquoted).run(session)
    await graph(quoted).run(session)

    assert session.head == 1
    assert session.commit_at(1).evidence[0]["passed"] is True


async def test_an_agreement_of_one_lineage_is_hollow_and_goes_to_the_supervisor(
    session: Session[Case],
) -> None:
    chair = Voice("chair", ruling("disk"), lineage="other/one")
    kin = [agent(name, cause("disk"), lineage="maker/one") for name in "abc"]

    await one_step(kin, hollow_below=1.6, supervisor=Supervisor(chair)).run(session)

    review = session.round(1)[0].review
    assert review == {"hollow": True, "votes": 1.471}
    assert "All agree, but they are worth 1.5 independent votes only" in chair.asked[0].prompt
    assert session.commit_at(1).author == "a+b+c"


async def test_an_agreement_of_different_lineages_stands_without_a_ruling(session: Session[Case]) -> None:
    await one_step(panel("disk", "disk", "disk"), hollow_below=1.6).run(session)

    assert (session.round(1)[0].review, session.commit_at(1).author) == (None, "a+b+c")


async def test_a_hollow_agreement_without_a_supervisor_waits_for_a_person(session: Session[Case]) -> None:
    kin = [agent(name, cause("disk"), lineage="maker/one") for name in "ab"]

    result = await one_step(kin, hollow_below=1.5).run(session)

    assert (result.status, session.head) == ("parked", 0)


async def test_a_disagreement_is_not_called_hollow(session: Session[Case]) -> None:
    kin = [agent(name, cause(said), lineage="maker/one") for name, said in (("a", "x"), ("b", "y"))]

    await one_step(kin, hollow_below=2.0, supervisor=Supervisor(upholds('"x"'))).run(session)

    assert "hollow" not in (session.round(1)[0].review or {})


class Bounded(SharedState):
    """A number with a rule."""

    number: int = 0

    @invariant("number")
    @staticmethod
    def the_number_stays_below_ten(_: Any, after: Any) -> str | None:
        return None if after.number < 10 else f"{after.number} is not below ten"


async def test_a_panel_whose_proposal_breaks_a_rule_is_told_why_and_asked_again(store: Store) -> None:
    session = store.create(Bounded())
    ana = agent("ana", {"number": 12}, {"number": 9})

    progress = await told(AgentGraph(Bounded).add_step("judge", [ana], writes={"number"}), session)

    assert "refused" in kinds(progress)
    first, second = session.rounds()
    assert (first.status, second.status, second.again_of) == ("void", "committed", 1)
    assert "the number stays below ten: 12 is not below ten" in voice(ana).asked[1].prompt
    assert second.note is not None
    assert "Your last proposal was refused" in second.note
    facts = json.loads(second.note.split("\n")[1])
    assert (facts["rule"], facts["value"], facts["before"]) == (
        "the_number_stays_below_ten",
        {"/number": 12},
        {"/number": 0},
    )
    assert happened(session, "refused")[0]["rule"] == "the_number_stays_below_ten"
    assert session.state.number == 9


async def test_g04_a_rule_that_never_holds_ends_in_an_error_and_nothing_is_committed(store: Store) -> None:
    session = store.create(Bounded())
    ana = agent("ana", {"number": 12})
    graph = AgentGraph(Bounded).add_step("judge", [ana], writes={"number"}, again=2)

    with pytest.raises(InvariantViolated, match="12 is not below ten") as raised:
        await graph.run(session)

    assert (raised.value.exit_code, raised.value.context["path"]) == (18, "/number")
    assert (len(voice(ana).asked), session.head) == (3, 0)
    assert [item.status for item in session.rounds()] == ["void"] * 3
    better = AgentGraph(Bounded).add_step("judge", [agent("ana", {"number": 3})], writes={"number"})
    await better.run(session)
    assert session.state.number == 3


class Broken(SharedState):
    """A number with a rule that is itself wrong, and a secret that the rule looks at."""

    number: int = 0
    secret: str = "x" * 5000

    @invariant("number", "secret")
    @staticmethod
    def the_number_is_listed(_: Any, after: Any) -> bool:
        if after.number > 100:
            return bool({}[after.number])
        return after.number < 10


async def test_g04_a_broken_rule_ends_a_run_at_once_since_no_answer_could_help(store: Store) -> None:
    session = store.create(Broken())
    ana = agent("ana", {"number": 120})
    with pytest.raises(InvariantViolated, match="is broken: it raised KeyError: 120") as raised:
        await AgentGraph(Broken).add_step("judge", [ana], writes={"number"}).run(session)
    assert (raised.value.context["retry"], len(voice(ana).asked), session.head) == (False, 1, 0)


async def test_g06_a_panel_is_told_of_a_refusal_only_what_all_of_it_may_read(store: Store) -> None:
    session = store.create(Broken())
    agents = [
        agent("ana", {"number": 12}, {"number": 9}, reads=["number"]),
        agent("ben", {"number": 12}, {"number": 9}),
    ]
    await AgentGraph(Broken).add_step("judge", agents, writes={"number"}).run(session)
    note = session.rounds()[1].note or ""
    assert '"value": {"/number": 12}' in note
    assert "xxx" not in note
    assert (len(note) < 1000, session.state.number) == (True, 9)


async def test_a_ruling_that_breaks_a_rule_is_kept_with_its_void_round(store: Store) -> None:
    session = store.create(Bounded())
    agents = [agent("a", {"number": 12}, {"number": 1}), agent("b", {"number": 13}, {"number": 1})]
    graph = AgentGraph(Bounded).add_step(
        "judge", agents, writes={"number"}, supervisor=Supervisor(upholds("12", reason="the larger part"))
    )

    await graph.run(session)

    round_, _, _, (given,) = session.round(1)
    assert (round_.status, given.decision, given.reason) == ("void", "uphold", "the larger part")
    assert session.state.number == 1
    assert session.verify().versions == 2
