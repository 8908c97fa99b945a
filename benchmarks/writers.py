"""Many writers: what is lost, and what they get done.

    python benchmarks/writers.py [--database URL] [--n 400] [--repeats 5] [--json]

A writer is a thread (as a task under `asyncio.to_thread` is) or a process, and makes its updates one
after the other; `--n` is how many all of them make together (32 of them from 128 on). They begin at one
moment. Each update
appends a finding of 1 KiB with an id of its own; those that count also read a number and set it one
higher, so that each must have seen the one before.

Keys, each with the database before it (`sqlite.`, `postgresql.`):

- `writers.lost`: over 8 and 32 writers on one session, as tasks and as processes, appending and
  counting: acknowledged updates that the final state lacks or has twice, updates in it that were
  refused, and numbers that were not counted. `writers.acknowledged` and `writers.given_up` (a
  conflict on the last of `transact`'s attempts) say of how many.
- `langgraph.lost`, `langgraph.acknowledged`: the same loop with `invoke` on one thread of LangGraph's,
  8 tasks with its saver.
- `writers.same_speedup`: acknowledged appends a second with 8 tasks on one session against 1; with
  processes `writers.same_speedup_processes`.
- `writers.apart_vs_raw` (PostgreSQL): appends a second of 32 writers on 32 sessions, 4 processes of 8
  threads, against psycopg's bare insert and guarded update in the same 4 processes of 8 threads.

Speeds are of the wall clock, medians of repetitions that take turns, each on a new database.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from findings import Notebook
from places import Folder, Server
from running import Figures, options_of, run

from dissensus import Store

SCRIPT = Path(__file__).with_name("writing.py")
MANY = (8, 32)
TASKS = PROCESSES = 8


class WriterFailed(RuntimeError):
    """A process of writers ended before its time."""


@dataclass(frozen=True, slots=True)
class Crew:
    """So many processes of so many threads."""

    processes: int
    threads: int

    @property
    def writers(self) -> int:
        """All threads."""
        return self.processes * self.threads


@dataclass(frozen=True, slots=True)
class Done:
    """What a crew was told, and how long it took."""

    acknowledged: list[str]
    timed: int
    given_up: int
    seconds: float

    @property
    def speed(self) -> float:
        """Acknowledged updates a second."""
        return self.timed / self.seconds


def measured(place: Folder | Server, options: argparse.Namespace) -> Figures:
    """All figures of one database."""
    figures = _lost(place, options.n) | _langgraph(place, options.n)
    eight = {
        "writers.same_speedup": Crew(1, TASKS),
        "writers.same_speedup_processes": Crew(PROCESSES, 1),
    }
    for key, crew in eight.items():
        figures |= _speedup(place, key, crew, options)
    if isinstance(place, Server):
        figures |= _apart(place, options)
    return figures


def _lost(place: Folder | Server, total: int) -> Figures:
    found: Counter[str] = Counter()
    for many in _crowds(total):
        for crew in (Crew(1, many), Crew(many, 1)):
            for kind in ("append", "count"):
                url = _one_session(place)
                done = work(kind, url, crew, total)
                lost = _missed(url, done, counted=kind == "count")
                found.update(
                    {
                        "writers.lost": lost,
                        "writers.acknowledged": len(done.acknowledged),
                        "writers.given_up": done.given_up,
                    }
                )
                _say(place, f"{kind} by {crew.processes} × {crew.threads}", done, f"lost {lost}")
    return {key: float(value) for key, value in found.items()}


def _crowds(total: int) -> list[int]:
    """32 writers need something to write."""
    return [many for many in MANY if many == MANY[0] or total >= 4 * many]


def _missed(url: str, done: Done, *, counted: bool) -> int:
    """How many updates the final state has wrong."""
    with Store.open(url) as store:
        state = store.session("notebook", Notebook).state
    wrong = differences([finding.id for finding in state.findings], done.acknowledged)
    return wrong + (abs(state.step - len(state.findings)) if counted else 0)


def differences(found: list[str], acknowledged: list[str]) -> int:
    """How many ids of the final state were not acknowledged, and how many acknowledged are not there once."""
    there, told = Counter(found), Counter(acknowledged)
    return ((there - told) + (told - there)).total()


def _langgraph(place: Folder | Server, total: int) -> Figures:
    from savers import Turns

    url = place.fresh("langgraph")
    Turns(url).close()
    done = work("langgraph", url, Crew(1, TASKS), total)
    graph = Turns(url)
    lost = differences(graph.findings(), done.acknowledged)
    graph.close()
    _say(place, f"LangGraph by 1 × {TASKS}", done, f"lost {lost}")
    return {"langgraph.lost": float(lost), "langgraph.acknowledged": float(len(done.acknowledged))}


def _speedup(place: Folder | Server, key: str, crew: Crew, options: argparse.Namespace) -> Figures:
    alone, together = _in_turns(
        options.repeats,
        lambda: work("append", _one_session(place), Crew(1, 1), options.n),
        lambda: work("append", _one_session(place), crew, options.n),
    )
    _say_speeds(place, key, {"1 writer": alone, f"{crew.processes} × {crew.threads}": together})
    return {key: statistics.median(together) / statistics.median(alone), f"{key}_alone_per_s": _median(alone)}


def _apart(place: Server, options: argparse.Namespace) -> Figures:
    crew = Crew(4, 8)
    ours, raw = _in_turns(
        options.repeats,
        lambda: work("apart", _sessions(place, crew.writers), crew, 2 * options.n),
        lambda: work("raw", _raw_tables(place), crew, 2 * options.n),
    )
    _say_speeds(place, "writers.apart_vs_raw", {"dissensus": ours, "raw": raw})
    return {
        "writers.apart_vs_raw": statistics.median(ours) / statistics.median(raw),
        "writers.apart_per_s": _median(ours),
        "writers.apart_raw_per_s": _median(raw),
    }


def _median(speeds: list[float]) -> float:
    return round(statistics.median(speeds), 1)


def _in_turns(
    repeats: int, one: Callable[[], Done], other: Callable[[], Done]
) -> tuple[list[float], list[float]]:
    """The speeds of both; every turn begins with the other."""
    speeds: tuple[list[float], list[float]] = ([], [])
    for turn in range(repeats):
        for which in (turn % 2, 1 - turn % 2):
            speeds[which].append((one, other)[which]().speed)
    return speeds


def _one_session(place: Folder | Server) -> str:
    url = place.fresh("same")
    with Store.open(url) as store:
        store.create(Notebook(), name="notebook")
    return url


def _sessions(place: Server, count: int) -> str:
    url = place.fresh("apart")
    with Store.open(url) as store:
        for number in range(count):
            store.create(Notebook(), name=f"notebook-{number}")
    return url


def _raw_tables(place: Server) -> str:
    from bare import floor

    url = place.fresh("raw")
    floor(url, 0).close()
    return url


def work(kind: str, url: str, crew: Crew, total: int) -> Done:
    """Let a crew make so many updates, as nearly as they can be shared out."""
    count = max(1, total // crew.writers)
    with ExitStack() as stack:
        processes = [
            stack.enter_context(_process(kind, url, first, crew.threads, count))
            for first in range(0, crew.writers, crew.threads)
        ]
        for process in processes:
            _line(process)
        for process in processes:
            assert process.stdin
            process.stdin.write("\n")
            process.stdin.flush()
        reports = [json.loads(_line(process)) for process in processes]
    return Done(
        [identity for report in reports for identity in report["acknowledged"]],
        sum(report["timed"] for report in reports),
        sum(report["given_up"] for report in reports),
        max(report["ended"] for report in reports) - min(report["began"] for report in reports),
    )


def _process(kind: str, url: str, first: int, threads: int, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), kind, url, *map(str, (first, threads, count))]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    line = process.stdout.readline()
    if not line:
        raise WriterFailed(f"A writer ended with {process.wait()}: {process.args!r}")
    return line


def _say(place: Folder | Server, what: str, done: Done, more: str) -> None:
    acknowledged = f"{len(done.acknowledged)} acknowledged, {done.given_up} given up"
    print(f"{place.backend}, {what}: {acknowledged}, {more}, {done.speed:.0f} a second", file=sys.stderr)


def _say_speeds(place: Folder | Server, key: str, speeds: dict[str, list[float]]) -> None:
    for who, taken in speeds.items():
        listed = ", ".join(f"{speed:.0f}" for speed in taken)
        print(f"{place.backend}, {key}, {who}: {listed} a second", file=sys.stderr)


if __name__ == "__main__":
    parser = options_of(__doc__, n=400)
    parser.add_argument("--repeats", type=int, default=5, help="how often speeds are measured")
    run(measured, parser)
