"""What a commit costs: CPU of the client, flushes, bytes and growth, beside peers and the floor.

    python benchmarks/commits.py [--database URL] [--n 10000] [--repeats 3] [--json]

Every commit appends a finding of 1 KiB and sets two scalars, durably. All sides get the same
findings as dictionaries, each has a process and a database of its own, and they take turns, block
by block. A ratio is the median over the blocks of our CPU (user and system, all threads of the
client's process) against theirs in the block beside it. PostgreSQL's own CPU is shown and is in no
ratio. What the sides and the figures are stands in benchmarks/README.md.

Keys, each with the database before it (`sqlite.`, `postgresql.`):

- `commit.cpu_vs_floor`: against the bare driver, at 1,000 and at 10,000 commits: the worse of both,
  which stand beside it under `…_1000` and `…_10000`.
- `commit.cpu_vs_langgraph`, `commit.cpu_vs_delta`: against a graph run with LangGraph's saver, with
  a plain channel and with a `DeltaChannel`, over the first 1,000 commits of a session.
- `commit.cpu_vs_langgraph_sync`, `commit.cpu_vs_delta_sync`: the same through its synchronous door.
- `commit.cpu_vs_langgraph_saver`: against the synchronous saver called by hand, without a graph.
- `commit.cpu_vs_eventsourcing`: against its aggregate held in memory, over the first 1,000.
- `commit.flushes`: calls of fsync and fdatasync for each commit.
- `commit.growth`: CPU of the last tenth of 10,000 commits against that of the first tenth of another
  session, which takes turns with it.
- `commit.bytes_vs_payload`: bytes on disk against the canonical JSON of what was written, at 1,000
  and at 10,000: the worse of both. `commit.bytes_empty_kib`: what a database has with the session and
  no commit yet, which both contain.

`--n` is the greater size; the smaller one is 1,000, or `--n` where that is less.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from contextlib import ExitStack

from findings import updates
from flushes import CannotCount, flushes
from places import Folder, Server, bytes_of_tables
from running import Figures, options_of, run
from turns import WARM_UP, Block, in_turns, medians, player, ratio, take_turns

FEW = 1000
BLOCKS = 5
PEERS = ("eventsourcing", "delta", "delta_sync")
QUADRATIC = ("langgraph", "langgraph_sync", "langgraph_saver")
"""They write half a gigabyte each, and so run once."""

FLOORS = {"sqlite": ("floor",), "postgresql": ("floor", "floor_pipelined", "floor_one_statement")}
COUNTED = 200
"""Commits of a peer whose flushes are counted."""


def measured(place: Folder | Server, options: argparse.Namespace) -> Figures:
    """All figures of one database."""
    few = min(FEW, options.n)
    figures = _against_peers(place, few, options.repeats)
    figures |= _against_floor(place, options.n)
    figures["commit.cpu_vs_floor"] = max(_sizes(figures, "commit.cpu_vs_floor_"))
    figures["commit.bytes_vs_payload"] = max(_sizes(figures, "commit.bytes_vs_payload_"))
    figures |= _flushes(place, few)
    return figures


def _sizes(figures: Figures, prefix: str) -> list[float]:
    return [value for key, value in figures.items() if key.startswith(prefix) and key[-1].isdigit()]


def _against_peers(place: Folder | Server, commits: int, repeats: int) -> Figures:
    """All sides over the first commits of a session."""
    names = ("dissensus", *FLOORS[place.backend], *PEERS)
    block = max(1, commits // BLOCKS)
    taken = in_turns((*names, *QUADRATIC), place, BLOCKS, block)
    for seed in range(2, repeats + 1):
        for name, blocks in in_turns(names, place, BLOCKS, block, seed).items():
            taken[name] += blocks
    _show(taken, f"{place.backend}, the first {block * BLOCKS + WARM_UP:,} commits")
    ours = taken["dissensus"]
    found = {f"commit.cpu_vs_{name}": ratio(ours, taken[name]) for name in taken if name != "dissensus"}
    found[f"commit.cpu_vs_floor_{commits}"] = found.pop("commit.cpu_vs_floor")
    found[f"commit.bytes_vs_payload_{commits}"] = _bytes(place, commits) / _payload(commits)
    found["commit.bytes_empty_kib"] = _bytes(place, 0) / 1024
    return found


def _against_floor(place: Folder | Server, commits: int) -> Figures:
    """Ours and the floor through many commits; in the last tenth a session that begins joins them."""
    tenth = max(1, commits // 10)
    block = max(1, tenth // BLOCKS)
    with ExitStack() as stack:
        ours, floor = (stack.enter_context(player(name, place)) for name in ("dissensus", "floor"))
        take_turns([ours, floor], 9, tenth)
        early, last = list(ours.blocks), len(ours.blocks)
        begun = stack.enter_context(player("dissensus", place))
        take_turns([ours, begun, floor], BLOCKS, block)
    _show({"dissensus": ours.blocks, "floor": floor.blocks}, f"{place.backend}, {commits:,} commits")
    made = WARM_UP + 9 * tenth + BLOCKS * block
    growth = _sum(ours.blocks[last:]) / _sum(begun.blocks)
    return {
        f"commit.cpu_vs_floor_{commits}": ratio(ours.blocks, floor.blocks),
        "commit.growth": growth,
        "commit.growth_in_line": _sum(ours.blocks[last:]) / BLOCKS / early[0].cpu,
        f"commit.bytes_vs_payload_{commits}": bytes_of_tables(ours.url) / _payload(made),
    }


def _sum(blocks: list[Block]) -> float:
    return sum(block.cpu for block in blocks)


def _bytes(place: Folder | Server, commits: int) -> int:
    """A database with one session of so many commits, closed."""
    with player("dissensus", place, warm_up=0) as one:
        if commits:
            one.turn(commits)
    return bytes_of_tables(one.url)


def _payload(commits: int) -> int:
    return sum(update.size for update in itertools.islice(updates(1), commits))


def _flushes(place: Folder | Server, commits: int) -> Figures:
    try:
        return {
            "commit.flushes": flushes("dissensus", place, commits),
            "commit.flushes_floor": flushes("floor", place, commits),
            "commit.flushes_langgraph": flushes("langgraph", place, min(COUNTED, commits)),
        }
    except CannotCount as reason:
        print(f"commit.flushes is left out: {reason}", file=sys.stderr)
        return {}


def _show(taken: dict[str, list[Block]], title: str) -> None:
    print(f"{title}, ms a commit:", file=sys.stderr)
    for name, cpu, server, wall in medians(taken):
        beside = "" if server is None else f"   the server {server:6.3f}"
        print(f"  {name:20} CPU {cpu:7.3f}   on the clock {wall:7.3f}{beside}", file=sys.stderr)


if __name__ == "__main__":
    parser = options_of(__doc__, n=10_000)
    parser.add_argument("--repeats", type=int, default=3, help="how often all sides run over the first 1,000")
    run(measured, parser)
