"""Programs that write and may be killed at any moment: a worker process tells each thing it was acknowledged.

`walk` goes once through everything that the state can be asked to write, each step in one transaction,
and takes up where an earlier one was killed. `append` goes on appending under keys. They say:

- `at POINT`: it dies there, now;
- `try SESSION KEY`: a commit begins;
- `ack SESSION KEY VERSION`: it was acknowledged;
- `failed SESSION KEY CODE there|absent`: it failed, and whether a look at the history then found the key.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from by_hand import answered, change, intent, proposes, rules
from crash_points import Points, killing_after, killing_at
from dissensus_state.errors import Conflict, DatabaseFailed, Denied, DissensusError
from dissensus_state.journal import Journal
from dissensus_state.records import Budget, Commit
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from dissensus_state.transactions import Transaction
from forking import say, serve
from inquiries import Finding, Inquiry, Notes

LARGE = 70_000
"""Kept apart from its commit."""


def text(key: str, size: int) -> str:
    """What is written under a key: it begins with it, and cannot be packed well."""
    return f"{key} {random.Random(key).randbytes(size // 2).hex()}"


# walk

GATHERED = {"small": 100, "large": LARGE, "first": 9_000, "second": 9_000}
"""Findings by their key, with their size: the last is followed by a snapshot."""


class Walk:
    """All steps over one session, each done once however often the walk is begun again."""

    def __init__(self, url: str, name: str, points: Points) -> None:
        self._name = name
        self._points = points
        points.begin("open")
        self.store = Store.open(url)
        points.begin("create")
        self.session = self._created()

    def run(self) -> None:
        """Every step that is still to be done."""
        for key, size in GATHERED.items():
            self._step(key, partial(self._gather, key, size))
        self._step("refused", self._refused)
        self._step("open_judging", self._open_judging)
        self._points.begin("lease")
        self._round(Journal(self.session))
        self._points.begin("end")

    def _created(self) -> Session[Inquiry]:
        try:
            session = self.store.create(Inquiry(), name=self._name, budget=Budget(usd=1))
        except Conflict:
            session = self.store.session(self._name, Inquiry)
        self._acknowledge("create", 0)
        return session

    def _step(self, name: str, do: Callable[[], Commit | None]) -> None:
        self._points.begin(name)
        made = do()
        if made is not None:
            self._acknowledge(name, made.version)

    def _acknowledge(self, key: str, version: int) -> None:
        self._points.around("ACK", lambda: say(f"ack {self._name} {key} {version}"))

    def _gather(self, key: str, size: int) -> Commit | None:
        with self.session.transaction("scout", "gather", key=key) as tx:
            tx.append("findings", Finding(text=text(key, size)))
        return tx.commit

    def _refused(self) -> None:
        if any(event.kind == "refused" for event in self.session.events()):
            return
        try:
            with self.session.transaction("scout", "gather", writes=["tags"]) as tx:
                tx.add("doubts", 1)
        except Denied:
            say(f"refused {self._name}")

    def _open_judging(self) -> Commit | None:
        with self.session.transaction("scout", "open_judging", key="open_judging") as tx:
            pass
        return tx.commit

    def _round(self, journal: Journal) -> None:
        """One round in review, from wherever its records stand."""
        round_ = journal.last_round()
        if round_ is None:
            self._points.begin("begin")
            begun = journal.begin("conclude", self.session.head, [intent(name, reserved=5) for name in "ab"])
            assert begun is not None
            round_ = begun[0]
        sent = [call for call in journal.calls(round_) if call.status == "sent"]
        if sent:
            self._points.begin("settle")
            journal.settle([answered(call, cost=3) for call in sent])
        made = journal.proposals(round_)
        if not made:
            self._points.begin("propose")
            made = [proposes(self.session, name, verdict=f"it was {name}") for name in "ab"]
            round_ = journal.propose(round_, made, {"disagreements": ["/verdict"]})
        ruling = rules(round_, made, upheld=("a",), dissent=("b",))
        asked = change(self.session, made[0], key="rule")
        settled = round_.status == "committed"
        commit = self.session.log(limit=1)[0]
        self._step("rule", lambda: commit if settled else journal.commit(round_, asked, ruling))


# append


def append(
    store: Store, names: list[str], starts: dict[str, int], more: int, pause: float, *, patient: bool
) -> None:
    """Let several writers, each a thread, append a line under each of their keys, session after session.

    Every second write counts what it does as well, with what was read before: those conflict.

    Args:
        starts: Where each writer begins.
        more: How many it writes.
        pause: Seconds that pass between two writes, at most.
        patient: Go on after a database that failed.
    """
    sessions = [store.session(name, Notes) for name in names]

    def run(writer: str) -> None:
        for number in range(starts[writer], starts[writer] + more):
            session, key = sessions[number % len(sessions)], f"{writer}:{number}"
            while not _written(session, key, patient=patient):
                time.sleep(0.02)
            time.sleep(random.uniform(0, pause))

    with ThreadPoolExecutor(len(starts)) as pool:
        list(pool.map(run, starts))


def _written(session: Session[Notes], key: str, *, patient: bool) -> bool:
    say(f"try {session.name} {key}")
    try:
        version = _version(session, key)
    except DatabaseFailed as error:
        if not patient:
            raise
        say(f"failed {session.name} {key} {error.code} {_looked_up(session, key)}")
        return False
    say(f"ack {session.name} {key} {version}")
    return True


def _version(session: Session[Notes], key: str) -> int:
    made: list[Transaction] = []

    def lines(tx: Transaction) -> None:
        made.append(tx)
        _line(key, tx)

    session.transact(lines, "ana", key=key, attempts=500)
    commit = made[-1].commit
    assert commit is not None
    return commit.version


def _line(key: str, tx: Transaction) -> None:
    number = int(key.partition(":")[2])
    tx.append("lines", text(key, LARGE if number % 16 == 15 else 200 + number * 997 % 5_000))
    if number % 2:
        tx.set("a", tx.read("a") + 1)


def _looked_up(session: Session[Notes], key: str) -> str:
    """Whether a commit whose answer did not come is there, asked until the database answers."""
    while True:
        try:
            return "there" if any(commit.key == key for commit in session.log(limit=1000)) else "absent"
        except DatabaseFailed:
            time.sleep(0.02)


# The program


def walk(url: str, session: str, stop: int | list[str] | None = None) -> None:
    """Walk through all steps; dies at the point with this number, or at the first not among these."""
    match stop:
        case None:
            points = Points(lambda _: None)
        case int():
            points = Points(killing_after(stop, say))
        case _:
            points = Points(killing_at(frozenset(stop), say))
    points.watch()
    Walk(url, session, points).run()


def write(url: str, *, patient: bool = False, **told: Any) -> None:
    """Open the database and append; where it is patient, as soon as there is one that answers."""
    say("begun")
    try:
        with Store.open(url) as store:
            append(store, patient=patient, **told)
    except DatabaseFailed:
        if not patient:
            raise
        time.sleep(0.02)
        write(url, patient=True, **told)


TASKS: dict[str, Callable[..., None]] = {"walk": walk, "write": write}


def work(task: str, **told: Any) -> int:
    """One worker; the exit status that tells how it ended."""
    try:
        TASKS[task](**told)
    except DissensusError as error:
        say(f"broken {error.code} {error}")
        return error.exit_code
    return 0


if __name__ == "__main__":
    # What every worker needs is loaded and compiled once.
    Walk("sqlite://", "warm", Points(lambda _: None)).run()
    serve(work)
