"""Real processes that work on one database at the same time, and the history of what each saw.

`python list_append.py SETTINGS` makes the sessions of a run, forks its workers, waits for them, reads
everything once more and verifies it. Each thread of a worker writes its transactions into a file of
its own, as Jepsen's events. A worker dies with the program, and the program with whoever started it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from appending import Lists, Sessions, Settings, Worker, listed, recorded, view
from dissensus_state.errors import DissensusError
from dissensus_state.store import Store
from forking import die_with_parent
from histories import Read, Txn, from_events
from mutations import MUTATIONS


@dataclass(slots=True)
class Ran:
    """What came of a run.

    Attributes:
        errors: How often each error was met, by its code.
        verified: What `verify` said of the sessions at the end; empty where they are whole.
        exits: The exit statuses of the workers, zero where all is well.
    """

    history: list[Txn]
    seconds: float
    errors: Counter[str]
    verified: list[str] = field(default_factory=list)
    exits: list[int] = field(default_factory=list)


def run(settings: Settings) -> Ran:
    """Let a run's program do it, and read what it has written."""
    folder = Path(settings.folder)
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    told = subprocess.run(
        [sys.executable, __file__, json.dumps(asdict(settings))],
        stdout=subprocess.PIPE,
        env=environment,
        check=True,
        text=True,
    )
    seconds = time.monotonic() - started
    files = [
        [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        for path in sorted(folder.glob("*.jsonl"))
    ]
    errors = Counter(event["error"] for file in files for event in file if "error" in event)
    history = [txn for file in files for txn in from_events(file)]
    return Ran(sorted(history, key=lambda txn: txn.began), seconds, errors, **json.loads(told.stdout))


def _fork(settings: Settings, worker: int) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        die_with_parent()
        if os.getppid() == parent:
            _work(settings, worker)
        os._exit(1)
    return pid


def _work(settings: Settings, worker: int) -> NoReturn:
    if settings.mutation:
        MUTATIONS[settings.mutation].break_store()
    first = worker * settings.threads
    with Store.open(settings.url) as store:
        sessions = Sessions(store)
        workers = [Worker(settings, store, sessions, first + thread) for thread in range(settings.threads)]
        threads = [threading.Thread(target=other.work) for other in workers[1:]]
        for thread in threads:
            thread.start()
        workers[0].work()
        for thread in threads:
            thread.join()
    os._exit(0)


def _program(settings: Settings) -> dict[str, Any]:
    die_with_parent()
    with Store.open(settings.url) as store:
        for name in settings.sessions:
            store.create(Lists(), name=name)
    pids = [_fork(settings, worker) for worker in range(settings.processes)]
    exits = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    with Store.open(settings.url) as store:
        return {"exits": exits, "verified": list(_last_look(settings, store))}


def _last_look(settings: Settings, store: Store) -> Iterator[str]:
    """Read everything once more, and say of each session what does not verify."""
    process = settings.processes * settings.threads
    with (Path(settings.folder) / "last.jsonl").open("w", encoding="utf-8") as events:
        recorded(events, process, [Read("sessions")], lambda: listed(store))
        for name in settings.sessions:
            session = store.session(name, Lists)
            recorded(events, process, [], lambda name=name, session=session: view(name, session))  # type: ignore[misc]
            try:
                session.verify()
            except DissensusError as error:
                yield str(error)


if __name__ == "__main__":
    print(json.dumps(_program(Settings(**json.loads(sys.argv[1])))))  # noqa: T201
