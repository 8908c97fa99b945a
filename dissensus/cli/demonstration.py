"""`demo`: the whole of dissensus on scripted models, without a key and without a network."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import click

from .border import situation
from .options import examples
from .output import colours

_NAME = "dissensus-demo"


@click.command(epilog=examples("dissensus demo", "dissensus demo --database incident.db"))
@click.option("--database", "-d", metavar="FILE|URL", help="Where to. [default: a new file in this folder]")
def demo(database: str | None) -> None:
    """See scripted models disagree over an incident.

    Three of them analyse it, and a supervisor rules. It needs no key and no network, and leaves a
    database to try the other commands on.
    """
    from dissensus.research import demo as ready_made

    chosen = database or _free_name()
    situation().kept = chosen
    situation().again = f"dissensus demo --database {chosen}"
    ready_made.main(database=chosen, color=colours())


def _free_name() -> str:
    """A file that is not there yet; what an earlier demo left stays as it is."""
    names = (f"{_NAME}.db" if number == 1 else f"{_NAME}-{number}.db" for number in count(1))
    return next(name for name in names if not Path(name).exists())
