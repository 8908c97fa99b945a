"""G3 and G11: PostgreSQL itself is killed under its writers, with every commit flushed as for a user."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

import crashing
from crash_checks import Tally
from crash_runs import kill_the_server
from dissensus_state.store import Store
from postgres import Postgres
from workers import Nursery

KILLS = 5


@pytest.fixture
def durable() -> Iterator[Postgres]:
    """A server that flushes."""
    with Postgres(durable=True) as server:
        yield server


@pytest.mark.slow
def test_g03_a_server_killed_under_its_writers_has_all_that_it_acknowledged_and_they_get_through(
    durable: Postgres,
) -> None:
    tally = Tally(time.time_ns() % 100_000)
    url = durable.create("killed")
    Store.open(url).close()
    with Nursery(crashing.__file__) as nursery:
        kill_the_server(nursery, durable, url, KILLS, tally)
    assert tally.kills >= KILLS
    assert tally.failed + tally.unknown > 0
    assert tally.checks > KILLS
