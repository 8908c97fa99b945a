"""A worker as a process of its own, killed with SIGKILL at random moments and started again."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from settings import Settings

LATEST = 0.97
"""How far the run is when the last kill is due, at most: a finished worker cannot be killed."""

A_ROUND = 0.02
"""Seconds; a kill waits a random part of it, so that it falls anywhere within a round."""

A_START = 0.3
"""Seconds; every fourth kill or so falls into this time after a run begins, while it is taken up."""

GLANCE = 0.002


@dataclass(frozen=True, slots=True)
class Kill:
    """When to kill: after how many answers, or as soon as a run begins, and how many seconds later."""

    answers: int
    delay: float
    at_start: bool


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run took: seconds of the clock, CPU seconds of its rounds alone, starts, kills that struck."""

    seconds: float
    cpu_seconds: float
    starts: int
    kills: int


def kills_of(kills: int, questions: int, seed: int) -> list[Kill]:
    """When to kill: at random, spread evenly over the run."""
    chance = random.Random(seed)
    width = LATEST * questions / max(kills, 1)
    planned = []
    for n in range(kills):
        at_start = chance.random() < 0.25
        delay = chance.uniform(0, A_START if at_start else A_ROUND)
        planned.append(Kill(int((n + chance.random()) * width), delay, at_start))
    return planned


class Watched:
    """The files that the workers leave, as they grow."""

    def __init__(self, told: Settings) -> None:
        self._told = told
        told.acknowledged.touch()
        told.started.touch()
        self._file = told.acknowledged.open()
        self.answered = 0

    def look(self) -> int:
        """How many questions are answered by now; a line still being written counts next time."""
        place = self._file.tell()
        for line in self._file.readlines():
            if not line.endswith("\n"):
                self._file.seek(place)
                break
            place += len(line)
            self.answered = max(self.answered, int(line.split("\t")[0]))
        return self.answered

    def starts(self) -> list[float]:
        """The CPU seconds that each worker had used when its run began."""
        return [float(line) for line in self._told.started.read_text().splitlines()]


class Workers:
    """One worker after the other, on one session.

    Args:
        tell: Called now and then with the answers and the kills so far.
    """

    def __init__(self, told: Settings, tell: Callable[[int, int], None]) -> None:
        self._told = told
        self._tell = tell
        self._watched = Watched(told)
        self.starts = self.kills = 0
        self.cpu_seconds = 0.0

    def work(self, kill: Kill | None) -> bool:
        """Start a worker; kill it, or let it end by itself. Whether the session is at its end."""
        begun = len(self._watched.starts())
        worker = self._start()
        struck = kill is not None and self._struck(worker, kill, begun)
        self.kills += struck
        used = self._buried(worker, killed=struck)
        before = self._watched.starts()[begun:]
        self.cpu_seconds += used - before[0] if before else 0.0
        return not struck

    def _start(self) -> subprocess.Popen[bytes]:
        self.starts += 1
        program = [sys.executable, str(Path(__file__).with_name("worker.py")), str(self._told.write())]
        return subprocess.Popen(program, stdin=subprocess.DEVNULL, stdout=sys.stderr)

    def _struck(self, worker: subprocess.Popen[bytes], kill: Kill, begun: int) -> bool:
        """Kill the worker when it is due; False where it ended before."""
        due = max(kill.answers, self._watched.look())
        while not self._due(kill, begun, due):
            if _ended(worker):
                return False
            self._tell(self._watched.answered, self.kills)
            time.sleep(GLANCE)
        time.sleep(kill.delay)
        worker.kill()
        while (ended := _ended(worker)) is None:
            time.sleep(GLANCE)
        return ended.si_code == os.CLD_KILLED

    def _due(self, kill: Kill, begun: int, answers: int) -> bool:
        if kill.at_start:
            return len(self._watched.starts()) > begun
        return self._watched.look() > answers

    def _buried(self, worker: subprocess.Popen[bytes], *, killed: bool) -> float:
        """Wait for the end of a worker; the CPU seconds it has used."""
        while _ended(worker) is None:
            self._tell(self._watched.look(), self.kills)
            time.sleep(0.05)
        _, status, used = os.wait4(worker.pid, 0)
        worker.returncode = os.waitstatus_to_exitcode(status)
        if worker.returncode and not killed:
            sys.exit(f"The worker ended with exit code {worker.returncode}; its words stand above")
        return used.ru_utime + used.ru_stime


def _ended(worker: subprocess.Popen[bytes]) -> os.waitid_result | None:
    return os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)


def run_killed(told: Settings, kills: list[Kill], tell: Callable[[int, int], None]) -> Ran:
    """Run the session to its end, in as many processes as it takes.

    Leaves the program where a worker ends with an error of its own.
    """
    begun = time.monotonic()
    workers = Workers(told, tell)
    for kill in [*kills, None]:
        if workers.work(kill):
            break
    return Ran(time.monotonic() - begun, workers.cpu_seconds, workers.starts, workers.kills)
