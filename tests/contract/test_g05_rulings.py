"""G5: where review is due, nothing is committed without a ruling on exactly these proposals."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from by_hand import begun, change, in_review, proposes, rules, to_judging
from dissensus_state.errors import Conflict, ReviewRequired
from dissensus_state.journal import Journal
from dissensus_state.patches import Patch
from dissensus_state.records import Change, Decision, Proposal, Round, Ruling
from dissensus_state.sessions import Session
from inquiries import Inquiry, does, nothing_changes

Review = tuple[Journal, Round, tuple[Proposal, ...]]


@pytest.fixture
def judging(inquiry: Session[Inquiry]) -> Session[Inquiry]:
    """An inquiry in the phase in which a verdict can be given, under a ruling."""
    to_judging(inquiry)
    return inquiry


@pytest.fixture
def review(judging: Session[Inquiry]) -> Review:
    """A round that waits for a ruling."""
    return in_review(judging)


def _refused(review: Review, asked: Change, ruling: Ruling | None, message: str) -> None:
    journal, round_, _ = review
    with nothing_changes(journal.session), pytest.raises(ReviewRequired) as caught:
        journal.commit(round_, asked, ruling)
    assert (caught.value.message, caught.value.code) == (message, "review.required")
    assert journal.rulings(round_) == []


def test_g05_a_transition_that_asks_for_review_is_not_taken_by_hand(judging: Session[Inquiry]) -> None:
    with nothing_changes(judging), pytest.raises(ReviewRequired) as caught:
        judging.transact(does("set", "verdict", "the valve"), "ana", "conclude")
    assert caught.value.message == "The transition 'conclude' is committed under a ruling only"
    assert "dissensus rule" in caught.value.next_step


def test_g05_a_round_in_review_is_not_committed_without_a_ruling(review: Review) -> None:
    journal, round_, made = review
    _refused(review, change(journal.session, made[0]), None, f"Round {round_.round} awaits a ruling")


@pytest.mark.parametrize("status", ["review", "parked"])
def test_g05_a_disagreement_is_not_committed_without_a_ruling_whatever_the_transition_asks(
    judging: Session[Inquiry], status: str
) -> None:
    journal = Journal(judging)
    opened, _ = begun(journal, "doubt", "ana")
    made = proposes(judging, "ana", doubts=1)
    round_ = journal.propose(opened, [made], {"disagreements": ["/doubts"]})
    if status == "parked":
        journal.close(round_, "parked", rules(round_, [made], "escalate"))
    with nothing_changes(judging), pytest.raises(ReviewRequired, match="awaits a ruling"):
        journal.commit(round_, change(judging, made, transition="doubt"))
    journal.commit(round_, change(judging, made, transition="doubt"), rules(round_, [made], upheld=("ana",)))
    assert judging.state.doubts == 1


def test_g05_a_round_that_was_parked_without_a_reason_needs_a_ruling_too(judging: Session[Inquiry]) -> None:
    journal = Journal(judging)
    round_, _ = begun(journal, "doubt", "ana")
    made = proposes(judging, "ana", doubts=1)
    journal.propose(round_, [made])
    journal.close(round_, "parked")
    with nothing_changes(judging), pytest.raises(ReviewRequired, match="awaits a ruling"):
        journal.commit(round_, change(judging, made, transition="doubt"))


@pytest.mark.parametrize("decision", ["retry", "reject", "escalate"])
def test_g05_a_ruling_that_lets_nothing_pass_lets_nothing_pass(review: Review, decision: Decision) -> None:
    journal, round_, made = review
    ruling = rules(round_, made, decision)
    _refused(review, change(journal.session, made[0]), ruling, f"Round {round_.round} awaits a ruling")


def test_g05_the_last_ruling_counts(review: Review) -> None:
    journal, round_, made = review
    journal.close(round_, "parked", rules(round_, made, "uphold", upheld=("ana",)))
    journal.close(round_, "parked", rules(round_, made, "escalate"))
    with pytest.raises(ReviewRequired):
        journal.commit(round_, change(journal.session, made[0]), recorded=True)


BOUND_TO_OTHERS = "The ruling of chair is bound to other proposals or another base version"


@pytest.mark.parametrize("part", ["patch", "reads", "confidence", "attempt", "agent"])
def test_g05_a_ruling_on_a_proposal_that_differs_in_anything_is_not_a_ruling_on_this_one(
    review: Review, part: str
) -> None:
    journal, round_, made = review
    other = {"patch": (), "reads": ("/tags",), "confidence": 0.6, "attempt": 2, "agent": "cy"}
    seen = (replace(made[0], **{part: other[part]}), made[1])  # type: ignore[arg-type]
    _refused(review, change(journal.session, made[0]), rules(round_, seen), BOUND_TO_OTHERS)


def test_g05_a_ruling_on_some_of_the_proposals_is_not_a_ruling_on_all(review: Review) -> None:
    journal, round_, made = review
    _refused(review, change(journal.session, made[0]), rules(round_, made[:1]), BOUND_TO_OTHERS)


def test_g05_a_ruling_on_another_base_version_is_not_a_ruling_on_this_one(review: Review) -> None:
    journal, round_, made = review
    stale = rules(replace(round_, base=round_.base - 1), made)
    _refused(review, change(journal.session, made[0]), stale, BOUND_TO_OTHERS)
    moved = change(journal.session, made[0], base=round_.base - 1)
    _refused(review, moved, rules(round_, made), BOUND_TO_OTHERS)


def test_g05_a_ruling_is_used_once(judging: Session[Inquiry]) -> None:
    journal = Journal(judging)
    opened, _ = begun(journal, "doubt", "ana")
    made = proposes(judging, "ana", doubts=1)
    round_ = journal.propose(opened, [made], {"asked": "by the step"})
    asked = change(judging, made, transition="doubt", round=round_.round)
    journal.commit(round_, asked, rules(round_, [made], upheld=("ana",)))
    for commit in (judging.commit, partial(journal.commit, round_)):
        with nothing_changes(judging), pytest.raises(Conflict) as caught:
            commit(asked)
        assert caught.value.message == f"The round {round_.round} is settled already"


@pytest.mark.parametrize("status", ["retried", "rejected", "void"])
def test_g05_a_round_that_ended_without_a_commit_is_never_committed(review: Review, status: str) -> None:
    journal, round_, made = review
    journal.close(round_, status, rules(round_, made, "reject"))  # type: ignore[arg-type]
    with nothing_changes(journal.session), pytest.raises(Conflict, match="is settled already"):
        journal.commit(round_, change(journal.session, made[0]), rules(round_, made))
    assert [item.status for item in journal.proposals(round_)] == ["void", "void"]
    with nothing_changes(journal.session), pytest.raises(Conflict, match="is settled already"):
        journal.close(round_, "parked")


def test_g05_a_ruling_can_be_stored_first_and_carried_out_later(review: Review) -> None:
    journal, round_, made = review
    ruling = rules(round_, made, "amend", upheld=("ana",), dissent=("ben",), amendment=made[0].patch)
    journal.close(round_, "parked", ruling)
    journal.commit(round_, change(journal.session, made[0]), ruling, recorded=True)
    assert journal.session.state.verdict == "the valve"
    assert [item.status for item in journal.proposals(round_)] == ["accepted", "dissent"]
    assert journal.session.verify().rounds == 1


@pytest.mark.parametrize("decision", ["uphold", "amend"])
def test_g05_a_ruling_lets_nothing_pass_but_what_it_upholds(review: Review, decision: Decision) -> None:
    journal, round_, made = review
    told: dict[str, Patch] = {"amendment": made[0].patch} if decision == "amend" else {}
    ruling = rules(round_, made, decision, upheld=("ana",), dissent=("ben",), **told)
    with pytest.raises(ReviewRequired, match="does something that the ruling of chair does not let it"):
        journal.commit(round_, change(journal.session, made[1]), ruling)
    assert journal.session.head == round_.base
    journal.commit(round_, change(journal.session, made[0]), ruling)
    assert journal.session.state.verdict == "the valve"


def test_g05_a_ruling_is_read_back_whole(judging: Session[Inquiry]) -> None:
    journal, round_, made = in_review(judging)
    ruling = rules(
        round_,
        made,
        "amend",
        upheld=("ana",),
        dissent=("ben",),
        amendment=made[0].patch,
        clarification="which valve?",
        cause="a misquoted line",
        steps={"B": "it takes the pump's line for the valve's"},
        seed=7,
        kinds={"A": "raw", "B": "summary"},
        notes=("asked in both orders",),
        attempt=1,
    )
    journal.commit(round_, change(judging, made[0]), ruling)
    (stored,) = journal.rulings(round_)
    assert replace(stored, at=0, n=0) == ruling
    assert stored.n == 1


def test_g05_a_round_without_review_needs_no_ruling_where_the_transition_does_not_ask(
    judging: Session[Inquiry],
) -> None:
    journal = Journal(judging)
    round_, _ = begun(journal, "doubt", "ana")
    made = proposes(judging, "ana", doubts=1)
    journal.propose(round_, [made])
    assert journal.commit(round_, change(judging, made, transition="doubt")).version == 3
