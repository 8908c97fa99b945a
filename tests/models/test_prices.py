from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissensus_agents.messages import Part, Request, Usage
from dissensus_agents.models.completions import ChatCompletions
from dissensus_agents.models.dialects import DIALECTS
from dissensus_agents.models.prices import FREE, Price, Tier, cost, most_input_tokens, worst_case

PRICE = Price(Decimal("2.50"), Decimal(10), Decimal("1.25"), "a list", "2026-11-22")

prices = st.builds(
    Price,
    st.decimals(0, 100, places=4),
    st.decimals(0, 100, places=4),
    st.none() | st.decimals(0, 100, places=4),
)
counts = st.integers(0, 100_000)
texts = st.text(max_size=40).map(lambda text: text * 20)  # longer than what is allowed for templates
requests = st.builds(
    Request,
    texts,
    st.lists(st.builds(Part, texts, title=texts), max_size=3).map(tuple),
    st.none() | st.dictionaries(texts, texts, max_size=3),
    st.integers(1, 5000),
)


def test_a_call_costs_what_each_kind_of_its_tokens_costs() -> None:
    usage = Usage(input=1000, output=100, cached=2000, reasoning=300)
    in_usd = (1000 * 2.5 + 2000 * 1.25 + 400 * 10) / 1e6
    assert cost(PRICE, usage) == round(in_usd * 1e9)


def test_cached_tokens_without_a_price_of_their_own_cost_as_much_as_fresh_ones() -> None:
    price = Price(Decimal(3), Decimal(10))
    assert cost(price, Usage(cached=7)) == cost(price, Usage(input=7)) == 21_000


def test_a_fraction_of_a_nano_dollar_is_rounded_up() -> None:
    assert cost(Price(Decimal("0.0001"), Decimal(0)), Usage(input=1)) == 1


def test_what_is_free_costs_nothing_even_at_worst() -> None:
    request = Request("x" * 1000, ())
    assert cost(FREE, Usage(10**6, 10**6, 10**6, 10**6)) == worst_case(FREE, request) == 0


@pytest.mark.parametrize("usd", ["-1", "NaN", "Infinity"])
def test_a_price_that_is_none_is_refused(usd: str) -> None:
    with pytest.raises(ValueError, match="zero or more USD"):
        Price(Decimal(1), Decimal(usd))


def test_plain_numbers_are_prices_to_the_digit_as_written() -> None:
    assert Price(1, "2.50", 0.1) == Price(Decimal(1), Decimal("2.50"), Decimal("0.1"))  # type: ignore[arg-type]
    assert Tier(200_000, 2, 4).output == Decimal(4)  # type: ignore[arg-type]


@pytest.mark.parametrize("usd", ["dear", "", float("nan"), [], True, -1])
def test_what_is_no_number_is_no_price(usd: Any) -> None:
    with pytest.raises(ValueError, match="zero or more USD"):
        Price(1, usd)  # type: ignore[arg-type]


@given(prices, requests, st.data())
def test_no_answer_costs_more_than_the_worst_case(
    price: Price, request: Request, data: st.DataObject
) -> None:
    """Whatever the tokenizer: a token is at least a byte, and the answer is bounded."""
    sent = data.draw(st.integers(0, most_input_tokens(request)))
    cached = data.draw(st.integers(0, sent))
    answered = data.draw(st.integers(0, request.max_output_tokens))
    thought = data.draw(st.integers(0, answered))
    usage = Usage(sent - cached, answered - thought, cached, thought)
    assert cost(price, usage) <= worst_case(price, request)


@given(requests, st.lists(st.tuples(texts, texts), max_size=2), st.sampled_from(list(DIALECTS)))
def test_the_bound_of_a_request_covers_every_byte_of_text_that_is_sent(
    request: Request, turns: list[tuple[str, str]], dialect: str
) -> None:
    for answer, objection in turns:
        request = request.again(answer, objection)
    body = ChatCompletions(DIALECTS[dialect]).body(request, "", stream=True).decode()
    sent = json.loads(body)
    said = "".join(message["content"] for message in sent["messages"])
    compact = json.dumps(sent.get("response_format", ""), ensure_ascii=False, separators=(",", ":"))
    assert len((said + compact).encode()) <= most_input_tokens(request)


@given(prices, requests, st.integers(1, 5))
def test_attempts_that_may_all_be_billed_are_all_counted(
    price: Price, request: Request, attempts: int
) -> None:
    once = worst_case(price, request)
    often = worst_case(price, request, attempts=attempts)
    assert attempts * (once - 1) < often <= attempts * once
