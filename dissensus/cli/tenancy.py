"""`db tenants`: several tenants in one PostgreSQL database, kept apart by the database itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from .blocks import Grid, Line
from .border import situation
from .options import as_json as json_option
from .options import examples
from .output import show

if TYPE_CHECKING:
    from dissensus_state.engines import Database
    from dissensus_state.tenants import Tenant

_url = click.argument("url", metavar="URL")


@click.group(
    epilog=examples(
        "dissensus db tenants enable postgresql://owner@host/name --role app",
        "dissensus db tenants add postgresql://owner@host/name acme",
    ),
    no_args_is_help=False,
)
def tenants() -> None:
    """Keep several tenants of one PostgreSQL database apart."""


@tenants.command(epilog=examples("dissensus db tenants enable postgresql://owner@host/name --role app"))
@json_option
@click.option("--role", metavar="NAME", help="The application's role; it is given what it needs.")
@_url
def enable(*, url: str, role: str | None, as_json: bool) -> None:
    """Give every table a policy of row-level security.

    Log in as the tables' owner, while no worker runs. What is there already belongs to the tenant
    named default. Do it again after an upgrade, or for another role: it changes what is missing.
    """
    from dissensus_state import migrations, policies
    from dissensus_state import tenants as kept

    with _opened(url) as database:
        migrations.prepare(database)
        kept.enable(database, role)
        tables = list(policies.guarded())
    closed = f"{database.name}: {len(tables)} tables keep tenants apart"
    show(
        {"database": database.name, "role": role, "tables": tables},
        [Line(closed + (f"; {role} may use them" if role else ""))],
        as_json=as_json,
    )


@tenants.command(epilog=examples("dissensus db tenants add postgresql://owner@host/name acme"))
@json_option
@_url
@click.argument("name")
def add(*, url: str, name: str, as_json: bool) -> None:
    """Make a tenant; --tenant NAME is then whose sessions are meant."""
    from dissensus_state import tenants as kept

    with _opened(url) as database:
        made = kept.add(database, name)
    show(
        {"database": database.name, **_data(made)},
        [Line(f"{database.name}: {made.name} is tenant {made.tenant}")],
        as_json=as_json,
    )


@tenants.command(epilog=examples("dissensus db tenants bind postgresql://owner@host/name acme acme_app"))
@json_option
@_url
@click.argument("name")
@click.argument("role")
def bind(*, url: str, name: str, role: str, as_json: bool) -> None:
    """Give a tenant a role that sees no other tenant.

    The application's role is each tenant that it says it is. Where a tenant may run SQL of its own,
    let it log in as a role that is bound.
    """
    from dissensus_state import tenants as kept

    with _opened(url) as database:
        kept.bind(database, name, role)
    show(
        {"database": database.name, "name": name, "role": role},
        [Line(f"{database.name}: {role} sees the sessions of {name} alone")],
        as_json=as_json,
    )


@tenants.command("list", epilog=examples("dissensus db tenants list postgresql://owner@host/name"))
@json_option
@_url
def list_(*, url: str, as_json: bool) -> None:
    """List the tenants."""
    from dissensus_state import tenants as kept

    with _opened(url) as database:
        found = kept.listing(database)
    rows = tuple((str(one.tenant), one.name) for one in found)
    data = {"database": database.name, "tenants": [_data(one) for one in found]}
    show(data, [Grid(("tenant", "name"), rows)], as_json=as_json)


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    from dissensus_state.engines import Database
    from dissensus_state.tenants import check_url

    check_url(url)
    database = Database(url)
    try:
        situation().kept = database.name
        yield database
    finally:
        database.close()


def _data(one: Tenant) -> dict[str, Any]:
    return {"tenant": one.tenant, "name": one.name, "created_at": one.created_at}
