"""Failover: how much later the next candidate is asked than the first one's timeout has it.

python benchmarks/failover.py --json

A local server is asked over HTTP. The first candidate hangs until its configured timeout, or refuses the
connection; the next one is up. Measured is the time from the moment at which the first is asked to that
at which the second is, less the timeout: finding out, recording the failure, choosing, reserving for the
next call and writing its intent. `failover.added_ms` is the median over the runs, of the worse of the two
ways of being down. What is known of the providers is forgotten before each run, so that the first one is
really asked.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RUNS = 25
TIMEOUT = 0.25
ANSWER = json.dumps({"reasoning": "It is said.", "answer": 42})


def failover(runs: int = RUNS, timeout: float = TIMEOUT) -> dict[str, float]:
    """The figures, in milliseconds."""
    from dissensus.testing import FakeProvider, Fault

    with FakeProvider() as hangs, FakeProvider() as refuses, FakeProvider() as up:
        hangs.says(Fault.named("silent"))
        refuses.says(Fault.named("refused"))
        up.says(ANSWER)
        there = up.url("openai")
        hung = asyncio.run(_added(runs, hangs.url("openai"), there, timeout, timeout))
        refused = asyncio.run(_added(runs, refuses.url("openai"), there, timeout, 0.0))
    return {
        "failover.added_ms": round(max(hung, refused), 2),
        "failover.added_hung_ms": round(hung, 2),
        "failover.added_refused_ms": round(refused, 2),
    }


async def _added(runs: int, down: str, up: str, seconds: float, expected: float) -> float:
    await _one(down, up, seconds)  # what is loaded and connected once is no matter of failover
    took = [await _one(down, up, seconds) for _ in range(runs)]
    return statistics.median(took) - expected * 1000


async def _one(down: str, up: str, seconds: float) -> float:
    """Milliseconds from asking the one that is down to asking the one that is up."""
    from dissensus import Agent, AgentGraph, SharedState, Store
    from dissensus.models import OpenAIModel
    from dissensus_agents.models.health import HEALTH
    from dissensus_agents.models.prices import FREE

    class Question(SharedState):
        answer: int | None = None

    asked: list[float] = []

    class Timed(OpenAIModel):
        async def stream(self, request: Any) -> Any:
            asked.append(time.perf_counter())
            async for piece in super().stream(request):
                yield piece

    HEALTH.forget()
    settings: dict[str, Any] = {"key_env": None, "price": FREE, "timeout": seconds}
    first = Timed("down", base_url=down, name="local:down", **settings)
    last = Timed("up", base_url=up, name="local:up", **{**settings, "timeout": 30.0})
    with tempfile.TemporaryDirectory() as folder, Store.open(str(Path(folder) / "failover.db")) as store:
        session = store.create(Question())
        graph = AgentGraph(Question).add_step("ask", [Agent("ana", [first, last])], writes={"answer"})
        await graph.run(session)
        rows = [(call.model, call.status) for call in session.round(1)[2]]
    if len(asked) != 2 or rows[-1] != ("local:up", "answered"):
        raise AssertionError(f"not both were asked once, or the last did not answer: {rows}")
    return (asked[1] - asked[0]) * 1000


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    figures = failover(given.runs)
    for key, value in figures.items():
        print(f"{key:28} {value:10,.2f}", file=sys.stderr)
    if given.json:
        print(json.dumps({"figures": figures}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
