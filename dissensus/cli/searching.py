"""`impact, reads, retract, suspects`: what rests on what, who saw it, and what is not to be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from dissensus_state.errors import NotFound

from . import completing
from .blocks import Block, Line
from .border import program, situation
from .opening import opened_session
from .options import examples, on_session, schema
from .output import note, show
from .pages import grid
from .people import author_option
from .revisions import place_of, version_of
from .schemas import needed_schema
from .texts import clipped, count
from .turning import meant, note_more

if TYPE_CHECKING:
    from dissensus_state.sessions import Session
    from dissensus_state.suspects import Suspect

    from .data import Data

_MOST = 200
"""Characters of a reason in a line."""


@click.command(
    epilog=examples(
        "dissensus impact v12", "dissensus impact /findings/3", "dissensus impact /verdict --at v40 --json"
    )
)
@on_session
@click.option("--at", "revision", metavar="REVISION", help="Of a path: the value in this version.")
@click.option(
    "--limit", "-n", default=40, show_default=True, type=click.IntRange(1, 1_000_000), help="Lines to show."
)
@click.argument("what", metavar="COMMIT|PATH", shell_complete=completing.places)
def impact(
    *, database: str | None, session: str | None, as_json: bool, revision: str | None, limit: int, what: str
) -> None:
    """List everything that rests on a commit or on a value.

    Through what was read, prompts included, and on every branch. What begins with / is a path, and so
    is the name of a field that no branch or tag has. With --json it is always all of it.
    """
    from .data import place

    with opened_session(database, session) as opened:
        found, of = _asked(opened, what, revision)
        version = None if isinstance(of, int) or revision is None else place_of(found, revision)[1]
        answer = found.impact(of, version)
        told = found.suspects()
        gone = [one.as_dict() for tip in answer.origins for one in told.retractions.get(tip, ())]
        plain = not (as_json or situation().lines)
        data: Data = {} if plain else {**place(found), **answer.as_dict(), "retracted": gone}
        lines: list[Block] = [Line(_gone(item), "red") for item in gone]
        lines += [Line(text) for text in answer.lines(limit)] if plain else []
    show(data, lines, as_json=as_json)


def _asked(opened: Session[Any], what: str, revision: str | None) -> tuple[Session[Any], int | str]:
    """Where is asked, and for which version, or for which path."""
    on = opened if revision is None else place_of(opened, revision)[0]
    if what.startswith("/"):
        return on, what
    try:
        return place_of(opened, what)
    except NotFound:
        if what.partition("/")[0] in on.raw():
            return on, what
        raise


@click.command(epilog=examples("dissensus reads /findings/3", "dissensus reads /verdict --limit 20 --json"))
@on_session
@click.option(
    "--limit", "-n", default=50, show_default=True, type=click.IntRange(1, 100_000), help="How many."
)
@click.option(
    "--before",
    metavar="REVISION",
    shell_complete=completing.revisions,
    help="Only what came of it before this version.",
)
@click.argument("path", shell_complete=completing.paths)
def reads(
    *, database: str | None, session: str | None, as_json: bool, limit: int, before: str | None, path: str
) -> None:
    """Say who saw a value, and when.

    Commits by hand, proposals (those that lost, too) and the supervisors over them, newest first: in
    which version they read it, who wrote it, and what came of it.
    """
    from .data import place

    with opened_session(database, session) as found:
        turned = None if before is None else version_of(found, before)
        page = found.reads(path, limit=limit, before=turned)
        data = {**place(found), "path": path, "reads": page.as_dict(), "next": page.before}
    rows = [
        (
            item["agent"],
            item["kind"],
            item["path"] or "/",
            f"v{item['base']}",
            "-" if item["written"] is None else f"v{item['written']}",
            f"r{item['round']}" if item["round"] else "-",
            item["status"] or "",
            "-" if item["version"] is None else f"v{item['version']}",
        )
        for item in data["reads"]
    ]
    show(
        data,
        grid("agent as read at written round status became", rows, "bold dim"),
        as_json=as_json,
        listed="reads",
    )
    if page.before is not None:
        note_more(f"--before v{page.before}")
    elif not page and turned is None:
        note("Nobody has read it.")


@click.command(
    epilog=examples(
        "dissensus retract v12 --reason 'the report was forged' --schema inquiry:Inquiry",
        "dissensus retract v12 --undo --reason 'it was not' --schema inquiry:Inquiry",
    )
)
@on_session
@schema
@author_option
@click.option("--reason", required=True, metavar="TEXT", help="Why.")
@click.option("--undo", is_flag=True, help="It was right after all: take the retraction back.")
@click.argument("revision", shell_complete=completing.revisions)
def retract(
    *,
    database: str | None,
    session: str | None,
    as_json: bool,
    schema: str | None,
    author: str,
    reason: str,
    undo: bool,
    revision: str,
) -> None:
    """Mark a commit as wrong, and what rests on it as suspect.

    No value is changed: log, show and blame say from then on what is not to be trusted.
    """
    from .data import place
    from .graphs import graph_option

    with opened_session(database, session, partial(needed_schema, schema)) as found:
        version = version_of(found, revision)
        made = found.retract(version, author=author, reason=reason, undo=undo)
        suspects = found.suspects()
        graph = graph_option(found)
        data = {
            **place(found),
            "retracted": version,
            "undo": undo,
            "version": made.version,
            "suspects": suspects.as_dict(),
        }
    does = "stands again" if undo else "is retracted"
    page: list[Block] = [Line(f"v{version} {does}, by v{made.version}", "green")]
    show(data, [*page, *_listed(suspects, 20)], as_json=as_json)
    if suspects:
        repair = f"{program()} rerun --only-impacted{graph}{meant()}"
        note(f"Repair what rests on it on a branch with: {repair}")


@click.command(epilog=examples("dissensus suspects", "dissensus suspects -b idea --json"))
@on_session
@click.option(
    "--limit", "-n", default=50, show_default=True, type=click.IntRange(1, 1_000_000), help="Lines to show."
)
def suspects(*, database: str | None, session: str | None, as_json: bool, limit: int) -> None:
    """List what rests on retracted commits.

    Each is told with the reads that make it so; with --json it is always all of them.
    """
    from .data import place

    with opened_session(database, session) as opened:
        found = opened.suspects()
        gone = [one.as_dict() for its in found.retractions.values() for one in its]
        done = found.repaired
        data = {
            **place(opened),
            "retracted": gone,
            "suspects": found.as_dict(),
            "repaired": done.as_dict(),
        }
    page: list[Block] = [Line(_gone(item), "yellow") for item in gone]
    page += _listed(found, limit)
    show(data, [*page, *_listed(done, limit, "repaired")], as_json=as_json)
    if not gone:
        note("Nothing is retracted.")


def _gone(item: Data) -> str:
    """That a commit was retracted, by whom and why."""
    of, reason = item["of"], clipped(item["reason"], _MOST)
    return f"v{of['version']} of {of['branch']} retracted by {item['author']}: {reason}"


def _listed(found: Sequence[Suspect], most: int, what: str = "suspect") -> list[Block]:
    """The suspects, and how many are not shown."""
    lines: list[Block] = [Line(str(one), "", 2) for one in found[:most]]
    if found:
        lines = [Line(f"{count(len(found), 'commit')} {what}:", "bold"), *lines]
    if len(found) > most:
        lines.append(Line(f"… and {len(found) - most:,} more: dissensus suspects --limit N", "dim", 2))
    return lines


def marked(found: Session[Any], commits: list[Data]) -> list[Data]:
    """The commits, each with what is said against it where the branch holds a retraction."""
    told = found.suspects()
    if not told.retractions:
        return commits
    return [{**item, **told.marks(item["branch"], item["version"])} for item in commits]


def warned(item: Data, indent: int = 0) -> list[Block]:
    """What is said against a commit, and why."""
    page: list[Block] = []
    if gone := item.get("retracted"):
        said = f"retracted by {gone['author']} in v{gone['version']}: {clipped(gone['reason'], 2000)}"
        page.append(Line(said, "red", indent))
    if found := item.get("suspect"):
        branch, version = found["retracted"]["branch"], found["retracted"]["version"]
        said = f"suspect: it rests on v{version} of {branch}, which is retracted"
        page.append(Line(said, "yellow", indent))
        page += [Line(said, "", indent + 2) for said in map(_because, found["links"])]
    if done := item.get("repaired"):
        branch, version = done["retracted"]["branch"], done["retracted"]["version"]
        said = f"repaired by v{done['repaired']}: it rests on v{version} of {branch}, which is retracted"
        page.append(Line(said, "green", indent))
    return page


def _because(link: Data) -> str:
    where = f"v{link['version']} of {link['branch']}"
    if link["kind"] == "read":
        return f"{link['reader']} read {link['path'] or '/'} at v{link['base']}: {where}"
    return f"{link['kind']}: {where}"
