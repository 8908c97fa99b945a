from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from dissensus.testing import Answer, FakeProvider, Fault, Raw
from dissensus_agents.errors import ProviderFailed
from dissensus_agents.messages import Delta, Part, Reply, Request, Usage
from dissensus_agents.models.formats import Event, NotAnAnswer, ProviderError
from dissensus_agents.models.prices import most_input_tokens
from dissensus_agents.models.response_events import ResponseEvents
from dissensus_agents.models.responses import Responses, ResponsesModel
from dissensus_agents.models.retries import Patience

KEY = "sk-canary-0123456789abcdef0123456789"
SCHEMA = {"title": "The verdict", "type": "object", "properties": {"cause": {"type": "string"}}}
ASKED = Request("You are terse.", (Part("Why?"),), max_output_tokens=500)
ITEMS: list[dict[str, Any]] = [
    {
        "id": "rs_0",
        "type": "reasoning",
        "summary": [
            {"type": "summary_text", "text": "Two logs differ."},
            {"type": "summary_text", "text": "One is older."},
        ],
        "encrypted_content": "ZW5j",
    },
    {
        "id": "msg_0",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "42", "annotations": []}],
    },
]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    monkeypatch.setenv("A_KEY", KEY)
    with FakeProvider() as made:
        yield made


def a_model(fake: FakeProvider, model: str = "gpt-5-mini", **options: Any) -> ResponsesModel:
    settings = {"key_env": "A_KEY", "patience": Patience(attempts=1), **options}
    return ResponsesModel(model, base_url=fake.url("responses"), **settings)


def sent(request: Request, model: str = "gpt-5-mini", **options: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(Responses(**options).body(request, model, stream=True))
    return body


def read(output: list[Any], **body: Any) -> Reply:
    return Responses().read({"output": output, "status": "completed", **body}, ASKED, "gpt-5-mini")


async def test_a_question_reaches_the_server_in_its_format_and_nothing_is_kept_there(
    fake: FakeProvider,
) -> None:
    await a_model(fake).answer(ASKED)
    asked = fake.received[0]
    assert (asked.path, asked.headers["authorization"]) == ("/v1/responses", f"Bearer {KEY}")
    assert asked.body == {
        "model": "gpt-5-mini",
        "instructions": "You are terse.",
        "input": [{"role": "user", "content": "Why?"}],
        "max_output_tokens": 500,
        "store": False,
        "stream": True,
        "reasoning": {"summary": "auto"},
        "include": ["reasoning.encrypted_content"],
    }


@pytest.mark.parametrize(
    ("model", "thinks"),
    [
        ("gpt-5", True),
        ("gpt-5.2-pro", True),
        ("o3-mini", True),
        ("openai/gpt-oss-120b", True),
        ("gpt-4o", False),
        ("gpt-4.1-mini", False),
        ("gpt-5-chat-latest", False),
        ("chatgpt-4o-latest", False),
    ],
)
def test_only_models_that_think_are_asked_for_their_thinking_since_the_others_answer_400(
    model: str, thinks: Any
) -> None:
    body = sent(ASKED, model)
    assert ("reasoning" in body, "include" in body) == (thinks, thinks)
    assert "include" in sent(ASKED, model, reasons=True)
    assert "include" not in sent(ASKED, model, reasons=False)


def test_how_much_to_think_and_to_show_is_the_users() -> None:
    assert sent(replace(ASKED, effort="max"))["reasoning"] == {"effort": "xhigh", "summary": "auto"}
    assert sent(replace(ASKED, effort="none"), summary=None)["reasoning"] == {"effort": "none"}
    assert "reasoning" not in sent(ASKED, summary=None)
    assert sent(replace(ASKED, temperature=0.0), "gpt-4o")["temperature"] == 0.0


def test_a_typed_answer_is_held_to_a_strict_schema_where_there_is_one() -> None:
    held = sent(replace(ASKED, output_schema=SCHEMA))["text"]["format"]
    assert (held["type"], held["name"], held["strict"]) == ("json_schema", "The_verdict", True)
    assert held["schema"]["additionalProperties"] is False
    loose = {"type": "object", "properties": {"any": {}}}
    held = sent(replace(ASKED, output_schema=loose))["text"]["format"]
    assert (held["strict"], held["schema"]) == (False, loose)


async def test_a_summary_and_what_is_encrypted_go_back_as_they_came_with_the_answer_they_led_to(
    fake: FakeProvider,
) -> None:
    fake.says(Answer("42", reasoning="Two logs differ.", encrypted="ZW5j"))
    reply = await a_model(fake).answer(ASKED)
    assert (reply.text, reply.reasoning, reply.reasoning_kind) == ("42", "Two logs differ.", "summary")
    await a_model(fake).answer(ASKED.again("42", "Give a reason.", reply.echo))
    first, reasoning, message, last = fake.received[1].body["input"]
    assert (first["content"], last["content"]) == ("Why?", "Give a reason.")
    assert (reasoning["type"], reasoning["encrypted_content"]) == ("reasoning", "ZW5j")
    assert (message["type"], message["content"][0]["text"]) == ("message", "42")


def test_what_belongs_to_one_model_never_goes_to_another_and_nonsense_to_none() -> None:
    echo = read(ITEMS).echo
    plain = {"role": "assistant", "content": "42"}
    assert sent(ASKED.again("42", "Why?", echo))["input"][1:3] == ITEMS
    assert sent(ASKED.again("42", "Why?", echo), "gpt-5")["input"][1] == plain
    for none in (None, [], "x", {"by": "openai-responses:gpt-5-mini", "items": "x"}):
        assert sent(ASKED.again("42", "Why?", none))["input"][1] == plain
    assert read(ITEMS[1:]).echo is None


def test_what_goes_back_is_reserved_for() -> None:
    items = [{**ITEMS[0], "encrypted_content": "x" * 5000}, ITEMS[1]]
    again = ASKED.again("42", "Why?", read(items).echo)
    assert len(json.dumps(sent(again)["input"])) <= most_input_tokens(again)


@pytest.mark.parametrize(
    ("item", "reasoning", "kind"),
    [
        (ITEMS[0], "Two logs differ.\n\nOne is older.", "summary"),
        ({"type": "reasoning", "summary": [], "encrypted_content": "ZW5j"}, None, "withheld"),
        ({"type": "reasoning", "summary": []}, None, "rationale"),
        (
            {
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": "short"}],
                "content": [{"type": "reasoning_text", "text": "All of it."}],
            },
            "All of it.",
            "raw",
        ),
        ({"type": "reasoning", "summary": "x", "content": 7}, None, "rationale"),
    ],
)
def test_thinking_is_read_as_what_it_is(item: dict[str, Any], reasoning: str | None, kind: str) -> None:
    reply = read([item, ITEMS[1]])
    assert (reply.reasoning, reply.reasoning_kind) == (reasoning, kind)


def test_thinking_that_was_billed_and_not_shown_is_withheld_and_said_in_a_note() -> None:
    counted = {"input_tokens": 9, "output_tokens": 50, "output_tokens_details": {"reasoning_tokens": 48}}
    reply = read(ITEMS[1:], usage=counted)
    assert (reply.reasoning_kind, reply.usage) == ("withheld", Usage(9, 2, reasoning=48))
    assert reply.notes == ("48 reasoning tokens were billed, and none of the reasoning was shown",)


@pytest.mark.parametrize(
    ("body", "finish"),
    [
        ({}, "stop"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "content_filter"),
        ({"status": "incomplete", "incomplete_details": None}, "incomplete"),
        ({"status": "cancelled"}, "cancelled"),
    ],
)
def test_why_an_answer_ended_is_told_in_one_word(body: dict[str, Any], finish: str) -> None:
    assert read(ITEMS, **body).finish_reason == finish


@pytest.mark.parametrize(("finish", "said"), [("length", "length"), ("content_filter", "content_filter")])
async def test_an_answer_that_a_limit_ended_is_whole_as_a_stream_too(
    fake: FakeProvider, finish: Any, said: str
) -> None:
    fake.says(Answer("Half an ans", finish=finish))
    reply = await a_model(fake).answer(ASKED)
    assert (reply.text, reply.finish_reason, reply.notes) == ("Half an ans", said, ())


async def test_a_refusal_is_the_answer_and_its_reason_to_finish(fake: FakeProvider) -> None:
    fake.says(Answer(None, refusal="I can't help with that."))
    reply = await a_model(fake).answer(ASKED)
    assert (reply.text, reply.finish_reason) == ("I can't help with that.", "refusal")


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"type": "error", "code": "rate_limit_exceeded", "message": "slow down"}, "rate_limit"),
        ({"type": "error", "error": {"type": "server_error", "message": "oops"}}, "outage"),
        (
            {
                "type": "response.failed",
                "response": {"error": {"code": "invalid_prompt", "message": "flagged"}},
            },
            "content_policy",
        ),
        (
            {
                "type": "response.failed",
                "response": {"error": {"code": "context_length_exceeded", "message": "Your input exceeds"}},
            },
            "context_overflow",
        ),
    ],
)
async def test_an_error_inside_of_a_stream_is_told_by_its_kind(
    fake: FakeProvider, event: dict[str, Any], kind: str
) -> None:
    body = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
    fake.says(Raw(body=body, headers={"content-type": "text/event-stream"}))
    with pytest.raises(ProviderFailed) as caught:
        await a_model(fake).answer(ASKED)
    assert (caught.value.context["kind"], caught.value.context.get("billed")) == (kind, None)


async def test_an_error_with_a_status_is_told_by_its_kind(fake: FakeProvider) -> None:
    fake.says(Fault.named("insufficient_quota"))
    with pytest.raises(ProviderFailed) as caught:
        await a_model(fake).answer(ASKED)
    assert caught.value.context["kind"] == "spent"


def test_a_response_that_failed_is_an_error_as_a_whole_body_too() -> None:
    body = {"status": "failed", "error": {"code": "server_error", "message": "oops"}, "output": []}
    assert Responses().error_in(body) == ProviderError("oops", "server_error")
    assert Responses().error_in({"status": "completed", "error": None}) is None


def told(*events: dict[str, Any]) -> tuple[list[Delta], ResponseEvents]:
    assembler = ResponseEvents()
    deltas = [assembler.feed(Event(event)) for event in events]
    return [delta for delta in deltas if isinstance(delta, Delta)], assembler


def test_what_came_is_put_together_where_the_last_event_never_comes() -> None:
    deltas, assembler = told(
        {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress", "output": []}},
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "Two logs"},
        {"type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 1},
        {
            "type": "response.reasoning_summary_text.delta",
            "output_index": 0,
            "summary_index": 1,
            "delta": "differ.",
        },
        {"type": "response.output_item.done", "output_index": 1, "item": ITEMS[1]},
        {"type": "response.output_text.delta", "output_index": 2, "delta": "4"},
        {"type": "response.output_text.delta", "output_index": 2, "delta": "3"},
        {"type": "response.something_new", "delta": "?"},
    )
    reply = Responses().read(assembler.body(), ASKED, "m")
    assert not assembler.complete
    assert (reply.text, reply.reasoning) == ("4243", "Two logs\n\ndiffer.")
    assert "".join(delta.reasoning for delta in deltas) == reply.reasoning


def test_a_last_event_without_its_output_does_not_lose_what_came_before() -> None:
    _, assembler = told(
        {"type": "response.output_item.done", "output_index": 0, "item": ITEMS[1]},
        {"type": "response.completed", "response": {"status": "completed", "output": [], "usage": None}},
        {"type": "response.created", "response": {"status": "in_progress"}},
    )
    assert assembler.complete
    assert read(assembler.body()["output"]).text == "42"


@pytest.mark.parametrize("body", [{}, {"output": None}, {"output": "x"}, {"choices": []}])
def test_a_body_without_output_is_no_answer(body: dict[str, Any]) -> None:
    with pytest.raises(NotAnAnswer, match="no output"):
        Responses().read(body, ASKED, "m")
