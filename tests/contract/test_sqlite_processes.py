"""One SQLite file and all who use it at once: threads, stores, processes, children and strangers."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

import sqlite_workers
from dissensus_state import sqlite_files
from dissensus_state.errors import DatabaseFailed
from dissensus_state.locks import Turn
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from inquiries import Notes, does


@pytest.fixture
def session(database_file: Path) -> Iterator[Session[Notes]]:
    """The session that all of them share."""
    with Store.open(str(database_file)) as store:
        yield store.create(Notes(), name="shared")


def _start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, sqlite_workers.__file__, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@contextmanager
def _held_by_another_process(path: Path) -> Iterator[None]:
    with _start("hold", path) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        yield
        other.communicate()


def _check_whole(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def _append(session: Session[Notes], line: str) -> None:
    session.transact(does("append", "lines", line), "ana")


def _later(function: object, *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=function, args=arguments)  # type: ignore[arg-type]
    thread.start()
    return thread


def test_a_commit_waits_for_the_lock_that_another_process_holds(
    session: Session[Notes], database_file: Path
) -> None:
    with _held_by_another_process(database_file):
        waiting = _later(_append, session, "late")
        waiting.join(0.3)
        assert waiting.is_alive()
        assert session.state.lines == []
    waiting.join(10)
    assert session.state.lines == ["late"]


def test_a_checkpoint_on_closing_waits_for_that_lock_as_well(
    session: Session[Notes], database_file: Path
) -> None:
    _append(session, "one")
    before = database_file.read_bytes()
    with _held_by_another_process(database_file):
        closing_ = _later(session.database.close)
        closing_.join(0.3)
        assert closing_.is_alive()
        assert database_file.read_bytes() == before
    closing_.join(10)
    assert database_file.read_bytes() != before
    assert list(database_file.parent.iterdir()) == [database_file]


def test_a_lock_that_is_not_given_is_told_in_bounded_time(
    session: Session[Notes], database_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_files, "BUSY_SECONDS", 0.1)
    with (
        _held_by_another_process(database_file),
        pytest.raises(DatabaseFailed, match="was held by another process for over") as caught,
    ):
        _append(session, "never")
    assert caught.value.next_step == "Find what holds it open for writing, end it, and start again"
    monkeypatch.undo()
    _append(session, "now")
    assert session.state.lines == ["now"]


@pytest.mark.slow
def test_eight_processes_and_a_reader_see_no_error_and_leave_the_file_whole(
    session: Session[Notes], database_file: Path
) -> None:
    workers = [_start("commits", database_file, 50) for _ in range(8)]
    seen = [0]
    while any(worker.poll() is None for worker in workers):
        seen.append(len(session.state.lines))
    assert [worker.wait() for worker in workers] == [0] * 8
    for worker in workers:
        worker.communicate()
    assert seen == sorted(seen)
    assert len(session.state.lines) == 400
    assert session.verify().versions == 401
    _check_whole(database_file)


def test_processes_that_come_and_go_leave_the_file_whole(
    session: Session[Notes], database_file: Path
) -> None:
    session.database.close()
    workers = [_start("opens", database_file, 8) for _ in range(4)]
    for worker in workers:
        worker.communicate()
        assert worker.returncode == 0
    assert len(session.state.lines) == 32
    _check_whole(database_file)


@pytest.mark.parametrize("spelled", ["linked.db", "folder/../state.db", "hard.db"])
def test_two_stores_on_one_file_share_one_writer_whatever_they_call_it(
    session: Session[Notes], database_file: Path, spelled: str
) -> None:
    folder = database_file.parent
    (folder / "folder").mkdir()
    (folder / "linked.db").symlink_to(database_file)
    (folder / "hard.db").hardlink_to(database_file)
    with Store.open(str(folder / spelled)) as other, session.writing() as work:
        there = other.session("shared", Notes)
        with pytest.raises(DatabaseFailed, match="began inside of another one of the same thread"):
            _append(there, "nested")
        assert work.database is not other.database
    _append(there, "after")
    assert session.state.lines == ["after"]
    assert not list(folder.glob("*.db-writer"))[1:]


def test_databases_in_memory_are_private() -> None:
    with Store.open("sqlite://") as one, Store.open("sqlite://") as two:
        one.create(Notes(), name="mine")
        assert two.sessions() == []


def test_a_forked_child_works_with_connections_of_its_own(
    session: Session[Notes], database_file: Path
) -> None:
    _append(session, "parent")
    child = os.fork()
    if child == 0:
        _append(session, "child")
        os._exit(0 if session.state.lines == ["parent", "child"] else 1)
    assert os.waitpid(child, 0)[1] == 0
    _append(session, "parent again")
    assert session.state.lines == ["parent", "child", "parent again"]
    _check_whole(database_file)


def test_a_child_forked_in_the_middle_of_a_write_cannot_end_it(session: Session[Notes]) -> None:
    child = None
    try:
        with session.writing():
            child = os.fork()
    except DatabaseFailed as error:
        os._exit(0 if "forked in the middle of a write" in error.message else 1)
    finally:
        if child == 0:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    _append(session, "parent")
    assert session.state.lines == ["parent"]


def test_a_child_forked_while_a_thread_writes_is_not_kept_waiting_by_it(session: Session[Notes]) -> None:
    entered, leave = threading.Event(), threading.Event()

    def write() -> None:
        with session.writing():
            entered.set()
            leave.wait(10)

    writing = _later(write)
    entered.wait()
    child = os.fork()
    if child == 0:
        os._exit(0 if session.state.lines == [] else 1)
    assert os.waitpid(child, 0)[1] == 0
    leave.set()
    writing.join()


def test_the_log_stays_small_while_readers_come_and_after_a_long_one(
    session: Session[Notes], database_file: Path
) -> None:
    wal = Path(f"{database_file}-wal")
    line = os.urandom(400_000).hex()
    with session.reading() as work:
        work._cursor.execute("SELECT count(*) FROM commits").fetchall()
        for number in range(40):
            session.transact(does("set", "text", f"{line}{number}"), "ana")
        assert wal.stat().st_size > 2 * sqlite_files.WAL_BYTES
    for number in range(16):
        session.transact(does("set", "text", f"{line}{number} after"), "ana")
    assert wal.stat().st_size <= 2 * sqlite_files.WAL_BYTES


def test_threads_write_in_the_order_in_which_they_came() -> None:
    turn, order = Turn(), []
    turn.take(1)

    def wait(number: int) -> None:
        assert turn.take(10)
        order.append(number)
        turn.give()

    threads = []
    for number in range(8):
        threads.append(_later(wait, number))
        while len(turn._waiting) <= number:
            time.sleep(0.001)
    turn.give()
    for thread in threads:
        thread.join()
    assert order == list(range(8))


def test_a_turn_that_does_not_come_is_not_waited_for_forever() -> None:
    turn = Turn()
    turn.take(1)
    refused: list[bool] = []
    thread = _later(lambda: refused.append(turn.take(0.05)))
    thread.join()
    assert refused == [False]
    turn.give()
    assert turn.take(0)


def test_a_sidecar_that_somebody_removes_does_not_let_two_write(
    session: Session[Notes], database_file: Path
) -> None:
    sidecar = Path(f"{database_file}-writer")
    sidecar.unlink()
    _append(session, "one")
    assert sidecar.exists()
    with _held_by_another_process(database_file):
        waiting = _later(_append, session, "two")
        waiting.join(0.2)
        assert waiting.is_alive()
    waiting.join(10)


def test_a_sidecar_that_cannot_be_made_is_told(database_file: Path) -> None:
    Path(f"{database_file}-writer").mkdir()
    with pytest.raises(DatabaseFailed, match="-writer cannot be had: Is a directory") as caught:
        Store.open(str(database_file))
    assert caught.value.next_step == "Give yourself the right to write the file and its folder"


def test_readers_can_neither_write_nor_checkpoint(session: Session[Notes]) -> None:
    with session.reading() as work:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            work._cursor.execute("DELETE FROM commits")
        (name,) = (row[2] for row in work._cursor.execute("PRAGMA database_list").fetchall())
    reader = session.database._connections.file.reader()
    assert reader.execute("PRAGMA query_only").fetchone() == (1,)
    assert name.endswith("state.db")
    session.database._connections.file.readers.append(reader)
