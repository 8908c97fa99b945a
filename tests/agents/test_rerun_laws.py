"""The law of reruns, whatever a round is made of: with nothing changed nobody is asked and nothing flips."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from dissensus.context import Summarised
from dissensus_agents.agent import Agent
from dissensus_agents.errors import ModelFailed, RoundVoid
from dissensus_agents.graph import END, AgentGraph
from dissensus_agents.judgement.meaning import SameMeaning
from dissensus_agents.judgement.opinions import asked_of
from dissensus_agents.judgement.supervisor import Supervisor, Verdict
from dissensus_agents.messages import Request
from dissensus_agents.models.scripted import FunctionModel
from dissensus_agents.patterns.cascade import Cascade
from dissensus_agents.patterns.chain import Chain, Link
from dissensus_agents.patterns.route import Route
from dissensus_agents.patterns.together import Panel
from dissensus_agents.reruns.answers import Rerun
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from killable import Exam, exam
from panels import Case, Voice, agent, cause, one_step, panel, ruling
from patterned import PATTERNS
from workers import Nursery

HOLDS = {"answer": "holds", "reason": "The log says so.", "quotation": "the disk is full"}


def holds_the_law(session: Session[Any], found: Rerun) -> None:
    """Nobody was asked, nothing was paid, nothing flipped, and the branch came to the same."""
    (way,) = found.branches
    assert (found.spent.asked, found.spent.nano, found.spent.unpriced) == (0, 0, 0), found
    assert found.spent.reused == found.then.asked + found.then.reused
    assert found.flipped == ()
    assert way.differences == ()
    assert way.status in {"finished", "failed", "parked"}
    branch = session.on(way.branch)
    assert branch.raw() == session.raw(found.until)
    branch.verify()


@settings(max_examples=40, deadline=None)
@given(PATTERNS)
def test_whatever_a_pattern_is_made_of_it_goes_the_same_way_again_for_nothing(pattern: Any) -> None:
    async def tried() -> None:
        with Store.open("sqlite://") as store:
            reject = Supervisor(lambda _: Verdict(decision="reject", reason="so"), name="chair")
            graph = AgentGraph(Case).add_step("judge", pattern, writes={"verdict"}, supervisor=reject)
            session = store.create(Case())
            with contextlib.suppress(RoundVoid, ModelFailed):  # where nobody answers
                await graph.run(session)
            holds_the_law(session, await graph.rerun(session, 0))

    asyncio.run(tried())


def meant_alike(_: Request) -> dict[str, Any]:
    return {"second_follows_from_first": True, "first_follows_from_second": True}


def patterned(pattern: Any) -> AgentGraph:
    return AgentGraph(Case).add_step("judge", pattern, writes={"verdict"})


def of_both(request: Request) -> dict[str, Any]:
    """A verdict for the disk, in whichever order the positions stand."""
    found = next(
        part.source or ""
        for part in request.parts
        if (part.source or "").startswith(("position:", "reversed:")) and '"disk"' in part.text
    )
    return {"decision": "uphold", "reason": "so", "position": found.rpartition(":")[2]}


def retried() -> AgentGraph:
    """A supervisor who lets the panel be asked again, and then upholds one."""
    said = iter(["retry", "uphold", "uphold"])

    def chair(request: Request) -> Any:
        if next(said) == "retry":
            return {"decision": "retry", "reason": "so", "clarification": "Look at the log."}
        return ruling("disk")(request)

    return one_step(panel("disk", "net"), supervisor=Supervisor(Voice("chair", chair), name="chair"))


def refused() -> AgentGraph:
    """Nobody may write so much at once: the panel is told, and is asked again."""
    first = {"note": "x", "findings": ["y"]}
    one = agent("a", lambda request: {"note": "short"} if request.turns else first)
    return one_step([one], writes=["note"])


def looping() -> AgentGraph:
    """The same step three times, with the same question at first sight."""
    counts = Voice("counter", lambda request: {"findings": [f"n{request.prompt.count('n')}"]})
    graph = one_step([Agent("a", counts, reads={"findings"})], writes=["findings"])
    return graph.add_edge("judge", lambda state: "judge" if len(state.findings) < 3 else END)


def summarised() -> AgentGraph:
    cheap = FunctionModel("cheap", lambda _: "the disk was full")
    small = Voice("small", cause("disk"))
    small.window = 3000  # type: ignore[attr-defined]
    one = Agent("a", small, reads={"note"}, fit=Summarised(cheap), max_output_tokens=100)
    return one_step([one])


FEATURES: dict[str, Callable[[], AgentGraph]] = {
    "retried": retried,
    "refused": refused,
    "looping": looping,
    "summarised": summarised,
    "meaning": lambda: one_step(
        [agent("a", {"note": "full disk"}), agent("b", {"note": "no room on it"})],
        writes=["note"],
        comparators={"note": SameMeaning(Voice("judge", meant_alike))},
    ),
    "opinion": lambda: one_step(
        panel("disk"), verifiers=[asked_of(Voice("judge", HOLDS, lineage="maker-z/one"), "Is it?")]
    ),
    "audited": lambda: one_step(
        panel("disk", "disk"), audit=0.5, supervisor=Supervisor(Voice("chair", ruling("disk")), name="chair")
    ),
    "both orders": lambda: one_step(
        panel("disk", "net"), supervisor=Supervisor(Voice("chair", of_both), orders=2)
    ),
    "a chain of judges": lambda: one_step(
        panel("disk", "net"),
        supervisor=[
            Supervisor(Voice("first", {"decision": "escalate", "reason": "no idea"})),
            Supervisor(Voice("second", ruling("net")), name="second"),
        ],
    ),
    "hollow": lambda: one_step(
        [agent(name, cause("disk"), lineage="google/gemini") for name in "ab"],
        hollow_below=1.5,
        hollow=[agent("z", cause("disk"), lineage="meta/llama")],
    ),
    "routed by a model": lambda: patterned(
        Route(
            {"hard": agent("a", cause("disk")), "easy": agent("b", cause("net"))},
            by=Voice("router", {"option": "hard", "reason": "so", "confidence": 0.9}),
            default="easy",
        )
    ),
    "cascade": lambda: patterned(Cascade([Panel(panel("disk", "net")), agent("z", cause("disk"))])),
    "chain": lambda: AgentGraph(Case).add_step(
        "work",
        Chain(
            [
                Link("look", agent("a", {"findings": ["x"]}), writes="findings"),
                Link("judge", agent("b", cause("disk")), writes="verdict"),
            ]
        ),
    ),
}


@pytest.mark.parametrize("feature", FEATURES)
async def test_whatever_a_round_asks_for_is_not_asked_again(session: Session[Case], feature: str) -> None:
    with session.transaction("chris") as tx:
        tx.set("note", "a long note about it. " * 1000)
    graph = FEATURES[feature]()
    for _ in range(6 if feature == "audited" else 1):
        await graph.run(session, start=next(iter(graph.steps)) if feature == "audited" else None)
    holds_the_law(session, await graph.rerun(session, 1))


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as started:
        yield started


@pytest.mark.parametrize("moment", ["sent", "cid asked", "comparing", "chair asked", "ruling", "committing"])
async def test_what_a_worker_left_that_was_killed_is_gone_through_again_for_nothing(
    nursery: Nursery, tmp_path: Path, moment: str
) -> None:
    url = f"sqlite:///{tmp_path}/exam.db"
    with Store.open(url) as store:
        session = store.create(Exam(questions=3), name="exam")
        worker = nursery.start(url, "exam", tmp_path, stop=(moment, 1))
        worker.says(f"at {moment}")
        assert worker.kill() == -signal.SIGKILL
        assert nursery.start(url, "exam", tmp_path).ends() == 0
        holds_the_law(session, await exam().rerun(session, 0))
