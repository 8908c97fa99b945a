"""Thousands of kills: the long version of what `tests/contract/test_g03_crashes.py` holds on every change.

`python tests/soak/crashes.py --database sqlite --kills 2000 --seed 7`

Each round works on a new database: a walk through everything that can be written, killed at every point
that it reaches; walks that are killed at points drawn at random, again while they recover; and several
writers that are killed at random moments. On PostgreSQL the server itself is killed as well, flushing as
a user's does. 2,000 kills without a failure bound its probability by 0.15 % (95 % confidence).
"""

# ruff: noqa: E402 - what it is made of stands in tests/support

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "support")]

import crashing
from crash_checks import Tally
from crash_runs import kill_at_every_point, kill_at_random, kill_at_random_points, kill_the_server
from dissensus_state.errors import DissensusError
from postgres import Postgres
from workers import Nursery

A_ROUND = 200
"""Kills for which one database serves, about."""

WALKS = 3
SERVER_KILLS = 2


def main() -> int:
    """Kill until there were as many kills as asked for; 1 where something did not hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--kills", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=None, help="what draws the moments; default: the time")
    told = parser.parse_args()
    tally = Tally(time.time_ns() % 1_000_000 if told.seed is None else told.seed)
    _tell(f"{told.database}: {told.kills} kills with --seed {tally.seed}")
    began = time.monotonic()
    try:
        _run(told.database, told.kills, tally)
    except (AssertionError, DissensusError) as error:
        _tell(f"VIOLATED on {told.database}: {error}\n  {tally}")
        return 1
    _tell(f"held on {told.database}: {tally}, seconds {time.monotonic() - began:.0f}")
    return 0


def _run(database: str, kills: int, tally: Tally) -> None:
    chance = random.Random(tally.seed)
    with ExitStack() as stack:
        nursery = stack.enter_context(Nursery(crashing.__file__))
        server = stack.enter_context(Postgres(durable=True)) if database == "postgresql" else None
        number = 0
        while tally.kills < kills:
            number += 1
            with _new_database(server, number) as url:
                _round(nursery, url, min(A_ROUND, kills - tally.kills), chance, tally)
                if server is not None:
                    kill_the_server(nursery, server, url, SERVER_KILLS, tally)
            _tell(f"  {tally}")


def _round(nursery: Nursery, url: str, kills: int, chance: random.Random, tally: Tally) -> None:
    upto = tally.kills + kills
    kill_at_every_point(nursery, url, "walk", tally)
    for number in range(WALKS):
        kill_at_random_points(nursery, url, f"walk-{number}", chance, tally)
    kill_at_random(nursery, url, upto, tally)


@contextmanager
def _new_database(server: Postgres | None, number: int) -> Iterator[str]:
    """A database with nothing in it, gone after the block."""
    if server is None:
        with tempfile.TemporaryDirectory() as folder:
            yield str(Path(folder, "soak.db"))
        return
    yield server.create(f"soak_{number}")
    server.drop(f"soak_{number}")


def _tell(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
