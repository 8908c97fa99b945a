"""What every provider's adapter has from `WireModel`: streams, their bounds, and a key that stays here."""

from __future__ import annotations

import asyncio
import json
import traceback
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from dissensus.testing import Answer, FakeProvider, Fault, Raw
from dissensus_agents.errors import MissingKey, ProviderFailed
from dissensus_agents.messages import Delta, Part, Reply, Request, Usage
from dissensus_agents.models.client import Model, Streaming
from dissensus_agents.models.openai import OpenAIModel
from dissensus_agents.models.responses import ResponsesModel
from dissensus_agents.models.retries import Patience
from dissensus_agents.models.transport import Unavailable
from dissensus_agents.models.wire import WireModel

KEY = "sk-canary-0123456789abcdef0123456789"
ASKED = Request("You are terse.", (Part("Why?"),))
SSE = {"content-type": "text/event-stream"}


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    monkeypatch.setenv("A_KEY", KEY)
    with FakeProvider() as made:
        yield made


@pytest.fixture(params=["openai", "responses"])
def spoken(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def a_model(fake: FakeProvider, spoken: str = "openai", **options: Any) -> WireModel:
    settings: dict[str, Any] = {"key_env": "A_KEY", "patience": Patience(attempts=1), **options}
    if spoken == "responses":
        return ResponsesModel("gpt-5", base_url=fake.url("responses"), **settings)
    return OpenAIModel("a-model", base_url=fake.url(), **{"dialect": "vllm", **settings})


async def heard(model: WireModel, request: Request = ASKED) -> tuple[list[Delta], Reply]:
    *deltas, reply = [piece async for piece in model.stream(request)]
    assert isinstance(reply, Reply)
    return [delta for delta in deltas if isinstance(delta, Delta)], reply


async def failure(model: WireModel, kind: type[ProviderFailed] = ProviderFailed) -> ProviderFailed:
    with pytest.raises(kind) as caught:
        await heard(model)
    return caught.value


def event(**data: Any) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def chunk(finish: str | None = None, **delta: Any) -> bytes:
    return event(model="m", choices=[{"index": 0, "delta": delta, "finish_reason": finish}])


def stream(*pieces: bytes, **more: Any) -> Raw:
    return Raw(body=list(pieces), headers=SSE, chunked=True, **more)


async def test_an_answer_is_heard_as_it_comes_and_is_whole_at_the_end(
    fake: FakeProvider, spoken: str
) -> None:
    usage = Usage(input=100, output=7, cached=50, reasoning=9, written=20)
    fake.says(
        Answer(
            "It was the cache that lied.", reasoning="Two logs differ, one is older.", usage=usage, piece=8
        )
    )
    model = a_model(fake, spoken)
    deltas, reply = await heard(model)
    assert isinstance(model, Model)
    assert isinstance(model, Streaming)
    assert len(deltas) > 5
    assert "".join(delta.text for delta in deltas) == reply.text == "It was the cache that lied."
    assert "".join(delta.reasoning for delta in deltas) == reply.reasoning
    assert (reply.usage, reply.finish_reason, reply.notes) == (usage, "stop", ())
    assert fake.received[0].body["stream"] is True


async def test_a_streamed_answer_is_kept_as_the_body_that_would_have_come_in_one_piece(
    fake: FakeProvider, spoken: str
) -> None:
    fake.says(Answer("42", reasoning="Six by seven.", refusal="", usage=Usage(10, 2, reasoning=4)))
    _, streamed = await heard(a_model(fake, spoken))
    _, whole = await heard(
        a_model(fake, spoken, streams=False) if spoken == "responses" else unstreamed(fake)
    )
    assert fake.received[1].body["stream"] is False
    assert (streamed.text, streamed.reasoning, streamed.usage) == (whole.text, whole.reasoning, whole.usage)
    assert (streamed.ttft_ms is None, whole.ttft_ms) == (False, None)
    kept = json.loads(streamed.raw or b"")
    assert kept["object"] == json.loads(whole.raw or b"")["object"]


def unstreamed(fake: FakeProvider) -> WireModel:
    from dissensus_agents.models.dialects import Dialect

    return a_model(fake, dialect=Dialect("old", streams=False))


async def test_the_time_to_the_first_token_is_measured_where_the_thinking_begins(fake: FakeProvider) -> None:
    fake.says(
        stream(
            chunk(role="assistant", content=""),
            chunk(reasoning="hm"),
            chunk("stop", content="42"),
            b"data: [DONE]\n\n",
            pause=0.15,
        )
    )
    _, reply = await heard(a_model(fake))
    assert reply.ttft_ms is not None
    assert reply.ttft_ms + 150 <= reply.latency_ms + 20


async def test_the_time_that_a_listener_takes_is_not_the_models(fake: FakeProvider) -> None:
    fake.says(Answer("a long enough answer", piece=2))
    reply: Any = None
    async for piece in a_model(fake).stream(ASKED):
        await asyncio.sleep(0.05)
        reply = piece
    assert reply.ttft_ms + 300 < reply.latency_ms


async def test_what_breaks_off_in_the_middle_is_an_error_that_may_be_billed(
    fake: FakeProvider, spoken: str
) -> None:
    for name in ("no_end", "cut_in_event", "cut_in_character", "reset_midway"):
        fake.says(Fault.named(name))
        error = await failure(a_model(fake, spoken), Unavailable)
        assert (error.context["kind"], error.context["billed"]) == ("broken_off", True)
        assert "broke off" in error.message


async def test_the_tokens_counted_by_then_are_told_with_an_answer_that_broke_off(fake: FakeProvider) -> None:
    counted = {"prompt_tokens": 9, "completion_tokens": 1}
    fake.says(stream(event(choices=[{"index": 0, "delta": {"content": "half"}}], usage=counted)))
    error = await failure(a_model(fake))
    assert error.context["usage"]["input"] == 9


async def test_an_answer_that_is_whole_is_kept_even_if_its_stream_never_ends(fake: FakeProvider) -> None:
    fake.says(stream(chunk("stop", content="42"), b"data: [DONE]\n\n", ending="hang"))
    _, reply = await heard(a_model(fake))
    assert reply.text == "42"
    assert reply.notes == ("the answer was whole, but its stream did not end as it should",)


async def test_an_answer_without_the_end_of_its_stream_says_so(fake: FakeProvider) -> None:
    fake.says(stream(chunk("stop", content="42")))
    _, reply = await heard(a_model(fake))
    assert (reply.text, reply.usage.estimated) == ("42", True)
    assert reply.notes == ("the answer was whole, but its stream did not end as it should",)


async def test_an_end_without_a_reason_is_an_end(fake: FakeProvider) -> None:
    fake.says(stream(chunk(content="42"), b"data: [DONE]\n\n"))
    _, reply = await heard(a_model(fake))
    assert (reply.text, reply.finish_reason) == ("42", "stop")


async def test_an_error_before_anything_came_may_pass_and_costs_nothing(fake: FakeProvider) -> None:
    fake.says(stream(event(error={"message": "Overloaded", "type": "overloaded_error"})))
    error = await failure(a_model(fake), Unavailable)
    assert (error.context["kind"], error.context.get("billed")) == ("outage", None)


async def test_an_error_in_the_middle_is_an_answer_that_broke_off(fake: FakeProvider) -> None:
    fake.says(stream(chunk(content="half"), event(error={"message": "Overloaded", "code": 529})))
    error = await failure(a_model(fake))
    assert (error.context["kind"], error.context["billed"]) == ("broken_off", True)


async def test_an_answer_stopped_for_what_is_in_it_says_so_in_the_middle_too(fake: FakeProvider) -> None:
    fake.says(stream(chunk(content="half"), event(error={"message": "no", "code": "content_filter"})))
    error = await failure(a_model(fake))
    assert (error.context["kind"], error.context["billed"]) == ("content_policy", True)


async def test_a_plain_answer_to_a_streaming_question_is_read_as_one(fake: FakeProvider) -> None:
    body = {"choices": [{"message": {"content": "42"}, "finish_reason": "stop"}]}
    fake.says(Raw.json(body))
    deltas, reply = await heard(a_model(fake))
    assert (deltas, reply.text, reply.ttft_ms) == ([], "42", None)


async def test_a_stream_under_the_name_of_something_else_is_read_and_noted(fake: FakeProvider) -> None:
    body = chunk("stop", content="42") + b"data: [DONE]\n\n"
    fake.says(Raw(body=body, headers={"content-type": "text/plain"}))
    _, reply = await heard(a_model(fake))
    assert (reply.text, reply.notes) == ("42", ("a stream came under another content type",))


async def test_a_packed_stream_is_unpacked_as_it_arrives(fake: FakeProvider) -> None:
    packer = zlib.compressobj(wbits=31)
    first = packer.compress(chunk(content="4")) + packer.flush(zlib.Z_SYNC_FLUSH)
    rest = packer.compress(chunk("stop", content="2") + b"data: [DONE]\n\n") + packer.flush()
    fake.says(Raw(body=[first, rest], headers={**SSE, "content-encoding": "gzip"}, chunked=True, pause=0.05))
    deltas, reply = await heard(a_model(fake))
    assert ([delta.text for delta in deltas], reply.text) == (["4", "2"], "42")


@pytest.mark.parametrize("headers", [SSE, {"content-type": "application/json"}], ids=["stream", "whole"])
async def test_a_stream_that_unpacks_to_gigabytes_takes_no_more_memory_than_the_bound(
    fake: FakeProvider, headers: dict[str, str]
) -> None:
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join(packer.compress(b": " + b"x" * 2**20 + b"\n") for _ in range(200)) + packer.flush()
    fake.says(Raw(body=bomb, headers={**headers, "content-encoding": "gzip"}))
    model = a_model(fake)
    tracemalloc.start()
    error = await failure(model)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "longer than 16 MiB" in error.message
    assert peak < 64 * 2**20


async def test_what_is_nested_as_deep_as_can_be_read_is_an_answer_or_none(fake: FakeProvider) -> None:
    for depth in (100, 400, 700, 900, 960, 980, 990, 1000, 5000):
        deep = b"[" * depth + b"]" * depth
        one = b'data: {"choices":[{"index":0,"delta":{"content":"42","tool_calls":[{"function":{"x":'
        fake.says(stream(one + deep + b'}}]},"finish_reason":"stop"}]}\n\n', b"data: [DONE]\n\n"))
        try:
            _, reply = await heard(a_model(fake))
        except ProviderFailed as error:
            assert error.context["kind"] == "malformed"  # noqa: PT017 - either is right
        else:
            assert reply.text == "42"


async def test_megabytes_of_empty_lists_are_no_answer_and_take_no_memory(fake: FakeProvider) -> None:
    lists = b'{"choices":[' + b"[]," * 1_000_000 + b"[]]}"
    for bad in (Raw(body=lists), stream(b"data: " + lists + b"\n\n")):
        fake.says(bad)
        tracemalloc.start()
        error = await failure(a_model(fake))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert error.message.endswith("has more values than any answer")
        assert peak < 64 * 2**20


async def test_silence_is_bounded_before_the_answer_and_between_its_pieces(fake: FakeProvider) -> None:
    fake.says(Answer("late", delay=30))
    error = await failure(a_model(fake, first=0.2), Unavailable)
    assert (error.context["kind"], "did not begin to answer in 0.2 s" in error.message) == ("timeout", True)
    fake.says(stream(chunk(content="4"), chunk("stop", content="2"), pause=30))
    error = await failure(a_model(fake, idle=0.2), Unavailable)
    assert (error.context["kind"], "sent nothing for 0.2 s" in error.message) == ("timeout", True)


async def test_drops_that_keep_coming_do_not_outlast_the_timeout(fake: FakeProvider) -> None:
    fake.says(stream(*[b": still here\n\n"] * 200, pause=0.02))
    error = await failure(a_model(fake, timeout=0.3, idle=0.2), Unavailable)
    assert "did not answer in 0.3 s" in error.message


async def test_whoever_stops_listening_closes_the_connection(fake: FakeProvider) -> None:
    sent = asyncio.Event()
    told: list[int] = []

    def endless() -> Iterator[bytes]:
        while True:
            told.append(1)
            yield chunk(content="and ")

    fake.says(Raw(body=endless(), headers=SSE, chunked=True, pause=0.01))
    pieces = a_model(fake).stream(ASKED)
    assert await anext(pieces) == Delta("and ")
    await pieces.aclose()
    sent.set()
    await asyncio.sleep(0.2)
    count = len(told)
    await asyncio.sleep(0.2)
    assert len(told) == count


async def test_an_answer_that_was_heard_to_its_end_leaves_the_connection_for_the_next(
    fake: FakeProvider, spoken: str
) -> None:
    fake.says("42")
    model = a_model(fake, spoken)
    for _ in range(3):
        await heard(model)
    assert fake.connections == 1


@pytest.mark.parametrize("piece", [1, 3, 7, 1000])
async def test_a_key_that_comes_back_in_pieces_is_shown_to_nobody(
    fake: FakeProvider, spoken: str, piece: int
) -> None:
    fake.says(Answer(f"your key is {KEY}, really", reasoning=f"I saw {KEY}", piece=piece))
    deltas, reply = await heard(a_model(fake, spoken))
    shown = "".join(delta.text for delta in deltas), "".join(delta.reasoning for delta in deltas)
    assert shown == (reply.text, reply.reasoning) == ("your key is [key], really", "I saw [key]")
    assert KEY not in f"{deltas!r}{reply!r}"


@pytest.mark.parametrize("spell", [lambda one: f"\\u{ord(one):04x}", lambda one: f"\\u{ord(one):04X}"])
async def test_a_key_that_is_spelled_in_escapes_within_a_typed_answer_is_found(
    fake: FakeProvider, spell: Any
) -> None:
    spelled = "".join(spell(one) if place % 2 else one for place, one in enumerate(KEY))
    fake.says(
        Answer(f'{{"cause": "{spelled}"}}', piece=5, encrypted=KEY, reasoning_field="reasoning_details")
    )
    deltas, reply = await heard(a_model(fake, dialect="openrouter"))
    assert json.loads(reply.text) == {"cause": "[key]"}
    assert "".join(delta.text for delta in deltas) == reply.text
    assert KEY not in f"{reply!r}"


async def test_text_that_only_looks_like_the_key_for_a_while_is_shown_whole(fake: FakeProvider) -> None:
    text = f"{KEY[:20]}, which is no key, {KEY[:-1]}"
    fake.says(Answer(text, piece=2))
    deltas, reply = await heard(a_model(fake))
    assert "".join(delta.text for delta in deltas) == reply.text == text


async def test_no_key_is_in_the_error_of_a_stream_or_its_traceback(fake: FakeProvider) -> None:
    for bad in (
        stream(chunk(content=KEY), event(error={"message": f"{KEY} is wrong", "code": KEY})),
        stream(b"data: " + KEY.encode() + b"\n\n"),
        stream(chunk(content=KEY)),
        Raw(body=KEY.encode(), headers={"content-type": "text/html"}),
        stream(chunk(content="x"), ending="reset"),
    ):
        fake.says(bad)
        error = await failure(a_model(fake))
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
        assert KEY not in f"{error}{error.as_dict()}{''.join(report.format())}"


async def test_a_missing_key_is_told_by_its_kind(fake: FakeProvider) -> None:
    with pytest.raises(MissingKey) as caught:
        await heard(a_model(fake, key_env="ANOTHER_KEY"))
    assert caught.value.context["kind"] == "key"
    assert fake.received == []


async def test_a_wait_that_stands_in_the_words_alone_is_kept(fake: FakeProvider) -> None:
    fake.says(
        Raw.json({"error": {"message": "Please try again in 7.2s.", "code": "rate_limit_exceeded"}}, 429)
    )
    error = await failure(a_model(fake), Unavailable)
    assert (error.context["kind"], error.context["retry_after"]) == ("rate_limit", 7.2)


async def test_two_hundred_who_listen_at_once_are_all_answered(fake: FakeProvider) -> None:
    fake.says(Answer("42", reasoning="Six by seven.", pause=0.001))
    model = a_model(fake)
    replies = await asyncio.gather(*(model.answer(ASKED) for _ in range(200)))
    assert {reply.text for reply in replies} == {"42"}
