"""One side of a comparison, in a process of its own that imports nothing of the others.

    python benchmarks/sides.py SIDE URL SEED

It reads a number of commits from each line of standard input, makes as many, and answers with one
JSON line: the CPU seconds of all its threads (user and system) and the seconds on the clock. What is
written is made up before the clocks start, and garbage is collected. At the end of its input it
closes.
"""

from __future__ import annotations

import gc
import itertools
import json
import logging
import sys
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from findings import Notebook, OneByOne, Update, updates


class Side(Protocol):
    """Something that can commit."""

    def block(self, updates: Sequence[Update]) -> None:
        """Make each of them durable, before the next."""

    def close(self) -> None:
        """Give everything back."""


class Ours(OneByOne):
    """A session of dissensus, through its public face."""

    def __init__(self, url: str) -> None:
        from dissensus import Store

        self._store = Store.open(url)
        self._session = self._store.create(Notebook(), name="notebook")

    def commit(self, update: Update) -> None:
        """One transaction."""
        with self._session.transaction("reader") as transaction:
            transaction.append("/findings", update.finding)
            transaction.set("/status", update.status)
            transaction.set("/step", update.step)

    def close(self) -> None:
        """Close the store."""
        self._store.close()


def _floor(name: str) -> Callable[[str], Side]:
    import bare

    found: Callable[[str], Side] = getattr(bare, name)
    return found


def _saver(name: str) -> Callable[[str], Side]:
    import savers

    found: Callable[[str], Side] = getattr(savers, name)
    return found


def _held() -> Callable[[str], Side]:
    from aggregates import Held

    return Held


SIDES: dict[str, Callable[[], Callable[[str], Side]]] = {
    "dissensus": lambda: Ours,
    "floor": lambda: _floor("floor"),
    "floor_pipelined": lambda: _floor("RawPipelined"),
    "floor_one_statement": lambda: _floor("RawOneStatement"),
    "langgraph": lambda: _saver("AsyncGraph"),
    "delta": lambda: _saver("AsyncDeltaGraph"),
    "langgraph_sync": lambda: _saver("Graph"),
    "delta_sync": lambda: _saver("DeltaGraph"),
    "langgraph_saver": lambda: _saver("SaverAlone"),
    "langgraph_turns": lambda: _saver("Turns"),
    "eventsourcing": _held,
}


def serve(name: str, url: str, seed: int) -> None:
    """Make as many commits as each line asks for."""
    side = SIDES[name]()(url)
    source = updates(seed)
    print("{}", flush=True)
    for line in sys.stdin:
        made = list(itertools.islice(source, int(line)))
        gc.collect()
        cpu, wall = time.process_time(), time.perf_counter()
        side.block(made)
        spent = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        print(json.dumps(spent), flush=True)
    side.close()


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    serve(sys.argv[1], sys.argv[2], int(sys.argv[3]))
