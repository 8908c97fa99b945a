"""What genai-prices knows of a model, where that is installed (extra `prices`)."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from .prices import Price, Tier

_KINDS = (
    ("input_mtok",),
    ("output_mtok", "output_reasoning_mtok"),
    ("cache_read_mtok",),
    ("cache_write_mtok",),
)


@dataclass(frozen=True, slots=True)
class Listed:
    """What the list says of a model; `price` is None where it names no price for both directions."""

    price: Price | None
    window: int | None
    deprecated: bool
    source: str


def is_installed() -> bool:
    """Whether there is a list."""
    return "genai_prices" in sys.modules or find_spec("genai_prices") is not None


def listed(provider: str, model: str, day: date) -> Listed | None:
    """What the list says of a model on a day; None where it says nothing, or is not installed.

    Where the price depends on the hour, each kind of token counts at its highest. The list guesses
    which model a name means: `source` names the row that it took.
    """
    if not provider or not is_installed():
        return None
    from genai_prices.data_snapshot import get_snapshot

    snapshot = get_snapshot()
    try:
        _, row = snapshot.find_provider_model(model, None, provider, None)
    except LookupError:
        return None
    source = f"genai-prices {version('genai-prices')}"
    if snapshot.from_auto_update:
        source += f" of {snapshot.timestamp:%Y-%m-%d}"
    if row.id != model.lower():
        source += f" ({row.id})"
    return Listed(_price(row.prices, day, source), row.context_window, bool(row.deprecated), source)


def _price(prices: Any, day: date, source: str) -> Price | None:
    """The dearest of what counts on that day."""
    units, since = _in_force(prices, day)
    sent, answered, cached, written = _at(units, 0)
    if sent is None or answered is None:
        return None
    written = _whole(written, sent)
    return Price(sent, answered, cached, source, (since or day).isoformat(), written, tuple(_tiers(units)))


def _whole(written: Decimal | None, sent: Decimal) -> Decimal | None:
    """What a token costs that is kept: never less than sent; some rows name the keeping alone."""
    return None if written is None else max(written, sent)


def _in_force(prices: Any, day: date) -> tuple[list[Any], date | None]:
    """The prices of a day: the newest that has begun, and those of some of its hours; and its first day."""
    if not isinstance(prices, list):
        return [prices], None
    noon = datetime.combine(day, time(12), UTC)
    lasting = [n for n, item in enumerate(prices) if not _hourly(item)]
    begun = [n for n in lasting if prices[n].constraint is None or prices[n].constraint.active(noon)]
    newest = (begun or [0])[-1]
    hourly = [
        item.prices for item in prices[newest + 1 :] if _hourly(item)
    ]  # later rows go before earlier ones
    return [prices[newest].prices, *hourly], getattr(prices[newest].constraint, "start_date", None)


def _hourly(item: Any) -> bool:
    return hasattr(item.constraint, "start_time")


def _tiers(units: list[Any]) -> Iterator[Tier]:
    starts = {tier.start for unit in units for price in _all(unit) for tier in getattr(price, "tiers", ())}
    for start in sorted(starts):
        sent, answered, cached, written = _at(units, start)
        if sent is not None and answered is not None:
            yield Tier(start, sent, answered, cached, _whole(written, sent))


def _all(unit: Any) -> Iterator[Any]:
    return (getattr(unit, key) for keys in _KINDS for key in keys)


def _at(units: Iterable[Any], start: int) -> list[Decimal | None]:
    """Tokens sent, answered, cached and written, each at its highest, in the tier that begins there."""
    known = list(units)
    return [
        _highest(_in_tier(getattr(unit, key), start) for unit in known for key in keys) for keys in _KINDS
    ]


def _highest(prices: Iterable[Decimal | None]) -> Decimal | None:
    return max((price for price in prices if price is not None), default=None)


def _in_tier(price: Any, start: int) -> Decimal | None:
    """A price in the tier that begins at a length; one without tiers as it is."""
    reached = [tier.price for tier in getattr(price, "tiers", ()) if tier.start <= start]
    usd: Decimal | None = reached[-1] if reached else getattr(price, "base", price)
    return usd
