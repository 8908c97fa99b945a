"""G9: for every value, who wrote it, from which reads and calls, under which ruling, over whose dissent."""

from __future__ import annotations

import pytest

from by_hand import concluded
from dissensus_state.errors import FieldMissing, NotFound
from dissensus_state.sessions import Session
from inquiries import Claim, Inquiry, Notes, does


def test_g09_a_ruled_value_knows_its_reasoning_its_ruling_and_its_dissent(inquiry: Session[Inquiry]) -> None:
    concluded(inquiry)
    found = inquiry.blame("verdict")
    assert (found.path, found.value, found.version) == ("/verdict", "the valve", 3)
    assert (found.commit.version, found.commit.author, found.commit.transition) == (3, "ana", "conclude")
    assert found.commit.reads == ("/findings",)
    assert found.authors == ("ana",)
    assert [(item.agent, item.patch[0].value) for item in found.dissent] == [("ben", "the pump")]
    assert [(call.agent, call.reasoning) for call in found.calls] == [
        ("ana", "ana thought about it."),
        ("ben", "ben thought about it."),
    ]
    assert [(item.author, item.decision, item.cause) for item in found.rulings] == [
        ("chair", "uphold", "a misquoted line")
    ]


def test_g09_the_answer_is_plain_data_for_whoever_prints_it(inquiry: Session[Inquiry]) -> None:
    concluded(inquiry)
    plain = inquiry.blame("/verdict").as_dict()
    assert plain["authors"] == ["ana"]
    assert plain["reasoning"] == {"ana": "ana thought about it.", "ben": "ben thought about it."}
    assert plain["dissent"] == [{"agent": "ben", "patch": [["set", "/verdict", "the pump"]]}]
    assert plain["rulings"][0]["upheld"] == ["ana"]
    assert plain["calls"][0] == {"agent": "ana", "model": "ana-large", "cost_usd": 3e-9}


def test_g09_each_item_knows_the_commit_that_brought_it(notes: Session[Notes]) -> None:
    for number, author in enumerate(("ana", "ben", "cy")):
        notes.transact(does("append", "lines", f"line {number}"), author)
        notes.transact(does("merge", "answers", {author: number}), author)
        notes.transact(does("merge", "claims", [Claim(id=f"c{number}")]), author)
    for number, author in enumerate(("ana", "ben", "cy")):
        for path in (f"/lines/{number}", f"/answers/{author}", f"/claims/c{number}"):
            assert notes.blame(path).authors == (author,)
    assert notes.blame("/claims/c1").value == {"id": "c1", "text": ""}


def test_g09_writing_the_same_value_again_does_not_take_it_over(notes: Session[Notes]) -> None:
    for author, value in (("ana", 1), ("ben", 1), ("cy", 2), ("dee", 1)):
        notes.transact(does("set", "a", value), author)
    assert [notes.blame("a", version).authors for version in (1, 2, 3, 4)] == [
        ("ana",),
        ("ana",),
        ("cy",),
        ("dee",),
    ]


def test_g09_a_part_of_a_value_that_was_set_whole_is_its_setters(notes: Session[Notes]) -> None:
    notes.transact(does("set", "anything", {"x": {"y": 1}, "z": 1}), "ana")
    notes.transact(does("set", "/anything/z", 2), "ben")
    assert notes.blame("/anything/x/y").authors == ("ana",)
    assert notes.blame("/anything").authors == ("ben",)
    assert notes.blame("").commit.version == 2
    assert notes.blame("b").authors == ("user",)


@pytest.mark.parametrize("path", ["/lines/0", "/answers/none", "nothing", "/a/b"])
def test_g09_nothing_has_no_author(notes: Session[Notes], path: str) -> None:
    with pytest.raises((NotFound, FieldMissing)) as caught:
        notes.blame(path)
    assert caught.value.context["session"] == notes.name
    assert caught.value.exit_code in {3, 17}
