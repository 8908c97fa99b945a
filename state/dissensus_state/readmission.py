"""Commits admitted once more, under the schema as it is now: what of a history would be refused today.

Pure: types, transitions, guards, invariants and rights are asked again, on the states as they were. What
was concurrent is not: that no two writes overlapped is for `verify` to say.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from . import admission, doors
from .errors import DissensusError, Refused, ReviewRequired, SchemaRefused
from .growing import Grown
from .heads import Head
from .patches import Patch, grow, patch_to_json
from .records import Change, Commit, Proposal, Round, Ruling, erases, is_migration
from .shapes import Shape, SharedState
from .snapshots import initial
from .upcasting import USERS_ERRORS, check_known
from .values import JSON, Path


class Behind(NamedTuple):
    """What stands behind a commit that ended a round: the round, its proposals and its rulings."""

    round: Round
    made: Sequence[Proposal]
    given: Sequence[Ruling]


class Refusal(NamedTuple):
    """Why a commit would not be admitted now, or what else would be written in its place."""

    error: DissensusError
    instead: Patch | None = None


class Readmission:
    """A history that is admitted again, commit after commit, in order.

    Args:
        shape: The schema as it is now.

    Attributes:
        others: How many commits were passed over since they are of another version of the schema.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.others = 0
        self._known: tuple[int, SharedState] | None = None

    def refusal(
        self,
        commit: Commit,
        before: JSON,
        behind: Behind | None = None,
        writes: tuple[Path, ...] | None = None,
    ) -> Refusal | None:
        """Why a commit would be refused now; None where it would be admitted, and as it was.

        Args:
            commit: The commit.
            before: The state before it, as it is stored.
            behind: What stands behind it, where it ended a round.
            writes: What its step may write; None where nobody says.
        """
        if commit.schema_version != self.shape.version:
            self.others += 1
            self._known = None
            return self._newer(commit)
        if is_migration(commit) or any(item.gone for item in commit.patch):
            self._known = None
            return None
        try:
            found = self._admitted(commit, before, behind, writes)
        except (DissensusError, *USERS_ERRORS) as error:
            found = Refusal(_named(error))
        self._go_on(commit, before)
        return found

    def _newer(self, commit: Commit) -> Refusal | None:
        try:
            check_known(self.shape, commit.schema_version)
        except Refused as error:
            return Refusal(error)
        return None

    def _admitted(
        self, commit: Commit, before: JSON, behind: Behind | None, writes: tuple[Path, ...] | None
    ) -> Refusal | None:
        if commit.version:
            return self._asked(commit, before, behind, writes)
        state = {item.path[0]: item.value for item in commit.patch}
        typed = self.shape.typed(state)
        admission.check_initial(self.shape, typed, tuple(state))
        self._known = 0, typed
        return None

    def _asked(
        self, commit: Commit, before: JSON, behind: Behind | None, writes: tuple[Path, ...] | None
    ) -> Refusal | None:
        """Go through the door of writing again, without writing."""
        change = change_of(commit, writes)
        if erases(commit.source):
            doors.check_made(self.shape.rights, change, None, (), ())
            return None
        typed = self._typed(commit.version - 1, before)
        state = _complete(self.shape, before, typed)
        head = Head(commit.version - 1, b"", state, typed, initial({}, 0), commit.schema_version)
        admitted, _, after = admission.admit(head, self.shape, change)
        self._check_review(commit, before, behind)
        base, made, given = (
            (None, (), ()) if behind is None else (behind.round.base, behind.made, behind.given)
        )
        if not doors.takes_over(change):  # that rests on the right by which another commit was made
            doors.check_made(self.shape.rights, admitted, base, made, given)
        if patch_to_json(admitted.patch) == patch_to_json(commit.patch):
            self._known = commit.version, after
            return None
        return Refusal(Refused("Today's schema makes another patch of what was asked for"), admitted.patch)

    def _check_review(self, commit: Commit, before: JSON, behind: Behind | None) -> None:
        """G5: where the transition needs a ruling, there is one that lets the commit pass."""
        transition = admission.transition_of(self.shape, change_of(commit, None), before)
        if transition is None or not transition.review:
            return
        last = behind.given[-1] if behind is not None and behind.given else None
        if last is None or last.decision not in {"uphold", "amend"}:
            raise ReviewRequired(f"The transition {transition.name!r} is committed under a ruling only")

    def _typed(self, version: int, state: JSON) -> SharedState:
        """A state as the schema sees it; fields that do not fit it stay as they are stored."""
        if self._known is None or self._known[0] != version:
            try:
                self._known = version, self.shape.typed(state)
            except Refused:
                self._known = version, leniently(self.shape, state)
        return self._known[1]

    def _go_on(self, commit: Commit, before: JSON) -> None:
        """Know the typed state after a commit that was made, whatever is said of it now."""
        if self._known is None or self._known[0] == commit.version:
            return
        typed, after = self._known[1], grow(before, commit.patch)
        try:
            typed = self.shape.advance(typed, before, after, commit.patch)
        except (DissensusError, *USERS_ERRORS):
            touched = {item.path[0] for item in commit.patch if item.path}
            typed = leniently(self.shape, {name: after[name] for name in touched if name in after}, typed)
        self._known = commit.version, typed


def change_of(commit: Commit, writes: tuple[Path, ...] | None) -> Change:
    """What was asked for: the commit without the move of the phase, which is its transition's."""
    patch = commit.patch
    if commit.transition is not None:
        patch = tuple(item for item in patch if item.path != ("phase",))
    return Change(
        commit.author,
        patch,
        commit.base,
        commit.read_paths,
        commit.transition,
        commit.isolation,
        writes,
        commit.round,
        commit.evidence,
        source=commit.source,
    )


def leniently(shape: Shape, state: JSON, known: SharedState | None = None) -> SharedState:
    """A stored state as the user's model, in which fields that do not fit stand as they are stored.

    Args:
        shape: The schema.
        state: The state, or those fields of it that are to be read anew.
        known: What the other fields are.
    """
    values: dict[str, Any] = {} if known is None else dict(known.__dict__)
    for name, adapter in _adapters(shape).items():
        if name not in state:
            continue
        value = state[name][:] if isinstance(state[name], Grown) else state[name]
        try:
            values[name] = adapter.validate_python(value)
        except ValidationError:
            values[name] = value
    return shape.schema.model_construct(**values)


@functools.lru_cache(maxsize=64)
def _adapters(shape: Shape) -> Mapping[str, TypeAdapter[Any]]:
    return {name: TypeAdapter(info.annotation or Any) for name, info in shape.schema.model_fields.items()}


def _complete(shape: Shape, state: JSON, typed: SharedState) -> JSON:
    """The state with the fields that the schema has and it has not, at their defaults."""
    missing = shape.merges.keys() - state.keys()
    if not missing:
        return state
    return {**state, **{name: Shape.dump(_adapters(shape)[name], getattr(typed, name)) for name in missing}}


def _named(error: Exception) -> DissensusError:
    """What a rule of the user's raised, as an error with a code."""
    if isinstance(error, DissensusError):
        return error
    return SchemaRefused(f"The schema raised {type(error).__name__}: {str(error)[:200]}")
