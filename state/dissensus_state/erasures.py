"""What was taken out of a history for good, as the history itself says it: the commits that redact and prune.

A value that is gone leaves its digest, and a commit says who took it away and why. What is gone without
such a commit was made to vanish by somebody who should not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from . import rounds
from .blobs import dereference
from .engines import Row, Statement, Work
from .errors import Tampered
from .lineages import BEYOND, holder, holds, lineage, shared
from .patches import Operation
from .records import OMIT, PRUNE, REDACT, Commit
from .tables import commits
from .values import JSON, canonical, digest, parse_object

_sourced = Statement(
    sa.select(commits.c.branch, commits.c.version, commits.c.at, commits.c.source).where(
        commits.c.session_id == sa.bindparam("session_id"),
        sa.or_(*(commits.c.source.like(f'{{"{what}":%') for what in (OMIT, PRUNE, REDACT))),
    )
)


class Base(NamedTuple):
    """What a pruned history stands on: the oldest version whose values are there, the digest of its state."""

    version: int
    state: str


class Told(NamedTuple):
    """A commit that says what was taken away."""

    branch: str
    version: int
    at: int
    said: Mapping[str, JSON]


class Erasures:
    """What the commits of a session say that was taken away, as far as it concerns one branch.

    Attributes:
        passages: The digests of the passages of documents out of which something was taken, by the numbers
            of document and passage. Documents belong to all branches.
        elsewhere: The branches beside this one's own lineage on which such commits stand.
        base: What the branch stands on, where it was pruned.
    """

    def __init__(self, work: Work, session_id: int, branch: str) -> None:
        self._lineage = lineage(work, session_id, branch)
        self._replaced: dict[tuple[str, int, str], str] = {}
        self._rounds: set[int] = set()
        self._evidence: set[tuple[str, int]] = set()
        self.passages: dict[tuple[int, int], str] = {}
        self._recordings_before = -1
        self._omitted: dict[str, int] = {}
        self.fields: set[str] = set()
        self.elsewhere: dict[str, int] = {}
        self.base: Base | None = None
        for one in _in_order([_told(row) for row in work.all(_sourced, session_id=session_id)]):
            self._hear(work, session_id, one)

    def _hear(self, work: Work, session_id: int, one: Told) -> None:
        common = shared(self._lineage, lineage(work, session_id, one.branch))
        match one.said:
            case {"redact": {"operations": list(items), "fields": list(fields), **rest}}:
                concerned = self._hear_redaction(items, rest)
                self.fields.update(map(str, fields))
                if self.base is not None and rest.get("base") == self.base.version <= common:
                    self.base = Base(self.base.version, str(rest["state"]))
                    concerned = True
            case {"prune": {"before": int(before), "closed": list(closed), **rest}}:
                if self._lineage[-1].branch in closed:
                    before = common = BEYOND
                concerned = before <= common and (self.base is None or before >= self.base.version)
                if concerned:
                    self.base = Base(before, str(rest["state"]))
                    self._recordings_before = before if rest["recordings"] else self._recordings_before
                common = shared(self._lineage, lineage(work, session_id, one.branch))
            case {"omit": {"what": list(parts), "upto": int(upto)}}:
                concerned = True
                for part in map(str, parts):
                    self._omitted[part] = max(upto, self._omitted.get(part, upto))
            case _:
                raise Tampered("What was taken away cannot be read", branch=one.branch, version=one.version)
        if concerned and one.version > common:
            self.elsewhere[one.branch] = max(one.version, self.elsewhere.get(one.branch, 0))

    def _hear_redaction(self, items: list[JSON], rest: Mapping[Any, Any]) -> bool:
        """Whether it is about commits of this lineage."""
        concerned = False
        for branch, version, was, now in items:
            self._replaced[branch, version, was] = now
            concerned = concerned or holds(self._lineage, branch, version)
        for document, passage, now in rest.get("passages", ()):
            self.passages[document, passage] = now
            concerned = True
        self._rounds |= set(rest.get("rounds", ()))
        evidence = {(branch, version) for branch, version in rest.get("evidence", ())}
        self._evidence |= evidence
        return concerned or any(holds(self._lineage, *place) for place in evidence)

    def pruned(self, version: int) -> bool:
        """Whether the values of a version may be gone."""
        return self.base is not None and version < self.base.version

    @property
    def holder(self) -> str:
        """The branch under which the base is stored."""
        return holder(self._lineage, 0 if self.base is None else self.base.version)

    def unexplained(self, commit: Commit) -> str | None:
        """Why something of a commit is gone that nobody has taken away; None where all is explained."""
        for operation in commit.patch:
            if operation.gone is not None and not self._explains(commit, operation, *operation.gone):
                return f"a value of it was {operation.gone[0]}, and no commit says so"
        return None

    def _explains(self, commit: Commit, operation: Operation, how: str, reference: str) -> bool:
        if how == "pruned":
            return self.pruned(commit.version)
        was = dereference(reference).hex()
        now = self._replaced.get((commit.branch, commit.version, was))
        return now == digest(canonical(operation.value)).hex()

    def explains_evidence(self, commit: Commit) -> bool:
        """Whether evidence of a commit was redacted."""
        return (commit.branch, commit.version) in self._evidence

    def explains_round(self, work: Work, session_id: int, commit: Commit) -> bool:
        """Whether what is gone of the round that a commit ended was taken away."""
        if commit.round is None or commit.round in self._rounds:
            return True
        if commit.version < self._recordings_before:
            return True
        omitted = {part for part, upto in self._omitted.items() if commit.round <= upto}
        return rounds.gone_parts(work, session_id, commit.round) <= omitted


def _in_order(told: list[Told]) -> list[Told]:
    """By time, and on one branch by version, whatever its clocks said."""
    latest: dict[str, int] = {}
    ordered = []
    for one in sorted(told, key=lambda one: (one.branch, one.version)):
        latest[one.branch] = max(one.at, latest.get(one.branch, 0))
        ordered.append((latest[one.branch], one.branch, one.version, one))
    return [one for *_, one in sorted(ordered, key=lambda item: item[:3])]


def _told(row: Row) -> Told:
    branch, version, at, source = row
    return Told(branch, version, at, parse_object(source))
