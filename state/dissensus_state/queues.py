"""What the threads of one process share of a branch: its head in memory, and the turn to commit to it.

Whoever has the turn commits for all that wait, in one transaction with one flush to disk: each change
is admitted by itself, on what those before it have made, and each caller gets its own answer.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias
from weakref import WeakKeyDictionary, WeakValueDictionary, ref

from .errors import DissensusError, OutcomeUnknown
from .later import Later
from .lineages import MAIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from . import exchange, notices, transitions
    from .engines import Database, Work
    from .exchange import Prepared
    from .heads import Head
    from .records import Change, Commit, Ruling
    from .shapes import Shape
else:
    exchange, notices, transitions = Later("exchange"), Later("notices"), Later("transitions")

_MOST_AT_ONCE = 64
_SHORTEST, _LONGEST = 2, 64

Key: TypeAlias = "tuple[int, str, Shape | None]"

_lines: WeakKeyDictionary[Database, WeakValueDictionary[Key, Line]] = WeakKeyDictionary()
_making = threading.Lock()


class Place(Protocol):
    """A session on a branch, as far as committing to it goes."""

    @property
    def database(self) -> Database: ...  # noqa: D102
    @property
    def session_id(self) -> int: ...  # noqa: D102
    @property
    def branch(self) -> str: ...  # noqa: D102
    @property
    def shape(self) -> Shape: ...  # noqa: D102
    def commit_in(self, work: Work, change: Change, ruling: Ruling | None) -> tuple[Commit, Head]:
        """Admit a change inside an open transaction."""


@dataclass(slots=True, eq=False)
class Waiting:
    """A change that waits for its turn, and then what came of it."""

    session: Place
    change: Change
    ruling: Ruling | None
    outcome: Commit | DissensusError | None = None

    @property
    def alone(self) -> bool:
        """Whether its refusal may leave something to be rolled back."""
        return self.ruling is not None or self.change.round is not None

    def result(self) -> Commit:
        """The commit, or the error raised."""
        if isinstance(self.outcome, DissensusError):
            raise self.outcome
        if self.outcome is None:
            raise OutcomeUnknown(
                "The thread that committed for several was interrupted; whether this one was made is unknown"
            )
        return self.outcome


class Line:
    """The memory of one branch in this process, and the changes that wait for it."""

    def __init__(self, rings: Callable[[], None]) -> None:
        self._rings = rings
        self.head: Head | None = None
        self._patience, self._waits = _SHORTEST, 0
        self._turn = threading.Lock()
        self._waiting: deque[Waiting] = deque()

    def remember(self, head: Head) -> None:
        """Keep a committed head to start from next time."""
        known = self.head
        if known is None or (head.rewritten, head.version) > (known.rewritten, known.version):
            self.head = head
            self._rings()

    def replace(self, known: Head | None, head: Head) -> None:
        """Keep a head in place of one from which the branch does not go on."""
        if self.head is known:
            self.head = head

    def commit(self, session: Place, change: Change, ruling: Ruling | None) -> Commit:
        """Commit a change when its turn comes, together with those that wait by then."""
        mine = Waiting(session, change, ruling)
        self._waiting.append(mine)
        try:
            with self._turn:
                while mine.outcome is None and mine in self._waiting:
                    self._serve(self._next())
        finally:
            self._forget(mine)
        return mine.result()

    def _forget(self, mine: Waiting) -> None:
        """Nobody commits for a caller that was interrupted while it waited."""
        if mine.outcome is None:
            with suppress(ValueError):
                self._waiting.remove(mine)

    def _next(self) -> list[Waiting]:
        """Those that go together: nothing that must be rolled back by itself."""
        first = self._waiting.popleft()
        batch = [first]
        while self._waiting and len(batch) < _MOST_AT_ONCE and not (first.alone or self._waiting[0].alone):
            batch.append(self._waiting.popleft())
        return batch

    def _serve(self, batch: list[Waiting]) -> None:
        session = batch[0].session
        try:
            if len(batch) == 1:
                batch[0].outcome = self._one(batch[0])
                return
            with session.database.writing() as work:
                outcomes, head, _ = transitions.decide_all(
                    work, session.session_id, session.branch, self.head, session.shape,
                    [item.change for item in batch],
                )  # fmt: skip
        except DissensusError as error:
            for item in batch:
                item.outcome = copy(error)
            return
        self.remember(head)
        for item, outcome in zip(batch, outcomes, strict=True):
            item.outcome = outcome

    def _one(self, item: Waiting) -> Commit:
        """A commit to the remembered head if nobody has moved it, else by all that `transitions` knows."""
        session, prepared = item.session, self._prepared(item)
        database = session.database
        if prepared is not None and database.backend == "postgresql":
            if self._succeeds(prepared.alone(database)):
                self.remember(prepared.made.head)
                return prepared.made.commit
            prepared = None
        with database.writing() as work:
            if prepared is not None and self._succeeds(prepared.inside(work)):
                commit, head = prepared.made.commit, prepared.made.head
            else:
                commit, head = session.commit_in(work, item.change, item.ruling)
        self.remember(head)
        return commit

    def _prepared(self, item: Waiting) -> Prepared | None:
        """The short way, where there is one and it is worth the attempt."""
        session, head = item.session, self.head
        forked = item.change.key is not None and session.branch != MAIN
        if item.alone or forked or head is None or head.typed is None:
            return None
        if self._waits:
            self._waits -= 1
            return None
        return exchange.prepare(
            session.database, session.session_id, session.branch, head, session.shape, item.change
        )

    def _succeeds(self, won: bool) -> bool:  # noqa: FBT001 - a verdict and no switch
        """After a lost race the next ones go the long way, ever more of them while races are lost."""
        self._patience = _SHORTEST if won else min(2 * self._patience, _LONGEST)
        self._waits = 0 if won else self._patience
        return won


def _bell_of(database: Database) -> Callable[[], None]:
    """What wakes those in this process who watch; a line does not keep its database alive."""
    known = ref(database)

    def ring() -> None:
        if (living := known()) is not None:
            notices.ring(living)

    return ring


def line(database: Database, session_id: int, branch: str, shape: Shape | None) -> Line:
    """The line of a branch, one for all sessions of this database object that have the same schema."""
    with _making:
        lines = _lines.setdefault(database, WeakValueDictionary())
        return lines.setdefault((session_id, branch, shape), Line(_bell_of(database)))
