"""A cascade of panels: two cheap models first, a panel of dear ones only where they disagree; no key."""

from __future__ import annotations

import asyncio

from dissensus import Agent, AgentGraph, FunctionModel, SharedState, Store
from dissensus.patterns import Cascade, Panel


class Ticket(SharedState):
    """A question to support, and which team it belongs to."""

    text: str
    team: str = ""


def agent(name: str, maker: str, rule) -> Agent:
    """One whose model is a function; "openai:gpt-5-mini" in its place asks a real one."""
    model = FunctionModel(
        f"{maker}:{name}", lambda request: {"team": rule(request.prompt)}, lineage=f"{maker}/1"
    )
    return Agent(name, model)


cheap = [
    agent("mini", "a", lambda text: "billing" if "invoice" in text else "support"),
    agent("small", "b", lambda text: "billing" if "invoice" in text and "error" not in text else "support"),
]
dear = [
    agent("large", "a", lambda text: "engineering" if "error" in text else "billing"),
    agent("grand", "c", lambda text: "engineering" if "error 500" in text else "support"),
    agent("huge", "d", lambda _: "billing"),
]
graph = AgentGraph(Ticket)
graph.add_step("assign", Cascade([Panel(cheap), Panel(dear, grow=True)]), writes={"team"})

with Store.open("tickets.db") as store:
    for text in ("Where is my invoice?", "The invoice page shows error 500."):
        session = store.create(Ticket(text=text))
        asyncio.run(graph.run(session))
        asked = [call.agent for call in session.round(1)[2]]
        print(f"{text} -> {session.state.team} (asked: {', '.join(asked)})")
        for decision in session.decisions(1):
            print(f"  {decision['pattern']}: {', '.join(decision['chosen'])}, because {decision['reason']}")
