"""Failover: candidates for one seat, asked one after the other; what was passed over is in the record."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from dissensus_agents.agent import Agent
from dissensus_agents.errors import (
    GraphError,
    MalformedAnswer,
    MissingKey,
    ModelFailed,
    ProviderFailed,
    RoundVoid,
)
from dissensus_agents.judgement.supervisor import Supervisor
from dissensus_agents.messages import Reply, Request, Usage
from dissensus_agents.models.health import HEALTH, key_of
from dissensus_agents.models.kinds import PASSING
from dissensus_agents.models.prices import Price
from dissensus_agents.models.retries import Patience
from dissensus_agents.models.scripted import FunctionModel
from dissensus_agents.models.transport import Unavailable
from dissensus_agents.patterns.failover import DEFAULT_KINDS, KINDS, Failover
from dissensus_state.errors import BudgetExceeded
from dissensus_state.records import Budget, Call
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from panels import Case, agent, cause, happened, kinds, one_step, panel, ruling, told
from streams import Streamed, saying, stopped

CHEAP = Price(Decimal(1), Decimal(1))
DEAR = Price(Decimal(1000), Decimal(1000))
DISK = cause("disk")


def failing(name: str, kind: str, **context: Any) -> Streamed:
    """A model whose every call fails so."""
    error = Unavailable if kind in PASSING else ProviderFailed
    return Streamed(name, [error(f"{kind}!", kind=kind, **context)])


def calls(session: Session[Any], number: int = 1, agent: str = "ana") -> list[Call]:
    return [call for call in session.round(number)[2] if call.agent == agent]


def outcome(session: Session[Any], number: int = 1) -> list[tuple[str, str]]:
    return [(call.model, call.status) for call in calls(session, number)]


@pytest.mark.parametrize("kind", sorted(DEFAULT_KINDS - {"refusal", "content_policy", "broken_off"}))
async def test_g14_after_every_kind_of_failure_the_next_candidate_answers_and_the_record_says_so(
    session: Session[Case], kind: str
) -> None:
    first, second = failing("first", kind), saying("second", DISK)

    progress = await told(one_step([Agent("ana", [first, second])]), session)

    failed, answered = calls(session)
    assert outcome(session) == [("first", "failed"), ("second", "answered")]
    assert (failed.detail or {})["kind"] == kind
    assert (len(first.asked), failed.cost, answered.attempt) == (1, 0, 2)
    (switched,) = (item.body for item in progress if item.kind == "failover")
    assert (switched["model"], switched["why"]) == ("first", kind)
    assert happened(session, "failover") == [{"agent": "ana", "attempt": 1, "model": "first", "why": kind}]
    assert session.head == 1


async def test_the_last_candidate_gets_the_whole_patience(session: Session[Case]) -> None:
    busy = Unavailable("busy", status=503, kind="outage")
    first = failing("first", "outage")
    second = Streamed("second", [busy], [busy], ['{"verdict": {"cause": "disk"}}'])

    await one_step([Agent("ana", [first, second])]).run(session)

    assert [len(model.asked) for model in (first, second)] == [1, 3]
    tries = (calls(session)[1].detail or {})["tries"]
    assert [(one["kind"], one["status"]) for one in tries] == [("outage", 503)] * 2


@pytest.mark.parametrize(("finish", "kind"), [("refusal", "refusal"), ("content_filter", "content_policy")])
async def test_a_refusal_is_an_answer_that_is_paid_for_and_the_next_candidate_is_asked(
    store: Store, finish: str, kind: str
) -> None:
    session = store.create(Case(), budget=Budget(usd=1))
    no = Reply("I can't help with that.", "first", Usage(10, 5), finish_reason=finish)
    first, second = Streamed("first", ["I can't", no], price=CHEAP), saying("second", DISK)

    graph = one_step([Agent("ana", [first, second])])
    await graph.run(session)

    refused, _ = calls(session)
    assert outcome(session) == [("first", "answered"), ("second", "answered")]
    assert ((refused.detail or {})["kind"], refused.cost) == (kind, 15_000)
    assert [turn for asked in second.asked for turn in asked.turns] == []
    assert (await graph.replay(session)).calls == 0


async def test_an_answer_that_breaks_off_is_kept_as_a_part_and_the_next_candidate_is_asked_anew(
    store: Store,
) -> None:
    session = store.create(Case(), budget=Budget(usd=1))
    broken = Unavailable("it broke off", kind="broken_off", billed=True)
    first = Streamed("first", ['{"verdict": {"cause": "ne', broken], price=CHEAP)

    graph = one_step([Agent("ana", [first, saying("second", DISK)])])
    await graph.run(session)

    part, whole = calls(session)
    assert (part.status, part.answer, part.finish_reason) == (
        "partial",
        '{"verdict": {"cause": "ne',
        "broken_off",
    )
    assert part.cost == part.reserved > 0
    assert session.budget.spent == part.reserved
    assert session.budget.held == 0
    assert whole.status == "answered"
    assert session.state.verdict is not None
    assert session.state.verdict.cause == "disk"
    assert (await graph.replay(session)).calls == 0
    assert happened(session, "partial")[0]["charged_nano_usd"] == part.reserved
    assert session.verify()


async def test_an_answer_that_breaks_off_and_has_no_other_candidate_is_asked_for_again(
    session: Session[Case],
) -> None:
    broken = Unavailable("it broke off", kind="broken_off", billed=True)
    model = Streamed("only", ["Half", broken], ['{"verdict": {"cause": "disk"}}'])

    await one_step([Agent("ana", model)]).run(session)

    assert outcome(session) == [("only", "partial"), ("only", "answered")]


async def test_where_all_candidates_fail_the_agent_abstains_with_what_the_last_one_said(
    session: Session[Case],
) -> None:
    models = [failing("first", "outage"), failing("second", "spent", status=402)]
    both = [Agent("ana", models), Agent("ben", saying("third", DISK))]

    await one_step(both).run(session)

    assert outcome(session) == [("first", "failed"), ("second", "failed")]
    (abstained,) = happened(session, "abstained")
    assert (abstained["agent"], abstained["kind"], abstained["message"]) == ("ana", "spent", "spent!")
    assert session.commit_at(1).author == "ben"


async def test_only_the_kinds_that_were_chosen_make_it_the_next_ones_turn(session: Session[Case]) -> None:
    first, second = failing("first", "key"), saying("second", DISK)
    chosen = Failover(first, second, on={"outage", "timeout"})

    await one_step([Agent("ana", chosen), Agent("ben", saying("third", DISK))]).run(session)

    assert outcome(session) == [("first", "failed")]
    assert second.asked == []


async def test_a_candidate_whose_key_is_missing_is_passed_over_and_without_another_stops_the_run(
    session: Session[Case],
) -> None:
    def keyless(name: str) -> Streamed:
        return Streamed(name, [MissingKey("no key")])

    with pytest.raises(MissingKey):
        await one_step([Agent("ana", [keyless("first"), keyless("second")])]).run(session)
    assert outcome(session) == [("first", "failed"), ("second", "failed")]

    await one_step([Agent("ana", [keyless("first"), saying("second", DISK)])]).run(session)

    assert outcome(session)[2:] == [("first", "failed"), ("second", "answered")]


async def test_candidates_that_are_known_to_be_down_are_not_asked_and_the_record_says_who_and_why(
    session: Session[Case],
) -> None:
    first, second = failing("first", "rate_limit", status=429, retry_after=60.0), saying("second", DISK)
    graph = one_step([Agent("ana", [first, second])])
    graph.add_edge("judge", lambda state: "judge" if session.head < 2 else "__end__")

    await graph.run(session)

    assert (len(first.asked), len(second.asked)) == (1, 2)
    (call,) = calls(session, 2)
    (passed,) = (call.detail or {})["passed_over"]
    assert (passed["model"], passed["why"]) == ("first", "rate_limit")
    assert 0 < passed["seconds"] <= 60
    assert (await graph.replay(session)).calls == 0


async def test_a_single_model_that_asked_to_be_left_in_peace_for_long_is_not_asked_and_says_until_when(
    session: Session[Case],
) -> None:
    down = failing("only", "rate_limit", status=429, retry_after=3600.0)
    graph = one_step([Agent("ana", down)])
    with pytest.raises(RoundVoid):
        await graph.run(session)

    with pytest.raises(ModelFailed) as raised:
        await graph.run(session)

    assert len(down.asked) == 1
    assert "asked to be left in peace" in raised.value.message
    assert raised.value.next_step.startswith("Resume in 3,")
    assert len(session.rounds()) == 1


async def test_health_is_remembered_from_the_records_by_a_process_that_knows_nothing(
    session: Session[Case],
) -> None:
    first, second = failing("first", "rate_limit", status=429, retry_after=600.0), saying("second", DISK)
    graph = one_step([Agent("ana", [first, second])])
    await graph.run(session)
    HEALTH.forget()

    await graph.run(session, start="judge")

    assert len(first.asked) == 1
    assert [one["model"] for one in (calls(session, 2)[0].detail or {})["passed_over"]] == ["first"]


async def test_of_a_panel_only_one_asks_a_model_that_may_be_well_again(session: Session[Case]) -> None:
    down, spare = saying("down", DISK), saying("spare", DISK)
    HEALTH.failed(key_of(down), "rate_limit", ago=10)
    agents = [Agent(name, [down, spare]) for name in ("ana", "ben", "cid")]

    await one_step(agents).run(session)

    assert (len(down.asked), len(spare.asked)) == (1, 2)
    assert HEALTH.cooling(key_of(down)) is None


async def test_answers_that_do_not_fit_are_sent_back_to_the_model_that_gave_them_and_counted_for_all(
    session: Session[Case],
) -> None:
    first = Streamed("first", ["not JSON"], [Unavailable("gone", kind="outage")])
    second = Streamed("second", ["nor this"], ['{"verdict": {"cause": "disk"}}'])

    graph = one_step([Agent("ana", [first, second])])
    await graph.run(session)

    assert outcome(session) == [
        ("first", "answered"),
        ("first", "failed"),
        ("second", "answered"),
        ("second", "answered"),
    ]
    assert [len(asked.turns) for asked in (*first.asked, *second.asked)] == [0, 1, 0, 1]
    assert (await graph.replay(session)).answers == 3


async def test_g14_after_all_the_attempts_of_a_candidate_whose_answers_never_fit_the_next_one_is_asked(
    session: Session[Case],
) -> None:
    first = Streamed("first", ["not JSON"])
    second = Streamed("second", ["nor this"], ['{"verdict": {"cause": "disk"}}'])

    graph = one_step([Agent("ana", [first, second], attempts=2)])
    await graph.run(session)

    assert [model for model, _ in outcome(session)] == ["first", "first", "second", "second"]
    assert [len(asked.turns) for asked in (*first.asked, *second.asked)] == [0, 1, 0, 1]
    assert happened(session, "failover") == [
        {"agent": "ana", "attempt": 2, "model": "first", "why": "malformed"}
    ]
    assert (await graph.replay(session)).answers == 4


async def test_where_the_answers_of_no_candidate_fit_the_agent_abstains(session: Session[Case]) -> None:
    babble = [Streamed(name, ["not JSON"]) for name in ("first", "second")]

    with pytest.raises(MalformedAnswer, match=r"1 must\. ana: The answer holds no JSON"):
        await one_step([Agent("ana", babble, attempts=2)]).run(session)

    assert [model for model, _ in outcome(session)] == ["first", "first", "second", "second"]


async def test_a_supervisor_whose_verdicts_cannot_be_read_is_stood_in_for(session: Session[Case]) -> None:
    def babble(_: Request) -> str:
        return "not JSON"

    def chairs(request: Request) -> Any:
        return ruling("disk")(request)

    candidates = [FunctionModel("babble", babble), FunctionModel("chairs", chairs)]
    chair = Supervisor(candidates, name="chair", attempts=2)
    await one_step(panel("disk", "network"), supervisor=chair).run(session)

    assert [call.model for call in calls(session, agent="supervisor")] == ["babble", "babble", "chairs"]
    assert session.head == 1


async def test_a_candidate_that_cannot_be_paid_for_is_passed_over_for_one_that_can(store: Store) -> None:
    session = store.create(Case(), budget=Budget(usd="0.1"))
    dear, cheap = saying("dear", DISK, price=DEAR), saying("cheap", DISK, price=CHEAP)

    await one_step([Agent("ana", [dear, cheap]), Agent("ben", saying("free", DISK))]).run(session)

    assert dear.asked == []
    assert outcome(session) == [("cheap", "answered")]
    assert (calls(session)[0].detail or {})["passed_over"] == [{"model": "dear", "why": "budget"}]


async def test_a_candidate_whose_window_is_surely_too_small_is_passed_over_unasked(
    session: Session[Case],
) -> None:
    small, large = saying("small", DISK, window=30), saying("large", DISK, window=100_000)

    await one_step([Agent("ana", [small, large], max_output_tokens=200)]).run(session)

    assert (small.asked, outcome(session)) == ([], [("large", "answered")])
    assert (calls(session)[0].detail or {})["passed_over"] == [{"model": "small", "why": "context_overflow"}]


async def test_g07_an_agent_whose_call_does_not_fit_abstains_and_the_round_goes_on_with_the_others(
    store: Store,
) -> None:
    session = store.create(Case(), budget=Budget(usd="0.1"))
    dear = saying("dear", DISK, price=DEAR)

    await one_step([Agent("ana", dear), Agent("ben", saying("cheap", DISK, price=CHEAP))]).run(session)

    assert (dear.asked, session.commit_at(1).author) == ([], "ben")
    assert happened(session, "abstained")[0]["code"] == "budget.exceeded"
    assert session.budget.held == 0


async def test_g07_where_too_few_calls_fit_nobody_is_asked_and_nothing_is_written(store: Store) -> None:
    session = store.create(Case(), budget=Budget(usd="0.1"))
    dear, cheap = saying("dear", DISK, price=DEAR), saying("cheap", DISK, price=CHEAP)

    with pytest.raises(BudgetExceeded):
        await one_step([Agent("ana", dear), Agent("ben", cheap)], quorum=2).run(session)

    assert (dear.asked, cheap.asked, session.rounds(), session.budget.held) == ([], [], [], 0)


async def test_g11_a_resumed_run_goes_on_with_the_candidate_after_those_recorded(
    session: Session[Case],
) -> None:
    first, second = failing("first", "outage"), Streamed("second", [asyncio.Event()])
    await stopped(one_step([Agent("ana", [first, second])]).run(session), lambda: bool(second.asked))
    assert outcome(session) == [("first", "failed"), ("second", "sent")]

    third = saying("second", DISK)
    await one_step([Agent("ana", [first, third])]).run(session)

    assert outcome(session) == [("first", "failed"), ("second", "unknown"), ("second", "answered")]
    assert len(first.asked) == 1


async def test_g11_a_refusal_that_is_recorded_is_not_bought_again(session: Session[Case]) -> None:
    no = Reply("No.", "first", Usage(1, 1), finish_reason="refusal")
    first, second = Streamed("first", [no]), Streamed("second", [asyncio.Event()])
    await stopped(one_step([Agent("ana", [first, second])]).run(session), lambda: bool(second.asked))

    await one_step([Agent("ana", [first, saying("second", DISK)])]).run(session)

    assert len(first.asked) == 1
    assert session.head == 1


async def test_a_supervisor_has_candidates_as_well(session: Session[Case]) -> None:
    def chairs(request: Request) -> Any:
        return ruling("disk")(request)

    chair = Supervisor([failing("first", "timeout"), FunctionModel("second", chairs)])

    await one_step(panel("disk", "net"), supervisor=chair).run(session)

    (ruled,) = session.round(1)[3]
    seat = [(call.model, call.status) for call in session.round(1)[2] if call.agent == "supervisor"]
    assert seat == [("first", "failed"), ("second", "answered")]
    assert (ruled.decision, ruled.attempt) == ("uphold", 2)


async def test_a_supervisor_whose_candidates_all_failed_is_asked_again_by_the_next_run(
    session: Session[Case],
) -> None:
    first, second = failing("first", "invalid", status=400), failing("second", "invalid", status=400)
    graph = one_step(panel("disk", "net"), supervisor=Supervisor(Failover(first, second, on=KINDS)))
    for _ in range(2):
        with pytest.raises(ProviderFailed):
            await graph.run(session)

    assert [len(model.asked) for model in (first, second)] == [2, 2]


async def test_another_model_is_one_option_of_a_run(session: Session[Case]) -> None:
    graph = one_step([Agent("ana", failing("first", "invalid")), *panel("disk")])

    await graph.run(session, models={"ana": saying("other", DISK)})
    await told(graph, session, start="judge", models={"ana": saying("third", DISK)})

    assert outcome(session) == [("other", "answered")]
    assert outcome(session, 2) == [("third", "answered")]


async def test_another_model_for_the_supervisor_is_named_by_its_seat(session: Session[Case]) -> None:
    graph = one_step(panel("disk", "net"), supervisor=Supervisor(failing("chair", "outage")))

    await graph.run(session, models={"supervisor": FunctionModel("other chair", ruling("net"))})

    assert session.round(1)[3][0].author == "other chair"


async def test_a_model_for_nobody_is_an_error_that_names_who_there_is(session: Session[Case]) -> None:
    with pytest.raises(GraphError, match="no agent 'anna'") as raised:
        await one_step([Agent("ana", saying("m", DISK))]).run(session, models={"anna": "openai:gpt-4o"})
    assert "ana" in raised.value.next_step


def test_candidates_that_cannot_be_told_apart_or_are_none_are_refused() -> None:
    with pytest.raises(GraphError, match="names of their own"):
        Agent("ana", [saying("one", DISK), saying("one", DISK)])
    with pytest.raises(GraphError, match="needs candidates"):
        Agent("ana", [])
    with pytest.raises(GraphError, match="no kind of failure 'rain'"):
        Failover("openai:gpt-4o", on=["rain"])  # type: ignore[list-item]


async def test_functions_as_candidates_are_named_by_their_place(session: Session[Case]) -> None:
    def down(_: Request) -> Any:
        raise ProviderFailed("down")

    await one_step([Agent("ana", [down, lambda _: DISK])]).run(session)

    assert outcome(session) == [("ana", "failed"), ("ana-2", "answered")]


async def test_pieces_of_answers_are_told_as_they_arrive_where_somebody_asks_for_them(
    session: Session[Case],
) -> None:
    graph = one_step([Agent("ana", Streamed("m", ['{"verdict": ', '{"cause": "disk"}}']))])

    with_pieces = await told(graph, session, deltas=True)
    without = await told(graph, session, start="judge")

    pieces = [(item.body["agent"], item.body["text"]) for item in with_pieces if item.kind == "delta"]
    assert pieces == [("ana", '{"verdict": '), ("ana", '{"cause": "disk"}}')]
    assert "delta" not in kinds(without)
    assert calls(session)[0].ttft_ms is not None


async def test_a_run_that_is_stopped_while_an_answer_comes_keeps_its_part_and_closes_the_connection(
    store: Store,
) -> None:
    session = store.create(Case(), budget=Budget(usd=1))
    model = Streamed("m", ['{"verdict": {"cause": "ne', asyncio.Event()], price=CHEAP)
    graph = one_step([Agent("ana", model)])

    await stopped(graph.run(session), lambda: model.pieces > 0)

    (part,) = calls(session)
    assert (part.status, part.answer, part.finish_reason) == (
        "partial",
        '{"verdict": {"cause": "ne',
        "stopped",
    )
    assert ((part.detail or {})["why"], part.cost, model.closed) == ("cancel", part.reserved, 1)
    assert (session.budget.held, session.budget.spent) == (0, part.reserved)

    await one_step([Agent("ana", saying("m", DISK))]).run(session)

    assert outcome(session) == [("m", "partial"), ("m", "answered")]
    assert session.state.verdict is not None
    assert session.state.verdict.cause == "disk"


async def test_g07_an_answer_that_runs_past_what_was_reserved_is_stopped_and_never_used(
    store: Store,
) -> None:
    session = store.create(Case(), budget=Budget(usd=1))
    endless = Streamed("m", ['{"verdict": {"cause": "disk"}}' + " " * 3000] * 1000, price=CHEAP)

    with pytest.raises(RoundVoid, match="longer than its bound"):
        await one_step([Agent("ana", endless, attempts=1, max_output_tokens=100)]).run(session)

    parts = calls(session)
    assert {(part.status, part.finish_reason) for part in parts} == {("partial", "stopped")}
    assert all((part.detail or {})["why"] == "output" for part in parts)
    assert session.budget.spent == sum(part.reserved for part in parts)
    assert session.head == 0


async def test_a_call_that_must_wait_for_its_models_limit_is_held_until_it_leaves(
    session: Session[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dissensus_agents.models.limits.MINUTE", 0.3)
    seen: list[list[str]] = []

    class Looking(Streamed):
        async def stream(self, request: Request) -> Any:
            seen.append(sorted(call.status for call in session.round(1)[2]))
            async for piece in super().stream(request):
                yield piece

    model = Looking("m", ['{"verdict": {"cause": "disk"}}'], rpm=1)
    agents = [Agent(name, model) for name in ("a", "b", "c")]

    await one_step(agents).run(session)

    assert [statuses.count("held") for statuses in seen] == [2, 1, 0]
    assert [call.status for call in session.round(1)[2]] == ["answered"] * 3
    assert session.budget.held == 0


async def test_g11_a_call_that_was_held_when_its_worker_went_away_was_never_sent(store: Store) -> None:
    session = store.create(Case(), budget=Budget(usd=1))
    model = Streamed("m", ['{"verdict": {"cause": "disk"}}'], price=CHEAP, rpm=1)
    agents = [Agent(name, model) for name in ("ana", "ben")]

    def one_is_held() -> bool:
        rows = session.round(1)[2] if session.rounds() else []
        return [call.status for call in rows] == ["answered", "held"]

    await stopped(one_step(agents).run(session), one_is_held)
    held = calls(session, agent="ben")[0]
    assert session.budget.held == held.reserved

    await one_step([agents[0], Agent("ben", saying("m", DISK))]).run(session)

    unsent, answered = calls(session, agent="ben")
    assert (unsent.status, unsent.cost, (unsent.detail or {})["code"]) == ("failed", 0, "call.not_sent")
    assert answered.status == "answered"
    assert happened(session, "not_sent") == [{"agent": "ben", "attempt": 1}]
    assert session.budget.held == 0
    assert len(model.asked) == 1


async def test_a_model_that_cools_for_a_moment_and_has_no_other_is_waited_for(session: Session[Case]) -> None:
    model = saying("m", DISK, patience=Patience(seconds=5))
    HEALTH.failed(key_of(model), "rate_limit", 0.3, ago=4.8)

    await one_step([Agent("ana", model)]).run(session)

    (call,) = calls(session)
    assert (call.status, len(model.asked)) == ("answered", 1)


async def test_while_one_call_looks_how_a_model_is_those_that_have_no_other_wait_for_what_comes_of_it(
    session: Session[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dissensus_agents.models.health.PROBE_SECONDS", 0.02)
    at_once: list[int] = []
    running = 0

    class Counting(Streamed):
        async def stream(self, request: Request) -> Any:
            nonlocal running
            running += 1
            at_once.append(running)
            try:
                async for piece in super().stream(request):
                    yield piece
            finally:
                running -= 1

    model = Counting("m", [0.2, '{"verdict": {"cause": "disk"}}'])
    HEALTH.failed(key_of(model), "rate_limit", ago=10)

    await one_step([Agent(name, model) for name in ("ana", "ben", "cid")]).run(session)

    assert at_once == [1, 1, 2]
    assert [call.status for call in session.round(1)[2]] == ["answered"] * 3


@pytest.mark.parametrize("price", [DEAR, None], ids=["dear", "unknown"])
async def test_g07_a_lone_agent_is_answered_by_the_candidate_that_can_be_paid_for(
    store: Store, price: Price | None
) -> None:
    """With nobody else in the round, the next candidate keeps it from being void."""
    session = store.create(Case(), budget=Budget(usd="0.1"))
    dear = saying("dear", DISK, price=price)
    graph = one_step([Agent("ana", [dear, saying("cheap", DISK, price=CHEAP)])])

    await graph.run(session)

    assert (dear.asked, outcome(session)) == ([], [("cheap", "answered")])
    assert (calls(session)[0].detail or {})["passed_over"] == [{"model": "dear", "why": "budget"}]
    assert (await graph.replay(session)).answers == 1
    session.verify()


async def test_g07_a_panel_is_asked_as_dearly_as_its_budget_allows(store: Store) -> None:
    """The last of those that do not fit together takes its next candidate; nobody is left out."""
    both = [[saying(f"dear-{name}", DISK, price=CHEAP), saying(f"free-{name}", DISK)] for name in "ab"]
    alone = store.create(Case(), budget=Budget(usd=1))
    await one_step([Agent("ana", both[0])]).run(alone)
    session = store.create(Case(), budget=Budget(usd=Decimal(calls(alone)[0].reserved * 3 // 2) / 10**9))

    await one_step([Agent("ana", both[0]), Agent("ben", both[1])]).run(session)

    assert outcome(session) == [("dear-a", "answered")]
    assert [(call.model, call.status) for call in calls(session, agent="ben")] == [("free-b", "answered")]
    assert session.budget.held == 0


async def test_an_answer_that_keeps_breaking_off_is_paid_for_no_more_often_than_attempts(
    session: Session[Case],
) -> None:
    cut = ProviderFailed("cut", kind="broken_off", billed=True)
    model = Streamed("m", *[["{", cut]] * 9)

    with pytest.raises(RoundVoid):
        await one_step([Agent("ana", model, attempts=2)]).run(session)

    assert outcome(session) == [("m", "partial")] * 2


async def test_g09_a_ruling_of_several_candidates_is_not_said_to_be_of_one_that_was_down(
    session: Session[Case],
) -> None:
    judges = [failing("down", "outage"), FunctionModel("chair", ruling("net"))]
    graph = one_step(panel("disk", "net"), supervisor=Supervisor(judges))

    await graph.run(session)

    (ruled,) = session.round(1)[3]
    assert (ruled.author, ruled.attempt) == ("supervisor", 2)
    assert outcome_of_seat(session) == [("down", "failed"), ("chair", "answered")]
    assert Supervisor(judges).with_model(judges[1]).name == "chair"
    assert Supervisor(judges, name="court").with_model(judges[1]).name == "court"
    assert (await graph.replay(session)).rounds == 1


def outcome_of_seat(session: Session[Case]) -> list[tuple[str, str]]:
    return [(call.model, call.status) for call in calls(session, agent="supervisor")]


async def test_a_model_that_refuses_is_told_as_refusing_and_not_by_what_its_words_lack(store: Store) -> None:
    session = store.create(Case())
    no = Reply("I can't help with that.", "m", finish_reason="refusal")
    with pytest.raises(MalformedAnswer, match=r"gave no answer \(refusal\): I can't help with that"):
        await one_step([agent("ana", no, attempts=1)]).run(session)
