"""What is changed for a rerun: whose it is, what has no effect, and that two changes are two."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dissensus_agents.errors import GraphError
from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.supervisor import Person, Supervisor
from dissensus_agents.messages import Request
from dissensus_agents.session import settle
from dissensus_state.sessions import Session
from panels import Case, Voice, agent, cause


def graph(*, person: bool = False) -> AgentGraph:
    """Somebody who looks, and two who judge and are ruled on; with a person who rules on a third step."""
    two = [agent("a", cause("disk")), agent("b", cause("cache"))]
    built = (
        AgentGraph(Case)
        .add_step("look", [agent("scout", {"findings": ["one"]})], writes={"findings"})
        .add_step("judge", two, writes={"verdict"}, supervisor=Supervisor(chair))
        .add_edge("look", "judge")
    )
    if person:
        built.add_step("sign", [agent("c", {"doubts": 1})], writes={"doubts"}, supervisor=Person("jutta"))
        built.add_edge("judge", "sign")
    return built


chair: Any = Voice("chair", {"decision": "uphold", "position": "A", "reason": "so"})


def one(_: Request) -> Any:
    return cause("pump")


def other(_: Request) -> Any:
    return cause("disk")


async def test_it_says_what_was_changed_for_nobody(session: Session[Case]) -> None:
    await graph().run(session)
    found = await graph().rerun(session, 1, swap={"scout": one, "a": one})
    assert found.unasked == ("scout",)
    assert "scout was not asked: what was changed there had no effect" in str(found)
    assert "scout was not asked" in found._repr_html_()
    assert found.as_dict()["unasked"] == ["scout"]

    session.retract(1, author="chris", reason="wrong")
    repaired = await graph().repair(session, swap={"scout": lambda _: {"findings": ["two"]}, "b": one})
    assert repaired.unasked == ("scout",)
    assert "scout was not asked: what was changed there had no effect" in str(repaired)
    again = await graph().repair(session, again=True, swap={"scout": lambda _: {"findings": ["two"]}})
    assert again.unasked == ()


async def test_two_functions_are_two_changes(session: Session[Case]) -> None:
    await graph().run(session)
    first = await graph().rerun(session, 1, swap={"a": one, "b": one})
    second = await graph().rerun(session, 1, swap={"a": other, "b": other})
    assert first.branches[0].branch != second.branches[0].branch
    assert [now.decisions[0].now[0] for now in (first, second)] == ["pump", "disk"]


async def test_a_class_is_no_model(session: Session[Case]) -> None:
    await graph().run(session)
    with pytest.raises(GraphError, match="is no model"):
        await graph().rerun(session, 1, swap={"a": Case})
    assert [branch.name for branch in session.branches()] == ["main"]


async def test_other_instructions_are_for_those_who_have_any(session: Session[Case]) -> None:
    await graph(person=True).run(session)
    found = await graph(person=True).rerun(session, 1, prompts={"supervisor": "Be strict."})
    assert found.is_finished
    with pytest.raises(GraphError, match="'jutta' is no model") as caught:
        await graph(person=True).rerun(session, 1, prompts={"sign/supervisor": "Be strict."})
    assert caught.value.next_step


async def test_the_same_rerun_at_once_is_one_rerun(session: Session[Case]) -> None:
    await graph().run(session)
    found = await asyncio.gather(
        *(graph().rerun(session, 1, swap={"a": one}) for _ in range(3)), return_exceptions=True
    )
    codes = {getattr(item, "code", "done") for item in found}
    assert codes <= {"done", "lease.lost"}, found
    assert (await graph().rerun(session, 1, swap={"a": one})).is_finished


async def test_a_repair_stands_for_its_line_once_whoever_asks_for_it(session: Session[Case]) -> None:
    await graph().run(session)
    session.retract(1, author="chris", reason="wrong")
    first = await graph().repair(session, author="chris")
    second = await graph().repair(session, author="dana")
    assert (first.status, second.status) == ("finished", "finished")
    assert second.version == first.version


async def test_a_model_in_the_place_of_a_person_rules_in_its_own_name(session: Session[Case]) -> None:
    def ruled_by(judge: Any) -> AgentGraph:
        two = [agent("a", cause("disk")), agent("b", cause("cache"))]
        return AgentGraph(Case).add_step("judge", two, writes={"verdict"}, supervisor=judge)

    parked = (await ruled_by(Person("jutta")).run(session)).parked
    assert parked is not None
    settle(session, parked, decision="uphold", author="jutta", reason="so", position="B")
    heard: list[str] = []
    same = await ruled_by(Person("jutta")).rerun(session, 0, heard=lambda _, event: heard.append(event.kind))
    assert (same.flipped, heard[-2:]) == ((), ["parked", "ruled_alike"])
    found = await ruled_by(Person("jutta")).rerun(session, 0, supervisor=chair)
    (decision,) = (one for one in found.decisions if one.path == "/verdict/cause")
    assert decision.ruled_then is not None
    assert decision.ruled_now[0] is not None
    assert (decision.ruled_then.by, decision.ruled_now[0].by) == ("jutta", "chair")


@pytest.mark.parametrize(
    ("since", "given", "what"),
    [
        (0, {"prompt": {"a": "Be strict."}}, "A rerun has no 'prompt'"),
        (True, {}, "begins at a version"),
        ("v1", {}, "begins at a version"),
        (0, {"prompts": {"a": 5}}, "is a text, and not 5"),
    ],
)
async def test_what_is_misspelt_is_refused_and_no_branch_is_begun(
    session: Session[Case], since: Any, given: dict[str, Any], what: str
) -> None:
    await graph().run(session)
    with pytest.raises(GraphError, match=what):
        await graph().rerun(session, since, **given)
    with pytest.raises(GraphError, match="A repair has no 'until'"):
        await graph().repair(session, until=2)  # type: ignore[call-arg]
    assert [branch.name for branch in session.branches()] == ["main"]


async def test_another_role_in_the_code_is_another_rerun(session: Session[Case]) -> None:
    def told(role: str) -> AgentGraph:
        return AgentGraph(Case).add_step("judge", [agent("a", cause("disk"), role=role)], writes={"verdict"})

    await told("Look.").run(session)
    same = await told("Look.").rerun(session, 0)
    other = await told("Look twice.").rerun(session, 0)
    assert (same.spent.asked, other.spent.asked) == (0, 1)
    assert (await told("Look twice.").rerun(session, 0)).branches == other.branches
