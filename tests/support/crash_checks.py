"""What holds of a database after any crash, whatever was running: asked with the database opened anew."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dissensus_state.engines import Statement
from dissensus_state.errors import OutcomeUnknown
from dissensus_state.records import Commit
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from dissensus_state.tables import blobs
from dissensus_state.tables import commits as commits_table
from dissensus_state.values import canonical
from inquiries import Inquiry, Notes

_large_texts = Statement(
    sa.select(blobs.c.digest).where(
        blobs.c.session_id == sa.bindparam("session_id"), sa.func.length(blobs.c.data) > 20_000
    )
)
_patches = Statement(
    sa.select(commits_table.c.patch).where(commits_table.c.session_id == sa.bindparam("session_id"))
)

Told = Iterable[tuple[str, ...]]


@dataclass
class Tally:
    """What was done and what came of it, over a whole run.

    Attributes:
        unknown: Commits whose answer did not come, or came as `OutcomeUnknown`.
        landed: Those of them that were there nevertheless.
        failed: Commits that were said to have failed.
    """

    seed: int = 0
    kills: int = 0
    acknowledged: int = 0
    unknown: int = 0
    landed: int = 0
    failed: int = 0
    checks: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{item.name} {getattr(self, item.name)}" for item in fields(self))


@dataclass
class Expected:
    """What workers were told of one database: its acknowledged commits, and those without an answer.

    Attributes:
        acknowledged: The version of each commit that was acknowledged, by session and key.
        open: Commits that were begun and not acknowledged.
    """

    tally: Tally
    acknowledged: dict[tuple[str, str], int] = field(default_factory=dict)
    open: set[tuple[str, str]] = field(default_factory=set)

    def learn(self, told: Told) -> None:
        """Take in what a worker has told."""
        for kind, *rest in told:
            if kind == "broken":
                raise AssertionError(f"A worker failed: {' '.join(rest)}")
            if kind == "try":
                self.open.add((rest[0], rest[1]))
            elif kind == "ack":
                self._acknowledge((rest[0], rest[1]), int(rest[2]))
            elif kind == "failed":
                self._failed(*rest)

    def _failed(self, session: str, key: str, code: str, found: str) -> None:
        """An error that does not leave the outcome open says that nothing was committed."""
        there = found == "there"
        if code == OutcomeUnknown.code:
            self.tally.unknown += 1
            self.tally.landed += there
        else:
            self.tally.failed += 1
            assert not there, f"{key} of {session} was said to have failed with {code}, and is there"

    def _acknowledge(self, commit: tuple[str, str], version: int) -> None:
        known = self.acknowledged.setdefault(commit, version)
        assert known == version, f"{commit} was acknowledged as version {known} and as {version}"
        self.open.discard(commit)

    def of(self, session: str) -> dict[str, int]:
        """The acknowledged commits of one session: key -> version."""
        return {key: version for (name, key), version in self.acknowledged.items() if name == session}


def check(
    url: str, expected: Expected, names: Iterable[str], schema: type[Notes | Inquiry]
) -> set[tuple[str, str]]:
    """Open the database anew and ask everything of these sessions.

    Returns:
        The session and key of every commit that is there.

    Raises:
        AssertionError, Tampered, Diverged: something was lost, came twice, or is there by half.
    """
    expected.tally.checks += 1
    there: set[tuple[str, str]] = set()
    with Store.open(url) as store:
        for name in names:
            session = store.session(name, schema)
            there.update((name, key) for key in check_session(session, expected.of(name)))
            _no_text_without_a_commit(session)
        if store.database.backend == "sqlite":
            assert _integrity(str(store.database.url.database)) == "ok"
    return there


def check_session(session: Session[Any], acknowledged: dict[str, int]) -> Iterable[str]:
    """No acknowledged commit is lost, none is there twice or by half, the history adds up to the state.

    Others may go on writing: each question is asked of what had landed when the one before was asked.

    Returns:
        The keys of its commits.
    """
    verified = session.verify()
    history = list(session.versions())
    assert len(history) >= verified.versions
    keys = Counter(commit.key for commit, _ in history if commit.key)
    assert [key for key, times in keys.items() if times > 1] == []
    version_of = {commit.key: commit.version for commit, _ in history}
    lost = {
        key: version for key, version in acknowledged.items() if version and version_of.get(key) != version
    }
    assert not lost, f"acknowledged, and not there: {lost}"
    assert [commit.version for commit, _ in history] == list(range(len(history)))
    commit, folded = history[-1]
    assert canonical(session.raw(commit.version)) == canonical(folded)
    if "lines" in folded:
        _lines_are(folded, [commit for commit, _ in history[1:]])
    return keys


def _lines_are(state: dict[str, Any], commits: list[Commit]) -> None:
    """Every commit's line stands once, in the order of the commits, and is counted where it counts."""
    keys = [line.partition(" ")[0] for line in state["lines"]]
    assert keys == [commit.key for commit in commits]
    assert state["a"] == sum(int(key.partition(":")[2]) % 2 for key in keys)


def _no_text_without_a_commit(session: Session[Any]) -> None:
    """A large value is stored with the commit that refers to it, or not at all."""
    with session.reading() as work:
        kept = work.all(_large_texts, session_id=session.session_id)
        patches = work.all(_patches, session_id=session.session_id)
    assert len(kept) == sum('"blob"]' in text for (text,) in patches)


def _integrity(path: str) -> str:
    connection = sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=ro", uri=True)
    try:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        connection.close()
