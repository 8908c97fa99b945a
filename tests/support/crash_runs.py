"""Whole runs of kills: at every point that is reached, and at random moments."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Iterable

from crash_checks import Expected, Tally, check
from dissensus_state.store import Store
from inquiries import Inquiry, Notes
from postgres import Postgres
from workers import Nursery, Worker

A_WRITE = 0.012
"""Seconds; a kill waits a random part of it from the begin of a write, so that it falls anywhere within."""

A_PAUSE = 0.06
"""Seconds between two writes of one writer, at most; it grows with what a check takes, which would else
grow with the histories."""

AT_START = 0.2
"""The share of kills that may strike while a writer opens the database."""

FARTHEST = 60
"""How many points a walk passes at most before it dies, where that is drawn."""

CREW = 3
"""Processes that write."""

THREADS = 2
"""Writers in each of them; what they commit at the same time shares a transaction."""

KILLS_A_ROUND = 10


def kill_at_every_point(nursery: Nursery, url: str, session: str, tally: Tally) -> list[str]:
    """Walk, and die at the first point at which no walk before it has died, until one gets through.

    Each walk but the first takes up what a killed one left, and is killed as it does: most crash twice.

    Returns:
        The points, in the order in which they were reached.
    """
    points: list[str] = []
    expected = Expected(tally)
    while True:
        worker = nursery.fork(task="walk", url=url, session=session, stop=points)
        status = worker.ends()
        expected.learn(worker.news)
        if status != -signal.SIGKILL:
            assert status == 0, worker.told
            break
        tally.kills += 1
        points.append(next(" ".join(event[1:]) for event in worker.told if event[0] == "at"))
        if not points[-1].startswith(("open", "create")):
            check(url, expected, [session], Inquiry)
    check(url, expected, [session], Inquiry)
    tally.acknowledged += len(expected.acknowledged)
    return points


def kill_at_random_points(
    nursery: Nursery, url: str, session: str, chance: random.Random, tally: Tally
) -> None:
    """Walk once, dying at points drawn at random, again while it recovers, until it gets through."""
    expected = Expected(tally)
    while True:
        worker = nursery.fork(task="walk", url=url, session=session, stop=chance.randint(1, FARTHEST))
        status = worker.ends()
        expected.learn(worker.news)
        if status == 0:
            break
        assert status == -signal.SIGKILL, worker.told
        tally.kills += 1
        if expected.acknowledged:
            check(url, expected, [session], Inquiry)
    check(url, expected, [session], Inquiry)
    tally.acknowledged += len(expected.acknowledged)


def kill_at_random(nursery: Nursery, url: str, kills: int, tally: Tally) -> None:
    """Kill one of several writers after the other at a random moment, while the others go on.

    After each kill the database is opened anew and asked everything; then the killed one goes on with
    the key that it had begun. After every ten kills new sessions are begun, that a check stays short.
    """
    chance = random.Random(tally.seed)
    while tally.kills < kills:
        crew = Crew(nursery, url, [f"{tally.seed}-{tally.kills}-{letter}" for letter in "ab"], tally)
        for _ in range(min(KILLS_A_ROUND, kills - tally.kills)):
            crew.kill_one(chance)
        crew.finish()


class Crew:
    """Several processes that write to the same new sessions, killed and started again, and what they told."""

    def __init__(
        self, nursery: Nursery, url: str, names: list[str], tally: Tally, *, patient: bool = False
    ) -> None:
        self._nursery = nursery
        self._url = url
        self._names = names
        self._expected = Expected(tally)
        self._pause = A_PAUSE
        self._patient = patient
        with Store.open(url) as store:
            for name in names:
                store.create(Notes(), name=name)
        self._workers = [self._start(number) for number in range(CREW)]

    def kill_one(self, chance: random.Random) -> None:
        """Kill a writer at a random moment, check, and start it again where it was."""
        number = chance.randrange(len(self._workers))
        if chance.random() < AT_START:
            self._workers[number].tells("begun")
        else:
            self._workers[number].tells("try", anew=True)
        time.sleep(chance.uniform(0, A_WRITE))
        self._kill([number])
        self._workers[number] = self._start(number)

    def progress(self) -> None:
        """Wait until each has been acknowledged something more."""
        for worker in self._workers:
            assert worker.tells("ack", anew=True)[0] == "ack", worker.told

    def check(self) -> None:
        """Ask everything of the database, while all go on."""
        self._learn()
        self._check()

    def finish(self) -> None:
        """Kill all at once, then let each write some more and end: what was begun is there once."""
        everyone = range(len(self._workers))
        self._kill(everyone)
        self._workers = [self._start(number, more=2) for number in everyone]
        for worker in self._workers:
            assert worker.ends() == 0, worker.told
        self._learn()
        assert not self._expected.open
        check(self._url, self._expected, self._names, Notes)
        self._expected.tally.acknowledged += len(self._expected.acknowledged)

    def _check(self) -> set[tuple[str, str]]:
        began = time.monotonic()
        there = check(self._url, self._expected, self._names, Notes)
        self._pause = max(A_PAUSE, time.monotonic() - began)
        return there

    def _kill(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            status = self._workers[number].kill()
            assert status == -signal.SIGKILL, (status, self._workers[number].told)
        self._learn()
        there = self._check()
        tally = self._expected.tally
        for number in numbers:
            cut = {commit for commit in self._expected.open if commit[1].startswith(f"{number}.")}
            tally.kills += 1
            tally.unknown += len(cut)
            tally.landed += len(cut & there)

    def _learn(self) -> None:
        for worker in self._workers:
            self._expected.learn(worker.news)

    def _start(self, number: int, more: int = 1_000_000) -> Worker:
        """A process whose writers begin with the first keys that were not acknowledged."""
        keys = Counter(key.partition(":")[0] for _, key in self._expected.acknowledged)
        writers = [f"{number}.{thread}" for thread in range(THREADS)]
        return self._nursery.fork(
            task="write",
            url=self._url,
            names=self._names,
            starts={writer: keys[writer] for writer in writers},
            more=more,
            pause=self._pause,
            patient=self._patient,
        )


def kill_the_server(nursery: Nursery, server: Postgres, url: str, kills: int, tally: Tally) -> None:
    """Kill a PostgreSQL server under its writers at random moments; each time it recovers and they go on."""
    chance = random.Random(tally.seed)
    crew = Crew(nursery, url, [f"{tally.seed}-{letter}" for letter in "ab"], tally, patient=True)
    for _ in range(kills):
        crew.progress()
        time.sleep(chance.uniform(0, A_PAUSE))
        server.kill9()
        server.start()
        crew.check()
        tally.kills += 1
    crew.progress()
    crew.finish()
