"""`branch, fork, close-branch, tag, merge, conflicts, settle, revert`: lines of versions, as in git."""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from dissensus_state.values import MAX_BYTES

from . import completing, options, pages
from .blocks import Line
from .errors import Misuse
from .opening import opened_session
from .options import examples, on_session, schema
from .output import note, show
from .people import author_option
from .revisions import place_of, version_of
from .schemas import needed_schema

if TYPE_CHECKING:
    from dissensus_state.sessions import Session

CONTESTED = 4
"""What `merge` exits with where conflicts are to be settled first: as for any other conflict."""


@click.command(epilog=examples("dissensus branch", "dissensus branch --json"))
@on_session
def branch(*, database: str | None, session: str | None, as_json: bool) -> None:
    """List the branches of a session."""
    from .data import place

    with opened_session(database, session) as found:
        data = {**place(found), "branches": [item.as_dict() for item in found.branches()]}
    show(data, pages.branches(data), as_json=as_json)


@click.command(epilog=examples("dissensus fork idea", "dissensus fork idea --at v12"))
@on_session
@click.option(
    "--at", "revision", default="HEAD", metavar="REVISION", shell_complete=completing.revisions,
    help="Begin at this version.",
)  # fmt: skip
@author_option
@click.argument("name")
def fork(
    *, database: str | None, session: str | None, as_json: bool, name: str, revision: str, author: str
) -> None:
    """Begin a branch; nothing is copied.

    Reading verbs take it with --branch NAME, or in a revision like NAME~1.
    """
    with opened_session(database, session) as found:
        origin, version = place_of(found, revision)
        made = origin.fork(name, version, author=author)
        data = {"session": made.name, "branch": name, "from": origin.branch, "version": version}
    text = f"{name} begins at v{version} of {origin.branch}"
    show(data, [Line(text, "green")], as_json=as_json)


@click.command("close-branch", epilog=examples("dissensus close-branch idea"))
@on_session
@author_option
@click.argument("name", shell_complete=completing.branches)
def close_branch(*, database: str | None, session: str | None, as_json: bool, name: str, author: str) -> None:
    """Let nothing be committed to a branch any more.

    It stays readable and can be merged and forked from. There is no way back but a fork.
    """
    with opened_session(database, session) as found:
        closed = found.on(name)
        closed.close_branch(author=author)
        data = {"session": closed.name, "branch": name, "head": closed.head}
    show(data, [Line(f"{name} is closed at v{data['head']}", "green")], as_json=as_json)


@click.command(epilog=examples("dissensus tag", "dissensus tag best idea~1", "dissensus tag --delete best"))
@on_session
@click.option("--delete", "gone", is_flag=True, help="Take the name away; the version stays.")
@author_option
@click.argument("name", required=False)
@click.argument("revision", required=False, shell_complete=completing.revisions)
def tag(
    *,
    database: str | None,
    session: str | None,
    as_json: bool,
    gone: bool,
    name: str | None,
    revision: str | None,
    author: str,
) -> None:
    """List the tags, or give a version a name.

    Without a revision it is the head that is named. A tag stands wherever a revision does.
    """
    from .data import place

    if gone and (name is None or revision is not None):
        raise Misuse("--delete takes the name of a tag and nothing else", next_step="See `dissensus tag`")
    with opened_session(database, session) as found:
        if gone:
            found.remove_tag(str(name), author=author)
        elif name is not None:
            tagged, version = place_of(found, revision or "HEAD")
            tagged.tag(name, version, author=author)
        data = {**place(found), "tags": [item.as_dict() for item in found.tags()]}
    show(data, pages.tags(data), as_json=as_json)


@click.command(
    epilog=examples(
        "dissensus merge idea --schema inquiry:Inquiry", "dissensus merge main --into idea --json"
    )
)
@options.database
@options.session
@options.into
@options.as_json
@schema
@author_option
@click.argument("source", shell_complete=completing.branches)
@click.pass_context
def merge(
    context: click.Context,
    *,
    database: str | None,
    session: str | None,
    as_json: bool,
    schema: str | None,
    source: str,
    author: str,
) -> None:
    """Bring what another branch has into this one.

    What both changed is listed, kept, and to be settled (`dissensus settle`); then the same command
    merges. Until then nothing is changed, and it exits with 4.
    """
    from .data import place

    with opened_session(database, session, partial(needed_schema, schema)) as found:
        result = found.merge(source, author=author)
        data = {
            **place(found),
            "source": source,
            "version": result.commit.version if result.commit else None,
            "conflicts": [item.as_dict() for item in result.conflicts],
        }
    show(data, pages.merged(data), as_json=as_json)
    if result.conflicts:
        note(f"Settle it with: dissensus settle {result.conflicts[0].conflict} ours|theirs|--value JSON")
        context.exit(CONTESTED)


@click.command(epilog=examples("dissensus conflicts", "dissensus conflicts --open --json"))
@on_session
@click.option("--open", "only_open", is_flag=True, help="Only those that nobody has settled.")
def conflicts(*, database: str | None, session: str | None, as_json: bool, only_open: bool) -> None:
    """List what merges have left to be settled."""
    from .data import place

    with opened_session(database, session) as found:
        listed = [item.as_dict() for item in found.conflicts(open_only=only_open)]
        data = {**place(found), "conflicts": listed}
    show(data, pages.conflicts(data), as_json=as_json)
    if not listed:
        note("Nothing is contested.")


@click.command(
    epilog=examples(
        "dissensus settle 1 theirs --schema inquiry:Inquiry",
        """dissensus settle 2 --value '"both"' --schema inquiry:Inquiry""",
    )
)
@on_session
@schema
@click.option("--value", "given", metavar="JSON", help="What shall stand there; - reads standard input.")
@author_option
@click.argument("number", type=click.IntRange(1))
@click.argument("side", type=click.Choice(["ours", "theirs"]), required=False)
def settle(
    *,
    database: str | None,
    session: str | None,
    as_json: bool,
    schema: str | None,
    number: int,
    side: str | None,
    given: str | None,
    author: str,
) -> None:
    """Say what is to stand where two branches clash.

    It is one side's value or another; `ours` is the branch that is merged into. It can be said anew
    until it is merged.
    """
    from .data import place

    settlement = _settlement(side, given)
    with opened_session(database, session, partial(needed_schema, schema)) as found:
        one = found.settle(number, settlement, author=author)
        data = {**place(found), "conflict": one.as_dict()}
    text = f"conflict {number} at {one.path}: settled; merge {one.source_branch} into {one.branch} again"
    show(data, [Line(text, "green")], as_json=as_json)


def _settlement(side: str | None, given: str | None) -> str | dict[str, Any]:
    if (side is None) == (given is None):
        raise Misuse(
            "A conflict is settled in one way", next_step="Write ours, theirs, or --value JSON: one of them"
        )
    if side is not None:
        return side
    text = sys.stdin.read(MAX_BYTES) if given == "-" else str(given)
    try:
        return {"value": json.loads(text)}
    except (ValueError, RecursionError):
        raise Misuse("What is given is no JSON", next_step="""Write a text as --value '"…"'""") from None


@click.command(
    epilog=examples(
        "dissensus revert v12 --schema inquiry:Inquiry", "dissensus revert v9..v12 --schema inquiry:Inquiry"
    )
)
@on_session
@schema
@author_option
@click.argument("range_", metavar="REVISION|A..B", shell_complete=completing.revisions)
def revert(
    *,
    database: str | None,
    session: str | None,
    as_json: bool,
    schema: str | None,
    range_: str,
    author: str,
) -> None:
    """Take commits back, as a new version.

    A..B are the commits after A up to B. What later commits rest on is not taken back: it is a
    conflict that names the paths.
    """
    from .data import place

    with opened_session(database, session, partial(needed_schema, schema)) as found:
        first, last = _stretch(found, range_)
        made = found.revert(first, last, author=author)
        data = {**place(found), "first": first, "last": last, "version": made.version}
    what = f"v{first}" if first == last else f"v{first} to v{last}"
    show(data, [Line(f"{what} taken back as v{made.version}", "green")], as_json=as_json)


def _stretch(found: Session[Any], text: str) -> tuple[int, int]:
    before, dots, after = text.partition("..")
    if not dots:
        only = version_of(found, text)
        return only, only
    return version_of(found, before) + 1, version_of(found, after)
