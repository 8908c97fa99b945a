"""What it costs to find out why: the verbs of debugging on a long history, on both databases.

    python benchmarks/history.py [--database URL] [--n 100000] [--only PART] [--json]
    python benchmarks/history.py --build URL [--n 100000]        only makes the session, and keeps it

A session of 100,000 commits by nine agents, every tenth of which ends a round (`surveys`), is made
and then read. Times are of one process on a machine that others may use; ratios are taken in turns.

Keys, each with the database before it (`sqlite.`, `postgresql.`):

- `verbs.p50_ms`: the slowest of `verbs.KIND_ms`, each the median over random places: the first page of
  `log`, any page, both filtered by an agent, `show`, `blame`, `diff` of neighbours; in process.
- `verbs.command_cpu_s`: the CPU seconds (user and system) of the dearest of the same as a command.
- `at.p99_vs_p50`: the CPU of `session.at` at random versions, its 99th percentile against its median,
  `at.p50_ms`. The state grows all the while, so half of the versions are less than half as large.
- `bisect.reads`, `bisect.s`: the state reads and seconds of a bisection over all versions.
- `impact.s`: the seconds for all that rests on an early finding, `impact.found` commits; `impact.exact`
  is 1 where it equals a naive walk over a session of 1,000 commits, from every hundredth version.
- `replay.per_s`: commits rebuilt per second; `replay.calls` made. `replay.code_per_s`: the same with
  the graph's code, every prompt and answer of 10,000 rounds again.
- `export.per_s`, `export.import_per_s`: commits per second as JSON Lines; `export.mib`: the peak memory
  of the dearer process; `export.equal` is 1 where the hashes of all heads are the same.
- `history.cpu_vs_langgraph`: see `history_peer`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import surveys
from history_peer import against_langgraph
from naive import naive_impact
from places import Folder, Server
from running import Figures, options_of, run
from surveys import AGENTS, Survey

from dissensus import Session, Store

ROUNDS = 40
COMMANDS = 5
EARLY = 1
"""The version of an early finding."""

COUNTING = Path(__file__).with_name("moving.py")


def measured(place: Folder | Server, options: argparse.Namespace) -> Figures:
    """All figures of one database, or one part of them."""
    url = options.use or place.fresh("history")
    if options.use is None:
        started = time.perf_counter()
        asyncio.run(surveys.build(url, options.n))
        print(f"{place.backend}: made in {time.perf_counter() - started:.0f} s", file=sys.stderr)
    parts: dict[str, Callable[[], Figures]] = {
        "verbs": lambda: _opened(url, _verbs) | _commands(url, options.n),
        "at": lambda: _opened(url, _at),
        "bisect": lambda: _opened(url, _bisect),
        "impact": lambda: _opened(url, _impact) | {"impact.exact": _exact(place)},
        "replay": lambda: _opened(url, _replay),
        "export": lambda: _export(place, url, options.n),
        "peer": lambda: against_langgraph(place),
    }
    figures: Figures = {}
    for name, part in parts.items():
        if options.only in {None, name}:
            figures |= part()
    return figures


def _opened(url: str, part: Callable[[Session[Survey]], Figures]) -> Figures:
    with Store.open(url) as store:
        return part(store.session(None, Survey))


def _times(work: Callable[[], object], times: int = ROUNDS) -> list[float]:
    """Milliseconds, sorted."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        found.append((time.perf_counter() - started) * 1000)
    return sorted(found)


def _verbs(session: Session[Survey]) -> Figures:
    chosen = random.Random(7)
    head = session.head

    def version() -> int:
        return chosen.randrange(1, head)

    def place() -> tuple[str, int]:
        at = chosen.randrange(head // 2, head)
        finding = f"/findings/{chosen.randrange(at // surveys.CYCLE // 2)}"
        paths = ["/verdict", "/brief", finding, "/notes/ana", "/topics/t7", "/verdict/holds"]
        return chosen.choice(paths), at

    def neighbours() -> None:
        at = version()
        _told(session.diff(at - 1, at))

    works: dict[str, Callable[[], object]] = {
        "log": lambda: _told(session.log()),
        "page": lambda: _told(session.log(before=version())),
        "agent": lambda: _told(session.log(author=chosen.choice(AGENTS))),
        "agent_page": lambda: _told(session.log(author=chosen.choice(AGENTS), before=version())),
        "show": lambda: session.show(version()).as_dict(),
        "blame": lambda: session.blame(*place()).as_dict(),
        "diff": neighbours,
    }
    found = {f"verbs.{name}_ms": statistics.median(_times(work)) for name, work in works.items()}
    return {**found, "verbs.p50_ms": max(found.values())}


def _told(found: Iterable[Any]) -> list[Any]:
    """The answer as plain data: nothing of it is left to be read later."""
    return [item.as_dict() for item in found]


def _commands(url: str, commits: int) -> Figures:
    """The CPU seconds of the dearest command."""
    middle = commits // 2
    commands = [
        ["log"],
        ["log", "--before", f"v{middle}"],
        ["log", "--author", "ana"],
        ["show", f"v{middle}"],
        ["blame", "/verdict/holds", "--at", f"v{middle}"],
        ["diff", f"v{middle - 1}..v{middle}"],
    ]
    found = {command[0]: 0.0 for command in commands}
    for command in commands:
        spent = statistics.median(_cpu_of([*command, "-d", url]) for _ in range(COMMANDS))
        found[command[0]] = max(found[command[0]], spent)
    told = {f"verbs.command_{name}_cpu_s": value for name, value in found.items()}
    return {**told, "verbs.command_cpu_s": max(found.values())}


def _cpu_of(arguments: Iterable[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "dissensus", *arguments]
    given = {**os.environ, "NO_COLOR": "1"}
    given.pop("PYTHONDONTWRITEBYTECODE", None)  # as installed: compiled once
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=given)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _at(session: Session[Survey]) -> Figures:
    chosen, head = random.Random(9), session.head
    found = sorted(_spent(lambda: session.at(chosen.randrange(head))) for _ in range(400))
    p50, p99 = statistics.median(found), found[int(len(found) * 0.99) - 1]
    return {"at.p50_ms": p50, "at.p99_vs_p50": p99 / p50}


def _spent(work: Callable[[], object]) -> float:
    """CPU milliseconds; garbage is collected before."""
    gc.collect()
    before = time.process_time()
    work()
    return (time.process_time() - before) * 1000


def _bisect(session: Session[Survey]) -> Figures:
    wanted = session.head // surveys.CYCLE * 3 // 7
    started = time.perf_counter()
    found = session.bisect(lambda state: state.counts < wanted)
    spent = time.perf_counter() - started
    if session.at(found.version).counts != wanted or session.at(found.version - 1).counts >= wanted:
        raise RuntimeError("the bisection is wrong")
    return {"bisect.reads": found.reads, "bisect.s": spent}


def _impact(session: Session[Survey]) -> Figures:
    started = time.perf_counter()
    found = session.impact(EARLY)
    return {"impact.s": time.perf_counter() - started, "impact.found": len(found.versions)}


def _exact(place: Folder | Server) -> float:
    url = place.fresh("exact")
    asyncio.run(surveys.build(url, 1000, seed=3))
    with Store.open(url) as store:
        session = store.session(None, Survey)
        wrong = [
            at for at in range(1, 1000, 100) if set(session.impact(at).versions) != naive_impact(session, at)
        ]
    place.drop(url)
    if wrong:
        print(f"impact differs from the naive walk at {wrong}", file=sys.stderr)
    return float(not wrong)


def _replay(session: Session[Survey]) -> Figures:
    started = time.perf_counter()
    found = session.replay()
    plain = found.versions / (time.perf_counter() - started)
    started = time.perf_counter()
    again = asyncio.run(surveys.survey_graph().replay(session))
    return {
        "replay.per_s": plain,
        "replay.calls": found.calls + again.calls,
        "replay.code_per_s": again.versions / (time.perf_counter() - started),
    }


def _export(place: Folder | Server, url: str, commits: int) -> Figures:
    """Out of this database and into a new one of the same kind, each in a process of its own."""
    target = place.fresh("imported")
    file = Path(f"history-{os.getpid()}.jsonl")
    try:
        out = _moved("export", url, file)
        into = _moved("import", target, file)
    finally:
        file.unlink(missing_ok=True)
    place.drop(target)
    return {
        "export.per_s": commits / out["s"],
        "export.import_per_s": commits / into["s"],
        "export.mib": max(out["mib"], into["mib"]),
        "export.equal": float(out["heads"] == into["heads"]),
    }


def _moved(what: str, url: str, file: Path) -> dict[str, Any]:
    command = [sys.executable, str(COUNTING), what, url, str(file)]
    ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure, or only make the session."""
    parser = options_of(__doc__, n=100_000)
    parser.add_argument("--build", metavar="URL", help="make the session there and keep it; measure nothing")
    parser.add_argument("--use", metavar="URL", help="a session that `--build` has made")
    parser.add_argument("--only", metavar="PART", help="verbs, at, bisect, impact, replay, export or peer")
    options = parser.parse_args()
    if options.build is None:
        run(measured, parser)
        return
    asyncio.run(surveys.build(options.build, options.n))
    with Store.open(options.build) as store:
        print(surveys.summary(store.session(None, Survey)))


if __name__ == "__main__":
    main()
