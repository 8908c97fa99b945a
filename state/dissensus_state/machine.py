"""The state machine: named transitions between the phases of a schema, and what each may write."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from .errors import Denied, InvariantViolated, Refused, TransitionRefused
from .values import Path, parse_path, pointer, within

Rule = Callable[..., Any]
"""A guard or an invariant: `rule(before, after, evidence)`, or fewer of these from the left.

It refuses by returning False or a text that says why, or by raising ValueError or AssertionError;
None and True let the commit pass.
"""


@dataclass(frozen=True, slots=True)
class Transition:
    """A named step from one phase to another.

    Args:
        name: What commits call it.
        phases: `"gathering -> judging"`; several origins are separated by commas.
        writes: The fields or paths that it may write; None allows all. The phase itself is moved
            by the transition and needs no mention.
        guard: A rule that must let it pass; see `Rule`.
        review: Nothing is committed under it without a ruling.
    """

    name: str
    phases: str
    writes: Iterable[str] | None = None
    guard: Rule | None = None
    review: bool = False
    origins: frozenset[str] = field(init=False)
    target: str = field(init=False)
    writable: tuple[Path, ...] | None = field(init=False)

    def __post_init__(self) -> None:
        before, arrow, after = self.phases.partition("->")
        if not arrow or not before.strip() or not after.strip():
            raise TransitionRefused(
                f"The transition {self.name!r} needs its phases as 'from -> to', not {self.phases!r}"
            )
        object.__setattr__(self, "origins", frozenset(part.strip() for part in before.split(",")))
        object.__setattr__(self, "target", after.strip())
        writable = None if self.writes is None else tuple(sorted(parse_path(path) for path in self.writes))
        object.__setattr__(self, "writable", writable)


class Machine:
    """The transitions of a schema; without any, every write is allowed in every phase."""

    def __init__(self, transitions: Iterable[Transition], phases: Iterable[str] | None) -> None:
        self.transitions = {transition.name: transition for transition in transitions}
        self.phases = None if phases is None else tuple(phases)
        for transition in self.transitions.values():
            self._check(transition)

    def _check(self, transition: Transition) -> None:
        unknown = {*transition.origins, transition.target} - set(self.phases or ())
        if unknown:
            raise TransitionRefused(
                f"The transition {transition.name!r} names the phases {sorted(unknown)}, "
                f"but the schema's field `phase` knows {list(self.phases or ())}",
                next_step="Declare `phase: Literal[…]` with all phases",
            )

    def find(self, name: str | None, phase: str | None) -> Transition | None:
        """The transition of that name, if it may start in this phase.

        Raises:
            TransitionRefused: there is none, none was named, or not from here.
        """
        if not self.transitions:
            if name is None:
                return None
            raise TransitionRefused(f"The schema declares no transitions, so none is called {name!r}")
        transition = self.transitions.get(name or "")
        if transition is None:
            named = f"{name!r} is not" if name else "A commit without a name is not"
            raise TransitionRefused(f"{named} one of the transitions {sorted(self.transitions)}")
        if phase not in transition.origins:
            raise TransitionRefused(
                f"{name!r} starts in {sorted(transition.origins)}, and the phase is {phase!r}"
            )
        return transition

    def table(self) -> list[dict[str, Any]]:
        """One row for each transition: name, from, to, writes, guard, review."""
        return [
            {
                "name": item.name,
                "from": sorted(item.origins),
                "to": item.target,
                "writes": None if item.writable is None else [pointer(p) for p in item.writable],
                "guard": item.guard.__name__ if item.guard else None,
                "review": item.review,
            }
            for item in self.transitions.values()
        ]

    def mermaid(self) -> str:
        """The machine as a Mermaid state diagram."""
        lines = ["stateDiagram-v2"]
        if self.phases:
            lines.append(f"    [*] --> {self.phases[0]}")
        for item in self.transitions.values():
            label = item.name + (" (review)" if item.review else "")
            lines += [f"    {origin} --> {item.target}: {label}" for origin in sorted(item.origins)]
        return "\n".join(lines)


def check_writes(transition: Transition | None, paths: Iterable[Path]) -> None:
    """Raise `Denied` for the first path that the transition may not write."""
    if transition is None or transition.writable is None:
        return
    for path in paths:
        if not within(path, transition.writable):
            allowed = ", ".join(pointer(place) for place in transition.writable)
            raise Denied(
                f"The transition {transition.name!r} may write {allowed or 'nothing'}",
                path=pointer(path),
            )


def check_rights(author: str, writable: tuple[Path, ...] | None, paths: Iterable[Path]) -> None:
    """Raise `Denied` for the first path that an author may not write; None allows all."""
    if writable is None:
        return
    for path in paths:
        if not within(path, writable):
            allowed = ", ".join(pointer(place) for place in writable) or "nothing"
            raise Denied(f"{author} may write {allowed}", path=pointer(path), author=author)


def check_guard(transition: Transition | None, before: Any, after: Any, evidence: Any) -> None:
    """Raise `TransitionRefused` where the transition's guard says no."""
    if transition is None or transition.guard is None:
        return
    reason = objection(transition.guard, before, after, evidence)
    if reason is not None:
        raise TransitionRefused(
            f"The guard of {transition.name!r} refuses: {reason}",
            next_step="Bring about what the guard asks for first",
            rule=transition.guard.__name__,
        )


def check_invariant(rule: Rule, fields: Iterable[str], before: Any, after: Any, evidence: Any) -> None:
    """Raise `InvariantViolated` where a rule does not hold."""
    reason = objection(rule, before, after, evidence)
    if reason is not None:
        raise InvariantViolated(
            f"{rule.__name__.replace('_', ' ')}: {reason}",
            rule=rule.__name__,
            path=", ".join(f"/{name}" for name in fields),
            value=", ".join(str(getattr(after, name, None))[:80] for name in fields) or None,
        )


def objection(rule: Rule, *arguments: Any) -> str | None:
    """What a rule has against it, or None; only as many arguments are passed as it takes."""
    try:
        verdict = rule(*arguments[: _arity(rule)])
    except Refused:
        raise
    except (ValueError, AssertionError) as error:
        return str(error) or "it does not hold"
    if verdict is None or verdict is True:
        return None
    return verdict if isinstance(verdict, str) else "it does not hold"


@functools.lru_cache(maxsize=512)
def _arity(rule: Rule) -> int:
    try:
        parameters = inspect.signature(rule).parameters.values()
    except (TypeError, ValueError):
        return 1
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return 3
    positional = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    return sum(parameter.kind in positional for parameter in parameters)
