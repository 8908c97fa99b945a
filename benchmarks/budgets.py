"""Processes that race for the last cents of one budget, on SQLite and on PostgreSQL.

    python benchmarks/budgets.py [--workers 8] [--calls 1000] [--kills 0] [--json]

Each process is a worker of its own, on a branch of its own of one session, and writes what a run
writes: the intent of a call with its worst case held, then its outcome. The calls come to 20 to 100 %
of their worst case; about half of them fit. A worker whose call does not fit waits while others hold
something, and gives the call up when nothing is held. With `--kills`, workers are killed at random
moments and started again; what was in flight is charged in full.

`budget.overspent` is by how much more than the limit was held and spent at any time, in nano-USD, the
worse of both databases; `budget.used` the share of the limit that was spent at the end, the smaller one.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace

from places import own_postgres

from dissensus_state.charges import given_up
from dissensus_state.errors import BudgetExceeded
from dissensus_state.journal import Journal
from dissensus_state.records import Budget, Call, Round
from dissensus_state.sessions import Session
from dissensus_state.shapes import SharedState
from dissensus_state.store import Store

WORST = 100_000
"""What one call can cost, in nano-USD."""

PAUSE = 0.004
NAME = "race"


class Race(SharedState):
    """There is nothing to decide."""

    note: str = ""


def prepare(url: str, workers: int, calls: int) -> int:
    """A session with a branch for each worker; its limit, which about half of the calls fit into."""
    limit = calls * WORST * 3 // 10
    with Store.open(url) as store:
        session = store.create(Race(), name=NAME, budget=Budget(usd=f"{limit / 1e9:.9f}"))
        for number in range(workers):
            session.fork(_branch(number))
    return limit


def _branch(number: int) -> str:
    return f"worker-{number}"


def work(url: str, number: int, calls: int) -> None:
    """Make so many calls, or as many as fit; after a kill, go on with what is recorded."""
    with Store.open(url) as store:
        session = store.session(NAME, Race).on(_branch(number))
        journal = Journal(session)
        round_ = _round(journal)
        known = journal.calls(round_)
        journal.settle([given_up(call, "charge") for call in known if call.status == "sent"])
        chance = random.Random(f"{number} {len(known)}")
        for attempt in range(len(known) + 1, calls + 1):
            _race(session, journal, round_, attempt, chance)


def _round(journal: Journal) -> Round:
    last = journal.last_round()
    if last is not None:
        return last
    begun = journal.begin("race", journal.session.head, [])
    if begun is None:
        raise AssertionError("somebody else writes to this branch")
    return begun[0]


def _race(
    session: Session[Race], journal: Journal, round_: Round, attempt: int, chance: random.Random
) -> None:
    """One call from its intent to its outcome, or given up when it can fit no more."""
    intent = Call("ana", attempt, "m", "made/up", {"input": "1", "output": "1"}, ["Why?"], WORST, 0)
    while True:
        idle = session.budget.held == 0
        try:
            (sent,) = journal.send(round_, [intent])
        except BudgetExceeded:
            if idle:
                return
            time.sleep(chance.uniform(0, PAUSE))
        else:
            break
    time.sleep(chance.uniform(0, PAUSE))
    cost = chance.randint(WORST // 5, WORST)
    journal.settle([_answered(sent, cost)])


def _answered(sent: Call, cost: int) -> Call:
    return replace(sent, status="answered", answer="So.", input_tokens=10, output_tokens=10, cost=cost)


def race(url: str, workers: int, calls: int, kills: int = 0) -> dict[str, float]:
    """Let them race, watch the account meanwhile, and see that the history says the same."""
    limit = prepare(url, workers, calls)
    each = calls // workers
    running = {number: _start(url, number, each) for number in range(workers)}
    chance, over, left = random.Random(7), 0, kills
    with Store.open(url) as store:
        session = store.session(NAME, Race)
        while running:
            account = session.budget
            over = max(over, account.held + account.spent - limit)
            running = {number: one for number, one in running.items() if one.poll() is None or one.returncode}
            for number, one in running.items():
                if one.poll() not in (None, 0, -9):
                    raise RuntimeError(f"worker {number} has failed")
                if one.returncode == -9:
                    running[number] = _start(url, number, each)
            if left and running and chance.random() < 0.2:
                running[chance.choice(sorted(running))].kill()
                left -= 1
            time.sleep(0.02)
        account = session.budget
        over = max(over, account.held + account.spent - limit)
        session.verify()
    return {"overspent": over, "used": account.spent / limit, "held": account.held}


def _start(url: str, number: int, calls: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, __file__, "--work", url, str(number), "--calls", str(calls)])


def _on_both(workers: int, calls: int, kills: int) -> dict[str, dict[str, float]]:
    with tempfile.TemporaryDirectory(prefix="budgets-") as folder, own_postgres() as server:
        urls = {"sqlite": f"sqlite:///{folder}/race.db", "postgresql": server}
        return {name: race(url, workers, calls, kills) for name, url in urls.items()}


def summary(found: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The worse of the databases counts."""
    return {
        "budget.overspent": max(one["overspent"] for one in found.values()),
        "budget.used": round(min(one["used"] for one in found.values()), 4),
        "budget.left_held": max(one["held"] for one in found.values()),
    }


def main() -> None:
    """Race on both databases, and print a table or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--workers", type=int, default=8, help="how many processes")
    parser.add_argument("--calls", type=int, default=1000, help="how many calls they want to make together")
    parser.add_argument("--kills", type=int, default=0, help="how often one of them is killed")
    parser.add_argument("--on", metavar="URL", help="an empty database; by default one of each kind")
    parser.add_argument("--json", action="store_true", help="one object on the last line")
    parser.add_argument("--work", nargs=2, metavar=("URL", "NUMBER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work[0], int(options.work[1]), options.calls)
        return
    asked = options.workers, options.calls, options.kills
    found = {options.on: race(options.on, *asked)} if options.on else _on_both(*asked)
    for name, one in found.items():
        print(f"{name:12} overspent {one['overspent']} nano-USD, used {one['used']:.4f}", file=sys.stderr)
    if options.json:
        print(json.dumps({"figures": summary(found)}))


if __name__ == "__main__":
    main()
