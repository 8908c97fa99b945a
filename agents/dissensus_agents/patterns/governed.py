"""A plain list of agents, under the cost governor."""

from __future__ import annotations

from collections.abc import Sequence

from ..watch.governor import Governor
from .plan import Ask, Decision, Heard, Move, Passed, Pattern, Stop


class Trivial(Pattern):
    """A pattern whose input is trivial: one agent alone, or the next one where it abstains."""

    kind = "trivial"

    def __init__(self, inner: Pattern, why: str) -> None:
        super().__init__({"inner": inner})
        self.why = why

    def next(self, heard: Heard) -> Move:
        """Ask the first that is left, until one has proposed something."""
        left = heard.waiting(self.names)
        if heard.made(self.names) or not left:
            return Stop(self.why)
        passed = tuple(Passed(name, "one is enough") for name in left[1:])
        return Ask(left[:1], (Decision(self.kind, heard.at, left[:1], self.why, None, passed),), least=1)


class Waves(Pattern):
    """Agents in waves, until more votes cannot change the outcome (`Governor.stop_early`)."""

    kind = "waves"

    def __init__(self, inner: Pattern, governor: Governor, quorum: int) -> None:
        super().__init__({"inner": inner})
        self.governor, self.first = governor, max(2, quorum)

    def next(self, heard: Heard) -> Move:
        """The first wave, and one more as long as it can change something."""
        left, made = heard.waiting(self.names), heard.made(self.names)
        if not left:
            return Stop("all of them were asked")
        if len(left) == len(self.names):
            return self._wave(heard, left, self.first, "the first wave")
        why = self._enough(heard, made, left) if len(made) >= self.first else ""
        if why:
            return Stop(why)
        return self._wave(heard, left, self.governor.wave, "more votes can change the outcome")

    def _wave(self, heard: Heard, left: Sequence[str], size: int, why: str) -> Ask:
        now, later = tuple(left[:size]), left[size:]
        passed = tuple(Passed(name, "it is asked only if that can change something") for name in later)
        return Ask(now, (Decision(self.kind, heard.at, now, why, None, passed),))

    def _enough(self, heard: Heard, made: Sequence[str], left: Sequence[str]) -> str:
        stand = heard.stand(made)
        if self.governor.stop_early == "majority":
            most, second = stand.sizes
            if most > second + len(left):
                return f"{most} votes stand against {second}, and {len(left)} more cannot turn that"
            return ""
        if stand.disagrees:
            return "the others disagree already, so that the round is reviewed in any case"
        if heard.hollow_below is not None and stand.votes >= heard.hollow_below:
            return f"the others agree, and are worth {stand.votes:.2f} effective votes"
        return ""
