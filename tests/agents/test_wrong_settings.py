"""What a step or a pattern is given wrongly is an error that names it, before anybody has been asked."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from dissensus_agents.agent import Agent
from dissensus_agents.errors import GraphError
from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.ballots import Weighed
from dissensus_agents.judgement.comparators import Exact
from dissensus_agents.judgement.discounted import Discounted
from dissensus_agents.judgement.lookups import lookup
from dissensus_agents.judgement.supervisor import Supervisor
from dissensus_agents.judgement.verifiers import verifier
from dissensus_agents.models.scripted import FunctionModel
from dissensus_agents.patterns.asked import Choice
from dissensus_agents.patterns.cascade import Cascade, Settled, agree, confident
from dissensus_agents.patterns.chain import Chain
from dissensus_agents.patterns.route import MAX_REASON, Route
from dissensus_agents.patterns.together import Panel, Parallel
from dissensus_state.errors import FieldMissing
from dissensus_state.store import Store
from panels import Case, agent, cause, panel


@verifier
def holds(_proposed: Any, _state: Any) -> bool:
    return True


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"audit": "x"}, "audit"),
        ({"audit": True}, "audit"),
        ({"hollow_below": math.nan}, "hollow_below"),
        ({"hollow_below": -1}, "hollow_below"),
        ({"hollow_below": "1.5"}, "hollow_below"),
        ({"again": -1}, "again"),
        ({"hollow": "abc", "hollow_below": 2.0}, "hollow"),
        ({"hollow": ["openai:gpt-5-mini"], "hollow_below": 2.0}, "openai:gpt-5-mini"),
        ({"hollow": holds, "hollow_below": 2.0}, "hollow"),
        ({"verifiers": holds}, "verifiers"),
        ({"verifiers": [lambda proposed, state: True]}, "verifier"),
        ({"verifiers": [5]}, "verifiers"),
        ({"comparators": {"verdict": 5}}, "verdict"),
        ({"comparators": {"verdict": Exact}}, "verdict"),
        ({"weigh": 5}, "weighs nothing"),
        ({"weigh": Discounted}, "weighs nothing"),
        ({"supervisors": []}, "no setting 'supervisors'"),
    ],
)
def test_a_setting_of_the_wrong_kind_is_named_when_the_step_is_added(
    settings: dict[str, Any], named: str
) -> None:
    with pytest.raises(GraphError, match=named):
        AgentGraph(Case).add_step("judge", panel("disk", "net"), writes={"verdict"}, **settings)


@pytest.mark.parametrize("of", ["comparators", "materiality"])
def test_what_is_given_for_a_field_that_is_not_there_is_not_passed_over(of: str) -> None:
    settings: dict[str, Any] = {of: {"/verdct/cause": Exact() if of == "comparators" else 0.1}}
    with pytest.raises(FieldMissing, match="verdct"):
        AgentGraph(Case).add_step("judge", panel("disk", "net"), writes={"verdict"}, **settings)


def two() -> list[Agent]:
    return panel("disk", "net")


@pytest.mark.parametrize(
    "made",
    [
        lambda: Cascade(
            [Panel(two()), agent("z", cause("net"))],
            until=agree,  # type: ignore[arg-type]
        ),  # the class, and not an object of it
        lambda: Cascade([Panel(two()), agent("z", cause("net"))], until="agree"),  # type: ignore[arg-type]
        lambda: confident("high"),  # type: ignore[arg-type]
        lambda: Parallel(two()[0]),  # type: ignore[arg-type]
        lambda: Panel(two(), grow="yes"),  # type: ignore[arg-type]
        lambda: Panel(two(), grow=1.5),  # type: ignore[arg-type]
        lambda: Chain(two()),  # type: ignore[arg-type]
        lambda: lookup(5, "verdict"),  # type: ignore[arg-type]
    ],
)
def test_a_pattern_that_is_made_wrongly_says_so(made: Callable[[], object]) -> None:
    with pytest.raises(GraphError):
        made()


@pytest.mark.parametrize("said", [None, True, Settled(yes=True, why="so", confidence=7)])
async def test_what_says_that_a_tier_settles_it_is_held_to_its_type(store: Store, said: Any) -> None:
    pattern = Cascade([Panel(two()), agent("z", cause("net"))], until=lambda _, __: said)
    with pytest.raises(GraphError, match="until"):
        await AgentGraph(Case).add_step("judge", pattern, writes={"verdict"}).run(store.create(Case()))


@pytest.mark.parametrize("choice", [Choice("a", "so", 7), Choice("a", "so", "x"), Choice("a", None)])  # type: ignore[arg-type]
async def test_a_choice_that_could_not_be_shown_is_not_recorded(store: Store, choice: Choice) -> None:
    route = Route(dict(zip("ab", two(), strict=True)), by=lambda _: choice)
    session = store.create(Case())
    with pytest.raises(GraphError, match="'a'"):
        await AgentGraph(Case).add_step("judge", route, writes={"verdict"}).run(session)
    assert session.rounds() == []


async def test_a_routers_reason_is_bounded(store: Store) -> None:
    route = Route(dict(zip("ab", two(), strict=True)), by=lambda _: Choice("a", "x" * 1_000_000))
    session = store.create(Case())
    await AgentGraph(Case).add_step("judge", route, writes={"verdict"}).run(session)
    assert session.decisions(1)[0]["reason"] == "x" * MAX_REASON


async def test_a_weigher_says_on_what_it_rests(store: Store) -> None:
    by_feeling = SimpleNamespace(weigh=lambda *_: Weighed(1.0, (0.5, 0.5), basis="feeling"))  # type: ignore[arg-type]
    graph = AgentGraph(Case).add_step("judge", two(), writes={"verdict"}, weigh=by_feeling)
    with pytest.raises(GraphError, match="feeling"):
        await graph.run(store.create(Case()))


def test_a_model_that_is_swapped_in_is_held_to_what_the_step_was_held_to() -> None:
    zoe = agent("zoe", cause("disk"), lineage="other/one")
    graph = AgentGraph(Case).add_step(
        "judge", panel("disk", "disk"), writes={"verdict"}, hollow_below=1.5, hollow=[zoe]
    )
    kin = agent("kin", cause("disk"), lineage="maker-a/one").model
    graph.swapped({"zoe": agent("x", cause("disk"), lineage="third/one").model})
    with pytest.raises(GraphError, match="'zoe' is of a lineage that the panel"):
        graph.swapped({"zoe": kin})

    strict = Supervisor(agent("chair", cause("disk"), lineage="other/one").model, kin="refuse")
    graph = AgentGraph(Case).add_step("judge", panel("disk", "net"), writes={"verdict"}, supervisor=strict)
    with pytest.raises(GraphError, match="of a lineage that it would judge"):
        graph.swapped({"supervisor": agent("b", cause("disk"), lineage="maker-b/one").model})


async def test_each_seat_that_routes_is_given_its_own_model(store: Store) -> None:
    def says(option: str) -> Any:
        return FunctionModel(
            f"says-{option}", lambda _: {"option": option, "reason": "so", "confidence": None}
        )

    one, other, third = panel("disk", "net", "dns")
    inner = Route({"b": one, "c": other}, by=says("b"), default="b")
    route = Route({"a": third, "in": inner}, by=says("in"), default="a")
    graph = AgentGraph(Case).add_step("judge", route, writes={"verdict"})
    session = store.create(Case())
    await graph.run(session, models={"router-2": says("c")})
    asked = {call.agent: call.model for call in session.round(1)[2]}
    assert asked == {other.name: "model-of-b", "router": "says-in", "router-2": "says-c"}
