"""G1: a commit is visible whole, or not at all."""

from __future__ import annotations

import pytest

import state_workers
from by_hand import begun, change, in_review, proposes, rules, to_judging
from dissensus_state.errors import Conflict
from dissensus_state.journal import Journal
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from inquiries import Finding, Inquiry, Notes, nothing_changes


class Interrupted(Exception):
    """Something of the user's own went wrong."""


def test_g01_an_error_inside_the_block_leaves_nothing_behind(notes: Session[Notes]) -> None:
    def work() -> None:
        with notes.transaction("ana") as tx:
            tx.set("a", 1)
            tx.append("lines", "one")
            raise Interrupted

    with nothing_changes(notes), pytest.raises(Interrupted):
        work()
    assert notes.events() == []


def test_g01_everything_written_in_one_block_becomes_one_version(notes: Session[Notes]) -> None:
    with notes.transaction("ana") as tx:
        tx.set("a", 1)
        tx.set("b", 2)
        tx.append("lines", "one")
        assert notes.state == Notes()
    assert notes.head == 1
    assert notes.state == Notes(a=1, b=2, lines=["one"])


def test_g01_patch_ruling_dissent_and_the_end_of_the_round_become_visible_together(
    inquiry: Session[Inquiry],
) -> None:
    to_judging(inquiry)
    journal, round_, made = in_review(inquiry)
    ruling = rules(round_, made, upheld=("ana",), dissent=("ben",))
    commit = journal.commit(round_, change(inquiry, made[0]), ruling)
    ended, proposed, asked, ruled = inquiry.round(round_.round)
    assert (inquiry.head, inquiry.state.verdict, inquiry.state.phase) == (3, "the valve", "closed")
    assert (commit.version, commit.round, ended.status) == (3, round_.round, "committed")
    assert [(item.agent, item.status) for item in proposed] == [("ana", "accepted"), ("ben", "dissent")]
    assert [call.status for call in asked] == ["answered", "answered"]
    assert [item.binding for item in ruled] == [ruling.binding]


def test_g01_of_a_round_that_may_not_commit_neither_ruling_nor_dissent_stays(
    inquiry: Session[Inquiry],
) -> None:
    to_judging(inquiry)
    journal, round_, made = in_review(inquiry)
    with inquiry.transaction("scout", "doubt") as tx:
        tx.add("doubts", 1)
    late = change(inquiry, made[0], base=round_.base, reads=(("doubts",),))
    with nothing_changes(inquiry), pytest.raises(Conflict):
        journal.commit(round_, late, rules(round_, made, upheld=("ana",), dissent=("ben",)))
    _, proposed, _, ruled = inquiry.round(round_.round)
    assert [item.status for item in proposed] == ["open", "open"]
    assert ruled == []


def test_g01_proposals_that_nobody_had_to_see_before_come_with_their_commit(
    inquiry: Session[Inquiry],
) -> None:
    journal = Journal(inquiry)
    opened, _ = begun(journal, "doubt", "cy")
    with inquiry.transaction("scout", "doubt") as tx:
        tx.add("doubts", 1)
    made = proposes(inquiry, "cy", doubts=1)
    stale = change(inquiry, made, transition="doubt", base=opened.base, reads=(("doubts",),))
    with nothing_changes(inquiry), pytest.raises(Conflict):
        journal.commit(opened, stale, made=[made])
    assert journal.proposals(opened) == []
    journal.commit(opened, change(inquiry, made, transition="doubt"), made=[made])
    assert [item.status for item in journal.proposals(opened)] == ["accepted"]


def test_g01_a_process_that_is_killed_in_the_middle_of_a_commit_leaves_nothing_of_it(
    own_store: Store, database_url: str
) -> None:
    session = own_store.create(Inquiry(findings=[Finding(text="The valve was open")]))
    with state_workers.start("half_a_commit", database_url) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "written\n"
        worker.kill()
    (round_,) = session.rounds()
    _, proposed, _, ruled = session.round(round_.round)
    assert (session.head, session.state.verdict) == (1, None)
    assert (round_.status, ruled) == ("review", [])
    assert [item.status for item in proposed] == ["open", "open"]
    assert session.verify().versions == 2
    with session.transaction("scout", "doubt") as tx:
        tx.add("doubts", 1)
    assert session.head == 2
