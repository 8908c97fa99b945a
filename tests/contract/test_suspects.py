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


def repaired(notes: Session[Notes], value: int) -> Session[Notes]:
    """A wrong text, what read it (`a`) and what did not (`b`); and a branch that does without it."""
    fix = notes.fork("fix")
    wrote(notes, "text", "wrong")
    wrote(notes, "a", 1, "text")
    wrote(notes, "b", 1)
    notes.retract(1, author="ben", reason="forged")
    fix.carry(notes.commit_at(3))
    wrote(fix, "a", value, "text")
    fix.supersede("main", author="cid")
    return fix


@pytest.mark.parametrize("value", [1, 2])
def test_a_merged_repair_settles_what_it_stands_for(notes: Session[Notes], value: int) -> None:
    fix = repaired(notes, value)
    assert (notes.suspects().versions, [*notes.suspects().repaired]) == ([2], [])
    notes.merge("fix", author="cid")
    found = notes.suspects()
    assert found.versions == []
    (done,) = found.repaired
    assert (done.version, done.repaired, done.retracted) == (2, 5, ("main", 1))
    assert "repaired by v5" in str(done)
    marks = found.marks("main", 2)
    assert marks["suspect"] is None
    assert marks["repaired"]["repaired"] == 5
    assert found.marks("main", 1)["retracted"]["reason"] == "forged"
    assert found.marks("main", 1)["repaired"] is None
    wrote(notes, "anything", 1, "a")
    assert notes.suspects().versions == []
    assert notes.impact(1).versions == ([2, 6] if value == 1 else [2]), (
        "impact is about history, which does not change"
    )
    told = notes.blame("/a").commit
    assert (told.branch, told.version) == ("fix", 2), "also where the repair wrote the same value anew"
    assert fix.suspects().marks("fix", 2)["suspect"] is None
    assert notes.blame("/a", 4).commit.version == 2, "before the merge it was as it was"
    assert notes.blame("/b").commit.branch == "fix"


def test_what_the_repair_wrote_anew_on_what_is_suspect_is_so_though_the_value_is_the_same(
    notes: Session[Notes],
) -> None:
    fix = notes.fork("fix")
    wrote(notes, "text", "wrong")
    wrote(notes, "a", 1, "text")
    wrote(notes, "b", 1, "a", "text")
    notes.retract(1, author="ben", reason="forged")
    fix.carry(notes.commit_at(2))
    wrote(fix, "b", 1, "a")
    fix.supersede("main", author="cid")
    notes.merge("fix", author="cid")
    found = notes.suspects()
    assert (found.versions, [one.version for one in found.repaired]) == ([2, 5], [3])
    told = notes.blame("/b").commit
    assert (told.branch, told.version) == ("fix", 2)
    assert found.marks("fix", 2)["suspect"] is not None, "its writer is suspect where it stands"
    head = wrote(notes, "anything", 1, "b")
    assert notes.suspects().versions == [2, 5, head]


def test_what_came_after_the_version_that_is_superseded_stays_suspect(notes: Session[Notes]) -> None:
    repaired(notes, 2)
    late = wrote(notes, "total", 1, "text")
    notes.merge("fix", author="cid")
    assert notes.suspects().versions == [late]
    head = wrote(notes, "anything", 1, "total", "a")
    assert notes.suspects().versions == [late, head]


def test_a_merge_that_is_taken_back_settles_nothing_until_that_is_taken_back(notes: Session[Notes]) -> None:
    repaired(notes, 2)
    merge = notes.merge("fix", author="cid").commit
    assert merge is not None
    undone = notes.revert(merge.version, author="cid").version
    found = notes.suspects()
    assert (found.versions, [*found.repaired]) == ([2, undone], [])
    assert [link.kind for link in found[1].commit.links] == ["restore"] * 2
    assert "puts back /text as of v1 of main" in str(found[1])
    head = wrote(notes, "anything", 1, "a")
    assert notes.suspects().versions == [2, undone, head]
    again = notes.revert(undone, author="cid").version
    found = notes.suspects()
    assert [one.version for one in found.repaired] == [2]
    assert (found.versions, again) == ([undone, head, again], head + 1), "it takes back what is suspect"


def test_with_the_retraction_taken_back_nothing_is_suspect_nor_repaired(notes: Session[Notes]) -> None:
    repaired(notes, 2)
    notes.merge("fix", author="cid")
    notes.retract(1, author="ben", reason="it was not", undo=True)
    found = notes.suspects()
    assert (found.versions, [*found.repaired]) == ([], [])
    assert found.marks("main", 2) == {"retracted": None, "suspect": None, "repaired": None}


def test_a_branch_that_was_forked_after_the_wrong_commit_settles_not_what_it_holds(
    notes: Session[Notes],
) -> None:
    wrote(notes, "text", "wrong")
    wrote(notes, "a", 1, "text")
    fix = notes.fork("fix")
    wrote(notes, "b", 1, "text")
    notes.retract(1, author="ben", reason="forged")
    wrote(fix, "b", 1)
    fix.supersede("main", author="cid")
    notes.merge("fix", author="cid")
    found = notes.suspects()
    assert (found.versions, [one.version for one in found.repaired]) == ([2], [3])
    head = wrote(notes, "anything", 1, "a")
    assert notes.suspects().versions == [2, head]


def test_a_repair_that_comes_to_the_same_state_is_merged_all_the_same_once(notes: Session[Notes]) -> None:
    fix = notes.fork("fix")
    wrote(notes, "text", "wrong")
    wrote(notes, "a", 1, "text")
    wrote(notes, "text", "right")
    notes.retract(1, author="ben", reason="forged")
    wrote(fix, "a", 1, "text")
    fix.carry(notes.commit_at(3))
    fix.supersede("main", author="cid")
    merged = notes.merge("fix", author="cid").commit
    assert merged is not None
    assert merged.patch == ()
    assert (notes.suspects().versions, [one.version for one in notes.suspects().repaired]) == ([], [2])
    assert notes.merge("fix", author="cid").commit is None
    assert fix.merge("main", author="cid").commit is None
    assert notes.verify().versions == notes.head + 1


def test_a_repair_by_way_of_another_branch_counts_as_well(notes: Session[Notes]) -> None:
    repaired(notes, 1)
    idea = notes.fork("idea")
    merged = idea.merge("fix", author="cid").commit
    assert merged is not None
    assert (idea.suspects().versions, notes.suspects().versions) == ([], [2])
    notes.merge("idea", author="cid")
    assert (notes.suspects().versions, notes.blame("/a").commit.branch) == ([], "fix")


@pytest.mark.parametrize(
    ("seed", "mends"), [*((seed, False) for seed in range(6)), *((seed, True) for seed in (0, 1, 63, 65, 85))]
)
def test_the_suspects_of_a_random_history_are_those_of_a_naive_walk(
    store: Store, *, seed: int, mends: bool
) -> None:
    session = store.create(Notes())
    Life(session, seed, mends=mends).live(90 if mends else 60)
    naive = Naive(session, cures=True)
    for name, line in naive.lines.items():
        found = session.on(name).suspects()
        tainted = naive.impact(*found.retractions) if found.retractions else set()
        here = {(commit.branch, commit.version) for commit in line}
        left = here & naive.left(name, len(line) - 1, tainted)
        assert {(one.commit.branch, one.version) for one in found} == left
        assert {(one.commit.branch, one.version) for one in found.repaired} == (here & tainted) - left
        for one in (*found, *found.repaired):
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
