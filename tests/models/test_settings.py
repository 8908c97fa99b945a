"""`dissensus.toml`: where it is found, what it may say, and how it says what is wrong."""

from __future__ import annotations

import re
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus_agents.errors import SettingsRefused, UnknownModel
from dissensus_agents.models import listed as lists
from dissensus_agents.models.catalog import describe, entries, names_for, resolve
from dissensus_agents.models.complaints import line_of
from dissensus_agents.models.prices import Price
from dissensus_agents.models.providers import PROVIDERS
from dissensus_agents.models.settings import MOST_BYTES, ModelTable, ProviderTable, parse, settings

SAID = """
[defaults]
timeout = 20
attempts = 2

[aliases]
cheap = "groq:llama-3.1-8b-instant"
careful = ["anthropic:claude-opus-5", "openai:gpt-6-sol"]
best = "careful"

[providers.mine]
base_url = "https://models.example.com/v1"
key_env = "MINE_API_KEY"
dialect = "vllm"
models = ["big"]

[providers.anthropic]
trusted = true

[models."openai:gpt-5"]
price = {input = 1.1, output = 9.9, cached = 0.1, since = "2026-11-01", source = "our contract"}
window = 200_000
lineage = "ours/tuned"
trusted = true
rpm = 60
tpm = 100_000
caching = false
deprecated = 2027-01-01
instead = "openai:gpt-6-sol"

[models."azure:our-deployment"]
like = "openai:gpt-4o"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISSENSUS_CONFIG", raising=False)
    return tmp_path


def said(folder: Path, text: str = SAID) -> Path:
    path = folder / "dissensus.toml"
    path.write_text(text, "utf-8")
    return path


def refusal(folder: Path, text: str) -> SettingsRefused:
    said(folder, text)
    with pytest.raises(SettingsRefused) as caught:
        settings()
    return caught.value


def test_without_a_file_the_catalogue_says_what_it_knows() -> None:
    assert settings().path is None
    assert describe("openai:gpt-5").window == 400_000


def test_what_the_file_says_of_a_model_goes_before_every_list(folder: Path) -> None:
    path = said(folder)
    entry = describe("openai:gpt-5")
    assert entry.price == Price(
        Decimal("1.1"), Decimal("9.9"), Decimal("0.1"), source="our contract", since="2026-11-01"
    )
    assert (entry.window, entry.lineage, entry.trusted) == (200_000, "ours/tuned", True)
    assert (entry.rpm, entry.tpm) == (60, 100_000)
    assert entry.deprecated is not None
    assert (entry.deprecated.ends, entry.deprecated.instead) == ("2027-01-01", "openai:gpt-6-sol")
    assert (entry.abilities.caching, entry.abilities.structured) == (False, True)
    assert entry.sources["window"] == str(path)
    assert entry.sources["max_output"].startswith("built-in")


def test_an_argument_goes_before_the_file(folder: Path) -> None:
    said(folder)
    price = Price(Decimal(7), Decimal(8))
    model = resolve("openai:gpt-5", price=price, lineage="argued/for")
    assert (model.price, model.lineage) == (price, "argued/for")


def test_the_users_price_counts_wherever_the_model_is_asked(folder: Path) -> None:
    said(folder)
    found = describe("openai:gpt-5", base_url="https://gateway.example.com/v1").price
    assert found is not None
    assert found.source == "our contract"
    assert describe("openai:gpt-5-mini", base_url="https://gateway.example.com/v1").price is None


def test_the_other_way_to_ask_the_same_model_has_what_is_said_of_it(folder: Path) -> None:
    said(folder)
    assert describe("openai-responses:gpt-5").window == 200_000


def test_a_correction_goes_before_genai_prices_and_that_before_the_small_table() -> None:
    corrected = describe("gemini:gemini-2.5-pro")
    assert (corrected.window, corrected.sources["window"][:8]) == (1_048_576, "built-in")
    assert describe("openai:gpt-5").sources["price"].startswith("genai-prices ")


def test_without_genai_prices_the_small_table_prices_the_common_models(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lists, "is_installed", lambda: False)
    for name in ("openai:gpt-5", "anthropic:claude-haiku-4-5", "gemini:gemini-3.8-flash"):
        entry = describe(name)
        assert entry.price is not None
        assert entry.window
        assert entry.price.since
        assert entry.sources["price"] == "genai-prices 0.2.3"
    assert describe("openrouter:openai/gpt-5").price is None


def test_the_list_of_prices_is_loaded_only_where_it_is_needed(folder: Path) -> None:
    import subprocess

    program = (
        "import sys; from dissensus_agents.models import catalog; catalog.describe('ollama:x');"
        "assert 'genai_prices' not in sys.modules; catalog.describe('openai:gpt-5');"
        "assert 'genai_prices' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=folder)


def test_a_model_is_trusted_only_if_somebody_said_so_or_it_stays_on_this_machine(folder: Path) -> None:
    said(folder)
    assert describe("ollama:llama3.1").trusted
    assert not describe("ollama:gpt-oss:120b-cloud").trusted
    assert not describe("ollama:llama3.1", base_url="http://gpu.example.com:11434/v1").trusted
    assert not describe("openai:gpt-5-mini").trusted
    assert describe("anthropic:claude-haiku-4-5").trusted


def test_a_provider_of_ones_own_is_asked_where_the_file_says_with_the_key_it_names(folder: Path) -> None:
    said(folder)
    entry = describe("mine:big")
    assert (entry.address, entry.key_env) == ("https://models.example.com/v1", "MINE_API_KEY")
    assert (entry.dialect, entry.format, entry.key_needed) == ("vllm", "chat", True)
    assert (entry.price, entry.trusted) == (None, False)
    assert resolve("mine:big").name == "mine:big"
    assert "mine:big" in [one.name for one in entries()]


def test_a_deployment_is_what_the_user_says_it_is(folder: Path) -> None:
    said(folder)
    entry = describe("azure:our-deployment")
    assert (entry.window, entry.lineage) == (128_000, "openai/gpt-4")
    assert entry.price is not None
    assert entry.price.input == Decimal("2.5")


def test_the_responses_format_is_a_setting_too(folder: Path) -> None:
    said(folder, '[providers.openai]\nformat = "responses"\n')
    entry = describe("openai:gpt-5")
    assert (entry.format, entry.name, entry.abilities.reasoning) == ("responses", "openai:gpt-5", "summary")


def test_an_alias_stands_for_a_model_or_for_several(folder: Path) -> None:
    said(folder)
    assert names_for("cheap") == ["groq:llama-3.1-8b-instant"]
    assert names_for("best") == ["anthropic:claude-opus-5", "openai:gpt-6-sol"]
    assert names_for("openai:gpt-5") == ["openai:gpt-5"]
    assert resolve("cheap").name == "groq:llama-3.1-8b-instant"


def test_an_alias_that_leads_back_to_itself_is_refused(folder: Path) -> None:
    said(folder, '[aliases]\na = "b"\nb = ["openai:gpt-5", "a"]\n')
    with pytest.raises(UnknownModel, match="leads back to itself: a -> b -> a"):
        resolve("a")


def test_an_alias_that_is_misspelt_is_hinted_at(folder: Path) -> None:
    said(folder)
    with pytest.raises(UnknownModel) as caught:
        resolve("chaep")
    assert "Did you mean cheap" in caught.value.next_step


def test_the_file_is_found_above_up_to_the_root_of_the_repository_and_not_further(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said(folder)
    deep = folder / "repository" / "package"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert settings().path is None
    (folder / ".git").mkdir()
    assert settings().path == folder / "dissensus.toml"
    (folder / "repository" / ".git").mkdir()
    assert settings().path is None


def test_another_file_can_be_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said(folder)
    other = folder / "other.toml"
    other.write_text('[models."openai:gpt-5"]\nwindow = 7\n')
    monkeypatch.setenv("DISSENSUS_CONFIG", str(other))
    assert describe("openai:gpt-5").window == 7
    monkeypatch.setenv("DISSENSUS_CONFIG", str(folder / "none.toml"))
    with pytest.raises(SettingsRefused, match="there is no such file"):
        settings()


def test_a_file_that_was_changed_is_read_again(folder: Path) -> None:
    said(folder, '[models."openai:gpt-5"]\nwindow = 7\n')
    assert describe("openai:gpt-5").window == 7
    said(folder, '[models."openai:gpt-5"]\nwindow = 1234\n')
    assert describe("openai:gpt-5").window == 1234


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[models\n", "is no TOML: ", ""),
        ('[models."openai:gpt-5"]\nwindw = 7\n', 'line 2, models."openai:gpt-5".windw: nothing', "window?"),
        ('[model."openai:gpt-5"]\n', "line 1, model: nothing is known", "Did you mean models?"),
        ('[models."openai:gpt-5"]\nwindow = -1\n', 'line 2, models."openai:gpt-5".window: Input', ""),
        ('[models."openai:gpt-5"]\n\nprice = {input = 1, ouput = 2}\n', "line 3", "Did you mean output?"),
        ('[models."openai:gpt-5"]\nprice = {input = nan, output = 2}\n', "line 2", ""),
        ('[models."opnai:gpt-5"]\n', "no model of a known provider", "Did you mean openai:…?"),
        ('[models."google:gemini-x"]\n', "no model of a known provider", "Did you mean gemini:…?"),
        ("[models.gpt-5]\n", "no model of a known provider", "Write provider:model"),
        ('[providers.mine]\nformat = "soap"\n', "line 2, providers.mine.format", ""),
        ('[providers.mine]\nkey_env = "my key"\n', "line 2, providers.mine.key_env", ""),
        ("[defaults]\ntimeout = 0\n", "line 2, defaults.timeout", ""),
        ("[defaults]\ntimout = 1\n", "line 2, defaults.timout", "Did you mean timeout?"),
        ("[aliases]\ncareful = []\n", "line 2, aliases.careful", ""),
        ('[models."openai:gpt-5"]\nreasoning = "all"\n', "line 2", ""),
        ('[models."openai:gpt-5"]\ndeprecated = "2027-13-01"\n', "line 2", ""),
        ('[providers.mine]\nbase_url = "ftp://example.com"\n', "line 2, providers.mine.base_url", ""),
        ('[providers.mine]\nbase_url = "https:///v1"\n', "line 2, providers.mine.base_url", ""),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_what_was_probably_meant(
    folder: Path, text: str, message: str, hint: str
) -> None:
    error = refusal(folder, text)
    assert str(folder / "dissensus.toml") in error.message
    assert message in error.message
    assert hint in error.next_step
    assert (error.code, error.exit_code) == ("settings.refused", 2)
    assert (error.message + error.next_step).isprintable()


KEY = "sk-proj-0123456789abcdefghij"


@pytest.mark.parametrize(
    "text",
    [
        f'[providers.mine]\napi_key = "{KEY}"\n',
        f'[providers.mine]\nkey_env = "{KEY}"\n',
        f'[providers.mine]\nbase_url = "https://ana:{KEY}@example.com/v1"\n',
        f'[providers.mine]\nbase_url = "https://example.com/v1?api_key={KEY}"\n',
        f'api_key = "{KEY}"\n',
        f'[models."openai:gpt-5"]\ntoken = "{KEY}"\n',
        f'[aliases]\nbest = "{KEY}"\n',
        f'[aliases]\nbest = ["openai:gpt-5", "Bearer {KEY}"]\n',
        f'[models."openai:gpt-5"]\nprice = {{input = 1, output = 1, source = "{KEY}"}}\n',
    ],
)
def test_a_key_is_refused_and_not_repeated(folder: Path, text: str) -> None:
    error = refusal(folder, text)
    assert "looks like a key" in error.message
    assert "environment variable" in error.next_step
    assert KEY not in f"{error.message}{error.next_step}{error.__cause__}{error.__context__}"


@pytest.mark.parametrize(
    "text",
    [
        '[providers.mine]\nbase_url = "https://evil.example.com"\nkey_env = "OPENAI_API_KEY"\n',
        '[providers.openai]\nbase_url = "https://evil.example.com/v1"\n',
        '[providers.gemini]\nbase_url = "https://evil.example.com/v1"\n',
        '[providers.azure]\nbase_url = "https://evil.example.com/openai/v1"\n',
        '[providers.azure]\nbase_url = "https://azure.com.example.com/openai/v1"\n',
        '[providers.groq]\nkey_env = "OPENAI_API_KEY"\n',
    ],
)
def test_no_file_can_have_a_providers_key_sent_to_another_address(folder: Path, text: str) -> None:
    error = refusal(folder, text)
    assert "must not be sent to anybody else" in error.message
    (own,) = re.findall(r"key_env of its own, such as (\w+)", error.next_step)
    assert own not in {variable for one in PROVIDERS.values() for variable in one.key_envs}


@pytest.mark.parametrize(
    "text",
    [
        '[providers.vllm]\nbase_url = "http://gpu:8000/v1"\n',
        '[providers.azure]\nbase_url = "https://mine.openai.azure.com/openai/v1"\n',
        '[providers.openai]\nbase_url = "https://gw.example.com/v1"\nkey_env = "GATEWAY_KEY"\n',
        '[providers.gemini]\nkey_env = "GOOGLE_API_KEY"\n',
        '[providers.openai]\nkey_env = "MY_OTHER_KEY"\n',
    ],
)
def test_a_provider_may_be_asked_elsewhere_without_its_key_or_with_one_of_that_place(
    folder: Path, text: str
) -> None:
    said(folder, text)
    assert settings().document.providers


def test_a_gateway_that_is_named_in_the_file_has_no_price_of_the_list(folder: Path) -> None:
    said(folder, '[providers.openai]\nbase_url = "https://gw.example.com/v1"\nkey_env = "GATEWAY_KEY"\n')
    entry = describe("openai:gpt-5")
    assert (entry.address, entry.key_env, entry.price) == ("https://gw.example.com/v1", "GATEWAY_KEY", None)


def test_a_file_that_is_too_long_or_no_text_is_refused(folder: Path) -> None:
    assert "longer than 256 KiB" in refusal(folder, "#" * (MOST_BYTES + 1)).message
    (folder / "dissensus.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsRefused, match="cannot be read"):
        settings()
    assert "is no TOML" in refusal(folder, "a = " + "[" * 5000).message


def test_the_line_of_a_key_is_found_under_its_table() -> None:
    text = '[a]\nx = 1\n\n[b."c:d"] # here\n\n"x" = 2\n'
    assert line_of(text, ("b", "c:d", "x")) == 6
    assert line_of(text, ("b", "c:d", "y")) == 4
    assert line_of(text, ("z",)) is None


def test_the_page_shows_a_file_that_can_be_used() -> None:
    page = (Path(__file__).parents[2] / "docs" / "catalogue.md").read_text("utf-8")
    (shown,) = re.findall(r"^```toml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    document = parse(shown, Path("dissensus.toml"))
    used = set(document.models["openai:gpt-5"].model_fields_set) | {"like", "tools", "streaming", "caching"}
    assert used == set(ModelTable.model_fields)
    assert document.providers["mine"].model_fields_set | {"base_url"} == set(ProviderTable.model_fields)


words = st.sampled_from(
    ["models", "providers", "aliases", "defaults", '"openai:gpt-5"', "price", "input", "tiers", "mine", "x"]
)
values = st.sampled_from(
    ["1", "-1", "nan", "inf", '"text"', "true", "[]", '["a"]', "{}", "{input = 1}", "2027-01-01", "1e999"]
)
lines = st.one_of(
    st.builds("[{}]".format, st.lists(words, min_size=1, max_size=3).map(".".join)),
    st.builds("{} = {}".format, words, values),
    st.text(max_size=12),
)


@given(st.lists(lines, max_size=8).map("\n".join))
def test_whatever_stands_in_the_file_it_is_used_or_refused(text: str) -> None:
    try:
        parse(text, Path("dissensus.toml"))
    except SettingsRefused as error:
        refused = error.message
    else:
        refused = "dissensus.toml"
    assert refused.startswith("dissensus.toml")
