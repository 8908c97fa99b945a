"""Opening a database: ours, older than ours, somebody else's, or none."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from dissensus_state import migrations
from dissensus_state.addresses import to_copy
from dissensus_state.engines import Database, read_url
from dissensus_state.errors import DatabaseFailed, NeedsMigration, NotOurs
from dissensus_state.store import Store
from inquiries import Notes, does, nothing_changes


def test_an_empty_database_is_made_ours_and_opened_again(empty_database_url: str) -> None:
    with Store.open(empty_database_url) as store:
        store.create(Notes(a=1), name="notes")
    with Store.open(empty_database_url) as store:
        assert store.session("notes", Notes).state == Notes(a=1)


def test_eight_who_open_a_new_database_at_once_all_get_it(empty_database_url: str) -> None:
    def work(number: int) -> int:
        with Store.open(empty_database_url) as store:
            return store.create(Notes(a=number)).state.a

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(work, range(8))) == list(range(8))


def test_a_new_file_that_another_process_is_just_making_is_waited_for(database_file: Path) -> None:
    database, other = Database(str(database_file)), Database(str(database_file))
    locked = threading.Event()

    def make() -> None:
        with other.writing():
            locked.set()
            time.sleep(0.2)

    with ThreadPoolExecutor(1) as pool:
        made = pool.submit(make)
        locked.wait()
        database.keep_wal()
        made.result()
    with database.reading() as work:
        work._cursor.execute("PRAGMA journal_mode")
        assert work._cursor.fetchone() == ("wal",)
    database.close()
    other.close()


def test_a_database_in_memory_is_gone_with_its_store() -> None:
    with Store.open("sqlite://") as store:
        session = store.create(Notes())
        session.transact(does("append", "lines", "one"), "ana")
        assert session.state.lines == ["one"]
        assert session.verify().versions == 2
    with Store.open("sqlite://") as store:
        assert store.sessions() == []


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_somebody_elses_sqlite_file_is_left_byte_for_byte(database_file: Path, journal: str) -> None:
    with sqlite3.connect(database_file) as connection:
        connection.execute(f"PRAGMA journal_mode={journal}")
        connection.execute("CREATE TABLE invoices (n INTEGER)")
    connection.close()
    before = database_file.read_bytes()
    with pytest.raises(NotOurs) as caught:
        Store.open(str(database_file))
    assert (
        caught.value.message
        == f"sqlite:///{database_file} holds other tables (invoices, …), and is left as it is"
    )
    assert (caught.value.code, caught.value.exit_code) == ("database.not_ours", 9)
    assert database_file.read_bytes() == before
    assert list(database_file.parent.iterdir()) == [database_file]


def test_a_file_that_is_no_database_is_left_byte_for_byte(database_file: Path) -> None:
    database_file.write_text("Dear diary, " * 500)
    before = database_file.read_bytes()
    with pytest.raises(NotOurs, match="is not a SQLite file, and is left as it is"):
        Store.open(str(database_file))
    assert database_file.read_bytes() == before


def test_somebody_elses_postgresql_database_is_left_as_it_is(postgres_url: str) -> None:
    engine = sa.create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE invoices (n INTEGER)"))
    with pytest.raises(NotOurs, match="holds other tables"):
        Store.open(postgres_url)
    assert sa.inspect(engine).get_table_names() == ["invoices"]
    engine.dispose()


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty PostgreSQL database."""
    server = request.getfixturevalue("postgres")
    yield server.create("somebody_elses")
    server.drop("somebody_elses")


def test_an_older_database_is_refused_with_the_command_that_upgrades_it(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store.open(database_url).close()
    stands_at = migrations.HEAD
    monkeypatch.setattr(migrations, "HEAD", "9999")
    with pytest.raises(NeedsMigration) as caught:
        Store.open(database_url)
    error = caught.value
    assert f"stands at revision {stands_at}, this version of dissensus at 9999" in error.message
    assert error.next_step.startswith("Back it up, then run `dissensus db upgrade ")
    assert (error.code, error.exit_code) == ("database.needs_migration", 8)


def test_a_database_of_a_newer_dissensus_is_not_touched(database_url: str) -> None:
    with Store.open(database_url) as store, store.database.engine.begin() as connection:
        connection.execute(sa.text("UPDATE dissensus_version SET version_num = '9999'"))
    with pytest.raises(DatabaseFailed, match=r"was written by a newer dissensus \(revision 9999\)") as caught:
        Store.open(database_url)
    assert caught.value.next_step == "Upgrade dissensus: pip install -U dissensus"


def test_a_server_that_does_not_answer_is_told_without_its_password() -> None:
    with pytest.raises(DatabaseFailed) as caught:
        Store.open("postgresql://ana:secret@127.0.0.1:9/none")
    assert "postgresql+psycopg://ana:***@127.0.0.1:9/none" in caught.value.message
    assert "secret" not in str(caught.value)
    assert (caught.value.code, caught.value.exit_code) == ("database.failed", 10)
    assert caught.value.next_step


def test_a_password_that_is_a_parameter_is_told_nobody_either() -> None:
    url = "postgresql://127.0.0.1:9/none?user=ana&password=secret&sslpassword=secret"
    with pytest.raises(DatabaseFailed) as caught:
        Store.open(url)
    assert "secret" not in str(caught.value)
    assert to_copy(read_url(url)) == "postgresql://127.0.0.1:9/none?user=ana"
    assert to_copy(read_url("postgres://ana:secret@host:1/name")) == "postgresql://ana@host:1/name"
    assert to_copy(read_url("sqlite:///a b%.db")) == to_copy(read_url("a b%.db")) == "a b%.db"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        DatabaseFailed, match=f"There is no folder {tmp_path}/none for the file x.db"
    ) as caught:
        Store.open(str(tmp_path / "none" / "x.db"))
    assert caught.value.next_step == "Make the folder first"


@pytest.mark.parametrize("url", ["mysql://ana:secret@host/x", "://", "ftp://x", ""])
def test_what_is_no_address_of_a_database_is_told_what_is(url: str) -> None:
    with pytest.raises(DatabaseFailed, match="is not the address of a database") as caught:
        Store.open(url)
    assert "secret" not in str(caught.value)
    assert "postgresql://host/name" in caught.value.next_step


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("inquiry.db", "sqlite:///inquiry.db"),
        ("/tmp/inquiry.db", "sqlite:////tmp/inquiry.db"),
        ("sqlite:///inquiry.db", "sqlite:///inquiry.db"),
        ("postgres://host/name", "postgresql+psycopg://host/name"),
        ("postgresql://host/name", "postgresql+psycopg://host/name"),
        ("postgresql+asyncpg://host/name", "postgresql+psycopg://host/name"),
        ("100% sure?.db", "sqlite:///100% sure?.db"),
    ],
)
def test_an_address_may_be_written_short(written: str, meant: str) -> None:
    read = read_url(written)
    assert f"{read.drivername}://{read.host or ''}/{read.database}" == meant


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder of a user without rights, who we are until the test ends."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    nobody = 65534
    if os.geteuid() == 0:
        os.chown(folder, nobody, nobody)
        os.seteuid(nobody)
        yield folder
        os.seteuid(0)
    else:
        yield folder
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def test_a_file_that_may_not_be_written_can_be_read_and_stays_as_it_is(unprivileged: Path) -> None:
    path = unprivileged / "state.db"
    with Store.open(str(path)) as store:
        store.create(Notes(a=1))
    path.chmod(0o444)
    before = path.read_bytes()
    with Store.open(str(path)) as store:
        session = store.session(schema=Notes)
        assert session.state == Notes(a=1)
        with nothing_changes(session), pytest.raises(DatabaseFailed) as caught:
            session.transact(does("set", "a", 2), "ana")
    assert "attempt to write a readonly database" in caught.value.message
    assert caught.value.next_step == "Give yourself the right to write the file and its folder"
    assert path.read_bytes() == before


def test_a_folder_that_may_not_be_written_is_told_so(unprivileged: Path) -> None:
    unprivileged.chmod(0o555)
    with pytest.raises(DatabaseFailed, match="unable to open database file") as caught:
        Store.open(str(unprivileged / "state.db"))
    unprivileged.chmod(0o755)
    assert "the right to write the file and its folder" in caught.value.next_step
