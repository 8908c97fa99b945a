"""What becomes of agents that cannot answer, and of rounds with too few that can."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dissensus_agents.agent import Agent
from dissensus_agents.errors import (
    MalformedAnswer,
    MissingKey,
    ProviderFailed,
    RoundVoid,
    UnknownModel,
)
from dissensus_state.sessions import Session
from panels import Case, agent, cause, happened, one_step, panel, told, voice


def attempts(session: Session[Any], name: str, number: int = 1) -> list[tuple[int, str, str | None]]:
    """The calls of an agent in a round: attempt, status, answer."""
    return [
        (call.attempt, call.status, call.answer) for call in session.round(number)[2] if call.agent == name
    ]


async def test_g11_after_a_void_round_the_next_run_begins_the_step_again(session: Session[Case]) -> None:
    with pytest.raises(MalformedAnswer):
        await one_step([agent("ana", "?", attempts=1)]).run(session)

    result = await one_step([agent("ana", cause("disk"))]).run(session)

    assert (result.status, result.version) == ("finished", 1)
    assert [(item.status, item.again_of) for item in session.rounds()] == [("void", None), ("committed", 1)]


async def test_g14_an_agent_whose_provider_fails_abstains_and_all_can_see_it(session: Session[Case]) -> None:
    agents = [*panel("disk", "disk"), agent("c", ProviderFailed("The server is down", model="model-of-c"))]

    progress = await told(one_step(agents), session)

    abstained = next(item for item in progress if item.kind == "abstained")
    assert (abstained.body["agent"], abstained.body["code"]) == ("c", "model.provider")
    assert happened(session, "abstained")[0]["message"] == "The server is down"
    assert session.commit_at(1).author == "a+b"
    stored = {item.agent: item for item in session.round(1)[1]}
    assert (stored["c"].status, stored["c"].patch) == ("abstained", ())
    assert (stored["c"].detail or {})["code"] == "model.provider"
    assert attempts(session, "c") == [(1, "failed", None)]


async def test_below_the_quorum_the_round_is_void_and_names_every_reason(session: Session[Case]) -> None:
    agents = [
        agent("a", cause("disk")),
        agent("b", ProviderFailed("The server is down")),
        agent("c", "nonsense", attempts=1),
    ]

    with pytest.raises(RoundVoid) as raised:
        await one_step(agents, quorum=2).run(session)

    assert (raised.value.code, raised.value.exit_code) == ("round.void", 19)
    assert "1 of 3 agents proposed something, and 2 must" in raised.value.message
    assert "b: The server is down" in raised.value.message
    assert "c: The answer holds no JSON" in raised.value.message
    assert raised.value.context["round"] == 1
    assert [(item.agent, item.status) for item in session.round(1)[1]] == [
        ("a", "void"),
        ("b", "abstained"),
        ("c", "abstained"),
    ]


async def test_an_agent_whose_key_is_missing_stops_the_run_and_is_asked_once_it_is_there(
    session: Session[Case],
) -> None:
    agents = [agent("a", cause("disk")), agent("b", MissingKey("No key", model="m"), cause("disk"))]
    graph = one_step(agents)

    with pytest.raises(MissingKey) as raised:
        await graph.run(session)
    await graph.run(session)

    assert raised.value.exit_code == 13
    assert session.commit_at(1).author == "a+b"
    assert [len(voice(one).asked) for one in agents] == [1, 2]
    assert happened(session, "abstained") == []


async def test_g11_a_recorded_failure_is_not_asked_again_and_still_counts_as_an_abstention(
    session: Session[Case],
) -> None:
    class Stopped(RuntimeError):
        pass

    def stops(_: Any) -> None:
        raise Stopped

    down = agent("a", ProviderFailed("The server is down"), cause("disk"))
    with pytest.raises(Stopped):
        await one_step([down, agent("b", stops)]).run(session)

    await one_step([down, agent("b", cause("disk"))]).run(session)

    assert len(voice(down).asked) == 1
    assert session.commit_at(1).author == "b"
    (abstained,) = happened(session, "abstained")
    assert (abstained["agent"], abstained["message"]) == ("a", "The server is down")


async def test_a_hosted_model_without_its_key_says_which_variable_to_set(session: Session[Case]) -> None:
    with pytest.raises(MissingKey, match="the environment variable OPENAI_API_KEY is not set") as raised:
        await one_step([Agent("ana", "openai:gpt-4o-mini")]).run(session)
    await one_step([agent("ana", cause("disk"))]).run(session)

    assert (raised.value.exit_code, raised.value.code) == (13, "model.missing_key")
    assert "resume: nothing was sent" in raised.value.next_step
    assert [(call.status, call.cost) for call in session.round(1)[2]] == [("failed", 0), ("answered", 0)]


def test_a_model_that_nobody_knows_is_refused_when_it_is_named() -> None:
    with pytest.raises(UnknownModel) as raised:
        Agent("ana", "nobody:nothing")
    assert (raised.value.exit_code, raised.value.code) == (12, "model.unknown")
    assert "provider:model" in raised.value.next_step


async def test_a_run_that_is_cancelled_goes_on_later_and_keeps_what_was_answered(
    session: Session[Case],
) -> None:
    async def never(_: Any) -> Any:
        await asyncio.sleep(60)

    quick, slow = agent("a", cause("disk")), agent("b", never, cause("disk"))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(one_step([quick, slow]).run(session), 0.3)

    await one_step([quick, slow]).run(session)

    assert [len(voice(one).asked) for one in (quick, slow)] == [1, 2]
    assert session.commit_at(1).author == "a+b"
    assert [body["agent"] for body in happened(session, "unknown")] == ["b"]
