"""Several at once: all of them, the best of them, the first good one; and a panel that may grow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ..bounds import check_seconds
from ..errors import GraphError
from .plan import Ask, Consult, Decision, Heard, Move, Passed, Pattern, Stand, Stop, Switch, as_pattern

if TYPE_CHECKING:
    from ..agent import Agent

Take = Literal["all", "best", "first"]


class Parallel(Pattern):
    """Agents (or patterns) side by side.

    Args:
        parts: Whom to ask.
        take: `"all"`: what they propose is compared, what commutes adds up, and a supervisor rules where
            they disagree, as in a step with a plain list. `"best"`: where they disagree, the one stands
            that passes the step's checks and is the likeliest by the step's weigher, or else the surest of
            itself. `"first"`: the first answer that can be read and passes the checks stands, and the
            others are left; what a call costs that was on its way is charged by the budget's rule.
        hedge: With `"first"`: seconds after which the next one is asked beside the one before it, so that
            a second call is only paid for where the first one is slow; None asks all at once.

    Raises:
        GraphError: There is nobody to ask, or it cannot be asked side by side.
    """

    kind = "parallel"

    def __init__(self, parts: Sequence[Any], *, take: Take = "all", hedge: float | None = None) -> None:
        if take not in ("all", "best", "first"):
            raise GraphError(f"`take` is 'all', 'best' or 'first', and not {take!r}")
        if hedge is not None and take != "first":
            raise GraphError("`hedge` is for take='first': the others wait for an answer to be late")
        check_seconds("a parallel", hedge=hedge)
        super().__init__(_numbered(self.kind, parts))
        self.take, self.hedge = take, hedge
        self._plain = all(isinstance(part, Switch) for part in self.parts.values())
        for part in self.parts.values():
            _check_side(part, first=take == "first")

    def next(self, heard: Heard) -> Move:
        """Ask whoever is left in each part; stop when all parts have stopped."""
        if self.take == "first":
            return self._first(heard)
        if self._plain:
            left = heard.waiting(self.names)
            if left:
                return Ask(left)
            return self._best(heard, ()) if self.take == "best" else Stop("all of them were asked")
        moves = [part.next(heard.inside(name)) for name, part in self.parts.items()]
        for move in moves:
            if isinstance(move, Consult):
                return move
        decisions = tuple(one for move in moves if not isinstance(move, Consult) for one in move.decisions)
        asks = [move for move in moves if isinstance(move, Ask)]
        if asks:
            names = dict.fromkeys(name for ask in asks for name in ask.agents)
            return Ask(tuple(names), decisions)
        stops = [move for move in moves if isinstance(move, Stop)]
        unsettled = next((stop.unsettled for stop in stops if stop.unsettled), "")
        if self.take == "best":
            return self._best(heard, decisions)
        return Stop("all of them were asked", (), decisions, unsettled)

    def _first(self, heard: Heard) -> Move:
        good = sorted(heard.good(self.names), key=heard.when)
        if good:
            why = f"{good[0]} gave a good answer first"
            others = tuple(Passed(name, "its answer came later") for name in good[1:])
            decision = Decision(self.kind, heard.at, (good[0],), why, heard.proposed[good[0]], others)
            return Stop(why, (good[0],), (decision,))
        left = heard.waiting(self.names)
        if not left:
            return Stop("none of them gave a good answer", heard.made(self.names))
        how = "the first good answer stands"
        if self.hedge is not None:
            how = f"{how}; the next one is asked after {self.hedge:g} s"
        asked = Decision(self.kind, heard.at, left, how)
        return Ask(left, (asked,), first=True, hedge=self.hedge, least=1)

    def _best(self, heard: Heard, decisions: tuple[Decision, ...]) -> Stop:
        made = heard.made(self.names)
        stand = heard.stand(made)
        if not stand.disagrees:
            return Stop("all of them were asked", (), decisions)
        good = heard.good(made)
        if not good:
            return Stop("all of them were asked", (), decisions)
        best, sure, why = _best_of(stand, good, heard)
        passed = tuple(
            Passed(name, "it fails a check" if name not in good else "it is less likely right")
            for name in made
            if name != best and not _together(stand, name, best)
        )
        made_by = Decision(self.kind, heard.at, (best,), why, sure, passed)
        return Stop(why, (best,), (*decisions, made_by))

    @property
    def label(self) -> str:
        """How it takes from whom."""
        inside = ", ".join(part.label for part in self.parts.values())
        return f"{self.take} of {inside}"


def _best_of(stand: Stand, good: Sequence[str], heard: Heard) -> tuple[str, float | None, str]:
    """Who is best, how sure that is, and by what: the weigher, or what each says of itself."""
    shares = stand.weighed.shares if stand.weighed is not None else None
    if stand.weighed is not None and shares is not None:
        worth = {name: _share(stand, shares, name) for name in good}
        best = max(good, key=lambda name: (worth[name], heard.proposed[name] or 0.0))
        return best, worth[best], f"{best} is the likeliest by {stand.weighed.basis} weights"
    best = max(good, key=lambda name: heard.proposed[name] or 0.0)
    sure = heard.proposed[best]
    if sure is None:
        return best, None, f"{best} passes the checks, and none of them says how sure it is"
    return best, sure, f"{best} is the surest of itself ({sure:.2f})"


def _share(stand: Stand, shares: Sequence[float], name: str) -> float:
    return next((share for share, side in zip(shares, stand.sides, strict=False) if name in side), 0.0)


def _together(stand: Stand, one: str, other: str) -> bool:
    return any(one in side and other in side for side in stand.sides)


class Panel(Pattern):
    """Independent proposals, disagreement as the signal.

    Args:
        agents: At least two.
        grow: True, or how many are asked at a time: begin with two of different lineage, and ask more only
            while they disagree and those who are left could still change what most say, or while an
            agreement is worth fewer effective votes than the step's `hollow_below`. None asks all at once.

    Raises:
        GraphError: There are fewer than two.
    """

    kind = "panel"

    def __init__(self, agents: Sequence[Agent], *, grow: bool | int | None = None) -> None:
        super().__init__(_numbered(self.kind, agents))
        if len(self.names) < 2 or not all(isinstance(part, Switch) for part in self.parts.values()):
            raise GraphError("A panel is of two agents or more", next_step="Take Parallel for other patterns")
        more: object = grow
        if more is not None and not (isinstance(more, int) and more >= 0):
            raise GraphError(f"A panel grows by one agent or more, and not by {more!r}")
        self.size = int(grow or 0)

    def next(self, heard: Heard) -> Move:
        """All at once; or two, and more while they disagree."""
        left = heard.waiting(self.names)
        made = heard.made(self.names)
        if not self.size:
            return Ask(left) if left else Stop("all of the panel were asked", made)
        if not left:
            return Stop("all of the panel were asked", made)
        if len(made) < 2:
            return self._begin(heard, left, 2 - len(made))
        stand = heard.stand(made)
        enough = self._enough(stand, len(left), heard)
        if enough:
            passed = tuple(Passed(name, enough) for name in left)
            decision = Decision(self.kind, heard.at, stand.largest, enough, None, passed)
            return Stop(enough, made, (decision,))
        why = "they disagree" if stand.disagrees else f"{stand.votes:.2f} effective votes are too few"
        return self._more(heard, left[: self.size], left[self.size :], why)

    def _begin(self, heard: Heard, left: Sequence[str], count: int) -> Ask:
        """Two of different lineage, where there are such."""
        there = {heard.lineages.get(name, name) for name in heard.made(self.names)}
        chosen: list[str] = []
        for name in sorted(left, key=lambda one: heard.lineages.get(one, one) in there):
            if len(chosen) < count and (heard.lineages.get(name, name) not in there or not chosen):
                chosen.append(name)
                there.add(heard.lineages.get(name, name))
        chosen += [name for name in left if name not in chosen][: count - len(chosen)]
        others = [name for name in left if name not in chosen]
        why = "two of different lineage begin" if count == 2 else "one of those asked said nothing"
        return self._more(heard, chosen, others, why)

    def _more(self, heard: Heard, chosen: Sequence[str], others: Iterable[str], why: str) -> Ask:
        passed = tuple(Passed(name, "it is asked only if that can change something") for name in others)
        decision = Decision(self.kind, heard.at, tuple(chosen), why, None, passed)
        return Ask(tuple(chosen), (decision,))

    @staticmethod
    def _enough(stand: Stand, left: int, heard: Heard) -> str:
        if not stand.disagrees:
            if heard.hollow_below is None or stand.votes >= heard.hollow_below:
                return f"the others agree, and are worth {stand.votes:.2f} effective votes"
            return ""
        most, second = stand.sizes
        if most > second + left:
            return f"{most} votes stand against {second}, and {left} more cannot turn that"
        return ""

    @property
    def label(self) -> str:
        """Who sits in it."""
        return f"panel{' that grows' if self.size else ''} of {', '.join(self.names)}"


def _numbered(kind: str, parts: Sequence[Any]) -> dict[str, Pattern]:
    if not parts or not isinstance(parts, Iterable):
        raise GraphError(f"A {kind} needs somebody to ask", next_step="Give agents, or patterns of them")
    return {str(place): as_pattern(part) for place, part in enumerate(parts, 1)}


def _check_side(part: Pattern, *, first: bool) -> None:
    """A race is of single agents, and is not run beside something else."""
    if first and not isinstance(part, Switch):
        raise GraphError(
            f"take='first' is of single agents, and not of a {part.kind}",
            next_step="Put the pattern into a Cascade or a Route, or take 'best'",
        )
    if not first and any(isinstance(one, Parallel) and one.take == "first" for one in part.inner()):
        raise GraphError(
            "A Parallel that takes the first cannot run beside others",
            next_step="Put it into a Cascade or a Route",
        )
