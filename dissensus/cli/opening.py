"""From what a user writes to an open database and session; nothing that is not there is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dissensus_state.errors import NotFound

from .border import situation
from .errors import Misuse

if TYPE_CHECKING:
    from dissensus_state.records import Commit
    from dissensus_state.sessions import Session, SessionInfo
    from dissensus_state.shapes import SharedState
    from dissensus_state.store import Store

DEFAULT = "dissensus.db"


@contextmanager
def opened_store(database: str | None) -> Iterator[Store]:
    """The database that is named, or the one in the current folder."""
    from dissensus_state.store import Store

    with Store.open(existing(database or _default()), tenant=situation().tenant) as store:
        situation().kept = store.database.name
        yield store


def _no_schema(_: SessionInfo) -> None:
    """The history can be read without one."""


@contextmanager
def opened_session(
    database: str | None,
    name: str | None,
    schema_of: Callable[[SessionInfo], type[SharedState] | None] = _no_schema,
) -> Iterator[Session[Any]]:
    """A session of the database, on the branch that was named.

    Args:
        database: A file, a URL, or None for the one in the current folder.
        name: The session, or None for the only one.
        schema_of: Finds the session's schema, where the command needs one.
    """
    with opened_store(database) as store:
        info = _chosen(store, name)
        session = store.session(info.name, schema_of(info))
        branch = situation().branch
        yield session if branch is None else session.on(branch)


def beside(session: Session[Any], name: str | None) -> Session[Any]:
    """Another session of the same database, on its main branch; without a name, the same one."""
    if name in {None, session.name}:
        return session
    from dissensus_state import entering

    with session.database.reading() as work:
        info = entering.named(work, name)
    return type(session)(session.database, info, None)


def ended_in(session: Session[Any], round_: int) -> Commit | None:
    """The commit that a round ended in, if it ended in one."""
    from dissensus_state import commits

    with session.reading() as work:
        return commits.by_round(work, session.session_id, session.branch, round_)


def existing(database: str) -> str:
    """The address, if it is not that of a file that is not there."""
    from dissensus_state.engines import read_url

    url = read_url(database)
    on_disk = url.get_backend_name() == "sqlite" and url.database not in {None, "", ":memory:"}
    if on_disk and not Path(url.database or "").exists():
        raise NotFound(
            f"There is no database file {url.database}",
            next_step="Name one that is there with --database, or run `dissensus demo` to make one",
        )
    return database


def _default() -> str:
    if Path(DEFAULT).exists():
        return DEFAULT
    raise Misuse(
        f"No database was named, and there is no {DEFAULT} in the current folder",
        next_step="Name one with --database FILE|URL, or in DISSENSUS_DATABASE",
    )


def _chosen(store: Store, name: str | None) -> SessionInfo:
    found = store.sessions()
    matching = [info for info in found if name in {None, info.name}]
    if len(matching) == 1:
        return matching[0]
    where = store.database.name
    if not found:
        raise NotFound(
            f"{where} holds no session yet",
            next_step="Make one with store.create(…), or see `dissensus demo`",
        )
    what = f"no session {name!r}" if name else f"{len(found)} sessions"
    raise NotFound(
        f"There {'is' if name else 'are'} {what} in {where}",
        next_step="Name one with --session; `dissensus sessions` lists them",
    )
