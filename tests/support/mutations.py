"""The store with one of its safeguards taken out, to see that what checks it notices.

Nothing of this is in the product: a worker process patches the installed functions when it starts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from dissensus_state import commits, conflicts, engines, sessions, transactions, transitions
from dissensus_state.tables import commits as commits_table

Rewrite = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Mutation:
    """One way to break the store.

    Attributes:
        what: What is gone.
        caught: The anomalies that must show; empty where another safeguard still holds alone.
        isolation: What the transactions must ask for so that it can show.
    """

    what: str
    break_store: Callable[[], None]
    caught: frozenset[str] = frozenset()
    isolation: str = "serializable"


class Cursor:
    """A cursor that runs other statements than it is given.

    Args:
        split: End the transaction before the first statement that writes, and begin another, so that
            what was read and locked stands no more.
    """

    def __init__(self, cursor: Any, backend: str, rewrites: Iterable[Rewrite], *, split: bool) -> None:
        self._cursor = cursor
        self._begin = "BEGIN IMMEDIATE" if backend == "sqlite" else "SELECT 1"
        self._rewrites = [(re.compile(pattern), new) for pattern, new in rewrites]
        self._split = split
        if split and backend == "sqlite":
            cursor.execute("COMMIT")
            cursor.execute("BEGIN")

    def execute(self, text: str, values: Mapping[str, Any] = {}) -> Any:
        """Run a statement, rewritten."""
        for pattern, new in self._rewrites:
            text = pattern.sub(new, text)
        if self._split and not text.startswith("SELECT"):
            self._cursor.execute("COMMIT")
            self._cursor.execute(self._begin)
            self._split = False
        return self._cursor.execute(text, values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


NO_LOCK = (r" FOR UPDATE", "")
NO_COMPARISON = (r" AND branches\.head = (:expected|%\(expected\)s::BIGINT)", "")
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

        patch.object(engines.Work, "__init__", begin).start()

    return break_store


def _function(owner: Any, name: str, change: Callable[..., Any]) -> Callable[[], None]:
    """Put another function, made of the present one, in its place."""
    return lambda: setattr(owner, name, change(getattr(owner, name)))


MUTATIONS: dict[str, Mutation] = {
    "no-lock": Mutation(
        "What is read is not locked, and checked in another transaction than it is written in",
        _statements(NO_LOCK, split=True),
    ),
    "no-compare": Mutation(
        "The head is moved without a look at what it was, under the lock",
        _statements(NO_COMPARISON, LAST_ONE_WINS),
    ),
    "no-lock-no-compare": Mutation(
        "Neither lock nor comparison: the last writer of a version wins",
        _statements(NO_LOCK, NO_COMPARISON, LAST_ONE_WINS, split=True),
        caught=frozenset({"lost-write"}),
    ),
}
