"""Who watches gets the commits as they land: in order, from any version on, none missed, none twice."""

from __future__ import annotations

import itertools
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

import state_workers
from dissensus_state import heads, notices
from dissensus_state import watch as watches
from dissensus_state.engines import Statement
from dissensus_state.errors import DatabaseFailed, NotFound
from dissensus_state.records import Change, Commit
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from dissensus_state.tables import branches, commits
from inquiries import Notes
from postgres import Postgres

PATIENCE = 60
"""Seconds after which a test gives up on what must come."""


def write(session: Session[Notes], times: int = 1) -> None:
    """Commit so many versions."""
    for number in range(times):
        with session.transaction("ana") as tx:
            tx.append("lines", str(number))


def versions(session: Session[Notes], after: int | None = None, **end: Any) -> list[int]:
    """The versions that a watch gives until its end."""
    return [commit.version for commit in session.watch(after, **end)]


@contextmanager
def watching(
    session: Session[Notes], after: int | None = None, *, until: int | None = None
) -> Iterator[list[Commit]]:
    """What a thread that watches has got; after the block it has got everything, or is stopped."""
    got: list[Commit] = []
    stop = threading.Event()
    stream = session.watch(after, until=until, stop=stop)

    def collect() -> None:
        for commit in stream:
            got.append(commit)  # noqa: PERF402 - others look at it while it grows

    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(collect)
        try:
            yield got
            if until is not None:
                ended.result(PATIENCE)
        finally:
            stop.set()
        ended.result(PATIENCE)


def soon(holds: Callable[[], Any]) -> None:
    """Wait until something holds."""
    patience = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < patience
        time.sleep(0.002)


def has(got: list[Commit], many: int) -> None:
    """Wait until so many commits have come."""
    soon(lambda: len(got) == many)


def listens(worker: subprocess.Popen[str], many: int) -> list[int]:
    """The next versions that a watching process tells."""
    assert worker.stdout is not None
    return [int(line) for line in itertools.islice(worker.stdout, many)]


def test_a_watch_gives_what_was_there_and_then_what_lands(notes: Session[Notes]) -> None:
    write(notes, 3)
    with watching(notes, 1, until=6) as got:
        has(got, 2)
        write(notes, 3)
    assert got == list(reversed(notes.log(5)))


def test_a_watch_from_now_on_begins_when_it_is_asked_for(notes: Session[Notes]) -> None:
    write(notes)
    stream = notes.watch(until=2)
    write(notes)
    assert [commit.version for commit in stream] == [2]
    assert versions(notes, -1, until=1) == [0, 1]
    assert versions(notes, until=1) == []


def test_a_page_is_bounded_and_the_next_one_follows(
    notes: Session[Notes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watches, "PAGE", 3)
    write(notes, 10)
    assert versions(notes, -1, timeout=0) == list(range(11))
    place = watches.Place(notes.database, notes.name, notes.session_id, notes.branch)
    assert [commit.version for commit in place.page(4, 100)[0]] == [5, 6, 7]


def test_four_writing_processes_and_two_watching_ones_agree_on_every_version(
    own_store: Store, database_url: str
) -> None:
    session = own_store.create(Notes())
    write(session, 5)
    watchers = {after: state_workers.start("watch", database_url, after) for after in (-1, 3)}
    with watching(session, until=45) as live, watching(session, 5, until=45) as later:
        writers = [state_workers.start("append", database_url, number) for number in range(4)]
        told = {after: listens(worker, 45 - after) for after, worker in watchers.items()}
        for writer in writers:
            writer.communicate()
    for after, worker in watchers.items():
        worker.kill()
        worker.communicate()
        assert told[after] == list(range(after + 1, 46))
    assert live == later == list(reversed(session.log(40)))


def test_a_watcher_that_was_killed_goes_on_after_the_last_version_it_told(
    own_store: Store, database_url: str
) -> None:
    session = own_store.create(Notes())
    writer = state_workers.start("append", database_url)
    told = [-1]
    for _ in range(3):
        with state_workers.start("watch", database_url, told[-1]) as worker:
            told += listens(worker, 3)
            worker.kill()
    writer.communicate()
    told += versions(session, told[-1], timeout=0)
    assert told == list(range(-1, 11))


def test_a_slow_watcher_misses_nothing(notes: Session[Notes]) -> None:
    stream = notes.watch()
    write(notes)
    got = [next(stream)]
    write(notes, 5)
    got += itertools.islice(stream, 2)
    write(notes, 5)
    got += itertools.islice(stream, 8)
    stream.close()
    assert [commit.version for commit in got] == list(range(1, 12))


def test_a_commit_that_was_rolled_back_is_never_seen(notes: Session[Notes]) -> None:
    patch = (notes.shape.operation(("a",), 1),)
    with watching(notes, until=1) as got:
        with pytest.raises(InterruptedError), notes.writing() as work:
            notes.commit_in(work, Change(author="ben", patch=patch, base=0))
            time.sleep(0.2)
            raise InterruptedError
        assert got == []
        write(notes)
    assert [commit.author for commit in got] == ["ana"]


def test_watching_never_waits_for_a_writer_that_holds_the_branch(notes: Session[Notes]) -> None:
    write(notes, 2)
    with ThreadPoolExecutor(1) as pool, notes.writing() as work:
        heads.read(work, notes.session_id, notes.branch)
        watched = pool.submit(versions, notes, 0, timeout=0.5)
        assert watched.result(PATIENCE) == [1, 2]


def test_a_watch_ends_when_nothing_comes_for_the_time_given(notes: Session[Notes]) -> None:
    began = time.monotonic()
    assert versions(notes, timeout=0.3) == []
    assert 0.3 <= time.monotonic() - began < PATIENCE


def test_the_time_given_begins_anew_with_every_commit(notes: Session[Notes]) -> None:
    got = []
    for commit in notes.watch(-1, timeout=0.3):
        got.append(commit.version)
        time.sleep(0.2)
        if commit.version < 3:
            write(notes)
    assert got == [0, 1, 2, 3]


def test_a_watch_can_be_stopped_by_another_thread(notes: Session[Notes]) -> None:
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        watched = pool.submit(versions, notes, stop=stop, timeout=PATIENCE)
        time.sleep(0.2)
        began = time.monotonic()
        stop.set()
        assert watched.result(PATIENCE) == []
    assert time.monotonic() - began < 5


def test_there_is_nothing_to_watch_from_a_version_that_is_not_there(notes: Session[Notes]) -> None:
    for after in (1, -2):
        with pytest.raises(NotFound, match=f"There is no version {after}; the head is 0") as caught:
            notes.watch(after)
        assert caught.value.context == {"session": notes.name, "branch": "main"}


def test_a_version_that_is_gone_is_an_error_and_no_gap(notes: Session[Notes]) -> None:
    write(notes, 4)
    here = (commits.c.session_id == notes.session_id, commits.c.version == 2)
    with notes.writing() as work:
        work.run(Statement(sa.delete(commits).where(*here)))
    with pytest.raises(NotFound, match="The versions 1 to 4 are not all there any more"):
        versions(notes, 0, timeout=0)
    assert versions(notes, 2, timeout=0) == [3, 4]


def test_a_history_that_was_put_back_is_an_error_and_no_silence(notes: Session[Notes]) -> None:
    write(notes, 2)
    stream = notes.watch(timeout=5)
    here = branches.c.session_id == notes.session_id
    with notes.writing() as work:
        work.run(Statement(sa.update(branches).where(here).values(head=1)))
    with pytest.raises(NotFound, match="There is no version 2; the head is 1"):
        next(stream)


def test_a_watch_ends_with_the_last_commit_of_a_branch_that_is_closed(notes: Session[Notes]) -> None:
    write(notes, 2)
    began = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        live = pool.submit(versions, notes, 0, timeout=2 * PATIENCE)
        time.sleep(0.2)
        notes.close_branch()
        assert live.result() == versions(notes, 0, timeout=2 * PATIENCE) == [1, 2]
    assert time.monotonic() - began < PATIENCE


def test_watching_a_fork_begins_with_what_came_before_it(notes: Session[Notes]) -> None:
    write(notes, 3)
    fork = notes.fork("other", 2)
    with watching(fork, 0, until=4) as got:
        write(notes)
        write(fork, 2)
    came = [(commit.branch, commit.version) for commit in got]
    assert came == [("main", 1), ("main", 2), ("other", 3), ("other", 4)]


def test_each_of_several_watchers_gets_everything(notes: Session[Notes]) -> None:
    with watching(notes, until=9) as one, watching(notes, 0, until=9) as two, watching(notes) as three:
        write(notes, 9)
        has(three, 9)
    assert one == two == three


def test_it_takes_moments_and_not_seconds_until_a_commit_is_seen(
    notes: Session[Notes], record_property: Callable[[str, object], None]
) -> None:
    seen: list[float] = []

    def collect() -> None:
        seen.extend(time.monotonic() for _ in notes.watch(0, until=20))

    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(collect)
        made = []
        for _ in range(20):
            time.sleep(0.03)
            write(notes)
            made.append(time.monotonic())
        ended.result(PATIENCE)
    typical = median(late - early for early, late in zip(made, seen, strict=True))
    record_property("latency_p50_ms", round(typical * 1000, 2))
    assert typical < 1


def test_a_database_in_memory_is_watched_like_any_other() -> None:
    with Store.open("sqlite://") as store:
        session = store.create(Notes())
        with watching(session, -1, until=5) as got:
            write(session, 5)
    assert [commit.version for commit in got] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("url", ["sqlite://", "watched.db"])
def test_a_commit_wakes_those_who_watch_in_the_same_process(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watches, "_SHORTEST", 2.0 * PATIENCE)
    monkeypatch.setattr(watches, "_LONGEST", 2.0 * PATIENCE)
    monkeypatch.chdir(tmp_path)
    with Store.open(url) as store:
        session = store.create(Notes())
        with watching(session, 0, until=3) as got:
            for number in range(1, 4):
                time.sleep(0.1)
                write(session)
                has(got, number)


@pytest.fixture
def own_server() -> Iterator[Postgres]:
    """A server that may be stopped, and loses nothing by it."""
    with Postgres(durable=True) as server:
        yield server


@pytest.fixture
def served(postgres: Postgres, migrated: str, request: pytest.FixtureRequest) -> Iterator[Session[Notes]]:
    """A session in a PostgreSQL database of its own."""
    name = f"watched_{abs(hash(request.node.name))}"
    with Store.open(postgres.create(name, template=migrated)) as store:
        yield store.create(Notes())
    postgres.drop(name)


@contextmanager
def beside(session: Session[Notes]) -> Iterator[psycopg.Connection[Any]]:
    """A connection to the same database that dissensus knows nothing of."""
    address = session.database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        yield connection


@contextmanager
def hearing(session: Session[Notes]) -> Iterator[Callable[[], int]]:
    """How many notices of its branch were given since the last question."""
    with beside(session) as connection:
        connection.execute(f'LISTEN "{notices.channel(session.session_id, session.branch)}"'.encode())
        yield lambda: len(list(connection.notifies(timeout=0.3)))


def listeners(session: Session[Notes]) -> int:
    """How many connections to the database listen."""
    with beside(session) as connection:
        asked = connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'LISTEN%' AND pid <> pg_backend_pid()"
        )
        return int((asked.fetchone() or [0])[0])


def watched(session: Session[Notes]) -> bool:
    """Whether somebody has asked for notices."""
    with session.reading() as work:
        row = work.one(Statement(sa.select(branches.c.watched_until)))
    return row is not None and row[0] is not None


def test_notice_is_given_only_while_somebody_watches(served: Session[Notes]) -> None:
    with hearing(served) as heard:
        write(served, 3)
        assert heard() == 0
        with watching(served, 3, until=5):
            soon(lambda: watched(served))
            write(served, 2)
        assert heard() == 2
        with served.writing() as work:
            work.run(Statement(sa.update(branches).values(watched_until=work.clock() - 1)))
        write(served, 2)
        assert heard() == 0


def test_a_notice_wakes_a_watcher_that_would_not_look_by_itself(
    served: Session[Notes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watches, "POLL_SECONDS", 2.0 * PATIENCE)
    with watching(served, until=3) as got:
        soon(lambda: watched(served))
        for number in range(1, 4):
            time.sleep(0.1)
            write(served)
            has(got, number)


def test_a_commit_that_lands_just_before_the_notices_were_asked_for_is_seen_at_once(
    served: Session[Notes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(*place: Any) -> bool:
        write(served)
        return asked(*place)

    asked = notices.ask
    monkeypatch.setattr(notices, "ask", late)
    monkeypatch.setattr(watches, "POLL_SECONDS", 2.0 * PATIENCE)
    with watching(served) as got:
        has(got, 1)


def test_a_commit_without_notice_is_found_all_the_same(
    served: Session[Notes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "channel", lambda *_: "nobody speaks here")
    monkeypatch.setattr(watches, "POLL_SECONDS", 0.2)
    with watching(served, until=3):
        soon(lambda: watched(served))
        for _ in range(3):
            time.sleep(0.1)
            write(served)


@pytest.mark.parametrize("branch", ["", "a\"b'; %s --", "原因" * 50], ids=["empty", "odd", "long"])
def test_notices_are_heard_whatever_a_branch_is_called(
    served: Session[Notes], branch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watches, "POLL_SECONDS", 2.0 * PATIENCE)
    with served.writing() as work:
        for table in (branches, commits):
            work.run(Statement(sa.update(table).values(branch=branch)))
    named = served.on(branch)
    with watching(named, until=1):
        soon(lambda: watched(named))
        time.sleep(0.1)
        write(named)


def test_a_watch_that_is_closed_listens_no_more(served: Session[Notes]) -> None:
    stream = served.watch(0)
    threading.Timer(0.2, write, [served]).start()
    assert next(stream).version == 1
    assert listeners(served) == 1
    stream.close()
    soon(lambda: listeners(served) == 0)


def test_a_watch_whose_connections_break_is_connected_again_and_misses_nothing(
    served: Session[Notes],
) -> None:
    with watching(served, until=12) as got:
        for number in range(1, 5):
            soon(lambda: listeners(served) == 1)
            with beside(served) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            with Store.open(served.database.url.render_as_string(hide_password=False)) as other:
                write(other.session(schema=Notes), 3)
            has(got, 3 * number)
    assert [commit.version for commit in got] == list(range(1, 13))


def test_a_watch_outlives_a_restart_of_the_server(own_server: Postgres) -> None:
    url = own_server.url()
    with Store.open(url) as store:
        session = store.create(Notes())
        with watching(session, until=2) as got:
            write(session)
            has(got, 1)
            own_server.stop()
            own_server.start()
            with Store.open(url) as other:
                write(other.session(schema=Notes))
    assert [commit.version for commit in got] == [1, 2]


def test_a_watch_fails_when_the_server_stays_away_and_says_where_to_go_on(
    own_server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watches, "RECONNECT_SECONDS", 0.5)
    with Store.open(own_server.url()) as store:
        session = store.create(Notes())
        stream = session.watch()
        write(session)
        assert next(stream).version == 1
        own_server.stop()
        with pytest.raises(DatabaseFailed) as caught:
            next(stream)
    assert caught.value.code == "database.failed"
    assert caught.value.context == {"session": session.name, "branch": "main"}
    assert caught.value.next_step.startswith("Watch on from version 1, the last that came")
