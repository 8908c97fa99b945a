"""Commits that speak of others: retracted, carried over from another line, superseded."""

from __future__ import annotations

from typing import Any

import pytest

from by_hand import concluded
from dissensus_state.errors import (
    BranchClosed,
    CarryRefused,
    Conflict,
    Denied,
    NotFound,
    Tampered,
    ValueRefused,
)
from dissensus_state.rights import Rights
from dissensus_state.sessions import Session
from dissensus_state.shapes import SharedState
from dissensus_state.store import Store
from dissensus_state.values import canonical
from inquiries import Finding, Inquiry, Notes, does, nothing_changes
from tampering import forge


def put(session: Session[Any], *does_what: Any, author: str = "ana", **options: Any) -> None:
    """One commit of one operation."""
    session.transact(does(*does_what), author, **options)


def test_a_retraction_is_a_commit_that_changes_nothing(notes: Session[Notes]) -> None:
    put(notes, "set", "a", 1)
    put(notes, "set", "b", 2)
    made = notes.retract(1, author="ben", reason=" the source was forged ")
    assert (made.version, made.author, made.patch, made.reads) == (3, "ben", (), ())
    assert made.source == {"retract": {"branch": "main", "version": 1, "reason": "the source was forged"}}
    assert canonical(notes.raw()) == canonical(notes.raw(2))
    assert notes.verify().versions == notes.replay().versions == 4
    assert [item.version for item in notes.watch(-1, timeout=0)] == [0, 1, 2, 3]


def test_what_is_retracted_is_not_retracted_again_but_can_be_reinstated(notes: Session[Notes]) -> None:
    put(notes, "set", "a", 1)
    notes.retract(1, author="ben", reason="forged")
    with nothing_changes(notes), pytest.raises(Conflict, match="retracted already, by ben in version 2") as e:
        notes.retract(1, author="ana", reason="again")
    assert e.value.context["retracted_by"] == 2
    made = notes.retract(1, author="ana", reason="it was not", undo=True)
    assert made.source == {
        "retract": {"branch": "main", "version": 1, "reason": "it was not", "undo": [["main", 2]]}
    }
    with pytest.raises(NotFound, match="Version 1 is not retracted"):
        notes.retract(1, author="ana", reason="twice", undo=True)
    notes.retract(1, author="ana", reason="it was after all")
    notes.verify()


def test_a_retraction_is_made_once_under_its_key(notes: Session[Notes]) -> None:
    put(notes, "set", "a", 1)
    one = notes.retract(1, author="ben", reason="forged", key="k")
    assert notes.retract(1, author="ben", reason="forged", key="k") == one


def test_what_cannot_be_wrong_or_is_not_there_is_not_retracted(notes: Session[Notes]) -> None:
    put(notes, "set", "a", 1)
    notes.retract(1, author="ben", reason="forged")
    with nothing_changes(notes):
        with pytest.raises(NotFound, match="wrote nothing") as caught:
            notes.retract(2, author="ben", reason="not so")
        assert "--undo" in caught.value.next_step
        with pytest.raises(NotFound, match="There is no version 9"):
            notes.retract(9, author="ben", reason="no")
        for reason in ("", "  ", "x" * 2001):
            with pytest.raises(ValueRefused, match="gives its reason"):
                notes.retract(0, author="ben", reason=reason)
    notes.close_branch()
    with pytest.raises(BranchClosed):
        notes.retract(0, author="ben", reason="late")


class Kept(SharedState):
    """A state on which not everybody may rule."""

    text: str = ""
    other: str = ""

    rights = [
        Rights("chair", read="/", rule="text"),
        Rights("ana", read="/", commit="/"),
        Rights("ben", read="/", commit="other"),
    ]


def test_to_retract_takes_the_right_to_rule_on_what_was_written(store: Store) -> None:
    kept = store.create(Kept())
    put(kept, "set", "text", "one")
    put(kept, "set", "other", "one")
    with nothing_changes(kept), pytest.raises(Denied, match="ana may rule on nothing"):
        kept.retract(1, author="ana", reason="no")
    with pytest.raises(Denied):
        kept.retract(2, author="chair", reason="not hers")
    assert [item.body["author"] for item in kept.events("refused")] == ["ana", "chair"]
    kept.retract(1, author="chair", reason="forged")
    kept.verify()


@pytest.mark.parametrize(
    "source",
    [
        '{"retract":{"branch":"main","reason":"x","version":2}}',
        '{"retract":{"branch":"main","reason":"x","version":9}}',
        '{"retract":{"branch":"gone","reason":"x","version":1}}',
        '{"retract":{"branch":"main","version":1}}',
        '{"retract":{"branch":"main","reason":"x","undo":[["main",1]],"version":1}}',
        '{"retract":7}',
    ],
)
def test_a_forged_retraction_is_found(notes: Session[Notes], source: str) -> None:
    put(notes, "set", "a", 1)
    notes.retract(1, author="ben", reason="forged")
    forge(notes, 2, source=source)
    with pytest.raises(Tampered, match="Version 2"):
        notes.verify()


def test_a_retraction_that_writes_is_found(notes: Session[Notes]) -> None:
    put(notes, "set", "a", 1)
    notes.retract(1, author="ben", reason="forged")
    forge(notes, 2, patch='[["set","/a",7]]')
    with pytest.raises(Tampered, match="a retraction writes nothing"):
        notes.verify()


# Carrying over


def test_a_commit_is_carried_over_with_its_author_reads_and_transition(inquiry: Session[Inquiry]) -> None:
    fix = inquiry.fork("fix")
    with inquiry.transaction("ana", "gather", isolation="snapshot") as tx:
        tx.read("findings")
        tx.evidence({"checked": True})
        tx.append("findings", Finding(text="It was cold"))
    inquiry.transact(does("union", "tags", ["x"]), "ben", "gather")
    made = fix.carry(inquiry.commit_at(2), key="carried 2")
    origin = inquiry.commit_at(2)
    for name in ("author", "transition", "reads", "patch", "evidence", "isolation"):
        assert getattr(made, name) == getattr(origin, name), name
    assert (made.version, made.branch, made.base, made.round) == (2, "fix", 1, None)
    assert made.source == {"carry": {"branch": "main", "version": 2, "hash": origin.hash.hex()}}
    assert fix.carry(origin, key="carried 2") == made
    assert fix.state == inquiry.at(2)
    assert fix.verify().versions == fix.replay().versions == 3


def test_a_phase_is_moved_anew_by_the_transition_that_is_carried(inquiry: Session[Inquiry]) -> None:
    fix = inquiry.fork("fix", 0)
    with inquiry.transaction("ana", "open_judging"):
        pass
    with nothing_changes(fix), pytest.raises(CarryRefused, match="does not fit onto version 0 of 'fix'") as e:
        fix.carry(inquiry.commit_at(2))
    assert (e.value.context["origin"], e.value.context["because"]) == ("main@2", "transition.refused")
    fix.carry(inquiry.commit_at(1))
    fix.carry(inquiry.commit_at(2))
    assert fix.state.phase == "judging"
    fix.verify()


def test_what_ended_a_round_is_carried_without_it_though_it_took_a_ruling(inquiry: Session[Inquiry]) -> None:
    fix = inquiry.fork("fix")
    concluded(inquiry)
    last = inquiry.commit_at(inquiry.head)
    assert last.round is not None
    for version in range(2, inquiry.head + 1):
        fix.carry(inquiry.commit_at(version))
    made = fix.commit_at(fix.head)
    assert made.round is None
    assert made.source is not None
    assert made.source["carry"]["version"] == last.version
    assert fix.state == inquiry.state
    assert fix.verify().versions == inquiry.head + 1


def test_what_does_not_fit_is_refused_and_says_why(notes: Session[Notes]) -> None:
    fix = notes.fork("fix")
    put(notes, "set", "answers/new", 1)
    put(notes, "remove", "answers/new")
    with (
        nothing_changes(fix),
        pytest.raises(CarryRefused, match="There is nothing at /answers/new") as caught,
    ):
        fix.carry(notes.commit_at(2))
    assert caught.value.context["because"] == "not_found"
    with pytest.raises(NotFound, match="brings nothing"):
        fix.carry(notes.commit_at(0))
    with pytest.raises(Conflict, match="on this branch already"):
        notes.carry(notes.commit_at(1))
    notes.retract(1, author="ben", reason="x")
    with pytest.raises(NotFound, match="brings nothing"):
        fix.carry(notes.commit_at(3))


def test_who_carries_in_a_name_of_their_own_needs_the_right_to_commit(store: Store) -> None:
    kept = store.create(Kept())
    fix = kept.fork("fix")
    put(kept, "set", "text", "one")
    with nothing_changes(fix), pytest.raises(Denied, match="ben may commit /other"):
        fix.carry(kept.commit_at(1), author="ben")
    assert fix.carry(kept.commit_at(1)).author == "ana"
    fix.verify()


@pytest.mark.parametrize(
    "values",
    [
        {"patch": '[["set","/a",7]]'},
        {"author": "eve", "patch": '[["set","/a",7]]'},
        {"reads": '["/b"]'},
        {"source": '{"carry":{"branch":"main","hash":"00","version":1}}'},
        {"source": '{"carry":{"branch":"main","version":1}}'},
        {"source": '{"carry":{"branch":"gone","hash":"00","version":1}}'},
        {"transition": "gather"},
    ],
)
def test_a_forged_carried_commit_is_found(notes: Session[Notes], values: dict[str, Any]) -> None:
    fix = notes.fork("fix")
    put(notes, "set", "a", 1)
    fix.carry(notes.commit_at(1))
    fix.verify()
    forge(fix, 1, **values)
    with pytest.raises(Tampered, match="Version 1"):
        fix.verify()


# Superseding


def test_merging_a_branch_that_supersedes_brings_exactly_the_difference(notes: Session[Notes]) -> None:
    put(notes, "append", "lines", "a")
    fix = notes.fork("fix")
    put(notes, "append", "lines", "wrong")
    put(notes, "append", "lines", "c")
    put(notes, "add", "total", 5)
    for version in (3, 4):
        fix.carry(notes.commit_at(version))
    put(fix, "set", "text", "mended")
    made = fix.supersede("main", author="ana")
    assert made.patch == ()
    assert made.source is not None
    assert made.source["merge"]["ours"] is True
    assert fix.state.lines == ["a", "c"]
    put(notes, "append", "lines", "later")
    with pytest.raises(NotFound, match="went into 'fix' already"):
        notes.on("fix").supersede("fix", author="ana")
    merged = notes.merge("fix", author="ana").commit
    assert merged is not None
    assert (notes.state.lines, notes.state.total, notes.state.text) == (["a", "c", "later"], 5, "mended")
    assert fix.merge("main", author="ana").commit is not None
    assert fix.state == notes.state
    for session in (notes, fix):
        assert session.verify().versions == session.replay().versions


def test_what_is_superseded_already_is_told(notes: Session[Notes]) -> None:
    fix = notes.fork("fix")
    put(notes, "set", "a", 1)
    fix.supersede("main", author="ana", key="k")
    assert fix.supersede("main", author="ana", key="k").version == 1
    with nothing_changes(fix), pytest.raises(NotFound, match="went into 'fix' already"):
        fix.supersede("main", author="ana")
    with pytest.raises(NotFound):
        fix.supersede("gone", author="ana")


@pytest.mark.parametrize(
    "values",
    [
        {"patch": '[["set","/a",7]]'},
        {"source": '{"merge":{"branch":"main","hash":"00","ours":true,"version":1}}'},
        {"source": '{"merge":{"branch":"main","ours":true,"version":99}}'},
    ],
)
def test_a_forged_superseding_is_found(notes: Session[Notes], values: dict[str, Any]) -> None:
    fix = notes.fork("fix")
    put(notes, "set", "a", 1)
    fix.supersede("main", author="ana")
    fix.verify()
    forge(fix, 1, **values)
    with pytest.raises(Tampered, match="Version 1"):
        fix.verify()


def test_without_the_schema_these_commits_are_verified_too(store: Store) -> None:
    notes = store.create(Notes())
    fix = notes.fork("fix")
    put(notes, "set", "a", 1)
    fix.carry(notes.commit_at(1))
    fix.retract(1, author="ben", reason="forged")
    fix.supersede("main", author="ana")
    bare = store.session(notes.name).on("fix")
    assert bare.verify().versions == 4
    forge(fix, 1, patch='[["set","/a",7]]')
    with pytest.raises(Tampered, match="Version 1"):
        bare.verify()
