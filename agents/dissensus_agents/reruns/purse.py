"""A limit of one rerun, beside the budget of its session."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from dissensus_state.records import Call

from ..errors import RerunStopped


class RerunPurse:
    """What all branches of a rerun may cost together, in nano-USD: worst cases are put aside before.

    Args:
        limit: The most.
        spent: What earlier runs of the same rerun have spent.
    """

    def __init__(self, limit: int, spent: int = 0) -> None:
        self.limit = limit
        self.spent = spent
        self._held: dict[tuple[str, int], int] = {}
        self._lock = threading.Lock()

    def hold(self, call: Call) -> None:
        """Put the worst case of a call aside.

        Raises:
            RerunStopped: it does not fit.
        """
        with self._lock:
            held = sum(self._held.values())
            if self.spent + held + call.reserved > self.limit:
                left = (self.limit - self.spent - held) / 1e9
                raise RerunStopped(
                    f"A call of {call.model} may cost ${call.reserved / 1e9:.6f}, and ${max(left, 0):.6f} of "
                    f"the rerun's ${self.limit / 1e9:g} are left",
                    agent=call.agent,
                )
            self._held[call.agent, call.attempt] = call.reserved

    def give_back(self, call: Call) -> None:
        """The call is not made after all."""
        with self._lock:
            self._held.pop((call.agent, call.attempt), None)

    def settle(self, calls: Sequence[Call]) -> None:
        """What became of calls."""
        with self._lock:
            for call in calls:
                if call.status not in {"held", "sent"}:
                    self._held.pop((call.agent, call.attempt), None)
                    self.spent += cost_of(call)


def cost_of(call: Call) -> int:
    """What a call cost, in full where nobody counted."""
    return call.reserved if call.cost is None else call.cost


def spent_by(calls: Iterable[Call]) -> int:
    """What calls have cost together; one on its way may cost all that is reserved."""
    return sum(call.reserved if call.status in {"held", "sent"} else cost_of(call) for call in calls)
