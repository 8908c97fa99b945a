"""One process of writers, whose threads all begin when the parent says so.

    python benchmarks/writing.py KIND URL FIRST THREADS COUNT

Each thread is a writer with a number (FIRST, FIRST + 1, …) and makes COUNT updates. All threads of a
process share its store, and the session where there is one for all. Kinds:

- `append`: transactions that append a finding: these commute.
- `count`: transactions that read `/step`, set it one higher and append a finding: these do not.
- `apart`: appends to a session of each writer's own.
- `raw`: the floor, each writer with a connection and a session of its own.
- `langgraph`: `invoke` on one thread of LangGraph's, with its saver.

Each writer makes two updates first, which compiles and connects what there is. When all have, the
process says so; on a line of input it begins; when all is done it prints one JSON line: the ids of
the acknowledged findings, how many of those were timed, how many attempts were given up for a
conflict, and when it began and ended (seconds of the machine's monotonic clock).
"""

from __future__ import annotations

import itertools
import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from findings import Notebook, Update, updates

from dissensus import Conflict, Session, Store

Write: TypeAlias = Callable[[Update], None]
Writers: TypeAlias = Callable[[str, Sequence[int]], list[Write]]


def append_to(session: Session[Notebook]) -> Write:
    """Updates that commute."""

    def write(update: Update) -> None:
        session.transact(lambda opened: opened.append("/findings", update.finding), "reader")

    return write


def count_in(session: Session[Notebook]) -> Write:
    """Updates that must see each other."""

    def write(update: Update) -> None:
        def change(opened) -> None:
            opened.set("/step", opened.read("/step") + 1)
            opened.append("/findings", update.finding)

        session.transact(change, "reader")

    return write


def _append(url: str, writers: Sequence[int]) -> list[Write]:
    session = Store.open(url).session("notebook", Notebook)
    return [append_to(session) for _ in writers]


def _count(url: str, writers: Sequence[int]) -> list[Write]:
    session = Store.open(url).session("notebook", Notebook)
    return [count_in(session) for _ in writers]


def _apart(url: str, writers: Sequence[int]) -> list[Write]:
    store = Store.open(url)
    return [append_to(store.session(f"notebook-{number}", Notebook)) for number in writers]


def _raw(url: str, writers: Sequence[int]) -> list[Write]:
    from bare import floor

    return [floor(url, 1 + number).commit for number in writers]


def _langgraph(url: str, writers: Sequence[int]) -> list[Write]:
    from savers import Turns

    graph = Turns(url)
    return [graph.commit for _ in writers]


KINDS: dict[str, Writers] = {
    "append": _append,
    "count": _count,
    "apart": _apart,
    "raw": _raw,
    "langgraph": _langgraph,
}


WARM_UP = 2


class Writer(threading.Thread):
    """One writer."""

    def __init__(self, write: Write, number: int, count: int, begin: threading.Event) -> None:
        super().__init__(name=f"writer-{number}", daemon=True)
        self._write = write
        self._updates = list(itertools.islice(updates(1000 + number), WARM_UP + count))
        self._begin = begin
        self.ready = threading.Event()
        self.acknowledged: list[str] = []
        self.warm = 0
        self.given_up = 0
        self.broken: BaseException | None = None

    def run(self) -> None:
        """Make every update, one after the other."""
        try:
            for update in self._updates[:WARM_UP]:
                self._one(update)
            self.ready.set()
            self._begin.wait()
            self.warm = len(self.acknowledged)
            for update in self._updates[WARM_UP:]:
                self._one(update)
        except BaseException as error:
            self.broken = error
            raise
        finally:
            self.ready.set()

    def _one(self, update: Update) -> None:
        try:
            self._write(update)
        except Conflict:
            self.given_up += 1
        else:
            self.acknowledged.append(update.finding["id"])


def main() -> None:
    """Write, and report."""
    kind, url = sys.argv[1:3]
    first, threads, count = map(int, sys.argv[3:])
    numbers = range(first, first + threads)
    begin = threading.Event()
    writers = [
        Writer(write, number, count, begin)
        for write, number in zip(KINDS[kind](url, numbers), numbers, strict=True)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.ready.wait()
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    begin.set()
    for writer in writers:
        writer.join()
    ended = time.monotonic()
    if any(writer.broken for writer in writers):
        sys.exit(1)
    report = {
        "acknowledged": [identity for writer in writers for identity in writer.acknowledged],
        "timed": sum(len(writer.acknowledged) - writer.warm for writer in writers),
        "given_up": sum(writer.given_up for writer in writers),
        "began": began,
        "ended": ended,
    }
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    main()
