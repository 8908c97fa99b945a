"""Cheap first: tiers that are asked one after the other until one of them settles it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from ..bounds import is_share
from ..errors import GraphError
from .plan import Ask, Consult, Decision, Heard, Move, Passed, Pattern, Stop, as_pattern

if TYPE_CHECKING:
    from ..judgement.paying import Paying


@dataclass(frozen=True, slots=True)
class Settled:
    """Whether a tier settles it: why (or why not), and how sure that is.

    `deciding` are those whose word stands then; by default all of the tier that have proposed something.
    """

    yes: bool
    why: str
    confidence: float | None = None
    deciding: tuple[str, ...] = ()


def yes(why: str, confidence: float | None = None) -> Settled:
    """A tier settles it."""
    return Settled(yes=True, why=why, confidence=confidence)


def no(why: str, confidence: float | None = None) -> Settled:
    """A tier does not settle it."""
    return Settled(yes=False, why=why, confidence=confidence)


Until: TypeAlias = Callable[[Heard, Sequence[str]], Settled]
"""Says of the agents of a tier that have proposed something whether that will do."""


@dataclass(frozen=True, slots=True)
class agree:  # noqa: N801 - reads as the function that it is used as: until=agree()
    """A tier settles it where all of it say the same, passes the checks, and is of enough lineages.

    Args:
        lineages: Of how many lineages those who agree have to be.
    """

    lineages: int = 2

    def __call__(self, heard: Heard, made: Sequence[str]) -> Settled:
        """Whether it will do."""
        stand = heard.stand(made)
        sure = stand.weighed.confidence if stand.weighed is not None else None
        if stand.disagrees:
            said = " against ".join(" and ".join(side) for side in stand.sides)
            return no(f"they disagree: {said}", sure)
        known = {heard.lineages.get(name, name) for name in made}
        if len(known) < self.lineages:
            return no(f"{len(made)} of {_some(len(known), 'lineage')} spoke", sure)
        return yes(f"{' and '.join(made)} agree", sure)


@dataclass(frozen=True, slots=True)
class confident:  # noqa: N801 - as above
    """A tier settles it where its answer is likely enough to be right.

    That is what the step's weigher says, where it knows something of these models; else what the agents
    say of themselves, the least of those who agree. One that does not say how sure it is is not.

    Args:
        least: The confidence from which on it will do, 0 to 1.
    """

    least: float = 0.8

    def __post_init__(self) -> None:
        if not is_share(self.least):
            raise GraphError(f"A confidence is a number from 0 to 1, and not {self.least!r}")

    def __call__(self, heard: Heard, made: Sequence[str]) -> Settled:
        """Whether it will do."""
        stand = heard.stand(made)
        weighed = stand.weighed
        if weighed is not None and weighed.confidence is not None:
            sure, by = weighed.confidence, f"by {weighed.basis} weights"
        elif stand.disagrees:
            return no("they disagree")
        else:
            said = [heard.proposed[name] for name in made]
            stated = [one for one in said if one is not None]
            if len(stated) < len(said) or not stated:
                return no("not all say how sure they are")
            sure, by = min(stated), "as they say themselves"
        if stand.disagrees and sure < self.least:
            return no(f"they disagree, and {sure:.2f} {by} is below {self.least:g}", sure)
        verdict = yes if sure >= self.least else no
        return verdict(f"{sure:.2f} {by}, {self.least:g} asked for", sure)


@dataclass(frozen=True, slots=True)
class pays:  # noqa: N801 - as above
    """A tier settles it where asking on brings less than it costs, by a policy fitted to graded rounds.

    The policy votes with all that were asked so far, and what its vote says stands: the last tier does not
    outvote the others by being the last. `dissensus.judgement.learn_cascade` fits one; its tiers are the
    cascade's, by the names of their models.

    Args:
        policy: What was fitted.
        options: Among how many answers the models can choose, as it was fitted with.
    """

    policy: Paying
    options: int | None = None

    def __call__(self, heard: Heard, _: Sequence[str]) -> Settled:
        """Whether it will do."""
        everybody = tuple(heard.proposed)
        stand = heard.stand(everybody)
        silent = [heard.models.get(name, name) for name in heard.silent]
        step = self.policy.step(stand.ballots, heard.task, self.options, silent=silent)
        weighed = self.policy.weigh(stand.ballots, heard.task, self.options) if stand.ballots else None
        best = None if weighed is None else weighed.best
        deciding = tuple(one.agent for one in stand.ballots if one.position == best)
        return Settled(not step.go, step.why, step.confidence, deciding)


class Cascade(Pattern):
    """Tiers, the cheapest first; the next one is asked where one does not settle it.

    What the deciding tier says stands. Where earlier tiers said something else, that is a disagreement
    like any other, and a ruling of the cascade upholds the deciding tier over their dissent; a last tier
    that disagrees in itself goes to the step's supervisor.

    Args:
        tiers: Agents or patterns; an agent may sit in more than one, and is asked once.
        until: What settles it, `agree()` by default; `confident(0.8)`; `pays(…)`; or a function of your own.

    Raises:
        GraphError: A tier could never settle it.
    """

    kind = "cascade"

    def __init__(self, tiers: Sequence[Any], *, until: Until | None = None) -> None:
        if not tiers:
            raise GraphError("A cascade needs tiers", next_step="Give agents or patterns, the cheapest first")
        super().__init__({str(place): as_pattern(tier) for place, tier in enumerate(tiers, 1)})
        if isinstance(until, type) or not (until is None or callable(until)):
            raise GraphError(
                f"{until!r} does not say when a tier settles it",
                next_step="Give until=agree(), until=confident(0.8), or a function that gives a Settled",
            )
        self.until: Until = until or agree()
        least = self.until.lineages if isinstance(self.until, agree) else 1
        for name, tier in list(self.parts.items())[:-1]:
            if len(tier.agents) < least:
                raise GraphError(
                    f"Tier {name} of the cascade is of {_some(len(tier.agents), 'agent')}, and cannot agree",
                    next_step="Ask two agents of different lineage in it, or give until=confident(0.8)",
                )
        self.check_policy()

    def check_policy(self) -> None:
        """A fitted policy is about these models; those that stand in for others are checked again.

        Raises:
            GraphError: It was fitted to others.
        """
        if isinstance(self.until, pays):
            _check_tiers(self.parts.values(), self.until.policy)

    def next(self, heard: Heard) -> Move:
        """Go on with the tier that it is at, or go up."""
        decided = heard.decided
        if not decided and len(self.parts) == 1:
            return self.parts["1"].next(heard.inside("1"))
        made: tuple[Decision, ...] = ()
        if not decided:
            made = (self._tier(heard, 1, "the first tier is asked first", None),)
        level = max(1, sum(one.chosen[0].startswith("tier ") for one in decided))
        while True:
            move = self.parts[str(level)].next(heard.inside(str(level)))
            if isinstance(move, Consult):
                return move
            if isinstance(move, Ask):
                last = level == len(self.parts)
                decisions = (*made, *move.decisions)
                return replace(move, decisions=decisions, least=move.least if last else 0)
            made = (*made, *move.decisions)
            found = self._settled(heard, level, move)
            if level == len(self.parts) or found.yes:
                return self._stop(heard, level, move, found, made)
            level += 1
            made = (*made, self._tier(heard, level, found.why, found.confidence))

    @property
    def may_choose(self) -> frozenset[str]:
        """A tier, or agents."""
        return frozenset((*(f"tier {name}" for name in self.parts), *self.names))

    def _settled(self, heard: Heard, level: int, stop: Stop) -> Settled:
        names = heard.made(stop.deciding or self.parts[str(level)].names)
        if not names:
            return no(f"nobody of tier {level} answered")
        bad = [name for name in names if heard.failed(name)]
        if bad:
            return no(f"{' and '.join(bad)} failed {', '.join(heard.failed(bad[0]))}")
        if stop.unsettled:
            return no(stop.unsettled)
        return _sound(self.until(heard, names))

    def _stop(self, heard: Heard, level: int, move: Stop, found: Settled, made: tuple[Decision, ...]) -> Stop:
        tier = self.parts[str(level)]
        deciding = found.deciding or heard.made(move.deciding or tier.names)
        if not found.yes and not deciding:
            return Stop(found.why, (), made, f"{found.why}, and no tier before it settled it")
        why = f"tier {level} settles it: {found.why}" if found.yes else f"tier {level} is the last one"
        above = tuple(Passed(f"tier {n}", why) for n in range(level + 1, len(self.parts) + 1))
        decision = Decision(self.kind, heard.at, deciding, why, found.confidence, above)
        return Stop(why, deciding, (*made, decision), move.unsettled)

    def _tier(self, heard: Heard, level: int, why: str, sure: float | None) -> Decision:
        later = range(level + 1, len(self.parts) + 1)
        passed = tuple(Passed(f"tier {n}", "it is asked if this one does not settle it") for n in later)
        return Decision(self.kind, heard.at, (f"tier {level}",), why, sure, passed)

    @property
    def label(self) -> str:
        """The tiers, from the cheapest up."""
        return " ⇒ ".join(part.label for part in self.parts.values())


def _sound(said: object) -> Settled:
    """What a function of the user's says, if it can be so."""
    if not isinstance(said, Settled):
        raise GraphError(
            f"`until` of the cascade gave a {type(said).__name__}, and no Settled",
            next_step="Return dissensus.patterns.Settled(yes, why, confidence) from it",
        )
    if said.confidence is not None and not is_share(said.confidence):
        raise GraphError(
            f"`until` of the cascade is confident by {said.confidence!r}, which is not from 0 to 1"
        )
    return said


def _check_tiers(parts: Iterable[Pattern], policy: Paying) -> None:
    """A policy is about the models that it was fitted to, in the tiers that it was fitted to."""
    here = [sorted(agent.model.name for agent in part.agents) for part in parts]
    there = [sorted(tier.models) for tier in policy.tiers]
    if here != there:
        raise GraphError(
            f"The policy was fitted to the tiers {there}, and the cascade has {here}",
            next_step="Give the cascade these models in these tiers, or fit a policy to its own",
        )


def _some(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
