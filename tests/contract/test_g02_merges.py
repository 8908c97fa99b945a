"""G2: writes come together as their fields declare, by merges of the user's own too."""

from __future__ import annotations

from typing import Any

import pytest

from dissensus_state.errors import Conflict, DissensusError, SchemaRefused, ValueRefused
from dissensus_state.patches import Operation
from dissensus_state.records import Change
from dissensus_state.replay import versions
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from dissensus_state.values import canonical
from inquiries import does, nothing_changes, overtaken
from scores import Best, Scores

BEST, LATEST = "scores:Best", "scores:Latest"


@pytest.fixture
def scores(store: Store) -> Session[Scores]:
    """A new session whose fields merge in many ways."""
    return store.create(Scores())


def _fold(field: str, by: Any, key: str, **more: Any) -> Change:
    made = Operation("fold", (field,), {"by": by, "to": None, **more}, key)
    return Change("ana", (made,), 0)


def test_g02_two_writes_by_a_merge_that_commutes_both_stand_and_the_second_is_computed_on_the_first(
    scores: Session[Scores],
) -> None:
    late = overtaken(scores, does("write", "best", [5, 9]), does("write", "best", [7, 8]))
    assert late is not None
    assert (late.base, late.version) == (0, 2)
    assert [commit.patch[0].value for commit in scores.log(2)] == [
        {"by": [5, 9], "to": [9, 8, 7]},
        {"by": [7, 8], "to": [8, 7]},
    ]
    assert scores.state.best == [9, 8, 7]
    assert scores.at(1).best == [8, 7]


def test_g02_two_writes_by_a_merge_whose_order_matters_conflict(scores: Session[Scores]) -> None:
    with pytest.raises(Conflict) as caught:
        overtaken(scores, does("write", "latest", ["b"]), does("write", "latest", ["a"]))
    assert caught.value.context["paths"] == ["/latest"]
    assert scores.state.latest == ["a"]
    assert scores.transact(does("write", "latest", ["b"]), "ben") is None
    assert scores.state.latest == ["a", "b"]


@pytest.mark.parametrize("other", [does("set", "best", [1]), does("set", "best/0", 1)])
def test_g02_a_merge_is_not_rebased_over_another_kind_of_write(scores: Session[Scores], other: Any) -> None:
    scores.transact(does("write", "best", [4]), "ana")
    with pytest.raises(Conflict):
        overtaken(scores, does("write", "best", [5]), other)


def test_g02_a_merge_of_what_was_read_conflicts(scores: Session[Scores]) -> None:
    def late(tx: Any) -> None:
        tx.write("best", [max(tx.read("best"), default=0) + 1])

    with pytest.raises(Conflict):
        overtaken(scores, late, does("write", "best", [3]))


def test_g02_a_transaction_reads_what_its_own_merges_came_to(scores: Session[Scores]) -> None:
    scores.transact(does("write", "best", [1, 2]), "ana")
    with scores.transaction("ben") as tx:
        tx.write("best", [9])
        assert tx.read("best") == [9, 2, 1]
        tx.write("best", [8])
        assert tx.read("best") == [9, 8, 2]
        tx.set("best/2", 0)
        tx.write("best", [7])
        assert tx.read("best") == [9, 8, 7]
    assert scores.state.best == [9, 8, 7]


def test_g02_several_merges_of_one_transaction_build_on_each_other_without_being_read(
    scores: Session[Scores],
) -> None:
    with scores.transaction("ben") as tx:
        tx.write("latest", ["a"])
        tx.write("latest", ["b"])
        tx.set("best", [5])
        tx.write("best", [4])
        tx.write("best", [6])
    assert (scores.state.latest, scores.state.best) == (["a", "b"], [6, 5, 4])


def test_g08_g10_verifying_and_replaying_need_none_of_the_users_merges(
    own_store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = own_store.create(Scores())
    overtaken(session, does("write", "best", [5, 9]), does("write", "best", [7, 8]))
    session.transact(does("write", "odd", ["large"]), "cy")
    monkeypatch.setattr(Best, "merge", lambda *_: pytest.fail("a history called the user's code"))
    with Store.open(database_url) as elsewhere:
        other = elsewhere.session()
        assert (other.verify().versions, other.replay().versions) == (4, 4)
        assert canonical(other.raw()) == canonical(session.raw())
        assert elsewhere.session(schema=Scores).verify().rules_checked
        with other.reading() as work:
            states = [state["best"] for _, state in versions(work, other.session_id, "main")]
        assert states == [[], [8, 7], [9, 8, 7], [9, 8, 7]]
        assert other.blame("best").commit.author == "ben"


@pytest.mark.parametrize(
    ("given", "told", "defect"),
    [
        ("break", "is broken: it raised KeyError: 'no such thing'", True),
        ("change", "is broken: it changes what it is given", True),
        ("refuse", "refuses: not while it rains", False),
        ("mistyped", "valid string", False),
        ("nothing", "valid list", False),
    ],
)
def test_g04_a_merge_that_breaks_or_refuses_is_told_and_nothing_changes(
    scores: Session[Scores], given: str, told: str, *, defect: bool
) -> None:
    with nothing_changes(scores), pytest.raises(SchemaRefused, match=told) as caught:
        scores.transact(does("write", "odd", [given]), "ana")
    error = caught.value.as_dict()
    assert error["path"].startswith("/odd")
    assert (error["merge"], error["session"]) == ("scores:Odd", scores.name)
    assert ("defect" in error, error.get("retry")) == (defect, False if defect else None)
    assert scores.events()[-1].body["code"] == "schema.refused"


def test_g04_what_a_merge_makes_is_held_to_the_whole_field(scores: Session[Scores]) -> None:
    scores.transact(does("write", "capped", [1]), "ana")
    with nothing_changes(scores), pytest.raises(SchemaRefused, match="at most 1 item"):
        scores.transact(does("write", "capped", [2]), "ana")


@pytest.mark.parametrize(
    "change",
    [
        _fold("best", [1], LATEST),
        _fold("latest", [1], LATEST),
        _fold("best", [1], BEST, ordered=True),
        _fold("best", ["x"], BEST),
        _fold("high", 1, BEST),
        Change("ana", (Operation("fold", ("best",), 7, BEST),), 0),
        Change("ana", (Operation("fold", ("best",), None, None),), 0),
        Change("ana", (Operation("fold", ("best", "0"), {"by": 1, "to": 1}, BEST),), 0),
    ],
)
def test_g04_a_merge_that_was_written_by_hand_is_held_to_what_the_field_declares(
    scores: Session[Scores], change: Change
) -> None:
    with nothing_changes(scores), pytest.raises(SchemaRefused):
        scores.commit(change)


def test_g04_what_somebody_says_that_a_merge_came_to_is_not_believed(scores: Session[Scores]) -> None:
    scores.commit(Change("ana", (Operation("fold", ("best",), {"by": [1], "to": [99]}, BEST),), 0))
    assert scores.state.best == [1]


def test_g02_a_merge_by_hand_that_hides_that_its_order_matters_is_refused(scores: Session[Scores]) -> None:
    scores.transact(does("write", "latest", ["a"]), "ana")
    with nothing_changes(scores), pytest.raises(DissensusError):
        scores.commit(_fold("latest", ["b"], LATEST))


@pytest.mark.parametrize("verb", ["append", "add", "union", "merge"])
def test_g04_a_field_with_a_merge_of_your_own_takes_no_other_one(scores: Session[Scores], verb: str) -> None:
    arguments = {"append": [1], "add": [1], "union": [[1]], "merge": [{"a": 1}]}[verb]
    with pytest.raises(SchemaRefused, match="does not take") as caught:
        scores.transact(does(verb, "best", *arguments), "ana")
    assert "write" in caught.value.next_step


@pytest.mark.parametrize(
    ("field", "late", "early", "stands"),
    [
        ("high", 3, 4, 4),
        ("high", 4.5, 4, 4.5),
        ("high", None, 4, 4),
        ("high", 4, None, 4),
        ("low", 3, 4, 3),
        ("low", None, None, None),
        ("first", "b", "a", "a"),
        ("first", None, "a", "a"),
        ("last", "é", "z", "é"),
        ("last", "", "a", "a"),
    ],
)
def test_g02_the_greater_or_the_smaller_of_two_stands_whoever_came_first(
    scores: Session[Scores], field: str, late: Any, early: Any, stands: Any
) -> None:
    overtaken(scores, does("write", field, late), does("write", field, early))
    assert scores.head == 2
    assert getattr(scores.state, field) == stands
    scores.transact(does("write", field, early), "cy")
    assert getattr(scores.state, field) == stands
    assert scores.verify().versions == scores.replay().versions == 4


def test_g02_the_greatest_of_what_cannot_be_compared_is_refused(scores: Session[Scores]) -> None:
    change = Change("ana", (Operation("max", ("best",), [1]),), 0)
    with nothing_changes(scores), pytest.raises(ValueRefused, match="greater"):
        scores.commit(change)
