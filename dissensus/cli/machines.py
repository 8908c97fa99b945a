"""`machine`: the state machine and the rights of a schema as tables, the machine as a picture too."""

from __future__ import annotations

import click

from . import pages
from .blocks import Passage
from .options import as_json as json_option
from .options import examples
from .output import show


@click.command(
    epilog=examples("dissensus machine inquiry:Inquiry", "dissensus machine inquiry:Inquiry --mermaid")
)
@json_option
@click.option("--mermaid", is_flag=True, help="Print the diagram for Mermaid.")
@click.argument("name", metavar="MODULE:CLASS")
def machine(*, name: str, mermaid: bool, as_json: bool) -> None:
    """Show the state machine of a schema.

    For each transition: its phases, what it may write, its guard, whether it needs a review. For
    each name with rights of its own: what it may read, propose, commit and rule on.
    Modules in the current folder are found.
    """
    from dissensus_state.shapes import shape_of

    from .schemas import load_schema

    shape = shape_of(load_schema(name))
    data = {
        "schema": shape.name,
        "version": shape.version,
        "phases": list(shape.machine.phases or ()),
        "transitions": shape.machine.table(),
        "rights": [] if shape.rights is None else shape.rights.table(),
        "mermaid": shape.machine.mermaid(),
    }
    page = [Passage(shape.machine.mermaid())] if mermaid else pages.machine(data)
    show(data, page, as_json=as_json)
