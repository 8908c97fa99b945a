"""The processes that read files: as many as read at once, each used again as long as it is sound."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from .errors import Unreadable

PATIENCE = 60.0
"""Seconds that reading one passage may take."""

TOTAL_PATIENCE = 600.0
"""Seconds that reading one file may take."""

_LONGEST_ANSWER = 16 * 1024 * 1024
_SECRET = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL")
_LEFT = 4
"""Processes that are kept for the next files."""


class _Worker:
    """One process; `late` says that it was ended because it took too long."""

    def __init__(self) -> None:
        self.late = False
        self.process = subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-P", "-m", f"{__package__}.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            text=True,
            encoding="utf-8",
        )

    def ask(self, kind: str, path: Path) -> None:
        """Begin to read a file."""
        if self.process.stdin is None:
            raise AssertionError
        self.process.stdin.write(json.dumps([kind, str(path.absolute())]) + "\n")
        self.process.stdin.flush()

    def answer(self, patience: float) -> dict[str, Any] | None:
        """What it says next; None if it has died, or was ended because it took too long."""
        if self.process.stdout is None:
            raise AssertionError
        watch = threading.Timer(patience, self._give_up)
        watch.daemon = True
        watch.start()
        try:
            line = self.process.stdout.readline(_LONGEST_ANSWER)
        finally:
            watch.cancel()
        try:
            answer = json.loads(line)
        except ValueError:
            return None
        return answer if isinstance(answer, dict) else None

    def _give_up(self) -> None:
        self.late = True
        self.process.kill()

    def end(self) -> None:
        """End it, whatever it does."""
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self.process.wait()


_idle: list[_Worker] = []


def _environment() -> dict[str, str]:
    """Ours without what is secret; what is imported here is found there."""
    kept = {
        name: value for name, value in os.environ.items() if not any(word in name.upper() for word in _SECRET)
    }
    kept["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    return kept


def apart(kind: str, path: Path, detail: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Read a file in a process of its own.

    Raises:
        Unreadable: it gives no text, takes too long, or too much memory.
    """
    worker = _taken()
    left = TOTAL_PATIENCE
    try:
        worker.ask(kind, path)
        while True:
            since = time.monotonic()
            answer = worker.answer(min(PATIENCE, left))
            left -= time.monotonic() - since
            if answer is None:
                raise _given_up(worker)  # noqa: TRY301 - the worker has to be ended
            if "passage" not in answer:
                break
            place, text = answer["passage"]
            yield place, text
    except BaseException:  # whoever reads may also have enough of it
        worker.end()
        raise
    _give(worker)
    if "failed" in answer:
        raise Unreadable(answer["failed"], next_step=answer.get("next", ""))
    detail.update(answer["detail"])


def _given_up(worker: _Worker) -> Unreadable:
    if worker.late:
        return Unreadable(
            f"Reading it was given up: a page took over {PATIENCE:g} s, or all over {TOTAL_PATIENCE:g} s"
        )
    return Unreadable("It broke what reads it: it is damaged, or takes too much memory")


def _taken() -> _Worker:
    while (worker := _one_idle()) is not None:
        if worker.process.poll() is None:
            return worker
        worker.end()
    return _Worker()


def _one_idle() -> _Worker | None:
    with suppress(IndexError):  # another thread may take the last one
        return _idle.pop()
    return None


def _give(worker: _Worker) -> None:
    if len(_idle) < _LEFT:
        _idle.append(worker)
    else:
        worker.end()


def _end_all() -> None:
    while (worker := _one_idle()) is not None:
        worker.end()


atexit.register(_end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)
