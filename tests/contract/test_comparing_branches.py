"""Two branches or two sessions from where they part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from by_hand import answered, begun, concluded, rules
from dissensus_state.errors import NotFound
from dissensus_state.journal import Journal
from dissensus_state.patches import Operation
from dissensus_state.records import Change, Proposal
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from inquiries import Finding, Inquiry, Notes, does


def put(session: Session[Any], *does_what: Any, author: str = "ana") -> None:
    """One commit of one operation."""
    session.transact(does(*does_what), author)


def decided(session: Session[Any], text: str, *, cost: int) -> None:
    """A round that a supervisor ends with a text."""
    journal = Journal(session)
    opened, sent = begun(journal, "judge", "ana", "ben")
    journal.settle([answered(call, cost=cost) for call in sent])
    made = tuple(
        Proposal(name, (Operation("set", ("text",), said),), ("/a",), 0.5, 1, detail={})
        for name, said in (("ana", text), ("ben", "other"))
    )
    proposed = journal.propose(opened, made, {"disagreements": ["/text"]})
    change = Change("ana", made[0].patch, opened.base, (("a",),))
    journal.commit(proposed, change, rules(proposed, made, upheld=("ana",), dissent=("ben",)))


def test_two_branches_are_told_from_where_the_one_was_forked(notes: Session[Notes]) -> None:
    put(notes, "set", "a", 1)
    idea = notes.fork("idea")
    put(notes, "set", "b", 1)
    put(notes, "append", "lines", "x", author="ben")
    put(idea, "set", "b", 2)
    put(idea, "append", "lines", "x", author="ben")
    put(idea, "set", "text", "more")
    found = notes.compare("idea")
    assert (found.common, found.one.commits, found.other.commits) == (1, 2, 3)
    sides = [(one.one and one.one.version, one.other and one.other.version) for one in found.pairs]
    assert sides == [(2, 2), (3, 3), (None, 4)]
    assert [one.same for one in found.pairs] == [False, True, False]
    assert {item.path: (item.before, item.after) for item in found.differences} == {
        "/b": (1, 2),
        "/text": ("", "more"),
    }
    assert str(found).startswith("They part after v1\n")
    back = idea.compare(notes)
    assert (back.common, back.one.branch, back.other.branch) == (1, "idea", "main")
    with pytest.raises(NotFound):
        notes.compare("gone")


def test_decisions_that_differ_and_what_both_cost_are_told(notes: Session[Notes]) -> None:
    decided(notes, "before", cost=100)
    idea = notes.fork("idea")
    decided(notes, "the valve", cost=3)
    decided(notes, "same", cost=3)
    decided(idea, "the pump", cost=5)
    decided(idea, "same", cost=5)
    decided(idea, "once more", cost=7)
    found = notes.compare("idea")
    assert (found.one.rounds, found.one.rulings, found.one.calls, found.one.cost) == (2, 2, 4, 12)
    assert (found.other.rounds, found.other.calls, found.other.cost) == (3, 6, 34)
    assert found.one.latency_ms == 4 * 420
    told = [
        (one.step, one.ordinal, one.one and one.one.patch, one.other and one.other.patch)
        for one in found.decisions
    ]
    assert told == [
        ("judge", 1, [["set", "/text", "the valve"]], [["set", "/text", "the pump"]]),
        ("judge", 3, None, [["set", "/text", "once more"]]),
    ]
    assert found.as_dict()["decisions"][0]["one"]["decision"] == "uphold"
    assert "the pump" in found._repr_html_()


def test_a_branch_is_compared_with_what_it_was_forked_from_unchanged(notes: Session[Notes]) -> None:
    put(notes, "set", "a", 1)
    idea = notes.fork("idea")
    found = notes.compare(idea)
    assert (found.common, [*found.pairs], [*found.differences]) == (1, [], [])
    assert "the heads are equal" in str(found)
    assert "side by side" not in str(found)


def test_two_sessions_of_two_databases_part_where_their_commits_do(store: Store, tmp_path: Path) -> None:
    with Store.open(str(tmp_path / "other.db")) as other:
        sessions: list[Session[Inquiry]] = [one.create(Inquiry()) for one in (store, other)]
        for session in sessions:
            for number in range(3):
                with session.transaction("scout", "gather") as tx:
                    tx.append("findings", Finding(text=f"finding {number}"))
        with sessions[1].transaction("scout", "gather") as tx:
            tx.append("findings", Finding(text="one more"))
        concluded(sessions[0])
        found = sessions[0].compare(sessions[1])
        assert found.common == 3
        assert (found.one.commits, found.other.commits, found.one.rounds, found.other.rounds) == (2, 1, 1, 0)
        assert "/verdict" in [item.path for item in found.differences]
        alone = store.create(Notes()).compare(sessions[1])
        assert alone.common == -1
        assert "They have no version in common" in str(alone)
