"""`dissensus models`: what is listed, what is shown, and what a check costs and tells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from dissensus.testing import Answer, FakeProvider, Raw, Received
from dissensus_agents.models.providers import PROVIDERS
from dissensus_state.store import Store

DOCS = Path(__file__).parents[2] / "docs"
SECRET = "canary-0123456789abcdefghij"
SUM = '{"sum": 42}'


class Command(Protocol):
    def __call__(self, *arguments: object, code: int = 0) -> Any: ...


@pytest.fixture(autouse=True)
def nothing_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, no settings, and no server at any address that is asked."""
    for provider in PROVIDERS.values():
        for name in provider.key_envs:
            monkeypatch.delenv(name, raising=False)
        if provider.local:
            monkeypatch.setenv(provider.url_env, "http://127.0.0.1:9/v1")


def decided(asked: Received) -> Any:
    """What the models of the provider say, each by its name."""
    match asked.model:
        case "thinks":
            return Answer(SUM, reasoning="17 and 25 are 42")
        case "chats":
            return Answer(f"Sure! Here it is:\n```json\n{SUM}\n```")
        case "rambles":
            return Answer("Forty-two, of course.")
        case "silent":
            return Answer("")
        case "untyped" if "response_format" in asked.body:
            return Raw.json({"error": {"message": "response_format is not known"}}, 400)
        case "denied":
            return Raw.json({"error": {"message": f"no such key {SECRET}"}}, 401)
        case "down":
            return Raw.json({"error": {"message": "gone fishing"}}, 500)
    return Answer(SUM)


@pytest.fixture
def server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    """A server on this machine, and a provider at the same address that is paid for."""
    with FakeProvider(models=("big:70b", "small:3b")) as provider:
        provider.answers(decided)
        monkeypatch.setenv("VLLM_BASE_URL", provider.url())
        monkeypatch.setenv("PAID_API_KEY", SECRET)
        (folder / "dissensus.toml").write_text(
            f'[providers.paid]\nbase_url = "{provider.url()}"\nkey_env = "PAID_API_KEY"\ndialect = "vllm"\n'
            + "".join(
                f'[models."paid:{name}"]\nprice = {{input = 1, output = 10}}\n'
                for name in ("a", "b", "c", "thinks")
            )
            + '[models."paid:dear"]\nprice = {input = 100, output = 1000}\n'
            + '[aliases]\nboth = ["paid:a", "vllm:thinks"]\n'
        )
        yield provider


def keys_of(name: str) -> set[str]:
    page = (DOCS / "cli.md").read_text("utf-8")
    (row,) = re.findall(rf"^\| `{re.escape(name)}` \| ([a-z_? ]+) \|$", page, re.MULTILINE)
    return set(row.split())


def test_the_well_known_models_are_listed_with_price_window_and_what_they_can_do(ask: Command) -> None:
    page = ask("models").out
    assert re.search(
        r"anthropic:claude-haiku-4-5 +anthropic/claude-4 +200,000 +1 +5 +typed tools cached", page
    )
    assert re.search(r"gemini:gemini-2\.0-flash .* 2026-06-01 -> gemini-3\.5-flash", page)
    assert re.search(r"openai:gpt-5\.4 .* 1,050,000 +2\.5 +15\+ ", page)


def test_the_list_is_filtered_by_text_and_by_provider(ask: Command) -> None:
    names = [item["name"] for item in ask("models", "GPT-5.4", "--json").data["models"]]
    assert names == [f"openai:gpt-5.4{more}" for more in ("", "-mini", "-nano", "-pro")]
    listed = ask("models", "list", "--provider", "gemini", "--json").data["models"]
    assert {item["provider"] for item in listed} == {"gemini"}
    nothing = ask("models", "no-such-model")
    assert nothing.out == ""
    assert "No such model is known" in nothing.err


def test_the_keys_of_the_list_are_those_of_the_page(ask: Command, server: FakeProvider) -> None:
    data = ask("models", "list", "--json").data
    assert set(data) == keys_of("models list")
    for item in data["models"]:
        assert set(item) == keys_of("models list.models[]")
        assert set(item["abilities"]) == keys_of("models list.models[].abilities")
        if item["price"] is not None:
            assert set(item["price"]) == keys_of("models list.models[].price")
    assert {key for item in data["servers"] for key in item} == keys_of("models list.servers[]")
    shown = ask("models", "show", "openai:gpt-5.4", "--json").data
    assert set(shown) == keys_of("models show")
    assert set(shown["models"][0]) == keys_of("models list.models[]")


def test_a_server_that_runs_here_is_listed_with_its_models(ask: Command, server: FakeProvider) -> None:
    data = ask("models", "--json").data
    assert data["servers"] == [
        {
            "provider": "vllm",
            "address": server.url(),
            "models": ["big:70b", "small:3b"],
            "trouble": None,
        }
    ]
    found = {item["name"]: item for item in data["models"]}
    assert found["vllm:big:70b"]["trusted"]
    assert found["vllm:big:70b"]["price"]["input"] == 0
    assert "paid:a" in found
    assert "vllm runs at" in ask("models", "big").out


def test_only_what_can_be_asked_is_listed_where_that_is_wanted(ask: Command, server: FakeProvider) -> None:
    names = [item["name"] for item in ask("models", "--available", "--json").data["models"]]
    assert names == ["vllm:big:70b", "vllm:small:3b"]


def test_a_model_is_shown_with_whoever_says_what(ask: Command, server: FakeProvider, folder: Path) -> None:
    page = ask("models", "show", "paid:a").out
    assert re.search(r"any length +1 +10", page)
    assert "PAID_API_KEY (set)" in page
    assert "(dissensus.toml)" in page
    assert SECRET not in page
    unknown = ask("models", "show", "openai:gpt-99").out
    assert "price: unknown, which is not nothing" in unknown
    assert "over 272,000" in ask("models", "show", "openai:gpt-5.4").out
    assert ask("models", "show", "both").out.count("can do") == 2


def test_an_unknown_provider_is_told_with_what_was_probably_meant(ask: Command) -> None:
    ended = ask("models", "show", "opnai:gpt-5", code=12)
    assert "Did you mean openai:gpt-5?" in ended.err


def test_a_file_of_settings_that_is_wrong_is_told_with_its_line(ask: Command, folder: Path) -> None:
    (folder / "dissensus.toml").write_text('[models."openai:gpt-5"]\nwindw = 1\n')
    ended = ask("models", code=2)
    assert "error[settings.refused]" in ended.err
    assert "line 2" in ended.err
    assert "Did you mean window?" in ended.err


def checked(ask: Command, *arguments: object, code: int = 0) -> dict[str, Any]:
    ended = ask("models", "check", *arguments, "--json", code=code)
    return {**ended.data, "by_name": {item["model"]: item for item in ended.data["models"]}}


def test_a_check_shows_what_each_model_can_do(ask: Command, server: FakeProvider) -> None:
    data = checked(ask, "vllm:thinks", "vllm:chats", "vllm:rambles", "vllm:untyped", "paid:a")
    found = data["by_name"]
    assert {name: item["typed"] for name, item in found.items()} == {
        "vllm:thinks": "as asked",
        "vllm:chats": "repaired",
        "vllm:rambles": "not at all",
        "vllm:untyped": "not at all",
        "paid:a": "as asked",
    }
    assert (found["vllm:thinks"]["reasoning"], found["paid:a"]["reasoning"]) == ("raw", None)
    assert all(item["streams"] and item["ttft_ms"] <= item["latency_ms"] for item in found.values())
    assert found["paid:a"]["usd"] > 0
    assert data["budget"]["spent_usd"] == pytest.approx(found["paid:a"]["usd"])
    assert data["budget"]["held_usd"] == 0
    assert set(data) - {"by_name"} == keys_of("models check")
    for item in data["models"]:
        assert set(item) == keys_of("models check.models[]")


def test_a_check_is_a_page_for_people_too(ask: Command, server: FakeProvider) -> None:
    ended = ask("models", "check", "both")
    assert re.search(
        r"vllm:thinks +as asked +raw \(\d+ tokens\) +yes +\d+ ms +\d+ ms +not seen +\$0\.0", ended.out
    )
    assert re.search(r"spent \$0\.000\d+ of \$0\.100000", ended.out)
    assert "paid:a: answered" in ended.err


def test_without_names_what_can_be_asked_is_asked(ask: Command, server: FakeProvider) -> None:
    assert set(checked(ask)["by_name"]) == {"vllm:big:70b", "vllm:small:3b"}


def test_with_nothing_to_ask_it_says_what_to_set(ask: Command) -> None:
    ended = ask("models", "check", code=13)
    assert "no key is in the environment, and no server runs" in ended.err
    assert "ANTHROPIC_API_KEY" in ended.err


def test_one_that_fails_is_told_in_one_line_and_the_others_are_asked_all_the_same(
    ask: Command, server: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = ask(
        "models", "check", "paid:denied", "vllm:down", "vllm:silent", "vllm:thinks", "--unpriced", code=7
    )
    lines = {line.partition(":")[0] + line.split(":")[1] for line in ended.out.splitlines() if "[" in line}
    assert lines == {"paiddenied", "vllmdown", "vllmsilent"}
    assert "vllm:thinks" in ended.out
    assert "3 of 4 models did not answer: paid:denied, vllm:down, vllm:silent" in ended.err
    assert SECRET not in ended.out + ended.err


def test_a_key_that_is_missing_is_told_by_its_variable(ask: Command, server: FakeProvider) -> None:
    ended = ask("models", "check", "openai:gpt-5-nano", "paid:a", code=7)
    assert "OPENAI_API_KEY is not set" in ended.out
    assert re.search(r"paid:a +as asked", ended.out)


def test_g07_a_check_never_overspends_and_asks_what_fits_one_after_the_other(
    ask: Command, server: FakeProvider
) -> None:
    budget = 0.03  # the worst case of one call is about 0.021
    data = checked(ask, "paid:a", "paid:b", "paid:c", "--budget", budget)
    assert all(item["passed"] for item in data["models"])
    assert len(server.received) == 3
    assert data["budget"]["spent_usd"] <= budget


def test_g07_what_does_not_fit_is_not_asked(ask: Command, server: FakeProvider) -> None:
    data = checked(ask, "paid:dear", "paid:a", "--budget", "0.05", code=7)
    assert data["by_name"]["paid:dear"]["error"]["code"] == "budget.exceeded"
    assert data["by_name"]["paid:a"]["passed"]
    assert [asked.model for asked in server.received] == ["a"]


def test_g07_a_model_of_unknown_price_is_asked_only_if_that_is_wanted(
    ask: Command, server: FakeProvider
) -> None:
    data = checked(ask, "paid:nobody-knows", code=7)
    assert "price of paid:nobody-knows is unknown" in data["models"][0]["error"]["message"]
    assert server.received == []
    found = checked(ask, "paid:nobody-knows", "--unpriced")["by_name"]["paid:nobody-knows"]
    assert (found["passed"], found["usd"]) == (True, None)


def test_a_check_can_be_kept_as_a_session(ask: Command, server: FakeProvider, folder: Path) -> None:
    name = checked(ask, "paid:thinks", "--keep", folder / "checks.db")["session"]
    with Store.open(str(folder / "checks.db")) as store:
        (call,) = store.session(name).round(1)[2]
    assert (call.model, call.answer, call.reasoning) == ("paid:thinks", SUM, "17 and 25 are 42")
    assert ask("show", "r1", "-d", folder / "checks.db", "--json").data["round"]["status"] == "void"
    ask("verify", "-d", folder / "checks.db")


def test_the_same_model_named_twice_is_asked_once(ask: Command, server: FakeProvider) -> None:
    checked(ask, "both", "paid:a", "vllm:thinks")
    assert len(server.received) == 2
