"""The state machine: named transitions between the phases of a schema, and what each may write."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .errors import Denied, InvariantViolated, TransitionRefused
from .objections import Objection, Rule, against, arity, name_of, told
from .values import Path, parse_path, pointer, within

__all__ = ["Machine", "Rule", "Transition", "check_guard", "check_invariant", "check_rights", "check_writes"]


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
                "guard": name_of(item.guard) if item.guard else None,
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
            allowed = list(map(pointer, transition.writable))
            raise Denied(
                f"The transition {transition.name!r} may write {', '.join(allowed) or 'nothing'}",
                path=pointer(path),
                transition=transition.name,
                right="commit",
                allowed=allowed,
            )


def check_rights(author: str, writable: tuple[Path, ...] | None, paths: Iterable[Path]) -> None:
    """Raise `Denied` for the first path that an author may not write; None allows all."""
    if writable is None:
        return
    for path in paths:
        if not within(path, writable):
            allowed = list(map(pointer, writable))
            raise Denied(
                f"{author} may write {', '.join(allowed) or 'nothing'}",
                path=pointer(path),
                author=author,
                right="commit",
                allowed=allowed,
            )


_DEFECT = "Mend the rule: it is a defect of the schema, and no patch can help"


def check_guard(transition: Transition | None, before: Any, after: Any, evidence: Any) -> None:
    """Raise `TransitionRefused` where the transition's guard says no.

    `retry` says whether another patch could pass: not where the guard looks at the state before alone.
    """
    if transition is None or transition.guard is None:
        return
    found = against(transition.guard, before, after, evidence)
    if found is None:
        return
    refuses = f"is broken: {found.defect}" if found.defect else f"refuses: {found.reason}"
    raise TransitionRefused(
        f"The guard of {transition.name!r} {refuses}",
        next_step=_DEFECT if found.defect else "Bring about what the guard asks for first",
        **told(found, transition.guard, (), before, after),
        transition=transition.name,
        retry=_worth_a_retry(found, otherwise=arity(transition.guard) > 1),
    )


def check_invariant(
    rule: Rule, fields: Iterable[str], before: Any, after: Any, evidence: Any, transition: str | None = None
) -> None:
    """Raise `InvariantViolated` where a rule does not hold, with what stood there and what would."""
    found = against(rule, before, after, evidence)
    if found is None:
        return
    name = name_of(rule).replace("_", " ")
    raise InvariantViolated(
        f"The rule {name!r} is broken: {found.defect}" if found.defect else f"{name}: {found.reason}",
        next_step=_DEFECT if found.defect else "",
        **told(found, rule, fields, before, after),
        transition=transition,
        retry=_worth_a_retry(found, otherwise=True),
    )


def _worth_a_retry(found: Objection, *, otherwise: bool) -> bool:
    return otherwise if found.retry is None else found.retry
