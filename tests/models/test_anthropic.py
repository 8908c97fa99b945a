from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from dissensus_agents.messages import Delta, Part, Reply, Request, Usage
from dissensus_agents.models.anthropic_messages import (
    NO_ROOM,
    NO_TEMPERATURE,
    PARTLY_WITHHELD,
    AnthropicMessages,
    format_for,
)
from dissensus_agents.models.formats import Event, NotAnAnswer, ProviderError
from dissensus_agents.models.keys import Key
from dissensus_agents.models.prices import Price, cost, worst_case
from wire_bodies import MESSAGE, MESSAGE_EVENTS, events

SCHEMA = {
    "type": "object",
    "title": "Answer",
    "properties": {
        "reasoning": {"type": "string", "default": ""},
        "verdict": {"enum": ["guilty", "free"], "type": "string"},
        "sure": {"anyOf": [{"type": "number", "maximum": 1}, {"type": "null"}], "default": None},
    },
    "required": ["verdict"],
}
ASKED = Request("You are ana.", (Part("Who was it?", title="Question"),), SCHEMA)
MODEL = "claude-sonnet-5"


def body(request: Request = ASKED, wire: AnthropicMessages | None = None, **how: Any) -> dict[str, Any]:
    made = (wire or AnthropicMessages()).body(request, MODEL, stream=how.get("stream", False))
    found: dict[str, Any] = json.loads(made)
    return found


def read(parsed: dict[str, Any], wire: AnthropicMessages | None = None, request: Request = ASKED) -> Reply:
    return (wire or AnthropicMessages()).read(parsed, request, MODEL)


def test_a_request_is_a_system_block_a_user_message_and_a_closed_schema() -> None:
    made = body()
    assert made["system"] == [{"type": "text", "text": "You are ana."}]
    assert made["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "## Question\nWho was it?"}]}
    ]
    assert (made["model"], made["max_tokens"]) == (MODEL, 4096)
    schema = made["output_config"]["format"]["schema"]
    assert made["output_config"]["format"]["type"] == "json_schema"
    assert schema["additionalProperties"] is False
    assert "stream" not in made
    assert body(stream=True)["stream"] is True


def test_a_closed_schema_asks_for_the_reasoning_before_the_verdict() -> None:
    schema = body()["output_config"]["format"]["schema"]
    assert list(schema["properties"]) == schema["required"] == ["reasoning", "verdict", "sure"]
    assert schema["properties"]["sure"]["anyOf"][0] == {"type": "number", "description": "(maximum: 1)"}


def test_a_schema_that_cannot_be_closed_is_put_into_words() -> None:
    open_ended = {"type": "object", "properties": {"verdict": {"type": "object"}}}
    made = body(replace(ASKED, output_schema=open_ended))
    assert "output_config" not in made
    assert json.dumps(open_ended, separators=(",", ":")) in made["system"][0]["text"]


def test_the_key_and_the_version_are_headers_and_nothing_else_holds_the_key() -> None:
    wire = AnthropicMessages()
    assert wire.headers(Key("sk-ant-1")) == {"x-api-key": "sk-ant-1", "anthropic-version": "2023-06-01"}
    assert wire.headers(Key("")) == {"anthropic-version": "2023-06-01"}
    assert wire.path(MODEL, stream=True) == "/messages"


@pytest.mark.parametrize(
    ("model", "effort", "most", "thinking", "config"),
    [
        ("claude-opus-5", None, 4096, None, None),
        (
            "claude-opus-5",
            "max",
            4096,
            {"type": "adaptive", "display": "summarized"},
            {"effort": "max"},
        ),
        ("claude-opus-5", "none", 4096, {"type": "disabled"}, None),
        ("claude-sonnet-4-5-20250929", "medium", 8192, {"type": "enabled", "budget_tokens": 4096}, None),
        ("claude-sonnet-4-5", "low", 2048, {"type": "enabled", "budget_tokens": 1024}, None),
        ("claude-sonnet-4-5", "high", 2047, None, None),
        ("claude-3-5-haiku-latest", "high", 8192, None, None),
    ],
)
def test_effort_is_said_as_the_model_takes_it(
    model: str, effort: Any, most: int, thinking: Any, config: Any
) -> None:
    request = Request("", (Part("Hm?"),), max_output_tokens=most, effort=effort)
    made = body(request, format_for(model))
    assert (made.get("thinking"), made.get("output_config")) == (thinking, config)
    if thinking and "budget_tokens" in thinking:
        assert 1024 <= thinking["budget_tokens"] < most


def test_a_thinking_model_gets_no_temperature_and_the_reply_says_so() -> None:
    warm = replace(ASKED, temperature=0.2)
    assert body(warm)["temperature"] == 0.2
    assert NO_TEMPERATURE not in read(MESSAGE, request=warm).notes
    thinking = replace(warm, effort="high")
    assert "temperature" not in body(thinking)
    assert NO_TEMPERATURE in read(MESSAGE, request=thinking).notes


def test_thinking_that_finds_no_room_is_noted() -> None:
    tight = replace(ASKED, effort="high", max_output_tokens=1000)
    assert NO_ROOM in read(MESSAGE, format_for("claude-sonnet-4-5"), tight).notes


def test_a_model_without_typed_answers_is_made_to_call_a_tool() -> None:
    made = body(wire=AnthropicMessages(typed="strict_tool"))
    assert made["tool_choice"] == {"type": "tool", "name": "answer"}
    assert made["tools"][0]["strict"] is True
    assert "output_config" not in made
    free = body(replace(ASKED, effort="high"), AnthropicMessages(typed="tool"))
    assert free["tool_choice"] == {"type": "auto"}
    assert "strict" not in free["tools"][0]
    assert "calling the tool `answer`" in free["system"][0]["text"]


CALLED: dict[str, Any] = {
    **MESSAGE,
    "content": [
        {"type": "thinking", "thinking": "", "signature": "s"},
        {"type": "text", "text": "Let me answer."},
        {"type": "tool_use", "id": "t1", "name": "answer", "input": {"verdict": "guilty"}},
    ],
    "stop_reason": "tool_use",
}


def test_the_call_of_the_tool_is_the_answer() -> None:
    reply = read(CALLED)
    assert (reply.text, reply.finish_reason) == ('{"verdict":"guilty"}', "stop")
    bare = read({**CALLED, "content": CALLED["content"][1:]})
    assert (bare.reasoning, bare.reasoning_kind) == ("Let me answer.", "rationale")


def test_an_objection_to_the_call_of_a_tool_is_its_result() -> None:
    reply = read(CALLED)
    first, second = body(ASKED.again(reply.text, "Not so.", reply.echo))["messages"][1:]
    assert [block["type"] for block in first["content"]] == ["thinking", "tool_use"]
    assert second["content"] == [
        {"type": "tool_result", "tool_use_id": "t1", "is_error": True, "content": "Not so."}
    ]


def test_a_reply_holds_the_text_the_thinking_and_the_tokens_in_buckets_that_do_not_overlap() -> None:
    reply = read(MESSAGE)
    assert reply.text == '{"verdict": "guilty"}'
    assert (reply.reasoning, reply.reasoning_kind) == ("Who was there? Both.", "summary")
    assert reply.usage == Usage(input=12, output=20, cached=4000, reasoning=70, written=300)
    assert (reply.model, reply.finish_reason) == ("claude-sonnet-5-20260901", "stop")
    assert PARTLY_WITHHELD in reply.notes
    assert read(MESSAGE, format_for("claude-3-7-sonnet-latest")).reasoning_kind == "raw"


def test_thinking_that_is_not_shown_is_withheld() -> None:
    hidden = {**MESSAGE, "content": [{"type": "redacted_thinking", "data": "x"}, MESSAGE["content"][2]]}
    assert (read(hidden).reasoning, read(hidden).reasoning_kind) == (None, "withheld")
    silent = {**MESSAGE, "content": MESSAGE["content"][2:]}
    assert read(silent).reasoning_kind == "withheld"
    plain = {**silent, "usage": {"input_tokens": 3, "output_tokens": 4}}
    assert read(plain).reasoning_kind == "rationale"


def test_signed_blocks_go_back_as_they_came_and_only_to_the_model_they_came_from() -> None:
    reply = read(MESSAGE)
    again = ASKED.again(reply.text, "The verdict is missing.", reply.echo)
    said, told = body(again)["messages"][1:]
    assert said == {"role": "assistant", "content": MESSAGE["content"]}
    assert told == {"role": "user", "content": [{"type": "text", "text": "The verdict is missing."}]}
    other = json.loads(AnthropicMessages().body(again, "claude-opus-5", stream=False))
    assert other["messages"][1]["content"] == MESSAGE["content"][2:]


def test_an_echo_that_cannot_be_stored_is_left_out_and_noted() -> None:
    content = [{"type": "thinking", "thinking": "Hm.", "signature": "\ud800"}, MESSAGE["content"][2]]
    reply = read({**MESSAGE, "content": content})
    assert reply.echo is None
    assert any("wants back" in note for note in reply.notes)


def test_an_empty_answer_that_is_sent_back_is_not_an_empty_block() -> None:
    said = body(ASKED.again("  ", "Nothing came."))["messages"][1]
    assert said["content"] == [{"type": "text", "text": "(no answer)"}]


@pytest.mark.parametrize(
    ("end", "finish"),
    [
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "model_context_window_exceeded"),
        ("pause_turn", "pause_turn"),
    ],
)
def test_the_end_of_an_answer_has_one_name_for_all_providers(end: str, finish: str) -> None:
    assert read({**MESSAGE, "stop_reason": end}).finish_reason == finish


def test_a_refusal_says_why() -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "That could do harm."}
    reply = read({**MESSAGE, "content": [], "stop_reason": "refusal", "stop_details": details})
    assert (reply.finish_reason, reply.text) == ("refusal", "That could do harm.")
    assert "refused: bio" in reply.notes


def assembled(stream: list[Event]) -> tuple[dict[str, Any], bool, list[Any]]:
    made = AnthropicMessages().assembler()
    heard = [made.feed(event) for event in stream]
    return made.body(), made.complete, [piece for piece in heard if piece is not None]


def test_a_streamed_answer_is_the_one_that_would_have_come_in_one_piece() -> None:
    whole, complete, heard = assembled(events(MESSAGE_EVENTS))
    assert complete
    assert read(whole) == read(MESSAGE)
    assert heard == [
        Delta(reasoning="Who was there? "),
        Delta(reasoning="Both."),
        Delta('{"verdict": '),
        Delta('"guilty"}'),
    ]


def test_a_stream_that_breaks_off_is_incomplete_and_keeps_what_came() -> None:
    for length in range(1, len(MESSAGE_EVENTS)):
        part, complete, _ = assembled(events(MESSAGE_EVENTS[:length]))
        assert not complete
        reply = read(part)
        assert MESSAGE["content"][2]["text"].startswith(reply.text)
        assert reply.usage.cached == 4000
    cut, _, _ = assembled(events(MESSAGE_EVENTS[:12]))
    assert read(cut).usage.estimated
    assert read(cut).usage.output == -(-len("Who was there? Both." + MESSAGE["content"][2]["text"]) // 4)


def test_a_streamed_call_of_a_tool_is_put_together_and_kept_as_text_where_it_was_cut_off() -> None:
    begin = {"type": "tool_use", "id": "t1", "name": "answer", "input": {}}
    stream = [
        MESSAGE_EVENTS[0],
        {"type": "content_block_start", "index": 0, "content_block": begin},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": ""},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": '{"verdict": "gui'},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": 'lty"}'},
        },
    ]
    whole, _, heard = assembled(events(tuple(stream)))
    assert read(whole).text == '{"verdict":"guilty"}'
    assert [piece.text for piece in heard] == ['{"verdict": "gui', 'lty"}']
    cut, _, _ = assembled(events(tuple(stream[:-1])))
    assert read(cut).text == '{"verdict": "gui'


@pytest.mark.parametrize("doubled", [0, 1, 9])
def test_a_beginning_that_comes_twice_makes_no_answer(doubled: int) -> None:
    stream = list(MESSAGE_EVENTS)
    stream.insert(doubled, stream[doubled])
    with pytest.raises(NotAnAnswer, match="begins twice"):
        assembled(events(tuple(stream)))


def test_a_piece_of_what_never_began_makes_no_answer() -> None:
    with pytest.raises(NotAnAnswer, match="before any message_start"):
        assembled(events(MESSAGE_EVENTS[1:]))
    with pytest.raises(NotAnAnswer, match="never began"):
        assembled(events((MESSAGE_EVENTS[0], *MESSAGE_EVENTS[3:])))


def test_events_of_a_kind_that_is_not_known_say_nothing() -> None:
    new = {"type": "content_moderation", "data": 7}
    whole, complete, _ = assembled(events((new, MESSAGE_EVENTS[0], new, *MESSAGE_EVENTS[1:])))
    assert complete
    assert read(whole) == read(MESSAGE)


def test_an_error_inside_the_stream_is_the_providers_error() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    _, complete, heard = assembled(events((*MESSAGE_EVENTS[:5], error)))
    assert not complete
    assert heard[-1] == ProviderError("Overloaded", "overloaded_error", 529, "outage")


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        ({"type": "overloaded_error", "message": "Overloaded"}, 529, "outage"),
        ({"type": "rate_limit_error", "message": "This would exceed your limit"}, 429, "rate_limit"),
        (
            {"type": "rate_limit_error", "message": "No.", "details": {"error_code": "ramp_limit_exceeded"}},
            429,
            "rate_limit",
        ),
        (
            {
                "type": "rate_limit_error",
                "message": "No.",
                "details": {"error_code": "contract_spend_limit_reached"},
            },
            429,
            "spent",
        ),
        (
            {
                "type": "invalid_request_error",
                "message": "prompt is too long: 213462 tokens > 200000 maximum",
            },
            400,
            "context_overflow",
        ),
        (
            {"type": "invalid_request_error", "message": "Your credit balance is too low to access the API"},
            400,
            "spent",
        ),
        ({"type": "invalid_request_error", "message": "max_tokens: required"}, 400, "invalid"),
        ({"type": "authentication_error", "message": "invalid x-api-key"}, 401, "key"),
        ({"type": "not_found_error", "message": "model: claude-9"}, 404, "unknown_model"),
        (
            {"type": "request_too_large", "message": "Request exceeds the maximum size"},
            413,
            "context_overflow",
        ),
        ({"type": "a_new_error", "message": "Hm."}, None, None),
    ],
)
def test_an_error_is_told_by_its_type_and_where_that_is_not_enough_by_its_words(
    error: dict[str, Any], status: int | None, kind: str | None
) -> None:
    found = AnthropicMessages().error_in({"type": "error", "error": error})
    assert found is not None
    assert (found.message, found.status, found.kind) == (error["message"], status, kind)
    assert AnthropicMessages().error_in(MESSAGE) is None


LONG = "word " * 1000


def test_long_stable_beginnings_are_marked_for_the_providers_cache_by_one_rule() -> None:
    parts = (Part(LONG, "/sources", "Sources"), Part("short", "/note"), Part("Who was it?"))
    made = body(Request(LONG, parts))
    assert made["system"][0]["cache_control"] == {"type": "ephemeral"}
    first, rest = made["messages"][0]["content"]
    assert first["cache_control"] == {"type": "ephemeral"}
    assert "cache_control" not in rest
    assert first["text"] + rest["text"] == Request("", parts).prompt
    one = body(Request("", parts[:1]))["messages"][0]["content"]
    assert len(one) == 1
    assert "cache_control" in one[0]


@pytest.mark.parametrize(
    "parts",
    [(Part("short", "/sources"),), (Part(LONG),)],
    ids=["too short to be kept", "a literal, which is not in the history"],
)
def test_what_is_not_worth_keeping_is_not_marked(parts: tuple[Part, ...]) -> None:
    assert "cache_control" not in json.dumps(body(Request("You are ana.", parts)))


def test_caching_can_be_left_out() -> None:
    made = body(Request(LONG, (Part(LONG, "/sources"),)), AnthropicMessages(caching=False))
    assert "cache_control" not in json.dumps(made)


def test_what_the_cache_saves_and_costs_is_in_the_cost_and_the_worst_case_stays_above_it() -> None:
    price = Price(Decimal(3), Decimal(15), cached=Decimal("0.3"), written=Decimal("3.75"))
    usage = read(MESSAGE).usage
    assert cost(price, usage) == 12 * 3000 + 4000 * 300 + 300 * 3750 + 90 * 15_000
    request = Request("", (Part(LONG, "/sources"),))
    written = Usage(written=len(LONG), output=4096)
    assert worst_case(price, request) >= cost(price, written)


def test_a_body_without_content_is_no_answer() -> None:
    with pytest.raises(NotAnAnswer, match="without content"):
        read({"type": "message"})
