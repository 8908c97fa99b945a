"""What the tests run as processes of their own on one SQLite file.

python sqlite_workers.py commits FILE NUMBER        # so many commits, one line each
python sqlite_workers.py hold FILE                  # hold the lock of the writer until stdin ends
python sqlite_workers.py opens FILE NUMBER          # open the file, commit, close it, so many times
"""

from __future__ import annotations

import fcntl
import sys
from pathlib import Path

from dissensus_state.sessions import Session
from dissensus_state.store import Store
from inquiries import Notes, does


def _session(store: Store) -> Session[Notes]:
    return store.session("shared", Notes)


def commits(path: str, number: int) -> None:
    """Append lines to the session `shared`."""
    with Store.open(path) as store:
        session = _session(store)
        for n in range(number):
            session.transact(does("append", "lines", f"{sys.argv[0]} {n}"), "ana")


def opens(path: str, number: int) -> None:
    """Come and go, as a command line does: the last one who closes checkpoints."""
    for n in range(number):
        with Store.open(path) as store:
            _session(store).transact(does("append", "lines", f"line {n}"), "ana")


def hold(path: str) -> None:
    """Hold the operating system's lock, as a writer in the middle of a commit does."""
    with Path(f"{path}-writer").open("a") as sidecar:
        fcntl.flock(sidecar, fcntl.LOCK_EX)
        sys.stdout.write("held\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["commits", path, number]:
            commits(path, int(number))
        case ["opens", path, number]:
            opens(path, int(number))
        case ["hold", path]:
            hold(path)
