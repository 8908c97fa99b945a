"""Who wrote a value, asked of the index, is whom all of the history names, folded step by step."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as drawn
from hypothesis import strategies as st

from dissensus_state import blame, commits, lifting
from dissensus_state.blame import folded_writer
from dissensus_state.engines import Work
from dissensus_state.errors import DissensusError, NotFound, Pruned
from dissensus_state.lifting import Keys
from dissensus_state.patches import get
from dissensus_state.peeking import NOTHING, Past
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from dissensus_state.values import canonical, parse_path
from touching import PATHS, Grower, small_blocks


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    small_blocks(monkeypatch)


def _said(work: Work, session: Session[Any], path: str, version: int) -> tuple[Any, ...]:
    """The value at a path and its writer, as the index and as the whole history have it."""
    place = parse_path(path)
    past = Past(work, session.session_id, session.branch, version)
    keys = Keys(work, session.session_id)
    try:
        state, number = lifting.stored_at(work, session.session_id, session.branch, version)
        whole = get(state, place, keys.of(number))
    except Pruned:
        with pytest.raises(Pruned):
            past.value(place, version)
        return (None, None, None)
    except NotFound:
        assert past.value(place, version) is NOTHING
        return (None, None, None)
    text = canonical(whole)
    assert past.text(place, version) == text, (path, version)
    where = (work, session.session_id, session.branch, place, version, text)
    return text, _tried(blame.writer, *where), _tried(folded_writer, *where, keys)


def _tried(find: Any, *arguments: Any) -> Any:
    try:
        found = find(*arguments)
    except DissensusError as error:
        return type(error)
    return found.branch, found.version


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@drawn(data=st.data())
def test_g09_the_index_names_the_writer_whom_the_whole_history_names(
    store: Store, small: None, data: st.DataObject
) -> None:
    grown = Grower(store, data)
    grown.grow(data.draw(st.integers(1, 25), "steps"))
    for session in grown.open.values():
        versions = {session.head, data.draw(st.integers(0, session.head), "version")}
        with session.reading() as work:
            for version in versions:
                for path in ["", *PATHS]:
                    text, found, expected = _said(work, session, path, version)
                    assert found == expected, (session.branch, path, version, text)


def test_g09_few_commits_are_read_to_name_the_writer_of_one_item_of_many(
    store: Store, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Grower.long(store, 120)
    read: list[int] = []
    once = Past.commit

    def counted(past: Past, version: int) -> Any:
        read.append(version)
        return once(past, version)

    monkeypatch.setattr(Past, "commit", counted)
    monkeypatch.setattr(commits, "restore", lambda *_: pytest.fail("the state was put together"))
    for number in (0, 57, 119):
        found = session.blame(f"/lines/{number}")
        assert (found.value, found.commit.version) == (f"line {number}", number + 1)
    assert session.blame("/text").commit.version == 119
    assert len(read) <= 20
    monkeypatch.undo()
    assert session.blame("/total").commit.version == 120
