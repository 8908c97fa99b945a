"""`log --graph`: the branches of a session, drawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissensus.cli.braid import held, owner, woven
from dissensus_state.errors import DissensusError
from dissensus_state.sessions import Session
from dissensus_state.shapes import SharedState
from dissensus_state.store import Store


class Command(Protocol):
    def __call__(self, *arguments: object, code: int = 0) -> Any: ...


class Pad(SharedState):
    """Two texts, for two branches to write."""

    left: str = ""
    right: str = ""


def write(session: Session[Pad], field: str, text: str) -> None:
    with session.transaction("ana") as tx:
        tx.set(field, text)


@pytest.fixture
def pad(folder: Path) -> Iterator[Session[Pad]]:
    """A branch that is merged and goes on, and one that begins on it; `folder` is the current one."""
    assert Path.cwd() == folder
    with Store.open("dissensus.db", clock=iter(range(10**12, 2 * 10**12, 1000)).__next__) as store:
        session = store.create(Pad(), name="pad")
        write(session, "left", "1")
        idea = session.fork("idea")
        write(idea, "right", "2")
        write(session, "left", "3")
        deep = idea.fork("deep")
        write(deep, "right", "4")
        write(idea, "right", "5")
        session.merge("idea", author="me")
        write(session, "left", "6")
        yield session


@pytest.mark.usefixtures("pad")
def test_branches_are_drawn_with_where_they_begin_and_are_merged(ask: Command) -> None:
    drawn = [line[:14].rstrip() for line in ask("log", "--graph").out.splitlines()]
    assert drawn == [
        "graph  version",
        "●      v4 main",
        "●      v3 main",
        "├─╮",
        "│ ●    v3 idea",
        "│ │ ●  v3 deep",
        "● │ │  v2 main",
        "│ ├─╯",
        "│ ●    v2 idea",
        "├─╯",
        "●      v1 main",
        "●      v0 main",
    ]


@pytest.mark.usefixtures("pad")
def test_it_says_how_many_there_are_and_takes_nothing_that_tells_commits_apart(ask: Command) -> None:
    shown = ask("log", "--graph", "-n", 3)
    assert shown.out.count("●") == 3
    assert shown.err == "3 of 8 commits; more with --limit\n"
    assert len(ask("log", "--graph", "--json").data["commits"]) == 8
    assert "--graph draws all commits" in ask("log", "--graph", "--author", "ana", code=2).err


STEPS = st.lists(
    st.tuples(st.sampled_from(["write", "fork", "merge"]), st.integers(0, 5), st.integers(0, 5)), max_size=12
)


@settings(max_examples=40)
@given(steps=STEPS)
def test_every_commit_is_drawn_once_and_stands_above_those_that_it_follows(
    steps: list[tuple[str, int, int]],
) -> None:
    with Store.open("sqlite://", clock=lambda: 1) as store:
        branches = [store.create(Pad())]
        for kind, one, other in steps:
            here, there = branches[one % len(branches)], branches[other % len(branches)]
            if kind == "write":
                write(here, "left" if one % 2 else "right", f"{one}{other}{here.head}")
            elif kind == "fork":
                branches.append(here.fork(f"b{len(branches)}", other % (here.head + 1)))
            elif here.branch != there.branch:
                try:
                    here.merge(there.branch, author="me")
                except DissensusError:
                    continue
        session = branches[0]
        rows = [row.commit for row in woven(session, 1000) if row.commit]
        places = [(row.branch, row.version) for row in rows]
        assert len(places) == len(set(places)) == sum(map(held, session.branches()))
        infos = {one.name: one for one in session.branches()}
        at = {place: number for number, place in enumerate(places)}
        for row in rows:
            parents = [owner(infos, row.branch, row.version - 1)] if row.version else []
            if row.source and "merge" in row.source:
                merged = row.source["merge"]
                parents.append(owner(infos, merged["branch"], merged["version"]))
            assert all(at[parent] > at[row.branch, row.version] for parent in parents)
