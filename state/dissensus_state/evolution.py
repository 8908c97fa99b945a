"""A schema moves on: the commit that lifts a head, and what such a commit may be. Pure.

The first write by code with a newer schema makes a *migration*: a commit whose patch turns the stored
state into the lifted one, and whose source says from which version to which. What was stored before
it stays as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .delta import delta
from .errors import DissensusError, Refused, Tampered, UpcastFailed
from .growing import settled
from .machine import check_invariant
from .patches import Patch
from .records import UPCAST, Change, Commit, is_migration
from .shapes import Shape, SharedState
from .upcasting import lift
from .values import JSON, canonical

AUTHOR = "schema"
"""Who the history names for a migration that nobody asked for by name."""


def versions_of(commit: Commit) -> tuple[int, int] | None:
    """From which schema version to which a migration leads; None for any other commit."""
    match commit.source:
        case {"upcast": [int(before), int(after)]}:
            return before, after
    return None


def migration(
    shape: Shape, state: JSON, version: int, base: int, author: str, evidence: Sequence[JSON] = ()
) -> tuple[Change, JSON, SharedState]:
    """What lifts a head: the change, and the stored and typed state after it.

    Args:
        state: The stored state of the head.
        version: The schema version that it is of.
        base: The version of the head.

    Raises:
        UpcastFailed: it cannot be lifted, or is lifted to something else each time.
        InvariantViolated: the lifted state breaks a rule of the schema.
    """
    lifted = lift(shape, state, version)
    if canonical(lifted) != canonical(lift(shape, state, version)):
        raise UpcastFailed(
            "Lifting the same state twice gives two states",
            next_step="Take clocks, random numbers and default factories that differ out of it",
            upcast=f"{version} -> {shape.version}",
        )
    typed = shape.typed(lifted)
    check_rules(shape, typed, evidence)
    patch = delta(settled(state), lifted, shape.sets | shape.keys.keys())
    source: dict[str, JSON] = {UPCAST: [version, shape.version]}
    return Change(author, patch, base, evidence=tuple(evidence), source=source), lifted, typed


def check_rules(shape: Shape, typed: SharedState, evidence: Sequence[JSON] = ()) -> None:
    """Hold a lifted state to every invariant; it stands for the state before as well."""
    for error in broken_rules(shape, typed, evidence):
        raise error


def broken_rules(shape: Shape, typed: SharedState, evidence: Sequence[JSON] = ()) -> list[Refused]:
    """The refusals of the invariants that do not hold."""
    broken: list[Refused] = []
    for names, rule in shape.invariants:
        try:
            check_invariant(rule, names, typed, typed, evidence)
        except Refused as error:
            broken.append(error)
    return broken


def seen(change: Change, unseen: Sequence[Commit], version: int) -> tuple[Change, Sequence[Commit]]:
    """A change without the migration that it was made on, before that was a commit.

    Who reads an older head reads it lifted, which is what the migration right after it makes of it.
    A round tells nothing of the code that it was begun by, so it has seen no migration after its base.
    """
    first = versions_of(unseen[0]) if unseen else None
    if change.round is not None or first is None or first[1] != version:
        return change, unseen
    return replace(change, base=unseen[0].version), unseen[1:]


def check_migration(
    commit: Commit, previous: int | None, before: JSON, after: JSON, shape: Shape | None, *, whole: bool
) -> None:
    """Raise `Tampered` where a commit moves the schema version and is no migration, or one in name only.

    Args:
        previous: The schema version of the commit before; None for the first.
        whole: The history holds every value that was written; where some were taken away, lifting
            cannot be repeated.
        shape: The schema, to lift the state again where it is the one that the commit lifted it to.
    """
    if not is_migration(commit):
        if previous not in {None, commit.schema_version}:
            raise _tampered(commit, f"it moves the schema version from {previous} without lifting the state")
        return
    _check_form(commit, previous)
    if shape is None or shape.version != commit.schema_version or not whole or previous is None:
        return
    try:
        lifted = lift(shape, before, previous)
    except DissensusError as error:
        raise _tampered(commit, f"the state before it cannot be lifted ({error.message})") from error
    if canonical(lifted) != canonical(settled(after)):
        raise _tampered(commit, "its patch does something else than to lift the state")


def _check_form(commit: Commit, previous: int | None) -> None:
    onward = previous is not None and previous < commit.schema_version
    if not onward or commit.source != {UPCAST: [previous, commit.schema_version]}:
        raise _tampered(commit, f"it does not lead from schema version {previous} to {commit.schema_version}")
    bare = (commit.transition, commit.round, commit.key, commit.reads, commit.base)
    if bare != (None, None, None, (), commit.version - 1):
        raise _tampered(commit, "a migration reads nothing, takes no transition and ends no round")


def _tampered(commit: Commit, why: str) -> Tampered:
    return Tampered(f"Version {commit.version} could not have been admitted: {why}", version=commit.version)


def keeps_values(patch: Patch) -> bool:
    """Whether everything that a patch wrote is still there."""
    return all(operation.gone is None for operation in patch)
