"""LangGraph's own three-node fan-out over its SQLite saver, with nodes that do nothing."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypedDict

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph

AGENTS = ("first", "second", "third")


class Asked(TypedDict):
    """As little as a graph can carry."""

    question: str


def _nothing(_: Asked) -> dict[str, Any]:
    return {}


async def _nothing_async(_: Asked) -> dict[str, Any]:
    return {}


def fan_out(saver: Any, *, asynchronous: bool) -> Any:
    """Three nodes side by side, between the start and the end."""
    graph = StateGraph(Asked)
    for name in AGENTS:
        graph.add_node(name, _nothing_async if asynchronous else _nothing)
        graph.add_edge(START, name)
        graph.add_edge(name, END)
    return graph.compile(checkpointer=saver)


def threads(*, one: bool) -> Iterator[dict[str, Any]]:
    """The configuration of each invocation: a thread of its own, or the same for all."""
    first = str(uuid.uuid4())
    for n in itertools.count():
        yield {"configurable": {"thread_id": first if one else f"{first}-{n}"}}


class Peer:
    """The fan-out, invoked in a loop: `block` runs it so many times.

    Args:
        one_thread: Go on in one thread, instead of a new one for each invocation.
    """

    def __init__(self, graph: Any, *, asynchronous: bool, one_thread: bool) -> None:
        self._graph = graph
        self._asynchronous = asynchronous
        self._threads = threads(one=one_thread)

    async def block(self, rounds: int) -> None:
        """So many invocations, one after the other."""
        for n, config in zip(range(rounds), self._threads, strict=False):
            asked = {"question": f"Question {n}"}
            if self._asynchronous:
                await self._graph.ainvoke(asked, config)
            else:
                self._graph.invoke(asked, config)


@contextmanager
def synchronous(folder: Path) -> Iterator[dict[str, Peer]]:
    """Over `SqliteSaver`, with `invoke`."""
    with SqliteSaver.from_conn_string(str(folder / "langgraph.db")) as saver:
        graph = fan_out(saver, asynchronous=False)
        yield {
            "langgraph_sync_new_thread": Peer(graph, asynchronous=False, one_thread=False),
            "langgraph_sync_one_thread": Peer(graph, asynchronous=False, one_thread=True),
        }


@asynccontextmanager
async def asynchronous(folder: Path) -> AsyncIterator[dict[str, Peer]]:
    """Over `AsyncSqliteSaver`, with `ainvoke`."""
    async with AsyncSqliteSaver.from_conn_string(str(folder / "langgraph-async.db")) as saver:
        graph = fan_out(saver, asynchronous=True)
        yield {
            "langgraph_async_new_thread": Peer(graph, asynchronous=True, one_thread=False),
            "langgraph_async_one_thread": Peer(graph, asynchronous=True, one_thread=True),
        }
