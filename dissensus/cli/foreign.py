"""`import-langgraph`: the history of a graph that was never ours, as sessions."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from .border import situation
from .errors import Misuse
from .opening import DEFAULT
from .options import as_json, database, examples
from .output import note, show

if TYPE_CHECKING:
    from dissensus_agents.foreign.langgraph_history import Imported, Thread

    from .blocks import Block

_EVERY = 1.0
"""Seconds between two words on how far it is."""


@click.command(
    "import-langgraph",
    epilog=examples(
        "dissensus import-langgraph checkpoints.sqlite --list",
        "dissensus import-langgraph checkpoints.sqlite -d history.db",
        "dissensus import-langgraph postgresql://host/app --thread 42 --name support",
    ),
)
@click.argument("source", metavar="DB")
@click.option(
    "--thread", "threads", metavar="ID", multiple=True, help="Which thread; all where none is named."
)
@click.option("--name", metavar="NAME", help="What the session is called; by default as the thread.")
@click.option("--list", "listed", is_flag=True, help="List the threads, and bring nothing in.")
@database
@as_json
def import_langgraph(
    *,
    source: str,
    threads: tuple[str, ...],
    name: str | None,
    listed: bool,
    database: str | None,
    as_json: bool,
) -> None:
    """Read LangGraph's checkpoint history into sessions.

    DB is the file that a SqliteSaver was given, or the postgresql://… of a PostgresSaver. It is not
    changed. Each thread becomes a session, each node's step a commit; what was brought in before is
    not brought in again, so that the same command follows a thread that goes on.
    """
    from dissensus_agents.foreign import langgraph_history as history

    if listed and (threads or name):
        raise Misuse("--list lists all threads", next_step="Leave --thread and --name out")
    found = history.list_threads(source)  # before a database of ours is made for nothing
    if listed:
        threads_ = found.as_dict()
        show({"source": _shown(source), "threads": threads_}, _list(found), as_json=as_json)
        return
    from dissensus_state.store import Store

    with Store.open(database or DEFAULT, tenant=situation().tenant) as store:
        situation().kept = store.database.name
        done = history.import_langgraph(source, store, threads or None, name=name, progress=_telling())
        data = {
            "source": _shown(source),
            "database": store.database.name,
            "sessions": [one.as_dict() for one in done],
        }
    show(data, _page(done), as_json=as_json)


def _shown(source: str) -> str:
    """The address without its password."""
    from dissensus_state.addresses import shown
    from dissensus_state.engines import read_url

    return shown(read_url(source)) if "://" in source else source


def _telling() -> Callable[[str, int, int], None] | None:
    """Says on a terminal how far it is, now and then."""
    if not sys.stderr.isatty():
        return None
    said = time.monotonic()

    def tell(thread: str, done: int, total: int) -> None:
        nonlocal said
        if time.monotonic() - said >= _EVERY:
            said = time.monotonic()
            note(f"{thread}: {done:,} of {total:,} checkpoints")

    return tell


def _list(found: list[Thread]) -> list[Block]:
    from .pages import grid

    rows = [(one.thread, one.checkpoints, one.subgraphs, one.newest) for one in found]
    return grid("thread checkpoints subgraphs newest", rows, "bold")


def _page(done: list[Imported]) -> list[Block]:
    from .blocks import Line
    from .pages import grid

    rows = [
        (one.session, one.checkpoints, one.known, one.commits, one.branches, one.events, one.newest)
        for one in done
    ]
    page = grid("session checkpoints known commits branches events newest", rows, "bold")
    for one in done:
        for what, counts in (
            ("became plain data", one.converted),
            ("left out, for it only says what runs next", one.left_out),
            ("rebuilt from what was added", one.rebuilt),
        ):
            if counts:
                said = ", ".join(f"{name} ({count:,})" for name, count in counts.items())
                page.append(Line(f"{one.session}: {what}: {said}"))
        if one.pending:
            said = f"{one.pending:,} writes belong to supersteps that have not ended"
            page.append(Line(f"{one.session}: {said}: bring them in later with the same command"))
        if one.orphans:
            page.append(
                Line(f"{one.session}: the parents of {one.orphans:,} checkpoints are no longer there")
            )
    return page
