"""A prompt that fits: what is left out is recorded, shown and in the history, and a replay fits alike."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from dissensus.cli.calls import left_out
from dissensus.cli.data import call_data
from dissensus.context import XML, ContextOverflow, Newest, Refuse, Relevant, Summarised
from dissensus_agents.agent import Agent
from dissensus_agents.errors import MalformedAnswer
from dissensus_agents.graph import AgentGraph
from dissensus_agents.judgement.supervisor import Supervisor
from dissensus_agents.messages import Reply, Request, Usage
from dissensus_agents.models.prices import Price
from dissensus_state.errors import BudgetExceeded, Diverged
from dissensus_state.records import Budget, Call
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from panels import Case, Voice, ruling

FINDINGS = [f"Finding {n}: nothing of note happened in hour {n} of the night" for n in range(200)]
ANSWER = {"reasoning": "It is so.", "verdict": {"cause": "disk"}, "confidence": 0.9}


def voice(name: str, *said: Any, window: int | None = None, **settings: Any) -> Voice:
    """A model with a window."""
    made = Voice(name, *(said or (ANSWER,)), **settings)
    made.window = window  # type: ignore[attr-defined]
    return made


def prompt(view: Any) -> list[Any]:
    return ["What is the cause?", view.part("/findings")]


def judging(model: Voice, fit: Any, role: str = "You judge.", **settings: Any) -> AgentGraph:
    ana = Agent("ana", model, role, prompt=prompt, fit=fit, max_output_tokens=500, **settings)
    return AgentGraph(Case).add_step("judge", [ana], writes={"verdict"})


def stop(_: Request) -> Any:
    """A process that dies of its own model."""
    raise RuntimeError


@pytest.fixture
def session(store: Store) -> Session[Case]:
    return store.create(Case(findings=FINDINGS), name="case", budget=Budget(usd=1))


def calls(session: Session[Case], number: int = 1) -> list[Call]:
    return list(session.round(number)[2])


async def test_g14_what_is_left_out_is_told_recorded_and_in_the_history(session: Session[Case]) -> None:
    model = voice("m", window=3000)
    graph = judging(model, Newest())
    told = [event async for event in graph.stream(session) if event.kind == "fitted"]
    (asked,) = model.asked
    assert "Finding 199" in asked.prompt
    assert "Finding 0:" not in asked.prompt
    (call,) = calls(session)
    part = call.request[1][1]
    assert part[:2] == ["/findings", "/findings"]
    (kept,) = part[2]["kept"]
    assert (kept[1], part[2]["of"]) == (200, 200)
    assert dict(told[0].body)["kept"] == [kept]
    events = [event for event in session.events() if event.kind == "fitted"]
    assert events[0].body["path"] == "/findings"
    shown = kept[1] - kept[0]
    line = f"/findings: {shown} of 200 items shown, {200 - shown} left out (newest first)"
    assert list(left_out(call_data(call)["request"])) == [line]
    assert session.verify().versions == 2


async def test_the_read_set_is_the_whole_path(session: Session[Case]) -> None:
    await judging(voice("m", window=3000), Newest()).run(session)
    assert session.commit_at(1).reads == ("/findings",)


async def test_a_question_by_which_items_are_ranked_is_read(session: Session[Case]) -> None:
    await judging(voice("m", window=3000), Relevant("/question")).run(session)
    assert session.commit_at(1).reads == ("/findings", "/question")


@pytest.mark.parametrize("fit", [None, Newest(), Relevant("/question"), Relevant("hour 7")])
async def test_g10_a_replay_fits_alike_whatever_the_window_is_now(session: Session[Case], fit: Any) -> None:
    await judging(voice("m", window=3000 if fit else None), fit).run(session)
    for window in (3000, 9000, 1500):
        assert (await judging(voice("m", window=window), fit).replay(session)).answers == 1


async def test_g10_a_replay_by_another_rule_is_named_as_a_difference(
    session: Session[Case],
) -> None:
    await judging(voice("m", window=3000), Newest()).run(session)
    with pytest.raises(Diverged, match="request of ana, attempt 1: parts"):
        await judging(voice("m", window=3000), Relevant("hour 7")).replay(session)


async def test_g07_what_does_not_fit_is_refused_before_anything_is_reserved_or_sent(
    session: Session[Case],
) -> None:
    model = voice("m", window=3000)
    with pytest.raises(ContextOverflow, match="tokens too long") as error:
        await judging(model, Refuse()).run(session)
    assert model.asked == []
    assert session.rounds() == []
    assert error.value.exit_code == 7


def cheap(text: Any = "Nothing of note but hour 7.", **settings: Any) -> Voice:
    return voice("cheap", Reply(text, "cheap", Usage(100, 10)), **settings)


async def test_what_is_too_long_is_summarised_first_by_a_call_that_is_recorded_and_paid(
    session: Session[Case],
) -> None:
    small = cheap(price=Price(Decimal(1), Decimal(1)))
    model = voice("m", window=3000)
    await judging(model, Summarised(small)).run(session)
    assert "Nothing of note but hour 7." in model.asked[0].prompt
    assert "Finding 3" not in model.asked[0].prompt
    first, second = sorted(calls(session), key=lambda call: call.agent, reverse=True)
    assert (first.agent, first.model, first.status) == ("ana~summary", "cheap", "answered")
    assert first.cost == 110_000
    assert session.budget.spent == 110_000
    assert second.request[1][1][2]["summaries"] == [["ana~summary", 1]]
    assert list(left_out(second.request)) == ["/findings: shown as a summary (call 1 of ana~summary)"]


async def test_g10_a_replay_takes_the_recorded_summary(session: Session[Case]) -> None:
    await judging(voice("m", window=3000), Summarised(cheap())).run(session)
    silent = cheap()
    assert (await judging(voice("m", window=8000), Summarised(silent)).replay(session)).answers == 2
    assert silent.asked == []
    with pytest.raises(Diverged, match="request of ana~summary, attempt 1: frame"):
        await judging(voice("m", window=3000), Summarised(silent), "You write poems.").replay(session)


async def test_g11_a_summary_that_is_recorded_is_not_bought_again(session: Session[Case]) -> None:
    small = cheap()
    with pytest.raises(RuntimeError):
        await judging(voice("m", stop, window=3000), Summarised(small)).run(session)
    assert len(small.asked) == 1
    await judging(voice("m", window=3000), Summarised(small)).run(session)
    assert len(small.asked) == 1
    assert session.head == 1


@pytest.mark.parametrize("stopped", [False, True])
async def test_g11_a_supervisor_is_shown_the_summary_that_the_panel_saw_after_a_stop_as_well(
    session: Session[Case], stopped: Any
) -> None:
    def graph(chair: Voice, small: Voice) -> AgentGraph:
        panel = [
            Agent(
                name, voice(name, {**ANSWER, "verdict": {"cause": name}}, window=6000), prompt=prompt, **fits
            )
            for name in ("disk", "net")
        ]
        return AgentGraph(Case).add_step("judge", panel, writes={"verdict"}, supervisor=Supervisor(chair))

    small = cheap()
    fits: dict[str, Any] = {"fit": Summarised(small, tokens=500)}
    if stopped:
        with pytest.raises(RuntimeError):
            await graph(voice("chair", stop), small).run(session)
    chair = voice("chair", ruling("disk"))
    await graph(chair, small).run(session)
    assert len(small.asked) == 2
    assert "Nothing of note but hour 7." in chair.asked[0].prompt
    assert "Finding 3" not in chair.asked[0].prompt


async def test_supervisors_of_a_chain_have_summaries_of_their_own_and_both_orders_share_one(
    session: Session[Case],
) -> None:
    def panelist(name: str) -> Agent:
        return Agent(name, voice(name, {**ANSWER, "verdict": {"cause": name}}), prompt=prompt)

    def upholding(request: Request) -> dict[str, Any]:
        label = next(p.source for p in request.parts if '"disk"' in p.text and ":" in (p.source or ""))
        return {"decision": "uphold", "reason": "so", "position": (label or "").partition(":")[2]}

    first, second = cheap(), cheap()
    escalating = voice("first", {"decision": "escalate", "reason": "no"}, window=4000)
    ruling_twice = voice("second", upholding, window=4000)
    chain = [
        Supervisor(escalating, fit=Summarised(first, tokens=300), max_output_tokens=500),
        Supervisor(ruling_twice, fit=Summarised(second, tokens=300), max_output_tokens=500, orders=2),
    ]
    graph = AgentGraph(Case).add_step(
        "judge", [panelist("disk"), panelist("net")], writes={"verdict"}, supervisor=chain
    )

    await graph.run(session)

    calls = [call.agent for call in session.round(1)[2]]
    assert len(calls) == len(set(calls))
    assert (len(first.asked), len(second.asked)) == (1, 1)
    assert len(ruling_twice.asked) == 2
    assert session.commit_at(1).author == "disk"


async def test_an_empty_summary_is_asked_for_again_and_then_the_agent_abstains(
    session: Session[Case],
) -> None:
    small = cheap("  ")
    model = voice("m", window=3000)
    with pytest.raises(MalformedAnswer, match="gave no summary"):
        await judging(model, Summarised(small)).run(session)
    assert len(small.asked) == 2
    assert model.asked == []


async def test_g07_a_summary_that_cannot_be_paid_for_is_not_asked_for(store: Store) -> None:
    made = store.create(Case(findings=FINDINGS), name="poor", budget=Budget(usd=Decimal("0.00001")))
    small = cheap(price=Price(Decimal(10), Decimal(10)))
    model = voice("m", window=3000)
    with pytest.raises(BudgetExceeded):
        await judging(model, Summarised(small)).run(made)
    assert small.asked == model.asked == []


async def test_a_template_is_said_to_the_model_it_suits_and_replays(session: Session[Case]) -> None:
    model = voice("m", window=None, lineage="anthropic/claude-x")
    await judging(model, None, templates={"anthropic": XML}).run(session)
    assert '<document title="/findings">' in model.asked[0].prompt
    assert (await judging(model, None, templates={"anthropic": XML}).replay(session)).answers == 1
    with pytest.raises(Diverged, match="frame"):
        await judging(model, None).replay(session)


async def test_a_supervisors_material_fits_as_well_and_the_positions_stay_whole(
    session: Session[Case],
) -> None:
    chair = voice("chair", ruling("disk"), window=4000)
    panel = [
        Agent(name, voice(name, {**ANSWER, "verdict": {"cause": name}}), prompt=prompt)
        for name in ("disk", "net")
    ]
    supervisor = Supervisor(chair, fit=Newest(), max_output_tokens=500)
    graph = AgentGraph(Case).add_step("judge", panel, writes={"verdict"}, supervisor=supervisor)
    await graph.run(session)
    (asked,) = chair.asked
    assert "Finding 199" in asked.prompt
    assert "Finding 0:" not in asked.prompt
    assert asked.prompt.count("## Position") == 2
    assert any(event.body["agent"] == "supervisor" for event in session.events() if event.kind == "fitted")
