"""Rounds by hand: what the agents layer would write, with nobody asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dissensus_state.journal import Journal
from dissensus_state.records import Call, Change, Decision, Proposal, Round, Ruling
from dissensus_state.rounds import binding
from dissensus_state.sessions import Session
from inquiries import Inquiry


def intent(agent: str = "ana", *, reserved: int = 0, attempt: int = 1) -> Call:
    """A call about to be made."""
    return Call(
        agent=agent,
        attempt=attempt,
        model=f"{agent}-large",
        lineage="acme",
        price={"input": "1.5", "output": "6"},
        request=[{"text": "Why did it stop? " * 20}],
        reserved=reserved,
        sent_at=0,
    )


def answered(call: Call, answer: str = "The valve.", *, cost: int | None = 0) -> Call:
    """The call with what came of it."""
    return replace(
        call,
        status="answered",
        answer=answer,
        reasoning=f"{call.agent} thought about it.",
        reasoning_kind="raw",
        raw=b'{"choices": []}',
        input_tokens=120,
        output_tokens=30,
        cached_tokens=20,
        reasoning_tokens=10,
        cost=cost,
        latency_ms=420,
        ttft_ms=99,
        finish_reason="stop",
        detail={"notes": ["first try"]},
    )


def proposes(session: Session[Any], agent: str, **fields: Any) -> Proposal:
    """A proposal of these values, made after reading the findings."""
    patch = tuple(session.shape.operation((name,), value) for name, value in fields.items())
    return Proposal(agent, patch, ("/findings",), 0.5, 1, detail={"words": 3})


def rules(round_: Round, made: Sequence[Proposal], decision: Decision = "uphold", **said: Any) -> Ruling:
    """A ruling on exactly these proposals."""
    return Ruling("chair", decision, binding(round_.base, made), "The log says so", **said)


def change(session: Session[Any], made: Proposal, **told: Any) -> Change:
    """The change that carries one proposal out."""
    told = {"transition": "conclude", "base": session.head, "reads": (("findings",),), **told}
    return Change(made.agent, made.patch, **told)


def to_judging(session: Session[Inquiry]) -> None:
    """Go on to the phase in which a verdict can be given."""
    with session.transaction("scout", "open_judging"):
        pass


def begun(journal: Journal, step: str = "conclude", *agents: str) -> tuple[Round, list[Call]]:
    """A new round on the newest version, with the calls of its agents sent."""
    opened = journal.begin(step, journal.session.head, [intent(agent, reserved=5) for agent in agents])
    assert opened is not None
    return opened


def in_review(session: Session[Inquiry]) -> tuple[Journal, Round, tuple[Proposal, ...]]:
    """A round whose two agents disagree on the verdict, in review."""
    journal = Journal(session)
    opened, sent = begun(journal, "conclude", "ana", "ben")
    journal.settle([answered(call, cost=3) for call in sent])
    made = (proposes(session, "ana", verdict="the valve"), proposes(session, "ben", verdict="the pump"))
    return journal, journal.propose(opened, made, {"disagreements": ["/verdict"]}), made


def concluded(session: Session[Inquiry]) -> Round:
    """Judge the inquiry in one round: ana is upheld, ben dissents."""
    to_judging(session)
    journal, round_, made = in_review(session)
    ruling = rules(round_, made, upheld=("ana",), dissent=("ben",), cause="a misquoted line", seed=7)
    journal.commit(round_, change(session, made[0]), ruling)
    return round_
