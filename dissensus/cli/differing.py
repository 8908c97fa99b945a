"""`diff, at`: what stood there, and what differs between two versions, branches, or sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import completing, pages
from .blocks import Passage
from .opening import beside, opened_session
from .options import examples, on_session
from .output import note, show
from .revisions import ends_of, place_of
from .texts import compact

if TYPE_CHECKING:
    from .data import Data


@click.command(
    epilog=examples(
        "dissensus diff v3..v5",
        "dissensus diff ~2 /verdict",
        "dissensus diff main..idea /findings",
        "dissensus diff monday:HEAD..tuesday:HEAD",
        "dissensus diff --exit-code v3..",
    )
)
@on_session
@click.option("--exit-code", "exit_code", is_flag=True, help="Exit with 1 where something differs.")
@click.argument("range_", metavar="[A..B]", default="~1..HEAD", shell_complete=completing.revisions)
@click.argument("path", metavar="[PATH]", required=False, shell_complete=completing.paths)
@click.pass_context
def diff(
    context: click.Context,
    *,
    database: str | None,
    session: str | None,
    as_json: bool,
    range_: str,
    path: str | None,
    exit_code: bool,
) -> None:
    """Show what differs between two versions, path by path.

    Without a range it is what the newest commit changed; an end that is left out is the head. The
    ends may be of two branches, as in main..idea, or of two sessions of the database, as in
    monday:v3..tuesday:v5. Long texts are shown as words, with [-old-]{+new+}.
    """
    from .data import place

    if range_.startswith("/") and path is None:
        range_, path = "~1..HEAD", range_
    (first, one), (last, other) = ends_of(range_)
    with opened_session(database, session or first or last) as opened:
        origin, before = place_of(beside(opened, first), one)
        found, after = place_of(beside(opened, last), other)
        foreign = origin.session_id != found.session_id
        aside = None if origin.branch == found.branch else origin.branch
        differences = found.diff(before, after, of=origin if foreign else aside, path=path)
        data: Data = {
            **place(found),
            "before": before,
            "after": after,
            "differences": [item.as_dict() for item in differences],
        }
        more = {
            "path": path,
            "before_session": origin.name if foreign else None,
            "before_branch": origin.branch if foreign else aside,
        }
        data.update({name: value for name, value in more.items() if value is not None})
    show(data, pages.diff(data), as_json=as_json)
    if not differences:
        note("Nothing differs.")
    context.exit(1 if exit_code and differences else 0)


@click.command(epilog=examples("dissensus at v3", "dissensus at HEAD /verdict", "dissensus at idea~1 --json"))
@on_session
@click.argument("revision", default="HEAD", shell_complete=completing.revisions)
@click.argument("path", metavar="[PATH]", required=False, shell_complete=completing.paths)
def at(*, database: str | None, session: str | None, as_json: bool, revision: str, path: str | None) -> None:
    """Print the state at a version, or a value in it, as JSON.

    PATH is a JSON pointer or the name of a field. A value is found without reading the whole state.
    """
    from .data import place

    if revision.startswith("/") and path is None:
        revision, path = "HEAD", revision
    with opened_session(database, session) as opened:
        found, version = place_of(opened, revision)
        value = found.raw(version) if path is None else found.peek(path, version)
        told = {"state": value} if path is None else {"path": path, "value": value}
        data: Data = {**place(found), "version": version, **told}
    show(data, [Passage(compact(value, indent=2))], as_json=as_json)
