"""The repair: what rests on a retracted commit is made anew on a branch, and merged without a trace of it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, ClassVar, Literal

import pytest

from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.supervisor import Person
from dissensus_agents.messages import Request
from dissensus_agents.models.prices import Price
from dissensus_agents.reruns.repairing import Repair
from dissensus_agents.session import settle
from dissensus_state.errors import NotFound
from dissensus_state.machine import Transition
from dissensus_state.sessions import Session
from dissensus_state.shapes import SharedState
from dissensus_state.store import Store
from panels import Case, agent, cause, voice

PRICE = Price(Decimal(1), Decimal(1), source="a test")


def judges(*, supervisor: Any = None, **more: Any) -> AgentGraph:
    """Somebody who writes down what stands in the note, somebody who does not look, and a judge of both."""

    def by_note(request: Request) -> Any:
        return {"findings": ["the cache is cold" if "cache" in request.prompt else "the disk is full"]}

    def by_findings(request: Request) -> Any:
        return cause("cache" if "cache" in request.prompt else "disk")

    return (
        AgentGraph(Case)
        .add_step("look", [agent("scout", by_note, reads={"note"}, **more)], writes={"findings"})
        .add_step("count", [agent("clerk", {"doubts": 2}, reads={"question"})], writes={"doubts"})
        .add_step(
            "judge",
            [agent("a", by_findings, reads={"findings"}), agent("b", cause("disk"), reads={"question"})],
            writes={"verdict"},
            supervisor=supervisor or Person("chris"),
        )
        .add_edge("look", "count")
        .add_edge("count", "judge")
    )


def note(session: Session[Any], author: str, text: str) -> None:
    with session.transaction(author) as tx:
        tx.set("note", text)


async def misled(session: Session[Case], graph: AgentGraph) -> int:
    """A wrong note, all that came of it, and what did not; the version of the note."""
    note(session, "nick", "look at the cache")
    wrong = session.head
    parked = (await graph.run(session)).parked
    if parked is not None:
        settle(session, parked, decision="uphold", author="chris", reason="so", position="A")
    with session.transaction("bea") as tx:
        tx.append("findings", "what bea saw")
    with session.transaction("dana") as tx:
        tx.append("findings", f"dana read: {tx.read('findings/0')}")
    return wrong


def whats(found: Repair) -> list[tuple[int, str, str]]:
    return [(one.version, one.author, one.what) for one in found.commits]


async def test_only_what_rests_on_a_retracted_commit_is_asked_again(session: Session[Case]) -> None:
    graph = judges()
    wrong = await misled(session, graph)
    before = session.log(100)
    clerk, second = (voice(graph.steps[step].agents[-1]) for step in ("count", "judge"))
    session.retract(wrong, author="chris", reason="it was a guess")

    found = await graph.repair(session)

    assert (found.status, found.retracted) == ("finished", {1: "it was a guess"})
    assert whats(found) == [
        (1, "nick", "dropped"),
        (2, "scout", "again"),
        (3, "clerk", "carried"),
        (4, "a", "again"),
        (5, "bea", "carried"),
        (6, "dana", "suspect"),
    ]
    assert (len(clerk.asked), len(second.asked)) == (1, 1), "nobody asks whose prompt did not change"
    assert (found.spent.asked, found.spent.reused) == (2, 1)
    branch = session.on(found.branch)
    assert branch.state.findings == ["the disk is full", "what bea saw", "dana read: the cache is cold"]
    assert branch.state.verdict is not None
    assert (branch.state.verdict.cause, branch.state.note, branch.state.doubts) == ("disk", "", 2)
    changed = {one.path: (one.then, one.now) for one in found.decisions if one.flipped.hits}
    assert changed == {
        "/findings": (["the cache is cold"], (["the disk is full"],)),
        "/verdict/cause": ("cache", ("disk",)),
    }
    assert session.log(100)[1:] == before, "the original got nothing but the retraction"
    assert branch.verify().rounds == 2


async def test_merged_it_brings_exactly_the_difference_and_doubles_nothing(session: Session[Case]) -> None:
    graph = judges()
    wrong = await misled(session, graph)
    session.retract(wrong, author="chris", reason="it was a guess")
    found = await graph.repair(session)
    branch = session.on(found.branch)
    with session.transaction("late") as tx:
        tx.append("findings", "landed meanwhile")
        tx.add("doubts", 5)

    merged = session.merge(found.branch, author="chris")

    assert merged.conflicts == ()
    assert session.state.findings == [*branch.state.findings, "landed meanwhile"]
    assert (session.state.doubts, session.state.verdict, session.state.note) == (7, branch.state.verdict, "")
    assert session.verify().versions == session.head + 1
    assert session.merge(found.branch, author="chris").commit is None, "there is nothing left to bring"
    assert (await graph.repair(session)).as_dict() == found.as_dict(), "the same repair is told again"


async def test_without_anything_that_rests_on_it_nobody_is_asked(session: Session[Case]) -> None:
    graph = judges()
    await misled(session, graph)
    with session.transaction("fred") as tx:
        tx.set("answers", {"x": "nobody reads this"})
    session.retract(session.head, author="chris", reason="made up")

    found = await graph.repair(session)

    assert (found.spent.asked, [one.what for one in found.commits]) == (0, ["dropped"])
    session.merge(found.branch, author="chris")
    assert session.state.answers == {}


async def test_a_round_that_was_retracted_is_left_out_or_asked_anew(session: Session[Case]) -> None:
    said = [{"findings": ["the cache is cold"]}, {"findings": ["the disk is full"]}]
    scout = agent("scout", *said, reads={"question"})
    graph = (
        AgentGraph(Case)
        .add_step("look", [scout], writes={"findings"})
        .add_step("judge", [agent("a", cause("disk"), reads={"findings"})], writes={"verdict"})
        .add_edge("look", "judge")
    )
    await graph.run(session)
    session.retract(1, author="chris", reason="misread")

    left = await graph.repair(session, 1)
    anew = await graph.repair(session, 1, again=True)

    assert [one.what for one in left.commits] == ["dropped", "again"]
    assert session.on(left.branch).state.findings == []
    assert [one.what for one in anew.commits] == ["again", "again"]
    assert session.on(anew.branch).state.findings == ["the disk is full"]
    assert len(voice(scout).asked) == 2


async def test_a_person_is_asked_where_one_ruled_on_other_proposals_and_then_it_goes_on(
    session: Session[Case],
) -> None:
    def of_two(request: Request) -> Any:
        return cause("cache" if "cache" in request.prompt else "pump")

    graph = judges()
    graph.steps["judge"].agents[0].candidates.models[0]._said = (of_two,)  # type: ignore[attr-defined]
    wrong = await misled(session, graph)
    session.retract(wrong, author="chris", reason="it was a guess")

    waiting = await graph.repair(session)

    assert waiting.status == "parked"
    assert waiting.parked is not None
    assert [one.what for one in waiting.commits][-1] == "waiting"
    settle(
        session.on(waiting.branch),
        waiting.parked,
        decision="uphold",
        author="chris",
        reason="x",
        position="A",
    )
    found = await graph.repair(session)
    assert (found.status, found.branch) == ("finished", waiting.branch)
    assert [one.what for one in found.commits][-3:] == ["again", "carried", "suspect"]
    session.merge(found.branch, author="chris")
    assert session.state.verdict is not None
    assert session.state.verdict.cause == "pump"
    session.verify()


async def test_a_repair_that_ran_out_of_money_goes_on_with_more(session: Session[Case]) -> None:
    graph = judges(price=PRICE)
    wrong = await misled(session, graph)
    session.retract(wrong, author="chris", reason="it was a guess")
    short = await graph.repair(session, budget="0.0001")
    assert (short.status, short.spent.nano) == ("budget", 0)
    assert [one.what for one in short.commits][:2] == ["dropped", "waiting"]
    found = await graph.repair(session, budget=1)
    assert (found.status, found.branch) == ("finished", short.branch)
    session.on(found.branch).verify()


async def test_a_revert_of_what_is_left_out_is_left_out_with_it(session: Session[Case]) -> None:
    graph = judges()
    wrong = await misled(session, graph)
    session.retract(wrong, author="chris", reason="it was a guess")
    session.revert(wrong, author="chris")

    found = await graph.repair(session)

    assert found.status == "finished"
    assert [(one.version, one.what) for one in found.commits][::6] == [(1, "dropped"), (8, "dropped")]
    session.merge(found.branch, author="chris")
    assert session.state.note == ""
    session.verify()


class Staged(SharedState):
    """Two phases, the first of which a retracted commit ends."""

    phase: Literal["looking", "judging"] = "looking"
    finding: str = ""
    verdict: str = ""

    transitions: ClassVar[list[Transition]] = [
        Transition("look", "looking -> judging", writes={"finding"}),
        Transition("judge", "judging -> judging", writes={"verdict"}),
    ]


async def test_a_phase_that_a_dropped_commit_moved_is_moved_all_the_same(store: Store) -> None:
    session = store.create(Staged(), name="staged")

    def by_finding(request: Request) -> Any:
        return {"verdict": "cache" if "cache" in request.prompt else "unknown"}

    graph = (
        AgentGraph(Staged)
        .add_step("look", [agent("scout", {"finding": "cache"}, reads={"phase"})], writes={"finding"})
        .add_step("judge", [agent("a", by_finding, reads={"finding"})], writes={"verdict"})
        .add_edge("look", "judge")
    )
    await graph.run(session)
    session.retract(1, author="chris", reason="misread")

    found = await graph.repair(session)

    assert found.status == "finished", found
    session.merge(found.branch, author="chris")
    assert (session.state.phase, session.state.finding, session.state.verdict) == ("judging", "", "unknown")
    session.verify()


async def test_what_is_not_retracted_cannot_be_repaired(session: Session[Case]) -> None:
    graph = judges()
    wrong = await misled(session, graph)
    with pytest.raises(NotFound, match="Nothing is retracted"):
        await graph.repair(session)
    session.retract(wrong, author="chris", reason="a guess")
    with pytest.raises(NotFound, match="Version 2 is not retracted"):
        await graph.repair(session, 2)
    session.retract(wrong, author="chris", reason="no, it was right", undo=True)
    with pytest.raises(NotFound, match="Nothing is retracted"):
        await graph.repair(session)
    assert [one.name for one in session.branches()] == ["main"]


async def test_the_answer_is_plain_data_text_and_escaped_html(session: Session[Case]) -> None:
    graph = judges()
    wrong = await misled(session, graph)
    session.retract(wrong, author="chris", reason="<script>alert(1)</script>\x1b[2J")
    found = await graph.repair(session)
    assert json.loads(json.dumps(found.as_dict()))["retracted"][0]["version"] == wrong
    assert "dropped" in str(found)
    assert "<script>" not in found._repr_html_()
