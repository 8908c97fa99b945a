"""The law of the view `current`: its rows, put together, are the state at the head of their branch."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from dissensus_state.errors import NotFound, Refused
from dissensus_state.merging import Merge
from dissensus_state.sessions import Session
from dissensus_state.shapes import Add, Append, Max, MergeByKey, Min, SharedState, Union
from dissensus_state.store import Store
from json_values import nested, values
from viewing import agree, assembled, dead, pieces

TOKENS = st.sampled_from(["a", "b", "0", "1", "a/b", "~", "", 'q"', "\\", "\0", "%00", "\n\x1f", "é😀"])
TEXTS = st.text(st.sampled_from('ab!~"\\%05C\0\n\x7fé￿😀'), max_size=4)


class Longest(Merge):
    """A merge of the user's own."""

    def merge(self, old: Any, new: Any) -> Any:
        return max(old, new, key=lambda text: (len(text), text))


class Part(BaseModel):
    """Something with a name."""

    id: str | int
    about: Any = None


class Pieces(SharedState):
    """A field for each way of changing one."""

    value: Any = None
    tree: dict[str, Any] = {}
    lines: Annotated[list[Any], Append] = []
    tags: Annotated[set[str], Union] = set()
    total: Annotated[float, Add] = 0
    top: Annotated[Any, Max] = None
    low: Annotated[Any, Min] = None
    answers: Annotated[dict[str, Any], MergeByKey] = {}
    parts: Annotated[list[Part], MergeByKey("id")] = []
    word: Annotated[str, Longest] = ""


SCALARS = TEXTS | st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(-1e22, 1e22)
THINGS = nested(SCALARS) | values
MEMBER = st.builds(Part, id=TEXTS | st.integers(0, 3), about=SCALARS)
COMPARED = st.integers(-(10**17), 10**17) | st.floats(-1e3, 1e3).map(lambda x: round(x, 3))


def _deep(head: str) -> st.SearchStrategy[str]:
    token = TOKENS.map(lambda text: text.replace("~", "~0").replace("/", "~1"))
    return st.lists(token, min_size=1, max_size=3).map(lambda tokens: "/".join([head, *tokens]))


OPERATIONS = st.one_of(
    st.tuples(st.just("set"), st.sampled_from(["/value"]), THINGS),
    st.tuples(st.just("set"), st.just("/lines"), st.lists(SCALARS, max_size=3)),
    st.tuples(st.just("set"), st.just("/tree"), st.dictionaries(TOKENS, THINGS, max_size=3)),
    st.tuples(st.just("set"), st.just("/parts"), st.lists(MEMBER, max_size=2, unique_by=lambda m: str(m.id))),
    st.tuples(st.just("set"), st.just("/answers"), st.dictionaries(TOKENS, SCALARS, max_size=2)),
    st.tuples(st.just("set"), st.just("/tags"), st.sets(TEXTS, max_size=2)),
    st.tuples(st.just("set"), _deep("/value") | _deep("/tree") | _deep("/answers") | _deep("/lines"), THINGS),
    st.tuples(st.just("remove"), _deep("/value") | _deep("/tree") | _deep("/answers"), st.none()),
    st.tuples(st.just("append"), st.just("/lines"), st.lists(THINGS, max_size=3)),
    st.tuples(
        st.just("append"), _deep("/value") | _deep("/tree") | _deep("/lines"), st.lists(SCALARS, max_size=2)
    ),
    st.tuples(st.just("union"), st.just("/tags"), st.sets(TEXTS, max_size=3)),
    st.tuples(st.just("add"), st.just("/total"), st.integers(-(10**13), 10**13) | st.floats(-10, 10)),
    st.tuples(st.just("write"), st.sampled_from(["/top", "/low"]), COMPARED),
    st.tuples(st.just("merge"), st.just("/answers"), st.dictionaries(TOKENS, THINGS, max_size=3)),
    st.tuples(st.just("merge"), _deep("/tree"), st.dictionaries(TOKENS, SCALARS, max_size=2)),
    st.tuples(
        st.just("merge"), st.just("/parts"), st.lists(MEMBER, max_size=3, unique_by=lambda m: str(m.id))
    ),
    st.tuples(st.just("write"), st.just("/word"), TEXTS),
)


def _written(session: Session[Pieces], operations: list[tuple[str, str, Any]]) -> None:
    """One commit; whatever does not fit the state is left out."""
    with session.transaction("ana") as tx:
        for verb, path, value in operations:
            try:
                if verb == "append":
                    tx.append(path, *value)
                elif verb == "remove":
                    tx.remove(path)
                else:
                    getattr(tx, verb)(path, value)
            except (NotFound, Refused):
                continue


def _holds(session: Session[Pieces]) -> None:
    rows, state = pieces(session), session.raw()
    assert agree(assembled(rows), state), (rows, state)
    assert dead(rows) == []


STORIES: dict[str, list[list[tuple[str, str, Any]]]] = {
    "appended": [
        [("set", "/lines", ["first"]), ("append", "/lines", [1, 2])],
        [("append", "/lines", ["\0", {"deep": []}]), ("append", "/lines", [None])],
        [("set", "/lines/1", "other"), ("set", "/lines/4/deep", [3])],
        [("append", "/lines", [7])],
    ],
    "below": [
        [("set", "/tree", {"a": {"b": [1], "0": 2}, "c": []})],
        [("append", "/tree/a/b", [2, 3]), ("append", "/tree/c", ["x"])],
        [("append", "/tree/a/b", [4]), ("set", "/tree/a/0", 9), ("merge", "/tree/a", {"new": 1.5})],
        [("remove", "/tree/a/0", None), ("set", "/tree/a/b/0", "one")],
    ],
    "removed": [
        [("merge", "/answers", {"why": "a", "x/y~": 1, "\0": 2})],
        [("remove", "/answers/why", None), ("remove", "/answers/x~1y~0", None)],
        [("merge", "/answers", {"why": {"again": 10**20}})],
    ],
    "joined": [
        [("union", "/tags", {"b", "a"}), ("add", "/total", 3), ("write", "/top", 5), ("write", "/low", -2)],
        [("union", "/tags", {"a", "é", '"'}), ("add", "/total", 4), ("write", "/top", 4.5)],
        [("write", "/low", 1), ("add", "/total", -10), ("write", "/word", "long"), ("write", "/word", "no")],
    ],
    "by key": [
        [("set", "/parts", [Part(id="a"), Part(id="b")]), ("merge", "/parts", [Part(id="c", about=1)])],
        [("merge", "/parts", [Part(id="a", about=2), Part(id=7)])],
        [("merge", "/parts", [Part(id="c", about=3)])],
    ],
    "set again": [
        [("set", "/value", {"a": {"b": 1}}), ("append", "/lines", [1])],
        [("set", "/value/a/b", 2), ("set", "/value/a", {"c": 3}), ("set", "/value/a/c", 4)],
        [("set", "/lines", []), ("append", "/lines", [2]), ("set", "/value", [1])],
    ],
}
"""What each way of changing a field leaves, one after the other."""


@pytest.mark.parametrize("name", STORIES)
def test_every_piece_of_a_story_is_told_exactly(store: Store, name: str) -> None:
    session = store.create(Pieces())
    for operations in STORIES[name]:
        head = session.head
        _written(session, operations)
        assert len(session.commit_at(head + 1).patch) == len(operations)
        _holds(session)
        assert all(row.exact for row in pieces(session))


@settings(suppress_health_check=list(HealthCheck))
@given(steps=st.lists(st.lists(OPERATIONS, min_size=1, max_size=4), max_size=6), data=st.data())
def test_the_rows_put_together_are_the_state(
    store: Store, steps: list[list[tuple[str, str, Any]]], data: st.DataObject
) -> None:
    session = store.create(Pieces())
    for operations in steps:
        _written(session, operations)
    _holds(session)
    other = session.fork("aside", data.draw(st.integers(0, session.head), "forked at"))
    _written(other, data.draw(st.lists(OPERATIONS, max_size=3), "aside"))
    _holds(other)
    _holds(session)
