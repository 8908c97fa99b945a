"""A session as a graph leaves it, written by hand: commits, a ruled round, one that waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from dissensus_state.errors import Denied
from dissensus_state.journal import Journal
from dissensus_state.patches import Operation
from dissensus_state.records import Budget, Call, Change, Proposal, Round, Ruling
from dissensus_state.rounds import binding
from dissensus_state.sessions import Session
from dissensus_state.store import Store
from outage import Outage

HOSTILE = "\x1b[31mred\x1b[0m [bold]loud[/bold]\r\nversion 99\x07\u202egnol\U000e0041"
"""Terminal commands, rich's markup, a forged line, a bell, a turned direction, a hidden letter."""

PRICE = {"input": 1000, "output": 2000}


def _answered(call: Call, answer: str, cost: int | None) -> Call:
    thought = f"{call.agent} thinks:\nstep 1\nstep 2"
    return replace(
        call,
        status="answered",
        answer=answer,
        reasoning=thought,
        input_tokens=100,
        output_tokens=20,
        cost=cost,
        latency_ms=42,
    )


def _asked(agents: Sequence[str]) -> list[Call]:
    return [
        Call(agent, 0, f"model-{agent}", "lineage-1", PRICE, {"parts": []}, 5_000_000, 0) for agent in agents
    ]


@dataclass
class Story:
    """Everything that happens in one session, a round at a time."""

    session: Session[Any]
    journal: Journal

    def disputed(self, said: dict[str, str], step: str) -> tuple[Round, list[Proposal]]:
        """A round in which each agent proposes its own verdict."""
        base = self.session.head
        begun = self.journal.begin(step, base, _asked(list(said)))
        assert begun is not None
        opened, calls = begun
        costs = {agent: None if agent == "carol" else 1_500_000 for agent in said}
        self.journal.settle([_answered(call, said[call.agent], costs[call.agent]) for call in calls])
        made = [
            Proposal(agent, (Operation("set", ("verdict",), value),), ("/findings",), 0.8)
            for agent, value in said.items()
        ]
        return self.journal.propose(opened, made, _review(said)), made

    def ruled(self, opened: Round, made: list[Proposal], upheld: Proposal) -> None:
        """The chair upholds one proposal of a disputed round."""
        lost = tuple(item.agent for item in made if item.patch != upheld.patch)
        ruling = Ruling(
            "chair",
            "uphold",
            binding(opened.base, made),
            "B misquotes the log",
            upheld=(upheld.agent,),
            dissent=lost,
            seed=7,
        )
        change = Change("chair", upheld.patch, opened.base, (("findings",),), "reconsider")
        self.journal.commit(opened, change, ruling)


def _review(said: dict[str, str]) -> dict[str, Any]:
    values = dict.fromkeys(said.values())
    positions = [
        {"value": value, "holders": [agent for agent, own in said.items() if own == value]}
        for value in values
    ]
    found = {"path": "/verdict", "positions": positions, "distance": 0.75, "cause": "judgement"}
    failed = {"agents": ["carol"], "verifier": "quotation", "passed": False, "detail": HOSTILE}
    return {
        "disagreements": [found],
        "hollow": True,
        "votes": 1.25,
        "failed": [failed],
        "transition": "reconsider",
    }


def tell(url: str, *, last: str = "parked", tenant: str | None = None) -> None:
    """Write the session: two commits by hand, a ruled round (v3), and one that waits for a person."""
    with Store.open(url, tenant=tenant, clock=lambda: 1_700_000_000_000) as store:
        session = store.create(
            Outage(question="Why? 原因"), name="outage", budget=Budget(usd=2, unpriced="allow")
        )
        with session.transaction("analyst", "gather") as tx:
            tx.read("question")
            tx.append("findings", "the log says so", HOSTILE)
            tx.add("score", 2)
        with session.transaction("analyst", "open_judging"):
            pass
        _be_denied(session)
        story = Story(session, Journal(session))
        opened, made = story.disputed({"alice": "cache", "bob": "cache", "carol": "deploy"}, "judge")
        story.ruled(opened, made, made[0])
        opened, _ = story.disputed({"alice": "deploy", "eve [red]": HOSTILE}, "judge again")
        if last == "parked":
            story.journal.close(opened, "parked")


def part(url: str) -> None:
    """Fork the session, and let the chair uphold another verdict on each of the two branches."""
    with Store.open(url, clock=lambda: 1_700_000_000_000) as store:
        session = store.session("outage", Outage)
        for branch in (session.fork("idea"), session):
            story = Story(branch, Journal(branch))
            opened, made = story.disputed({"alice": branch.branch, "bob": "neither"}, "judge")
            story.ruled(opened, made, made[0])


def _be_denied(session: Session[Any]) -> None:
    with pytest.raises(Denied), session.transaction("analyst", "reconsider") as tx:
        tx.add("score", 3)
