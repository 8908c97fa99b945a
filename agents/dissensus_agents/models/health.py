"""How providers fare, remembered for as long as the process lives: who is asked, and who is left in peace.

A provider that fails again and again is not asked for a while (its circuit is open); then exactly
one call is let through to see how it is, and only when that succeeds are the others. The while gets
longer each time. Seconds that a provider asks for itself are kept. Everything is arithmetic on an
injected clock, under one lock that all threads and event loops share.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .formats import FailureKind

COUNTED: frozenset[FailureKind] = frozenset({"timeout", "outage", "broken_off", "malformed"})
"""What opens the circuit if it comes several times in a row."""

AT_ONCE: frozenset[FailureKind] = frozenset({"rate_limit", "spent", "key", "unknown_model"})
"""What opens it the first time."""

OPENS_AFTER = 3
FIRST_SECONDS = 5.0
MENDED_BY_PEOPLE: frozenset[str] = frozenset({"spent", "key", "unknown_model"})
"""What no waiting mends: it is left in peace for longer, since somebody has to notice."""

FIRST_FOR_PEOPLE = 60.0
LONGEST_SECONDS = 300.0
LONGEST_ASKED = 86_400.0
PROBE_SECONDS = 1.0
"""How long those wait who find that one has been let through before them."""

LOST_PROBE_SECONDS = 600.0
"""After which one that was let through and never heard of again is given up."""

Key = tuple[str, str]
"""Where a model is asked, and its name."""


def key_of(model: Any) -> Key:
    """Under which key it is remembered how a model fares."""
    return (str(getattr(model, "address", "")), str(getattr(model, "name", "")))


@dataclass(slots=True)
class _State:
    """One provider and model: `level` counts how often the circuit opened since the last success."""

    failures: int = 0
    level: int = 0
    until: float = 0.0
    kind: str = ""
    asked: bool = False
    probed_at: float | None = None


@dataclass(frozen=True, slots=True)
class Cooling:
    """Why a model is not asked now: since which kind of failure, and for how many seconds more.

    `asked` says that the provider itself named the time.
    """

    kind: str
    seconds: float
    asked: bool = False


class Health:
    """The health of the providers that a process has asked.

    Args:
        clock: Gives seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._states: dict[Key, _State] = {}
        self._met: set[Key] = set()

    def cooling(self, key: Key) -> Cooling | None:
        """Why a model should not be asked now; None if it may be."""
        with self._lock:
            return self._cooling(key)

    def enter(self, key: Key) -> Cooling | None:
        """The same, for somebody who asks at once if it may: the one call that is let through is theirs."""
        with self._lock:
            found = self._cooling(key)
            state = self._states.get(key)
            if found is None and state is not None and state.level:
                state.probed_at = self._clock()
            return found

    def succeeded(self, key: Key) -> None:
        """It answered: everything before is forgotten."""
        with self._lock:
            self._met.add(key)
            self._states.pop(key, None)

    def met(self, key: Key) -> bool:
        """Whether this process has heard of it already."""
        return key in self._met

    def failed(
        self, key: Key, kind: FailureKind, retry_after: float | None = None, *, ago: float = 0.0
    ) -> None:
        """It failed.

        Args:
            key: Whose failure it is.
            kind: Refusals and requests that a provider will not take say nothing of its health.
            retry_after: The seconds that it asks to be left in peace.
            ago: How many seconds ago that was.
        """
        if kind not in COUNTED | AT_ONCE:
            self.gave_up(key)
            return
        with self._lock:
            self._met.add(key)
            self._fail(self._states.setdefault(key, _State()), kind, retry_after, self._clock() - ago)

    def gave_up(self, key: Key) -> None:
        """A call that was let through came to nothing that tells of health: another one may be."""
        with self._lock:
            if key in self._states:
                self._states[key].probed_at = None

    def forget(self) -> None:
        """Forget everything."""
        with self._lock:
            self._states.clear()
            self._met.clear()

    def _cooling(self, key: Key) -> Cooling | None:
        state, now = self._states.get(key), self._clock()
        if state is None or not state.level:
            return None
        if now < state.until:
            return Cooling(state.kind, state.until - now, state.asked)
        if state.probed_at is not None and now - state.probed_at < LOST_PROBE_SECONDS:
            return Cooling(state.kind, PROBE_SECONDS)
        return None

    def _fail(self, state: _State, kind: FailureKind, retry_after: float | None, now: float) -> None:
        state.failures += 1
        probed, state.probed_at = state.probed_at is not None, None
        wait = 0.0 if retry_after is None else min(max(retry_after, 0.0), LONGEST_ASKED)
        open_now = now < state.until
        opens = probed or kind in AT_ONCE or state.failures >= OPENS_AFTER
        # What was under way already when the circuit opened tells nothing new, but may ask for longer.
        if opens and not open_now:
            state.level += 1
        if not state.level or not (opens or wait):
            return
        first = FIRST_FOR_PEOPLE if kind in MENDED_BY_PEOPLE else FIRST_SECONDS
        own = 0.0 if open_now else min(first * 2.0 ** min(state.level - 1, 30), LONGEST_SECONDS)
        if now + max(own, wait) > state.until:
            state.until, state.kind, state.asked = now + max(own, wait), kind, wait >= own and wait > 0


HEALTH = Health()
"""What this process remembers."""
