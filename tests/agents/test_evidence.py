"""Evidence that a commit's rules demand: the right check, in the right version, at the right place."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from typing import Any

import pytest

from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.evidence import Evidence, decided, demands, verified
from dissensus_agents.judgement.supervisor import Supervisor
from dissensus_agents.judgement.verifiers import quotes_stand_in_sources, run_verifiers, verifier
from dissensus_state.errors import InvariantViolated
from dissensus_state.sessions import Session
from dissensus_state.shapes import SharedState, invariant
from dissensus_state.store import Store
from panels import agent, happened, upholds

QUOTES = quotes_stand_in_sources("verdict/evidence")
QUOTED = {"cause": "disk", "evidence": [{"quote": "the disk is full", "source": "log"}]}
INVENTED = {"cause": "disk", "evidence": [{"quote": "the disk is empty", "source": "log"}]}


class Quoted(SharedState):
    """A verdict may stand only on a quotation that was checked, by the check of today."""

    documents: dict[str, str] = {"log": "12:01 the disk is full"}
    verdict: dict[str, Any] | None = None
    note: str = ""

    @invariant("verdict")
    @staticmethod
    def a_verdict_rests_on_checked_quotations(_: Any, after: Any, evidence: Any) -> Any:
        return after.verdict is None or demands(evidence, QUOTES, path="/verdict")


@pytest.fixture
def quoted(store: Store) -> Session[Quoted]:
    return store.create(Quoted())


def by_hand(session: Session[Quoted], verdict: Any, evidence: tuple[Any, ...]) -> None:
    """A commit of a verdict, with this evidence laid beside it."""
    with session.transaction(author="ana") as tx:
        for item in evidence:
            tx.evidence(item)
        tx.set("verdict", verdict)


def found_on(verdict: Any) -> tuple[dict[str, Any], ...]:
    """What the check finds on a verdict."""
    state = {"documents": {"log": "12:01 the disk is full"}}
    return tuple(item.as_dict() for item in run_verifiers([QUOTES], {"/verdict": verdict}, state))


def test_g04_a_commit_with_the_evidence_that_its_rule_demands_is_made(quoted: Session[Quoted]) -> None:
    by_hand(quoted, QUOTED, found_on(QUOTED))
    assert quoted.state.verdict == QUOTED
    (item,) = quoted.commit_at(1).evidence
    assert set(item) == {"verifier", "version", "passed", "path", "detail"}
    assert verified(quoted.commit_at(1).evidence, "quotes_stand_in_sources", version="1", path="verdict")


GOOD = Evidence(QUOTES.name, QUOTES.version, passed=True, path="/verdict/evidence/0")


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        ((), "the check quotes_stand_in_sources 1 is demanded, and there is no evidence of it"),
        (({**GOOD.as_dict(), "version": "0"},), "is demanded, and it was made by version 0 only"),
        (({**GOOD.as_dict(), "path": "/note"},), "is demanded, and there is no evidence of it"),
        (({**GOOD.as_dict(), "verifier": "arithmetic"},), "is demanded, and there is no evidence of it"),
        (({**GOOD.as_dict(), "outside": False},), "is demanded, and there is no evidence of it"),
        (({**GOOD.as_dict(), "passed": "yes"},), "is demanded, and there is no evidence of it"),
        (({"said": "trust me"}, "verified", None, [GOOD.verifier]), "and there is no evidence of it"),
        (found_on(INVENTED), "was not passed: does not stand in 'log': “the disk is empty”"),
        ((*found_on(INVENTED), GOOD.as_dict()), "was not passed: does not stand in 'log'"),
        (
            ({**GOOD.as_dict(), "passed": False, "broke": True, "detail": "timeout"},),
            "was not passed: timeout",
        ),
    ],
)
def test_g04_a_commit_without_it_is_refused_with_rule_path_and_value(
    quoted: Session[Quoted], evidence: tuple[Any, ...], reason: str
) -> None:
    with pytest.raises(InvariantViolated) as refused:
        by_hand(quoted, QUOTED, evidence)
    assert reason in refused.value.message
    context = refused.value.context
    assert context["rule"] == "a_verdict_rests_on_checked_quotations"
    assert context["path"].startswith("/verdict")
    assert "disk" in json.dumps(context["value"], ensure_ascii=False)
    assert (quoted.head, quoted.state.verdict) == (0, None)


def _graph(answers: list[dict[str, Any]], **settings: Any) -> AgentGraph:
    panel = [
        agent(name, answer, lineage=f"maker-{name}/one") for name, answer in zip("abc", answers, strict=False)
    ]
    return AgentGraph(Quoted).add_step("judge", panel, writes={"verdict"}, **settings)


async def test_g04_the_evidence_of_a_steps_verifiers_is_what_its_commit_brings(
    quoted: Session[Quoted],
) -> None:
    await _graph([{"verdict": QUOTED}], verifiers=[QUOTES]).run(quoted)
    assert quoted.state.verdict == QUOTED


async def test_g04_a_step_without_that_verifier_commits_nothing(quoted: Session[Quoted]) -> None:
    with pytest.raises(InvariantViolated, match="there is no evidence of it"):
        await _graph([{"verdict": QUOTED}]).run(quoted)
    assert quoted.head == 0


async def test_g04_no_supervisor_upholds_what_lacks_the_evidence(quoted: Session[Quoted]) -> None:
    graph = _graph(
        [{"verdict": INVENTED}], verifiers=[QUOTES], supervisor=Supervisor(upholds("empty")), again=0
    )
    with pytest.raises(InvariantViolated, match="was not passed: does not stand"):
        await graph.run(quoted)
    assert quoted.head == 0


async def test_g04_an_amendment_is_checked_anew(quoted: Session[Quoted]) -> None:
    amends = upholds("empty", decision="amend", amendment={"/verdict": QUOTED})
    await _graph([{"verdict": INVENTED}], verifiers=[QUOTES], supervisor=Supervisor(amends)).run(quoted)
    assert quoted.state.verdict == QUOTED
    assert verified(quoted.commit_at(1).evidence, QUOTES)


@pytest.mark.parametrize(
    "flags", [{}, {"decides": True}, {"outside": False}, {"broke": True, "passed": False}]
)
def test_evidence_is_stored_compactly_and_read_back_whole(flags: dict[str, Any]) -> None:
    one = replace(Evidence("a", "1", passed=True, path="/x", detail="y"), **flags)
    stored = one.as_dict()
    assert set(stored) == {"verifier", "version", "passed", "path", "detail", *flags}
    assert Evidence.from_dict(stored) == one
    assert Evidence.from_dict({**stored, "of_a_later_version": 1}) == one
    old = {"verifier": "a", "version": "1", "passed": True}
    assert (Evidence.from_dict(old).decides, Evidence.from_dict(old).outside) == (False, True)


@pytest.mark.parametrize(
    ("flags", "proves", "refutes"),
    [
        ({"passed": True}, False, False),
        ({"passed": True, "decides": True}, True, False),
        ({"passed": True, "decides": True, "outside": False}, False, False),
        ({"passed": False}, False, True),
        ({"passed": False, "decides": True}, False, True),
        ({"passed": False, "broke": True}, False, False),
        ({"passed": False, "outside": False}, False, False),
    ],
)
def test_only_what_is_outside_of_the_models_proves_or_refutes(
    flags: dict[str, Any],
    proves: bool,  # noqa: FBT001
    refutes: bool,  # noqa: FBT001
) -> None:
    one = replace(Evidence("a", "1", passed=True), **flags)
    assert (one.proves, one.refutes, decided([one])) == (proves, refutes, proves or refutes)


async def test_the_event_loop_goes_on_while_verifiers_compute(quoted: Session[Quoted]) -> None:
    beats = 0

    @verifier
    def slow(_: Any, __: Any) -> bool:
        time.sleep(0.3)
        return True

    async def beating() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.01)
            beats += 1

    heart = asyncio.create_task(beating())
    graph = AgentGraph(Quoted).add_step(
        "note", [agent("d", {"note": "x"})], writes={"note"}, verifiers=[slow]
    )
    await graph.run(quoted)
    heart.cancel()
    assert beats > 5
    assert quoted.state.note == "x"


async def test_one_patch_is_checked_once_in_a_round(quoted: Session[Quoted]) -> None:
    seen: list[Any] = []

    @verifier
    def counts(proposed: Any, _: Any) -> bool:
        seen.append(proposed)
        return True

    graph = AgentGraph(Quoted).add_step(
        "note", [agent(name, {"note": "x"}) for name in "abc"], writes={"note"}, verifiers=[counts]
    )
    await graph.run(quoted)
    assert seen == [{"/note": "x"}]
    assert not happened(quoted, "refused")
