"""Runs a snippet behind the kernel's walls alone, without Python's own hooks: `walled.py FOLDER SNIPPET`.

What the hooks would refuse first is tried here as native code could try it. It prints what came of it.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

KERNEL = Path(__file__).parents[2] / "agents/dissensus_agents/judgement/sandbox/kernel.py"


def _kernel() -> ModuleType:
    spec = importlib.util.spec_from_file_location("kernel", KERNEL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    folder, snippet = sys.argv[1:]
    kernel = _kernel()
    import resource
    import signal
    import socket
    import subprocess
    import threading

    libc = ctypes.CDLL(None, use_errno=True)

    def call(*numbers: int) -> int:
        """A bare system call; the error that it gave, or 0."""
        arguments = [ctypes.c_long(number) for number in numbers]
        return ctypes.get_errno() if libc.syscall(*arguments) < 0 else 0

    names = {
        "os": os, "call": call, "socket": socket, "resource": resource, "signal": signal,
        "subprocess": subprocess, "threading": threading, "libc": libc, "ctypes": ctypes,
        "parent": os.getppid(),
    }  # fmt: skip
    os.chdir(folder)
    readable = [*sys.path, f"{sys.base_prefix}/lib", "/lib", "/lib64", "/usr/lib", "/usr/lib64"]
    kernel.drop_rights()
    kernel.wall_files(readable, folder)
    kernel.wall_calls()
    try:
        said = f"gave {eval(snippet, names)}"
    except OSError as error:
        said = f"refused {error.errno}"
    sys.stdout.write(said)


if __name__ == "__main__":
    main()
