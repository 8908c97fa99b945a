"""Reverts: steps taken back as a new version; the history keeps them."""

from __future__ import annotations

from typing import Any

import pytest

from dissensus_state.errors import Conflict, Denied, InvariantViolated, NotFound, Tampered
from dissensus_state.rights import Rights
from dissensus_state.sessions import Session
from dissensus_state.shapes import SharedState, invariant
from dissensus_state.store import Store
from dissensus_state.values import canonical
from inquiries import Claim, Notes, does, nothing_changes
from tampering import forge

LONG = "A" * 70_000


def put(session: Session[Any], *does_what: Any, author: str = "ana", **options: Any) -> None:
    """One commit of one operation."""
    session.transact(does(*does_what), author, **options)


STEPS = {
    "a value": ("set", "text", "new"),
    "a large value": ("set", "text", LONG),
    "an item at the end": ("append", "lines", "new"),
    "a list": ("set", "lines", ["z", "a"]),
    "a sum": ("add", "total", 0.1),
    "a set": ("union", "tags", ["new"]),
    "a key": ("merge", "answers", {"new": [1]}),
    "a key changed": ("merge", "answers", {"old": 2}),
    "a key gone": ("remove", "answers/old"),
    "an item changed": ("merge", "claims", [Claim(id="p", text="new")]),
    "an item gone": ("set", "claims", [Claim(id="q")]),
    "items in another order": ("set", "claims", [Claim(id="q"), Claim(id="p")]),
}


@pytest.fixture
def lived(notes: Session[Notes]) -> Session[Notes]:
    """A session with something in every field, in one commit."""
    with notes.transaction("ana") as tx:
        tx.set("text", "old")
        tx.append("lines", "a", "b")
        tx.add("total", 0.2)
        tx.union("tags", ["old"])
        tx.merge("answers", {"old": 1})
        tx.merge("claims", [Claim(id="p"), Claim(id="q")])
    return notes


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_is_reverted_at_once_leaves_what_was_before_bit_for_bit(
    lived: Session[Notes], step: str
) -> None:
    put(lived, *STEPS[step])
    made = lived.revert(2, author="ben")
    assert (made.version, made.author, made.source) == (3, "ben", {"revert": {"first": 2, "last": 2}})
    assert canonical(lived.raw()) == canonical(lived.raw(1))
    assert lived.commit_at(2).writes
    lived.revert(3, author="ben")
    assert canonical(lived.raw()) == canonical(lived.raw(2)), "a revert is reverted like any other"
    assert lived.verify().versions == lived.replay().versions == 5


@pytest.mark.parametrize("step", [step for step in STEPS if step != "items in another order"])
def test_what_others_did_since_stays(lived: Session[Notes], step: str) -> None:
    put(lived, *STEPS[step])
    with lived.transaction("ben") as tx:
        tx.set("b", 5)
        tx.append("lines", "later")
        tx.add("total", 1)
        tx.union("tags", ["later"])
        tx.merge("answers", {"later": 1})
        tx.merge("claims", [Claim(id="later")])
    lived.revert(2, author="ana")
    state = lived.state
    assert (state.b, sorted(state.lines), state.tags) == (5, ["a", "b", "later"], {"old", "later"})
    assert state.answers == {"old": 1, "later": 1}
    assert {item.id for item in state.claims} == {"p", "q", "later"}
    assert state.total == pytest.approx(1.2)
    lived.verify()


def test_a_stretch_is_taken_back_at_once(lived: Session[Notes]) -> None:
    for step in STEPS.values():
        put(lived, *step)
    head = lived.head
    lived.revert(2, head, author="ana")
    assert canonical(lived.raw()) == canonical(lived.raw(1))
    lived.revert(1, head + 1, author="ana")
    assert canonical(lived.raw()) == canonical(lived.raw(0))
    lived.verify()


def test_what_later_commits_rest_on_is_not_taken_back(lived: Session[Notes]) -> None:
    put(lived, "set", "text", "one")
    put(lived, "merge", "answers", {"old": 2})
    put(lived, "set", "text", "two")
    put(lived, "merge", "answers", {"old": 3})
    with nothing_changes(lived), pytest.raises(Conflict, match="Later commits changed /text too") as caught:
        lived.revert(2, author="ana")
    assert caught.value.context["paths"] == ["/text"]
    assert (caught.value.context["expected"], caught.value.context["actual"]) == (2, 5)
    with pytest.raises(Conflict) as caught:
        lived.revert(2, 3, author="ana")
    assert caught.value.context["paths"] == ["/answers/old", "/text"]
    lived.revert(4, author="ana")
    lived.revert(2, author="ana")
    assert lived.state.text == "old"


@pytest.mark.parametrize(("first", "last"), [(0, None), (-1, 1), (2, 1), (1, 2), (10**17, None)])
def test_what_is_not_there_is_not_taken_back(lived: Session[Notes], first: int, last: int | None) -> None:
    with nothing_changes(lived), pytest.raises(NotFound, match="There is no stretch"):
        lived.revert(first, last, author="ana")


def test_what_is_taken_back_already_is_not_taken_back_again(lived: Session[Notes]) -> None:
    put(lived, "add", "total", 1)
    put(lived, "set", "b", 1)
    lived.revert(2, author="ana")
    idea = lived.fork("idea")
    for session, stretch in ((lived, (2,)), (lived, (1, 2)), (lived, (2, 3)), (idea, (2,))):
        with nothing_changes(session), pytest.raises(NotFound, match="Version 4 has taken back some"):
            session.revert(*stretch, author="ana")
    lived.revert(4, author="ana")
    with pytest.raises(NotFound, match="Version 5 has taken back some"):
        lived.revert(4, author="ana")
    lived.revert(2, author="ana")
    assert lived.state.total == pytest.approx(0.2)
    lived.verify()


def test_what_was_written_over_is_not_there_to_be_taken_back(lived: Session[Notes]) -> None:
    put(lived, "set", "b", 1)
    put(lived, "set", "b", 0)
    with nothing_changes(lived), pytest.raises(NotFound, match="Nothing of the commits 2 to 2 is left"):
        lived.revert(2, author="ana")


def test_a_revert_is_made_once_under_its_key(lived: Session[Notes]) -> None:
    put(lived, "add", "total", 1)
    put(lived, "add", "total", 5)
    one = lived.revert(2, author="ana", key="k")
    assert lived.revert(2, author="ana", key="k") == one
    assert lived.state.total == pytest.approx(5.2)
    with pytest.raises(Conflict, match="The key 'k' stands for"):
        lived.revert(2, author="ben", key="k")


def test_a_merge_is_reverted_and_merging_again_does_not_bring_it_back(lived: Session[Notes]) -> None:
    idea = lived.fork("idea")
    put(idea, "set", "text", "theirs")
    put(idea, "append", "lines", "theirs")
    put(lived, "set", "b", 1)
    made = lived.merge("idea", author="ana").commit
    assert made is not None
    lived.revert(made.version, author="ana")
    assert (lived.state.text, lived.state.lines, lived.state.b) == ("old", ["a", "b"], 1)
    assert lived.merge("idea", author="ana").commit is None
    put(idea, "set", "a", 9)
    lived.merge("idea", author="ana")
    assert (lived.state.text, lived.state.a) == ("old", 9), "as in git: revert the revert to have it again"
    lived.revert(made.version + 1, author="ana")
    assert (lived.state.text, lived.state.lines) == ("theirs", ["a", "b", "theirs"])
    lived.verify()
    assert idea.merge("main", author="ana").commit is not None
    assert idea.state == lived.state
    idea.verify()


def test_what_a_fork_inherited_can_be_taken_back_on_it_alone(lived: Session[Notes]) -> None:
    put(lived, "set", "text", "new")
    idea = lived.fork("idea")
    idea.revert(2, author="ana")
    assert (idea.state.text, lived.state.text) == ("old", "new")
    lived.merge("idea", author="ana")
    assert lived.state.text == "old"
    idea.verify()
    lived.verify()


class Kept(SharedState):
    """A state that not everybody may change, with a rule."""

    text: str = ""
    why: str = ""

    rights = [Rights("ana", read="/", commit="/"), Rights("ben", read="/", commit="why")]

    @invariant("text", "why")
    @staticmethod
    def a_text_has_a_reason(_: Kept, after: Kept) -> bool:
        """A text says why it stands there."""
        return not after.text or bool(after.why)


def test_g04_g06_a_revert_is_held_to_rules_and_rights_like_any_commit(store: Store) -> None:
    session = store.create(Kept())
    put(session, "set", "why", "because")
    put(session, "set", "text", "so")
    with nothing_changes(session), pytest.raises(InvariantViolated):
        session.revert(1, author="ana")
    with nothing_changes(session), pytest.raises(Denied):
        session.revert(2, author="ben")
    assert [item.body["code"] for item in session.events()] == ["invariant.violated", "denied"]
    session.revert(1, 2, author="ana")
    assert session.state == Kept()
    session.verify()


@pytest.mark.parametrize(
    "values",
    [
        {"patch": '[["set","/text","other"]]'},
        {"source": '{"revert":{"first":1,"last":2}}'},
        {"source": '{"revert":{"first":3,"last":3}}'},
        {"source": '{"revert":{"first":9,"last":9}}'},
    ],
)
def test_g08_a_revert_that_takes_back_something_else_could_not_have_been(
    store: Store, values: dict[str, str]
) -> None:
    notes = store.create(Notes())
    for number in range(3):
        put(notes, "append", "lines", f"line {number}")
    notes.revert(2, author="ana")
    forge(notes, 0)
    notes.verify()
    forge(notes, 4, **values)
    with pytest.raises(Tampered) as caught:
        notes.verify()
    assert caught.value.context["version"] == 4
