"""How long a call is tried, and how long a provider asks to be left in peace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from ..bounds import check_seconds, check_whole
from .transport import Unavailable


@dataclass(frozen=True, slots=True)
class Patience:
    """How often, and for how long, a call is tried.

    Args:
        attempts: How many attempts at most, the first included.
        seconds: No attempt begins later than this after the first one.
        pause: Seconds before the second attempt, if the provider names none; then twice as long.

    Raises:
        GraphError: One of these is none.
    """

    attempts: int = 4
    seconds: float = 120.0
    pause: float = 0.5

    def __post_init__(self) -> None:
        check_whole("a patience", attempts=self.attempts)
        check_seconds("a patience", seconds=self.seconds, pause=self.pause or None)


PATIENCE = Patience()


def retry_after(headers: dict[str, str], now: datetime) -> float | None:
    """The seconds that a provider asks to wait (RFC 9110 section 10.2.3), None if it does not.

    Args:
        headers: Of the answer, names in lower case. A date in `retry-after` is read against the
            server's own `date`, if it sent one, since clocks differ.
        now: The time here, with its zone.
    """
    if (milliseconds := _seconds(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    asked = headers.get("retry-after")
    if (seconds := _seconds(asked)) is not None:
        return seconds
    until, server = _date(asked), _date(headers.get("date")) or now
    return max((until - server).total_seconds(), 0.0) if until else None


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds < 10**9 else None


def _date(text: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(text or "")
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else None


def keep_standard_output_clean(stamina: Any) -> None:
    """Our retries are noted in the reply; an unconfigured structlog would print them.

    Stamina's default hook logs through structlog, which prints on standard output until somebody
    configures it. The user's own hooks are left alone and see every retry.
    """
    hooks = stamina.instrumentation.get_on_retry_hooks()
    if any(hook.__module__ == "stamina.instrumentation._structlog" for hook in hooks):
        stamina.instrumentation.set_on_retry_hooks([_unless_ours(hook) for hook in hooks])


def _unless_ours(hook: Callable[[Any], Any]) -> Callable[[Any], Any]:
    if hook.__module__ != "stamina.instrumentation._structlog":
        return hook

    def log(details: Any) -> Any:
        import structlog

        ours = isinstance(details.caused_by, Unavailable)
        return hook(details) if structlog.is_configured() or not ours else None

    return log
