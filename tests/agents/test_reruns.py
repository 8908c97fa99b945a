"""The counterfactual: what would have been said with another model, prompt or supervisor."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from dissensus.models import OpenAIModel
from dissensus.testing import Answer, FakeProvider
from dissensus_agents.agent import Agent
from dissensus_agents.errors import GraphError, ProviderFailed
from dissensus_agents.graph import END, AgentGraph
from dissensus_agents.judgement.comparators import Number
from dissensus_agents.judgement.supervisor import Person, Supervisor
from dissensus_agents.messages import Request
from dissensus_agents.models.prices import Price
from dissensus_agents.patterns.failover import Failover
from dissensus_agents.patterns.together import Parallel
from dissensus_agents.reruns.answers import Rerun
from dissensus_agents.running import Progress
from dissensus_agents.session import settle
from dissensus_state.errors import NotFound
from dissensus_state.records import Budget
from dissensus_state.reuse import is_reused
from dissensus_state.sessions import Session
from dissensus_state.shapes import SharedState
from dissensus_state.store import Store
from panels import Case, Voice, agent, cause, panel, ruling, voice

PRICE = Price(Decimal(1), Decimal(1), source="a test")


def scout(*said: Any, **more: Any) -> Agent:
    """One who looks at the documents."""
    return agent("scout", *(said or ({"findings": ["the disk is full"]},)), reads={"documents"}, **more)


def chair(marker: str) -> Supervisor:
    return Supervisor(Voice("chair", ruling(marker), price=PRICE), name="chair")


def inquiry(*agents: Agent, supervisor: Any = None, first: Agent | None = None) -> AgentGraph:
    """One looks, a panel judges what it found."""
    return (
        AgentGraph(Case)
        .add_step("gather", [first or scout()], writes={"findings"})
        .add_step("judge", list(agents), writes={"verdict"}, supervisor=supervisor)
        .add_edge("gather", "judge")
    )


def asked(graph: AgentGraph) -> int:
    """How often the graph's models were asked altogether."""
    models = [model for seat in graph._models() for model in [seat]]
    return sum(len(one.asked) for one in {id(one): one for one in models}.values() if isinstance(one, Voice))


def main_of(session: Session[Any]) -> list[Any]:
    """All that a rerun must leave as it is: the line's commits and rounds."""
    return [session.log(1000), [one for one in session.rounds() if one.branch == session.branch]]


def flips(found: Rerun) -> dict[str, tuple[int, int]]:
    rates = {f"{one.step}{one.path}": (one.flipped.hits, one.flipped.of) for one in found.decisions}
    return {path: rate for path, rate in rates.items() if not path.endswith("/detail")}


# The law


async def test_with_nothing_changed_nothing_is_asked_nothing_paid_and_nothing_flips(
    session: Session[Case],
) -> None:
    graph = inquiry(*panel("disk", "cache"), supervisor=chair("disk"))
    await graph.run(session)
    before, made, seen = main_of(session), asked(graph), len(session.events())

    found = await graph.rerun(session, 0, times=2)

    assert asked(graph) == made
    assert (found.spent.asked, found.spent.nano, found.spent.reused) == (0, 0, 2 * made)
    assert found.spent.reused_nano == 2 * found.then.nano > 0
    assert [way.status for way in found.branches] == ["finished", "finished"]
    assert not found.flipped
    assert [way.differences for way in found.branches] == [(), ()]
    assert {one.flipped.of for one in found.decisions} == {2}
    assert main_of(session) == before
    later = [(event.kind, event.branch) for event in session.events()[seen:]]
    assert [kind for kind, branch in later if branch == "main"] == ["forked", "forked"]
    for way in found.branches:
        branch = session.on(way.branch)
        assert branch.state == session.state
        assert branch.verify().rounds == 2
        assert (await graph.replay(branch)).calls == 0


async def test_answers_that_would_not_do_failures_and_failovers_go_the_same_way_again(
    session: Session[Case],
) -> None:
    down = Voice("down", ProviderFailed("no", kind="outage"), price=PRICE)
    up = Voice("up", "I would rather not", cause("disk"), price=PRICE)
    silent = agent("silent", ProviderFailed("never", kind="invalid"))
    graph = inquiry(Agent("a", Failover(down, up)), silent)
    await graph.run(session)
    number = session.rounds()[-1].round
    then = [(one.agent, one.attempt, one.model, one.status) for one in session.round(number)[2]]
    made = asked(graph)

    found = await graph.rerun(session, 0)

    now = [one.round for one in session.rounds() if one.branch == found.branches[0].branch][-1]
    calls = session.round(now)[2]
    assert sorted((one.agent, one.attempt, one.model, one.status) for one in calls) == sorted(then)
    assert all(is_reused(one) for one in calls)
    assert (asked(graph), found.spent.nano, found.flipped) == (made, 0, ())
    assert [one["agent"] for one in found.branches[0].abstained] == ["silent"]


async def test_what_others_committed_in_between_is_carried_in_its_place(session: Session[Case]) -> None:
    graph = inquiry(*panel("disk"))
    await graph.run(session, max_rounds=2)
    with session.transaction("chris") as tx:
        tx.set("note", "looked at it")
    session_two = session.fork("other", 1)
    with session_two.transaction("chris") as tx:
        tx.set("note", "before the verdict")
    await graph.run(session_two, start="judge")
    with session_two.transaction("dana") as tx:
        tx.append("findings", "a late one")

    found = await graph.rerun(session_two, 0)

    branch = session.on(found.branches[0].branch)
    authors = [(one.author, one.round is None) for one in reversed(branch.log(10))][1:]
    assert authors == [("scout", False), ("chris", True), ("a", False), ("dana", True)]
    assert found.branches[0].carried == (2, 4)
    assert branch.state == session_two.state
    assert found.spent.asked == 0
    branch.verify()


async def test_what_others_committed_while_a_round_ran_is_carried_while_its_like_runs(store: Store) -> None:
    session = store.create(Case(), name="meanwhile")

    def slow(_: Request) -> Any:
        with session.transaction("chris") as tx:
            tx.append("findings", "meanwhile")
        return {"findings": ["the disk is full"]}

    looks = agent("scout", slow)  # it reads the findings too
    graph = AgentGraph(Case).add_step("gather", [looks], writes={"findings"}, isolation="snapshot")
    await graph.run(session)
    assert session.state.findings == ["meanwhile", "the disk is full"]

    found = await graph.rerun(session, 0)

    branch = session.on(found.branches[0].branch)
    assert (branch.state.findings, found.spent.asked) == (session.state.findings, 0)
    assert not found.flipped


async def test_what_does_not_fit_any_more_is_left_out_and_said(session: Session[Case]) -> None:
    graph = AgentGraph(Case).add_step("look", [agent("a", {"answers": {"x": "one"}})], writes={"answers"})
    await graph.run(session)
    with session.transaction("chris") as tx:
        tx.remove("/answers/x")
    other = Voice("other", {"answers": {"y": "two"}})

    found = await graph.rerun(session, 0, swap={"a": other})

    (left,) = found.branches[0].left_out
    assert (left["version"], left["author"], left["code"]) == (2, "chris", "carry.refused")
    assert session.on(found.branches[0].branch).state.answers == {"y": "two"}
    assert "v2 left out" in str(found)


# What changes


async def test_another_model_is_asked_each_time_and_so_is_all_whose_prompt_changes(
    session: Session[Case],
) -> None:
    graph = inquiry(*panel("disk", "disk"))
    await graph.run(session)
    judges = [voice(one) for one in graph.steps["judge"].agents]
    other = Voice("other", {"findings": ["the cache is cold"]}, lineage="maker-x/one")

    found = await graph.rerun(session, 0, swap={"scout": other}, times=3)

    assert len(other.asked) == 3
    assert [len(one.asked) for one in judges] == [4, 4]
    assert flips(found) == {"gather/findings": (3, 3), "judge/verdict/cause": (0, 3)}
    low, high = found.decisions[0].flipped.low, found.decisions[0].flipped.high
    assert (round(low, 3), high) == (0.439, 1.0)
    assert found.changed == {"swap": {"scout": "other"}, "prompts": {}}


async def test_a_seat_that_keeps_its_model_is_asked_anew_where_it_is_named(session: Session[Case]) -> None:
    moods = Voice("moody", cause("disk"), cause("cache"), cause("disk"), cause("disk"))
    calm = agent("b", cause("disk"), lineage="maker-b/one")
    graph = inquiry(Agent("a", moods), calm, supervisor=chair("cache"))
    await graph.run(session)

    found = await graph.rerun(session, 1, swap={"a": moods}, times=3)

    assert len(moods.asked) == 4
    assert len(voice(calm).asked) == 1, "its request did not change"
    assert flips(found) == {"judge/verdict/cause": (1, 3)}
    (one,) = [one for one in found.decisions if one.path == "/verdict/cause"]
    assert [str(ruled) for ruled in one.ruled_now if ruled] == [
        "chair rules uphold a over b", "agreed by a+b", "agreed by a+b",
    ]  # fmt: skip
    assert one.values == [("disk", 2), ("cache", 1)]


async def test_another_prompt_changes_one_role_in_one_step(session: Session[Case]) -> None:
    def by_role(request: Request) -> Any:
        return cause("cache" if "Think of caches" in request.system else "disk")

    one = agent("a", by_role, role="Think.")
    graph = (
        AgentGraph(Case)
        .add_step("first", [one], writes={"verdict"})
        .add_step("second", [one], writes={"verdict"})
        .add_edge("first", "second")
    )
    await graph.run(session)

    both = await graph.rerun(session, 0, prompts={"a": "Think of caches."})
    second = await graph.rerun(session, 0, prompts={"second/a": "Think of caches."})

    assert flips(both) == {"first/verdict/cause": (1, 1), "second/verdict/cause": (1, 1)}
    assert flips(second) == {"first/verdict/cause": (0, 1), "second/verdict/cause": (1, 1)}
    assert (second.spent.asked, second.spent.reused) == (1, 1)


async def test_another_supervisor_rules_on_the_same_proposals(session: Session[Case]) -> None:
    graph = inquiry(*panel("disk", "cache"), supervisor=chair("disk"))
    await graph.run(session)
    other = Voice("other-chair", ruling("cache"), lineage="maker-z/one")

    found = await graph.rerun(session, 1, supervisor=other)
    named = await graph.rerun(session, 1, swap={"chair": other})

    assert named == found, "by its seat or by its name, it is the same rerun"
    assert len(other.asked) == 1
    (one,) = [one for one in found.decisions if one.path == "/verdict/cause"]
    assert (one.then, one.now, str(one.ruled_then)) == ("disk", ("cache",), "chair rules uphold a over b")
    assert str(one.ruled_now[0]) == "other-chair rules uphold b over a"
    assert (found.spent.asked, found.spent.reused) == (1, 2)


class Reading(SharedState):
    """A number and what it means."""

    value: float | None = None
    meaning: str = ""


async def test_a_rewording_and_a_rounding_within_tolerance_are_no_flips(store: Store) -> None:
    session = store.create(Reading(), name="reading")
    said = {"value": 10.0, "meaning": "The pressure in the second tank is far too high for its age"}
    again = {"value": 10.1, "meaning": "In the second tank, the pressure is much higher than its age allows"}
    graph = AgentGraph(Reading).add_step(
        "read", [agent("a", said)], writes={"value", "meaning"}, comparators={"value": Number(rel=0.05)}
    )
    await graph.run(session)

    close = await graph.rerun(session, 0, swap={"a": Voice("close", again)})
    far = await graph.rerun(session, 0, swap={"a": Voice("far", {**again, "value": 12.0})})

    assert flips(close) == {"read/value": (0, 1), "read/meaning": (0, 1)}
    assert flips(far) == {"read/value": (1, 1), "read/meaning": (0, 1)}
    assert {one.path for one in close.branches[0].differences} == {"/value", "/meaning"}


# Where it leads


def forking() -> AgentGraph:
    """One looks; what it found decides who judges."""
    return (
        AgentGraph(Case)
        .add_step("gather", [scout()], writes={"findings"})
        .add_step("judge", [agent("a", cause("disk"))], writes={"verdict"})
        .add_step("doubt", [agent("d", {"note": "odd"})], writes={"note"})
        .add_edge("gather", lambda state: "judge" if "disk" in state.findings[0] else "doubt")
        .add_edge("doubt", END)
    )


async def test_another_answer_may_lead_another_way_and_that_is_said(session: Session[Case]) -> None:
    graph = forking()
    await graph.run(session)

    found = await graph.rerun(session, 0, swap={"scout": Voice("other", {"findings": ["cold"]})})

    (way,) = found.branches
    assert (way.steps, way.status) == (("gather", "doubt"), "finished")
    assert way.elsewhere == "after gather it went to doubt instead of judge"
    missing = next(one for one in found.decisions if one.step == "judge")
    new = next(one for one in found.decisions if one.step == "doubt")
    assert (missing.flipped.of, missing.now, missing.occurred) == (0, (None,), (False,))
    assert (new.then, new.now, new.ruled_then) == (new.then, ("odd",), None)
    assert str(new.then) == "–"
    assert "it went to doubt instead of judge" in str(found)


async def test_a_session_that_had_not_come_to_its_end_is_not_run_beyond_where_it_stands(
    session: Session[Case],
) -> None:
    graph = inquiry(*panel("disk"))
    with pytest.raises(GraphError):
        await graph.run(session, max_rounds=1)
    made = asked(graph)

    found = await graph.rerun(session, 0)

    assert (found.branches[0].steps, found.branches[0].status) == (("gather",), "finished")
    assert asked(graph) == made


async def test_a_rerun_begins_at_the_step_that_made_the_next_version(session: Session[Case]) -> None:
    graph = inquiry(*panel("disk"))
    await graph.run(session)
    found = await graph.rerun(session, 1)
    assert found.branches[0].steps == ("judge",)
    with pytest.raises(NotFound, match="No settled round follows version 2"):
        await graph.rerun(session, 2)
    with pytest.raises(NotFound):
        await graph.rerun(session, 3)


async def test_what_a_person_ruled_stands_for_the_same_proposals_and_is_asked_for_others(
    session: Session[Case],
) -> None:
    graph = inquiry(*panel("disk", "cache"), supervisor=Person("chris"))
    parked = (await graph.run(session)).parked
    assert parked is not None
    settle(session, parked, decision="uphold", author="chris", reason="I saw it", position="B")

    same = await graph.rerun(session, 0)
    other = await graph.rerun(session, 0, swap={"a": Voice("other", cause("pump"), lineage="maker-x/one")})

    assert (same.branches[0].status, same.flipped, same.spent.asked) == ("finished", (), 0)
    branch = session.on(same.branches[0].branch)
    assert branch.state == session.state
    branch.verify()
    (way,) = other.branches
    assert way.status == "parked"
    assert flips(other)["judge/verdict/cause"] == (0, 0), "what nobody has ruled on has not flipped"
    assert "(a person would rule)" in str(other)
    assert way.parked is not None
    assert "waits for a person" in str(other)
    waiting = session.on(way.branch)
    settle(waiting, way.parked, decision="uphold", author="dana", reason="I see it", position="A")
    again = await graph.rerun(session, 0, swap={"a": Voice("other", cause("pump"), lineage="maker-x/one")})
    assert (again.branches[0].status, flips(again)["judge/verdict/cause"]) == ("finished", (1, 1))


# Money, and stopping


async def test_g07_a_rerun_stops_at_its_own_limit_and_goes_on_with_a_larger_one(store: Store) -> None:
    session = store.create(Case(), name="limited", budget=Budget(usd=1))
    graph = inquiry(*panel("disk"))
    await graph.run(session)
    other = Voice("other", {"findings": ["cold"]}, price=PRICE)
    judge = Voice("judge", cause("cache"), price=PRICE, lineage="maker-j/one")
    swap = {"scout": other, "a": judge}

    short = await graph.rerun(session, 0, swap=swap, budget="0.0001")

    assert (short.branches[0].status, short.spent.nano, other.asked) == ("budget", 0, [])
    assert short.branches[0].why is not None
    assert short.branches[0].why["code"] == "rerun.budget"
    one = await graph.rerun(session, 0, swap=swap, budget="0.5")
    assert (one.branches[0].status, len(other.asked), len(judge.asked)) == ("finished", 1, 1)
    assert session.budget.spent == one.spent.nano > 0
    assert (await graph.rerun(session, 0, swap=swap, budget="0.5")).as_dict() == one.as_dict()
    assert len(other.asked) == 1


async def test_g07_the_sessions_own_budget_holds_for_its_reruns(store: Store) -> None:
    session = store.create(Case(), name="poor", budget=Budget(usd="0.000001"))
    graph = inquiry(*panel("disk"))
    await graph.run(session)
    dear = Voice("dear", {"findings": ["cold"]}, price=PRICE)

    found = await graph.rerun(session, 0, swap={"scout": dear})
    free = await graph.rerun(session, 0)

    assert (found.branches[0].status, dear.asked) == ("budget", [])
    assert free.branches[0].status == "finished"


async def test_a_branch_that_fails_does_not_keep_the_others_from_their_end(session: Session[Case]) -> None:
    graph = inquiry(*panel("disk"))
    await graph.run(session)
    moody = Voice("moody", ProviderFailed("no", kind="invalid"), {"findings": ["cold"]})

    found = await graph.rerun(session, 0, swap={"scout": moody}, times=2)

    assert [way.status for way in found.branches] == ["failed", "finished"]
    assert found.branches[0].why is not None
    assert flips(found)["gather/findings"] == (1, 1)
    again = await graph.rerun(session, 0, swap={"scout": moody}, times=2)
    assert [way.status for way in again.branches] == ["finished", "finished"], "the same call goes on"


async def test_more_times_are_added_to_those_that_there_are(session: Session[Case]) -> None:
    graph = inquiry(*panel("disk"))
    await graph.run(session)
    other = Voice("other", {"findings": ["cold"]})
    first = await graph.rerun(session, 0, swap={"scout": other}, times=1)
    more = await graph.rerun(session, 0, swap={"scout": other}, times=3)
    assert [way.branch for way in more.branches][:1] == [way.branch for way in first.branches]
    assert (len(more.branches), len(other.asked)) == (3, 3)


async def test_the_first_good_answer_is_the_first_again_and_who_was_left_is_not_asked(store: Store) -> None:
    session = store.create(Case(), name="race", budget=Budget(usd=1))
    fast, slow = agent("fast", cause("disk"), price=PRICE), agent("slow", cause("cache"), price=PRICE)
    graph = AgentGraph(Case).add_step("judge", Parallel([slow, fast], take="first"), writes={"verdict"})
    await graph.run(session)
    made = asked(graph)
    found = await graph.rerun(session, 0)
    assert (asked(graph), found.spent.nano, found.flipped) == (made, 0, ())


async def test_a_rerun_can_be_run_again_itself(session: Session[Case]) -> None:
    graph = inquiry(*panel("disk"))
    await graph.run(session)
    first = await graph.rerun(session, 0, swap={"scout": Voice("other", {"findings": ["cold"]})})
    branch = session.on(first.branches[0].branch)
    swapped = graph.swapped({"scout": Voice("other", {"findings": ["cold"]})})

    again = await swapped.rerun(branch, 0)

    assert (again.flipped, again.spent.asked, again.origin) == ((), 0, branch.branch)


async def test_a_branch_is_run_again_from_before_its_fork(session: Session[Case]) -> None:
    graph = inquiry(*panel("disk"))
    await graph.run(session)
    aside = session.fork("aside", 1)
    with aside.transaction("chris") as tx:
        tx.set("note", "another idea")
    await graph.run(aside, start="judge")

    found = await graph.rerun(aside, 0)

    branch = session.on(found.branches[0].branch)
    assert (found.spent.asked, found.flipped, found.branches[0].carried) == (0, (), (2,))
    assert branch.state == aside.state
    branch.verify()


async def test_a_pass_that_somebody_began_anew_is_begun_anew(session: Session[Case]) -> None:
    graph = inquiry(*panel("disk"))
    await graph.run(session)
    await graph.run(session, start="judge")
    found = await graph.rerun(session, 0)
    assert found.branches[0].steps == ("gather", "judge", "judge")
    assert (found.spent.asked, found.branches[0].elsewhere) == (0, "")


async def test_what_happens_is_told_branch_by_branch(session: Session[Case]) -> None:
    graph = inquiry(*panel("disk"))
    await graph.run(session)
    heard: list[tuple[str, Progress]] = []
    found = await graph.rerun(session, 0, heard=lambda branch, progress: heard.append((branch, progress)))
    names = {branch for branch, _ in heard}
    assert names == {found.branches[0].branch}
    assert [one.kind for _, one in heard].count("committed") == 2


# The answer


async def test_the_answer_is_plain_data_text_and_escaped_html(session: Session[Case]) -> None:
    graph = inquiry(*panel("disk"))
    await graph.run(session)
    evil = Voice("evil", {"findings": ["<script>alert(1)</script>\x1b[2J"]})
    found = await graph.rerun(session, 0, swap={"scout": evil})
    assert json.loads(json.dumps(found.as_dict()))["branches"][0]["status"] == "finished"
    assert "\x1b" not in str(found)
    assert "<script>" not in found._repr_html_()
    assert "&lt;script&gt;" in found._repr_html_()


@pytest.mark.parametrize(
    ("wanted", "what"),
    [
        ({"swap": {"nobody": "x:y"}}, "nobody"),
        ({"swap": {"judge/scout": Voice("v", "x")}}, "judge/scout"),
        ({"prompts": {"a": " "}}, "prompt of 'a'"),
        ({"times": 0}, "times"),
        ({"times": 10_000}, "at most"),
        ({"supervisor": Voice("v", "x")}, "seat 'supervisor'"),
    ],
)
async def test_what_cannot_be_changed_is_refused_before_anything_is_forked(
    session: Session[Case], wanted: dict[str, Any], what: str
) -> None:
    graph = inquiry(*panel("disk"))
    await graph.run(session)
    with pytest.raises(GraphError, match=what):
        await graph.rerun(session, 0, **wanted)
    assert [one.name for one in session.branches()] == ["main"]


# On the wire


async def test_over_http_only_what_changed_leaves_this_machine(store: Store) -> None:
    session = store.create(Case(), name="wire", budget=Budget(usd=1))
    said = json.dumps({"reasoning": "so", "verdict": {"cause": "disk"}})
    other = json.dumps({"reasoning": "so", "verdict": {"cause": "pump"}})
    with FakeProvider() as one, FakeProvider() as two:
        one.says(Answer(said))
        two.says(Answer(other))

        def at(provider: FakeProvider, name: str) -> OpenAIModel:
            address = provider.url("openai")
            return OpenAIModel(
                "m", base_url=address, key_env=None, price=PRICE, name=name, lineage=f"{name}/1"
            )

        seats = [Agent("a", at(one, "first"), max_output_tokens=200), agent("b", cause("disk"))]
        graph = inquiry(*seats)
        await graph.run(session)
        assert len(one.received) == 1

        same = await graph.rerun(session, 0)
        swapped = await graph.rerun(session, 0, swap={"a": at(two, "second")}, times=2)

        assert (len(one.received), same.spent.asked) == (1, 0)
        assert len(two.received) == 2
        assert [way.status for way in swapped.branches] == ["parked", "parked"]
        assert (swapped.spent.asked, swapped.spent.reused) == (2, 4)
        assert session.budget.spent == same.then.nano + swapped.spent.nano
