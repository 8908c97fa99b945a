from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from dissensus_agents.errors import MissingKey, ProviderFailed, UnknownModel
from dissensus_agents.messages import Part, Request
from dissensus_agents.models.catalog import describe, resolve
from dissensus_agents.models.client import Model
from dissensus_agents.models.dialects import DIALECTS
from dissensus_agents.models.lineages import lineage_of
from dissensus_agents.models.prices import FREE, Price
from dissensus_agents.models.providers import PROVIDERS
from provider import Provider, completion

ASKED = Request("", (Part("Why?"),))


def address_of(model: Model) -> str:
    return repr(model).partition("base_url=")[2].strip("')")


@pytest.fixture(autouse=True)
def without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in PROVIDERS.values():
        for name in (provider.url_env, *provider.key_envs):
            monkeypatch.delenv(name, raising=False)


def test_a_name_is_all_that_a_well_known_model_needs() -> None:
    model = resolve("openai:gpt-4o-mini")
    assert (model.name, model.lineage) == ("openai:gpt-4o-mini", "openai/gpt-4")
    assert model.price is not None
    assert (model.price.input, bool(model.price.since)) == (Decimal("0.15"), True)
    assert address_of(model) == "https://api.openai.com/v1/chat/completions"


def test_a_model_may_have_colons_in_its_name(provider: Provider) -> None:
    model = resolve("ollama:llama3.1:8b", base_url=provider.url)
    asyncio.run(model.answer(ASKED))
    assert provider.received[0].body["model"] == "llama3.1:8b"
    assert (model.name, model.lineage) == ("ollama:llama3.1:8b", "meta/llama-3")


@pytest.mark.parametrize("name", ["ollama:x", "vllm:x", "llamacpp:x", "llama.cpp:x"])
def test_servers_of_ones_own_are_free_and_need_no_key(provider: Provider, name: str) -> None:
    model = resolve(name, base_url=provider.url)
    assert model.price == FREE
    assert asyncio.run(model.answer(ASKED)).text == "an answer"
    assert "authorization" not in provider.received[0].headers


def test_an_unknown_price_is_unknown_and_not_nothing() -> None:
    assert resolve("openai:gpt-99").price is None
    assert resolve("openrouter:nobody/knows-this").price is None
    assert describe("azure:gpt-4o", base_url="https://mine.openai.azure.com/openai/v1").price is None


def test_the_price_of_the_list_is_not_assumed_of_another_server() -> None:
    assert resolve("openai:gpt-4o", base_url="http://gateway.example.com/v1").price is None


def test_a_price_and_a_lineage_that_are_given_win() -> None:
    mine = Price(Decimal(1), Decimal(2), source="my contract")
    model = resolve("openai:gpt-4o", price=mine, lineage="mine/tuned")
    assert (model.price, model.lineage) == (mine, "mine/tuned")


@pytest.mark.parametrize("provider_name", ["openai", "deepseek", "openrouter", "groq", "together"])
def test_each_provider_is_asked_with_its_own_key(provider_name: str) -> None:
    with pytest.raises(MissingKey, match=f"{provider_name.upper()}_API_KEY"):
        asyncio.run(resolve(f"{provider_name}:x").answer(ASKED))


def test_a_compatible_server_gets_no_key_but_the_one_that_is_named_for_it(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-you")
    monkeypatch.setenv("MY_KEY", "mine")
    asyncio.run(resolve("openai-compatible:x", base_url=provider.url).answer(ASKED))
    named = resolve("openai-compatible:x", base_url=provider.url, key_env="MY_KEY")
    asyncio.run(named.answer(ASKED))
    sent = [received.headers.get("authorization") for received in provider.received]
    assert sent == [None, "Bearer mine"]


def test_a_compatible_server_must_be_named() -> None:
    with pytest.raises(UnknownModel, match="needs to know where x is served") as caught:
        resolve("openai-compatible:x")
    assert "OPENAI_COMPATIBLE_BASE_URL" in caught.value.next_step


def test_an_address_in_the_environment_is_used(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", provider.url + "/")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    provider.says(completion("from here"))
    assert asyncio.run(resolve("openai:gpt-4o").answer(ASKED)).text == "from here"


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080/v1"),
        (":8080", "http://127.0.0.1:8080/v1"),
        ("gpu.example.com", "http://gpu.example.com:11434/v1"),
        ("http://gpu.example.com:8080/", "http://gpu.example.com:8080/v1"),
        ("https://gpu.example.com", "https://gpu.example.com:443/v1"),
        ("[::1]:8080", "http://[::1]:8080/v1"),
        ("http://gpu.example.com/ollama/v1", "http://gpu.example.com:11434/ollama/v1"),
    ],
)
def test_ollama_is_found_as_its_own_setting_says(
    monkeypatch: pytest.MonkeyPatch, host: str, address: str
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", host)
    assert address_of(resolve("ollama:llama3.1")) == f"{address}/chat/completions"


def test_a_setting_that_is_no_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "gpu:70000")
    with pytest.raises(ProviderFailed, match="'gpu:70000' is no base URL"):
        resolve("ollama:llama3.1")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("opnai:gpt-4o", "Did you mean openai:gpt-4o?"),
        ("lamacpp:x", "Did you mean llamacpp:x?"),
        ("gpt-4o-mini", "Did you mean openai:gpt-4o-mini"),
        ("mistral-cloud:x", "Write provider:model, with one of openai, openai-responses, anthropic"),
        ("", "Write provider:model"),
        (":", "Write provider:model"),
        ("\x1b[31m:x", "Write provider:model"),
    ],
)
def test_an_unknown_model_is_refused_with_what_was_probably_meant(name: str, hint: str) -> None:
    with pytest.raises(UnknownModel) as caught:
        resolve(name)
    assert caught.value.exit_code == 12
    assert hint in caught.value.next_step
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("name", ["openai:", "openai: gpt 4", "openai:a\nb", "openai:" + "x" * 300])
def test_a_name_that_no_model_can_have_is_refused(name: str) -> None:
    with pytest.raises(UnknownModel):
        resolve(name)


@pytest.mark.parametrize(
    ("model", "lineage"),
    [
        ("gemini-1.5-pro-002", "google/gemini-1.5"),
        ("Meta-Llama-3_1-70B-Instruct", "meta/llama-3"),
        ("meta-llama/Llama-3.3-70B-Instruct-Turbo", "meta/llama-3"),
        ("deepseek-r1-distill-llama-70b", "meta/llama-3"),
        ("CodeLlama-13b-Instruct-hf", "meta/llama-2"),
        ("DeepSeek-Coder-V2", "deepseek/v2"),
        ("Qwen1.5-72B-Chat", "alibaba/qwen-1.5"),
        ("qwen/qwen3-32b", "alibaba/qwen-3"),
        ("Mixtral-8x7B-Instruct-v0.1", "mistral/mixtral"),
        ("Phi-3-mini-4k-instruct", "microsoft/phi-3"),
        ("jamba-1.5-large", "ai21/jamba-1.5"),
        ("gpt-4-1106-preview", "openai/gpt-4"),
        ("gpt-3.5-turbo", "openai/gpt-3.5"),
        ("openai/gpt-oss-120b", "openai/gpt-oss"),
        ("o3-mini", "openai/o"),
        ("anthropic/claude-3.5-sonnet", "anthropic/claude-3"),
        ("claude-sonnet-4-5", "anthropic/claude-4"),
        ("nobody-knows-this-1", ""),
    ],
)
def test_a_model_is_known_by_what_it_was_made_from(model: str, lineage: str) -> None:
    assert lineage_of(model) == lineage


def test_every_provider_has_a_dialect() -> None:
    spoken = {name for name, one in PROVIDERS.items() if one.format == "chat"}
    assert spoken - set(DIALECTS) <= {"azure"}
