"""The face of the state: open a database, make and find sessions, read and change them."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType
from typing import Any, Generic, Literal, Self, TypeVar, cast

import sqlalchemy as sa

from . import blame as blames
from . import calls, commits, history, migrations, rounds, transitions, verify
from . import diff as diffs
from . import replay as replays
from .engines import Database, Statement, Work, insert, insert_absent, wall_clock
from .errors import Conflict, Denied, NotFound, Refused, SchemaRefused, ValueRefused, located
from .records import Account, Call, Change, Commit, Event, Isolation, Proposal, Round, Ruling
from .shapes import Shape, SharedState, shape_of
from .tables import events, sessions
from .transactions import Transaction, settings
from .values import JSON, parse, parse_path, store

StateT = TypeVar("StateT", bound=SharedState)
ResultT = TypeVar("ResultT")

MAIN = "main"

_insert_session = insert_absent(sessions)
_columns = (
    sessions.c.session_id,
    sessions.c.name,
    sessions.c.schema,
    sessions.c.schema_version,
    sessions.c.key_fields,
    sessions.c.created_at,
)
_all_sessions = Statement(sa.select(*_columns).order_by(sessions.c.created_at, sessions.c.session_id))
_insert_event = insert(events)
_last_event = Statement(
    sa.select(sa.func.max(events.c.event)).where(events.c.session_id == sa.bindparam("session_id"))
)


@dataclass(frozen=True, slots=True)
class Budget:
    """What a session may spend.

    Args:
        usd: The limit in US dollars; None sets none.
        unpriced: What to do with a call whose price is unknown: `"refuse"` it, or `"allow"` it and
            record its cost as unknown.
    """

    usd: float | Decimal | str | None = None
    unpriced: Literal["refuse", "allow"] = "refuse"

    def __post_init__(self) -> None:
        if self.unpriced not in {"refuse", "allow"}:
            raise ValueRefused(f"`unpriced` is 'refuse' or 'allow', not {self.unpriced!r}")
        if not 0 <= (self.nano or 0) < 2**63:
            raise ValueRefused(f"{self.usd!r} is no amount of US dollars")

    @property
    def nano(self) -> int | None:
        """The limit in nano-USD."""
        try:
            return None if self.usd is None else int(Decimal(str(self.usd)) * 1_000_000_000)
        except (ArithmeticError, ValueError):
            raise ValueRefused(f"{self.usd!r} is no amount of US dollars") from None


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """What the database says of a session."""

    session_id: int
    name: str
    schema: str
    schema_version: int
    keys: dict[str, str]
    created_at: int


class Store:
    """One database of sessions; use it in a `with` block, or close it."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @classmethod
    def open(cls, url: str, *, clock: Callable[[], int] = wall_clock) -> Store:
        """Open a SQLite file (made if it is not there) or a PostgreSQL database.

        Args:
            url: `inquiry.db`, `sqlite:///inquiry.db` or `postgresql://user@host/name`;
                `sqlite://` is a database in memory.
            clock: Milliseconds since 1970, for the times in the history.

        Raises:
            NotOurs: it holds something else, and is left as it is.
            NeedsMigration: it has an older schema of ours.
            DatabaseFailed: it cannot be reached.
        """
        database = Database(url, clock)
        try:
            migrations.prepare(database)
        except BaseException:
            database.close()
            raise
        return cls(database)

    def close(self) -> None:
        """Give the connections back."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def create(
        self,
        state: StateT,
        *,
        name: str | None = None,
        budget: Budget | None = None,
        author: str = "user",
    ) -> Session[StateT]:
        """Begin a session with this state as version 0.

        Raises:
            Conflict: there is a session of that name.
            Refused: the state breaks a rule of its own schema.
        """
        shape = shape_of(type(state))
        info = SessionInfo(
            _new_id(self.database.clock()),
            name or f"{type(state).__name__.lower()}-{secrets.token_hex(4)}",
            shape.name,
            shape.version,
            shape.keys,
            self.database.clock(),
        )
        with located(session=info.name), self.database.writing() as work:
            if work.run(_insert_session, **_session_row(info)) != 1:
                raise Conflict(
                    f"There is a session {info.name!r} already",
                    next_step="Open it, or choose another name",
                )
            head = transitions.begin(work, info.session_id, MAIN, shape.initial(state), shape, author)
            limits = budget or Budget(unpriced="allow")
            calls.open_account(work, info.session_id, limits.nano, limits.unpriced)
        session: Session[StateT] = Session(self.database, info, shape)
        session.remember(head)
        return session

    def session(self, name: str | None = None, schema: type[StateT] | None = None) -> Session[StateT]:
        """Open a session by name; without one, the only session there is.

        Args:
            schema: Its schema, needed to change it. Without, its history can be read and checked.

        Raises:
            NotFound: there is no such session, or none or several to choose from.
            SchemaRefused: it was made with another schema.
        """
        info = self._find(name)
        if schema is None:
            return Session(self.database, info, None)
        shape = shape_of(schema)
        if shape.name.rpartition(":")[2] != info.schema.rpartition(":")[2]:
            raise SchemaRefused(
                f"The session was made with {info.schema}, not with {shape.name}",
                next_step="Open it with the schema it was made with",
                session=info.name,
            )
        return Session(self.database, info, shape)

    def _find(self, name: str | None) -> SessionInfo:
        found = self.sessions()
        names = ", ".join(info.name for info in found[-10:]) or "none"
        if name is None:
            if len(found) != 1:
                raise NotFound(
                    f"{self.database.name} holds {len(found)} sessions: {names}",
                    next_step="Name one",
                )
            return found[0]
        for info in found:
            if info.name == name:
                return info
        raise NotFound(f"There is no session {name!r} in {self.database.name}; there are: {names}")

    def sessions(self) -> list[SessionInfo]:
        """All sessions, oldest first."""
        with self.database.reading() as work:
            return [
                SessionInfo(sid, name, schema, version, parse(keys), at)
                for sid, name, schema, version, keys, at in work.all(_all_sessions)
            ]


def _new_id(now: int) -> int:
    """A number that no other session has: 41 bits of time, 22 of chance."""
    return (now & (2**41 - 1)) << 22 | secrets.randbits(22)


def _session_row(info: SessionInfo) -> dict[str, Any]:
    return {
        "session_id": info.session_id,
        "name": info.name,
        "schema": info.schema,
        "schema_version": info.schema_version,
        "key_fields": store(info.keys),
        "created_at": info.created_at,
    }


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
        return self._head or self.current()

    # Reading

    @property
    def head(self) -> int:
        """The newest version."""
        with self.reading() as work:
            return transitions.read_head(work, self.session_id, self.branch)[0]

    def current(self) -> transitions.Head:
        """The head with its state, brought forward from what is remembered."""
        with self.reading() as work:
            head = transitions.current(work, self.session_id, self.branch, self._head, self._shape)
        self.remember(head)
        return head

    @property
    def state(self) -> StateT:
        """The state at the head; it shares nothing with what commits are checked on."""
        return cast(StateT, self.shape.typed(self.current().state))

    def at(self, version: int) -> StateT:
        """The state at a version, as the schema's model."""
        return cast(StateT, self.shape.typed(self.raw(version)))

    def raw(self, version: int | None = None) -> JSON:
        """The state at a version (None: the head) as it is stored."""
        with self.reading(version=version) as work:
            number = self._version(work, version)
            return commits.state_at(work, self.session_id, self.branch, number)[0]

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
        """What differs between two versions (None: the head), path by path."""
        return diffs.diff(self.raw(before), self.raw(after), self.info.keys)

    def blame(self, path: str, version: int | None = None) -> blames.Blame:
        """Who wrote the value at a path, from which reads and reasoning, under which ruling."""
        with self.reading(path=path) as work:
            number = self._version(work, version)
            return blames.blame(work, self.session_id, self.branch, parse_path(path), number, self.info.keys)

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
