"""Every error of the state, and the root of all errors of dissensus.

    DissensusError                 1   root: code, next step, context
    ├── NotFound                   3   no such session, branch, version, round or path
    │   ├── Pruned                 3   a version whose values were taken away
    │   └── NoneBad                3   bisect: no version is the first bad one
    ├── Conflict                   4   two writes overlap
    │   ├── LeaseLost              4   another worker took over
    │   └── BranchClosed           4   nothing is committed to it any more
    ├── CheckFailed                5   the history does not hold what it must
    │   ├── Tampered               5   verify: a commit that could not have been admitted
    │   └── Diverged               5   replay: the first difference
    ├── ArchiveRefused             2   a file that is no session, or not whole
    ├── BudgetExceeded             6   the worst case of a call does not fit
    ├── DatabaseFailed            10   the database cannot be used
    │   ├── NeedsMigration         8   an older schema of ours
    │   ├── NotOurs                9   a database that dissensus did not make
    │   ├── TenantRefused         10   whose sessions are meant is not said, or cannot be kept apart
    │   ├── DiskFull              11   no room for what was to be written
    │   └── OutcomeUnknown        21   a commit whose answer was lost
    ├── Denied                    16   a path outside of what was given
    ├── FieldMissing              17   the schema has no such field
    └── Refused                   18   a commit that may not stand
        ├── ValueRefused          18   not a value the state can hold
        ├── SchemaRefused         18   a value that the schema does not allow
        ├── InvariantViolated     18   a rule of the schema is broken
        ├── TransitionRefused     18   the machine has no such step from here, or its guard said no
        ├── ReviewRequired        18   no ruling is bound to these proposals and this base version
        ├── CarryRefused          18   a commit of another line that does not fit here
        ├── SchemaNewer           18   the state was written by code with a newer schema
        └── UpcastFailed          18   a stored state cannot be lifted to this schema
            └── LinkMissing       18   for want of an upcaster

The number is the command line's exit code. The errors of the agents (`dissensus_agents.errors`)
grow from the same root.
"""

from __future__ import annotations

from typing import Any, ClassVar


class DissensusError(Exception):
    """Something went wrong in dissensus.

    Args:
        message: What happened, to what. Without one, the class speaks its own docstring.
        next_step: What to do now.
        context: Where it happened: `session`, `branch`, `version`, `path`, `agent`, `round`, …

    Attributes:
        code: A stable name, safe to match on.
        exit_code: What the command line exits with.
    """

    code: ClassVar[str] = "dissensus.error"
    exit_code: ClassVar[int] = 1
    next_step: str = ""

    def __init__(self, message: str = "", *, next_step: str = "", **context: Any) -> None:
        self.message = message or (self.__doc__ or "").split("\n", 1)[0]
        self.next_step = next_step or type(self).next_step
        self.context = {name: value for name, value in context.items() if value is not None}
        super().__init__(self.message)

    def __str__(self) -> str:
        where = ", ".join(f"{name} {value}" for name, value in self.context.items())
        text = f"{self.message} ({where})" if where else self.message
        return f"{text}. {self.next_step}" if self.next_step else text

    def __reduce__(self) -> tuple[Any, ...]:
        return _revive, (type(self), self.message, self.next_step, self.context)

    def as_dict(self) -> dict[str, Any]:
        """The error as plain data: for `--json`, the history, or a model that must mend it."""
        return {
            "code": self.code,
            "message": self.message,
            "next": self.next_step,
            **{name: value for name, value in self.context.items() if name not in {"code", "next"}},
        }


def _revive(
    kind: type[DissensusError], message: str, next_step: str, context: dict[str, Any]
) -> DissensusError:
    return kind(message, next_step=next_step, **context)


class located:  # noqa: N801 - it is used like the function that it would be, which would cost more
    """Stamp where we are onto any error that passes this border and does not know it yet."""

    __slots__ = ("_context",)

    def __init__(self, **context: Any) -> None:
        self._context = context

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: object) -> None:
        if isinstance(error, DissensusError):
            known = {name: value for name, value in self._context.items() if value is not None}
            error.context = {**known, **error.context}


class NotFound(DissensusError):
    """There is nothing of that name."""

    code = "not_found"
    exit_code = 3
    next_step = "List what there is with `dissensus sessions`, `dissensus log`"


class Pruned(NotFound):
    """The values of this version were pruned; their digests are left."""

    code = "version.pruned"
    next_step = "Ask for a version from which on the history is there"


class NoneBad(NotFound):
    """No version between the good and the bad one is the first bad one."""

    code = "bisect.none"
    next_step = "Name a good version before a bad one, and a test that tells them apart"


class Conflict(DissensusError):
    """Somebody else changed what this commit read or writes.

    `context` holds `expected` and `actual` version, the overlapping `paths`, the `other` author,
    and whether a `retry` on a new snapshot can help.
    """

    code = "conflict"
    exit_code = 4
    next_step = "Read again and repeat the step; session.transact(fn) does that for you"


class LeaseLost(Conflict):
    """Another worker has taken this branch over; what this one still brings is refused."""

    code = "lease.lost"
    next_step = "Let one worker run a branch at a time; start this one again to take it back"


class BranchClosed(Conflict):
    """The branch is closed: nothing is committed to it any more."""

    code = "branch.closed"
    next_step = "Fork a new branch from it, or work on another one"


class CheckFailed(DissensusError):
    """A check of the history failed."""

    code = "check.failed"
    exit_code = 5


class Tampered(CheckFailed):
    """The stored history could not have come about by commits that were admitted."""

    code = "verify.tampered"
    next_step = "Trust nothing from this version on; restore a backup and run `dissensus verify`"


class Diverged(CheckFailed):
    """The replay differs from the recorded history."""

    code = "replay.diverged"
    next_step = "Compare `expected` with `actual`: the code, a prompt or a schema changed since"


class BudgetExceeded(DissensusError):
    """The worst case of this call does not fit into what is left of the budget."""

    code = "budget.exceeded"
    exit_code = 6
    next_step = "Raise the limit with `dissensus budget USD`, or lower max_output_tokens, and resume"


class ArchiveRefused(DissensusError):
    """The file of a session cannot be used; nothing of it was taken in."""

    code = "archive.refused"
    exit_code = 2
    next_step = "Export the session again, with `dissensus export`"


class DatabaseFailed(DissensusError):
    """The database could not do what was asked; what was acknowledged before is safe."""

    code = "database.failed"
    exit_code = 10
    next_step = "Check that the database runs and can be reached, then start again: it resumes"


class NeedsMigration(DatabaseFailed):
    """The database has an older schema than this version of dissensus."""

    code = "database.needs_migration"
    exit_code = 8
    next_step = "Back it up, then run `dissensus db upgrade URL`"


class NotOurs(DatabaseFailed):
    """The database was not made by dissensus, and is left as it is."""

    code = "database.not_ours"
    exit_code = 9
    next_step = "Name a new SQLite file, or an empty PostgreSQL database"


class TenantRefused(DatabaseFailed):
    """The database cannot be opened for this tenant, or not without one."""

    code = "tenant.refused"
    next_step = "See what there is as the tables' owner with `dissensus db tenants list URL`"


class DiskFull(DatabaseFailed):
    """There is no room left for what was to be written; nothing of it was committed."""

    code = "database.full"
    exit_code = 11
    next_step = "Free some space, then start again: everything acknowledged is there"


class OutcomeUnknown(DatabaseFailed):
    """The connection broke before the answer to a commit came; it may have been made or not."""

    code = "database.outcome_unknown"
    exit_code = 21
    next_step = "Repeat it under the same idempotency key, or see in `dissensus log` whether it is there"


class Denied(DissensusError):
    """A path outside of what this author was given."""

    code = "denied"
    exit_code = 16
    next_step = "Add the path to the step's `reads` or `writes`, or to the transition's `writes`"


class FieldMissing(DissensusError):
    """The schema has no such field."""

    code = "schema.field_missing"
    exit_code = 17
    next_step = "Correct the name, or add the field to the schema and raise its version"


class Refused(DissensusError):
    """The commit may not stand; nothing was changed."""

    code = "refused"
    exit_code = 18


class ValueRefused(Refused):
    """Not a value that the state can hold."""

    code = "value.refused"
    next_step = "Give JSON: finite numbers, valid text, string keys, within the limits of size and depth"


class SchemaRefused(Refused):
    """The schema does not allow this value."""

    code = "schema.refused"
    next_step = "Give a value of the field's type"


class InvariantViolated(Refused):
    """An invariant of the schema does not hold after this patch."""

    code = "invariant.violated"
    next_step = "Change the patch so that the rule holds"


class TransitionRefused(Refused):
    """The machine does not allow this transition here."""

    code = "transition.refused"
    next_step = "See what it allows with `dissensus machine MODULE:Class`"


class ReviewRequired(Refused):
    """No ruling is bound to exactly these proposals and this base version."""

    code = "review.required"
    next_step = "Let a supervisor rule on the round, or settle it with `dissensus rule`"


class CarryRefused(Refused):
    """A commit of another line does not fit onto this one.

    `context` holds its `origin` (`main@7`), and the code of what stands in the way as `because`.
    """

    code = "carry.refused"
    next_step = "Leave it out, or make the change anew on this branch"


class SchemaNewer(Refused):
    """The state was written by code with a newer schema than this."""

    code = "schema.newer"
    next_step = "Open it with the newer code; what is stored is untouched"


class UpcastFailed(Refused):
    """A stored state cannot be lifted to this version of its schema; it stays as it is.

    `context` holds the step as `upcast` (`"1 -> 2"`), the `path` and the beginning of the `value`.
    """

    code = "schema.upcast_failed"
    next_step = "Correct the upcaster, and try all sessions with `dissensus schema check MODULE:Class`"


class LinkMissing(UpcastFailed):
    """A stored state does not fit, and the schema has no upcaster for a step on the way.

    `context` holds the steps that have none as `missing`.
    """

    code = "schema.link_missing"
    next_step = "Declare the step in the schema with @upcaster(version)"
