"""`sizes, redact, prune, compact`: what takes the room, and what is not to be kept."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import click

from . import completing, retention_pages
from .errors import Misuse
from .opening import opened_session
from .options import examples, on_session, schema
from .output import note, show
from .people import author_option
from .revisions import version_of
from .schemas import known_schema, needed_schema

yes_option = click.option("--yes", is_flag=True, help="Do it; else it is only said what it would do.")


@click.command(epilog=examples("dissensus sizes", "dissensus sizes -d inquiry.db --json"))
@on_session
def sizes(*, database: str | None, session: str | None, as_json: bool) -> None:
    """Tell what takes how much room in a session.

    The state at the head by path, the history by field, recordings, snapshots and the rest.
    """
    from .data import place

    with opened_session(database, session) as found:
        data = {**place(found), **found.sizes().as_dict()}
    show(data, retention_pages.sizes(data), as_json=as_json)


@click.command(
    epilog=examples(
        'dissensus redact /people/p1/name --reason "asked for by the person" --schema inquiry:Inquiry',
        'dissensus redact /score --at v12 --replacement 0 --reason "a secret" --schema inquiry:Inquiry',
    )
)
@on_session
@schema
@author_option
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stands in the history.")
@click.option("--at", "revision", default="HEAD", metavar="REVISION", help="The version it stood in.")
@click.option("--replacement", metavar="JSON", help='What stands there instead. [default: "[redacted]"]')
@click.option("--keep-recordings", is_flag=True, help="Leave what models were asked and answered.")
@click.argument("path", shell_complete=completing.paths)
def redact(
    *,
    database: str | None,
    session: str | None,
    as_json: bool,
    schema: str | None,
    author: str,
    reason: str,
    revision: str,
    replacement: str | None,
    keep_recordings: bool,
    path: str,
) -> None:
    """Take a value away for good.

    It goes from every version, branch, proposal and recording that the session keeps; its digest
    stays, so that the history still verifies, and a commit says who took it away and why.
    """
    from .data import place

    given: dict[str, Any] = {} if replacement is None else {"replacement": _parsed(replacement)}
    with opened_session(database, session, partial(needed_schema, schema)) as found:
        done = found.redact(
            path,
            version_of(found, revision),
            author=author,
            reason=reason,
            recordings=not keep_recordings,
            **given,
        )
        data = {**place(found), **done.as_dict()}
    show(data, retention_pages.redacted(data), as_json=as_json)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise Misuse(
            f"The replacement {text[:80]!r} is no JSON", next_step="""Write a text as '"text"'"""
        ) from None


@click.command(
    epilog=examples(
        "dissensus prune v200", "dissensus prune v200 --yes --schema inquiry:Inquiry --author chair"
    )
)
@on_session
@schema
@author_option
@click.option("--recordings", is_flag=True, help="Let the recordings of the rounds before it go, too.")
@yes_option
@click.argument("revision", shell_complete=completing.revisions)
def prune(
    *,
    database: str | None,
    session: str | None,
    as_json: bool,
    schema: str | None,
    author: str,
    recordings: bool,
    yes: bool,
    revision: str,
) -> None:
    """Let the values of all versions before one go.

    Without --yes it only says what will no longer be possible. The commits stay with the digests of
    what they wrote, so that the history still verifies.
    """
    from .data import place

    schema_of = partial(needed_schema if yes else known_schema, schema)
    with opened_session(database, session, schema_of) as found:
        plan = found.plan_prune(version_of(found, revision), recordings=recordings)
        done = found.prune(plan, author=author) if yes else None
        data = {**place(found), "plan": plan.as_dict(), "pruned": done.as_dict() if done else None}
    show(data, retention_pages.pruned(data), as_json=as_json)
    if not yes:
        note("Nothing was done. Add --yes to do it.")


@click.command(epilog=examples("dissensus compact", "dissensus compact --raw --yes"))
@on_session
@click.option("--raw", is_flag=True, help="Let the raw bodies of providers' answers go, too.")
@yes_option
def compact(*, database: str | None, session: str | None, as_json: bool, raw: bool, yes: bool) -> None:
    """Give back the room of what nobody needs.

    Without --yes it only says what that would free, and make slower. Every version stays readable.
    """
    from .data import place

    with opened_session(database, session) as found:
        plan = found.plan_compact(raw=raw)
        done = found.compact(plan) if yes else None
        data = {**place(found), "plan": plan.as_dict(), "compacted": done.as_dict() if done else None}
    show(data, retention_pages.compacted(data), as_json=as_json)
    if not yes:
        note("Nothing was done. Add --yes to do it.")
