"""The one retry loop: what may pass is tried again, as the provider asks, for a bounded time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from .transport import Unavailable

T = TypeVar("T")

PASSING = frozenset({408, 409, 425, 429})
"""Statuses below 500 that another attempt may not meet."""

SPENT = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
"""Codes of a 429 that no waiting mends: the credit is gone."""

OVERLOADED = frozenset({"rate_limit_exceeded", "server_error", "overloaded_error"})
"""Codes that may pass, whatever the status says: some gateways send them with 200."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often, and for how long, a call is tried.

    Args:
        attempts: How many attempts at most, the first included.
        seconds: No attempt begins later than this after the first one.
        pause: Seconds before the second attempt, if the provider names none; then twice as long.
    """

    attempts: int = 4
    seconds: float = 120.0
    pause: float = 0.5


PATIENCE = Patience()


@dataclass(slots=True)
class Attempts:
    """The attempts of one call; `missed` says what became of those that failed.

    What may have been billed is not tried again here: whoever reserves the money decides on that.
    """

    patience: Patience
    missed: list[str] = field(default_factory=list)
    _until: float = 0.0

    async def run(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try until it works, until it cannot, or until patience ends.

        Raises:
            ModelFailed: What the last attempt raised.
        """
        import stamina

        keep_standard_output_clean(stamina)
        self._until = asyncio.get_running_loop().time() + self.patience.seconds
        async for trial in stamina.retry_context(
            on=self._wait,
            attempts=self.patience.attempts,
            timeout=self.patience.seconds,
            wait_initial=self.patience.pause,
            wait_max=self.patience.seconds / 4,
            wait_jitter=self.patience.pause,
        ):
            with trial:
                return await attempt()
        raise AssertionError("the last attempt neither returned nor raised")

    def _wait(self, error: Exception) -> bool | float:
        """Seconds until the next attempt; True: the usual ones; False: there is none."""
        if not isinstance(error, Unavailable) or error.context.get("billed"):
            return False
        self.missed.append(_became(error))
        asked = error.context.get("retry_after")
        if asked is None:
            return True
        left = self._until - asyncio.get_running_loop().time()
        # Agents that were refused together must not come back together.
        return float(asked) * random.uniform(1.0, 1.1) if asked <= left else False  # noqa: S311


def _became(error: Unavailable) -> str:
    """What became of an attempt, in a word or two."""
    return str(error.context.get("status") or "no connection")


def may_pass(status: int, code: str) -> bool:
    """Whether the same request may succeed later."""
    if code in SPENT:
        return False
    return status >= 500 or status in PASSING or code in OVERLOADED


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
