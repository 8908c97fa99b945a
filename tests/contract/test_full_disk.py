"""A disk that is full: nothing acknowledged is lost, and the store goes on when there is room."""

from __future__ import annotations

import os
import resource
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dissensus_state.errors import DatabaseFailed, DiskFull, OutcomeUnknown
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from inquiries import Notes, does, nothing_changes
from postgres import Postgres
from small_disks import fill, go_on, in_namespace, mounted, numbers

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


def test_a_sqlite_file_on_a_full_disk_keeps_what_was_acknowledged_and_goes_on_when_there_is_room(
    tmp_path: Path,
) -> None:
    told = in_namespace(tmp_path)
    if told is None:
        pytest.skip("a small disk needs root, or a system where users may have namespaces (unshare)")
    assert told["codes"] == ["database.full", "database.full"]
    assert told["exit_code"] == 11
    assert "database or disk is full" in told["message"]
    assert told["acknowledged"] > 10
    assert told["found"] == list(range(told["acknowledged"]))
    assert told["after"] == list(range(told["acknowledged"] + 5))
    assert told["verified"] == told["replayed"] == told["acknowledged"] + 6


@pytest.fixture
def small_server() -> Iterator[tuple[Postgres, Path]]:
    """A server that flushes, on a disk with two megabytes left, and what takes the rest of it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        with mounted(Path(folder), "80m") as allowed:
            if not allowed:
                pytest.skip("a small disk for a server needs the right to mount one")
            data, reserve = Path(folder, "data"), Path(folder, "reserve")
            data.mkdir()
            with Postgres(durable=True, data=data) as server:
                server.create("small")
                disk = os.statvfs(folder)
                with reserve.open("wb") as file:
                    os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_frsize - (2 << 20))
                yield server, reserve


@pytest.mark.slow
def test_a_server_on_a_full_disk_keeps_what_was_acknowledged_and_goes_on_when_there_is_room(
    small_server: tuple[Postgres, Path],
) -> None:
    server, reserve = small_server
    with Store.open(server.url("small")) as store:
        session = store.create(Notes())
        acknowledged, error = fill(session)
        assert (error.code, error.exit_code) == ("database.full", 11)
        assert "No space left on device" in error.message
        assert numbers(session) == list(range(acknowledged))
        acknowledged, gone = _until_the_server_has_no_room_for_its_own_log(session, acknowledged)
        assert gone.code in {"database.failed", "database.outcome_unknown"}
        reserve.unlink()
        server.stop()
        server.start()
        found = numbers(session)
        assert found[:acknowledged] == list(range(acknowledged))
        assert len(found) <= acknowledged + isinstance(gone, OutcomeUnknown)
        go_on(session)
        assert numbers(session) == list(range(len(found) + 5))
        assert session.verify().versions == session.replay().versions == len(found) + 6


def _until_the_server_has_no_room_for_its_own_log(
    session: Session[Notes], acknowledged: int
) -> tuple[int, DatabaseFailed]:
    """Go on until it ends itself (PANIC), and starts again if it can."""
    for _ in range(20):
        try:
            acknowledged, error = fill(session)
            with session.writing() as work:
                work._cursor.execute("SELECT pg_logical_emit_message(true, 'test', repeat('x', 300000))")
        except DatabaseFailed as failed:
            error = failed
        if not isinstance(error, DiskFull):
            return acknowledged, error
    raise AssertionError("The server is still there")
