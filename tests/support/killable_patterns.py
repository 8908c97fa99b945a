"""A run of patterns that can be killed at an exact moment, and whose routers would change their mind."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from dissensus_agents.agent import Agent
from dissensus_agents.graph import AgentGraph
from dissensus_agents.messages import Request
from dissensus_agents.models.prices import Price
from dissensus_agents.models.scripted import FunctionModel
from dissensus_agents.patterns.asked import Asked, Choice
from dissensus_agents.patterns.cascade import Cascade, Settled, agree
from dissensus_agents.patterns.chain import Chain, Link
from dissensus_agents.patterns.plan import Heard
from dissensus_agents.patterns.route import Route
from dissensus_agents.patterns.together import Panel, Parallel
from dissensus_state.errors import DissensusError
from dissensus_state.shapes import Append, SharedState, invariant
from dissensus_state.store import Store
from forking import say, serve
from killable import moments

PRICE = Price(Decimal(1), Decimal(1), source="a test")


class Work(SharedState):
    """A question that is answered, and then written up in one of two ways."""

    answer: str = ""
    notes: Annotated[list[str], Append] = []

    @invariant("answer")
    @staticmethod
    def a_moment_inside_of_the_commit(_: Work, after: Work) -> None:
        moments.pause("committing", len(after.answer) and 1)


def _first_time(name: str) -> bool:
    """Whether this is decided for the first time; every later time is a change of mind."""
    if moments.folder is None:
        return True
    path = moments.folder / name
    known = path.exists()
    with path.open("a") as file:
        file.write("x")
    return not known


def _which(asked: Asked) -> Choice:
    moments.pause("routing", 1)
    return Choice("hard" if _first_time("routed") else "easy", "so")


def _how(_: Asked) -> str:
    moments.pause("forking", 1)
    return "long" if _first_time("forked") else "short"


def _until(heard: Heard, made: Sequence[str]) -> Settled:
    moments.pause("between", 1)
    return agree()(heard, made)


def speaker(name: str, said: str) -> Agent:
    async def answer(_: Request) -> dict[str, Any]:
        moments.asked(name, 1)
        await moments.wait(f"{name} asked", 1)
        return {"answer": said}

    return Agent(
        name, FunctionModel(f"model-{name}", answer, lineage=name, price=PRICE), max_output_tokens=50
    )


def noter(name: str) -> Agent:
    def answer(_: Request) -> dict[str, Any]:
        moments.asked(name, 1)
        moments.pause(f"{name} asked", 1)
        return {"notes": [name]}

    return Agent(
        name, FunctionModel(f"model-{name}", answer, lineage=name, price=PRICE), max_output_tokens=50
    )


def work() -> AgentGraph:
    """A route over a cascade of a panel and a race, then a route over chains."""
    hard = Cascade(
        [
            Panel([speaker("zoe", "A"), speaker("ben", "B")], grow=True),
            Parallel([speaker("cid", "B"), speaker("dan", "B")], take="first", hedge=60),
        ],
        until=_until,
    )
    graph = AgentGraph(Work)
    graph.add_step("answer", Route({"easy": speaker("eve", "E"), "hard": hard}, by=_which), writes="answer")
    long = Chain([Link("one", noter("one"), writes="notes"), Link("two", noter("two"), writes="notes")])
    graph.add_step("write", Route({"short": noter("short"), "long": long}, by=_how), writes="notes")
    return graph.add_edge("answer", "write")


async def _run(url: str, session: str) -> None:
    with Store.open(url) as store:
        async for progress in work().stream(store.session(session, Work)):
            say(f"{progress.kind} {progress.round} {progress.body.get('agent', '')}".strip())


def run(url: str, session: str, folder: str, stop: tuple[str, int] | None = None, delay: float = 0.0) -> int:
    """Run it over a session; the exit status tells how it ended."""
    moments.folder, moments.stop, moments.delay = Path(folder), stop and (stop[0], stop[1]), delay
    try:
        asyncio.run(_run(url, session))
    except DissensusError as error:
        say(f"failed {error.code}")
        return error.exit_code
    return os.EX_OK


if __name__ == "__main__":
    import dissensus_agents.weaving  # noqa: F401 - what every worker needs, loaded once

    serve(run)
