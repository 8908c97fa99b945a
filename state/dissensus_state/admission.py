"""May this change become the next version? Pure: the machine, the schema, the invariants, the rulings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from .errors import Conflict, Denied, FieldMissing, NotFound, ReviewRequired
from .heads import Head
from .machine import Transition, check_guard, check_invariant, check_rights, check_writes
from .patches import Operation, Patch, grow, touched
from .records import Change, Commit, Proposal, Round, Ruling, carries
from .rounds import binding, keeps_to
from .shapes import Shape, SharedState, rules_for
from .values import JSON


def check_base(change: Change, head: int) -> None:
    """Raise `NotFound` where a change is based on a version that is not there."""
    if not 0 <= change.base <= head:
        raise NotFound(f"The base version {change.base} is not there: the head is {head}")


def check_repeated(done: Commit, change: Change) -> Commit:
    """The commit that this key stands for; another change under the same key is a mistake."""
    if done.author != change.author or done.transition != change.transition:
        raise Conflict(
            f"The key {change.key!r} stands for version {done.version} by {done.author}",
            next_step="Use a new idempotency key for a new change",
            retry=False,
        )
    return done


def transition_of(shape: Shape, change: Change, state: JSON) -> Transition | None:
    """The transition that a change takes from this state, if the machine has one.

    A change that was taken from somewhere takes none: its parts took theirs where they were made. One
    that is carried over takes its own again.
    """
    if change.source is not None and not carries(change.source):
        return None
    return shape.machine.find(change.transition, state.get("phase"))


def admit(head: Head, shape: Shape, change: Change) -> tuple[Change, JSON, SharedState]:
    """The change as it is to be stored, and the state after it, stored and typed.

    Raises:
        Denied: it writes outside of what its author or its transition may.
        TransitionRefused, InvariantViolated, SchemaRefused: it may not stand.
    """
    writes = touched(change.patch)
    check_rights(change.author, change.writes, writes)
    _check_fields(shape, change.patch)
    typed = head.typed or shape.typed(head.state)
    transition = transition_of(shape, change, head.state)
    if transition is not None:
        _check_phase(transition, writes)
    patch = shape.resolved(_with_phase(change.patch, head.state, transition), head.state)
    state = grow(head.state, patch)
    after = shape.advance(typed, head.state, state, patch)
    _check_rules(head.state, shape, change, transition, typed, after, {item.path[0] for item in patch})
    return (change if patch is change.patch else replace(change, patch=patch)), state, after


def _check_fields(shape: Shape, patch: Patch) -> None:
    for operation in patch:
        if not operation.path:
            raise FieldMissing("A patch changes fields, not the state as a whole")
        shape.field(operation.path[0])


def _check_phase(transition: Transition, writes: Sequence[tuple[str, ...]]) -> None:
    check_writes(transition, (path for path in writes if path != ("phase",)))
    if any(path[:1] == ("phase",) for path in writes):
        raise Denied("The phase is moved by the transition, not by a patch", path="/phase")


def _with_phase(patch: Patch, state: JSON, transition: Transition | None) -> Patch:
    if transition is None or state.get("phase") == transition.target:
        return patch
    return (*patch, Operation("set", ("phase",), transition.target))


def _check_rules(
    state: JSON,
    shape: Shape,
    change: Change,
    transition: Transition | None,
    typed: SharedState,
    after: SharedState,
    fields: Iterable[str],
) -> None:
    """Hold the typed state to the rules that a change of these fields may break."""
    rules = rules_for(shape, fields)
    guarded = transition is not None and transition.guard is not None
    if not rules and not guarded:
        return
    before = shape.seen(typed, state)
    for names, rule in rules:
        check_invariant(rule, names, before, after, change.evidence, change.transition)
    check_guard(transition, before, after, change.evidence)


def check_initial(shape: Shape, typed: SharedState, fields: Iterable[str]) -> None:
    """Hold a new state to the invariants of its schema."""
    for names, rule in rules_for(shape, fields):
        check_invariant(rule, names, typed, typed, (), None)


def check_review(
    change: Change,
    round_: Round,
    ruling: Ruling | None,
    made: Sequence[Proposal],
) -> None:
    """G5: where review is due, only a ruling on exactly these proposals and this base lets pass."""
    if ruling is None or ruling.gone or ruling.decision not in {"uphold", "amend"}:
        raise ReviewRequired(f"Round {change.round} awaits a ruling", round=change.round)
    if ruling.binding != binding(round_.base, made) or change.base != round_.base:
        raise ReviewRequired(
            f"The ruling of {ruling.author} is bound to other proposals or another base version",
            round=change.round,
        )
    if not keeps_to(change.patch, ruling, made):
        raise ReviewRequired(
            f"The patch does something that the ruling of {ruling.author} does not let it",
            round=change.round,
        )
