"""Commits that say something of other commits: retracted, carried over, superseded. Read and checked here.

| source | what such a commit says |
|---|---|
| `{"retract": {"branch", "version", "reason"}}` | that commit was wrong; its patch is empty |
| the same with `"undo": [[branch, version], …]` | these retractions of it are taken back; empty as well |
| `{"carry": {"branch", "version", "hash"}}` | the same author, transition and patch, on another line |
| `{"merge": {"branch", "version", "hash", "ours": true}}` | that branch is superseded up to there; empty |

Each names a commit by the branch that it is stored under. What a retraction means for those that rest on
it is found when it is read (`impact`): nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from . import commits
from .chain import form_of
from .engines import Statement, Work
from .errors import Tampered
from .joining import Reach, Tip
from .lineages import holder, lineage
from .patches import Operation, Patch, patch_to_json
from .records import RETRACT, Change, Commit, carries
from .tables import commits as commits_table
from .values import JSON, parse_object

_retractions = Statement(
    sa.select(*commits_table.c["branch", "version", "author", "at", "source"]).where(
        commits_table.c.session_id == sa.bindparam("session_id"),
        commits_table.c.source.is_not(None),
        commits_table.c.source.like(f'{{"{RETRACT}":%'),
    )
)

_MOST_HANDS = 1000
"""Through how many branches a commit may have been carried."""

SILENT = frozenset({RETRACT, "redact", "prune"})
"""What the sources of commits are called that write nothing, and so can be neither retracted nor carried."""


@dataclass(frozen=True, slots=True)
class Retraction:
    """A commit that says that another one was wrong, or that it was not after all.

    Attributes:
        branch, version: Where it stands itself.
        of: The retracted commit: the branch that it is stored under, and its version.
        undo: The retractions that it takes back; empty for a retraction.
    """

    branch: str
    version: int
    author: str
    at: int
    of: Tip
    reason: str
    undo: tuple[Tip, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The retraction as plain data."""
        return {
            "branch": self.branch,
            "version": self.version,
            "author": self.author,
            "at": self.at,
            "of": {"branch": self.of[0], "version": self.of[1]},
            "reason": self.reason,
        }


class Origin(NamedTuple):
    """The commit that another one speaks of, and what it says of it."""

    commit: Commit
    said: dict[str, JSON]


def standing(work: Work, session_id: int, reach: Reach) -> dict[Tip, tuple[Retraction, ...]]:
    """The retractions that count for a version, by the commit that each retracts.

    Args:
        reach: Which versions went into it (`joining.reach`): what was merged brings its retractions along.
    """
    told = [
        one
        for row in work.all(_retractions, session_id=session_id)
        if row[1] <= reach.get(row[0], -1) and (one := _retraction(*row)) is not None
    ]
    undone = {tip for one in told for tip in one.undo}
    found: dict[Tip, tuple[Retraction, ...]] = {}
    for one in sorted(told, key=lambda one: (one.branch, one.version)):
        if not one.undo and (one.branch, one.version) not in undone:
            found[one.of] = (*found.get(one.of, ()), one)
    return found


def _retraction(branch: str, version: int, author: str, at: int, source: str) -> Retraction | None:
    match parse_object(source):
        case {"retract": {"branch": str(of), "version": int(number), "reason": str(reason), **rest}}:
            undo: Any = rest.get("undo", ())
            taken = tuple((str(name), int(its)) for name, its in undo)
            return Retraction(branch, version, author, at, (of, number), reason, taken)
    return None


def place(work: Work, session_id: int, branch: str, version: int) -> Tip:
    """The branch that a version of a lineage is stored under, and the version."""
    return holder(lineage(work, session_id, branch), version), version


def carried_from(source: dict[str, JSON] | None) -> Tip | None:
    """The commit that a commit was carried over from; None for any other."""
    match source:
        case {"carry": {"branch": str(branch), "version": int(version)}}:
            return branch, version
    return None


def supersedes(source: dict[str, JSON] | None) -> bool:
    """Whether a commit says that it stands for all of another branch, and brings nothing of it."""
    match source:
        case {"merge": {"ours": True}}:
            return True
    return False


def origin(work: Work, session_id: int, source: dict[str, JSON] | None) -> Origin:
    """The commit that a retraction, a carried commit or an ours-merge names.

    Raises:
        NotFound: there is no such commit.
        Tampered: the source names none.
    """
    for said in (source or {}).values():
        match said:
            case {"branch": str(branch), "version": int(version)}:
                return Origin(commits.commit(work, session_id, branch, version), said)
    raise Tampered("What it was taken from is not said")


def first(work: Work, session_id: int, commit: Commit) -> Commit:
    """The commit that one was carried over from in the end; itself where it was not carried.

    Raises:
        NotFound: one of them is not there.
        Tampered: they lead nowhere.
    """
    for _ in range(_MOST_HANDS):
        if not carries(commit.source):
            return commit
        commit = origin(work, session_id, commit.source).commit
    raise Tampered("It was carried over in a circle")


def patch_to_carry(origin: Commit) -> Patch:
    """The patch of a commit as it is brought again: the transition moves the phase anew, a merge merges."""
    moved = origin.transition is not None
    return tuple(
        Operation(item.verb, item.path, item.value, item.key)
        for item in origin.patch
        if not (moved and item.path == ("phase",))
    )


def change_of(origin: Commit) -> Change:
    """A commit as the change that was admitted: for asking again whether it may be made."""
    return Change(
        origin.author,
        origin.patch,
        origin.base,
        origin.read_paths,
        round=origin.round,
        source=origin.source,
    )


def check(work: Work, session_id: int, commit: Commit, redacted: AbstractSet[str] = frozenset()) -> None:
    """Raise `Tampered` where a commit that speaks of another one is not what it must be.

    Args:
        redacted: Fields of which something was taken away, where patches may differ.
    """
    source = commit.source
    if source is None:
        return
    if RETRACT in source:
        _check_retraction(work, session_id, commit)
    elif carries(source):
        _check_carried(work, session_id, commit, redacted)
    elif supersedes(source):
        made, said = origin(work, session_id, source)
        if said != told(made, ours=True) or commit.patch:
            raise Tampered("it supersedes another branch than it says, or writes something")


def told(made: Commit, **more: JSON) -> dict[str, JSON]:
    """What a source says of the commit that it names; the chain covers it."""
    return {"branch": made.branch, "version": made.version, "hash": made.hash.hex(), **more}


def _check_retraction(work: Work, session_id: int, commit: Commit) -> None:
    made, said = origin(work, session_id, commit.source)
    undo = said.get("undo", [])
    if commit.patch or commit.round is not None or not isinstance(said.get("reason"), str):
        raise Tampered("a retraction writes nothing, ends no round and gives its reason")
    later = made.branch == commit.branch and made.version >= commit.version
    if made.branch != said["branch"] or later or not isinstance(undo, list):
        raise Tampered("what it retracts was not there")
    for item in undo:
        match item:
            case [str(branch), int(version)]:
                its = origin(work, session_id, commits.commit(work, session_id, branch, version).source)
                if (its.commit.branch, its.commit.version) == (made.branch, made.version):
                    continue
        raise Tampered("it takes back what is no retraction of this commit")


def _check_carried(work: Work, session_id: int, commit: Commit, redacted: AbstractSet[str]) -> None:
    made, said = origin(work, session_id, commit.source)
    before = commits.hash_of(work, session_id, made.branch, made.version - 1) if made.version else b""
    if said != told(made) or form_of(work, session_id, made, before) is None:
        raise Tampered("what it was carried over from is not what it says")
    mine = (commit.transition, commit.reads, commit.isolation, commit.round, commit.base)
    if mine != (made.transition, made.reads, made.isolation, None, commit.version - 1):
        raise Tampered("it differs from what it was carried over from")
    if not any(item.pruned for item in made.patch):
        its, ours = _bare(patch_to_carry(made), redacted), _bare(patch_to_carry(commit), redacted)
        if its != ours:
            raise Tampered("its patch is not that of what it was carried over from")


def _bare(patch: Iterable[Operation], redacted: AbstractSet[str]) -> list[JSON]:
    """A patch to be compared: without fields of which something was redacted, and what a merge came to."""
    kept = (item for item in patch if item.path and item.path[0] not in redacted)
    return patch_to_json(
        tuple(
            Operation(item.verb, item.path, {"by": item.value.get("by")}, item.key)
            if item.verb == "fold" and isinstance(item.value, dict)
            else item
            for item in kept
        )
    )
