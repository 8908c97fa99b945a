"""A round in which one is upheld and two disagree, with texts that JSON has to escape."""

from __future__ import annotations

from by_hand import begun, change, proposes, rules, to_judging
from dissensus_state.journal import Journal
from dissensus_state.sessions import Session
from inquiries import Finding, Inquiry

NUL = "a\0b\\u0000 %00 \x1f"

DISPUTE = {
    "path": "/verdict",
    "positions": [
        {"value": f"the valve {NUL}", "holders": ["ana"]},
        {"value": None, "holders": ["ben", "cy"]},
    ],
    "distance": 0.5,
    "cause": "missing evidence",
}


def disputed(session: Session[Inquiry], *, ruled: bool = True) -> None:
    """A round of three, of whom two disagree with the one who is upheld."""
    with session.transaction("scout", "gather") as tx:
        tx.append("findings", Finding(text=NUL))
    to_judging(session)
    journal = Journal(session)
    opened, _ = begun(journal, "conclude", "ana", "ben", "cy")
    made = tuple(proposes(session, name, verdict=f"by {name}") for name in ("ana", "ben", "cy"))
    review = {"disagreements": [DISPUTE, "/no dispute"], "hollow": {"because": NUL}}
    round_ = journal.propose(opened, made, review)
    if ruled:
        ruling = rules(round_, made, upheld=("ana",), dissent=("ben", "cy"), cause="a misquoted line")
        journal.commit(round_, change(session, made[0]), ruling)
