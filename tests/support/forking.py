"""A nursery's own side: forks a worker for each line of JSON on its standard input, in no time.

It prints what happens, one event a line: `forked PID`, `ended PID STATUS`, and of each worker `PID KIND …`.
`workers.Nursery` starts it and reads that.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

_PR_SET_PDEATHSIG = 1

_children: set[int] = set()


def say(text: str) -> None:
    """One event of this process, written at once."""
    os.write(1, f"{os.getpid()} {text}\n".encode())


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends, however that does; Linux alone can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def serve(work: Callable[..., int]) -> None:
    """Fork a worker for each line, until there is none more; then end those that still run."""
    signal.signal(signal.SIGCHLD, _reap)
    for line in sys.stdin:
        _fork(work, json.loads(line))
    for child in list(_children):
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def _reap(*_: object) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        _children.discard(pid)
        os.write(1, f"ended {pid} {os.waitstatus_to_exitcode(status)}\n".encode())


def _fork(work: Callable[..., int], settings: dict[str, Any]) -> None:
    # A worker that ends at once is reaped only after it is told that it was forked.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    pid = os.fork()
    if pid:
        _children.add(pid)
        os.write(1, f"forked {pid}\n".encode())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        return
    die_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    os._exit(work(**settings))
