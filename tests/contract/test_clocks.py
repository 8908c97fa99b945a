"""Versions, order and what is admitted come from the database: no clock has a say in them.

What is promised: a clock that stands still, runs backwards, jumps ten years, or differs between two
processes changes nothing but the times that the history tells.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from by_hand import answered, begun
from dissensus_state.errors import Conflict, LeaseLost
from dissensus_state.journal import Journal
from dissensus_state.store import Store
from inquiries import START, Notes, does

HOUR = 3_600_000
YEARS = 10 * 365 * 24 * HOUR

Clock = Callable[[], int]


def _both(times: Iterable[int]) -> tuple[Clock, Clock]:
    """One clock for two."""
    clock = iter(times).__next__
    return clock, clock


CLOCKS: dict[str, Callable[[], tuple[Clock, Clock]]] = {
    "stands still": lambda: _both(itertools.repeat(START)),
    "runs backwards": lambda: _both(itertools.count(START, -HOUR)),
    "jumps ten years to and fro": lambda: _both(itertools.cycle([START, START + YEARS, START - YEARS])),
    "is half a minute ahead in one process": lambda: (
        itertools.count(START).__next__,
        itertools.count(START + 30_000).__next__,
    ),
    "is before 1970": lambda: _both(itertools.count(0, -1)),
}


@pytest.fixture(params=CLOCKS.values(), ids=CLOCKS)
def stores(request: pytest.FixtureRequest, database_url: str) -> Iterator[tuple[Store, Store]]:
    """One database, opened with each of two clocks."""
    here, there = request.param()
    with Store.open(database_url, clock=here) as one, Store.open(database_url, clock=there) as other:
        yield one, other


def test_g02_the_order_of_commits_is_that_of_their_versions_whatever_the_clocks_say(
    stores: tuple[Store, Store],
) -> None:
    sessions = [stores[0].create(Notes(), name="notes")]
    sessions += [stores[1].session("notes", Notes)]
    for number in range(12):
        with sessions[number % 2].transaction(f"author {number}") as tx:
            tx.append("lines", *tx.read("lines")[-1:], str(number))
    for session in sessions:
        assert [commit.author for commit in session.log()[::-1]][1:] == [f"author {n}" for n in range(12)]
        assert [commit.version for commit in session.log()] == list(range(12, -1, -1))
        assert session.at(3).lines == ["0", "0", "1", "1", "2"]
        assert session.verify().versions == session.replay().versions == 13


def test_g02_what_came_between_is_seen_whatever_the_clocks_say(stores: tuple[Store, Store]) -> None:
    here, there = stores[0].create(Notes(), name="notes"), stores[1].session("notes", Notes)
    with pytest.raises(Conflict, match="changed /a in version 1"), here.transaction("ana") as tx:
        tx.set("b", tx.read("a"))
        there.transact(does("set", "a", 1), "ben")
    assert (here.head, here.state) == (1, Notes(a=1))


def test_g11_the_lease_is_with_whoever_took_it_last_whatever_the_clocks_say(
    stores: tuple[Store, Store],
) -> None:
    here, there = stores[0].create(Notes(), name="notes"), stores[1].session("notes", Notes)
    old = Journal(here)
    _, (call,) = begun(old, "gather", "ana")
    new = Journal(there)
    with pytest.raises(LeaseLost):
        old.settle([answered(call)])
    new.settle([answered(call)])
    again = Journal(here)
    assert [again.epoch, new.epoch, old.epoch] == [3, 2, 1]
    assert [item.status for item in again.calls(_round(again))] == ["answered"]


def test_the_sessions_are_listed_in_the_order_in_which_they_were_made_whatever_the_clocks_say(
    stores: tuple[Store, Store],
) -> None:
    for number in range(6):
        stores[number % 2].create(Notes(), name=f"session {number}")
    for store in stores:
        assert [info.name for info in store.sessions()] == [f"session {number}" for number in range(6)]


def _round(journal: Journal) -> Any:
    found = journal.last_round()
    assert found is not None
    return found
