"""A disk that is full: nothing acknowledged is lost, and the store goes on when there is room."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dissensus_state.errors import DatabaseFailed, DiskFull
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from inquiries import Notes, does, nothing_changes

LINE = "x" * 20_000


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Session[Notes]]:
    """A session in a file of its own, with one line."""
    with Store.open(str(tmp_path / "state.db")) as store:
        session = store.create(Notes())
        session.transact(does("append", "lines", LINE), "ana")
        yield session


def _set_pages(session: Session[Notes], pages: int) -> None:
    with session.writing() as work:
        work._cursor.execute(f"PRAGMA max_page_count={pages}")


def test_a_full_database_refuses_the_commit_and_keeps_all_before_it(filled: Session[Notes]) -> None:
    _set_pages(filled, 1)
    with nothing_changes(filled), pytest.raises(DiskFull) as caught:
        filled.transact(does("set", "text", "".join(map(str, range(20_000)))), "ana")
    assert "database or disk is full" in caught.value.message
    assert (caught.value.code, caught.value.exit_code) == ("database.full", 11)
    assert caught.value.next_step == "Free some space, then start again: everything acknowledged is there"
    _set_pages(filled, 1_000_000)
    filled.transact(does("append", "lines", "after"), "ana")
    assert filled.state.lines == [LINE, "after"]
    assert filled.verify().versions == 3


@contextmanager
def _no_file_grows_beyond(size: int) -> Iterator[None]:
    """As on a full disk, the operating system refuses to write any further."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_a_write_that_the_operating_system_refuses_in_the_middle_leaves_nothing_open(
    filled: Session[Notes],
) -> None:
    wal = Path(f"{filled.database.url.database}-wal")
    with (
        nothing_changes(filled),
        pytest.raises(DatabaseFailed) as caught,
        _no_file_grows_beyond(wal.stat().st_size + 5_000),
    ):
        filled.transact(does("append", "lines", LINE), "ana")
    assert caught.value.code in {"database.full", "database.failed"}
    filled.transact(does("append", "lines", "after"), "ana")
    assert filled.state.lines == [LINE, "after"]
    assert filled.verify().versions == 3
