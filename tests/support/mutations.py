"""The store with one of its safeguards taken out, to see that what checks it notices.

Nothing of this is in the product: a worker process patches the installed functions when it starts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from dissensus_state import conflicts, engines, heads, locks, patches, queues, readers
from dissensus_state.records import Change, Isolation
from dissensus_state.tables import commits as commits_table

Rewrite = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Mutation:
    """One way to break the store.

    Attributes:
        what: What is gone.
        caught: The anomalies that must show; empty where another safeguard still holds alone.
        stored: Whether the stored history shows it too, so that `verify` names a commit.
        by_database: Whether it is worth a try on both databases; else it is the same on each.
        isolation: What the transactions must ask for so that it can show.
    """

    what: str
    break_store: Callable[[], None]
    caught: frozenset[str] = frozenset()
    stored: bool = True
    by_database: bool = False
    isolation: Isolation = "serializable"


class Cursor:
    """A cursor that runs other statements than it is given.

    Args:
        split: End the transaction before the first statement that writes, and begin another, so that
            what was read and locked stands no more.
    """

    def __init__(self, cursor: Any, backend: str, rewrites: Iterable[Rewrite], *, split: bool) -> None:
        self._cursor = cursor
        self._begin = "BEGIN IMMEDIATE" if backend == "sqlite" else "BEGIN"
        self._rewrites = [(re.compile(pattern), new) for pattern, new in rewrites]
        self._split = split
        if split and backend == "sqlite":
            cursor.execute("COMMIT")
            cursor.execute("BEGIN")

    def execute(self, text: str, values: Sequence[Any] = ()) -> Any:
        """Run a statement, rewritten."""
        return self._cursor.execute(self._rewritten(text), values)

    def executemany(self, text: str, rows: Sequence[Sequence[Any]]) -> Any:
        """Run a statement for each row, rewritten."""
        return self._cursor.executemany(self._rewritten(text), rows)

    def _rewritten(self, text: str) -> str:
        for pattern, new in self._rewrites:
            text = pattern.sub(new, text)
        if self._split and not text.startswith("SELECT"):
            self._cursor.execute("COMMIT")
            self._cursor.execute(self._begin)
            self._split = False
        return text

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


NO_LOCK = (r" FOR UPDATE", "")
NO_COMPARISON = (r"branches\.head = (\?|\$\d+(?:::BIGINT)?)", r"(branches.head = \1 OR 1 = 1)")
LAST_ONE_WINS = (
    r"^(INSERT INTO commits .*)$",
    r"\1 ON CONFLICT (session_id, branch, version) DO UPDATE SET "
    + ", ".join(f"{column.name} = excluded.{column.name}" for column in commits_table.columns),
)


def _statements(*rewrites: Rewrite, split: bool = False) -> Callable[[], None]:
    """Rewrite the statements of every transaction that writes."""

    def break_store() -> None:
        init = engines.Work.__init__

        def begin(work: engines.Work, database: engines.Database, cursor: Any, *, writes: bool) -> None:
            if writes:
                cursor = Cursor(cursor, database.backend, rewrites, split=split)
            init(work, database, cursor, writes=writes)

        _patched(engines.Work, "__init__", begin)
        if split:
            _patched(locks.FileLock, "take", lambda *_: True)
            _patched(locks.FileLock, "give", lambda _: None)

    return break_store


def _patched(owner: Any, name: str, new: Any) -> None:
    """Put something else in the place of a function, for the rest of this process's life."""
    patch.object(owner, name, new).start()


def _change_as(alter: Callable[[Change], Change]) -> Callable[[], None]:
    """Let the rule of admission see another change than the one that is committed."""
    check = conflicts.check

    def altered(change: Change, *others: Any) -> None:
        check(alter(change), *others)

    return lambda: _patched(conflicts, "check", altered)


def _without_keys() -> None:
    """Admit every change as one without an idempotency key."""
    _patched(
        queues,
        "Waiting",
        lambda session, change, ruling: _Waiting(session, replace(change, key=None), ruling),
    )


_Waiting = queues.Waiting


def _remembered(session: readers.Reader[Any]) -> heads.Head:
    """What this process has seen last, without a look at the database."""
    known = session._line.head
    if known is None:
        with session.reading() as work:
            found = heads.read(work, session.session_id, session.branch)
            known, _ = heads.current(work, session.session_id, session.branch, found, None, session.shape)
        session.remember(known)
    return known


MUTATIONS: dict[str, Mutation] = {
    "no lock": Mutation(
        "What is read is not locked, and is checked in another transaction than it is written in",
        _statements(NO_LOCK, split=True),
    ),
    "no comparison": Mutation(
        "The head is moved without a look at what it was, under the lock",
        _statements(NO_COMPARISON, LAST_ONE_WINS),
    ),
    "neither lock nor comparison": Mutation(
        "The last writer of a version wins, whatever it has read",
        _statements(NO_LOCK, NO_COMPARISON, LAST_ONE_WINS, split=True),
        by_database=True,
        caught=frozenset({"lost-write", "incompatible-order"}),
    ),
    "weak isolation": Mutation(
        "What others committed since the change's base is not looked at, as under READ COMMITTED",
        lambda: _patched(conflicts, "check", lambda *_: None),
        by_database=True,
        caught=frozenset({"lost-write", "incompatible-order"}),
    ),
    "reads ignored": Mutation(
        "A change is rebased though what it had read was changed since",
        _change_as(lambda change: replace(change, reads=())),
        by_database=True,
        caught=frozenset({"G-single"}),
    ),
    "writes ignored": Mutation(
        "A change is rebased though what it overwrites was changed since",
        _change_as(lambda change: replace(change, patch=())),
        caught=frozenset({"lost-write"}),
        isolation="snapshot",
    ),
    "everything commutes": Mutation(
        "Replacing a value is taken for something that commutes",
        lambda: _patched(conflicts, "COMMUTING", {"set", "merge", *patches.COMMUTING}),
        caught=frozenset({"lost-write"}),
        isolation="snapshot",
    ),
    "paths by name": Mutation(
        "Two paths touch only if they are the same, not if one stands inside of the other",
        lambda: _patched(conflicts, "overlap", lambda one, other: one == other),
        caught=frozenset({"G-single"}),
    ),
    "keys ignored": Mutation(
        "A change that comes a second time under its key is committed a second time",
        _without_keys,
        caught=frozenset({"duplicate-elements"}),
        stored=False,
    ),
    "head from memory": Mutation(
        "What a process remembers of the head is taken for the head",
        lambda: _patched(readers.Reader, "current", _remembered),
        caught=frozenset({"G-single-realtime"}),
        stored=False,
    ),
}
"""The mutations by name. What another safeguard still catches shows nothing: that is meant by two lines
of defence, and held to as well."""
