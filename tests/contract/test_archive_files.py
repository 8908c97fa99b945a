"""Nothing half: a file is there whole or not at all, and so is a session that is taken in."""

from __future__ import annotations

import io
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dissensus_state import archive_files
from dissensus_state.errors import ArchiveRefused, DatabaseFailed, DiskFull, NeedsMigration, NotFound
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from houses import built
from inquiries import Inquiry, Notes, does
from migrating import migrate
from postgres import Postgres
from tampering import storied

FORMS = ("jsonl", "sqlite")


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


@pytest.fixture
def session() -> Iterator[Session[Any]]:
    """A session of some hundred kilobytes, in memory."""
    with Store.open("sqlite://") as store:
        yield storied(store)


@pytest.mark.parametrize("form", FORMS)
def test_a_full_disk_leaves_what_stood_there(session: Session[Any], form: str, tmp_path: Path) -> None:
    path = tmp_path / "session.file"
    path.write_bytes(b"what stood there")
    with _no_file_grows_beyond(60_000), pytest.raises(DatabaseFailed) as caught:
        session.export(path, form)
    if form == "jsonl":
        assert isinstance(caught.value, DiskFull)
        assert caught.value.exit_code == 11
        assert "There is no room for session.file" in caught.value.message
    assert path.read_bytes() == b"what stood there"
    assert [one.name for one in tmp_path.iterdir()] == ["session.file"]


@pytest.mark.parametrize("form", FORMS)
def test_an_interruption_leaves_what_stood_there(
    session: Session[Any], form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "session.file"
    path.write_bytes(b"what stood there")

    def told(done: int, _: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        session.export(path, form, told=told)
    assert path.read_bytes() == b"what stood there"
    assert [one.name for one in tmp_path.iterdir()] == ["session.file"]


_EXPORTER = """
    import os, signal, sys
    from dissensus_state.store import Store
    url, path, form, line = sys.argv[1:]
    def told(done, total):
        if done == int(line):
            os.kill(os.getpid(), signal.SIGKILL)
    with Store.open(url) as store:
        store.session().export(path, form, told=told)
"""

_IMPORTER = """
    import os, signal, sys
    from pathlib import Path
    from dissensus_state.archive import import_file
    from dissensus_state.store import Store
    url, path, size = sys.argv[1:]
    def told(done, total):
        if done >= int(size):
            os.kill(os.getpid(), signal.SIGKILL)
    with Store.open(url) as store:
        import_file(store.database, Path(path), "taken", told=told)
"""


def _killed(program: str, *arguments: object) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize("form", FORMS)
def test_a_process_that_is_killed_leaves_what_stood_there(form: str, tmp_path: Path) -> None:
    url, path = tmp_path / "state.db", tmp_path / "session.file"
    path.write_bytes(b"what stood there")
    with Store.open(str(url)) as store:
        total = storied(store).export(io.BytesIO()).counts
    for line in (1, 5, sum(total.values()) + 2):
        _killed(_EXPORTER, url, path, form, line)
        assert path.read_bytes() == b"what stood there"
    with Store.open(str(url)) as store:
        store.session().export(path, form)
    assert path.stat().st_size > 100_000


def test_g01_a_process_that_is_killed_while_it_takes_a_session_in_leaves_nothing_of_it(
    own_store: Store, database_url: str, session: Session[Any], tmp_path: Path
) -> None:
    path = tmp_path / "session.jsonl"
    size = session.export(path).bytes
    own_store.create(Notes(), name="there")
    for part in (0.01, 0.5, 1):
        _killed(_IMPORTER, database_url, path, int(size * part))
        assert [info.name for info in own_store.sessions()] == ["there"]
    taken = own_store.import_session(path, "taken")
    assert taken.verify().head == session.verify().head
    own_store.session("there", Notes).transact(does("append", "lines", "goes on"), "ana")


def test_nobody_sees_a_session_before_it_is_whole(
    own_store: Store, database_url: str, session: Session[Any], tmp_path: Path
) -> None:
    from dissensus_state.archive import import_file

    path, seen = tmp_path / "session.jsonl", []
    session.export(path)
    with Store.open(database_url) as other:
        import_file(
            own_store.database, path, told=lambda *_: seen.append([one.name for one in other.sessions()])
        )
        assert len(seen) > 20
        assert not any(seen)
        assert [one.name for one in other.sessions()] == [session.name]


def test_others_begin_sessions_while_one_is_taken_in(
    postgres: Postgres, migrated: str, session: Session[Any], tmp_path: Path
) -> None:
    from dissensus_state.archive import import_file

    path, made = tmp_path / "session.jsonl", []
    session.export(path)
    with Store.open(postgres.create("meanwhile", template=migrated)) as store:

        def told(done: int, _: int) -> None:
            if len(made) < 3 and done > 5_000:
                before = time.monotonic()
                made.append(store.create(Notes()).name)
                assert time.monotonic() - before < 5

        import_file(store.database, path, told=told)
        assert len(made) == 3
        assert {one.name for one in store.sessions()} == {session.name, *made}


def test_a_tenant_takes_a_session_in_and_no_other_sees_it(
    postgres: Postgres, session: Session[Any], tmp_path: Path
) -> None:
    path = tmp_path / "session.jsonl"
    session.export(path)
    with (
        built(postgres, "archive", "acme", "globex") as house,
        house.store("acme") as acme,
        house.store("globex") as globex,
    ):
        mine = acme.import_session(path, schema=Inquiry)
        its = globex.import_session(path, schema=Inquiry)
        assert mine.verify() == its.verify() == session.verify()
        assert mine.session_id >> 32 != its.session_id >> 32
        assert len(acme.sessions()) == len(globex.sessions()) == 1
        out = io.BytesIO()
        mine.export(out)
        assert out.getvalue() == path.read_bytes()


def test_an_open_database_is_not_overwritten(session: Session[Any], tmp_path: Path) -> None:
    with Store.open(str(tmp_path / "open.db")) as store:
        store.create(Notes(text="there"), name="there")
        with pytest.raises(ArchiveRefused, match="is open as a database"):
            session.export(tmp_path / "open.db", "sqlite")
        for form in FORMS:
            with pytest.raises(ArchiveRefused, match="is the database itself"):
                store.session().export(tmp_path / "open.db", form)
        assert store.session("there", Notes).state.text == "there"
    session.export(tmp_path / "open.db", "sqlite")
    with Store.open(str(tmp_path / "open.db")) as store:
        assert store.session().verify().versions == 6


def test_a_file_that_cannot_be_written_says_so(session: Session[Any], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        session.export(tmp_path / "no folder" / "session.jsonl")


def test_what_cannot_be_read_is_refused(tmp_path: Path, store: Store) -> None:
    with pytest.raises(ArchiveRefused, match="cannot be read"):
        store.import_session(tmp_path)
    empty = tmp_path / "empty.db"
    empty.write_bytes(archive_files.SQLITE + b"\0" * 4080)
    with pytest.raises(DatabaseFailed):
        store.import_session(empty)
    with Store.open(str(tmp_path / "none.db")):
        pass
    with pytest.raises(NotFound, match="holds 0 sessions"):
        store.import_session(tmp_path / "none.db")


def test_the_owner_alone_may_read_a_file(session: Session[Any], tmp_path: Path) -> None:
    session.export(tmp_path / "session.jsonl")
    assert (tmp_path / "session.jsonl").stat().st_mode & 0o077 == 0


def test_what_is_no_file_is_written_into_and_a_link_is_followed(
    session: Session[Any], tmp_path: Path
) -> None:
    assert session.export(Path(os.devnull)).bytes > 100_000
    assert not Path(os.devnull).is_file()
    with pytest.raises(ArchiveRefused, match="is no file"):
        session.export(Path(os.devnull), "sqlite")
    (tmp_path / "real.jsonl").write_text("before")
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "real.jsonl")
    made = session.export(tmp_path / "link.jsonl")
    assert (tmp_path / "link.jsonl").is_symlink()
    assert (tmp_path / "real.jsonl").stat().st_size == made.bytes


def test_a_database_of_an_older_revision_is_upgraded_first(own_store: Store, tmp_path: Path) -> None:
    path = tmp_path / "older.db"
    with Store.open(str(path)) as older:
        older.create(Notes(), name="older")
        migrate(older.database, "0004")
    with pytest.raises(NeedsMigration, match="stands at revision 0004") as caught:
        own_store.import_session(path)
    assert "dissensus db upgrade" in caught.value.next_step
    with Store.open(str(tmp_path / "newer.db")) as newer:
        newer.create(Notes(), name="newer")
        with newer.database.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE dissensus_version SET version_num = '9999'")
    with pytest.raises(DatabaseFailed, match="newer dissensus"):
        own_store.import_session(tmp_path / "newer.db")


def test_memory_does_not_grow_with_the_history(tmp_path: Path) -> None:
    path, most = tmp_path / "session.jsonl", 12_000_000
    with Store.open("sqlite://") as store:
        session = store.create(Notes())
        for number in range(1_200):
            with session.transaction("ana") as tx:
                tx.set("text", f"{number} " + "word " * 2_500)
        tracemalloc.start()
        try:
            session.export(path)
            assert tracemalloc.get_traced_memory()[1] < most
            tracemalloc.reset_peak()
            with Store.open(str(tmp_path / "other.db")) as other:
                other.import_session(path)
            assert tracemalloc.get_traced_memory()[1] < most
        finally:
            tracemalloc.stop()
    assert path.stat().st_size > most
