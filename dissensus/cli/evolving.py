"""`schema`: would a new schema break what is stored, and lifting a session to it."""

from __future__ import annotations

import click

from . import pages
from .opening import opened_store
from .options import examples, on_database
from .options import schema as schema_option
from .output import show
from .schemas import load_schema, needed_schema

BROKEN = 5
"""What `schema check` exits with where something breaks, as any check of what is stored."""


@click.group(
    "schema",
    epilog=examples(
        "dissensus schema check inquiry:Inquiry", "dissensus schema migrate monday --schema inquiry:Inquiry"
    ),
    no_args_is_help=False,
)
def schema() -> None:
    """Go on to a new version of a schema."""


@schema.command(
    epilog=examples(
        "dissensus schema check inquiry:Inquiry -d inquiry.db",
        "dissensus schema check inquiry:Inquiry --history --json",
    )
)
@on_database
@click.option("--history", is_flag=True, help="Try where each schema version begins and ends, too.")
@click.argument("name", metavar="MODULE:CLASS")
@click.pass_context
def check(context: click.Context, *, database: str | None, name: str, history: bool, as_json: bool) -> None:
    """Try a schema on the heads of all its sessions.

    It lifts each to the schema, holds it to all invariants, and lists what breaks; nothing is changed.
    Where something breaks it exits with 5.
    """
    from dissensus_state.schema_check import try_schema
    from dissensus_state.shapes import shape_of

    shape = shape_of(load_schema(name))
    with opened_store(database) as store:
        tried = [item.as_dict() for item in try_schema(store, shape.schema, history=history)]
    broken = [item for item in tried if item["breaches"]]
    data = {
        "schema": shape.name,
        "version": shape.version,
        "tried": len(tried),
        "older": sum(item["schema_version"] not in {None, shape.version} for item in tried),
        "unsettled": sum(item["unsettled"] for item in tried),
        "broken": broken,
    }
    show(data, pages.schema_check(data), as_json=as_json)
    context.exit(BROKEN if broken else 0)


@schema.command(epilog=examples("dissensus schema migrate monday --schema inquiry:Inquiry -d inquiry.db"))
@on_database
@schema_option
@click.argument("session")
def migrate(*, database: str | None, session: str, schema: str | None, as_json: bool) -> None:
    """Lift a session to its schema's version.

    Each branch gets a commit of its own; what was stored before stays. The first write by the new code
    does the same by itself.
    """
    from dissensus_state.schema_check import branches_of

    with opened_store(database) as store:
        info = next((item for item in store.sessions() if item.name == session), None)
        found = store.session(session, needed_schema(schema, info) if info else None)
        made = []
        for branch in branches_of(found):
            commit = found.on(branch).migrate()
            if commit is not None:
                made.append(commit.as_dict())
        data = {"session": found.name, "schema_version": found.shape.version, "commits": made}
    show(data, pages.migrated(data), as_json=as_json)
