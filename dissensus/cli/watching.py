"""`watch, tail`: the commits of a session as they land."""

from __future__ import annotations

import shlex
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from . import options, pages
from .border import program, situation
from .opening import opened_session
from .output import note, show
from .revisions import resolve

if TYPE_CHECKING:
    from dissensus_state.sessions import Session


@click.command(
    epilog=options.examples(
        "dissensus watch", "dissensus watch --from v12 --json", "dissensus watch --from v0 --timeout 0"
    )
)
@options.database
@options.session
@click.option("--branch", metavar="NAME", help="Which branch; main where none is named.")
@click.option(
    "--from", "start", metavar="REVISION",
    help="Begin with this version, be it the one to come; else with what lands from now on.",
)  # fmt: skip
@click.option("--limit", "-n", type=click.IntRange(1), help="End after so many commits.")
@click.option(
    "--timeout", type=click.FloatRange(0), metavar="SECONDS",
    help="End once nothing has landed for so long; 0 prints what is there.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, one for each commit.")
@click.option("--jsonl", "as_json", is_flag=True, help="The same.")
def watch(
    *,
    database: str | None,
    session: str | None,
    branch: str | None,
    start: str | None,
    limit: int | None,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Print commits as they land, oldest first.

    None is missed and none comes twice: begun again with the version after the last one that was
    printed, it goes on from there. Ctrl-C ends it.
    """
    with opened_session(database, session) as main:
        found = main if branch is None else main.on(branch)
        head = found.head
        after = head if start is None else _before(start, head, found.branch)
        note(f"watching {found.name}, branch {found.branch}, from v{after + 1} on; Ctrl-C ends it")
        _landing(found, after, None if limit is None else after + limit, timeout, as_json=as_json)


@click.command(
    epilog=options.examples("dissensus tail", "dissensus tail -n 50", "dissensus tail --follow --jsonl")
)
@options.on_session
@click.option(
    "--limit", "-n", default=10, show_default=True, type=click.IntRange(0, 100_000), help="How many commits."
)
@click.option("--follow", "-f", is_flag=True, help="Go on with what lands from now on; Ctrl-C ends it.")
def tail(*, database: str | None, session: str | None, as_json: bool, limit: int, follow: bool) -> None:
    """Print the newest commits, oldest first.

    With --follow it goes on with what lands from now on. Each commit is a line, with --json an object.
    """
    with opened_session(database, session) as found:
        head = found.head
        _landing(found, max(head - limit, -1), None if follow else head, None, as_json=as_json)


def _landing(
    found: Session[Any], after: int, until: int | None, timeout: float | None, *, as_json: bool
) -> None:
    """Print the commits after a version as they land; until one, if it is named."""
    from .data import place

    again = _again(found)
    situation().again = f"`{again}{after + 1}`"
    if until is not None and until <= after:
        return
    with closing(found.watch(after, until=until, timeout=timeout)) as landing:
        for commit in landing:
            data = {**place(found), "commit": commit.as_dict()}
            show(data, pages.landed(data), as_json=as_json)
            situation().again = f"`{again}{commit.version + 1}`"


def _before(text: str, head: int, branch: str) -> int:
    """The version before the one that is named, which may be the next to come."""
    if text.strip().removeprefix("v") == str(head + 1):
        return head
    return resolve(text, head, branch) - 1


def _again(session: Session[Any]) -> str:
    """The command that goes on from the version that is put after it."""
    from dissensus_state.addresses import to_copy

    where = ["-d", to_copy(session.database.url), "-s", session.name]
    if session.branch != "main":
        where += ["--branch", session.branch]
    return f"{program()} watch {shlex.join(where)} --from v"
