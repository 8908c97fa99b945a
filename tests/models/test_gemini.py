from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from dissensus_agents.messages import Delta, Part, Reply, Request, Usage
from dissensus_agents.models.formats import NotAnAnswer, ProviderError
from dissensus_agents.models.gemini_content import NOT_OFF, GeminiContent, format_for
from dissensus_agents.models.keys import Key
from dissensus_agents.models.kinds import refusal_of
from wire_bodies import RESPONSE, RESPONSE_CHUNKS, events

SCHEMA = {
    "type": "object",
    "$defs": {"Kind": {"const": "crime", "type": "string"}},
    "properties": {
        "const": {"type": "string"},
        "kind": {"$ref": "#/$defs/Kind", "description": "of what"},
        "tags": {"type": "array", "items": {"const": 1}},
    },
}
ASKED = Request("You are ana.", (Part("Who was it?", title="Question"),), SCHEMA)
MODEL = "gemini-3.8-flash"


def body(request: Request = ASKED, wire: GeminiContent | None = None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((wire or GeminiContent()).body(request, MODEL, stream=False))
    return found


def read(parsed: dict[str, Any], request: Request = ASKED) -> Reply:
    return GeminiContent().read(parsed, request, MODEL)


def test_a_request_is_an_instruction_contents_and_a_config_with_the_schema() -> None:
    made = body(replace(ASKED, temperature=0.5))
    assert made["systemInstruction"] == {"parts": [{"text": "You are ana."}]}
    assert made["contents"] == [{"role": "user", "parts": [{"text": "## Question\nWho was it?"}]}]
    config = made["generationConfig"]
    assert (config["maxOutputTokens"], config["temperature"]) == (4096, 0.5)
    assert config["responseMimeType"] == "application/json"
    assert config["thinkingConfig"] == {"includeThoughts": True}


def test_the_schema_is_one_that_gemini_takes() -> None:
    schema = body()["generationConfig"]["responseJsonSchema"]
    assert schema["$defs"]["Kind"] == {"type": "string", "enum": ["crime"]}
    assert schema["properties"] == {
        "const": {"type": "string"},
        "kind": {"$ref": "#/$defs/Kind"},
        "tags": {"type": "array", "items": {"enum": [1]}},
    }


@pytest.mark.parametrize(
    ("model", "path"),
    [
        (MODEL, "/models/gemini-3.8-flash:generateContent"),
        ("models/gemini-3.8-flash", "/models/gemini-3.8-flash:generateContent"),
        ("tunedModels/mine", "/tunedModels/mine:generateContent"),
        ("../x?key=1#", "/models/..%2Fx%3Fkey%3D1%23:generateContent"),
        ("models/../x", "/models/..%2Fx:generateContent"),
    ],
)
def test_the_models_name_is_escaped_in_the_path(model: str, path: str) -> None:
    assert GeminiContent().path(model, stream=False) == path


def test_the_key_is_a_header_and_never_in_the_path() -> None:
    assert GeminiContent().headers(Key("AIza-1")) == {"x-goog-api-key": "AIza-1"}
    assert GeminiContent().headers(Key("")) == {}
    streamed = GeminiContent().path(MODEL, stream=True)
    assert streamed == "/models/gemini-3.8-flash:streamGenerateContent?alt=sse"


@pytest.mark.parametrize(
    ("model", "effort", "config"),
    [
        ("gemini-3-pro", None, {"includeThoughts": True}),
        ("gemini-3-pro", "max", {"includeThoughts": True, "thinkingLevel": "high"}),
        ("gemini-3-pro", "none", {"includeThoughts": True, "thinkingLevel": "low"}),
        ("gemini-2.5-flash", "none", {"includeThoughts": False, "thinkingBudget": 0}),
        ("gemini-2.5-flash", "medium", {"includeThoughts": True, "thinkingBudget": 2048}),
        ("gemini-2.0-flash", "high", None),
    ],
)
def test_effort_is_said_as_the_model_takes_it(model: str, effort: Any, config: Any) -> None:
    made = body(replace(ASKED, effort=effort), format_for(model))
    assert made["generationConfig"].get("thinkingConfig") == config


def test_thinking_that_cannot_be_turned_off_is_noted() -> None:
    assert NOT_OFF in read(RESPONSE, replace(ASKED, effort="none")).notes
    assert NOT_OFF not in read(RESPONSE).notes


def test_a_model_without_instructions_gets_them_at_the_head_of_the_prompt() -> None:
    made = body(wire=format_for("gemma-3-27b-it"))
    assert "systemInstruction" not in made
    text = made["contents"][0]["parts"][0]["text"]
    assert text.startswith("You are ana.\n\nAnswer with one JSON value")
    assert text.endswith("## Question\nWho was it?")
    assert made["generationConfig"] == {"maxOutputTokens": 4096}


def test_a_reply_holds_the_text_the_thoughts_and_the_tokens_in_buckets_that_do_not_overlap() -> None:
    reply = read(RESPONSE)
    assert reply.text == '{"verdict": "guilty"}'
    assert (reply.reasoning, reply.reasoning_kind) == ("**Weighing** Who was there? Both.", "summary")
    assert reply.usage == Usage(input=300, output=20, cached=4000, reasoning=70)
    assert (reply.model, reply.finish_reason) == ("gemini-3.8-flash", "stop")


def test_thoughts_that_were_billed_and_not_shown_are_withheld() -> None:
    parts = [{"text": "42"}]
    reply = read({**RESPONSE, "candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]})
    assert (reply.reasoning, reply.reasoning_kind) == (None, "withheld")


def test_a_signature_goes_back_on_its_part_and_only_to_the_model_it_came_from() -> None:
    reply = read(RESPONSE)
    again = ASKED.again(reply.text, "The verdict is missing.", reply.echo)
    contents = body(again)["contents"]
    assert contents[1] == {"role": "model", "parts": RESPONSE["candidates"][0]["content"]["parts"][1:]}
    assert contents[2] == {"role": "user", "parts": [{"text": "The verdict is missing."}]}
    other = json.loads(GeminiContent().body(again, "gemini-3-pro", stream=False))
    assert other["contents"][1] == {"role": "model", "parts": [{"text": reply.text}]}


def test_an_answer_without_a_signature_goes_back_as_its_text() -> None:
    assert body(ASKED.again("", "Nothing came."))["contents"][1]["parts"] == [{"text": "(no answer)"}]


def assembled(chunks: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], bool, list[Any]]:
    made = GeminiContent().assembler()
    heard = [made.feed(event) for event in events(chunks)]
    return made.body(), made.complete, [piece for piece in heard if piece is not None]


def test_a_streamed_answer_is_the_one_that_would_have_come_in_one_piece() -> None:
    whole, complete, heard = assembled(RESPONSE_CHUNKS)
    assert complete
    assert read(whole) == read(RESPONSE)
    assert whole == RESPONSE
    assert heard == [
        Delta(reasoning="**Weighing** Who was "),
        Delta(reasoning="there? Both."),
        Delta('{"verdict": "guilty"}'),
    ]


def test_a_stream_that_breaks_off_is_incomplete_and_keeps_what_came() -> None:
    part, complete, _ = assembled(RESPONSE_CHUNKS[:2])
    assert not complete
    reply = read(part)
    assert (reply.text, reply.reasoning) == ("", "**Weighing** Who was there? Both.")
    assert reply.usage.estimated
    assert reply.usage.input == 4300


def test_a_piece_after_the_end_makes_no_answer() -> None:
    with pytest.raises(NotAnAnswer, match="after its end"):
        assembled((*RESPONSE_CHUNKS, RESPONSE_CHUNKS[0]))


def test_thinking_that_used_up_the_answer_is_an_empty_one_that_was_cut() -> None:
    counts = {"promptTokenCount": 9, "thoughtsTokenCount": 4096}
    reply = read({"candidates": [{"finishReason": "MAX_TOKENS"}], "usageMetadata": counts})
    assert (reply.text, reply.finish_reason, reply.reasoning_kind) == ("", "length", "withheld")


def test_a_prompt_that_a_policy_blocks_is_an_error_of_its_own_kind() -> None:
    parsed = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {}}
    found = GeminiContent().error_in(parsed)
    assert found is not None
    assert (found.code, found.kind, found.status) == ("PROHIBITED_CONTENT", "content_policy", None)
    assert GeminiContent().error_in(RESPONSE) is None


@pytest.mark.parametrize("reason", ["SAFETY", "RECITATION", "PROHIBITED_CONTENT"])
def test_an_answer_that_a_policy_stopped_is_none_and_its_tokens_are_counted(reason: str) -> None:
    counts = {"promptTokenCount": 9, "candidatesTokenCount": 4}
    parsed = {"candidates": [{"finishReason": reason}], "usageMetadata": counts}
    assert GeminiContent().error_in(parsed) is None
    reply = read(parsed)
    assert (reply.finish_reason, refusal_of(reply)) == ("content_filter", "content_policy")
    assert (reply.usage.input, reply.usage.output) == (9, 4)


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Quota", "details": [RETRY]},
            ProviderError("Quota", "RESOURCE_EXHAUSTED", 429, "rate_limit", 34.5),
        ),
        (
            {"code": 503, "status": "UNAVAILABLE", "message": "The model is overloaded."},
            ProviderError("The model is overloaded.", "UNAVAILABLE", 503, "outage"),
        ),
        (
            {
                "code": 400,
                "status": "INVALID_ARGUMENT",
                "message": "API key not valid.",
                "details": [{"reason": "API_KEY_INVALID"}],
            },
            ProviderError("API key not valid.", "API_KEY_INVALID", 400, "key"),
        ),
        (
            {
                "code": 400,
                "status": "INVALID_ARGUMENT",
                "message": "The input token count (2) exceeds the maximum number of tokens allowed (1).",
            },
            ProviderError(
                "The input token count (2) exceeds the maximum number of tokens allowed (1).",
                "INVALID_ARGUMENT",
                400,
                "context_overflow",
            ),
        ),
        ({"code": 404, "status": "NOT_FOUND"}, ProviderError("NOT_FOUND", "NOT_FOUND", 404, "unknown_model")),
        ("broken", ProviderError("broken")),
    ],
)
def test_an_error_is_told_by_its_status_and_where_that_is_not_enough_by_its_words(
    error: Any, expected: ProviderError
) -> None:
    assert GeminiContent().error_in({"error": error}) == expected


@pytest.mark.parametrize("delay", ["-1s", "soon", "1e9s", 7, None, "9" * 30 + "s"])
def test_a_delay_that_is_none_is_not_waited_for(delay: Any) -> None:
    found = GeminiContent().error_in({"error": {"code": 429, "details": [{"retryDelay": delay}]}})
    assert found is not None
    assert found.retry_after is None


def test_a_response_without_candidates_is_no_answer() -> None:
    with pytest.raises(NotAnAnswer, match="without candidates"):
        read({"usageMetadata": {}})
