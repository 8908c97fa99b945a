"""The resident memory that a process holds for a state, in bytes.

    python benchmarks/holding.py decoded FILE N        what json.loads makes of a file
    python benchmarks/holding.py written URL N         a session after N commits in this process
    python benchmarks/holding.py opened URL N          a session that was opened, read and committed to

Before the measurement the process has done the same with ten findings, so that what is loaded or
compiled once is not counted.
"""

from __future__ import annotations

import gc
import itertools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from findings import Notebook, updates
from sides import Ours

from dissensus import Store

FEW = 10


def resident() -> int:
    """The bytes of this process that are in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def decoded(file: str, _: int) -> tuple[Any, int]:
    """The state of a file."""
    json.loads(json.dumps([update.finding for update in itertools.islice(updates(2), FEW)]))
    before = resident()
    return json.loads(Path(file).read_text()), before


def written(url: str, commits: int) -> tuple[Any, int]:
    """A session that this process has written."""
    side = Ours(url)
    source = updates(1)
    side.block(list(itertools.islice(source, FEW)))
    before = resident()
    for update in itertools.islice(source, commits - FEW):
        side.commit(update)
    return side, before


def opened(url: str, commits: int) -> tuple[Any, int]:
    """A session that another process has written."""
    store = Store.open(url)
    few = store.create(Notebook(), name=f"few-{os.getpid()}")
    _use(few, 1)
    before = resident()
    session = store.session("notebook", Notebook)
    _use(session, commits + 1)
    return session, before


def _use(session: Any, step: int) -> None:
    assert isinstance(session.state, Notebook)
    update = next(updates(3, start=step))
    with session.transaction("reader") as transaction:
        transaction.append("/findings", update.finding)
        transaction.set("/step", update.step)


MODES: dict[str, Callable[[str, int], tuple[Any, int]]] = {
    "decoded": decoded,
    "written": written,
    "opened": opened,
}

if __name__ == "__main__":
    held, start = MODES[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
    print(resident() - start)
