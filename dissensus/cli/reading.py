"""`sessions, show, state, blame`: the history, read; see `paging` and `differing` as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from . import completing, pages, stories
from .blocks import Passage
from .opening import ended_in, opened_session, opened_store
from .options import examples, on_database, on_session
from .outcomes import outcome
from .output import show
from .revisions import place_of, round_number
from .searching import marked
from .texts import compact

if TYPE_CHECKING:
    from dissensus_state.records import Commit
    from dissensus_state.sessions import Session

    from .data import Data


@click.command(epilog=examples("dissensus sessions", "dissensus sessions -d postgresql://host/name --json"))
@on_database
def sessions(*, database: str | None, as_json: bool) -> None:
    """List the sessions of a database, oldest first."""
    from .data import session_data

    with opened_store(database) as store:
        data = {"sessions": [session_data(info) for info in store.sessions()]}
    show(data, pages.sessions(data), as_json=as_json)


@click.command(
    "show",
    epilog=examples("dissensus show v12", "dissensus show HEAD~1", "dissensus show r3 --json"),
)
@on_session
@click.argument("what", metavar="REVISION|ROUND", default="HEAD", shell_complete=completing.revisions)
def show_command(*, database: str | None, session: str | None, as_json: bool, what: str) -> None:
    """Show a commit with its round, or a round.

    A round is written r3; its calls are shown with their reasoning.
    """
    from .data import place

    with opened_session(database, session) as opened:
        number = round_number(what)
        if number is None:
            found, version = place_of(opened, what)
            commit: Commit | None = found.commit_at(version)
        else:
            found = opened.on(opened.round(number)[0].branch)
            commit = ended_in(found, number)
        number = commit.round if number is None and commit else number
        data = {
            **place(found),
            "commit": marked(found, [commit.as_dict()])[0] if commit else None,
            "round": _round(found, number),
        }
    show(data, stories.show(data), as_json=as_json)


def _round(found: Session[Any], number: int | None) -> Data | None:
    from .data import round_data

    if number is None:
        return None
    told = round_data(*found.round(number), found.decisions(number))
    return {**told, "outcome": outcome(found, number)}


@click.command(epilog=examples("dissensus state", "dissensus state v3 --json"))
@on_session
@click.argument("revision", default="HEAD", shell_complete=completing.revisions)
def state(*, database: str | None, session: str | None, as_json: bool, revision: str) -> None:
    """Print the state at a version as JSON.

    Without a revision it is the state at the head. `dissensus at` does the same, for a path as well.
    """
    from .data import place

    with opened_session(database, session) as opened:
        found, version = place_of(opened, revision)
        data = {**place(found), "version": version, "state": found.raw(version)}
    show(data, [Passage(compact(data["state"], indent=2))], as_json=as_json)


@click.command(
    epilog=examples(
        "dissensus blame /verdict", "dissensus blame /findings/0 --at v12", "dissensus blame /verdict --chain"
    )
)
@on_session
@click.option("--at", "revision", default="HEAD", metavar="REVISION", help="As of this version.")
@click.option("--chain", is_flag=True, help="Also what that rests on, back to the sources.")
@click.argument("path", shell_complete=completing.paths)
def blame(
    *, database: str | None, session: str | None, as_json: bool, path: str, revision: str, chain: bool
) -> None:
    """Say who wrote a value, and on what grounds.

    PATH is a JSON pointer or the name of a field. The answer holds the reads, the reasoning, the
    ruling and the dissent. With --chain, who wrote what was read, and so on.
    """
    from .data import blame_data, place

    with opened_session(database, session) as opened:
        found, version = place_of(opened, revision)
        answer = found.blame(path, version, chain=chain)
        data = {**place(found), **blame_data(answer), "outcome": outcome(found, answer.commit.round)}
        data["commit"] = marked(found, [data["commit"]])[0]
    grounds = None if answer.chain is None else str(answer.chain)
    show(data, stories.blame(data, grounds), as_json=as_json)
