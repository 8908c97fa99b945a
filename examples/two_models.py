"""Two models and a supervisor work on one state; functions stand in for them, so it needs no key."""

from __future__ import annotations

import asyncio

from dissensus import Agent, AgentGraph, FunctionModel, SharedState, Store, Supervisor


class Incident(SharedState):
    """What is known of an incident, and what its cause was."""

    log: str
    cause: str | None = None


def chair(request):
    """Rule on two positions, read with their reasoning, without names and in shuffled order."""
    *_, first, _ = request.parts
    checked = "A" if "09:47" in first.text else "B"
    return {"decision": "uphold", "position": checked, "reason": "Only this one looks at the times."}


# In place of a function, "openai:gpt-4o-mini" or "ollama:llama3.1" asks a real model.
ana = Agent("ana", lambda _: {"reasoning": "A release came first, as usual.", "cause": "the release"})
ben = Agent("ben", lambda _: {"reasoning": "Errors at 09:41, release at 09:47.", "cause": "the export"})
graph = AgentGraph(Incident)
graph.add_step("judge", [ana, ben], writes={"cause"}, supervisor=Supervisor(FunctionModel("chair", chair)))

with Store.open("incident.db") as store:
    session = store.create(Incident(log="09:40 export begins\n09:41 first error\n09:47 release"))
    asyncio.run(graph.run(session))
    why = session.blame("/cause")

print(f"{why.value}, says {why.authors[0]}: {why.rulings[0].reason}")
for lost in why.dissent:
    print(f"{lost.agent} dissents: {lost.patch[0].value}")
