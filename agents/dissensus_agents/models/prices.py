"""What a call costs: arithmetic in nano-USD (a billionth of a dollar), exact and rounded up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from ..messages import Request, Turn, Usage

NANO_PER_TOKEN = Decimal(1000)
"""One USD per million tokens is 1,000 nano-USD per token."""

PER_MESSAGE = 16
"""Tokens that a chat template puts around one message, at most."""

PER_REQUEST = 256
"""Tokens added once, by the provider or by us: template, date, the words around a schema."""


@dataclass(frozen=True, slots=True)
class Tier:
    """What a model costs where more is sent than `above` tokens, in USD per million tokens.

    The whole call costs that, and not only what is above: so providers count.

    Raises:
        ValueError: A price below zero, or none at all (NaN, infinity), or no length.
    """

    above: int
    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    written: Decimal | None = None

    def __post_init__(self) -> None:
        if self.above < 0:
            raise ValueError(f"A tier begins above so many tokens, not above {self.above}")
        _settle(self)


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, in USD per million tokens.

    Whatever `Decimal` reads does as well: `Price("1.25", 10)`.

    Args:
        input: Tokens sent.
        output: Tokens answered, thinking included.
        cached: Tokens that the provider read from its cache; None: like `input`.
        written: Tokens that the provider wrote into its cache; None: like `input`.
        source: Who says so.
        since: The day (ISO) from which, or on which, it was so.
        tiers: What it costs where more is sent; the last one that is reached counts.

    Raises:
        ValueError: A price below zero, or none at all (NaN, infinity).
    """

    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    source: str = ""
    since: str = ""
    written: Decimal | None = None
    tiers: tuple[Tier, ...] = ()

    def __post_init__(self) -> None:
        _settle(self)

    def at(self, sent: int) -> Price | Tier:
        """What counts where so many tokens are sent, cached ones included."""
        reached = [tier for tier in self.tiers if sent > tier.above]
        return max(reached, key=lambda tier: tier.above, default=self)

    def up_to(self, sent: int) -> Iterator[Price | Tier]:
        """Everything that may count where at most so many tokens are sent."""
        yield self
        yield from (tier for tier in self.tiers if sent > tier.above)


def _settle(unit: Tier | Price) -> None:
    """Take a number or a text as the exact amount that is written there, and refuse what is none."""
    for name in ("input", "output", "cached", "written"):
        given = getattr(unit, name)
        if isinstance(given, Decimal | None):
            usd = given
        else:
            usd = _written(given)
            object.__setattr__(unit, name, usd)
        if usd is not None and not (usd.is_finite() and usd >= 0):
            raise ValueError(f"A price is zero or more USD per million tokens, not {usd}")


def _written(given: object) -> Decimal:
    try:
        return Decimal(str(given))
    except ArithmeticError:
        raise ValueError(f"A price is zero or more USD per million tokens, not {given!r}") from None


FREE = Price(Decimal(0), Decimal(0), Decimal(0), source="costs nothing")
"""The price of functions, scripts, recordings and servers of one's own."""


def cost(price: Price, usage: Usage) -> int:
    """What a call did cost, in nano-USD, rounded up."""
    unit = price.at(usage.input + usage.cached + usage.written)
    cached = unit.input if unit.cached is None else unit.cached
    written = unit.input if unit.written is None else unit.written
    sent = unit.input * usage.input + cached * usage.cached + written * usage.written
    return _nano(sent + unit.output * (usage.output + usage.reasoning))


def worst_case(price: Price, request: Request, *, attempts: int = 1) -> int:
    """What a call can cost at most, in nano-USD: what must be reserved before it is sent.

    A token is at least one byte, so the bytes that are sent bound the tokens; the answer and the
    thinking together are bounded by `max_output_tokens`. Where the price depends on the length, every
    tier counts that these bytes can reach.

    Args:
        price: The model's price.
        request: What is to be sent.
        attempts: How often it may be sent and billed; an attempt that timed out may have been.
    """
    return bound(price, most_input_tokens(request), request.max_output_tokens, attempts=attempts)


def bound(price: Price, sent: int, answered: int, *, attempts: int = 1) -> int:
    """What a call can cost at most, in nano-USD, where so many tokens at most are sent and answered."""
    usd = max(_dearest(unit, sent, answered) for unit in price.up_to(sent))
    return _nano(usd * attempts)


def _dearest(unit: Price | Tier, sent: int, answered: int) -> Decimal:
    dearest = max(unit.input, unit.cached or unit.input, unit.written or unit.input)
    return dearest * sent + unit.output * answered


def most_input_tokens(request: Request) -> int:
    """How many tokens the request can be at most, whatever the tokenizer."""
    messages = 2 + 2 * len(request.turns)
    said = sum(map(_turn_bytes, request.turns))
    return (
        _bytes(request.system)
        + _bytes(request.prompt)
        + said
        + _schema_bytes(request)
        + PER_MESSAGE * messages
        + PER_REQUEST
    )


def _turn_bytes(turn: Turn) -> int:
    echoed = 0 if turn.echo is None else len(json.dumps(turn.echo, separators=(",", ":")))
    return _bytes(turn.answer) + _bytes(turn.objection) + echoed


def _schema_bytes(request: Request) -> int:
    """The schema twice: some servers get it in the prompt and as the format of the answer."""
    if request.output_schema is None:
        return 0
    return 2 * _bytes(request.schema_text)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _nano(usd_per_million: Decimal) -> int:
    return int((usd_per_million * NANO_PER_TOKEN).to_integral_value(ROUND_CEILING))
