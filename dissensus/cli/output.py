"""What leaves the process: data on standard output, everything else on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from .blocks import Block, plain
from .errors import READER_GONE
from .texts import encoded, visible


def show(data: dict[str, Any], page: Sequence[Block], *, as_json: bool) -> None:
    """Print one answer: its data as one JSON object, or its page."""
    if as_json:
        write(encoded(data) + "\n")
    elif colours():
        from .terminal import coloured

        write(coloured(page))
    else:
        write(plain(page))


def colours() -> bool:
    """Whether standard output is a terminal whose user did not ask for plain text (NO_COLOR)."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return wanted and sys.stdout.isatty()


def write(text: str) -> None:
    """Put data out; where nobody reads it any more, leave without a word."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(READER_GONE)


def note(text: str) -> None:
    """Say something beside the data, on standard error."""
    click.echo(visible(text), err=True)
