"""What the proposals of a session's rounds did not agree on, as it is read back."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from dissensus_state.disputes import Dispute, Held, tally
from dissensus_state.journal import Journal
from dissensus_state.records import Proposal, Ruling
from dissensus_state.rounds import binding
from dissensus_state.sessions import Session
from inquiries import Inquiry

QUESTION = {
    "path": "/verdict",
    "positions": [{"value": "x", "holders": ["a", "c"]}, {"value": "y", "holders": ["b"]}],
    "distance": 0.5,
    "cause": "judgement",
}


def parked(session: Session[Inquiry], **review: object) -> None:
    """A round whose proposals wait for a ruling."""
    journal = Journal(session)
    begun = journal.begin("judge", session.head, [])
    assert begun is not None
    made = [Proposal(name, (), (), None, 0) for name in "abc"]
    kept = journal.propose(begun[0], made, {"disagreements": [QUESTION], **review})
    journal.close(
        kept, "rejected", Ruling("chair", "reject", binding(kept.base, made), "no", cause="stale_read")
    )


def test_a_dispute_tells_who_held_what_what_was_suspected_and_what_was_ruled(
    inquiry: Session[Inquiry],
) -> None:
    parked(inquiry, weighed={"votes": 1.4, "basis": "prior"}, immaterial=[{**QUESTION, "path": "/tags"}])

    (one,) = inquiry.disagreements()
    assert (one.path, one.distance, one.cause, one.status) == ("/verdict", 0.5, "judgement", "rejected")
    assert one.positions == (Held("x", ("a", "c")), Held("y", ("b",)))
    assert (one.ruled, one.decision, one.by, one.material) == ("stale_read", "reject", "chair", True)
    assert one.weighed == {"votes": 1.4, "basis": "prior"}
    assert one.entropy == pytest.approx(math.log(3) - 2 / 3 * math.log(2))
    assert one.as_dict()["positions"][1] == {"value": "y", "holders": ["b"]}
    assert [item.path for item in inquiry.disagreements(immaterial=True)] == ["/verdict", "/tags"]


@pytest.mark.parametrize("stored", [[{"path": 3}], "none", [None], [{**QUESTION, "positions": ["x"]}]])
def test_what_cannot_be_read_says_nothing(inquiry: Session[Inquiry], stored: object) -> None:
    parked(inquiry, disagreements=stored)

    assert all(not one.positions for one in inquiry.disagreements())


def test_a_tally_counts_what_rulings_confirmed_and_corrected() -> None:
    one = Dispute(1, "main", "judge", "committed", "/x", (), 0.5, "judgement")
    found = [one, replace(one, ruled="judgement"), replace(one, ruled="stale_read", distance=1.0)]
    rows = tally([*found, replace(one, path="/y", status="parked")])
    assert [(row.path, row.disputes, row.settled, row.confirmed, row.corrected) for row in rows] == [
        ("/x", 3, 3, 1, 1),
        ("/y", 1, 0, 0, 0),
    ]
    assert rows[0].distance == pytest.approx(2 / 3)
