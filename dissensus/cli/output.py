"""What leaves the process: data on standard output, everything else on standard error."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from .blocks import Block, plain
from .border import situation
from .errors import READER_GONE, Misuse
from .texts import encoded, visible


def show(data: dict[str, Any], page: Sequence[Block], *, as_json: bool, listed: str | None = None) -> None:
    """Print one answer: its data as one JSON object or as JSON Lines, or its page.

    Args:
        listed: Under which key the answer has what it lists, where that is none of `LISTED`.
    """
    if situation().lines:
        for item in data[listed] if listed else items_of(data):
            write(encoded(item) + "\n")
    elif as_json:
        write(encoded(data) + "\n")
    elif colours():
        from .terminal import coloured

        _paged(coloured(page))
    else:
        _paged(plain(page))


LISTED = (
    "sessions",
    "commits",
    "events",
    "differences",
    "branches",
    "tags",
    "conflicts",
    "rounds",
    "grades",
    "costs",
    "threads",
)
"""Under which key an answer has what it lists: `--jsonl` prints these items."""


def items_of(data: dict[str, Any]) -> Sequence[Any]:
    """What an answer lists; where it lists nothing, the answer itself."""
    return next((data[key] for key in LISTED if isinstance(data.get(key), list)), [data])


def _paged(text: str) -> None:
    """Print a text, through the user's pager where it is longer than their terminal.

    The pager is that of `PAGER`, else `less`; an empty one, or `cat`, is none.
    """
    longer = text.count("\n") >= shutil.get_terminal_size().lines
    if not (longer and situation().paged and _has_pager() and sys.stdin.isatty() and sys.stdout.isatty()):
        write(text)
        return
    os.environ.setdefault("LESS", "FRX")  # as git does: colours, and the text stays on the screen
    click.echo_via_pager(text, color=True)


def _has_pager() -> bool:
    pager = os.environ.get("PAGER", "less").strip()
    return pager not in {"", "cat"} and os.environ.get("TERM", "dumb") != "dumb"


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
        reader_gone()
    except OSError as error:
        _give_up()
        raise Misuse(
            f"Standard output cannot be written: {error.strerror}",
            next_step="Free some space, or send it elsewhere",
        ) from None


def reader_gone() -> NoReturn:
    """Leave without a word: nobody reads the output any more."""
    _give_up()
    sys.exit(READER_GONE)


def _give_up() -> None:
    """Let what is still to be written go nowhere, so that leaving fails no second time."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def note(text: str) -> None:
    """Say something beside the data, on standard error."""
    click.echo(visible(text), err=True)
