"""Processes of their own that work on a database and may be killed at any moment.

`python workers.py TASK URL [NUMBER]` prints a line for everything that was acknowledged.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from inquiries import Notes
from panel import change, in_review, rules

from dissensus_state.store import Session, Store


def append(session: Session[Notes], worker: int) -> None:
    """Append 25 lines and count each, with what was read before."""
    for number in range(25):
        session.transact(lambda tx, line=f"{worker}:{number}": _appended(tx, line), f"worker {worker}")
        _say(number)


def _appended(tx: object, line: str) -> None:
    tx.set("a", tx.read("a") + 1)  # type: ignore[attr-defined]
    tx.append("lines", line)  # type: ignore[attr-defined]


def append_by_key(session: Session[Notes], upto: int) -> None:
    """Append a line for each number, each under a key of its own."""
    for number in range(upto):
        with session.transaction("worker", key=f"line {number}") as tx:
            tx.append("lines", str(number))
        _say(number)


def half_a_commit(session: Session[Notes], _: int) -> None:
    """Write everything of a commit but the end of its transaction."""
    journal, round_, made = in_review(session)
    with session.writing() as work:
        asked = change(session, made[0], transition=None, round=round_.round)
        session.commit_in(work, asked, rules(round_, made, upheld=("ana",)))
        _say("written")
        time.sleep(60)
    assert journal.epoch


def _say(what: object) -> None:
    print(what, flush=True)  # noqa: T201


TASKS = {"append": append, "append_by_key": append_by_key, "half_a_commit": half_a_commit}


def start(task: str, url: str, number: int = 0) -> subprocess.Popen[str]:
    """Start a worker on the session `notes` of a database."""
    return subprocess.Popen(
        [sys.executable, Path(__file__), task, url, str(number)], stdout=subprocess.PIPE, text=True
    )


if __name__ == "__main__":
    task, url, number = sys.argv[1:]
    with Store.open(url) as store:
        TASKS[task](store.session("notes", Notes), int(number))
