from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from dissensus.testing import Answer, FakeProvider, Raw
from dissensus_agents.messages import Effort, Part, Reply, Request, Usage
from dissensus_agents.models.completions import ChatCompletions
from dissensus_agents.models.dialects import DIALECTS, Dialect
from dissensus_agents.models.openai import AzureModel, OpenAIModel
from dissensus_agents.models.prices import most_input_tokens

SCHEMA = {"title": "Answer", "type": "object", "properties": {"cause": {"type": "string"}}}
ASKED = Request("You are terse.", (Part("Why?"),))
TYPED = replace(ASKED, output_schema=SCHEMA)
DETAILS = [
    {
        "type": "reasoning.text",
        "text": "Two logs differ.",
        "format": "unknown",
        "index": 0,
        "signature": "c2ln",
    },
    {"type": "reasoning.encrypted", "data": "ZW5j", "index": 1},
]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    monkeypatch.setenv("A_KEY", "sk-canary-0123456789abcdef")
    with FakeProvider() as made:
        yield made


def sent(dialect: str | Dialect, request: Request, model: str = "a-model") -> dict[str, Any]:
    row = DIALECTS[dialect] if isinstance(dialect, str) else dialect
    body: dict[str, Any] = json.loads(ChatCompletions(row).body(request, model, stream=True))
    return body


def read(dialect: str, message: dict[str, Any], request: Request = ASKED, **body: Any) -> Reply:
    parsed = {"choices": [{"message": message, "finish_reason": "stop"}], **body}
    return ChatCompletions(DIALECTS[dialect]).read(parsed, request, "a-model")


def streamed(*chunks: dict[str, Any]) -> Raw:
    events = b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in chunks)
    return Raw(body=events + b"data: [DONE]\n\n", headers={"content-type": "text/event-stream"})


async def answered(fake: FakeProvider, request: Request = ASKED, **options: Any) -> Reply:
    model = OpenAIModel("a-model", base_url=fake.url(), key_env="A_KEY", **options)
    return await model.answer(request)


@pytest.mark.parametrize(
    ("dialect", "effort", "fields"),
    [
        ("openai", "none", {"reasoning_effort": "none"}),
        ("openai", "max", {"reasoning_effort": "xhigh"}),
        ("azure", "low", {"reasoning_effort": "low"}),
        ("ollama", "max", {"reasoning_effort": "high"}),
        ("groq", "low", {"reasoning_effort": "low"}),
        ("openrouter", "max", {"reasoning": {"effort": "max"}}),
        ("together", "none", {"reasoning": {"enabled": False}}),
        ("together", "high", {"reasoning_effort": "high"}),
        ("deepseek", "none", {"thinking": {"type": "disabled"}}),
        ("deepseek", "max", {"thinking": {"type": "enabled"}, "reasoning_effort": "max"}),
        ("vllm", "none", {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}}),
        (
            "vllm",
            "high",
            {"chat_template_kwargs": {"enable_thinking": True, "thinking": True}, "reasoning_effort": "high"},
        ),
        ("llamacpp", "low", {"chat_template_kwargs": {"enable_thinking": True, "reasoning_effort": "low"}}),
        ("llamacpp", "none", {"chat_template_kwargs": {"enable_thinking": False}}),
    ],
)
def test_how_much_to_think_is_said_in_the_words_of_the_server(
    dialect: str, effort: Effort, fields: dict[str, Any]
) -> None:
    plain, told = sent(dialect, ASKED), sent(dialect, replace(ASKED, effort=effort))
    assert {name: value for name, value in told.items() if name not in plain} == fields


def test_where_nothing_is_known_of_a_server_it_is_not_told_and_the_reply_says_so() -> None:
    asked = replace(ASKED, effort="high")
    assert sent("openai-compatible", asked) == sent("openai-compatible", ASKED)
    notes = read("openai-compatible", {"content": "42"}, asked).notes
    assert notes == ("how much to think was not passed on: openai-compatible may not know it",)


def test_a_stream_is_asked_to_be_counted_where_the_server_is_known_to_take_that() -> None:
    asking = {name for name in DIALECTS if "stream_options" in sent(name, ASKED)}
    assert asking == set(DIALECTS) - {"openai-compatible"}


async def test_a_server_that_answers_by_calling_a_tool_is_made_to_and_its_arguments_are_the_answer(
    fake: FakeProvider,
) -> None:
    fake.says(Answer(None, tool=("answer", {"cause": "the cache"}), piece=4))
    reply = await answered(fake, TYPED, dialect=Dialect("old", format="tool"))
    body = fake.received[0].body
    assert body["tools"][0]["function"]["parameters"] == SCHEMA
    assert body["tool_choice"] == {"type": "function", "function": {"name": "answer"}}
    assert (json.loads(reply.text), reply.finish_reason) == ({"cause": "the cache"}, "stop")


async def test_a_tool_that_nobody_offered_is_no_answer(fake: FakeProvider) -> None:
    fake.says(Answer(None, tool=("delete_everything", {"path": "/"})))
    for dialect in (Dialect("old", format="tool"), DIALECTS["openai"]):
        assert (await answered(fake, TYPED, dialect=dialect)).text == ""


async def test_signed_and_encrypted_thinking_goes_back_to_openrouter_unchanged_and_in_order(
    fake: FakeProvider,
) -> None:
    fake.says(
        Answer("42", reasoning="Two logs differ.", reasoning_field="reasoning_details",
               signature="c2ln", encrypted="ZW5j", piece=5)
    )  # fmt: skip
    reply = await answered(fake, dialect="openrouter")
    assert (reply.reasoning, reply.reasoning_kind) == ("Two logs differ.", "raw")
    again = ASKED.again("42", "Give a reason.", reply.echo)
    message = sent("openrouter", again)["messages"][2]
    assert message == {"role": "assistant", "content": "42", "reasoning_details": DETAILS}


@pytest.mark.parametrize(
    ("dialect", "field", "goes_back"),
    [
        ("vllm", "reasoning", True),
        ("vllm", "reasoning_content", True),
        ("openrouter", "reasoning", True),
        ("llamacpp", "reasoning_content", True),
        ("ollama", "reasoning", False),
        ("deepseek", "reasoning_content", False),
        ("groq", "reasoning", False),
        ("openai-compatible", "reasoning_content", False),
    ],
)
def test_thinking_goes_back_under_the_name_it_came_with_to_those_who_take_it(
    dialect: str, field: str, goes_back: Any
) -> None:
    reply = read(dialect, {"content": "42", field: "Six by seven."})
    assert reply.reasoning == "Six by seven."
    message = sent(dialect, ASKED.again("42", "Why?", reply.echo))["messages"][2]
    kept = {field: "Six by seven."} if goes_back else {}
    assert message == {"role": "assistant", "content": "42", **kept}


def test_what_belongs_to_one_model_never_goes_to_another() -> None:
    echo = read("openrouter", {"content": "42", "reasoning_details": DETAILS}).echo
    again = ASKED.again("42", "Why?", echo)
    for dialect, model in (("openrouter", "another"), ("vllm", "a-model"), ("openai", "a-model")):
        assert sent(dialect, again, model)["messages"][2] == {"role": "assistant", "content": "42"}


@pytest.mark.parametrize("echo", [["x"], "x", 7, {"by": "openrouter:a-model"}, {"reasoning_details": []}])
def test_an_echo_that_is_none_of_ours_is_left_out(echo: Any) -> None:
    again = ASKED.again("42", "Why?", echo)
    assert sent("openrouter", again)["messages"][2] == {"role": "assistant", "content": "42"}


def test_what_goes_back_is_reserved_for() -> None:
    long = [{"type": "reasoning.text", "text": "hm — ä" * 500}]
    again = ASKED.again("42", "Why?", read("openrouter", {"content": "42", "reasoning_details": long}).echo)
    said = json.dumps(sent("openrouter", again)["messages"], ensure_ascii=False)
    assert len(said.encode()) <= most_input_tokens(again)


def test_what_is_read_from_and_written_to_a_cache_is_counted_apart() -> None:
    details = {"cached_tokens": 60, "cache_write_tokens": 30}
    counted = {"prompt_tokens": 100, "completion_tokens": 5, "prompt_tokens_details": details}
    assert read("openai", {"content": "42"}, usage=counted).usage == Usage(10, 5, cached=60, written=30)
    absurd = {**counted, "prompt_tokens_details": {"cached_tokens": 90, "cache_write_tokens": 90}}
    assert read("openai", {"content": "42"}, usage=absurd).usage == Usage(0, 5, cached=90, written=10)


def test_counts_that_groq_puts_aside_in_a_stream_are_found() -> None:
    counted = {"usage": {"prompt_tokens": 9, "completion_tokens": 5}}
    assert read("groq", {"content": "42"}, x_groq=counted).usage == Usage(9, 5)


@pytest.mark.parametrize(
    ("cost", "notes"), [(0.00123, ("the provider billed 0.00123 USD",)), (0, ()), ("x", ())]
)
def test_what_a_router_says_that_it_billed_is_kept(cost: Any, notes: tuple[str, ...]) -> None:
    counted = {"prompt_tokens": 9, "completion_tokens": 5, "cost": cost}
    assert read("openrouter", {"content": "42"}, usage=counted).notes == notes


def test_thinking_that_was_billed_and_not_shown_is_said_in_a_note() -> None:
    counted = {
        "prompt_tokens": 9,
        "completion_tokens": 5000,
        "completion_tokens_details": {"reasoning_tokens": 4990},
    }
    reply = read("openai", {"content": "42"}, usage=counted)
    assert reply.reasoning_kind == "withheld"
    assert reply.notes == ("4,990 reasoning tokens were billed, and none of the reasoning was shown",)


@pytest.mark.parametrize(
    ("version", "path"),
    [
        (None, "/openai/v1/chat/completions"),
        ("2024-10-21", "/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21"),
    ],
)
async def test_a_deployment_of_azure_is_asked_at_either_of_its_addresses(
    fake: FakeProvider, version: str | None, path: str
) -> None:
    endpoint = fake.url().removesuffix("/v1")
    model = AzureModel("my gpt", endpoint=endpoint, api_version=version, key_env="A_KEY")
    assert (await model.answer(TYPED)).text == "an answer"
    asked = fake.received[0]
    assert (asked.path, asked.headers["api-key"]) == (path, "sk-canary-0123456789abcdef")
    assert "authorization" not in asked.headers
    assert asked.body["response_format"]["json_schema"]["strict"] is True


async def test_azures_first_chunk_without_choices_is_passed_over(fake: FakeProvider) -> None:
    first = {"choices": [], "prompt_filter_results": [{"prompt_index": 0}]}
    last = {"choices": [{"index": 0, "delta": {"content": "42"}, "finish_reason": "stop"}]}
    body = (
        b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in (first, last))
        + b"data: [DONE]\n\n"
    )
    fake.says(Raw(body=body, headers={"content-type": "text/event-stream"}))
    assert (await answered(fake, dialect="azure")).text == "42"


async def test_content_in_parts_is_put_together_from_a_stream(fake: FakeProvider) -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Six "}]}
    deltas: list[Any] = [
        [thought],
        [{**thought, "thinking": [{"type": "text", "text": "by seven."}]}],
        [{"type": "text", "text": "4"}],
        "2",
    ]
    events = [{"choices": [{"index": 0, "delta": {"content": one}}]} for one in deltas]
    events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    fake.says(streamed(*events))
    reply = await answered(fake, dialect="vllm")
    assert (reply.text, reply.reasoning) == ("42", "Six by seven.")
