"""Real worker processes that the tests start, wait for and kill."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import killable

SECONDS = 60


class Nursery:
    """A program that forks workers (`forking`), and what they tell; a context manager that ends them all."""

    def __init__(self, program: str = killable.__file__) -> None:
        self.events: list[tuple[str, ...]] = []
        self._arriving: queue.SimpleQueue[tuple[str, ...]] = queue.SimpleQueue()
        self._program = subprocess.Popen(
            [sys.executable, program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._program.stdin is not None
        self._program.stdin.close()
        self._program.wait()
        self._reader.join()
        assert self._program.stdout is not None
        self._program.stdout.close()

    def start(
        self, url: str, session: str, folder: Path, stop: tuple[str, int] | None = None, delay: float = 0.0
    ) -> Worker:
        """A new worker on a session, of `killable`."""
        return self.fork(url=url, session=session, folder=str(folder), stop=stop, delay=delay)

    def fork(self, **settings: Any) -> Worker:
        """A new worker with these settings."""
        assert self._program.stdin is not None
        seen = len(self.events)
        self._program.stdin.write(json.dumps(settings) + "\n")
        self._program.stdin.flush()
        forked = self.wait(lambda event: event[0] == "forked", since=seen)
        return Worker(self, int(forked[1]), seen)

    def wait(self, wanted: Callable[[tuple[str, ...]], bool], *, since: int = 0) -> tuple[str, ...]:
        """The first event like this that came since then; it fails where none comes for a minute."""
        for event in self.events[since:]:
            if wanted(event):
                return event
        until = time.monotonic() + SECONDS
        while True:
            event = self._arriving.get(timeout=max(0.0, until - time.monotonic()))
            self.events.append(event)
            if wanted(event):
                return event

    def _read(self) -> None:
        assert self._program.stdout is not None
        for line in self._program.stdout:
            self._arriving.put(tuple(line.split()))


class Worker:
    """One process of a nursery."""

    def __init__(self, nursery: Nursery, pid: int, since: int) -> None:
        self.pid = pid
        self._nursery = nursery
        self._since = self._heard = since

    def says(self, text: str) -> None:
        """Wait until it has said this."""
        said = (str(self.pid), *text.split())
        self._nursery.wait(lambda event: event == said, since=self._since)

    def tells(self, kind: str, *, anew: bool = False) -> tuple[str, ...]:
        """Wait for an event of this kind, its first or its next one, or for its end: `("ended", STATUS)`."""

        def wanted(event: tuple[str, ...]) -> bool:
            told = event[0] == str(self.pid) and event[1] == kind
            return told or event[:2] == ("ended", str(self.pid))

        since = len(self._nursery.events) if anew else self._since
        event = self._nursery.wait(wanted, since=since)
        return ("ended", event[2]) if event[0] == "ended" else event[1:]

    @property
    def told(self) -> list[tuple[str, ...]]:
        """What it has told so far, as far as that was waited for."""
        return self._from(self._since)

    @property
    def news(self) -> list[tuple[str, ...]]:
        """What it has told since this was last asked for."""
        since, self._heard = self._heard, len(self._nursery.events)
        return self._from(since)

    def _from(self, since: int) -> list[tuple[str, ...]]:
        return [event[1:] for event in self._nursery.events[since:] if event[0] == str(self.pid)]

    def ends(self) -> int:
        """Wait for its end; its exit status, below zero after a signal."""
        ended = self._nursery.wait(lambda event: event[:2] == ("ended", str(self.pid)), since=self._since)
        return int(ended[2])

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Send it a signal and wait for its end, if it has not ended by itself."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
        return self.ends()

    def kill_after(self, events: int, pause: float, number: int) -> int:
        """Send it a signal a moment after so many events, or see it end before."""
        ours = (str(self.pid),)
        told: list[Any] = []

        def enough(event: tuple[str, ...]) -> bool:
            told.append(event[:1] == ours)
            return sum(told) >= events or event[:2] == ("ended", str(self.pid))

        last = self._nursery.wait(enough, since=self._since)
        if last[0] == "ended":
            return int(last[2])
        time.sleep(pause)
        return self.kill(number)
