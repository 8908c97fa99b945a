"""The store with one of its safeguards taken out, to see that what checks it notices.

Nothing of this is in the product: a worker process patches the installed functions when it starts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from dissensus_state import conflicts, engines, heads, locks, patches, queues, readers
from dissensus_state.records import Change, Isolation
from dissensus_state.tables import commits as commits_table

Rewrite = tuple[str, str]

BOTH = ("sqlite", "postgresql")


@dataclass(frozen=True, slots=True)
class Mutation:
    """One way to break the store.

    Attributes:
        what: What is gone.
        caught: The anomalies that must show; empty where another safeguard still holds alone.
        stored: Whether the stored history shows it too, so that `verify` names a commit.
        backends: The databases on which it is worth a try.
        isolation: What the transactions must ask for so that it can show.
    """

    what: str
    break_store: Callable[[], None]
    caught: frozenset[str] = frozenset()
    stored: bool = True
    backends: tuple[str, ...] = ("sqlite",)
    isolation: Isolation = "serializable"


class Split:
    """A cursor that ends its transaction before the first statement that writes, and begins another.

    So what was read and locked until then stands no more when it is written on.
    """

    def __init__(self, cursor: Any, backend: str) -> None:
        self._cursor = cursor
        self._begin: str | None = "BEGIN IMMEDIATE" if backend == "sqlite" else "BEGIN"
        cursor.execute("COMMIT")
        cursor.execute("BEGIN")

    def execute(self, text: str, values: Sequence[Any] = ()) -> Any:
        """Run a statement."""
        self._split_before(text)
        return self._cursor.execute(text, values)

    def executemany(self, text: str, rows: Sequence[Sequence[Any]]) -> Any:
        """Run a statement for each row."""
        self._split_before(text)
        return self._cursor.executemany(text, rows)

    def _split_before(self, text: str) -> None:
        if self._begin and not text.startswith("SELECT"):
            self._cursor.execute("COMMIT")
            self._cursor.execute(self._begin)
            self._begin = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


NO_LOCK = (r" FOR UPDATE", "")
NO_COMPARISON = (r"(branches\.head(?:_hash)?) = (\?|\$\d+::\w+)", r"(\1 = \2 OR 1 = 1)")
LAST_ONE_WINS = (
    r"(INSERT INTO commits [\s\S]*)\Z",
    r"\1 ON CONFLICT (session_id, branch, version) DO UPDATE SET "
    + ", ".join(f"{column.name} = excluded.{column.name}" for column in commits_table.columns),
)


def _rewritten(*rewrites: Rewrite) -> None:
    """Rewrite the text of every statement."""
    bound = engines.Statement.bound

    def altered(statement: engines.Statement, *arguments: Any) -> tuple[str, list[Any]]:
        text, values = bound(statement, *arguments)
        for pattern, new in rewrites:
            text = re.sub(pattern, new, text)
        return text, values

    _patched(engines.Statement, "bound", altered)


def _unlocked() -> None:
    """Lock nothing, among processes or in the database, between what is read and what is written."""
    init = engines.Work.__init__

    def begin(work: engines.Work, database: engines.Database, cursor: Any, *, writes: bool) -> None:
        init(work, database, Split(cursor, database.backend) if writes else cursor, writes=writes)

    _patched(engines.Work, "__init__", begin)
    _patched(locks.FileLock, "take", lambda *_: True)
    _patched(locks.FileLock, "give", lambda _: None)


def _no_lock(*rewrites: Rewrite) -> None:
    _unlocked()
    _rewritten(NO_LOCK, *rewrites)


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
        _no_lock,
        backends=BOTH,
    ),
    "no comparison": Mutation(
        "The head is moved without a look at what it was; the lock holds, or the key of a version",
        lambda: _rewritten(NO_COMPARISON),
        backends=BOTH,
    ),
    "no comparison in one exchange": Mutation(
        "A remembered head is moved on without a look at what it is now, and its next version replaced",
        lambda: _rewritten(NO_COMPARISON, LAST_ONE_WINS),
        caught=frozenset({"lost-write", "incompatible-order"}),
        backends=("postgresql",),
    ),
    "neither lock nor comparison": Mutation(
        "The last writer of a version wins, whatever it has read",
        lambda: _no_lock(NO_COMPARISON, LAST_ONE_WINS),
        caught=frozenset({"lost-write", "incompatible-order"}),
        backends=BOTH,
    ),
    "weak isolation": Mutation(
        "What others committed since the change's base is not looked at, as under READ COMMITTED",
        lambda: _patched(conflicts, "check", lambda *_: None),
        backends=BOTH,
        caught=frozenset({"lost-write", "incompatible-order"}),
    ),
    "reads ignored": Mutation(
        "A change is rebased though what it had read was changed since",
        _change_as(lambda change: replace(change, reads=())),
        backends=BOTH,
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
