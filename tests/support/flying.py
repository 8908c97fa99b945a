"""A run whose calls can be caught in flight: held, sent, in the middle of an answer, answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from decimal import Decimal
from pathlib import Path
from typing import Any

from dissensus_agents.agent import Agent
from dissensus_agents.graph import AgentGraph
from dissensus_agents.messages import Delta, Reply, Request
from dissensus_agents.models.prices import Price
from dissensus_agents.models.transport import Unavailable
from dissensus_state.errors import DissensusError
from dissensus_state.shapes import SharedState
from dissensus_state.store import Store
from forking import say, serve
from killable import moments
from streams import Streamed

PRICE = Price(Decimal(1), Decimal(1), source="a test")
ANSWER = json.dumps({"verdict": "disk", "reasoning": "It is full."})


class Flight(SharedState):
    """One thing to be found out."""

    verdict: str = ""


class Flying(Streamed):
    """A model that can be stopped before its first piece and in the middle of its answer."""

    async def stream(self, request: Request) -> AsyncGenerator[Delta | Reply]:
        moments.asked(self.name, 0)
        say(f"asked {self.name}")
        await moments.wait(f"{self.name} sent", 0)
        async for piece in super().stream(request):
            yield piece
            if isinstance(piece, Delta):
                await moments.wait(f"{self.name} in the middle", 0)


def _graph(*, limited: bool) -> AgentGraph:
    first = Flying("first", [Unavailable("down", kind="outage")], price=PRICE)
    second = Flying("second", [ANSWER[:20], ANSWER[20:]], price=PRICE)
    third = Flying("third", [ANSWER], price=PRICE, rpm=1 if limited else None)
    third.address = "shared"
    agents = [
        Agent("ana", [first, second], max_output_tokens=100),
        Agent("ben", third, max_output_tokens=100),
        Agent("cid", third, max_output_tokens=100),
    ]
    return AgentGraph(Flight).add_step("find", agents, writes={"verdict"})


async def _work(url: str, session: str, *, limited: bool) -> None:
    with Store.open(url) as store:
        async for progress in _graph(limited=limited).stream(store.session(session, Flight)):
            say(f"{progress.kind} {progress.body.get('agent', '')}".strip())
            if progress.kind == "answered":
                await moments.wait(f"{progress.body['agent']} answered", 0)


def work(
    url: str, session: str, folder: str, stop: tuple[str, int] | None = None, *, limited: bool = False
) -> int:
    """Run over a session; the exit status that tells how it ended."""
    moments.folder, moments.stop = Path(folder), stop and (stop[0], stop[1])
    try:
        asyncio.run(_work(url, session, limited=limited))
    except KeyboardInterrupt:
        return 130
    except DissensusError as error:
        say(f"failed {error.code}")
        return error.exit_code
    return 0


def graph() -> Any:
    """The graph, for a replay."""
    return _graph(limited=False)


if __name__ == "__main__":
    import dissensus_agents.weaving  # noqa: F401 - what every worker needs, loaded once

    serve(work)
