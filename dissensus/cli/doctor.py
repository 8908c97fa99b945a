"""`doctor`: whether the installation and a database are as they should be."""

from __future__ import annotations

import click

from dissensus_state.errors import CheckFailed

from .blocks import Block, Line
from .data import Data
from .opening import existing
from .options import as_json as json_option
from .options import examples
from .output import show

_STYLES = {"ok": "green", "warning": "yellow", "problem": "red"}


@click.command(epilog=examples("dissensus doctor", "dissensus doctor inquiry.db --json"))
@json_option
@click.argument("database", metavar="[FILE|URL]", required=False)
def doctor(*, database: str | None, as_json: bool) -> None:
    """Check the installation, and a database if one is named.

    Each line is ok, a warning or a problem; where there is a problem, it fails. Nothing is made or
    changed.
    """
    from dissensus_state import health

    checks = list(health.installation())
    if database:
        checks += health.database(existing(database))
    data = {
        "database": database and _name(database),
        "checks": [
            {"check": item.check, "status": item.status, "found": item.found, "next": item.next_step or None}
            for item in checks
        ],
    }
    show(data, _page(data), as_json=as_json)
    problems = [item.check for item in checks if item.status == "problem"]
    if problems:
        raise CheckFailed(
            f"{len(problems)} of {len(checks)} checks found a problem: {', '.join(problems)}",
            next_step="Do what stands below each, and check again",
        )


def _name(database: str) -> str:
    from dissensus_state.addresses import shown
    from dissensus_state.engines import read_url

    return shown(read_url(database))


def _page(data: Data) -> list[Block]:
    page: list[Block] = []
    for item in data["checks"]:
        page.append(Line(f"{item['status']:8} {item['check']}: {item['found']}", _STYLES[item["status"]]))
        if item["next"]:
            page.append(Line(item["next"], indent=9))
    return page
