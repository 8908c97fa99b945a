"""What a recorded call costs beside a bare one: CPU of the client, and the wall clock of many at once.

    python benchmarks/asked.py [--blocks 12] [--calls 200] [--json]

A provider in a process of its own answers over HTTP, in a stream and at once. A block is so many
concurrent calls, once with nothing but httpx (the same body, streamed to its end, nothing parsed; its
default of 20 idle connections, which costs it least of what we tried, and no limit on their number)
and once through a session: a round of as many agents, whose calls are written down before and after,
answers read, held to their type, proposed and committed to a SQLite file. The sides take turns in one
process; garbage is collected before each block and is in neither.

`call.cpu_ms` is the user and system CPU of this process for each recorded call beyond the bare one, in
milliseconds, the median over pairs of blocks of 50 calls; LangGraph, the round and its commit are in it.
`call.throughput_vs_raw` is the wall time of the bare block against that of the recorded one, the median
over pairs of blocks of 200 calls. A pool of httpx looks through all its connections at each request, so
a block of many calls costs it more for each; we spread ours over several clients.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

BLOCKS, CALLS, FEWER, DELAY = 20, 200, 50, 0.0
ANSWER = json.dumps({"reasoning": "It stands in the log. " * 8, "findings": ["The disk was full at noon."]})


@dataclass(frozen=True, slots=True)
class Spent:
    """What a block has spent, in seconds."""

    cpu: float
    wall: float


@contextmanager
def provider(delay: float) -> Iterator[str]:
    """A provider in a process of its own; its base URL."""
    command = [sys.executable, "-m", "dissensus.testing.provider", "--says", ANSWER, "--delay", str(delay)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield process.stdout.readline().strip() + "/v1"
    finally:
        process.terminate()
        process.wait()


async def spent(work: Callable[[], Awaitable[Any]]) -> Spent:
    """What some work costs this process."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    await work()
    return Spent(time.process_time() - cpu, time.perf_counter() - wall)


class Sides:
    """The two ways of making so many calls at once."""

    def __init__(self, url: str, calls: int, folder: Path) -> None:
        import httpx

        from dissensus import Agent, AgentGraph, Append, Budget, SharedState, Store
        from dissensus.models import OpenAIModel, Price

        class Inquiry(SharedState):
            question: str = "Why did the writer stop, and what is to be done about it?"
            findings: Annotated[list[str], Append] = []  # noqa: RUF012 - pydantic copies it

        price = Price(Decimal(1), Decimal(2))
        self._model = OpenAIModel(
            "tiny", base_url=url, key_env=None, name="local:tiny", price=price, timeout=120.0
        )
        agents = [Agent(f"agent-{n}", self._model, reads=["/question"]) for n in range(calls)]
        self._graph = AgentGraph(Inquiry).add_step("gather", agents, writes={"findings"})
        self._store = Store.open(str(folder / "asked.db"))
        self._session = self._store.create(Inquiry(), budget=Budget(usd=1_000))
        self._calls, self._url = calls, url
        self._body = self._sent()
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)  # the latter is its default
        self._client = httpx.AsyncClient(limits=limits, trust_env=False, timeout=120.0)

    def _sent(self) -> bytes:
        """What our side sends, byte by byte."""
        from dissensus_agents.round import requests_of

        step = self._graph.steps["gather"]
        asked, _ = requests_of(self._session, step, self._session.raw(), 0, None, {})
        return self._model.format.body(asked["agent-0"], "tiny", stream=True)

    async def bare(self) -> None:
        """Nothing but httpx."""
        await asyncio.gather(*(self._bare() for _ in range(self._calls)))

    async def _bare(self) -> None:
        headers = {"content-type": "application/json", "accept-encoding": "gzip"}
        url = f"{self._url}/chat/completions"
        async with self._client.stream("POST", url, content=self._body, headers=headers) as response:
            async for _ in response.aiter_raw():
                pass
        if response.status_code != 200:
            raise RuntimeError(f"status {response.status_code}")

    async def recorded(self) -> None:
        """Through a session, every call recorded."""
        await self._graph.run(self._session, start="gather")

    async def close(self) -> None:
        """Give everything back; all calls must stand in the records with an answer."""
        from dissensus_agents.models.transport import close_clients

        for one in self._session.rounds():
            calls = self._session.round(one.round)[2]
            if [call.status for call in calls] != ["answered"] * self._calls:
                raise RuntimeError(f"round {one.round} is not whole")
        await self._client.aclose()
        await close_clients()
        self._store.close()


async def pairs(blocks: int, calls: int, delay: float) -> list[tuple[Spent, Spent]]:
    """Blocks of the bare and of the recorded side, in turns; the first pair warms up and is left out."""
    taken: list[tuple[Spent, Spent]] = []
    with provider(delay) as url, tempfile.TemporaryDirectory(prefix="asked-") as folder:
        sides = Sides(url, calls, Path(folder))
        for number in range(blocks + 1):
            if number % 2:
                bare, recorded = await spent(sides.bare), await spent(sides.recorded)
            else:
                recorded, bare = await spent(sides.recorded), await spent(sides.bare)
            if number:
                taken.append((bare, recorded))
        await sides.close()
    return taken


def calls(blocks: int = BLOCKS, number: int = CALLS, delay: float = DELAY) -> dict[str, float]:
    """The figures."""
    fewer = min(FEWER, number)
    some, at_once = (asyncio.run(pairs(blocks, count, delay)) for count in (fewer, number))
    return {
        "call.cpu_ms": _ms((ours.cpu - bare.cpu for bare, ours in some), fewer),
        "call.cpu_bare_ms": _ms((bare.cpu for bare, _ in some), fewer),
        "call.cpu_many_ms": _ms((ours.cpu - bare.cpu for bare, ours in at_once), number),
        "call.throughput_vs_raw": round(
            statistics.median(bare.wall / ours.wall for bare, ours in at_once), 3
        ),
        "call.bare_per_s": round(statistics.median(number / bare.wall for bare, _ in at_once), 1),
    }


def _ms(seconds: Iterable[float], count: int) -> float:
    return round(statistics.median(seconds) / count * 1000, 3)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--blocks", type=int, default=BLOCKS, help="pairs of blocks")
    parser.add_argument("--calls", type=int, default=CALLS, help="concurrent calls of a block")
    parser.add_argument("--delay", type=float, default=DELAY, help="seconds before each answer")
    parser.add_argument("--json", action="store_true", help="one object on the last line")
    given = parser.parse_args()
    figures = calls(given.blocks, given.calls, given.delay)
    print(json.dumps({"figures": figures}) if given.json else figures)


if __name__ == "__main__":
    main()
