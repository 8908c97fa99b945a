"""What one thread of a worker does: transactions on lists, drawn by a seed, and what it saw of them.

What is a list in the history, for session 3 of the run with seed 0:

- `s0-3/a`, `s0-3/b`, `s0-3/c`: fields that merge by `Append`; `s0-3/plain`: one that is replaced;
- `s0-3/lists/p`: an entry of a dictionary, which is not there before its first value;
- `s0-3/log`: the session's own history. Each commit appends itself to it: who made version n stands
  at place n - 1. So the versions themselves are held to the order that everybody saw;
- `sessions`: the sessions of the database, in their order; each that is made is appended.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TextIO

from dissensus_state.errors import Conflict, DissensusError, NotFound
from dissensus_state.records import Isolation
from dissensus_state.sessions import Session
from dissensus_state.shapes import Append as Appended
from dissensus_state.shapes import MergeByKey, SharedState
from dissensus_state.store import Store
from dissensus_state.transactions import Transaction
from histories import Append, Op, Read, as_value

FIELDS = ("a", "b", "c", "plain")
ENTRIES = tuple(f"lists/{name}" for name in "pqrs")
PER_SESSION = 400
"""Transactions of a session; the next one takes over then, so that its lists stay short."""

_PROCESS_IDS = 1_000_000


class Lists(SharedState):
    """Lists that merge in different ways."""

    a: Annotated[list[int], Appended] = []
    b: Annotated[list[int], Appended] = []
    c: Annotated[list[int], Appended] = []
    plain: list[int] = []
    lists: Annotated[dict[str, list[int]], MergeByKey] = {}


class Extra(SharedState):
    """A session that is made and never worked on."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run is to be.

    Attributes:
        folder: Where the events are written.
        threads: How many threads of each process work at the same time.
        at_once: How many sessions are worked on at the same time.
        pause: The longest that a transaction waits before it is committed, in seconds.
        mutation: What is broken in the store (see `mutations`); None for the store as it is.
        isolation: What the transactions ask for.
    """

    url: str
    folder: str
    seed: int = 0
    transactions: int = 2_000
    processes: int = 4
    threads: int = 1
    at_once: int = 3
    pause: float = 0.002
    mutation: str | None = None
    isolation: Isolation = "serializable"

    @property
    def sessions(self) -> list[str]:
        """The names of the sessions that the run works on, one after the other."""
        return [f"s{self.seed}-{number}" for number in range(self.at_once + self.transactions // PER_SESSION)]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do in a transaction: `read` or `append`, or read a list and `set` or `merge` it."""

    how: str
    key: str
    value: int = 0

    def do(self, tx: Transaction) -> list[Op]:
        """Do it; what was seen and done, by the path in the session."""
        if self.how == "whole":
            seen = tx.read("lists")
            return [Read(key, tuple(seen.get(key.partition("/")[2], ()))) for key in ENTRIES]
        if self.how == "read":
            return [Read(self.key, tuple(_read(tx, self.key)))]
        if self.how == "append":
            self._append(tx)
            return [Append(self.key, self.value)]
        seen = _read(tx, self.key)
        self._put(tx, [*seen, self.value])
        return [Read(self.key, tuple(seen)), Append(self.key, self.value)]

    def planned(self) -> list[Op]:
        """What will be done, with nothing seen yet."""
        if self.how == "whole":
            return [Read(key) for key in ENTRIES]
        reads: list[Op] = [Read(self.key)] if self.how != "append" else []
        return reads + ([Append(self.key, self.value)] if self.how != "read" else [])

    def _append(self, tx: Transaction) -> None:
        """Append to what is there; an entry that is not there is first seen to be missing."""
        try:
            tx.append(self.key, self.value)
        except NotFound:
            self._put(tx, [*_read(tx, self.key), self.value])

    def _put(self, tx: Transaction, values: list[int]) -> None:
        if self.how == "merge":
            tx.merge("lists", {self.key.partition("/")[2]: values})
        else:
            tx.set(self.key, values)


def _read(tx: Transaction, key: str) -> list[int]:
    try:
        seen: list[int] = tx.read(key)
    except NotFound:
        return []
    return seen


Doing = Callable[[], list[Op]]


class Worker:
    """One thread of one process: it draws its transactions by a seed, and writes down what it saw."""

    def __init__(self, settings: Settings, store: Store, sessions: Sessions, process: int) -> None:
        self.settings = settings
        self.store = store
        self.sessions = sessions
        self.process = process
        self.random = random.Random(f"{settings.seed} {process}")
        self.last = process * _PROCESS_IDS

    def work(self) -> None:
        """Do this worker's share of all transactions."""
        share = self.settings.transactions // (self.settings.processes * self.settings.threads)
        with (Path(self.settings.folder) / f"{self.process}.jsonl").open("w", encoding="utf-8") as events:
            for number in range(share):
                planned, doing = self._drawn(number / share)
                recorded(events, self.process, planned, doing)

    def _drawn(self, progress: float) -> tuple[list[Op], Doing]:
        """The next transaction: what it plans to do, and what does it."""
        names, at_once = self.settings.sessions, self.settings.at_once
        name = names[int(progress * (len(names) - at_once + 1)) + self.random.randrange(at_once)]
        session = self.sessions.get(name)
        kinds: list[Callable[[str, Session[Lists]], tuple[list[Op], Doing]]] = [
            self._transact, self._transaction, self._repeated, self._look, self._raw, self._view,
            self._create, self._list,
        ]  # fmt: skip
        return self.random.choices(kinds, (40, 30, 6, 9, 5, 6, 2, 2))[0](name, session)

    def _number(self) -> int:
        self.last += 1
        return self.last

    def _pause(self) -> float:
        """Every other transaction waits a moment, in which others overtake it."""
        return self.random.choice((0, self.random.uniform(0, self.settings.pause)))

    def _steps(self) -> list[Step]:
        return [self._step() for _ in range(self.random.choice((1, 2, 2, 3, 4)))]

    def _step(self) -> Step:
        how = self.random.choices(("read", "append", "set", "merge", "whole"), (8, 8, 2, 1, 1))[0]
        keys = {"merge": ENTRIES, "whole": ("lists",)}.get(how, FIELDS + ENTRIES)
        return Step(how, self.random.choice(keys), self._number())

    def _body(self, name: str) -> tuple[str, list[Op], Callable[[Transaction], list[Op]]]:
        """Steps of a transaction, and the line in the session's log that its commit will be."""
        steps, author, pause = self._steps(), self._number(), self._pause()
        logged = Append(f"{name}/log", author)

        def body(tx: Transaction) -> list[Op]:
            done = [op for step in steps for op in step.do(tx)]
            time.sleep(pause)
            return [*_within(name, done), logged]

        return str(author), [*_within(name, [op for step in steps for op in step.planned()]), logged], body

    def _transact(self, name: str, session: Session[Lists]) -> tuple[list[Op], Doing]:
        author, planned, body = self._body(name)
        isolation = self.settings.isolation
        return planned, lambda: session.transact(body, author, attempts=5, isolation=isolation)

    def _transaction(self, name: str, session: Session[Lists]) -> tuple[list[Op], Doing]:
        author, planned, body = self._body(name)

        def doing() -> list[Op]:
            with session.transaction(author, isolation=self.settings.isolation) as tx:
                return body(tx)

        return planned, doing

    def _repeated(self, name: str, session: Session[Lists]) -> tuple[list[Op], Doing]:
        """A commit whose answer was lost: the same is committed once more, under the same key."""
        author, planned, body = self._body(name)

        def doing() -> list[Op]:
            with session.transaction(author, isolation=self.settings.isolation, key=author) as tx:
                seen = body(tx)
            session.commit(tx.change())
            return seen

        return planned, doing

    def _look(self, name: str, session: Session[Lists]) -> tuple[list[Op], Doing]:
        return _planned(name), lambda: _whole(name, session.state.model_dump())

    def _raw(self, name: str, session: Session[Lists]) -> tuple[list[Op], Doing]:
        return _planned(name), lambda: _whole(name, session.raw())

    def _view(self, name: str, session: Session[Lists]) -> tuple[list[Op], Doing]:
        """The state of a version and the history up to it, read one after the other."""
        return [*_planned(name), Read(f"{name}/log")], lambda: view(name, session)

    def _create(self, *_: object) -> tuple[list[Op], Doing]:
        number = self._number()

        def doing() -> list[Op]:
            self.store.create(Extra(), name=str(number))
            return planned

        planned: list[Op] = [Append("sessions", number)]
        return planned, doing

    def _list(self, *_: object) -> tuple[list[Op], Doing]:
        return [Read("sessions")], lambda: listed(self.store)


def _within(name: str, ops: list[Op]) -> list[Op]:
    return [
        Append(f"{name}/{op.key}", op.value) if isinstance(op, Append) else Read(f"{name}/{op.key}", op.seen)
        for op in ops
    ]


def _planned(name: str) -> list[Op]:
    return _within(name, [Read(key) for key in FIELDS + ENTRIES])


def _whole(name: str, state: dict[str, Any]) -> list[Op]:
    """Every list of a state."""
    entries = {f"lists/{key}": values for key, values in state["lists"].items()}
    return _within(name, [Read(key, tuple({**state, **entries}.get(key, ()))) for key in FIELDS + ENTRIES])


def view(name: str, session: Session[Lists]) -> list[Op]:
    """The state at the head, and who made each version up to it."""
    head = session.head
    log = session.log(head + 1, before=head + 1)[::-1]
    if [commit.version for commit in log] != list(range(head + 1)):
        raise AssertionError([commit.version for commit in log])
    authors = tuple(int(commit.author) for commit in log[1:])
    return [*_whole(name, session.raw(head)), Read(f"{name}/log", authors)]


def listed(store: Store) -> list[Op]:
    """The sessions that were made during the run."""
    return [Read("sessions", tuple(int(info.name) for info in store.sessions() if info.name.isdecimal()))]


def recorded(events: TextIO, process: int, planned: list[Op], doing: Doing) -> None:
    """Write down that a transaction begins, do it, and write down what came of it."""
    _event(events, "invoke", process, planned, known=False)
    try:
        done = doing()
    except DissensusError as error:
        kind = "fail" if isinstance(error, Conflict) else "info"
        _event(events, kind, process, planned, known=False, error=error.code, message=str(error))
    else:
        _event(events, "ok", process, done, known=True)


def _event(file: TextIO, kind: str, process: int, ops: list[Op], *, known: bool, **more: str) -> None:
    event = {
        "type": kind,
        "process": process,
        "time": time.monotonic_ns(),
        "value": [as_value(op, known=known) for op in ops],
        **more,
    }
    file.write(json.dumps(event) + "\n")
    file.flush()


class Sessions:
    """The sessions of a run, each opened once for all threads of a process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: dict[str, Session[Lists]] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> Session[Lists]:
        """The session of that name."""
        with self._lock:
            if name not in self._open:
                self._open[name] = self._store.session(name, Lists)
            return self._open[name]
