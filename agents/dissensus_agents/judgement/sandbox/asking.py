"""Our side of the sandbox: a job is handed to a warden, and its report is read."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from ...bounds import check_seconds, check_whole

Walls = Literal["kernel", "any", "none"]
"""Which walls there must be: the kernel's; those that there are; none but limits, for work of our own."""

GRACE: Final = 10.0
"""Seconds that a warden is given beside those of its work; after that it is killed."""

_MB: Final = 1024 * 1024
_WARDEN: Final = str(Path(__file__).with_name("warden.py"))


@dataclass(frozen=True, slots=True)
class Limits:
    """What a piece of work may take.

    Attributes:
        seconds: Of the processor, rounded up to whole ones; of the clock four times as many and one more.
        memory_mb: Megabytes of address space, the interpreter's own (about 20) included.
        files_mb: Megabytes that the files of its folder may have together.
        output_kb: Kilobytes that it may print.
    """

    seconds: float = 5.0
    memory_mb: int = 256
    files_mb: int = 16
    output_kb: int = 64

    @property
    def clock(self) -> float:
        """Seconds of the clock: a machine that is busy with other things makes nobody fail."""
        return 4 * self.seconds + 1

    def __post_init__(self) -> None:
        check_seconds("a sandbox", seconds=self.seconds)
        check_whole("a sandbox", memory_mb=self.memory_mb, files_mb=self.files_mb, output_kb=self.output_kb)


@dataclass(frozen=True, slots=True)
class Report:
    """What a warden saw.

    Attributes:
        why: How the work ended: `end` by itself, `signal`, `killed` by somebody
            else, or over which limit: `cpu`, `time` (of the
            clock), `output`, `files`, `told`.
        status: The exit code of its process; the number of the signal, negative.
        missing: The walls that this machine has not.
        printed: What it printed, as far as that is kept.
        told: What the work told, in order.
    """

    why: str
    status: int
    missing: tuple[str, ...]
    printed: str
    told: tuple[Mapping[str, Any], ...]


class NoSandbox(Exception):
    """The work could not be done here: a wall is missing, or the sandbox itself failed."""


def in_sandbox(kind: str, job: Mapping[str, Any], limits: Limits, walls: Walls) -> Report:
    """Let a piece of work be done behind walls, and wait for it. It blocks: call it in a thread.

    Args:
        kind: Which work, of `sandbox/work.py`.
        job: What it is about, as JSON.
        limits: What it may take.
        walls: Which walls there must be.

    Raises:
        NoSandbox: there are no such walls here, or no report came.
    """
    if os.name != "posix" or not sys.executable:
        raise NoSandbox("a sandbox needs a POSIX system and the Python interpreter as a program")
    bounds = {
        "seconds": limits.seconds,
        "clock": limits.clock,
        "memory": limits.memory_mb * _MB,
        "files": limits.files_mb * _MB,
        "output": limits.output_kb * 1024,
    }
    line = json.dumps({"kind": kind, "walls": walls, **bounds, **job}).encode() + b"\n"
    folder = tempfile.mkdtemp(prefix="dissensus-sandbox-")
    try:
        return _read(*_warded(folder, line, limits.clock + GRACE))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _warded(folder: str, line: bytes, seconds: float) -> tuple[bytes, bytes]:
    """What a warden says; it knows by the end of its input that we are gone."""
    there, here = os.pipe()
    try:
        warden = subprocess.Popen(  # noqa: S603 - our own script, with arguments of ours
            [sys.executable, "-I", "-S", "-E", "-B", _WARDEN, folder],
            stdin=there,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={},
            start_new_session=True,
        )
    except OSError as error:
        os.close(here)
        raise NoSandbox(f"the sandbox does not start: {error}") from error
    finally:
        os.close(there)
    with os.fdopen(here, "wb", buffering=0) as asking, warden:
        try:
            with contextlib.suppress(BrokenPipeError):
                asking.write(line)
            return warden.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise NoSandbox(f"the sandbox gave no report in {seconds:g} seconds") from error
        finally:
            warden.kill()


def _told(line: str) -> dict[str, Any] | None:
    """What was told in a line; a program that writes there itself may have told anything."""
    try:
        item = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return item if isinstance(item, dict) else None


def _read(said: bytes, complained: bytes) -> Report:
    try:
        found = json.loads(said)
        lines = found["told"] or ['{"error": "it ended before its walls stood"}']
        first = json.loads(lines[0])
        told = [item for item in map(_told, lines[1:]) if item is not None]
    except (ValueError, KeyError, TypeError) as error:
        last = complained.decode(errors="replace").strip().rpartition("\n")[2]
        raise NoSandbox(f"the sandbox gave no report: {last[:200] or 'it was killed'}") from error
    if "missing" not in first:
        raise NoSandbox(str(first.get("error")))
    broke = next((str(item["error"]) for item in told if item.get("stage") == "work"), None)
    if broke is not None:
        raise NoSandbox(f"the sandbox broke: {broke}")
    return Report(found["why"], found["status"], tuple(first["missing"]), found["printed"], tuple(told))
