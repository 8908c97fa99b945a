"""Processes of their own that work on a database and may be killed at any moment.

`python state_workers.py TASK URL NUMBER` prints a line for everything that was acknowledged.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from by_hand import change, in_review, rules, to_judging
from dissensus_state.sessions import Session
from dissensus_state.shapes import SharedState
from dissensus_state.store import Store
from dissensus_state.transactions import Transaction
from generations import Third
from inquiries import Inquiry, Notes, ticking
from tampering import storied


def append(session: Session[Notes], worker: int) -> None:
    """Append 10 lines and count each, with what was read before."""
    for number in range(10):
        session.transact(partial(_appended, f"{worker}:{number}"), f"worker {worker}", attempts=500)
        _say(number)


def _appended(line: str, tx: Transaction) -> None:
    tx.set("a", tx.read("a") + 1)
    tx.append("lines", line)


def append_by_key(session: Session[Notes], upto: int) -> None:
    """Append a line for each number, each under a key of its own."""
    for number in range(upto):
        with session.transaction("worker", key=f"line {number}") as tx:
            tx.append("lines", str(number))
        _say(number)


def watch(session: Session[Notes], after: int) -> None:
    """Tell the version of every commit after one, as it comes."""
    for commit in session.watch(after):
        _say(commit.version)


def half_a_commit(session: Session[Inquiry], _: int) -> None:
    """Write everything of a commit, but never end its transaction."""
    to_judging(session)
    _journal, round_, made = in_review(session)
    with session.writing() as work:
        asked = change(session, made[0], round=round_.round)
        session.commit_in(work, asked, rules(round_, made, upheld=("ana",)))
        _say("written")
        time.sleep(60)


def lift(session: Session[Third], worker: int) -> None:
    """Wait for the word, then write under the newer schema."""
    _say("ready")
    sys.stdin.readline()
    with session.transaction(f"worker {worker}", "work") as tx:
        tx.append("notes", {"text": str(worker)})
    _say("done")


def script(store: Store) -> None:
    """Tell the last hash of a session that does the same on every run."""
    _say(storied(store).verify().head)


def _say(what: object) -> None:
    print(what, flush=True)  # noqa: T201


TASKS: dict[str, tuple[Callable[[Session[Any], int], None], type[SharedState]]] = {
    "append": (append, Notes),
    "append_by_key": (append_by_key, Notes),
    "watch": (watch, Notes),
    "half_a_commit": (half_a_commit, Inquiry),
    "lift": (lift, Third),
}


def start(task: str, url: str, number: int = 0) -> subprocess.Popen[str]:
    """Start a worker on the only session of a database."""
    return subprocess.Popen(
        [sys.executable, Path(__file__), task, url, str(number)], stdout=subprocess.PIPE, text=True
    )


if __name__ == "__main__":
    task, url, number = sys.argv[1:]
    with Store.open(url, clock=ticking()) as store:
        if task == "script":
            script(store)
        else:
            work, schema = TASKS[task]
            work(store.session(schema=schema), int(number))
