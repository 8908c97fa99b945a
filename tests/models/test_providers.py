"""Every provider that is known is found by its name and asked in its own format, with its own key."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from dissensus.testing import FakeProvider
from dissensus_agents.agent import Agent
from dissensus_agents.errors import UnknownModel
from dissensus_agents.messages import Part, Request
from dissensus_agents.models.catalog import describe, known, resolve
from dissensus_agents.models.client import Model, Streaming
from dissensus_agents.models.prices import FREE, Price, Tier
from dissensus_agents.models.providers import PROVIDERS, address_of
from dissensus_agents.models.scripted import FunctionModel
from dissensus_agents.models.wire import WireModel
from dissensus_agents.patterns.failover import Failover

ASKED = Request("", (Part("Why?"),))
KEY = "canary-0123456789"

ROOT = {
    "anthropic": "",
    "gemini": "",
    "azure": "",
}
"""What follows the host in the variables that others use too: nothing, or the path of the interface."""

PATHS = {
    "openai-responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/some-model:streamGenerateContent?alt=sse",
    "azure": "/openai/v1/chat/completions",
}
HEADERS = {"anthropic": "x-api-key", "gemini": "x-goog-api-key", "azure": "api-key"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for provider in PROVIDERS.values():
        for name in (provider.url_env, *provider.key_envs):
            monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def server() -> Iterator[FakeProvider]:
    with FakeProvider() as provider:
        yield provider


@pytest.mark.parametrize("name", list(PROVIDERS))
def test_each_is_asked_in_its_own_format_at_its_own_path_with_its_own_key(
    server: FakeProvider, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    provider = PROVIDERS[name]
    host = server.url().removesuffix("/v1")
    monkeypatch.setenv(provider.url_env, f"{host}{ROOT.get(name, '/v1')}")
    for variable in provider.key_envs:
        monkeypatch.setenv(variable, KEY)
    model = resolve(f"{name}:some-model")
    assert isinstance(model, Model)
    assert isinstance(model, Streaming)
    assert asyncio.run(model.answer(ASKED)).text == "an answer"
    (asked,) = server.received
    assert asked.path == PATHS.get(name, "/v1/chat/completions")
    sent = asked.headers.get(HEADERS.get(name, "authorization"), "")
    assert sent.removeprefix("Bearer ") == (KEY if provider.key_envs else "")
    assert (model.name, model.price) == (f"{name}:some-model", FREE if provider.local else None)


def test_g07_a_router_may_take_nobody_who_is_dearer_than_what_is_reserved_for(
    server: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    price = Price(Decimal("0.5"), Decimal(2), tiers=(Tier(1000, Decimal("0.75"), Decimal(3)),))
    for given in (price, None):
        model = resolve("openrouter:nobody/knows", base_url=server.url(), price=given)
        asyncio.run(model.answer(ASKED))
    routed, free = (asked.body.get("provider") for asked in server.received)
    assert routed == {"max_price": {"prompt": 0.75, "completion": 3.0}}
    assert free is None


@pytest.mark.parametrize(
    ("name", "variable", "value", "address"),
    [
        ("anthropic", "ANTHROPIC_BASE_URL", "https://gw.example.com", "https://gw.example.com/v1"),
        ("anthropic", "ANTHROPIC_BASE_URL", "https://gw.example.com/a/v1", "https://gw.example.com/a/v1"),
        ("gemini", "GEMINI_BASE_URL", "https://gw.example.com/", "https://gw.example.com/v1beta"),
        (
            "azure",
            "AZURE_OPENAI_ENDPOINT",
            "https://a.openai.azure.com/",
            "https://a.openai.azure.com/openai/v1",
        ),
        ("azure", "AZURE_OPENAI_ENDPOINT", "https://[", "https://["),
        ("openai", "OPENAI_BASE_URL", "https://gw.example.com/v1", "https://gw.example.com/v1"),
    ],
)
def test_the_variables_of_others_are_read_as_they_mean_them(
    monkeypatch: pytest.MonkeyPatch, name: str, variable: str, value: str, address: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert address_of(PROVIDERS[name]) == address


def test_the_key_of_gemini_is_found_under_both_of_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    assert describe("gemini:x").key_env == "GEMINI_API_KEY"
    monkeypatch.setenv("GOOGLE_API_KEY", KEY)
    assert describe("gemini:x").key_env == "GOOGLE_API_KEY"
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    assert describe("google:x").key_env == "GEMINI_API_KEY"


def test_azure_must_be_told_where_the_resource_is() -> None:
    with pytest.raises(UnknownModel, match="azure needs to know where") as caught:
        resolve("azure:mine")
    assert "AZURE_OPENAI_ENDPOINT" in caught.value.next_step


def test_how_long_and_how_often_is_a_setting_and_so_are_the_limits_of_a_minute(folder: Path) -> None:
    (folder / "dissensus.toml").write_text(
        "[defaults]\ntimeout = 7\nattempts = 2\n[providers.openai]\nrpm = 60\ntpm = 9000\n"
        '[models."openai:gpt-5"]\nrpm = 30\n'
    )
    model = resolve("openai:gpt-5")
    assert isinstance(model, WireModel)
    assert (model.rpm, model.tpm) == (30, 9000)
    assert (model.patience.attempts, model.patience.pause) == (2, 0.5)
    assert model._waits.total == 7


def test_an_alias_of_several_models_is_a_failover_for_an_agent(folder: Path) -> None:
    (folder / "dissensus.toml").write_text(
        '[aliases]\ncareful = ["anthropic:claude-opus-5", "openai:gpt-6-sol"]\none = "ollama:x"\n'
    )
    names = [model.name for model in Agent("ana", "careful").candidates.models]
    assert names == ["anthropic:claude-opus-5", "openai:gpt-6-sol"]
    mixed = Agent("ana", Failover("one", "careful", on=["timeout"])).candidates
    assert [model.name for model in mixed.models] == ["ollama:x", *names]
    with pytest.raises(UnknownModel, match="careful stands for 2 models"):
        resolve("careful")


def test_what_is_known_of_a_model_in_use_goes_by_its_name() -> None:
    entry = known(resolve("anthropic:claude-haiku-4-5"))
    assert entry is not None
    assert entry.window == 200_000
    assert getattr(resolve("anthropic:claude-haiku-4-5"), "window", None) == 200_000
    assert getattr(resolve("ollama:anything"), "window", 0) is None
    assert known(FunctionModel("mine", lambda _: "x")) is None
