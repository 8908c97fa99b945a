"""Servers found on this machine, and which models to take where nobody says which."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dissensus.testing import FakeProvider, Raw, Received
from dissensus.testing.server import Server
from dissensus_agents.messages import Part, Request
from dissensus_agents.models.available import PREFERRED, available, has_key, spread
from dissensus_agents.models.catalog import describe, resolve
from dissensus_agents.models.known import KNOWN
from dissensus_agents.models.local import Served, answers, running
from dissensus_agents.models.local import Server as Found
from dissensus_agents.models.prices import FREE
from dissensus_agents.models.providers import PROVIDERS

NOWHERE = "http://127.0.0.1:9/v1"


@pytest.fixture(autouse=True)
def nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, no settings, and no server at any address that is asked."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISSENSUS_CONFIG", raising=False)
    for provider in PROVIDERS.values():
        for name in provider.key_envs:
            monkeypatch.delenv(name, raising=False)
        if provider.local:
            monkeypatch.setenv(provider.url_env, NOWHERE)


@pytest.fixture
def server() -> Iterator[FakeProvider]:
    with FakeProvider(models=("llama3.1:8b", "qwen3:32b", "nomic-embed-text")) as provider:
        yield provider


@contextmanager
def told(page: Raw, heard: list[Received] | None = None) -> Iterator[str]:
    """A server with one page at every address; its base URL."""

    def reply(asked: Received) -> Raw:
        if heard is not None:
            heard.append(asked)
        return page

    server = Server(reply, "127.0.0.1", 0)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.port}/v1"
    finally:
        server.stop()


def found(seconds: float = 5.0) -> list[Found]:
    return asyncio.run(running(seconds=seconds))


def names(*, search: bool = True) -> list[str]:
    return [entry.name for entry in asyncio.run(available(search=search, seconds=5))]


def test_where_nothing_runs_nothing_is_found() -> None:
    assert found() == []
    assert names() == []


@pytest.mark.parametrize("provider", ["ollama", "vllm", "llamacpp"])
def test_a_server_on_this_machine_is_found_with_its_models_the_largest_first(
    server: FakeProvider, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    monkeypatch.setenv(PROVIDERS[provider].url_env, server.url())
    (one,) = found()
    assert (one.provider, one.trouble) == (provider, "")
    assert [model.name for model in one.models] == ["qwen3:32b", "llama3.1:8b", "nomic-embed-text"]


def test_what_is_found_can_be_asked_as_it_is_called(
    server: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", server.url())
    server.says("42")
    there = asyncio.run(available(seconds=5))
    assert [entry.name for entry in there] == ["ollama:qwen3:32b", "ollama:llama3.1:8b"]
    assert all(entry.price == FREE and entry.trusted for entry in there)
    assert asyncio.run(resolve(there[0].name).answer(Request("", (Part("?"),)))).text == "42"


def test_no_key_is_sent_to_whatever_listens_there(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Received] = []
    with told(Raw.json({"data": []}), heard) as url:
        monkeypatch.setenv("VLLM_BASE_URL", url)
        monkeypatch.setenv("VLLM_API_KEY", "a-secret-0123456789")
        assert found()
    assert [asked.method for asked in heard] == ["GET"]
    assert "a-secret-0123456789" not in str(heard)


def test_the_window_that_a_server_tells_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = {
        "object": "list",
        "data": [{"id": "big", "max_model_len": 32768}, {"id": "x", "max_model_len": "?"}],
    }
    with told(Raw.json(listing)) as url:
        monkeypatch.setenv("VLLM_BASE_URL", url)
        (one,) = found()
        assert [model.window for model in one.models] == [32768, None]
        windows = {entry.name: entry.window for entry in asyncio.run(available(seconds=5))}
        assert windows == {"vllm:big": 32768, "vllm:x": None}


@pytest.mark.parametrize(
    "page",
    [
        Raw.json({"hello": "world"}),
        Raw.json({"data": "none"}),
        Raw(body=[b"<html>Another program</html>"]),
        Raw(body=[b"[" * 10_000]),
        Raw(body=[b""]),
        Raw.json({"data": []}, 500),
        Raw.json({"data": []}, 404),
    ],
    ids=["other", "text", "html", "deep", "empty", "500", "404"],
)
def test_another_program_at_that_address_is_no_server_of_models(
    monkeypatch: pytest.MonkeyPatch, page: Raw
) -> None:
    with told(page) as url:
        monkeypatch.setenv("VLLM_BASE_URL", url)
        assert found() == []


def test_names_that_no_model_can_have_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"id": name} for name in ("\x1b[31m", "a b", "", "x" * 300, None, 7, "good")]
    with told(Raw.json({"data": [*rows, "text", None]})) as url:
        monkeypatch.setenv("VLLM_BASE_URL", url)
        assert [model.name for model in found()[0].models] == ["good"]


def test_a_server_that_asks_for_a_key_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    with told(Raw.json({"error": "no"}, 401)) as url:
        monkeypatch.setenv("VLLM_BASE_URL", url)
        assert [(one.models, one.trouble) for one in found()] == [((), "it asks for a key (401)")]


def test_a_server_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("VLLM_BASE_URL", f"http://127.0.0.1:{silent.getsockname()[1]}/v1")
        assert found(seconds=0.2) == []


def test_no_other_machine_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISSENSUS_OFFLINE", raising=False)
    asked: list[str] = []

    async def get(parts: object, **_: object) -> tuple[int, bytes]:
        asked.append(parts.geturl())  # type: ignore[attr-defined]
        return 200, b"{}"

    monkeypatch.setattr("dissensus_agents.models.transport.get", get)
    monkeypatch.setenv("OLLAMA_HOST", "gpu.example.com")
    monkeypatch.setenv("VLLM_BASE_URL", "http://10.0.0.7:8000/v1")
    monkeypatch.setenv("LLAMACPP_BASE_URL", "not an address")
    assert found() == []
    assert asked == []


def test_models_whose_keys_are_there_come_one_of_each_provider_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "x")
    monkeypatch.setenv("GOOGLE_API_KEY", "x")
    there = names(search=False)
    assert there[:2] == [f"anthropic:{PREFERRED['anthropic'][0]}", f"gemini:{PREFERRED['gemini'][0]}"]
    assert all(name.startswith(("anthropic:", "gemini:")) for name in there)


def test_the_first_few_are_of_different_lineages(monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in PREFERRED:
        monkeypatch.setenv(PROVIDERS[provider].key_envs[0], "x")
    there = asyncio.run(available(search=False))
    lineages = [entry.lineage for entry in there]
    distinct = len(set(lineages))
    assert len(set(lineages[:distinct])) == distinct > 8
    assert len(there) == sum(map(len, PREFERRED.values()))


def test_what_is_taken_by_itself_is_priced_and_is_not_switched_off() -> None:
    for provider, models in PREFERRED.items():
        for model in models:
            entry = describe(f"{provider}:{model}")
            assert entry.deprecated is None
            if provider != "openrouter":  # what a router takes is in no table of ours
                assert entry.price is not None
                assert (provider, model) in KNOWN


def test_the_user_says_what_is_taken_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    (tmp_path / "dissensus.toml").write_text(
        '[aliases]\ndefault = ["groq:qwen/qwen3-32b", "openai:o3"]\n[providers.openai]\nmodels = ["gpt-5"]\n'
    )
    assert names(search=False) == ["openai:o3", "openai:gpt-5"]


def test_what_has_been_switched_off_is_not_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "x")
    (tmp_path / "dissensus.toml").write_text(
        '[providers.gemini]\nmodels = ["gemini-2.0-flash", "gemini-3.8-flash"]\n'
    )
    assert names(search=False) == ["gemini:gemini-3.8-flash"]


def test_what_has_no_price_comes_last() -> None:
    priced, unpriced = describe("openai:gpt-5"), describe("openai:gpt-99")
    assert spread([unpriced, priced]) == [priced, unpriced]


def test_a_model_that_embeds_texts_answers_no_questions() -> None:
    assert not answers(Served("nomic-embed-text"))
    assert answers(Served("llama3.1:8b"))


def test_an_empty_key_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "  ")
    assert not has_key(describe("openai:gpt-5"))
    assert has_key(describe("ollama:x"))
