"""`demo`: the whole of dissensus on scripted models, without a key and without a network."""

from __future__ import annotations

import click

from . import options
from .border import situation


@click.command(epilog=options.examples("dissensus demo", "dissensus demo --database incident.db"))
@click.option("--database", "-d", metavar="FILE|URL", help="Where to. [default: a new file in this folder]")
@options.tenant
def demo(database: str | None) -> int:
    """See scripted models disagree over an incident.

    Three of them analyse it, and a supervisor rules. It needs no key and no network, and leaves a
    database to try the other commands on. With the database of a demo that was stopped, it goes on
    where that one was.
    """
    from dissensus.research import demo as ready_made

    chosen = database or ready_made.free_file()
    situation().kept = ready_made.address(chosen)
    tenant = situation().tenant
    situation().again = ready_made.resuming(chosen, tenant)
    return ready_made.main(chosen, tenant)
