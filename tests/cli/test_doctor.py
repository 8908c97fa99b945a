"""`dissensus doctor`: what is ok, what is not, and what to do about it; nothing is changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import pytest
import sqlalchemy as sa

from dissensus_state import health
from dissensus_state.store import Store


class Command(Protocol):
    def __call__(self, *arguments: object, code: int = 0) -> Any: ...


def _statuses(data: dict[str, Any]) -> dict[str, str]:
    return {item["check"]: item["status"] for item in data["checks"]}


def _said(data: dict[str, Any], check: str) -> dict[str, Any]:
    (item,) = [item for item in data["checks"] if item["check"] == check]
    return dict(item)


def test_without_a_database_the_installation_is_checked(ask: Command, folder: Path) -> None:
    before = sorted(folder.iterdir())
    data = ask("doctor", "--json").data
    assert data["database"] is None
    assert list(_statuses(data)) == ["python", "sqlite", "psycopg"]
    assert sorted(folder.iterdir()) == before


def test_a_database_of_ours_is_ok_on_both(told_url: str, backend: str, ask: Command) -> None:
    if backend == "postgresql":
        with closing(Store.open(told_url)) as store, store.database.engine.begin() as connection:
            for name in ("synchronous_commit", "fsync"):
                assert connection.execute(sa.text(f"SHOW {name}")).scalar() == "off"
    told = ask("doctor", told_url, "--json", code=0 if backend == "sqlite" else 5)
    statuses = _statuses(told.data)
    assert statuses["connection"] == statuses["revision"] == "ok"
    if backend == "sqlite":
        assert {statuses[name] for name in ("journal", "log", "contents", "rights")} == {"ok"}
        return
    assert {statuses[name] for name in ("server", "encoding", "clock")} == {"ok"}
    assert statuses["role"] == "warning"
    for name in ("fsync", "full_page_writes", "synchronous_commit"):  # the tests' server is hasty
        assert _said(told.data, name)["next"] == f"Set {name} = on"
    assert '"code": "check.failed"' in told.err or '"code":"check.failed"' in told.err


def test_nothing_is_made_or_changed(told: Path, folder: Path, ask: Command) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    ask("doctor", "dissensus.db")
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    assert told in before


def test_a_log_that_a_crash_has_left_is_not_touched(told: Path, ask: Command, tmp_path: Path) -> None:
    with sqlite3.connect(told, isolation_level=None) as connection:
        connection.execute("UPDATE sessions SET name = 'after'")
        for suffix in ("", "-wal"):
            Path(f"{tmp_path / 'crashed.db'}{suffix}").write_bytes(Path(f"{told}{suffix}").read_bytes())
    connection.close()
    crashed = tmp_path / "crashed.db"
    before = crashed.read_bytes(), Path(f"{crashed}-wal").read_bytes()
    assert _statuses(ask("doctor", crashed, "--json").data)["contents"] == "ok"
    assert (crashed.read_bytes(), Path(f"{crashed}-wal").read_bytes()) == before


def test_a_damaged_file_is_a_problem_with_what_to_do(told: Path, ask: Command) -> None:
    damaged = bytearray(told.read_bytes())
    damaged[3 * 4096 : 12 * 4096] = b"\x55" * (9 * 4096)
    told.write_bytes(damaged)
    ended = ask("doctor", "dissensus.db", code=5)
    assert "\nproblem  " in ended.out
    assert "Restore a backup, then run `dissensus verify`" in ended.out
    assert "error[check.failed]: " in ended.err
    assert "found a problem" in ended.err


def test_a_file_of_somebody_else_is_a_problem_and_left_as_it_is(folder: Path, ask: Command) -> None:
    with closing(sqlite3.connect(folder / "foreign.db")) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    before = (folder / "foreign.db").read_bytes()
    data = ask("doctor", "foreign.db", "--json", code=5).data
    assert "holds other tables (theirs, …)" in _said(data, "revision")["found"]
    assert (folder / "foreign.db").read_bytes() == before
    (folder / "diary.db").write_text("Dear diary, " * 500)
    data = ask("doctor", "diary.db", "--json", code=5).data
    assert "is not a SQLite file" in _said(data, "reading")["found"]


def test_a_server_that_is_not_there_is_a_problem(ask: Command) -> None:
    ended = ask("doctor", "postgresql://ana:secret@127.0.0.1:9/none", "--json", code=5)
    assert _said(ended.data, "reading")["status"] == "problem"
    assert "secret" not in ended.out + ended.err


def test_a_file_that_is_not_there_is_not_made(folder: Path, ask: Command) -> None:
    assert "no database file" in ask("doctor", "nowhere.db", code=3).err
    assert not (folder / "nowhere.db").exists()


@pytest.mark.parametrize(
    ("version", "status", "says"),
    [
        ((3, 36, 0), "problem", "is too old"),
        ((3, 40, 1), "warning", "has the WAL-reset bug"),
        ((3, 51, 2), "warning", "has the WAL-reset bug"),
        ((3, 51, 3), "ok", "without the WAL-reset bug"),
    ],
)
def test_the_version_of_sqlite_is_told_with_its_bug(version: tuple[int, ...], status: str, says: str) -> None:
    check = health._sqlite_version(version)
    assert check.status == status
    assert says in check.found
    assert bool(check.next_step) == (status != "ok")


@pytest.mark.parametrize(
    ("seconds", "status"), [(0.2, "ok"), (-0.9, "ok"), (5, "warning"), (-3600, "problem")]
)
def test_a_clock_that_differs_from_the_servers_is_told(seconds: float, status: str) -> None:
    assert health._skew(seconds).status == status


@pytest.mark.parametrize(("free", "status"), [(5 << 30, "ok"), (500 << 20, "warning"), (1, "problem")])
def test_a_disk_with_little_space_is_told(free: int, status: str) -> None:
    assert health._space(free).status == status


def test_the_file_system_is_the_innermost_one_that_holds_the_file(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("disk / ext4 rw 0 0\nhost:/x /home nfs4 rw 0 0\ndisk2 /home/ana ext4 rw 0 0\n")
    assert health._file_system(Path("/home/ben/state.db"), mounts) == "nfs4"
    assert health._file_system(Path("/home/ana/state.db"), mounts) == "ext4"
    assert health._file_system(Path("/x"), tmp_path / "none") == ""
