"""Merges: three ways by path, what is contested kept until somebody settles it, nothing counted twice."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, Literal

import pytest

from dissensus_state import tables
from dissensus_state.errors import (
    Conflict,
    Denied,
    InvariantViolated,
    NotFound,
    SchemaRefused,
    Tampered,
    ValueRefused,
)
from dissensus_state.machine import Transition
from dissensus_state.records import Change
from dissensus_state.rights import Rights
from dissensus_state.sessions import Session
from dissensus_state.shapes import Append, SharedState
from dissensus_state.store import Store
from dissensus_state.three_way import ABSENT
from inquiries import Claim, Notes, Shift, does, nothing_changes
from tampering import changed, rows

LONG = "A" * 70_000


def put(session: Session[Any], *does_what: Any, author: str = "ana", **options: Any) -> None:
    """One commit of one operation."""
    session.transact(does(*does_what), author, **options)


def contested(session: Session[Any], source: str) -> Sequence[int]:
    """The numbers of the conflicts that a merge leaves."""
    result = session.merge(source, author="ana")
    assert result.commit is None
    return [one.conflict for one in result.conflicts]


@pytest.fixture
def apart(notes: Session[Notes]) -> tuple[Session[Notes], Session[Notes]]:
    """A session and a fork of it that have changed the same text."""
    put(notes, "set", "text", "base")
    idea = notes.fork("idea")
    put(notes, "set", "text", "ours")
    put(idea, "set", "text", "theirs")
    return notes, idea


def test_what_each_side_did_is_there_after_a_merge(notes: Session[Notes]) -> None:
    put(notes, "append", "lines", "base")
    put(notes, "merge", "claims", [Claim(id="p"), Claim(id="q")])
    idea = notes.fork("idea")
    for session, name in ((notes, "main"), (idea, "idea")):
        put(session, "append", "lines", name)
        put(session, "add", "total", 2)
        put(session, "union", "tags", [name])
        put(session, "merge", "answers", {name: {"is": name}})
    put(notes, "set", "a", 1)
    put(idea, "set", "b", 2)
    put(idea, "set", "claims", [Claim(id="q")])
    put(notes, "merge", "claims", [Claim(id="q", text="new")])
    made = notes.merge("idea", author="ben").commit
    assert made is not None
    assert (made.author, made.version, notes.head) == ("ben", made.version, made.version)
    state = notes.state
    assert (state.a, state.b, state.total, state.lines) == (1, 2, 4, ["base", "main", "idea"])
    assert (state.tags, sorted(state.answers)) == ({"main", "idea"}, ["idea", "main"])
    assert state.claims == [Claim(id="q", text="new")]
    assert made.source is not None
    assert made.source["merge"]["bases"] == [["main", 2]]
    assert made.source["merge"]["version"] == idea.head
    assert notes.verify().versions == notes.head + 1


def test_merging_again_brings_only_what_is_new_whichever_way(notes: Session[Notes]) -> None:
    idea = notes.fork("idea")
    for number in range(3):
        put(notes, "append", "lines", f"m{number}")
        put(idea, "append", "lines", f"i{number}")
        put(idea, "add", "total", 1)
        put(notes, "add", "total", 1)
        for one, other in ((notes, "idea"), (idea, "main")):
            before = one.state.total
            assert one.merge(other, author="ana").commit is not None
            assert one.state.total in {before + 1, 2 * number + 2}
            head = one.head
            again = one.merge(other, author="ana")
            assert (again.commit, again.conflicts, one.head) == (None, (), head)
        assert notes.state == idea.state
        assert (len(notes.state.lines), notes.state.total) == (2 * number + 2, 2 * number + 2)
    heads = notes.head, idea.head
    for _ in range(3):
        assert notes.merge("idea", author="ana").commit is None
        assert idea.merge("main", author="ana").commit is None
    assert (notes.head, idea.head) == heads, "merges that bring nothing are none"
    assert notes.merge("main", author="ana").commit is None
    for session in (notes, idea):
        session.verify()


def test_two_who_both_merged_the_same_two_ideas_count_neither_twice(notes: Session[Notes]) -> None:
    ideas = [notes.fork(name) for name in ("one", "two")]
    chairs = [notes.fork(name) for name in ("left", "right")]
    for number, idea in enumerate(ideas):
        put(idea, "add", "total", 10 ** (number + 1))
        put(idea, "append", "lines", idea.branch)
        put(idea, "set", "text", idea.branch)
    for chair, order in zip(chairs, (("one", "two"), ("two", "one")), strict=True):
        chair.merge(order[0], author="ana")
        (number,) = contested(chair, order[1])
        chair.settle(number, "ours", author="ana")
        chair.merge(order[1], author="ana")
        put(chair, "add", "total", 1)
    left, right = chairs
    (number,) = contested(left, "right")
    (one,) = left.conflicts(open_only=True)
    assert (one.path, one.ours, one.theirs, one.base) == ("/text", "one", "two", ABSENT)
    left.settle(number, {"value": "both"}, author="ana")
    made = left.merge("right", author="ana").commit
    assert made is not None
    assert made.source is not None
    assert made.source["merge"]["bases"] == [["one", 3], ["two", 3]]
    assert (left.state.total, sorted(left.state.lines), left.state.text) == (112, ["one", "two"], "both")
    left.verify()
    right.verify()


def test_what_both_changed_is_kept_until_somebody_settles_it(
    apart: tuple[Session[Notes], Session[Notes]],
) -> None:
    notes, idea = apart
    put(idea, "set", "b", 5)
    with nothing_changes(notes):
        assert contested(notes, "idea") == contested(notes, "idea") == [1]
    (one,) = notes.conflicts(open_only=True)
    assert (one.path, one.base, one.ours, one.theirs) == ("/text", "base", "ours", "theirs")
    assert (one.branch, one.version, one.source_branch, one.source_version) == ("main", 2, "idea", 3)
    settled = notes.settle(1, {"value": "both"}, author="chair")
    assert (settled.status, settled.value, settled.settled_by) == ("settled", "both", "chair")
    made = notes.merge("idea", author="ana").commit
    assert made is not None
    assert (notes.state.text, notes.state.b) == ("both", 5)
    assert [one.status for one in notes.conflicts()] == ["merged"]
    told = [(item.kind, item.body["author"]) for item in notes.events()]
    assert told == [
        ("forked", "user"), ("contested", "ana"), ("contested", "ana"), ("settled", "chair"),
    ]  # fmt: skip
    notes.verify()
    with pytest.raises(Conflict, match="The conflict 1 is merged already"):
        notes.settle(1, "ours", author="chair")
    assert idea.merge("main", author="ana").commit is not None
    assert idea.state == notes.state


@pytest.mark.parametrize(("settlement", "text"), [("ours", "ours"), ("theirs", "theirs")])
def test_a_conflict_is_settled_for_one_side(
    apart: tuple[Session[Notes], Session[Notes]], settlement: str, text: str
) -> None:
    notes, idea = apart
    (number,) = contested(notes, "idea")
    notes.settle(number, "theirs" if settlement == "ours" else "ours", author="ana")
    notes.settle(number, settlement, author="ana")
    assert notes.merge("idea", author="ana").commit is not None
    assert notes.state.text == text
    assert notes.merge("idea", author="ana").commit is None
    put(idea, "set", "text", "newer")
    again = notes.merge("idea", author="ana")
    assert [one.ours for one in again.conflicts] == (["ours"] if settlement == "ours" else [])
    notes.verify()


@pytest.mark.parametrize("mover", ["main", "idea"])
def test_a_conflict_is_open_again_where_either_side_moves_on_after_it_was_settled(
    apart: tuple[Session[Notes], Session[Notes]], mover: str
) -> None:
    notes, _ = apart
    (number,) = contested(notes, "idea")
    notes.settle(number, "ours", author="ana")
    put(notes.on(mover), "set", "b", 1)
    put(notes.on(mover), "set", "text", "moved")
    assert contested(notes, "idea") == [number]
    (one,) = notes.conflicts()
    assert (one.status, one.settlement, one.settled_by) == ("open", None, None)
    assert "moved" in {one.ours, one.theirs}
    assert (one.version, one.source_version) == (notes.head, notes.on("idea").head)
    notes.settle(number, "theirs", author="ana")
    put(notes, "set", "a", 1)
    assert notes.merge("idea", author="ana").commit is not None, "what moved elsewhere does not matter"
    notes.verify()


def test_a_conflict_that_nobody_contests_any_more_has_lapsed(
    apart: tuple[Session[Notes], Session[Notes]],
) -> None:
    notes, idea = apart
    (number,) = contested(notes, "idea")
    put(idea, "set", "text", "ours")
    assert notes.merge("idea", author="ana").commit is not None
    assert [one.status for one in notes.conflicts()] == ["lapsed"]
    assert notes.conflicts(open_only=True) == []
    with pytest.raises(Conflict, match=f"The conflict {number} is contested no more"):
        notes.settle(number, "ours", author="ana")
    put(notes, "set", "text", "one")
    put(idea, "set", "text", "two")
    assert contested(notes, "idea") == [number + 1]
    notes.verify()


def test_conflicts_at_keys_and_items_are_settled_one_by_one(notes: Session[Notes]) -> None:
    put(notes, "merge", "answers", {"x": 1, "y": 1, "z/": 1})
    put(notes, "merge", "claims", [Claim(id="p"), Claim(id="q"), Claim(id="r")])
    idea = notes.fork("idea")
    put(notes, "set", "answers", {"x": 2, "y": 2, "z/": 2})
    put(idea, "set", "answers", {"x": 3, "y": 3})
    put(notes, "merge", "claims", [Claim(id=key, text="ours") for key in "pqr"])
    put(idea, "set", "claims", [Claim(id="p", text="theirs"), Claim(id="s")])
    assert len(contested(notes, "idea")) == 6
    numbers = {one.path: one.conflict for one in notes.conflicts()}
    assert sorted(numbers) == [
        "/answers/x", "/answers/y", "/answers/z~1", "/claims/p", "/claims/q", "/claims/r",
    ]  # fmt: skip
    for path, settlement in {
        "/answers/x": {"value": {"new": 1}},
        "/answers/y": "ours",
        "/answers/z~1": "theirs",
        "/claims/p": {"value": {"id": "p", "text": "both"}},
        "/claims/q": "theirs",
        "/claims/r": "ours",
    }.items():
        assert notes.merge("idea", author="ana").commit is None
        notes.settle(numbers[path], settlement, author="ana")  # type: ignore[arg-type]
    assert notes.merge("idea", author="ana").commit is not None
    assert notes.state.answers == {"x": {"new": 1}, "y": 2}
    assert notes.state.claims == [
        Claim(id="p", text="both"), Claim(id="r", text="ours"), Claim(id="s"),
    ]  # fmt: skip
    notes.verify()


def test_values_that_are_kept_aside_are_contested_and_settled_like_any_other(
    notes: Session[Notes],
) -> None:
    put(notes, "set", "text", LONG)
    idea = notes.fork("idea")
    put(notes, "set", "text", LONG + "ours")
    put(idea, "set", "text", LONG + "theirs")
    (number,) = contested(notes, "idea")
    (one,) = notes.conflicts()
    assert (one.base, one.ours, one.theirs) == (LONG, LONG + "ours", LONG + "theirs")
    (row,) = rows(notes, tables.conflicts)
    assert max(len(row[side]) for side in ("base", "ours", "theirs")) < 100
    notes.settle(number, {"value": LONG + "both"}, author="ana")
    assert notes.merge("idea", author="ana").commit is not None
    assert notes.state.text == LONG + "both"
    notes.verify()


@pytest.mark.parametrize(
    ("settlement", "error"),
    [
        ({"value": 7}, SchemaRefused),
        ({"value": float("nan")}, ValueRefused),
        ({"value": "\ud800"}, ValueRefused),
        ("mine", ValueRefused),
        ({}, ValueRefused),
        ({"value": "a", "more": 1}, ValueRefused),
        (None, ValueRefused),
    ],
)
def test_a_settlement_that_the_schema_does_not_allow_is_refused_when_it_is_made(
    apart: tuple[Session[Notes], Session[Notes]], settlement: Any, error: type[Exception]
) -> None:
    notes, _ = apart
    (number,) = contested(notes, "idea")
    with pytest.raises(error):
        notes.settle(number, settlement, author="ana")
    (one,) = notes.conflicts()
    assert (one.status, notes.events()[-1].kind) == ("open", "refused")
    with pytest.raises(NotFound, match="There is no conflict 9"):
        notes.settle(9, "ours", author="ana")


def test_an_item_is_not_settled_under_another_key(notes: Session[Notes]) -> None:
    put(notes, "merge", "claims", [Claim(id="p")])
    idea = notes.fork("idea")
    put(notes, "merge", "claims", [Claim(id="p", text="ours")])
    put(idea, "merge", "claims", [Claim(id="p", text="theirs")])
    (number,) = contested(notes, "idea")
    with pytest.raises(SchemaRefused, match="The item at /claims/p has the id 'p'"):
        notes.settle(number, {"value": {"id": "q", "text": ""}}, author="ana")


def test_g04_what_holds_on_each_side_and_not_together_is_refused_and_changes_nothing(store: Store) -> None:
    shift = store.create(Shift())
    idea = shift.fork("idea")
    for session, who in ((shift, "ana"), (idea, "ben")):
        with session.transaction("chair") as tx:
            tx.set(who, value=False)
    with nothing_changes(shift), pytest.raises(InvariantViolated) as caught:
        shift.merge("idea", author="chair")
    told = caught.value.as_dict()
    assert (told["rule"], told["branch"]) == ("somebody_is_on_call", "main")
    assert told["value"] == {"/ana": False, "/ben": False}
    assert shift.events()[-1].body["author"] == "chair"
    assert shift.conflicts() == []


class Guarded(SharedState):
    """A state in which not everybody may write everything."""

    phase: Literal["open", "judging", "closed"] = "open"
    text: str = ""
    verdict: str = ""
    lines: Annotated[list[str], Append] = []

    transitions = [
        Transition("note", "open -> open", writes=["text", "lines", "verdict"]),
        Transition("judge", "open -> judging", writes=[]),
        Transition("stop", "open -> closed", writes=["lines"]),
    ]
    rights = [
        Rights("ana", read="/", commit={"text", "lines", "phase"}),
        Rights("ben", read="/", commit="lines"),
        Rights("chair", read="/", commit="/", rule="text"),
    ]


def test_g06_whoever_merges_may_commit_all_that_the_merge_brings(store: Store) -> None:
    session = store.create(Guarded())
    idea = session.fork("idea")
    put(idea, "append", "lines", "one", author="ben", transition="note")
    assert session.merge("idea", author="ben").commit is not None
    put(idea, "set", "text", "two", author="ana", transition="note")
    with nothing_changes(session), pytest.raises(Denied) as caught:
        session.merge("idea", author="ben")
    assert (caught.value.context["path"], caught.value.context["right"]) == ("/text", "commit")
    assert session.events()[-1].body["path"] == "/text"
    put(session, "set", "text", "three", author="ana", transition="note")
    with pytest.raises(Denied):
        session.merge("idea", author="ben")
    assert session.conflicts() == [], "who may not merge it cannot contest it either"
    (number,) = [one.conflict for one in session.merge("idea", author="ana").conflicts]
    with pytest.raises(Denied, match="ana may rule on nothing"):
        session.settle(number, "ours", author="ana")
    assert session.events()[-1].body["right"] == "rule"
    session.settle(number, "theirs", author="chair")
    assert session.merge("idea", author="ana").commit is not None
    session.verify()


def test_a_phase_that_one_side_moved_is_moved_and_one_that_both_moved_is_contested(store: Store) -> None:
    session = store.create(Guarded())
    idea = session.fork("idea")
    put(session, "append", "lines", "on main", transition="note")
    with idea.transaction("ana", "judge"):
        pass
    assert session.merge("idea", author="ana").commit is not None
    assert (session.state.phase, session.state.lines) == ("judging", ["on main"])
    other = session.fork("other", 1)
    with other.transaction("ana", "stop") as tx:
        tx.append("lines", "on other")
    (one,) = session.merge("other", author="ana").conflicts
    assert (one.path, one.base, one.ours, one.theirs) == ("/phase", "open", "judging", "closed")
    session.verify()


def test_a_merge_is_made_once_under_its_key(notes: Session[Notes]) -> None:
    idea = notes.fork("idea")
    put(idea, "set", "a", 1)
    one = notes.merge("idea", author="ana", key="k").commit
    put(idea, "set", "a", 2)
    assert notes.merge("idea", author="ana", key="k").commit == one
    with pytest.raises(Conflict, match="The key 'k' stands for"):
        notes.merge("idea", author="ben", key="k")
    assert notes.state.a == 1


def test_writers_who_commit_to_the_target_meanwhile_lose_nothing(notes: Session[Notes]) -> None:
    ideas = [notes.fork(f"idea-{number}") for number in range(3)]
    for idea in ideas:
        put(idea, "append", "lines", idea.branch)
        put(idea, "add", "total", 1)
    start = threading.Barrier(6)

    def merge(idea: Session[Notes]) -> None:
        start.wait()
        assert notes.on("main").merge(idea.branch, author="ana").commit is not None

    def write(number: int) -> None:
        start.wait()
        for _ in range(5):
            put(notes, "add", "total", 1, author=f"writer-{number}")

    with ThreadPoolExecutor(6) as pool:
        jobs = [*(pool.submit(merge, idea) for idea in ideas), *(pool.submit(write, n) for n in range(3))]
        for job in jobs:
            job.result()
    assert (notes.state.total, sorted(notes.state.lines)) == (18, ["idea-0", "idea-1", "idea-2"])
    notes.verify()


def test_two_branches_that_merge_each_other_at_once_do_not_wait_for_each_other_for_ever(
    notes: Session[Notes],
) -> None:
    idea = notes.fork("idea")
    start = threading.Barrier(2)

    def go(session: Session[Notes], other: str) -> None:
        start.wait()
        for _ in range(8):
            put(session, "add", "total", 1)
            session.merge(other, author="ana")

    with ThreadPoolExecutor(2) as pool:
        for job in [pool.submit(go, notes, "idea"), pool.submit(go, idea, "main")]:
            job.result()
    notes.merge("idea", author="ana")
    idea.merge("main", author="ana")
    assert (notes.state.total, idea.state.total) == (16, 16), (
        "however they crossed, each addition counts once"
    )
    for session in (notes, idea):
        session.verify()


def test_a_patch_that_says_it_comes_from_a_merge_is_not_committed_by_hand(notes: Session[Notes]) -> None:
    with nothing_changes(notes), pytest.raises(Exception, match="comes by `merge`"):
        notes.commit(Change("ana", (), 0, source={"merge": {}}))


def merged_story(store: Store) -> Session[Notes]:
    """A session whose second merge was contested twice, and whose third is contested still."""
    notes = store.create(Notes())
    idea = notes.fork("idea")
    put(notes, "set", "text", LONG)
    put(notes, "set", "a", 1)
    put(idea, "set", "text", "theirs")
    put(idea, "set", "a", 2)
    for number, settlement in zip(contested(notes, "idea"), ({"value": 7}, "theirs"), strict=True):
        notes.settle(number, settlement, author="chair")  # type: ignore[arg-type]
    assert notes.merge("idea", author="ana").commit is not None
    put(notes, "set", "b", 1)
    put(idea, "set", "b", 2)
    contested(notes, "idea")
    return notes


HELD = (
    "conflict branch version source_branch source_version path base ours theirs "
    "status settlement settled_by at"
)


@pytest.fixture(scope="module")
def merged_stories() -> dict[str, Session[Notes]]:
    """The session of each database, made once."""
    return {}


@pytest.mark.parametrize("column", HELD.split())
def test_g08_how_a_merge_was_settled_cannot_be_changed_behind_our_back(
    store: Store, backend: str, merged_stories: dict[str, Session[Notes]], column: str
) -> None:
    if backend not in merged_stories:
        merged_stories[backend] = merged_story(store)
    notes = merged_stories[backend]
    stored = rows(notes, tables.conflicts)
    assert [row["status"] for row in stored] == ["merged", "merged", "open"]
    for row in stored:
        old = row[column]
        other = f"{old}x" if isinstance(old, str) else (old or 0) + 90
        with changed(notes, tables.conflicts, row, **{column: other}):
            if row["status"] == "open":
                notes.verify()
                continue
            with pytest.raises(Tampered) as caught:
                notes.verify()
            assert caught.value.context["version"] == 3
    assert notes.verify().versions == 5
