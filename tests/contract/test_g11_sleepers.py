"""G11: a worker that was stopped for longer than its lease held wakes up to an error, and writes nothing.

Real processes, stopped by SIGSTOP at each step of a round and woken when another has taken over. What
is promised:

- the one that wakes gets `LeaseLost`, and its round is committed once, by the one that took over;
- a commit that was under way when its process was stopped is either there before the takeover, or
  never: the takeover waits for it;
- who works by hand and names its lease is refused as well, even if what it writes would commute;
- who works without a lease, and was overtaken while it was stopped, gets a `Conflict`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from subprocess import Popen

import pytest

import sleeper
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from sleeper import BETWEEN, INSIDE, WITH_A_LEASE, WITHOUT_A_LEASE, Shift


@pytest.fixture
def shift(own_store: Store) -> Session[Shift]:
    """A session that is the only one of its database."""
    return own_store.create(Shift())


@pytest.fixture
def start(database_url: str) -> Iterator[Callable[[str], Popen[str]]]:
    """Start a worker and wait until it has stopped; none outlives the test."""
    workers: list[Popen[str]] = []

    def one(moment: str) -> Popen[str]:
        workers.append(sleeper.start(moment, database_url))
        sleeper.wait_until_stopped(workers[-1])
        return workers[-1]

    yield one
    for worker in workers:
        worker.kill()
        worker.communicate()


@pytest.mark.parametrize("moment", BETWEEN)
def test_g11_a_worker_stopped_past_a_takeover_commits_nothing_when_it_wakes(
    shift: Session[Shift], start: Callable[[str], Popen[str]], moment: str
) -> None:
    worker = start(moment)
    sleeper.work(shift, "other")
    before = shift.head, shift.raw(), shift.log(), shift.rounds()
    assert sleeper.wake(worker)[-1] == "lease.lost retry=False"
    assert (shift.head, shift.raw(), shift.log(), shift.rounds()) == before
    assert len(shift.state.lines) == shift.head == 1
    assert [round_.status for round_ in shift.rounds()] == ["committed"]
    assert shift.verify().versions == 2


def test_g11_a_takeover_waits_for_the_commit_of_a_stopped_worker_and_no_other_follows(
    shift: Session[Shift], start: Callable[[str], Popen[str]]
) -> None:
    worker = start(INSIDE)
    takeover = threading.Thread(target=shift.take_lease)
    takeover.start()
    takeover.join(0.3)
    assert takeover.is_alive()
    assert shift.head == 0
    said = sleeper.wake(worker)
    takeover.join()
    assert said.count("committed") == shift.head == len(shift.state.lines)
    assert [commit.version for commit in shift.log()] == list(range(shift.head, -1, -1))
    assert shift.verify().versions == shift.head + 1


def test_g02_who_was_overtaken_while_stopped_meets_a_conflict_without_any_lease(
    shift: Session[Shift], start: Callable[[str], Popen[str]]
) -> None:
    worker = start(WITHOUT_A_LEASE)
    sleeper.work(shift, "other")
    assert sleeper.wake(worker) == ["conflict retry=True"]
    assert (shift.head, shift.state.lines) == (1, ["other"])


@pytest.mark.parametrize("then", ["nothing", "a commit"])
def test_g11_a_write_by_hand_that_names_its_lease_is_refused_after_a_takeover(
    shift: Session[Shift], start: Callable[[str], Popen[str]], then: str
) -> None:
    worker = start(WITH_A_LEASE)
    if then == "nothing":
        shift.take_lease()
    else:
        sleeper.work(shift, "other")
    before = shift.raw()
    assert sleeper.wake(worker) == ["committed", "lease.lost retry=False"]
    assert shift.raw() == before
    assert shift.verify().versions == shift.head + 1 == len(shift.state.lines) + 1
