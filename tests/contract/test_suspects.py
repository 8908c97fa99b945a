"""What rests on a retracted commit is suspect, until the retraction is taken back."""

from __future__ import annotations

from typing import Any

import pytest

from dissensus_state.sessions import Session
from dissensus_state.store import Store
from inquiries import Notes, does
from resting import Life, Naive


def wrote(session: Session[Any], path: str, value: Any, *reads: str) -> int:
    """A commit that sets a value after reading some paths."""
    with session.transaction("ana") as tx:
        for read in reads:
            tx.read(read)
        tx.set(path, value)
    return session.head


def test_what_rests_on_a_retracted_commit_is_suspect_with_its_reasons(notes: Session[Notes]) -> None:
    wrote(notes, "text", "wrong")
    wrote(notes, "a", 1, "text")
    wrote(notes, "b", 1)
    wrote(notes, "anything", 1, "a")
    assert [*notes.suspects()] == []
    assert not notes.suspects().retractions
    notes.retract(1, author="ben", reason="forged")
    found = notes.suspects()
    assert found.versions == [2, 4]
    assert [one.retracted for one in found] == [("main", 1)] * 2
    (link,) = found[0].commit.links
    assert (link.path, link.reader, link.base, link.version) == ("/text", "ana", 1, 1)
    assert found.of("main", 3) is None
    marks = found.marks("main", 1)
    assert marks["suspect"] is None
    assert marks["retracted"]["reason"] == "forged"
    assert "retracted: v1 of main, by ben in v5: forged" in str(found)
    notes.retract(1, author="ben", reason="it was not", undo=True)
    assert [*notes.suspects()] == []


def test_a_revert_of_the_retracted_commit_is_the_cure_and_not_suspect(notes: Session[Notes]) -> None:
    wrote(notes, "text", "wrong")
    notes.retract(1, author="ben", reason="forged")
    notes.revert(1, author="ben")
    wrote(notes, "a", 1, "text")
    assert notes.suspects().versions == []
    assert notes.impact(1).versions == [3, 4], "it is of its impact all the same"


def test_a_fork_before_the_retracted_commit_is_clean_also_where_it_supersedes(notes: Session[Notes]) -> None:
    fix = notes.fork("fix")
    wrote(notes, "text", "wrong")
    wrote(notes, "a", 1, "text")
    wrote(notes, "b", 1)
    notes.retract(1, author="ben", reason="forged")
    fix.carry(notes.commit_at(3))
    wrote(fix, "a", 2)
    fix.supersede("main", author="ana")
    assert fix.suspects().versions == []
    assert fix.suspects().retracted("main", 1) is not None
    merged = notes.merge("fix", author="ana").commit
    assert merged is not None
    assert notes.suspects().versions == [], "the merge of what was repaired is the cure"
    assert (notes.state.a, notes.state.b, notes.state.text) == (2, 1, "")
    wrote(notes, "anything", 1, "a", "text")
    assert notes.suspects().versions == []


def test_what_is_carried_over_though_it_is_suspect_stays_so(notes: Session[Notes]) -> None:
    fix = notes.fork("fix")
    wrote(notes, "text", "wrong")
    wrote(notes, "a", 1, "text")
    notes.retract(1, author="ben", reason="forged")
    fix.carry(notes.commit_at(2))
    fix.supersede("main", author="ana")
    (found,) = fix.suspects()
    assert (found.version, found.commit.links[0].kind) == (1, "carry")


def test_what_was_carried_over_though_it_is_suspect_is_so_after_the_merge(notes: Session[Notes]) -> None:
    fix = notes.fork("fix")
    wrote(notes, "text", "wrong")
    wrote(notes, "a", 1, "text")
    wrote(notes, "b", 1, "text")
    notes.retract(1, author="ben", reason="forged")
    fix.carry(notes.commit_at(2))
    wrote(fix, "b", 1)
    fix.supersede("main", author="ana")
    notes.merge("fix", author="ana")
    head = notes.head
    assert notes.suspects().versions == [2, head]
    wrote(notes, "anything", 1, "a")
    wrote(notes, "anything", 2, "b")
    assert notes.suspects().versions == [2, head, head + 1]


@pytest.mark.parametrize("seed", range(8))
def test_the_suspects_of_a_random_history_are_those_of_a_naive_walk(store: Store, seed: int) -> None:
    session = store.create(Notes())
    Life(session, seed).live(60)
    naive = Naive(session, cures=True)
    for name, line in naive.lines.items():
        found = session.on(name).suspects()
        tainted = naive.impact(*found.retractions) if found.retractions else set()
        here = {(commit.branch, commit.version) for commit in line}
        known = tainted | {*found.retractions}
        left = {tip for tip in tainted & here if not naive.cured(name, tip, len(line) - 1, known)}
        assert {(one.commit.branch, one.version) for one in found} == left
        for one in found:
            assert one.retracted in found.retractions


def test_a_retraction_is_found_by_the_branch_that_it_went_into_alone(notes: Session[Notes]) -> None:
    wrote(notes, "text", "wrong")
    wrote(notes, "a", 1, "text")
    idea = notes.fork("idea")
    idea.retract(1, author="ben", reason="forged")
    assert idea.suspects().versions == [2]
    assert notes.suspects().versions == []
    idea.transact(does("set", "b", 1), "ana")
    notes.merge("idea", author="ana")
    assert notes.suspects().versions == [2]
