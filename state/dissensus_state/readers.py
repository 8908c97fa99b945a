"""Reading a session: its state at any version, its history, and who did what in it."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast, overload

from . import (
    branches,
    calls,
    commits,
    heads,
    ledger,
    lifting,
    queues,
    rounds,
)
from .accounts import Account
from .branches import BranchInfo, MergeConflict, Tag
from .budgets import Budget
from .engines import Database, Work
from .errors import NotFound, Refused, located
from .explaining import Explaining
from .heads import Head
from .later import Later
from .lineages import MAIN
from .records import Call, Commit, Grade, Proposal, Round, Ruling
from .shapes import Shape, SharedState, shape_of
from .showing import Listing, Shown
from .telling import Telling
from .values import JSON

if TYPE_CHECKING:
    from . import contest, decisions, disputes, grades, sizes, verify
    from . import replay as replays
    from . import watch as watches
else:
    contest = Later("contest")
    decisions = Later("decisions")
    disputes = Later("disputes")
    grades = Later("grades")
    sizes = Later("sizes")
    verify = Later("verify")
    replays = Later("replay")
    watches = Later("watch")

StateT = TypeVar("StateT", bound=SharedState)
OtherT = TypeVar("OtherT", bound=SharedState)


@dataclass(frozen=True, slots=True)
class SessionInfo(Shown):
    """What the database says of a session."""

    session_id: int
    name: str
    schema: str
    schema_version: int
    keys: dict[str, str]
    created_at: int


class Reader(Telling, Explaining, Generic[StateT]):
    """The reading half of a session on one of its branches."""

    def __init__(
        self, database: Database, info: SessionInfo, shape: Shape | None, branch: str = MAIN
    ) -> None:
        self.database = database
        self.info = info
        self.branch = branch
        self._shape = shape
        self._line = queues.line(database, info.session_id, branch, shape)

    @property
    def name(self) -> str:
        """The session's name."""
        return self.info.name

    @property
    def session_id(self) -> int:
        """The number under which the database keeps it."""
        return self.info.session_id

    def on(self, branch: str) -> Self:
        """The same session on another branch; `NotFound` where there is none of that name."""
        other = type(self)(self.database, self.info, self._shape, branch)
        _ = other.head
        return other

    @property
    def shape(self) -> Shape:
        """The compiled schema; `Refused` where the session was opened without one."""
        if self._shape is None:
            raise Refused(
                f"The session {self.name} was opened without its schema {self.info.schema}",
                next_step="Open it with store.session(name, Schema), or give --schema module:Class",
            )
        return self._shape

    def remember(self, head: Head) -> None:
        """Keep a committed head to start from next time."""
        self._line.remember(head)

    @property
    def remembered(self) -> Head:
        """The newest head that this process has seen; the database may be further."""
        return self._line.head.lifted(self._shape) if self._line.head else self.current()

    @property
    def remembered_state(self) -> StateT:
        """The state at that head, as the schema's model."""
        head = self.remembered
        return cast(StateT, self.shape.seen(head.typed or self.shape.typed(head.state), head.state))

    @property
    def head(self) -> int:
        """The newest version."""
        return self._peeked().version

    def _peeked(self) -> heads.Branch:
        """What the database says of the branch just now, in one exchange."""
        with located(session=self.name, branch=self.branch):
            row = self.database.peek(heads.PEEK, session_id=self.session_id, branch=self.branch)
            return heads.branch_of(row, self.branch)

    def current(self) -> Head:
        """The head with its state in the schema's shape, brought forward from what is remembered."""
        known = self._line.head
        if known is not None and known.stands(self._peeked()):
            return known.lifted(self._shape)
        with self.reading() as work:
            found = heads.read(work, self.session_id, self.branch)
            head, _ = heads.current(work, self.session_id, self.branch, found, known, self._shape)
        if known is not None and known.version >= head.version:
            self._line.replace(known, head)
        self.remember(head)
        return head.lifted(self._shape)

    @property
    def state(self) -> StateT:
        """The state at the head; it shares nothing with what commits are checked on."""
        return cast(StateT, self.shape.typed(self.current().plain))

    @overload
    def at(self, version: int) -> StateT: ...
    @overload
    def at(self, version: int, schema: type[OtherT]) -> OtherT: ...
    def at(self, version: int, schema: type[SharedState] | None = None) -> SharedState:
        """The state at a version, lifted to the schema's shape.

        Args:
            schema: An older class of the schema, to see the state in the shape of that time.

        Raises:
            SchemaNewer: the version was written under a newer version of the schema.
            UpcastFailed: it cannot be lifted.
        """
        shape = self.shape if schema is None else shape_of(schema)
        return shape.typed(self._lifted(version, shape))

    def raw(self, version: int | None = None, *, lifted: bool = False) -> JSON:
        """The state at a version (None: the head) as it is stored, or lifted to the schema's shape."""
        if lifted:
            return self._lifted(version, self.shape)
        with self.reading(version=version) as work:
            number = self._version(work, version)
            return commits.state_at(work, self.session_id, self.branch, number)

    def _lifted(self, version: int | None, shape: Shape) -> JSON:
        with self.reading(version=version) as work:
            number = self._version(work, version)
            return lifting.lifted_at(work, self.session_id, self.branch, number, shape)

    def schema_version(self, version: int | None = None) -> int:
        """The schema version that a version (None: the head) is stored in."""
        with self.reading(version=version) as work:
            number = self._version(work, version)
            return lifting.schema_version(work, self.session_id, self.branch, number)

    def commit_at(self, version: int) -> Commit:
        """The commit that made a version."""
        with self.reading(version=version) as work:
            return commits.commit(work, self.session_id, self.branch, version)

    def branches(self) -> Listing[BranchInfo]:
        """The branches of the session, by name."""
        with self.reading() as work:
            return Listing(branches.all_branches(work, self.session_id))

    def tags(self) -> Listing[Tag]:
        """The tags of the session, by name."""
        with self.reading() as work:
            return Listing(branches.all_tags(work, self.session_id))

    def conflicts(self, *, open_only: bool = False) -> Listing[MergeConflict]:
        """What merges have left to be settled, and how it was settled."""
        with self.reading() as work:
            found = branches.all_conflicts(work, self.session_id)
        return Listing(one for one in found if one.status == "open" or not open_only)

    def replay(self) -> replays.Replay:
        """Rebuild every version from the history; `Diverged` names the first that differs."""
        with self.reading() as work:
            return replays.replay(work, self.session_id, self.branch)

    def versions(self) -> Iterator[tuple[Commit, JSON]]:
        """Every commit with the state that it made, from version 0 on."""
        with self.reading() as work:
            yield from replays.versions(work, self.session_id, self.branch)

    def verify(self) -> verify.Verified:
        """Recompute the chain and admit every commit again; `Tampered` names the first bad one."""
        with self.reading() as work:
            return verify.verify(work, self.session_id, self.branch, self._shape)

    def sizes(self) -> sizes.Sizes:
        """What takes how much room: the state at the head by path, the history by field, and the rest."""
        with self.reading() as work:
            head = heads.read(work, self.session_id, self.branch).version
            return sizes.sizes(work, self.session_id, self.branch, head)

    def rounds(self) -> Listing[Round]:
        """All rounds, in order."""
        with self.reading() as work:
            return Listing(rounds.all_rounds(work, self.session_id))

    def round(self, number: int) -> tuple[Round, list[Proposal], list[Call], list[Ruling]]:
        """A round with its proposals, calls and rulings."""
        with self.reading(round=number) as work:
            return (
                rounds.round_(work, self.session_id, number),
                rounds.proposals_of(work, self.session_id, number),
                calls.of_round(work, self.session_id, number),
                rounds.rulings_of(work, self.session_id, number),
            )

    def disagreements(
        self,
        *,
        immaterial: bool = False,
        path: str | None = None,
        step: str | None = None,
        cause: str | None = None,
        agent: str | None = None,
        only_open: bool = False,
        after: int = 0,
        limit: int | None = None,
    ) -> disputes.Page:
        """Where the proposals of a round differed: positions, holders, distance, cause, and what was ruled.

        Args:
            immaterial: Also what nobody had to rule on: wordings, roundings, what is below the threshold.
            path: Only at this path and below it.
            step: Only in rounds of this step.
            cause: Only for this cause: what a ruling named, else what was suspected.
            agent: Only where this agent holds a position.
            only_open: Only in rounds that are not settled.
            after: Only in rounds after this one; the `next` of a page goes on with the next one.
            limit: How many rounds with a disagreement at most (None: all).
        """
        wanted = disputes.Wanted(immaterial, path, step, cause, agent, only_open)
        with self.reading() as work:
            return disputes.page(work, self.session_id, wanted, after, limit)

    def cost(self) -> contest.Spent:
        """What the calls came to: by agent and model, by model, step and day, and what disagreement cost."""
        with self.reading() as work:
            return contest.spent(work, self.session_id)

    def decisions(self, round_: int | None = None) -> list[dict[str, Any]]:
        """What patterns have decided in a round, or (without a number) between the rounds of the branch."""
        with self.reading(round=round_) as work:
            if round_ is not None:
                return decisions.of_round(work, self.session_id, round_)
            return decisions.between(work, self.session_id, self.branch, 1_000)[::-1]

    def grades(self, number: int | None = None) -> Listing[Grade]:
        """What is known afterwards of the proposals of a round (None: of all), oldest first."""
        with self.reading(round=number) as work:
            return Listing(grades.grades_of(work, self.session_id, number))

    @property
    def budget(self) -> Account:
        """The session's money as it stands, in nano-USD."""
        return next(iter(self.accounts), Account(None, 0, 0))

    @property
    def accounts(self) -> tuple[Account, ...]:
        """Every limit as it stands: the session's money first, then by name."""
        with self.reading() as work:
            return tuple(ledger.accounts(work, self.session_id).values())

    @property
    def limits(self) -> Budget:
        """The budget as it was set."""
        with self.reading() as work:
            return ledger.budget(work, self.session_id)

    def watch(
        self,
        after: int | None = None,
        *,
        until: int | None = None,
        timeout: float | None = None,
        stop: threading.Event | None = None,
    ) -> Generator[Commit]:
        """The commits after a version as they land: in order, none missed, none twice.

        It waits for what is not there yet, and ends where the branch is closed. Go on after an
        interruption with the version of the last commit that came. Close it when you leave early;
        on PostgreSQL it holds a connection of its own while it waits.

        Args:
            after: The version to go on from, -1 for everything; None for what comes from now on.
            until: End once this version has come.
            timeout: End once nothing has come for so many seconds; 0 gives what is there.
            stop: End, within a quarter of a second, once it is set.

        Raises:
            NotFound: there is no such version, or it is no longer there.
            DatabaseFailed: the database failed; a lost connection is made anew for a minute before.
        """
        place = watches.Place(self.database, self.name, self.session_id, self.branch)
        return watches.watch(place, after, watches.End(until, timeout, stop))

    def _version(self, work: Work, version: int | None, branch: str | None = None) -> int:
        head = heads.read(work, self.session_id, branch or self.branch).version
        number = head if version is None else version
        if not 0 <= number <= head:
            raise NotFound(f"There is no version {number}; the head is {head}")
        return number

    @contextmanager
    def reading(self, **context: Any) -> Iterator[Work]:
        """A transaction that reads; errors that leave it know this session."""
        with (
            located(session=self.name, branch=self.branch, **context),
            self.database.reading() as work,
        ):
            yield work
