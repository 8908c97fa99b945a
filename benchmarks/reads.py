"""What reading costs: any version, the head from cold, the log; and the memory that a session holds.

    python benchmarks/reads.py [--database URL] [--n 10000] [--json]

A session of 10,000 commits, each with a finding of 1 KiB and two scalars, is written by another
process. A figure is CPU (user and system, all threads of this process) against decoding the very
same state from its canonical JSON, in turns, as the median over blocks. What comes back is compared
with what was written. Garbage is collected before each measurement.

Keys, each with the database before it (`sqlite.`, `postgresql.`):

- `read.at_vs_decode`: random versions, none twice; the worse of `read.raw_vs_loads` (`session.raw`
  against `json.loads`) and `read.at_vs_typed` (`session.at` against the schema's
  `model_validate_json`).
- `read.head_vs_decode`: the head through a store that was just opened, likewise the worse of
  `read.head_raw_vs_loads` and `read.head_state_vs_typed`. Opening the store and finding the session
  is not in it: it stands apart as `read.open_ms`, its CPU in milliseconds.
- `read.log_us`: CPU microseconds for each commit of one listing of all; `read.log_paged_us` in pages
  of 500.
- `memory.vs_state`: what a process holds for the session (resident memory, against the same process
  with a session of ten findings) in relation to the same state as `json.loads` makes it, each in a
  fresh process; the worse of `memory.written_vs_state` (it has written all) and
  `memory.opened_vs_state` (it has opened the session, read the head and committed once).
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import mmap
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from findings import Notebook, Update, canonical, updates
from places import Folder, Server
from running import Figures, options_of, run
from turns import player

from dissensus import Session, Store

BLOCKS = 8
VERSIONS = 5
"""In each block."""
OPENINGS = 9
LISTINGS = 5
PAGE = 500
HOLDING = Path(__file__).with_name("holding.py")


class Wrong(RuntimeError):
    """What was read is not what was written."""


class Written:
    """The canonical JSON of every version, from what was written and not from the database."""

    def __init__(self, commits: int) -> None:
        made = list(itertools.islice(updates(1), commits))
        self._findings = [canonical(update.finding) for update in made]
        self._scalars: list[Update] = made

    def text(self, version: int) -> str:
        """The state at a version."""
        last = self._scalars[version - 1]
        findings = ",".join(self._findings[:version])
        return f'{{"findings":[{findings}],"status":{canonical(last.status)},"step":{last.step}}}'


def measured(place: Folder | Server, options: argparse.Namespace) -> Figures:
    """All figures of one database."""
    with player("dissensus", place, warm_up=0) as writer:
        writer.turn(options.n)
    written = Written(options.n)
    with Store.open(writer.url) as store:
        session = store.session("notebook", Notebook)
        figures = _any_version(session, written, options.n) | _log(session, options.n)
    figures |= _head(writer.url, written.text(options.n))
    figures |= _memory(place, writer.url, written.text(options.n), options.n)
    return figures


def _any_version(session: Session[Notebook], written: Written, commits: int) -> Figures:
    chosen = random.Random(1).sample(range(1, commits + 1), k=min(2 * BLOCKS * VERSIONS, commits))
    half = len(chosen) // 2
    raw = _by_block(chosen[:half], written, session.raw, json.loads)
    typed = _by_block(chosen[half:], written, session.at, Notebook.model_validate_json)
    return {
        "read.at_vs_decode": max(raw, typed),
        "read.raw_vs_loads": raw,
        "read.at_vs_typed": typed,
    }


def _by_block(
    versions: Sequence[int], written: Written, read: Callable[[int], Any], decode: Callable[[str], Any]
) -> float:
    """The median over blocks of versions of what reading them costs against decoding them."""
    size = max(1, len(versions) // BLOCKS)
    ratios = []
    for start in range(0, len(versions) - size + 1, size):
        read_, decoded = 0.0, 0.0
        for version in versions[start : start + size]:
            text = written.text(version)
            ours, theirs = _pair(lambda v=version: read(v), lambda t=text: decode(t), first=version % 2)
            read_, decoded = read_ + ours, decoded + theirs
        ratios.append(read_ / decoded)
    return statistics.median(ratios)


def _pair(read: Callable[[], Any], decode: Callable[[], Any], *, first: int = 0) -> tuple[float, float]:
    """The CPU seconds of both; either may come first."""
    if first:
        theirs, expected = _cpu(decode)
        ours, found = _cpu(read)
    else:
        ours, found = _cpu(read)
        theirs, expected = _cpu(decode)
    if found != expected:
        raise Wrong("A version that was read is not the one that was written")
    return ours, theirs


def _cpu(function: Callable[[], Any]) -> tuple[float, Any]:
    gc.collect()
    before = time.process_time()
    result = function()
    return time.process_time() - before, result


def _head(url: str, text: str) -> Figures:
    raw, typed, opened = [], [], []
    for turn in range(OPENINGS):
        for ratios, read, decode in (
            (raw, lambda session: session.raw(), json.loads),
            (typed, lambda session: session.state, Notebook.model_validate_json),
        ):
            spent, (store, session) = _cpu(lambda: _open(url))
            ours, theirs = _pair(lambda: read(session), lambda: decode(text), first=turn % 2)  # noqa: B023
            ratios.append(ours / theirs)
            opened.append(spent * 1000)
            store.close()
    return {
        "read.head_vs_decode": max(statistics.median(raw), statistics.median(typed)),
        "read.head_raw_vs_loads": statistics.median(raw),
        "read.head_state_vs_typed": statistics.median(typed),
        "read.open_ms": statistics.median(opened),
    }


def _open(url: str) -> tuple[Store, Session[Notebook]]:
    store = Store.open(url)
    return store, store.session("notebook", Notebook)


def _log(session: Session[Notebook], commits: int) -> Figures:
    whole, paged = [], []
    for _ in range(LISTINGS):
        for taken, listing in (
            (whole, lambda: session.log(limit=commits + 1)),
            (paged, lambda: _pages(session)),
        ):
            spent, listed = _cpu(listing)
            if [commit.version for commit in listed] != list(range(commits, -1, -1)):
                raise Wrong("The log does not list every commit once, newest first")
            taken.append(spent * 1e6 / len(listed))
    return {"read.log_us": statistics.median(whole), "read.log_paged_us": statistics.median(paged)}


def _pages(session: Session[Notebook]) -> list[Any]:
    listed = session.log(limit=PAGE)
    while page := session.log(limit=PAGE, before=listed[-1].version):
        listed += page
    return listed


def _memory(place: Folder | Server, url: str, text: str, commits: int) -> Figures:
    with TemporaryDirectory(prefix="holding-") as folder:
        decoded = Path(folder) / "state.json"
        decoded.write_text(text)
        state = _held("decoded", str(decoded), commits)
    written = _held("written", place.fresh("written"), commits) / state
    opened = _held("opened", url, commits) / state
    return {
        "memory.vs_state": max(written, opened),
        "memory.written_vs_state": written,
        "memory.opened_vs_state": opened,
        "memory.state_mib": state / 2**20,
    }


def _held(mode: str, subject: str, commits: int) -> int:
    """The bytes, and at least a page, below which nothing can be seen."""
    command = [sys.executable, str(HOLDING), mode, subject, str(commits)]
    told = int(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    return max(told, mmap.PAGESIZE)


if __name__ == "__main__":
    run(measured, options_of(__doc__, n=10_000))
