"""Moments in time as users give them, as the milliseconds since 1970 that the history bears."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from .errors import ValueRefused

Moment = datetime | date | str | int
"""A `datetime` or `date`, ISO 8601 text, or milliseconds since 1970; without a zone it is UTC."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST = 2**63 - 1


def milliseconds(moment: Moment, *, end: bool = False) -> int:
    """A moment in milliseconds since 1970.

    Args:
        end: Of a day that is given without a time, its last millisecond and not its first.

    Raises:
        ValueRefused: it is no moment.
    """
    if isinstance(moment, str):
        moment = _read(moment)
    if isinstance(moment, bool) or not isinstance(moment, int | date):
        raise _none(moment)
    if isinstance(moment, int):
        return max(-_MOST, min(moment, _MOST))
    if isinstance(moment, datetime):
        whole = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (whole - _EPOCH) // timedelta(milliseconds=1)
    first = milliseconds(datetime(moment.year, moment.month, moment.day, tzinfo=UTC))
    return first + 86_400_000 - 1 if end else first


def _read(text: str) -> datetime | date | int:
    plain = text.strip()
    digits = plain.removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(digits) > len("20260131"):
        return int(plain[:20])
    for read in (date.fromisoformat, datetime.fromisoformat):
        try:
            return read(plain)
        except ValueError:
            continue
    raise _none(text)


def _none(moment: object) -> ValueRefused:
    return ValueRefused(
        f"{str(moment)[:80]!r} is no moment",
        next_step="Write 2026-01-31, 2026-01-31T12:00:00Z, or milliseconds since 1970",
    )
