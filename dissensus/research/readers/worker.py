"""A process that reads files for another one: what a file does to it stays in it.

It is told a kind and a path by lines of JSON, and answers with one line for each passage and a last one.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, TextIO

from . import markup, pdf
from .errors import Unreadable

MEMORY = 1024 * 1024 * 1024
"""Bytes of address space that it may take, where the platform bounds that."""

_READERS = {"pdf": pdf.pages, "html": markup.page}


def main() -> None:
    """Read what is asked for, until nobody asks any more."""
    _bound()
    said = sys.stdout
    sys.stdout = sys.stderr  # whatever a library prints is no answer
    for line in sys.stdin:
        kind, path = json.loads(line)
        _read(kind, Path(path), said)


def _read(kind: str, path: Path, said: TextIO) -> None:
    detail: dict[str, Any] = {}
    try:
        for place, text in _READERS[kind](path, detail):
            _say(said, passage=[place, text])
    except Unreadable as error:
        _say(said, failed=error.message, next=error.next_step)
    except OSError as error:
        _say(said, failed=f"It cannot be opened: {error.strerror or error}")
    except (MemoryError, RecursionError) as error:
        _say(said, failed=f"It takes too much memory to read: {type(error).__name__}")
    else:
        _say(said, detail=detail)


def _say(said: TextIO, **answer: Any) -> None:
    said.write(json.dumps(answer) + "\n")
    said.flush()


def _bound() -> None:
    """Take no more memory than is allowed, and leave no dump behind."""
    try:
        import resource
    except ImportError:  # there is none on Windows
        return
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    bound = MEMORY if most == resource.RLIM_INFINITY else min(MEMORY, most)
    resource.setrlimit(resource.RLIMIT_AS, (bound, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
