"""`compare`: two branches, or two sessions, from where they part."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from dissensus_state.errors import NotFound

from . import completing
from .blocks import Block, Line
from .border import situation
from .opening import existing, opened_session, opened_store
from .options import examples, on_session
from .output import note, show

if TYPE_CHECKING:
    from dissensus_state.sessions import Session
    from dissensus_state.store import Store


@click.command(
    epilog=examples(
        "dissensus compare main idea",
        "dissensus compare monday:main tuesday:idea",
        "dissensus compare main survey:main --other-database other.db --json",
    )
)
@on_session
@click.option("--other-database", metavar="FILE|URL", help="The database that B is in.")
@click.argument("one", metavar="A", shell_complete=completing.branches)
@click.argument("other", metavar="B", shell_complete=completing.branches)
def compare(
    *,
    database: str | None,
    session: str | None,
    as_json: bool,
    other_database: str | None,
    one: str,
    other: str,
) -> None:
    """Set two branches or sessions side by side.

    From where they part: commits, decisions that differ, what differs at the heads, and what both cost.
    A and B are branches of the session, or SESSION, or SESSION:BRANCH.
    """
    from dissensus_state.comparison import MOST
    from dissensus_state.store import Store

    with ExitStack() as open_:
        store = open_.enter_context(opened_store(database))
        of = None
        if session is not None or len(store.sessions()) == 1:
            of = open_.enter_context(opened_session(database, session))
        second = store
        if other_database is not None:
            url = existing(other_database)
            second = open_.enter_context(Store.open(url, tenant=situation().tenant))
        mine = _named(store, of, one)
        alone = second is not store and len(second.sessions()) == 1
        there: Session[Any] | None = second.session(second.sessions()[0].name) if alone else None
        its = _named(second, of if second is store else there, other)
        answer = mine.compare(its)
        data = answer.as_dict()
    page: list[Block] = [Line(text) for text in answer.lines()]
    show(data, page, as_json=as_json)
    left = max(answer.one.commits, answer.other.commits) - MOST
    if left > 0:
        note(f"{left:,} commits more are not set side by side; dissensus log -b BRANCH lists them")


def _named(store: Store, of: Session[Any] | None, text: str) -> Session[Any]:
    """The branch of the session that a name is, or the session (and its branch) that it names."""
    if of is not None and any(one.name == text for one in of.branches()):
        return of.on(text)
    name, _, branch = text.partition(":")
    if any(info.name == name for info in store.sessions()):
        found: Session[Any] = store.session(name)
        return found.on(branch) if branch else found
    raise NotFound(
        f"There is no branch or session {text!r}",
        next_step="Write a branch, SESSION or SESSION:BRANCH; `dissensus branch` and `sessions` list them",
    )
