"""G3: no acknowledged commit is lost, and none is applied twice."""

from __future__ import annotations

import itertools
import signal
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

import state_workers
from dissensus_state.errors import Conflict
from dissensus_state.records import Commit
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from dissensus_state.transactions import Transaction
from inquiries import Notes, does, nothing_changes
from tampering import taken_back


def _append(session: Session[Notes], line: str, **options: str) -> Commit:
    with session.transaction("ana", **options) as tx:  # type: ignore[arg-type]
        tx.append("lines", line)
    assert tx.commit is not None
    return tx.commit


def _count(line: str, tx: Transaction) -> None:
    tx.set("a", tx.read("a") + 1)
    tx.append("lines", line)


def _gapless(session: Session[Notes], commits: int) -> None:
    versions = [commit.version for commit in session.log(limit=commits + 10)]
    assert versions == list(range(commits, -1, -1))
    assert session.verify().versions == session.replay().versions == commits + 1


def test_g03_a_second_commit_under_the_same_key_is_the_first_one_again(notes: Session[Notes]) -> None:
    first = _append(notes, "one", key="step 1")
    with nothing_changes(notes):
        again = _append(notes, "one", key="step 1")
    assert again == first
    assert _append(notes, "two", key="step 2").version == 2


def test_g03_a_key_is_known_to_every_process_that_opens_the_session(
    own_store: Store, database_url: str
) -> None:
    session = own_store.create(Notes())
    first = _append(session, "one", key="step 1")
    _append(session, "two")
    with Store.open(database_url) as elsewhere:
        assert _append(elsewhere.session(schema=Notes), "one", key="step 1") == first
    assert session.state.lines == ["one", "two"]


def test_g03_a_key_stands_for_one_author_and_one_transition(notes: Session[Notes]) -> None:
    _append(notes, "one", key="step 1")
    with nothing_changes(notes), pytest.raises(Conflict) as caught, notes.transaction("ben", key="step 1"):
        pass
    assert caught.value.message == "The key 'step 1' stands for version 1 by ana"
    assert caught.value.context["retry"] is False
    assert caught.value.next_step == "Use a new idempotency key for a new change"


def test_g03_of_eight_threads_with_one_key_one_commits(notes: Session[Notes]) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: _append(notes, "one", key="step 1"), range(8)))
    assert made == [made[0]] * 8
    assert notes.state.lines == ["one"]


def test_g03_eight_threads_lose_no_update(notes: Session[Notes]) -> None:
    def work(worker: int) -> None:
        for number in range(5):
            notes.transact(partial(_count, f"{worker}:{number}"), f"worker {worker}", attempts=500)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert notes.state.a == 40
    assert sorted(notes.state.lines) == sorted(f"{w}:{n}" for w, n in itertools.product(range(8), range(5)))
    _gapless(notes, 40)


def test_g03_four_processes_lose_no_update(own_store: Store, database_url: str) -> None:
    session = own_store.create(Notes())
    running = [state_workers.start("append", database_url, number) for number in range(4)]
    for worker in running:
        assert len(worker.communicate()[0].splitlines()) == 10
        assert worker.returncode == 0
    assert session.state.a == 40
    assert sorted(session.state.lines) == sorted(
        f"{w}:{n}" for w, n in itertools.product(range(4), range(10))
    )
    _gapless(session, 40)


@pytest.mark.parametrize("acknowledged", [1, 7])
def test_g03_what_was_acknowledged_survives_a_kill_and_the_rest_is_repeated_once(
    own_store: Store, database_url: str, acknowledged: int
) -> None:
    session = own_store.create(Notes())
    with state_workers.start("append_by_key", database_url, 1_000_000) as worker:
        assert worker.stdout is not None
        for _ in range(acknowledged):
            worker.stdout.readline()
        worker.kill()
    assert worker.returncode == -signal.SIGKILL
    assert session.state.lines[:acknowledged] == [str(number) for number in range(acknowledged)]
    upto = session.head + 3
    with state_workers.start("append_by_key", database_url, upto) as again:
        again.communicate()
    assert session.state.lines == [str(number) for number in range(upto)]
    _gapless(session, upto)


def test_g03_of_eight_who_create_a_session_of_one_name_one_does(store: Store) -> None:
    def create(number: int) -> str:
        try:
            return store.create(Notes(a=number), name="one of eight").name
        except Conflict as error:
            return error.message

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(create, range(8)))
    assert sorted(said) == sorted(["one of eight"] + ["There is a session 'one of eight' already"] * 7)
    assert store.session("one of eight", Notes).head == 0


def test_g03_a_process_goes_on_from_what_the_database_holds_after_a_backup_was_restored(
    notes: Session[Notes],
) -> None:
    """Two commits are gone, and another process has made others in their place."""
    for number in range(3):
        notes.transact(does("append", "lines", f"before {number}"), "ana")
    taken_back(notes, 1)
    other: Session[Notes] = Store(notes.database).session(notes.name, Notes)
    with other.transaction("ben") as tx:
        tx.append("lines", "instead")
    with notes.transaction("ana") as tx:
        assert tx.read("lines") == ["before 0", "instead"]
        tx.append("lines", "after")
    assert notes.state.lines == ["before 0", "instead", "after"]
    assert notes.verify().versions == 4
