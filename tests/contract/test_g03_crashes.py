"""G3 and G11: a process that writes is killed, wherever that strikes, and nothing is lost or there twice.

SIGKILL ends a process, not the machine: what the operating system was given is written. So this tells
nothing of `synchronous` or `fsync`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

import crashing
from crash_checks import Tally
from crash_runs import kill_at_every_point, kill_at_random
from dissensus_state.tables import metadata
from workers import Nursery

KILLS = 100

UNWALKED = {
    "grades", "tags", "conflicts", "tenants", "answers", "documents", "passages", "terms", "touches",
}  # fmt: skip
"""Tables that `crashing.Walk` does not write."""


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery(crashing.__file__) as started:
        yield started


@pytest.mark.slow
def test_g03_a_writer_killed_at_every_point_of_every_write_leaves_all_of_it_or_nothing(
    nursery: Nursery, empty_database_url: str
) -> None:
    tally = Tally()
    points = kill_at_every_point(nursery, empty_database_url, "case", tally)
    assert tally.kills == len(points) == len(set(points))
    assert tally.acknowledged == 7
    written = {word for point in points if not point.startswith("open: ") for word in point.split()}
    assert set(metadata.tables) - written == UNWALKED


@pytest.mark.slow
def test_g03_of_writers_killed_a_hundred_times_at_random_no_commit_is_lost_nor_there_twice(
    nursery: Nursery, database_url: str
) -> None:
    seed = time.time_ns() % 100_000
    tally = Tally(seed)
    kill_at_random(nursery, database_url, KILLS, tally)
    assert tally.kills >= KILLS
    assert tally.acknowledged > KILLS
