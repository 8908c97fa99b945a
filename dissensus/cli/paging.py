"""`log, events`: what happened, a page at a time, and only what is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from . import completing, pages
from .errors import Misuse
from .opening import opened_session
from .options import examples, on_session
from .outcomes import confidences
from .output import note, show
from .revisions import version_of
from .searching import marked
from .turning import note_more

if TYPE_CHECKING:
    from dissensus_state.records import Commit

    from .data import Data

KINDS = (
    "write", "round", "merge", "revert", "migration", "redaction", "prune", "retraction", "carry"
)  # fmt: skip
"""The kinds of commits; written out, for the help is shown without loading what reads them."""


@click.command(
    epilog=examples(
        "dissensus log",
        "dissensus log --limit 10 --before v120",
        "dissensus log --author analyst --path /verdict",
        "dissensus log --kind round --text valve --since 2026-01-31",
    )
)
@on_session
@click.option(
    "--limit", "-n", default=50, show_default=True, type=click.IntRange(1, 100_000), help="How many."
)
@click.option(
    "--before",
    metavar="REVISION",
    shell_complete=completing.revisions,
    help="Only commits before this version.",
)
@click.option("--graph", is_flag=True, help="Draw all branches, with where they begin and are merged.")
@click.option(
    "--author",
    "--agent",
    "author",
    metavar="NAME",
    shell_complete=completing.authors,
    help="Only what NAME committed, or proposed with success.",
)
@click.option(
    "--path", metavar="PATH", shell_complete=completing.paths, help="Only what wrote there, above, or below."
)
@click.option(
    "--reading",
    metavar="PATH",
    shell_complete=completing.paths,
    help="Only what had read there, above, or below.",
)
@click.option(
    "--kind", multiple=True, type=click.Choice(KINDS), help="Only such commits; may be given twice."
)
@click.option("--step", metavar="NAME", help="Only this transition or step.")
@click.option("--text", metavar="TEXT", help="Only where TEXT was written, ruled or thought, in no case.")
@click.option("--since", metavar="WHEN", help="Only from this day or moment on (UTC).")
@click.option("--until", metavar="WHEN", help="Only up to this day or moment (UTC).")
def log(
    *,
    database: str | None,
    session: str | None,
    as_json: bool,
    limit: int,
    before: str | None,
    kind: tuple[str, ...],
    graph: bool,
    **asked: str | None,
) -> None:
    """List the commits, newest first.

    Of several things that are asked for, a commit must be all. Where there are more than a page
    holds, a note on standard error says how to get the next.
    """
    from .data import place

    if graph:
        _graph(
            database, session, limit, as_json=as_json, filtered=bool(before or kind or any(asked.values()))
        )
        return
    with opened_session(database, session) as found:
        turned = None if before is None else version_of(found, before)
        page = found.log(limit, turned, kind=kind or None, **asked)
        sure = confidences(found, (item.round for item in page))
        listed = marked(found, [_told(item, sure, page.places) for item in page])
        data = {**place(found), "head": found.head, "commits": listed, "next": page.next}
    show(data, pages.log(data), as_json=as_json)
    if page.next is not None:
        note_more(f"--before v{page.next}")
    elif not page:
        note(
            "No commit is all of that."
            if kind or any(value is not None for value in asked.values())
            else "There are no commits before that."
        )


def _graph(database: str | None, session: str | None, limit: int, *, as_json: bool, filtered: bool) -> None:
    """Draw the newest commits of all branches."""
    from .braid import held, woven
    from .data import place

    if filtered:
        raise Misuse("--graph draws all commits", next_step="Leave out what tells commits apart, or --graph")
    with opened_session(database, session) as found:
        told = list(woven(found, limit))
        branches = found.branches()
        drawn = marked(found, [row.commit.as_dict() for row in told if row.commit])
        shown = iter(drawn)
        rows = [(row.drawn, next(shown) if row.commit else None) for row in told]
        data = {**place(found), "head": found.head, "commits": drawn, "next": None}
    show({**data, "branches": [one.as_dict() for one in branches]}, pages.braid(rows), as_json=as_json)
    there = sum(map(held, branches))
    if there > len(drawn):
        note(f"{len(drawn):,} of {there:,} commits; more with --limit")


def _told(item: Commit, sure: dict[int, float], places: Any) -> Data:
    told = {**item.as_dict(), "confidence": sure.get(item.round or 0)}
    where = places.get(item.version)
    return {**told, "found_in": list(where)} if where else told


@click.command(epilog=examples("dissensus events", "dissensus events --kind denied --limit 20 --json"))
@on_session
@click.option("--kind", metavar="KIND", help="Only what is of this kind.")
@click.option("--limit", "-n", type=click.IntRange(1, 100_000), help="Only the newest so many.")
@click.option("--before", metavar="EVENT", type=click.IntRange(1), help="Only what happened before.")
def events(
    *,
    database: str | None,
    session: str | None,
    as_json: bool,
    kind: str | None,
    limit: int | None,
    before: int | None,
) -> None:
    """List what happened beside the commits.

    That is what changed nothing: denied attempts, refused commits, abstentions.
    """
    from .data import event_data, place

    with opened_session(database, session) as found:
        page = found.events(kind, limit=limit, before=before)
        data = {**place(found), "events": [event_data(item) for item in page], "next": page.next}
    show(data, pages.events(data), as_json=as_json)
    if page.next is not None:
        note_more(f"--before {page.next}")
    elif not page:
        note(
            "Nothing happened beside the commits." if kind is None and before is None else "Nothing of that."
        )
