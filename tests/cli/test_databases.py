"""`dissensus db`: where the tables stand, and bringing them here."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Protocol

from dissensus_state.engines import Database
from dissensus_state.migrations import HEAD, upgrade


class Command(Protocol):
    def __call__(self, *arguments: object, code: int = 0) -> Any: ...


def test_a_database_of_this_version_stands_at_the_newest_revision(database_url: str, ask: Command) -> None:
    migrated(database_url)
    told = ask("db", "current", database_url, "--json").data
    assert told["revision"] == told["newest"] == HEAD


def migrated(url: str) -> None:
    database = Database(url)
    upgrade(database)
    database.close()


def test_an_empty_database_is_brought_here(backend: str, empty_database_url: str, ask: Command) -> None:
    if backend == "sqlite":
        sqlite3.connect(empty_database_url.removeprefix("sqlite:///")).execute("VACUUM").connection.close()
    assert ": empty" in ask("db", "current", empty_database_url).out
    assert ask("db", "upgrade", empty_database_url, "--json").data["revision"] == HEAD
    assert ask("db", "upgrade", empty_database_url, "--json").data["revision"] == HEAD


def test_a_foreign_database_is_neither_upgraded_nor_touched(folder: Path, ask: Command) -> None:
    with sqlite3.connect(folder / "foreign.db") as connection:
        connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    for command in ("current", "upgrade"):
        assert "error[database.not_ours]" in ask("db", command, "foreign.db", code=9).err
    with sqlite3.connect(folder / "foreign.db") as connection:
        assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("theirs",)]
    connection.close()


def test_a_database_of_a_newer_version_is_left_alone(told: Path, ask: Command) -> None:
    with sqlite3.connect(told) as connection:
        connection.execute("UPDATE dissensus_version SET version_num = '9999'")
    connection.close()
    assert "newer dissensus" in ask("db", "upgrade", "dissensus.db", code=10).err
    assert "9999" in ask("db", "current", "dissensus.db").out


def test_a_file_that_is_not_there_is_not_made(folder: Path, ask: Command) -> None:
    assert "no database file" in ask("db", "upgrade", "nowhere.db", code=3).err
    assert not (folder / "nowhere.db").exists()
