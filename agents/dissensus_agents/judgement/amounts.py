"""Numbers with a unit or a currency, as models write them: "$1.2M", "3 km", "40 %"."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from dissensus_state.values import JSON

from .comparators import Number
from .identity import EXACT, is_number

_UNITS: dict[str, tuple[str, Fraction]] = {
    name: (dimension, Fraction(factor))
    for dimension, units in {
        "": {"": "1", "%": "1/100", "percent": "1/100", "‰": "1/1000"},
        "s": {
            "ns": "1e-9",
            "µs": "1e-6",
            "us": "1e-6",
            "ms": "1e-3",
            "s": "1",
            "sec": "1",
            "min": "60",
            "second": "1",
            "seconds": "1",
            "minute": "60",
            "minutes": "60",
            "h": "3600",
            "hour": "3600",
            "hours": "3600",
            "d": "86400",
            "day": "86400",
            "days": "86400",
            "week": "604800",
            "weeks": "604800",
            "milliseconds": "1e-3",
        },
        "m": {"mm": "1e-3", "cm": "1e-2", "m": "1", "km": "1000"},
        "g": {"mg": "1e-3", "g": "1", "kg": "1000", "t": "1e6"},
        "B": {
            "B": "1",
            "kB": "1e3",
            "KB": "1e3",
            "MB": "1e6",
            "GB": "1e9",
            "TB": "1e12",
            "KiB": "1024",
            "MiB": "1048576",
            "GiB": "1073741824",
            "TiB": "1099511627776",
            "bytes": "1",
            "byte": "1",
        },
    }.items()
    for name, factor in units.items()
}
_CURRENCIES = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "₩": "KRW"}
_LARGE = {
    "k": 10**3,
    "K": 10**3,
    "thousand": 10**3,
    "M": 10**6,
    "m": 10**6,
    "million": 10**6,
    "bn": 10**9,
    "B": 10**9,
    "billion": 10**9,
}
_MONEY = r"[$€£¥₹₩]|[A-Z]{3}"
_DIGITS = r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d{1,30})(?:\.\d{1,30})?"
_WRITTEN = re.compile(
    rf"(?P<minus>-)?(?P<before>{_MONEY})?\s?(?P<number>{_DIGITS})"
    rf"(?:\s?(?P<large>thousand|million|billion|bn|[kKmMB])(?=\s|$|[$€£¥₹₩]))?\s?(?P<after>[^\d\s].{{0,30}})?"
)


@dataclass(frozen=True, slots=True)
class Amount:
    """Amounts with their unit or currency, the same within a tolerance (as `Number`).

    "3 km" and "3000 m" are the same, "$1,200" and "1.2k USD" as well, "5 EUR" and "5 USD" are not:
    currencies are not converted. Digits are grouped by commas, with a point before the decimals. A
    plain number has no unit; a percentage is a hundredth. What is no amount is compared exactly.

    Args:
        rel: Tolerated difference as a share of the larger amount.
        abs: Tolerated difference in the base unit: seconds, metres, grams, bytes, or the currency's own.

    Raises:
        GraphError: a tolerance below zero, or without end.
    """

    tolerance: ClassVar[float] = 0.0
    fieldwise: ClassVar[bool] = True
    rel: float = 1e-9
    abs: float = 0.0

    def __post_init__(self) -> None:
        Number(self.rel, self.abs)

    def distance(self, a: JSON, b: JSON) -> float:
        """0.0 within the tolerances, else the difference as a share of the larger; 1.0 for other units."""
        left, right = amount(a), amount(b)
        if left is None or right is None:
            return EXACT.distance(a, b)
        if left[1] != right[1]:
            return 1.0
        gap, larger = abs(left[0] - right[0]), max(abs(left[0]), abs(right[0]))
        if gap <= max(Fraction(self.rel) * larger, Fraction(self.abs)):
            return 0.0
        return min(1.0, float(gap / larger))


def amount(value: JSON) -> tuple[Fraction, str] | None:
    """An amount in its base unit, and what it is an amount of; None where it is none."""
    if is_number(value):
        return None if isinstance(value, float) and not math.isfinite(value) else (Fraction(value), "")
    if not isinstance(value, str) or len(value) > 80:
        return None
    found = _WRITTEN.fullmatch(" ".join(value.replace("\u2212", "-").split()))
    if found is None or (found["minus"] and found["number"][0] in "+-"):
        return None
    number = Fraction(found["number"].replace(",", "")) * (-1 if found["minus"] else 1)
    return _measured(number, found["before"] or "", found["large"] or "", (found["after"] or "").strip())


def _measured(number: Fraction, before: str, large: str, after: str) -> tuple[Fraction, str] | None:
    currency = _currency(before) or _currency(after)
    if currency:
        if before and after:
            return None
        return number * _LARGE.get(large, 1), currency
    if before:
        return None
    if large in {"K", "m", "M", "B"}:  # a unit, as in "3 m": nothing says that it is money
        after, large = f"{large} {after}".strip(), ""
    known = _UNITS.get(after) or (_UNITS.get(after.casefold()) if len(after) > 2 else None)
    dimension, factor = known or (f"of {after.casefold() if len(after) > 2 else after}", Fraction(1))
    return number * _LARGE.get(large, 1) * factor, dimension


def _currency(written: str) -> str:
    if written in _CURRENCIES:
        return _CURRENCIES[written]
    return written if re.fullmatch(r"[A-Z]{3}", written) else ""
