"""What the view `current` says, put together again by whoever knows nothing but its documentation."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import sqlalchemy as sa

from dissensus_state.sessions import Session
from dissensus_state.values import parse_path

DOUBTFUL = object()
"""Stands where the view says that it cannot say."""

HOLE = object()
"""A place in a list that an earlier row left open for a later one."""


class Piece(NamedTuple):
    """One row of `current`."""

    path: str
    value: str | None
    exact: int
    verb: str
    item: int | None
    version: int
    n: int
    author: str
    at: str


def asked(session: Session[Any], query: str, **values: Any) -> list[dict[str, Any]]:
    """The rows of a query about a session; its name and branch are `:session` and `:branch`."""
    given = {"session": session.name, "branch": session.branch, **values}
    with session.database.engine.connect() as connection:
        found = connection.execute(sa.text(query), given)
        return [dict(row._mapping) for row in found]


def pieces(session: Session[Any]) -> list[Piece]:
    """The rows of a branch, in the order in which they are put together."""
    query = f"SELECT {', '.join(Piece._fields)} FROM current WHERE session = :session AND branch = :branch"
    rows = [Piece(**row) for row in asked(session, query)]
    return sorted(rows, key=lambda row: (row.version, row.n, row.item is not None, row.item or 0))


def assembled(rows: list[Piece]) -> Any:
    """The state that the rows make; `DOUBTFUL` wherever one of them is not exact."""
    state: Any = {}
    for row in rows:
        if row.exact:
            path = _path(row)
            value = None if row.value is None else json.loads(row.value)
            state = _put(state, path, value, remove=row.verb == "remove")
    for row in rows:
        if not row.exact:
            path = place(row.path)
            keyed = row.verb in {"append", "merge"} and row.path.count("/") > 1
            state = _put(state, path[:-1] if keyed else path, DOUBTFUL)
    return state


def place(path: str) -> tuple[str, ...]:
    """A path as the view gives it: with U+0000 in it, it stands as JSON writes it."""
    return parse_path(json.loads(f'"{path}"') if "\\u0000" in path else path)


def _path(row: Piece) -> tuple[str, ...]:
    path = place(row.path)
    return path if row.item is None else (*path[:-1], str(row.item))


def dead(rows: list[Piece]) -> list[Piece]:
    """The rows of what was replaced later, at the path or at an ancestor: there must be none."""
    replacing = [row for row in rows if row.verb in {"set", "fold", "remove", "merge"} and row.exact]
    return [
        row
        for row in rows
        if any(
            (other.version, other.n) > (row.version, row.n)
            and _path(row)[: len(_path(other))] == _path(other)
            for other in replacing
        )
    ]


def _put(state: Any, path: tuple[str, ...], value: Any, *, remove: bool = False) -> Any:
    if not path:
        return value
    if state is DOUBTFUL:
        return state
    token, rest = path[0], path[1:]
    if isinstance(state, list):
        place = int(token)
        filled = [*state, *[HOLE] * (place + 1 - len(state))]
        filled[place] = _put(filled[place], rest, value, remove=remove)
        return filled
    there = dict(state) if isinstance(state, dict) else {}
    if remove and not rest:
        there.pop(token, None)
    elif rest or not remove:
        there[token] = _put(there.get(token), rest, value, remove=remove)
    return there


def agree(made: Any, state: Any) -> bool:
    """Whether what was put together is the state, but for what is doubtful."""
    if made is DOUBTFUL:
        return True
    if isinstance(made, dict) and isinstance(state, dict):
        names = made.keys() | state.keys()
        return all(name in made and (made[name] is DOUBTFUL or name in state) for name in names) and all(
            agree(made[name], state.get(name)) for name in made
        )
    if isinstance(made, list) and isinstance(state, list):
        return len(made) == len(state) and all(map(agree, made, state))
    return type(made) is type(state) and bool(made == state)
