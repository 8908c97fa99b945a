"""Reading a history: its pages, any version of it, and what differs between two."""

from __future__ import annotations

from typing import Any

import pytest

from dissensus_state.errors import NotFound
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from dissensus_state.transactions import Transaction
from inquiries import Claim, Inquiry, Notes, does


@pytest.fixture
def long(notes: Session[Notes]) -> Session[Notes]:
    """Notes with seven versions: `a` counts them."""
    for number in range(1, 7):
        notes.transact(does("set", "a", number), "ana", key=f"step {number}")
    return notes


def test_the_log_is_read_newest_first_a_page_at_a_time(long: Session[Notes]) -> None:
    first = long.log(limit=3)
    second = long.log(limit=3, before=first[-1].version)
    last = long.log(limit=3, before=second[-1].version)
    assert [commit.version for page in (first, second, last) for commit in page] == [6, 5, 4, 3, 2, 1, 0]
    assert long.log(before=0) == []
    assert long.log(limit=0) == []
    assert long.log(limit=-1) == []


def test_a_commit_says_everything_about_itself(long: Session[Notes]) -> None:
    with long.transaction("ben", isolation="snapshot") as tx:
        tx.read("/answers")
        tx.merge("answers", {"x~/y": 1})
        tx.evidence("seen")
    assert tx.commit is not None
    assert tx.commit == long.commit_at(7) == long.log(1)[0]
    plain = tx.commit.as_dict()
    assert plain.pop("at") >= 1_700_000_000_000
    assert plain.pop("hash") == tx.commit.hash.hex()
    assert plain == {
        "version": 7,
        "branch": "main",
        "author": "ben",
        "transition": None,
        "round": None,
        "base": 6,
        "isolation": "snapshot",
        "reads": ["/answers"],
        "writes": ["/answers/x~0~1y"],
        "patch": [["merge", "/answers", {"x~/y": 1}]],
        "evidence": ["seen"],
        "key": None,
        "schema_version": 1,
        "source": None,
    }


def test_any_version_can_be_read_as_it_was(long: Session[Notes]) -> None:
    assert [long.at(version).a for version in range(7)] == list(range(7))
    assert long.at(3) == Notes(a=3)
    assert (long.raw(3)["a"], long.raw()["a"], long.state.a, long.head) == (3, 6, 6, 6)


@pytest.mark.parametrize("version", [-1, 7, 2**40])
def test_a_version_that_is_not_there_is_named_with_the_head(long: Session[Notes], version: int) -> None:
    for read in (long.at, long.raw, long.diff, lambda v: long.blame("a", v)):
        with pytest.raises(NotFound) as caught:
            read(version)
        assert caught.value.message == f"There is no version {version}; the head is 6"
        assert (caught.value.exit_code, caught.value.context["session"]) == (3, long.name)
    with pytest.raises(NotFound, match=f"There is no version {version}"):
        long.commit_at(version)


def test_a_difference_names_its_path_and_both_sides(notes: Session[Notes]) -> None:
    def work(tx: Transaction) -> None:
        tx.set("a", 1)
        tx.append("lines", "one")
        tx.merge("answers", {"x": {"deep": 1}})
        tx.merge("claims", [Claim(id="c1", text="old")])

    def again(tx: Transaction) -> None:
        tx.set("/answers/x/deep", 2)
        tx.merge("claims", [Claim(id="c0"), Claim(id="c1", text="new")])
        tx.set("lines", [])
        tx.set("text", "")

    notes.transact(work, "ana")
    notes.transact(again, "ana")
    assert [item.as_dict() for item in sorted(notes.diff(1), key=lambda item: item.path)] == [
        {"path": "/answers/x/deep", "kind": "changed", "before": 1, "after": 2},
        {"path": "/claims/c0", "kind": "added", "after": {"id": "c0", "text": ""}},
        {"path": "/claims/c1/text", "kind": "changed", "before": "old", "after": "new"},
        {"path": "/lines/0", "kind": "removed", "before": "one"},
    ]
    assert notes.diff(2, 2) == []
    assert {item.kind for item in notes.diff(2, 0)} == {"changed", "removed"}


def test_a_list_with_keys_is_merged_item_by_item(notes: Session[Notes]) -> None:
    notes.transact(does("merge", "claims", [Claim(id="c1"), Claim(id="c2")]), "ana")
    notes.transact(does("merge", "claims", [Claim(id="c3"), Claim(id="c1", text="new")]), "ben")
    assert [(claim.id, claim.text) for claim in notes.state.claims] == [("c1", "new"), ("c2", ""), ("c3", "")]
    with notes.transaction("cy") as tx:
        assert tx.read("/claims/c1/text") == "new"


def test_a_dictionary_is_merged_key_by_key_and_keys_are_taken_away(notes: Session[Notes]) -> None:
    notes.transact(does("merge", "answers", {"x": 1, "y": 2}), "ana")
    notes.transact(does("write", "answers", {"y": 3, "z": 4}), "ben")
    notes.transact(does("remove", "/answers/x"), "cy")
    assert notes.state.answers == {"y": 3, "z": 4}


def test_sessions_are_found_by_name_and_the_only_one_without(own_store: Store) -> None:
    with pytest.raises(NotFound, match="holds 0 sessions: none"):
        own_store.session()
    only = own_store.create(Notes(), name="first")
    assert own_store.session().info == only.info
    own_store.create(Inquiry(), name="second")
    assert [info.name for info in own_store.sessions()] == ["first", "second"]
    assert own_store.session("second", Inquiry).state.question == "Why did it stop?"
    with pytest.raises(NotFound, match="holds 2 sessions: first, second") as caught:
        own_store.session()
    assert caught.value.next_step == "Name one (`--session`)"
    with pytest.raises(NotFound, match="there are: first, second"):
        own_store.session("third")


def test_an_unnamed_session_gets_a_name_of_its_own(own_store: Store) -> None:
    names: list[Any] = [own_store.create(Notes()).name for _ in range(3)]
    assert len(set(names)) == 3
    assert all(name.startswith("notes-") for name in names)


def test_a_round_that_is_not_there_is_said_so(notes: Session[Notes]) -> None:
    with pytest.raises(NotFound, match="There is no round 7"):
        notes.round(7)
