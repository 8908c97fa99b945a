"""`db`: where a database's tables stand, and bringing them to this version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .blocks import Line
from .border import situation
from .opening import existing
from .options import as_json as json_option
from .options import examples
from .output import show
from .tenancy import tenants

if TYPE_CHECKING:
    from dissensus_state.engines import Database


@click.group(
    epilog=examples("dissensus db current inquiry.db", "dissensus db upgrade postgresql://host/name"),
    no_args_is_help=False,
)
def db() -> None:
    """Look after the tables of a database."""


@db.command(epilog=examples("dissensus db current inquiry.db --json"))
@json_option
@click.argument("url", metavar="FILE|URL")
def current(*, url: str, as_json: bool) -> None:
    """Show at which revision the tables stand; nothing is changed."""
    database = _opened(url)
    try:
        _show(database, as_json=as_json)
    finally:
        database.close()


@db.command(epilog=examples("dissensus db upgrade inquiry.db", "dissensus db upgrade postgresql://host/name"))
@json_option
@click.argument("url", metavar="FILE|URL")
def upgrade(*, url: str, as_json: bool) -> None:
    """Bring the tables to this version of dissensus. Back the database up first."""
    from dissensus_state import migrations

    database = _opened(url)
    try:
        situation().kept = database.name
        migrations.upgrade(database)
        _show(database, as_json=as_json)
    finally:
        database.close()


db.add_command(tenants)


def _opened(url: str) -> Database:
    from dissensus_state.engines import Database

    return Database(existing(url))


def _show(database: Database, *, as_json: bool) -> None:
    from dissensus_state.migrations import HEAD, revision

    stands_at = revision(database)
    data = {"database": database.name, "revision": stands_at, "newest": HEAD}
    where = f"revision {stands_at}" if stands_at else "empty"
    note = "" if stands_at == HEAD else f", this version of dissensus: {HEAD}"
    show(data, [Line(f"{database.name}: {where}{note}")], as_json=as_json)
