"""G2: two writers of one place conflict; writes that are apart or commute are rebased."""

from __future__ import annotations

import pytest

from dissensus_state.errors import Conflict, NotFound, SchemaRefused
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from dissensus_state.transactions import Transaction
from inquiries import Claim, Notes, Work, does, nothing_changes, overtaken

X, Y, Z = {"x": 1}, {"y": 2}, {"y": 3, "z": 3}
FIRST, SECOND = [Claim(id="c1")], [Claim(id="c2")]

CROSSING = [
    pytest.param(does("set", "a", 1), does("set", "a", 2), "/a", id="a field"),
    pytest.param(does("set", "answers", {}), does("set", "/answers/x", 1), "/answers/x", id="a field, a key"),
    pytest.param(does("merge", "answers", X), does("set", "/answers/x", 2), "/answers/x", id="a key"),
    pytest.param(does("merge", "answers", X | Y), does("merge", "answers", Z), "/answers/y", id="one of two"),
    pytest.param(does("merge", "claims", FIRST), does("merge", "claims", FIRST), "/claims/c1", id="an item"),
    pytest.param(does("remove", "/answers/old"), does("set", "/answers/old", 2), "/answers/old", id="gone"),
    pytest.param(does("set", "lines", []), does("append", "lines", "one"), "/lines", id="set and append"),
    pytest.param(does("add", "total", 1), does("set", "total", 5), "/total", id="add and set"),
    pytest.param(does("union", "tags", ["x"]), does("set", "tags", []), "/tags", id="union and set"),
]

APART = [
    pytest.param(does("set", "a", 1), does("set", "b", 2), id="two fields"),
    pytest.param(does("merge", "answers", X), does("merge", "answers", Y), id="two keys"),
    pytest.param(does("set", "/answers/x", 1), does("merge", "answers", Y), id="a key by its path"),
    pytest.param(does("merge", "claims", FIRST), does("merge", "claims", SECOND), id="two items with keys"),
    pytest.param(does("append", "lines", "one"), does("append", "lines", "two"), id="two appends"),
    pytest.param(does("add", "total", 1), does("add", "total", 2), id="two additions"),
    pytest.param(does("union", "tags", ["x", "y"]), does("union", "tags", ["y", "z"]), id="two unions"),
]


@pytest.fixture
def filled(store: Store) -> Session[Notes]:
    """Notes with something in them."""
    return store.create(Notes(answers={"old": 0}, anything={"deep": 0}, lines=["first"]))


@pytest.mark.parametrize(("early", "late", "path"), CROSSING)
def test_g02_two_writers_of_one_place_conflict_and_the_second_is_told_where_and_with_whom(
    filled: Session[Notes], early: Work, late: Work, path: str
) -> None:
    with pytest.raises(Conflict) as caught:
        overtaken(filled, late, early)
    error = caught.value
    assert filled.head == 1
    assert (error.context["paths"], error.context["other"]) == ([path], "ana")
    assert (error.context["expected"], error.context["actual"], error.context["retry"]) == (0, 1, True)
    assert (error.code, error.exit_code) == ("conflict", 4)
    assert error.message == f"ana changed {path} in version 1"
    assert f"(session {filled.name}, branch main, expected 0, actual 1" in str(error)


@pytest.mark.parametrize(("early", "late"), APART)
def test_g02_writes_that_are_apart_or_commute_are_rebased_and_both_are_kept(
    filled: Session[Notes], early: Work, late: Work
) -> None:
    rebased = overtaken(filled, late, early)
    assert rebased is not None
    assert (filled.head, rebased.base, rebased.version) == (2, 0, 2)
    assert filled.verify().versions == 3


def test_g02_what_is_rebased_stands_after_what_was_there_first(filled: Session[Notes]) -> None:
    with filled.transaction("ben") as second:
        second.append("lines", "second")
        second.add("total", 0.5)
        second.union("tags", ["b"])
        with filled.transaction("ana") as first:
            first.append("lines", "early")
            first.add("total", 2)
            first.union("tags", ["a"])
    state = filled.raw()
    assert (state["lines"], state["total"], state["tags"]) == (["first", "early", "second"], 2.5, ["a", "b"])


@pytest.mark.parametrize(
    ("read", "stale"),
    [("lines", "/lines"), ("/lines/0", "/lines"), ("", "/lines"), ("/anything/deep", "/anything")],
)
def test_g02_a_commit_that_rests_on_a_stale_read_is_refused_though_its_write_commutes(
    filled: Session[Notes], read: str, stale: str
) -> None:
    def late(tx: Transaction) -> None:
        tx.read(read)
        tx.append("lines", "two")

    def early(tx: Transaction) -> None:
        tx.append("lines", "one")
        tx.set("anything", {"deep": 1})

    with pytest.raises(Conflict) as caught:
        overtaken(filled, late, early)
    assert stale in caught.value.context["paths"]


def test_g02_a_read_of_something_else_does_not_stand_in_the_way(filled: Session[Notes]) -> None:
    with filled.transaction("ben") as second:
        second.read("/answers/old")
        second.append("lines", "two")
        with filled.transaction("ana") as first:
            first.merge("answers", {"new": 1})
            first.append("lines", "one")
    assert filled.head == 2


def test_g02_having_found_nothing_at_a_path_is_a_read_as_well(filled: Session[Notes]) -> None:
    def late(tx: Transaction) -> None:
        with pytest.raises(NotFound, match="There is nothing at /answers/new"):
            tx.read("/answers/new")
        tx.set("a", 1)

    with pytest.raises(Conflict, match="ana changed /answers/new"):
        overtaken(filled, late, does("merge", "answers", {"new": 1}))


@pytest.mark.parametrize(
    "name", ["-1", "00", "\N{SUPERSCRIPT TWO}", "\N{THAI DIGIT ZERO}", "+0", "0_0", " 0"]
)
def test_g02_a_place_in_a_list_has_one_name_so_no_conflict_hides_behind_another(
    filled: Session[Notes], name: str
) -> None:
    for work in (does("read", f"/lines/{name}"), does("set", f"/lines/{name}", "other")):
        with nothing_changes(filled), pytest.raises(NotFound):
            filled.transact(work, "ana")


@pytest.mark.parametrize("path", ["/tags/0", "/claims/0", "/claims/c1", "/claims/c1/text"])
def test_g02_items_without_an_index_are_not_changed_in_place(filled: Session[Notes], path: str) -> None:
    with nothing_changes(filled), pytest.raises(SchemaRefused) as caught:
        filled.transact(does("set", path, "x"), "ana")
    assert caught.value.context["path"] == path
    assert "set the whole field" in str(caught.value)
