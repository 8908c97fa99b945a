"""One call: the retry loop, what is heard of a streamed answer, and where it is stopped."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dissensus_agents.errors import ModelFailed, ProviderFailed
from dissensus_agents.messages import Delta, Part, Reply, Request, Usage
from dissensus_agents.models import calling
from dissensus_agents.models.calling import ONCE, CallStopped, Heard, call
from dissensus_agents.models.health import Health, key_of
from dissensus_agents.models.retries import Patience
from dissensus_agents.models.scripted import FunctionModel
from dissensus_agents.models.transport import Unavailable
from streams import Streamed

ASKED = Request("You are terse.", (Part("Why?"),), max_output_tokens=100)
BUSY = Unavailable("busy", status=503, kind="outage")
BROKEN = Unavailable("broke off", kind="broken_off", billed=True)


async def failing(model: Any, **options: Any) -> ModelFailed:
    with pytest.raises(ModelFailed) as caught:
        await call(model, ASKED, **options)
    return caught.value


async def test_a_streamed_answer_is_heard_piece_by_piece_with_the_time_to_its_first() -> None:
    pieces: list[Delta] = []
    heard = Heard(tell=pieces.append)
    model = Streamed("m", [Delta(reasoning="hm"), "It is ", 0.02, "so"])

    reply = await call(model, ASKED, heard=heard)

    assert (reply.text, heard.text, heard.reasoning) == ("It is so", "It is so", "hm")
    assert pieces == [Delta(reasoning="hm"), Delta("It is "), Delta("so")]
    assert reply.ttft_ms is not None
    assert reply.ttft_ms <= reply.latency_ms
    assert model.closed == 1


async def test_a_function_is_asked_once_whatever_it_raises() -> None:
    asked: list[Request] = []

    def down(request: Request) -> Any:
        asked.append(request)
        raise BUSY

    await failing(FunctionModel("f", down))
    assert len(asked) == 1


async def test_what_was_not_billed_is_tried_again_and_each_try_is_listed() -> None:
    heard = Heard()
    refused = Unavailable("no connection", kind="outage")
    slow = Unavailable("slow down", status=429, kind="rate_limit", retry_after=0.05)
    model = Streamed("m", [refused], [slow], ["at last"])

    reply = await call(model, ASKED, heard=heard)

    assert reply.text == "at last"
    assert reply.notes == ("asked again after: no connection, 429",)
    assert [(one["kind"], one["status"]) for one in heard.tries] == [("outage", None), ("rate_limit", 429)]
    assert heard.tries[1]["waited_ms"] >= 50  # type: ignore[operator]


async def test_patience_bounds_the_tries_and_once_means_once() -> None:
    model = Streamed("m", [BUSY])
    await failing(model, patience=Patience(attempts=3, pause=0.001))
    assert len(model.asked) == 3
    await failing(model, patience=ONCE)
    assert len(model.asked) == 4


async def test_a_wait_beyond_patience_stops_at_once_and_says_for_how_long() -> None:
    model = Streamed("m", [Unavailable("come back tomorrow", kind="rate_limit", retry_after=86_400.0)])
    error = await failing(model)
    assert (len(model.asked), error.context["retry_after"]) == (1, 86_400.0)


async def test_an_answer_that_breaks_off_may_be_billed_is_not_tried_again_and_its_part_is_kept() -> None:
    heard = Heard()
    model = Streamed("m", ["Half an ans", BROKEN], ["whole"])

    error = await failing(model, heard=heard)

    assert (error.context["kind"], error.context["billed"]) == ("broken_off", True)
    assert (heard.text, len(model.asked), model.closed) == ("Half an ans", 1, 1)


async def test_an_error_in_the_middle_of_a_stream_breaks_the_answer_off_whatever_it_says() -> None:
    model = Streamed("m", ["Half", Unavailable("overloaded", status=529, kind="outage")], ["whole"])
    error = await failing(model)
    assert (error.context["kind"], error.context["after"], error.context["billed"]) == (
        "broken_off",
        "outage",
        True,
    )
    assert len(model.asked) == 1


async def test_a_stream_that_just_ends_is_no_answer() -> None:
    class Endless(Streamed):
        async def stream(self, request: Request) -> Any:
            yield Delta("so")

    error = await failing(Endless("m", []))
    assert (error.context["kind"], error.context["billed"]) == ("broken_off", True)


async def test_an_answer_longer_than_what_was_reserved_can_be_is_stopped() -> None:
    heard = Heard(most=calling.most_heard(ASKED))
    model = Streamed("m", ["x" * 1000] * 1000)

    error = await failing(model, heard=heard)

    assert isinstance(error, CallStopped)
    assert (error.context["why"], error.context["billed"]) == ("output", True)
    assert heard.size <= calling.ALWAYS_ALLOWED + 1000
    assert model.closed == 1


async def test_a_call_past_its_time_is_stopped_and_its_connection_closed() -> None:
    heard = Heard()
    model = Streamed("m", ["slowly", 30.0, "done"])

    error = await failing(model, heard=heard, seconds=0.05)

    assert isinstance(error, CallStopped)
    assert (error.context["why"], heard.text, model.closed) == ("time", "slowly", 1)


async def test_a_timeout_of_the_caller_is_the_callers() -> None:
    model = Streamed("m", [30.0])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await call(model, ASKED, seconds=20)
    assert model.closed == 1


async def test_how_a_provider_fares_is_remembered() -> None:
    health = Health()
    model = Streamed("m", [BUSY], [BUSY], [BUSY], ["well again"])
    await failing(model, patience=Patience(attempts=3, pause=0.001), health=health)
    cooling = health.cooling(key_of(model))
    assert cooling is not None
    assert cooling.kind == "outage"
    await call(model, ASKED, health=health)
    assert health.cooling(key_of(model)) is None


async def test_what_the_caller_does_with_an_error_of_its_own_is_no_failure_of_the_model() -> None:
    def breaks(_: Delta) -> None:
        raise RuntimeError("the watcher is gone")

    with pytest.raises(RuntimeError, match="the watcher is gone"):
        await call(Streamed("m", ["so"]), ASKED, heard=Heard(tell=breaks))


async def test_a_provider_that_does_not_stream_gives_its_reply_alone() -> None:
    whole = Reply("whole", "m", Usage(3, 1), latency_ms=7)
    reply = await call(Streamed("m", [whole]), ASKED)
    assert (reply.text, reply.ttft_ms, reply.latency_ms) == ("whole", None, 7)


async def test_an_error_names_its_model() -> None:
    error = await failing(Streamed("m", [ProviderFailed("no", status=400, kind="invalid")]))
    assert error.context["model"] == "m"
