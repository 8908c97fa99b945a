"""The small table, and what genai-prices says of the same models."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from importlib.metadata import version

import pytest

from dissensus_agents.calls import intent
from dissensus_agents.messages import Part, Request, Usage
from dissensus_agents.models.catalog import entries
from dissensus_agents.models.known import CORRECTIONS, ENDS, KNOWN, SEEN, SOURCE, end_of, known_of
from dissensus_agents.models.lineages import lineage_of
from dissensus_agents.models.listed import listed
from dissensus_agents.models.prices import Price, Tier, cost, worst_case
from dissensus_agents.models.providers import PROVIDERS
from dissensus_agents.models.scripted import FunctionModel

TODAY = date.fromisoformat(SEEN)
NEW_YEAR = date(2027, 1, 1)


@pytest.mark.parametrize(("provider", "model"), list(KNOWN))
def test_every_row_says_where_it_is_from_and_what_the_model_was_made_from(provider: str, model: str) -> None:
    row = KNOWN[provider, model]
    assert provider in PROVIDERS
    assert lineage_of(model)
    for price in row.prices:
        assert price.source == SOURCE
        assert price.since
        assert price.output >= price.input >= (price.cached or 0)
        assert all(tier.input > price.input for tier in price.tiers)


@pytest.mark.parametrize("day", [TODAY, NEW_YEAR])
def test_the_table_says_what_genai_prices_said_on_the_day_it_was_made(day: date) -> None:
    if f"genai-prices {version('genai-prices')}" != SOURCE:
        pytest.skip("another version of genai-prices may know newer prices")
    for (provider, model), row in KNOWN.items():
        theirs = listed(PROVIDERS[provider].listed, model, day)
        assert theirs is not None
        assert theirs.price is not None
        unsigned = {"source": "", "since": ""}
        assert replace(row.price(day), **unsigned) == replace(theirs.price, **unsigned), model
        assert (provider, model) in CORRECTIONS or row.window == theirs.window


def test_the_price_of_the_day_is_taken() -> None:
    row = KNOWN["gemini", "gemini-4-argon"]
    assert row.price(date(2026, 11, 30)).input == 2
    assert row.price(date(2026, 12, 1)).input == 4
    theirs = listed("google", "gemini-4-argon", date(2026, 12, 1))
    assert theirs is not None
    assert theirs.price is not None
    assert (theirs.price.input, theirs.price.since) == (4, "2026-12-01")


def test_a_price_that_depends_on_the_hour_is_taken_at_its_highest() -> None:
    theirs = listed("deepseek", "deepseek-v4-flash", TODAY)
    assert theirs is not None
    assert theirs.price is not None
    assert (theirs.price.input, theirs.price.output) == (Decimal("0.30"), Decimal("1.20"))


def test_a_token_that_is_kept_never_costs_less_than_one_that_is_sent() -> None:
    kept = listed("openrouter", "google/gemini-3.8-flash", TODAY)
    assert kept is not None
    assert kept.price is not None
    assert kept.price.written == kept.price.input


def test_what_the_list_took_a_name_for_is_in_the_source() -> None:
    dated = listed("anthropic", "claude-haiku-4-5-20251001", TODAY)
    assert dated is not None
    assert "(claude-haiku-4-5)" in dated.source
    assert listed("openai", "gpt-99", TODAY) is None
    assert listed("", "anything", TODAY) is None


@pytest.mark.parametrize(
    "dated",
    ["gpt-4o-2024-08-06", "claude-haiku-4-5-20251001", "claude-3-5-haiku-latest", "gemini-2.0-flash-001"],
)
def test_a_dated_name_has_the_row_of_the_undated_one(dated: str) -> None:
    provider = {"gpt": "openai", "cla": "anthropic", "gem": "gemini"}[dated[:3]]
    assert known_of(provider, dated) is not None


def test_a_dated_name_with_a_row_of_its_own_has_that_one() -> None:
    assert known_of("openai", "gpt-4o-2024-05-13") != known_of("openai", "gpt-4o")


def test_what_ends_says_when_and_what_to_take_instead() -> None:
    for (provider, model), end in ENDS.items():
        assert date.fromisoformat(end.ends)
        assert (provider, end.instead) in KNOWN, model
        assert (provider, end.instead) not in ENDS
    dated = end_of("anthropic", "claude-3-opus-20240229")
    assert dated is not None
    assert dated.instead == "claude-opus-4-8"


def test_every_entry_of_the_catalogue_is_priced_or_unknown_and_never_nothing() -> None:
    for entry in entries():
        assert entry.price is None or entry.price.input > 0
        assert entry.sources["lineage"]


PRICE = Price(Decimal(1), Decimal(2), Decimal("0.1"), tiers=(Tier(1000, Decimal(3), Decimal(4)),))


def test_a_call_above_the_length_costs_what_stands_for_it_as_a_whole() -> None:
    assert cost(PRICE, Usage(input=1000)) == 1000 * 1000
    assert cost(PRICE, Usage(input=1001)) == 1001 * 3000
    assert cost(PRICE, Usage(input=1, cached=1000, output=1)) == 1001 * 3000 + 4000


def test_g07_the_worst_case_counts_a_tier_that_the_prompt_may_reach_and_no_other() -> None:
    short = Request("", (Part("x" * 10),), max_output_tokens=100)
    long = Request("", (Part("x" * 2000),), max_output_tokens=100)
    assert worst_case(PRICE, short) == worst_case(replace(PRICE, tiers=()), short)
    dear = Price(Decimal(3), Decimal(4))
    assert worst_case(PRICE, long) == worst_case(dear, long)


def test_g07_a_tier_that_is_cheaper_does_not_lower_the_worst_case() -> None:
    price = replace(PRICE, tiers=(Tier(1000, Decimal("0.5"), Decimal("0.5")),))
    long = Request("", (Part("x" * 2000),))
    assert worst_case(price, long) == worst_case(replace(price, tiers=()), long)


def test_g07_the_unit_prices_of_every_length_are_stored_with_the_call() -> None:
    priced = FunctionModel("m", lambda _: "x", price=replace(PRICE, source="a list", since=SEEN))
    made = intent("ana", 1, priced, Request("", (Part("x"),)), "refuse")
    assert made.price == {
        "input": "1",
        "output": "2",
        "cached": "0.1",
        "source": "a list",
        "since": SEEN,
        "tiers": [{"above": 1000, "input": "3", "output": "4"}],
    }


@pytest.mark.parametrize("tier", [(-1, 1, 1), (1, -1, 1), (1, 1, "NaN")])
def test_a_tier_that_is_none_is_refused(tier: tuple[int, object, object]) -> None:
    above, sent, answered = tier
    with pytest.raises(ValueError, match=r"tier begins|zero or more"):
        Tier(above, Decimal(str(sent)), Decimal(str(answered)))
