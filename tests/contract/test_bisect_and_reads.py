"""Searching the history: the first bad version, and who saw a value when."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from by_hand import concluded
from dissensus_state.bisect import Search
from dissensus_state.errors import NoneBad, NotFound
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from dissensus_state.values import overlap, parse_path
from inquiries import Inquiry, Notes, does
from resting import PATHS, Life


@pytest.fixture
def counted(store: Store) -> Session[Notes]:
    """Thirty versions; the value is wrong from the twentieth on."""
    session = store.create(Notes())
    for number in range(1, 31):
        session.transact(does("set", "a", -1 if number == 20 else number), "ana")
        if number == 20:
            session.transact(does("set", "b", 1), "ben")
    return session


def test_the_first_version_at_which_a_test_fails_is_found_with_who_made_it(counted: Session[Notes]) -> None:
    found = counted.bisect(lambda state: state.b == 0)
    assert (found.version, found.good, found.commit.author) == (21, 20, "ben")
    assert found.reads == len(found.tested) <= 6
    assert str(found) == f"v21 of main is the first bad version ({found.reads} looked at): ben, wrote /b"
    assert found.as_dict()["commit"]["author"] == "ben"


def test_the_first_version_at_which_a_test_holds_is_found_when_that_is_asked(counted: Session[Notes]) -> None:
    assert counted.bisect(lambda state: state.a > 4, find="holds", bad=19).version == 5
    with pytest.raises(NoneBad, match="v0, which should be good, is bad already") as caught:
        counted.bisect(lambda state: state.b == 1)
    assert "--holds" in caught.value.next_step
    with pytest.raises(NoneBad, match="v31, which should be bad, is good already"):
        counted.bisect(lambda state: state.b < 2)
    with pytest.raises(NoneBad, match=r"no version between v5 \(good\) and v5"):
        counted.bisect(lambda _: True, 5, 5)
    with pytest.raises(NotFound, match="There is no version 99"):
        counted.bisect(lambda _: True, 0, 99)


def test_without_a_schema_the_test_is_given_what_is_stored(counted: Session[Notes], store: Store) -> None:
    bare: Session[Any] = store.session(counted.name)
    assert bare.bisect(lambda state: state["b"] == 0).version == 21


def test_versions_that_cannot_be_told_are_skipped(counted: Session[Notes]) -> None:
    found = counted.bisect(lambda state: None if state.a in {14, 15, 16} else state.b == 0)
    assert found.version == 21
    assert None in dict(found.tested).values()
    with pytest.raises(NoneBad, match="Only skipped versions are left: the first bad one is any of v20"):
        counted.bisect(lambda state: None if state.a in {-1, 20, 21, 22} else state.b == 0)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([True, False, None]), min_size=2, max_size=60))
def test_whatever_the_history_a_change_from_good_to_bad_is_found_or_there_is_a_reason(
    told: list[bool | None],
) -> None:
    search = Search(told.__getitem__, 0, len(told) - 1)
    try:
        good, bad = search.run()
    except NoneBad:
        explained = None in told or told[0] is False or told[-1] is True
    else:
        explained = good + 1 == bad and told[bad] is not True and told[good] is not False
    assert explained
    assert len(search.tested) <= len(told)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_history_that_changes_once_takes_no_more_than_log2_and_one_looks(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 100_000))
    first = data.draw(st.integers(1, count))
    search = Search(lambda version: version < first, 0, count)
    assert search.run() == (first - 1, first)
    assert len(search.tested) <= max(2, (count - 1).bit_length() + 1) <= 18


# Who saw it


def test_who_saw_a_value_is_told_newest_first_with_what_they_saw(inquiry: Session[Inquiry]) -> None:
    with inquiry.transaction("ana", "gather") as tx:
        tx.read("findings/0/text")
        tx.add("doubts", 1)
    concluded(inquiry)
    told = [
        (one.kind, one.agent, one.path, one.base, one.version, one.status)
        for one in inquiry.reads("findings")
    ]
    assert told == [
        ("ruling", "chair", "/findings", 3, 4, "uphold"),
        ("proposal", "ana", "/findings", 3, 4, "accepted"),
        ("proposal", "ben", "/findings", 3, 4, "dissent"),
        ("commit", "ana", "/findings/0/text", 1, 2, None),
    ]
    assert [one.written for one in inquiry.reads("/findings/0")] == [1, 1, 1, 1]
    assert [*inquiry.reads("answers")] == []


@pytest.mark.parametrize("seed", range(6))
def test_every_read_is_told_once_however_the_pages_are_cut(store: Store, seed: int) -> None:
    session = store.create(Notes())
    Life(session, seed).live(60)
    for branch in session.branches():
        line = session.on(branch.name)
        for path in PATHS:
            whole = [*line.reads(path, limit=10_000)]
            pages, before = [], None
            for _ in range(1000):
                page = line.reads(path, limit=2, before=before)
                pages += page
                if (before := page.before) is None:
                    break
            assert pages == whole
            by_hand = [
                commit.version
                for commit in line.watch(-1, timeout=0)
                if commit.round is None and any(overlap(read, parse_path(path)) for read in commit.read_paths)
            ]
            told = [one.version for one in whole if one.kind == "commit" and one.round is None]
            assert told == by_hand[::-1]
            for one in whole:
                assert one.written is None or one.written <= one.base
