"""A session: its state, its history, and the ways to change it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeVar

from . import heads
from .accounts import Account
from .budgets import Budget, Usd
from .engines import Work
from .errors import Conflict, DatabaseFailed, Denied, Refused, located
from .evolution import AUTHOR
from .handing import Handed
from .heads import Head
from .intake import sound_change
from .later import Later
from .lineages import MAIN
from .readers import SessionInfo, StateT
from .records import MASK, Change, Commit, Isolation, Ruling
from .transactions import Transaction, settings
from .values import JSON, normalise, parse_path

if TYPE_CHECKING:
    from . import branching, compaction, ledger, pruning, redaction, transitions
    from . import library as libraries
    from .branches import MergeConflict
    from .branching import MergeResult
    from .compaction import Compaction, CompactPlan
    from .library import Library
    from .pruning import PrunePlan, Pruning
    from .redaction import Redaction
else:
    branching = Later("branching")
    compaction = Later("compaction")
    ledger = Later("ledger")
    libraries = Later("library")
    pruning = Later("pruning")
    redaction = Later("redaction")
    transitions = Later("transitions")

__all__ = ["MAIN", "Session", "SessionInfo", "StateT"]

ResultT = TypeVar("ResultT")


class Session(Handed[StateT]):
    """One durable piece of work: its state, its history, and the ways to change it.

    Any number of threads and processes may hold the same session; each commit is admitted against what
    is in the database, never against what is remembered here.
    """

    @cached_property
    def library(self) -> Library:
        """The documents of the session, which belong to all its branches."""
        return libraries.Library(self.database, self.session_id, self.name)

    def transaction(
        self,
        author: str,
        transition: str | None = None,
        *,
        writes: Iterable[str] | None = None,
        isolation: Isolation = "serializable",
        key: str | None = None,
        lease: int | None = None,
    ) -> Transaction:
        """Open a transaction on the head; it is committed when its `with` block ends.

        Args:
            author: Who the history names.
            transition: The transition of the schema's machine it takes.
            writes: The paths it may write; None allows all.
            isolation: `"snapshot"` lets it be committed though what it read has changed; admits
                write skew.
            key: An idempotency key: a second commit under it is the first one again.
            lease: What `take_lease` gave; when another worker has taken the branch over since, the commit
                is refused with `LeaseLost`.

        Raises (on leaving the block):
            Conflict, Denied, Refused and what derives from it; see `dissensus_state.errors`.
        """
        shape = self.shape
        given = settings(author, transition, isolation, writes, key, lease)
        return Transaction(self.current(), shape, given, self._commit, self.refuse)

    def transact(
        self,
        function: Callable[[Transaction], ResultT],
        author: str,
        transition: str | None = None,
        *,
        attempts: int = 20,
        **options: Any,
    ) -> ResultT:
        """Run a function in a transaction, and again on a new snapshot when it meets a conflict.

        The last attempt's `Conflict` is raised. Between attempts it waits a random time that grows.
        """
        for attempt in range(attempts):
            try:
                with self.transaction(author, transition, **options) as transaction:
                    return function(transaction)
            except Conflict as conflict:
                if attempt + 1 == attempts or not conflict.context.get("retry"):
                    raise
                time.sleep(random.uniform(0, 0.002 * 2 ** min(attempt, 7)))  # noqa: S311 - jitter, no secret
        raise AssertionError

    def commit(self, change: Change, ruling: Ruling | None = None) -> Commit:
        """Admit a change as the next version.

        Changes that threads of this process bring at the same time share a transaction and its flush.
        """
        return self._commit(change, ruling, by_hand=True)

    def _commit(self, change: Change, ruling: Ruling | None = None, *, by_hand: bool = False) -> Commit:
        """The same; what was not made by hand has values that are normalised already."""
        with located(session=self.name, branch=self.branch):
            if change.source is not None:
                raise Refused("A patch that was taken from elsewhere comes by `merge`, `revert` or `migrate`")
            try:
                return self._line.commit(self, sound_change(change) if by_hand else change, ruling)
            except (Denied, Refused) as error:
                self.refuse(change, error)
                raise

    def commit_in(self, work: Work, change: Change, ruling: Ruling | None = None) -> tuple[Commit, Head]:
        """The same inside an open transaction; the caller remembers the head once it is durable."""
        known = self._line.head
        return transitions.commit(work, self.session_id, self.branch, known, self.shape, change, ruling)

    def migrate(self, author: str = AUTHOR, evidence: Iterable[JSON] = ()) -> Commit | None:
        """Lift the head to this schema's version by a commit of its own; None where it is there already.

        The first write does the same by itself.

        Args:
            author: Who the history names.
            evidence: What invariants may ask for that were kept by evidence.

        Raises:
            SchemaNewer: the head was written under a newer version of the schema.
            UpcastFailed: it cannot be lifted.
            InvariantViolated: the lifted state breaks a rule of the schema.
        """
        given = tuple(normalise(item) for item in evidence)
        if self.schema_version() == self.shape.version:
            return None
        with self.writing() as work:
            made, head = transitions.migrate(
                work, self.session_id, self.branch, self._line.head, self.shape, author, given
            )
        self.remember(head)
        return made

    def refuse(self, change: Change, error: Denied | Refused) -> None:
        """Put a denied or refused attempt into the history (G6)."""
        self.record("refused", {"author": change.author, **error.as_dict()}, round_=change.round)

    def set_budget(self, budget: Budget | Usd | None) -> Account:
        """Give the session another budget, or another limit in US dollars alone (None: no limit)."""
        if isinstance(budget, Budget):
            return self.change_budget(lambda _: budget)
        return self.change_budget(lambda now: replace(now, usd=budget))

    def change_budget(self, change: Callable[[Budget], Budget]) -> Account:
        """Make another budget of the one there is; what changed stands in the history."""
        with self.writing() as work:
            heads.read(work, self.session_id, self.branch)  # a session that is not there has no budget
            self.record_in(work, "budget", ledger.change(work, self.session_id, change))
        return self.budget

    def take_lease(self) -> int:
        """Take the branch over from whoever ran it; the epoch that fences them out."""
        with self.writing() as work:
            return heads.take_lease(work, self.session_id, self.branch)

    # Branches

    def fork(self, name: str, version: int | None = None, *, author: str = "user") -> Self:
        """Begin a branch at a version (None: the head), and go on there; nothing is copied.

        Raises:
            Conflict: there is a branch of that name.
            NotFound: there is no such version.
        """
        with self.writing(version=version) as work:
            at = branching.fork(work, self.session_id, self.branch, version, name)
            self.record_in(work, "forked", {"author": author, "name": name, "version": at})
        return self.on(name)

    def close_branch(self, *, author: str = "user") -> None:
        """Let nothing be committed to this branch any more, for good; it stays readable."""
        with self.writing() as work:
            if branching.close(work, self.session_id, self.branch):
                self.record_in(work, "closed", {"author": author})

    def tag(self, name: str, version: int | None = None, *, author: str = "user") -> None:
        """Give a version (None: the head) a name of its own; `Conflict` where it stands for another one."""
        with self.writing(version=version) as work:
            at = branching.tag(work, self.session_id, self.branch, version, name, author)
            self.record_in(work, "tagged", {"author": author, "tag": name, "version": at})

    def remove_tag(self, name: str, *, author: str = "user") -> None:
        """Take a tag away; the version stays."""
        with self.writing() as work:
            gone = branching.remove_tag(work, self.session_id, name)
            self.record_in(work, "untagged", {"author": author, **gone.as_dict()})

    def merge(self, source: str, *, author: str, key: str | None = None) -> MergeResult:
        """Bring what another branch has into this one, or write down what they contest.

        What only one side changed is taken, what the fields' merges can bring together is. Once every
        conflict is settled (`settle`), the same call makes the commit. Nothing is merged as long as
        the result holds conflicts.

        Args:
            source: The branch to merge, as it is now.
            author: Who the history names; needs the right to commit what the merge brings.
            key: An idempotency key: a second merge under it is the first one again.

        Raises:
            BranchClosed: this branch is closed.
            Refused: both together would break the schema or an invariant.
            Denied: the author may not write what the merge brings.
        """
        asked = branching.Asked(self.session_id, self.branch, self.shape, author, key)
        with self._refusing(author), self.writing() as work:
            result, head = branching.merge(work, asked, source, self._line.head)
            if result.conflicts:
                paths = [one.path for one in result.conflicts]
                self.record_in(work, "contested", {"author": author, "source": source, "paths": paths})
        if head is not None:
            self.remember(head)
        return result

    def settle(self, conflict: int, settlement: str | dict[str, JSON], *, author: str) -> MergeConflict:
        """Say what is to stand where two branches clash: `"ours"`, `"theirs"`, or `{"value": …}`.

        Raises:
            Conflict: the conflict is merged already, or its path is contested no more.
            Denied: the author may not rule on the path.
            Refused: the schema does not allow the value there.
        """
        with self._refusing(author), self.writing() as work:
            one = branching.settle(work, self.session_id, conflict, settlement, author, self.shape)
            how = settlement if isinstance(settlement, str) else "value"
            self.record_in(work, "settled", {"author": author, "conflict": conflict, "with": how})
        return one

    def revert(self, first: int, last: int | None = None, *, author: str, key: str | None = None) -> Commit:
        """Take the commits `first … last` back, as a new version; the history keeps them.

        Args:
            first: The first of them; the only one where `last` is None.
            author: Who the history names; needs the right to commit what is written.
            key: An idempotency key: a second revert under it is the first one again.

        Raises:
            Conflict: later commits rest on them; its `paths` say where.
            Refused: what is left would break the schema or an invariant.
        """
        asked = branching.Asked(self.session_id, self.branch, self.shape, author, key)
        with self._refusing(author), self.writing() as work:
            until = first if last is None else last
            commit, head = branching.revert(work, asked, first, until, self._line.head)
        if head is not None:
            self.remember(head)
        return commit

    # What is not to be kept

    def redact(
        self,
        path: str,
        version: int | None = None,
        *,
        author: str,
        reason: str,
        replacement: Any = MASK,
        recordings: bool = True,
    ) -> Redaction:
        """Take a value away for good, wherever the session keeps it; its digest stays, and the chain holds.

        Args:
            path: Where the value stood.
            version: The version in which it stood there (None: the head). The commit that wrote it is
                found, and every version from there on is as if the replacement had been written.
            author: Who takes it away; needs the right to rule on the path.
            reason: Why; it stands in the history.
            replacement: What stands there instead; else the same structure with every text
                `"[redacted]"`.
            recordings: Take away what models answered, thought and were asked too, and what documents
                say, where it holds the value.

        Raises:
            NotFound: nothing stands at the path in that version.
            Refused: several commits wrote parts of it, or what came later does not fit the replacement.
        """
        given = (author, reason, replacement, recordings)
        with located(path=path), self.database.overwriting():
            with self._refusing(author), self.writing() as work:
                asked = redaction.Wanted(parse_path(path), self._version(work, version), *given)
                done, head = redaction.redact(work, self.session_id, self.branch, self.shape, asked)
            self.remember(head)
            return replace(done, left=(*done.left, *self._vacuumed()))

    def plan_prune(self, before: int, *, recordings: bool = False) -> PrunePlan:
        """Look at what it would end to let the values of all versions before one go; nothing is done.

        Args:
            before: The oldest version that stays readable.
            recordings: Let what was proposed, answered and thought in the rounds before it go too.
        """
        with self.reading(version=before) as work:
            return pruning.plan(work, self.session_id, self.branch, before, recordings=recordings)

    def prune(self, plan: PrunePlan, *, author: str) -> Pruning:
        """Carry a plan out: the values go, the commits stay with the digests of what they wrote.

        `compact` gives the room back.

        Raises:
            Conflict: the plan no longer says what would happen.
            Refused: an open branch rests on what would go.
            Denied: the author may not rule on everything.
        """
        with self._refusing(author), self.writing() as work:
            done, head = pruning.prune(work, self.session_id, self.branch, self.shape, plan, author)
        self.remember(head)
        return done

    def plan_compact(self, *, raw: bool = False) -> CompactPlan:
        """Look at what compacting the session would free, and make slower; nothing is done.

        Args:
            raw: Let the raw bodies of providers' answers go too; their digests stay.
        """
        with self.reading() as work:
            return compaction.plan(work, self.session_id, raw=raw)

    def compact(self, plan: CompactPlan) -> Compaction:
        """Carry a plan out, and let the database give the room back."""
        with self.writing() as work:
            done = compaction.compact(work, self.session_id, plan)
            self.record_in(work, "compacted", done.as_dict())
        return replace(done, left=self._vacuumed())

    def _vacuumed(self) -> tuple[str, ...]:
        """Give the room back; what is committed stands, whatever comes of that."""
        try:
            return self.database.vacuum()
        except DatabaseFailed as error:
            return (f"The room was not given back, and may still hold what was there: {error.message}",)
