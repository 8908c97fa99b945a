"""What a shell completes: names of sessions, branches, tags and agents, versions and paths.

A completion must never get in the way of who types: it opens nothing that is not there, writes
nothing, says nothing where it fails, and looks at no more than `MOST` names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import wraps
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

import click

if TYPE_CHECKING:
    pass

MOST = 200

Completer: TypeAlias = "Callable[[click.Context, click.Parameter, str], list[str]]"
_Names: TypeAlias = "Callable[[click.Context, str], Iterator[str]]"


def _completer(names: _Names) -> Completer:
    """A function as click asks it: the names that begin as what is typed, or nothing."""

    @wraps(names)
    def complete(context: click.Context, _: click.Parameter, typed: str) -> list[str]:
        found: list[str] = []
        with suppress(Exception), context.scope(cleanup=False):  # what is wrong the command itself will tell
            found += islice((name for name in names(context, typed) if name.startswith(typed)), MOST)
        return found

    return complete


@_completer
def sessions(context: click.Context, _: str) -> Iterator[str]:
    """The sessions of the database that the line names."""
    from .opening import opened_store

    with opened_store(context.params.get("database")) as store:
        yield from reversed([info.name for info in store.sessions()])


@_completer
def branches(context: click.Context, _: str) -> Iterator[str]:
    """The branches of the session that the line names."""
    with _session(context) as found:
        yield from (one.name for one in found.branches())


@_completer
def revisions(context: click.Context, typed: str) -> Iterator[str]:
    """Branches, tags, `HEAD` and versions, also behind the dots of a range."""
    before, dots, _ = typed.rpartition("..")
    with _session(context) as found:
        names = [one.name for one in found.branches()] + [one.name for one in found.tags()]
        yield from (f"{before}{dots}{name}" for name in ("HEAD", *names))
        yield from (f"{before}{dots}v{version}" for version in range(found.head, -1, -1))


@_completer
def paths(context: click.Context, typed: str) -> Iterator[str]:
    """The places of the state at the head that lie right below what is typed."""
    from dissensus_state.patches import get
    from dissensus_state.values import parse_path, pointer

    with _session(context) as found:
        state = found.raw()
    above = parse_path(typed.rpartition("/")[0])
    value = get(state, above)
    names = value if isinstance(value, dict) else map(str, range(len(value)))
    yield from (pointer((*above, name)) for name in names)


@_completer
def places(context: click.Context, typed: str) -> Iterator[str]:
    """Paths where one was begun, else revisions."""
    parameter = context.command.params[0]
    yield from (paths if typed.startswith("/") else revisions)(context, parameter, typed)


@_completer
def authors(context: click.Context, _: str) -> Iterator[str]:
    """Who wrote the newest commits."""
    with _session(context) as found:
        yield from dict.fromkeys(one.author for one in found.log(limit=MOST))


def _session(context: click.Context) -> Any:
    """The session that the line names so far, on its branch."""
    from .opening import opened_session

    opened: Callable[..., Any] = opened_session
    return opened(context.params.get("database"), context.params.get("session"))
