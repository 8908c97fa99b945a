"""What a provider's headers say of its limits on requests and tokens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .kinds import span

MOST = 10**12


@dataclass(frozen=True, slots=True)
class Room:
    """One limit: how much it allows, how much is left of it, and in how many seconds it is full again."""

    limit: int | None = None
    remaining: int | None = None
    resets: float | None = None

    @property
    def known(self) -> bool:
        """Whether the provider said anything of it."""
        return self != Room()


@dataclass(frozen=True, slots=True)
class LimitsSeen:
    """A provider's limits as its last answer told them; `Room()` where it told nothing."""

    requests: Room = Room()
    tokens: Room = Room()
    input_tokens: Room = Room()
    output_tokens: Room = Room()


def read_limits(headers: dict[str, str], now: datetime) -> LimitsSeen | None:
    """The limits in the headers of an answer, None where there are none.

    Args:
        headers: Names in lower case: OpenAI's `x-ratelimit-limit-requests`, which others copy, and
            Anthropic's `anthropic-ratelimit-requests-limit`.
        now: The time here, with its zone, which Anthropic's dates are read against.
    """
    seen = LimitsSeen(
        requests=_room(headers, "requests", now),
        tokens=_room(headers, "tokens", now),
        input_tokens=_room(headers, "input-tokens", now),
        output_tokens=_room(headers, "output-tokens", now),
    )
    return None if seen == LimitsSeen() else seen


def _room(headers: dict[str, str], what: str, now: datetime) -> Room:
    def said(word: str) -> str:
        theirs = headers.get(f"anthropic-ratelimit-{what}-{word}")
        return theirs or headers.get(f"x-ratelimit-{word}-{what}") or ""

    limit, remaining = _count(said("limit")), _count(said("remaining"))
    if not limit:  # Azure sends -1 and 0 where it counts in another way
        limit = remaining = None
    return Room(limit, remaining, _resets(said("reset"), now))


def _count(text: str) -> int | None:
    """A whole number; some write `40000.0`."""
    digits = text.strip().partition(".")[0][:20]
    return min(int(digits), MOST) if digits.isascii() and digits.isdigit() else None


def _resets(text: str, now: datetime) -> float | None:
    """Seconds until a limit is full again: a span, a date, or a number of seconds."""
    text = text.strip()[:60]
    if (seconds := span(text)) is not None and "T" not in text:
        return seconds
    try:
        return max(float(text), 0.0) if float(text) < 10**6 else None
    except ValueError:
        pass
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        return None
    return max((date - now).total_seconds(), 0.0) if date.tzinfo else None
