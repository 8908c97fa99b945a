"""Laws of patterns: whatever they are made of, everybody is accounted for, and parts compose."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissensus_agents.errors import GraphError, ModelFailed, RoundVoid
from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.supervisor import Supervisor, Verdict
from dissensus_agents.patterns.asked import Asked, Option
from dissensus_agents.patterns.cascade import Cascade
from dissensus_agents.patterns.plan import Ask, Heard, Pattern, Stand, Stop, Switch
from dissensus_agents.patterns.route import Route
from dissensus_agents.racing import LEFT
from dissensus_agents.watch.governor import SPARED
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from panels import Case
from patterned import PATTERNS


def graph_of(pattern: Any) -> AgentGraph:
    reject = Supervisor(lambda _: Verdict(decision="reject", reason="so"), name="chair")
    return AgentGraph(Case).add_step("judge", pattern, writes={"verdict"}, supervisor=reject)


async def ran(pattern: Any) -> tuple[Session[Any], list[Any]]:
    with Store.open("sqlite://") as store:
        session, graph = store.create(Case()), graph_of(pattern)
        with contextlib.suppress(RoundVoid, ModelFailed):  # where nobody answers
            await graph.run(session)
        round_, proposals, calls, _ = session.round(1)
        told = {item.agent: (item.status, (item.detail or {}).get("code")) for item in proposals}
        called = {call.agent for call in calls}
        everybody = {agent.name for agent in graph.steps["judge"].agents}
        assert set(told) == everybody
        unasked = {name for name, (_, code) in told.items() if code == SPARED}
        assert unasked == everybody - called - {n for n, (_, c) in told.items() if c == LEFT}
        assert {name for name in called if told[name][1] == SPARED} == set()
        assert session.budget.held == 0
        session.verify()
        if session.head:
            assert (await graph.replay(session)).calls == 0
        return session, [round_.status, told, session.decisions(1), session.raw()]


@settings(max_examples=60, deadline=None)
@given(PATTERNS)
def test_everybody_of_a_pattern_is_asked_or_spared_and_the_records_tell_which(pattern: Any) -> None:
    _, (status, told, _, _) = asyncio.run(ran(pattern))  # which holds the records against each other
    assert set(told) == {agent.name for agent in graph_of(pattern).steps["judge"].agents}
    assert status in {"committed", "rejected", "void"}


@settings(max_examples=30, deadline=None)
@given(PATTERNS)
def test_a_cascade_of_one_tier_is_that_tier_and_a_route_of_one_way_is_that_way(pattern: Any) -> None:
    alone = asyncio.run(ran(pattern))[1]
    cascade = asyncio.run(ran(Cascade([pattern])))[1]
    route = asyncio.run(ran(Route({"only": pattern}, by=lambda _: "only")))[1]
    for other in (cascade, route):
        assert (other[0], other[3]) == (alone[0], alone[3])
        assert {n: s for n, s in other[1].items() if s[1] != LEFT} == {
            n: s for n, s in alone[1].items() if s[1] != LEFT
        }


def asked_of(options: Any) -> Asked:
    return Asked("judge", "", {name: Option(name) for name in options})


@settings(max_examples=150, deadline=None)
@given(PATTERNS, st.randoms(use_true_random=False))
def test_a_pattern_says_the_same_of_the_same_asks_somebody_new_each_time_and_ends(
    pattern: Any, chance: Any
) -> None:
    part = pattern if isinstance(pattern, Pattern) else Switch(pattern)
    heard = Heard(
        "judge",
        stand=lambda names: Stand(tuple((name,) for name in names), len(names) > 1, 1.0),
        failed=lambda name: ("known",) if name == "c" else (),
        asked=asked_of,
    )
    for _ in range(len(part.names) + 1):
        move = part.next(heard)
        assert move == part.next(heard)
        assert isinstance(move, Ask | Stop)
        if isinstance(move, Stop):
            assert set(move.deciding) <= set(heard.proposed)
            return
        new = set(move.agents) - set(heard.proposed) - heard.silent
        assert new
        assert set(move.agents) <= set(part.names)
        made = {name for name in new if chance.random() < 0.7}
        heard = replace(
            heard,
            proposed={**heard.proposed, **dict.fromkeys(made, chance.random())},
            silent=heard.silent | (new - made),
            decisions=(*heard.decisions, *move.decisions),
        )
    raise AssertionError("it goes on for ever")


def test_a_pattern_that_asks_nobody_is_an_error() -> None:
    class Nobody(Pattern):
        def next(self, heard: Heard) -> Stop:
            return Stop("nobody is needed")

    with pytest.raises(GraphError):
        AgentGraph(Case).add_step("judge", Nobody({}), writes={"verdict"})
