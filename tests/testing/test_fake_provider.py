"""The provider that users' tests ask instead of a paid one."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
from typing import Any

import httpx
import pytest

from dissensus.testing import Answer, FakeProvider, Fault, Raw, Received
from dissensus.testing.answers import Spoken
from dissensus_agents.messages import Usage

PATHS: dict[Spoken, str] = {
    "openai": "/chat/completions",
    "responses": "/responses",
    "anthropic": "/messages",
    "gemini": "/models/a-model:generateContent",
}
FORMATS = list(PATHS)
CLIENT = httpx.Client(timeout=10, verify=False, trust_env=False)


def post(provider: FakeProvider, spoken: Spoken = "openai", **body: Any) -> httpx.Response:
    body = {"messages": [{"role": "user", "content": "What is it?"}], **body}
    return CLIENT.post(provider.url(spoken) + PATHS[spoken], json=body)


def text_in(spoken: Spoken, body: dict[str, Any]) -> str:
    """The visible text, where each format has it."""
    if spoken == "openai":
        return body["choices"][0]["message"]["content"]
    if spoken == "responses":
        return body["output"][-1]["content"][0]["text"]
    if spoken == "anthropic":
        return body["content"][-1]["text"]
    return body["candidates"][0]["content"]["parts"][-1]["text"]


@pytest.mark.parametrize("spoken", FORMATS)
def test_a_text_is_said_in_the_format_that_is_asked_for(provider: FakeProvider, spoken: Spoken) -> None:
    provider.says("42", reasoning="because it is")
    body = post(provider, spoken).json()
    assert text_in(spoken, body) == "42"
    assert "because it is" in json.dumps(body)
    assert provider.received[0].format == spoken


@pytest.mark.parametrize("spoken", FORMATS)
def test_a_stream_says_the_same_in_pieces(provider: FakeProvider, spoken: Spoken) -> None:
    said = "forty-two, and not one more"
    provider.says(Answer(said, reasoning="it is counted", piece=5))
    path = PATHS[spoken].replace(":generateContent", ":streamGenerateContent?alt=sse")
    answer = CLIENT.post(provider.url(spoken) + path, json={"stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.count("data: ") >= len(said) / 5
    for piece in ("forty", "-two,", " coun"):
        assert piece in answer.text


def test_answers_come_in_order_and_the_last_one_for_ever(provider: FakeProvider) -> None:
    provider.says(Fault.rate_limit(retry_after=2), "first", Answer("last"))
    answers = [post(provider) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [429, 200, 200, 200]
    assert answers[0].headers["retry-after"] == "2"
    assert [text_in("openai", answer.json()) for answer in answers[1:]] == ["first", "last", "last"]


def test_a_function_answers_from_what_was_received(provider: FakeProvider) -> None:
    def echo(asked: Received) -> str:
        return f"{asked.model} was told: {asked.text}"

    provider.answers(echo)
    said = text_in("openai", post(provider, model="tiny").json())
    assert said == "tiny was told: What is it?"


def test_an_error_in_the_function_is_not_swallowed() -> None:
    def broken(_asked: Received) -> str:
        raise LookupError("no such answer")

    with pytest.raises(LookupError, match="no such answer"), FakeProvider() as provider:
        provider.answers(broken)
        assert post(provider).status_code == 500


def test_an_error_of_the_test_is_not_hidden_by_one_of_the_function() -> None:
    def broken(_asked: Received) -> str:
        raise LookupError("no such answer")

    with pytest.raises(AssertionError), FakeProvider() as provider:
        provider.answers(broken)
        assert post(provider).status_code == 200


def test_what_was_received_is_kept_as_it_came(provider: FakeProvider) -> None:
    CLIENT.post(provider.url() + PATHS["openai"], json={"model": "m"}, headers={"Authorization": "Bearer k"})
    [asked] = provider.received
    assert (asked.method, asked.path, asked.model) == ("POST", "/v1/chat/completions", "m")
    assert asked.headers["authorization"] == "Bearer k"
    assert json.loads(asked.raw) == asked.body == {"model": "m"}
    assert not asked.streamed


@pytest.mark.parametrize("spoken", FORMATS)
def test_the_tokens_are_what_was_given(provider: FakeProvider, spoken: Spoken) -> None:
    provider.says(Answer("42", usage=Usage(input=100, output=7, cached=40, reasoning=11, written=3)))
    body = post(provider, spoken).json()
    counts = body.get("usage") or body["usageMetadata"]
    expected = {
        "openai": {"prompt_tokens": 143, "completion_tokens": 18, "total_tokens": 161},
        "responses": {"input_tokens": 143, "output_tokens": 18},
        "anthropic": {"input_tokens": 100, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 3},
        "gemini": {"promptTokenCount": 143, "candidatesTokenCount": 7, "thoughtsTokenCount": 11},
    }
    assert expected[spoken].items() <= counts.items()


def test_where_nothing_is_counted_no_tokens_are_told(provider: FakeProvider) -> None:
    provider.says(Answer("42", counted=False))
    assert "usage" not in post(provider).json()


@pytest.mark.parametrize(
    ("page", "place"), [("/v1/models", "data"), ("/api/tags", "models"), ("/v1beta/models", "models")]
)
def test_a_running_server_can_be_found_by_its_list_of_models(page: str, place: str) -> None:
    with FakeProvider(models=("llama3.2", "qwen3")) as provider:
        root = provider.url().removesuffix("/v1")
        listed = CLIENT.get(root + page).json()[place]
    assert len(listed) == 2
    assert "llama3.2" in json.dumps(listed)
    assert provider.received == []


def test_a_page_that_is_not_there_says_so(provider: FakeProvider) -> None:
    answer = CLIENT.post(provider.url() + "/embeddings", json={})
    assert (answer.status_code, "/v1/embeddings" in answer.text) == (404, True)


def test_a_connection_is_kept_for_the_next_request(provider: FakeProvider) -> None:
    with httpx.Client(trust_env=False) as client:
        for _ in range(20):
            client.post(provider.url() + PATHS["openai"], json={}).raise_for_status()
    assert (len(provider.received), provider.connections) == (20, 1)


def test_two_hundred_can_ask_at_once(provider: FakeProvider) -> None:
    provider.says(Answer("42", delay=0.2))
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=0)

    async def all_at_once() -> list[int]:
        async with httpx.AsyncClient(limits=limits, timeout=30) as client:
            asked = (client.post(provider.url() + PATHS["openai"], json={}) for _ in range(200))
            return [answer.status_code for answer in await asyncio.gather(*asked)]

    assert asyncio.run(all_at_once()) == [200] * 200
    assert provider.connections == 200


def test_refused_connections_are_refused_until_something_else_is_said(provider: FakeProvider) -> None:
    url = provider.url()
    provider.says(Fault.named("refused"))
    with pytest.raises(httpx.ConnectError):
        post(provider)
    provider.says("here again")
    assert provider.url() == url
    assert text_in("openai", post(provider).json()) == "here again"


def test_nothing_can_be_said_after_a_refused_connection(provider: FakeProvider) -> None:
    with pytest.raises(ValueError, match="say it alone"):
        provider.says(Fault.named("refused"), "42")
    with pytest.raises(ValueError, match="at least one"):
        provider.says()


def test_bytes_are_sent_as_they_are(provider: FakeProvider) -> None:
    provider.says(Raw(418, b"\x00\xff", headers={"x-tea": "yes"}))
    answer = post(provider)
    assert (answer.status_code, answer.content, answer.headers["x-tea"]) == (418, b"\x00\xff", "yes")


@pytest.mark.parametrize(
    ("field", "where"),
    [
        ("reasoning_content", "reasoning_content"),
        ("reasoning", "reasoning"),
        ("reasoning_details", "reasoning_details"),
        ("think", "content"),
    ],
)
def test_thinking_is_sent_under_every_name_that_servers_use(
    provider: FakeProvider, field: Any, where: str
) -> None:
    provider.says(Answer("42", reasoning="because", reasoning_field=field, signature="sig"))
    message = post(provider).json()["choices"][0]["message"]
    assert "because" in json.dumps(message[where])
    assert ("sig" in json.dumps(message)) == (field == "reasoning_details")


def test_only_so_many_requests_are_kept_as_are_asked_for() -> None:
    with FakeProvider(keeps=2) as provider:
        for _ in range(5):
            post(provider)
        assert len(provider.received) == 2


def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_behind() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="address already in use"):
            FakeProvider(port=taken.getsockname()[1]).start()


def test_as_a_process_of_its_own_it_prints_its_url_and_ends_when_it_is_told() -> None:
    command = [sys.executable, "-W", "error", "-m", "dissensus.testing.provider", "--says", "hello"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        answer = CLIENT.post(f"{url}/v1/chat/completions", json={})
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert text_in("openai", answer.json()) == "hello"
