"""SIGKILL at random moments of research sessions: is an answer bought twice, is a call lost from the records?

    python benchmarks/kills.py [--n 50] [--database sqlite|postgresql] [--json]

`dissensus research` runs as a process of its own and asks a provider over HTTP that is another one and
writes down every request it gets. `kill.rebought` counts the requests whose answer was recorded before,
`kill.unaccounted` the requests that the provider got and no row of `calls` stands for. Both have to be 0.
A session that was killed goes on with `--resume` until its report is written; then another one begins.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from places import SUPPORT, Folder, Place, Server, is_sqlite, own_postgres, path_of

sys.path.append(str(SUPPORT))

from dissensus.research.schema import Research
from dissensus_agents.judgement.supervisor import SEAT
from dissensus_state.records import Call
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from research_provider import key

QUESTION = "What happened in the harbour?"
MODELS = "openai-compatible:a,openai-compatible:b,openai-compatible:c"
CHAIR = "openai-compatible:chair"
PLAN = [
    {"question": "Which valve stood open?", "queries": ["valve open noon", "valve number"]},
    {"question": "How high was the pressure?", "queries": ["pressure bar", "manometer reading"]},
]
MOST_LINES, LATEST = 8, 0.3
"""How much a run says at most before it is killed, and how many seconds later at the latest."""

FINAL = {"answered", "partial", "failed", "unknown"}
"""What becomes of a call that was sent."""

FILLER = "The weather was fine and nothing was to be noted in the harbour on that day. "


@dataclass(slots=True)
class Tally:
    """What was counted over all sessions."""

    kills: int = 0
    sessions: int = 0
    rebought: int = 0
    unaccounted: int = 0
    unknown: int = 0
    broken: list[str] = field(default_factory=list)


def kills(number: int = 50, seed: int = 1, database: str = "sqlite") -> dict[str, float]:
    """Kill sessions so many times; what was bought again, and what no record accounts for."""
    chance, tally = random.Random(seed), Tally()
    with tempfile.TemporaryDirectory() as folder, _databases(database, Path(folder)) as databases:
        _write_sources(Path(folder) / "sources")
        while tally.kills < number:
            place = Path(folder) / f"session-{tally.sessions}"
            place.mkdir()
            with _provider(place) as url:
                _one_session(place, databases.fresh("kills"), url, chance, tally, number)
            tally.sessions += 1
    if tally.broken:
        raise SystemExit("\n".join(tally.broken))
    print(f"{tally.kills} kills, {tally.sessions} sessions, {tally.unknown} calls unknown", file=sys.stderr)
    return {"kill.rebought": tally.rebought, "kill.unaccounted": tally.unaccounted}


@contextmanager
def _databases(name: str, folder: Path) -> Iterator[Place]:
    """Where each session gets a database of its own."""
    if name == "sqlite":
        yield Folder(folder)
        return
    with own_postgres() as url:
        yield Server(url)


def _write_sources(folder: Path) -> None:
    folder.mkdir()
    for n in range(40):
        fact = (
            f"\nFACT A{n} {1 + n % 2}: The valve number {n} stood open at noon, at 1{n} bar.\n"
            if n % 8 == 0
            else ""
        )
        lead = "\nSEE ALSO 2: manometer reading of the evening\n" if n == 16 else ""
        (folder / f"notes-{n}.txt").write_text(FILLER * 15 + fact + lead + FILLER * 15, "utf-8")


@contextmanager
def _provider(place: Path) -> Iterator[str]:
    """The provider in a process of its own, which answers after up to 150 ms; its URL."""
    told = {"RESEARCH_LOG": str(place / "log"), "RESEARCH_PLAN": json.dumps(PLAN), "RESEARCH_DELAY": "0.15"}
    command = [sys.executable, "-m", "dissensus.testing.provider", "--answers", "research_provider:decide"]
    paths = os.pathsep.join([str(SUPPORT), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, **told, "PYTHONPATH": paths}
    )
    try:
        yield f"{_line(process.stdout)}/v1"
    finally:
        process.terminate()
        process.wait()


def _line(stream: IO[str] | None) -> str:
    return stream.readline().strip() if stream else ""


def _one_session(
    place: Path, database: str, url: str, chance: random.Random, tally: Tally, number: int
) -> None:
    """One session, killed until it is finished or there were enough kills; then it is looked at."""
    log = place / "log"
    log.touch()
    answered: set[str] = set()
    while True:
        seen = len(log.read_text().splitlines())
        killed = _run(place, database, url, chance if tally.kills < number else None, tally)
        tally.rebought += sum(line in answered for line in log.read_text().splitlines()[seen:])
        tally.kills += killed
        answered = {one for one, call in _calls(database) if call.status == "answered"}
        if not killed:
            break
    rows = Counter(one for one, call in _calls(database) if call.status in FINAL)
    received = Counter(log.read_text().splitlines())
    tally.unaccounted += sum((received - rows).values())
    tally.unknown += sum(call.status == "unknown" for _, call in _calls(database))
    with Store.open(database) as store:
        session = store.session(None, Research)
        session.verify()
        if session.state.phase != "closed":
            tally.broken.append(f"{place.name} ended in the phase {session.state.phase}")


def _run(place: Path, database: str, url: str, chance: random.Random | None, tally: Tally) -> bool:
    """Run the command, and kill it at a moment that chance chooses; whether it was killed."""
    command = [
        sys.executable,
        "-m",
        "dissensus",
        "research",
        QUESTION,
        "--sources",
        str(place.parent / "sources"),
    ]
    command += ["--models", MODELS, "--supervisor", CHAIR, "--unpriced", "allow"]
    process = subprocess.Popen(
        [*command, "-d", database, "--out", str(place)],
        env={**os.environ, "OPENAI_COMPATIBLE_BASE_URL": url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    if chance is not None:
        for _ in range(chance.randrange(1, MOST_LINES)):
            _line(process.stderr)
        with suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0, LATEST))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
    _, said = process.communicate()
    if process.returncode not in {0, -signal.SIGKILL}:
        tally.broken.append(f"{place.name} ended with {process.returncode}: {said[-2000:]}")
    return process.returncode == -signal.SIGKILL


def _calls(database: str) -> list[tuple[str, Call]]:
    """Every call to a model that stands in the records, with what identifies its question."""
    if is_sqlite(database) and not Path(path_of(database)).exists():
        return []
    with Store.open(database) as store:
        sessions = store.sessions()
        return list(_of(store.session(sessions[0].name, Research))) if sessions else []


def _of(session: Session[Research]) -> Iterator[tuple[str, Call]]:
    for item in session.rounds():
        state = session.at(item.base)
        for call in session.round(item.round)[2]:
            kind = _KINDS.get(call.agent.partition("-")[0])
            if kind is not None:
                yield key(call.model, kind, _passages(state, call.agent) if kind == "scout" else ""), call


_KINDS: Mapping[str, str] = {"planner": "planner", "scout": "scout", "analyst": "analyst", SEAT: "chair"}


def _passages(state: Research, agent: str) -> str:
    batch = state.read + int(agent.partition("-")[2])
    return ",".join(str(n) for n, item in enumerate(state.reading, 1) if item.batch == batch)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--n", type=int, default=50, help="kills")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--json", action="store_true", help="one object on the last line")
    given = parser.parse_args()
    figures = kills(given.n, given.seed, given.database)
    print(json.dumps({"figures": figures}) if given.json else figures)


if __name__ == "__main__":
    main()
