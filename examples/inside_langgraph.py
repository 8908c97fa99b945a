"""A step of dissensus as a node of a LangGraph graph of your own."""

from __future__ import annotations

import asyncio
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph

from dissensus import Agent, AgentGraph, SharedState, Store


class Ticket(TypedDict, total=False):
    """What your own graph carries from node to node."""

    text: str
    answer: str


class Triage(SharedState):
    """What the agents share, with its history: nothing of it is in your graph's state."""

    text: str
    team: str | None = None


def reader(request: Any) -> dict[str, Any]:
    """A function in place of a model: it reads the ticket in its prompt."""
    team = "payments" if "card" in request.prompt else "support"
    return {"reasoning": f"The words are those of {team}.", "team": team}


async def main() -> None:
    """Judge a ticket in one node, answer it in the next."""
    ticket = "My card was charged twice."
    panel = AgentGraph(Triage)
    panel.add_step("triage", [Agent("ana", reader), Agent("ben", reader)], writes={"team"})

    with Store.open("triage.db") as store:
        session = store.create(Triage(text=ticket))

        def answer(_: Ticket) -> Ticket:
            return {"answer": f"{session.state.team} will write to you."}

        builder = StateGraph(Ticket)
        builder.add_node("triage", panel.node("triage", session))
        builder.add_node("answer", answer)
        builder.add_edge(START, "triage")
        builder.add_edge("triage", "answer")
        builder.add_edge("answer", END)
        print(await builder.compile().ainvoke({"text": ticket}))
        print(session.blame("/team").authors)


if __name__ == "__main__":
    asyncio.run(main())
