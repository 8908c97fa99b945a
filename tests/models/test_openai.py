from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
from typing import Any

import pytest

from dissensus_agents.messages import Part, Reply, Request, Usage
from dissensus_agents.models import transport
from dissensus_agents.models.client import Model
from dissensus_agents.models.openai import OpenAIModel
from dissensus_agents.models.retries import Patience
from dissensus_agents.models.transport import close_clients
from provider import Provider, Say, completion, fault

KEY = "sk-canary-0123456789abcdef0123456789"
SCHEMA = {
    "title": "The verdict",
    "type": "object",
    "properties": {"cause": {"type": "string"}},
    "required": ["cause"],
}
ASKED = Request("You are terse.", (Part("Why?"),))
TYPED = Request("You are terse.", (Part("Why?"),), output_schema=SCHEMA)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", KEY)


def a_model(provider: Provider, **options: Any) -> OpenAIModel:
    settings: dict[str, Any] = {
        "base_url": provider.url,
        "key_env": "A_KEY",
        "patience": Patience(pause=0.001),
        **options,
    }
    return OpenAIModel("a-model", **settings)


def ask(model: OpenAIModel, request: Request = ASKED) -> Reply:
    return asyncio.run(model.answer(request))


def test_a_question_reaches_the_server_in_its_format_and_its_answer_comes_back(
    provider: Provider,
) -> None:
    model = a_model(provider)
    reply = ask(model)
    sent = provider.received[0]
    assert isinstance(model, Model)
    assert (sent.path, sent.headers["authorization"]) == ("/v1/chat/completions", f"Bearer {KEY}")
    assert sent.body["messages"] == [
        {"role": "system", "content": "You are terse."},
        {"role": "user", "content": "Why?"},
    ]
    assert (reply.text, reply.model, reply.finish_reason) == ("an answer", "a-model", "stop")
    assert reply.usage == Usage(input=12, output=3)
    assert json.loads(reply.raw or b"")["id"] == "chatcmpl-1"


def test_an_answer_that_was_sent_back_is_shown_to_the_model_with_the_objection(
    provider: Provider,
) -> None:
    ask(a_model(provider), ASKED.again("42", "Give a reason."))
    assert provider.received[0].body["messages"][-2:] == [
        {"role": "assistant", "content": "42"},
        {"role": "user", "content": "Give a reason."},
    ]


@pytest.mark.parametrize("dialect", ["vllm", "ollama", "llamacpp", "openrouter", "openai"])
def test_a_server_that_can_hold_an_answer_to_a_schema_is_given_it(provider: Provider, dialect: str) -> None:
    ask(a_model(provider, dialect=dialect), TYPED)
    body = provider.received[0].body
    strict = {"schema": {**SCHEMA, "additionalProperties": False}, "strict": True}
    held = strict if dialect == "openai" else {"schema": SCHEMA}
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "The_verdict", **held},
    }
    stands_in_prompt = '"required"' in body["messages"][0]["content"]
    assert stands_in_prompt == (dialect != "openai")


@pytest.mark.parametrize(
    ("dialect", "format_"),
    [
        ("deepseek", {"type": "json_object"}),
        ("groq", {"type": "json_object"}),
        ("together", None),
        ("openai-compatible", None),
    ],
)
def test_a_server_that_cannot_is_shown_the_schema_in_the_prompt(
    provider: Provider, dialect: str, format_: Any
) -> None:
    ask(a_model(provider, dialect=dialect), TYPED)
    body = provider.received[0].body
    assert body.get("response_format") == format_
    assert json.dumps(SCHEMA, separators=(",", ":")) in body["messages"][0]["content"]


def test_the_answer_is_bounded_by_the_field_that_the_server_knows(provider: Provider) -> None:
    ask(a_model(provider, dialect="openai"), ASKED)
    ask(a_model(provider, dialect="ollama"), ASKED)
    openai, ollama = (received.body for received in provider.received)
    assert (openai["max_completion_tokens"], openai.get("max_tokens")) == (4096, None)
    assert (ollama["max_tokens"], ollama.get("max_completion_tokens")) == (4096, None)


def test_a_temperature_is_sent_only_if_one_was_asked_for(provider: Provider) -> None:
    ask(a_model(provider))
    ask(a_model(provider), Request("", (Part("Why?"),), temperature=0.0))
    first, second = (received.body for received in provider.received)
    assert ("temperature" in first, second["temperature"]) == (False, 0.0)


def test_tokens_are_counted_once_whichever_way_the_provider_counts_them(provider: Provider) -> None:
    provider.says(
        completion(
            usage={
                "prompt_tokens": 100,
                "completion_tokens": 50,
                "prompt_tokens_details": {"cached_tokens": 80},
                "completion_tokens_details": {"reasoning_tokens": 30},
            }
        ),
        completion(usage={"prompt_tokens": 100, "completion_tokens": 50, "prompt_cache_hit_tokens": 80}),
        completion(
            usage={
                "prompt_tokens": 100,
                "completion_tokens": 20,
                "total_tokens": 150,
                "completion_tokens_details": {"reasoning_tokens": 30},
            }
        ),
    )
    model = a_model(provider)
    assert ask(model).usage == Usage(input=20, output=20, cached=80, reasoning=30)
    assert ask(model).usage == Usage(input=20, output=50, cached=80)
    assert ask(model).usage == Usage(input=100, output=20, reasoning=30)


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 0, "completion_tokens": 0},
        ["many"],
        {"prompt_tokens": "12", "completion_tokens": -3},
        {"prompt_tokens": True, "completion_tokens": 10**12},
        {"prompt_tokens": None, "prompt_tokens_details": [], "completion_tokens_details": "many"},
    ],
)
def test_where_a_server_does_not_count_the_tokens_are_estimated_and_said_to_be(
    provider: Provider, usage: Any
) -> None:
    provider.says(completion("12345678", usage=usage))
    assert ask(a_model(provider)).usage == Usage(input=-(-ASKED.characters // 4), output=2, estimated=True)


def test_a_lone_surrogate_in_an_answer_is_replaced_and_the_reply_says_so(
    provider: Provider,
) -> None:
    provider.says(completion("cut \ud83d", reasoning_content="\udc00 off"))
    reply = ask(a_model(provider))
    assert (reply.text, reply.reasoning) == ("cut �", "� off")
    assert reply.notes == ("lone surrogates became U+FFFD",)


def test_a_whole_character_written_as_two_escapes_stays_one(provider: Provider) -> None:
    provider.says(completion("\U0001f600"))
    assert b"\\ud83d\\ude00" in (ask(a_model(provider)).raw or b"")
    assert ask(a_model(provider)).text == "\U0001f600"


def test_a_refusal_is_the_answer_and_its_reason_to_finish(provider: Provider) -> None:
    provider.says(completion(None, refusal="I can't help with that."))
    reply = ask(a_model(provider))
    assert (reply.text, reply.finish_reason) == ("I can't help with that.", "refusal")


def test_content_in_parts_is_put_together(provider: Provider) -> None:
    provider.says(
        completion(
            [  # type: ignore[arg-type]
                {"type": "thinking", "thinking": [{"type": "text", "text": "Six by seven."}]},
                {"type": "text", "text": "42"},
                {"type": "image", "text": "none"},
                None,
            ]
        )
    )
    reply = ask(a_model(provider))
    assert (reply.text, reply.reasoning, reply.reasoning_kind) == ("42", "Six by seven.", "raw")


def test_all_models_of_a_loop_share_one_connection(provider: Provider) -> None:
    async def ask_often() -> None:
        for _ in range(3):
            await a_model(provider).answer(ASKED)

    asyncio.run(ask_often())
    assert (len(provider.received), provider.connections) == (3, 1)


def test_every_new_loop_gets_a_client_and_leaves_nothing_open(provider: Provider) -> None:
    model = a_model(provider)
    assert [ask(model).text for _ in range(3)] == ["an answer"] * 3
    assert provider.connections == 3


def test_clients_can_be_closed_before_their_loop_ends_and_come_back(provider: Provider) -> None:
    async def ask_twice() -> None:
        await a_model(provider).answer(ASKED)
        await close_clients()
        await a_model(provider).answer(ASKED)

    asyncio.run(ask_twice())
    assert provider.connections == 2


def test_a_loop_that_has_ended_is_not_kept(provider: Provider) -> None:
    ask(a_model(provider))
    gc.collect()
    assert not transport._clients


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_a_client_of_ones_own_is_used_and_left_open(provider: Provider, library: str) -> None:
    module = pytest.importorskip(library)

    async def with_own_client() -> tuple[Reply, bool]:
        async with module.AsyncClient(headers={"x-mine": "yes"}, trust_env=False) as client:
            reply = await a_model(provider, client=client).answer(ASKED)
            return reply, client.is_closed

    reply, closed = asyncio.run(with_own_client())
    assert (reply.text, closed) == ("an answer", False)
    assert provider.received[0].headers["x-mine"] == "yes"


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_the_failures_of_either_library_are_understood(provider: Provider, library: str) -> None:
    module = pytest.importorskip(library)
    provider.says(fault(500), completion("at last"))

    async def with_own_client() -> Reply:
        async with module.AsyncClient(trust_env=False) as client:
            return await a_model(provider, client=client).answer(ASKED)

    assert asyncio.run(with_own_client()).notes == ("asked again after: 500",)


def test_no_proxy_gets_what_is_meant_for_this_machine(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert ask(a_model(provider)).text == "an answer"


def test_an_answer_that_is_waited_for_can_be_cancelled(provider: Provider) -> None:
    provider.says(Say(delay=30))

    async def give_up() -> None:
        asking = asyncio.create_task(a_model(provider).answer(ASKED))
        await asyncio.to_thread(provider.asked.wait, 10)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(give_up())
    assert len(provider.received) == 1


def test_no_http_library_is_loaded_before_the_first_question() -> None:
    program = (
        "import sys; from dissensus_agents.models import catalog; "
        "catalog.resolve('openai:gpt-4o'); "
        "print(sorted({'httpx', 'stamina', 'tenacity'} & set(sys.modules)))"  # genai-prices loads httpx2
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
