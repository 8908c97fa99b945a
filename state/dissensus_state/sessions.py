"""A session: its state, its history, and the ways to change it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Generic, TypeVar, cast, overload

import sqlalchemy as sa

from . import blame as blames
from . import calls, commits, history, lifting, rounds, transitions, verify
from . import diff as diffs
from . import replay as replays
from .engines import Database, Statement, Work, insert
from .errors import Conflict, Denied, NotFound, Refused, located
from .evolution import AUTHOR
from .records import Account, Budget, Call, Change, Commit, Event, Isolation, Proposal, Round, Ruling
from .shapes import Shape, SharedState, shape_of
from .tables import events
from .transactions import Transaction, settings
from .values import JSON, normalise, parse_path, store

StateT = TypeVar("StateT", bound=SharedState)
OtherT = TypeVar("OtherT", bound=SharedState)
ResultT = TypeVar("ResultT")

MAIN = "main"

_insert_event = insert(events)
_last_event = Statement(
    sa.select(sa.func.max(events.c.event)).where(events.c.session_id == sa.bindparam("session_id"))
)


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """What the database says of a session."""

    session_id: int
    name: str
    schema: str
    schema_version: int
    keys: dict[str, str]
    created_at: int


class Session(Generic[StateT]):
    """One durable piece of work: its state, its history, and the ways to change it.

    Any number of processes may hold the same session; each commit is admitted against what is in
    the database, never against what is remembered here.
    """

    def __init__(
        self, database: Database, info: SessionInfo, shape: Shape | None, branch: str = MAIN
    ) -> None:
        self.database = database
        self.info = info
        self.branch = branch
        self._shape = shape
        self._head: transitions.Head | None = None

    @property
    def name(self) -> str:
        """The session's name."""
        return self.info.name

    @property
    def session_id(self) -> int:
        """The number under which the database keeps it."""
        return self.info.session_id

    @property
    def shape(self) -> Shape:
        """The compiled schema; `Refused` where the session was opened without one."""
        if self._shape is None:
            raise Refused(
                f"The session {self.name} was opened without its schema {self.info.schema}",
                next_step="Open it with store.session(name, Schema), or give --schema module:Class",
            )
        return self._shape

    def remember(self, head: transitions.Head) -> None:
        """Keep a committed head to start from next time."""
        if self._head is None or head.version > self._head.version:
            self._head = head

    @property
    def remembered(self) -> transitions.Head:
        """The newest head that this object has seen; the database may be further."""
        return transitions.lifted(self._head, self._shape) if self._head else self.current()

    def on(self, branch: str) -> Session[StateT]:
        """The same session on another of its branches."""
        return Session(self.database, self.info, self._shape, branch)

    # Reading

    @property
    def head(self) -> int:
        """The newest version."""
        with self.reading() as work:
            return transitions.read_head(work, self.session_id, self.branch)[0]

    def current(self) -> transitions.Head:
        """The head with its state in the schema's shape, brought forward from what is remembered."""
        with self.reading() as work:
            head = transitions.current(work, self.session_id, self.branch, self._head, self._shape)
        self.remember(head)
        return transitions.lifted(head, self._shape)

    @property
    def state(self) -> StateT:
        """The state at the head; it shares nothing with what commits are checked on."""
        return cast(StateT, self.shape.typed(self.current().state))

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
            return commits.state_at(work, self.session_id, self.branch, number)[0]

    def _lifted(self, version: int | None, shape: Shape) -> JSON:
        with self.reading(version=version) as work:
            number = self._version(work, version)
            return lifting.lifted_at(work, self.session_id, self.branch, number, shape)

    def schema_version(self, version: int | None = None) -> int:
        """The schema version that a version (None: the head) is stored in."""
        with self.reading(version=version) as work:
            number = self._version(work, version)
            return lifting.schema_version(work, self.session_id, self.branch, number)

    def log(self, limit: int = 50, before: int | None = None) -> list[Commit]:
        """The newest commits, newest first; `before` a version turns the page."""
        with self.reading() as work:
            upto = commits.BEYOND if before is None else before
            return history.log(work, self.session_id, self.branch, max(limit, 0), upto)

    def commit_at(self, version: int) -> Commit:
        """The commit that made a version."""
        with self.reading(version=version) as work:
            return commits.commit(work, self.session_id, self.branch, version)

    def diff(self, before: int, after: int | None = None) -> list[diffs.Difference]:
        """What differs between two versions (None: the head) as they are stored, path by path.

        A list that merges by another key in one than in the other is compared by position.
        """
        with self.reading(version=before) as work:
            there = (self.session_id, self.branch)
            old, one = lifting.stored_at(work, *there, self._version(work, before))
            new, other = lifting.stored_at(work, *there, self._version(work, after))
            return diffs.diff(old, new, lifting.shared_keys(work, self.session_id, one, other))

    def blame(self, path: str, version: int | None = None) -> blames.Blame:
        """Who wrote the value at a path, from which reads and reasoning, under which ruling."""
        with self.reading(path=path) as work:
            number = self._version(work, version)
            return blames.blame(work, self.session_id, self.branch, parse_path(path), number)

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

    def rounds(self) -> list[Round]:
        """All rounds, in order."""
        with self.reading() as work:
            return rounds.all_rounds(work, self.session_id)

    def round(self, number: int) -> tuple[Round, list[Proposal], list[Call], list[Ruling]]:
        """A round with its proposals, calls and rulings."""
        with self.reading(round=number) as work:
            return (
                rounds.round_(work, self.session_id, number),
                rounds.proposals_of(work, self.session_id, number),
                calls.of_round(work, self.session_id, number),
                rounds.rulings_of(work, self.session_id, number),
            )

    def events(self) -> list[Event]:
        """What happened beside commits: denied attempts, abstentions, refusals."""
        with self.reading() as work:
            return history.happenings(work, self.session_id)

    @property
    def budget(self) -> Account:
        """The budget as it stands, in nano-USD."""
        with self.reading() as work:
            return calls.account(work, self.session_id)

    def _version(self, work: Work, version: int | None) -> int:
        head = transitions.read_head(work, self.session_id, self.branch)[0]
        number = head if version is None else version
        if not 0 <= number <= head:
            raise NotFound(f"There is no version {number}; the head is {head}")
        return number

    # Writing

    def transaction(
        self,
        author: str,
        transition: str | None = None,
        *,
        writes: Iterable[str] | None = None,
        isolation: Isolation = "serializable",
        key: str | None = None,
    ) -> Transaction:
        """Open a transaction on the head; it is committed when its `with` block ends.

        Args:
            author: Who the history names.
            transition: The transition of the schema's machine it takes.
            writes: The paths it may write; None allows all.
            isolation: `"snapshot"` lets it be committed though what it read has changed; admits
                write skew.
            key: An idempotency key: a second commit under it is the first one again.

        Raises (on leaving the block):
            Conflict, Denied, Refused and what derives from it; see `dissensus_state.errors`.
        """
        shape = self.shape
        given = settings(author, transition, isolation, writes, key)
        return Transaction(self.current(), shape, given, self.commit, self.refuse)

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
        """Admit a change as the next version: `transitions.commit` with this session's memory."""
        try:
            with self.writing() as work:
                made, head = self.commit_in(work, change, ruling)
        except (Denied, Refused) as error:
            self.refuse(change, error)
            raise
        self.remember(head)
        return made

    def commit_in(
        self, work: Work, change: Change, ruling: Ruling | None = None
    ) -> tuple[Commit, transitions.Head]:
        """The same inside an open transaction; the caller remembers the head once it is durable."""
        return transitions.commit(work, self.session_id, self.branch, self._head, self.shape, change, ruling)

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
        with self.reading() as work:
            head = transitions.current(work, self.session_id, self.branch, self._head, self.shape)
        if head.schema_version == self.shape.version:
            self.remember(head)
            return None
        with self.writing() as work:
            head = transitions.current(work, self.session_id, self.branch, head, self.shape)
            made, head = transitions.migrate(
                work, self.session_id, self.branch, head, self.shape, author, given
            )
        self.remember(head)
        return made

    def refuse(self, change: Change, error: Denied | Refused) -> None:
        """Put a denied or refused attempt into the history (G6)."""
        self.record("refused", {"author": change.author, **error.as_dict()}, round_=change.round)

    def record(self, kind: str, body: dict[str, Any], *, round_: int | None = None) -> None:
        """Put something that is not a commit into the history."""
        with self.writing() as work:
            self.record_in(work, kind, body, round_=round_)

    def record_in(self, work: Work, kind: str, body: dict[str, Any], *, round_: int | None = None) -> None:
        """The same inside an open transaction."""
        transitions.read_head(work, self.session_id, self.branch)
        row = work.one(_last_event, session_id=self.session_id)
        work.run(
            _insert_event,
            session_id=self.session_id,
            event=1 + ((row and row[0]) or 0),
            kind=kind,
            at=work.clock(),
            branch=self.branch,
            round=round_,
            body=store(body),
        )

    def set_budget(self, usd: float | Decimal | str | None) -> Account:
        """Give the session another limit in US dollars (None: no limit); it stands in the history."""
        limit = Budget(usd=usd).nano
        with self.writing() as work:
            before = calls.account(work, self.session_id)
            calls.set_limit(work, self.session_id, limit)
            self.record_in(work, "budget", {"before_nano_usd": before.limit, "limit_nano_usd": limit})
        return replace(before, limit=limit)

    def take_lease(self) -> int:
        """Take the branch over from whoever ran it; the epoch that fences them out."""
        with self.writing() as work:
            return transitions.take_lease(work, self.session_id, self.branch)

    @contextmanager
    def reading(self, **context: Any) -> Iterator[Work]:
        """A transaction that reads; errors that leave it know this session."""
        with (
            located(session=self.name, branch=self.branch, **context),
            self.database.reading() as work,
        ):
            yield work

    @contextmanager
    def writing(self, **context: Any) -> Iterator[Work]:
        """A transaction that writes; errors that leave it know this session."""
        with (
            located(session=self.name, branch=self.branch, **context),
            self.database.writing() as work,
        ):
            yield work
