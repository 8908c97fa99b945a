"""An admitted change as a commit: its hash, its row, the head that it makes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from . import blobs, evolution
from .blobs import Stowed
from .chain import chained
from .heads import Head
from .records import Change, Commit
from .shapes import Shape
from .values import JSON, canonical, pointer


class Made(NamedTuple):
    """An admitted change: the commit, how its patch is stored, and the head that it makes."""

    commit: Commit
    stored: Stowed
    head: Head


def make(
    head: Head,
    branch: str,
    admitted: tuple[Change, JSON, Any],
    shape: Shape,
    stored: Stowed,
    cites: str | None,
    now: int,
) -> Made:
    """The commit that an admitted change becomes after this head."""
    change, state, typed = admitted
    made = committed(head, branch, change, stored, cites, shape.version, now)
    return Made(made, stored, head.to(made, state, typed))


def lift(
    head: Head,
    branch: str,
    shape: Shape,
    clock: Callable[[], int],
    author: str = evolution.AUTHOR,
    evidence: Sequence[JSON] = (),
) -> list[Made]:
    """The migration that a head of an older schema version needs before anything is written; else none."""
    if head.schema_version == shape.version:
        return []
    lifted = evolution.migration(shape, head.plain, head.schema_version, head.version, author, evidence)
    stored = blobs.stowed(lifted[0].patch)
    return [make(head, branch, lifted, shape, stored, None, clock())]


def committed(
    head: Head,
    branch: str,
    change: Change,
    stored: Stowed,
    cites: str | None,
    schema_version: int,
    now: int,
) -> Commit:
    """The next commit after a head, with its hash."""
    said: dict[str, Any] = {
        "version": head.version + 1,
        "branch": branch,
        "author": change.author,
        "transition": change.transition,
        "round": change.round,
        "base": change.base,
        "isolation": change.isolation,
        "reads": tuple(sorted({pointer(path) for path in change.reads})),
        "evidence": change.evidence,
        "key": change.key,
        "at": now,
        "schema_version": schema_version,
        "source": change.source,
    }
    hash_ = chained(head.hash, stored.digest, cites, said)
    return Commit(**said, patch=change.patch, hash=hash_, size=len(stored.text))


def row(session_id: int, made: Commit, stored: Stowed) -> dict[str, Any]:
    """A commit as its row."""
    return {
        "session_id": session_id,
        "branch": made.branch,
        "version": made.version,
        "author": made.author,
        "transition": made.transition,
        "round": made.round,
        "base": None if made.base == made.version - 1 else made.base,
        "isolation": None if made.isolation == "serializable" else made.isolation,
        "reads": canonical(list(made.reads)) if made.reads else "[]",
        "patch": stored.text,
        "evidence": canonical(list(made.evidence)) if made.evidence else None,
        "key": made.key,
        "at": made.at,
        "schema_version": made.schema_version,
        "hash": made.hash,
        "source": None if made.source is None else canonical(made.source),
    }
