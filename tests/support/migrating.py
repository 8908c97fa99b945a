"""Programs around a database that is taken to an older revision and back: writers, and one who migrates.

`python migrating.py write URL SESSION WORKER STOP` appends lines under keys until the file STOP is
there, and says `ack NUMBER VERSION` and `failed CODE`. `python migrating.py migrate URL REVISION
STATEMENT` migrates, and kills itself before that statement; it says `done STATEMENTS` if it is not.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command

from dissensus_state import migrations
from dissensus_state.engines import Database
from dissensus_state.errors import Conflict, DatabaseFailed
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from inquiries import Notes

PAUSE = 0.003


def migrate(database: Database, revision: str) -> None:
    """Take a database to a revision, whichever way that is."""
    with database.exclusively():
        down = revision < (migrations.revision(database) or "")
        (command.downgrade if down else command.upgrade)(migrations.config(database), revision)


def killed_at(url: str, revision: str, statement: int) -> None:
    """Migrate, and die before a statement."""
    database = Database(url)
    asked = 0

    def count(*_: Any) -> None:
        nonlocal asked
        if asked == statement:
            os.kill(os.getpid(), signal.SIGKILL)
        asked += 1

    sa.event.listen(database.engine, "before_cursor_execute", count)
    migrate(database, revision)
    _say("done", asked)


def write(url: str, name: str, worker: str, stop: Path) -> None:
    """Append lines, each under a key of its own and again under it until it is acknowledged."""
    store = _opened(url)
    session = store.session(name, Notes)
    number = 0
    while not stop.exists():
        version = _written(session, f"{worker}:{number}")
        if version is not None:
            _say("ack", number, version)
            number += 1
    store.close()


def _written(session: Session[Notes], line: str) -> int | None:
    try:
        with session.transaction(f"worker {line}", key=line) as tx:
            tx.append("lines", f"{line} " + "x" * 200)
    except DatabaseFailed as error:
        _say("failed", error.code)
    except Conflict as error:
        if not error.context["retry"]:
            raise
    else:
        return tx.commit.version if tx.commit else None
    time.sleep(PAUSE)
    return None


def _opened(url: str) -> Store:
    while True:
        try:
            return Store.open(url)
        except DatabaseFailed as error:
            _say("failed", error.code)
            time.sleep(PAUSE)


def _say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201


if __name__ == "__main__":
    task, address, *rest = sys.argv[1:]
    if task == "write":
        write(address, rest[0], rest[1], Path(rest[2]))
    else:
        killed_at(address, rest[0], int(rest[1]))
