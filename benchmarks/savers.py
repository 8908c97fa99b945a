"""LangGraph with its own savers, on the workload of the commits.

- `AsyncGraph`: one run (`astream`) of a graph with one node that goes round, `durability="sync"`: each
  superstep is stored before the next begins. The channel of the findings is a list with a reducer.
- `AsyncDeltaGraph`: the same with a `DeltaChannel` of its default frequency, 100.
- `Graph`, `DeltaGraph`: both through the synchronous door (`stream` and the synchronous savers),
  which costs less CPU.
- `SaverAlone`: `put_writes` and `put` by hand, no graph at all.
- `Turns`: one `invoke` for each transition on the same thread, as a conversation is run. Concurrent
  writers are shown with this one.

All have the savers' own durability: on SQLite WAL with `synchronous` at its default FULL.
"""

from __future__ import annotations

import asyncio
import operator
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack
from typing import Annotated, Any, TypedDict, cast

from findings import Json, OneByOne, Update
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import create_checkpoint, empty_checkpoint
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from places import conninfo, is_sqlite, path_of

THREAD = "thread"
BEGINNING: Json = {"findings": [], "status": "open", "step": 0}
CONFIG: Any = {"configurable": {"thread_id": THREAD}, "recursion_limit": 10**9}
STREAM: Any = {"stream_mode": "updates", "durability": "sync"}


class Notes(TypedDict):
    """The state with a plain reducer."""

    findings: Annotated[list[Json], operator.add]
    status: str
    step: int


def _all(before: list[Json], writes: Sequence[list[Json]]) -> list[Json]:
    return before + [finding for write in writes for finding in write]


class DeltaNotes(TypedDict):
    """The state with a delta channel."""

    findings: Annotated[list[Json], DeltaChannel(_all, list)]
    status: str
    step: int


def saver_for(url: str, stack: ExitStack) -> Any:
    """The saver of a database, with its tables made."""
    if is_sqlite(url):
        saver: Any = stack.enter_context(SqliteSaver.from_conn_string(path_of(url)))
    else:
        from langgraph.checkpoint.postgres import PostgresSaver

        saver = stack.enter_context(PostgresSaver.from_conn_string(conninfo(url)))
    saver.setup()
    return saver


async def _async_saver_for(url: str, stack: AsyncExitStack) -> Any:
    if is_sqlite(url):
        from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

        saver: Any = await stack.enter_async_context(AsyncSqliteSaver.from_conn_string(path_of(url)))
    else:
        from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

        saver = await stack.enter_async_context(AsyncPostgresSaver.from_conn_string(conninfo(url)))
    await saver.setup()
    return saver


def _round_and_round(state: type, node: Callable[[Any], Any]) -> StateGraph[Any]:
    """A graph whose only node is followed by itself; each step of its stream is a checkpoint."""
    graph: StateGraph[Any] = StateGraph(cast(Any, state))
    graph.add_node("note", node)
    graph.add_edge(START, "note")
    graph.add_edge("note", "note")
    return graph


def _as_state(update: Update) -> Json:
    return {"findings": [update.finding], "status": update.status, "step": update.step}


class Graph:
    """One run whose only node takes the next update; each step of the stream is a checkpoint."""

    state: type = Notes

    def __init__(self, url: str) -> None:
        self._stack = ExitStack()
        self._coming: deque[Update] = deque()
        compiled = _round_and_round(self.state, self._note).compile(checkpointer=saver_for(url, self._stack))
        self._run: Iterator[Any] = compiled.stream(BEGINNING, CONFIG, **STREAM)

    def _note(self, _: Any) -> Json:
        return _as_state(self._coming.popleft())

    def block(self, updates: Sequence[Update]) -> None:
        """As many supersteps."""
        self._coming.extend(updates)
        for _ in updates:
            next(self._run)

    def close(self) -> None:
        """Leave the run where it is, and close."""
        self._stack.close()


class DeltaGraph(Graph):
    """The same with `DeltaChannel`."""

    state = DeltaNotes


class AsyncGraph:
    """One run in an event loop, with the asynchronous saver."""

    state: type = Notes

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self._coming: deque[Update] = deque()
        self._run: AsyncIterator[Any] = self._loop.run_until_complete(self._begin(url))

    async def _begin(self, url: str) -> AsyncIterator[Any]:
        saver = await _async_saver_for(url, self._stack)
        compiled = _round_and_round(self.state, self._note).compile(checkpointer=saver)
        return compiled.astream(BEGINNING, CONFIG, **STREAM)

    async def _note(self, _: Any) -> Json:
        return _as_state(self._coming.popleft())

    def block(self, updates: Sequence[Update]) -> None:
        """As many supersteps."""
        self._coming.extend(updates)
        self._loop.run_until_complete(self._steps(len(updates)))

    async def _steps(self, count: int) -> None:
        for _ in range(count):
            await anext(self._run)

    def close(self) -> None:
        """Leave the run where it is, and close."""
        self._loop.run_until_complete(self._stack.aclose())


class AsyncDeltaGraph(AsyncGraph):
    """The same with `DeltaChannel`."""

    state = DeltaNotes


class SaverAlone(OneByOne):
    """Checkpoints put by hand: what a graph would store, without a graph."""

    def __init__(self, url: str) -> None:
        self._stack = ExitStack()
        self._saver = saver_for(url, self._stack)
        self._checkpoint: Any = empty_checkpoint()
        self._values: Json = {"findings": [], "status": "open", "step": 0}
        self._versions: dict[str, Any] = {}
        self._config: Any = {"configurable": {"thread_id": THREAD, "checkpoint_ns": ""}}
        self._put(dict(self._values), -1)

    def commit(self, update: Update) -> None:
        """`put_writes` of what is new, `put` of what has come of it."""
        written = _as_state(update)
        self._saver.put_writes(self._config, list(written.items()), task_id=str(update.step))
        self._values = {**written, "findings": [*self._values["findings"], update.finding]}
        self._put(self._values, update.step)

    def _put(self, values: Json, step: int) -> None:
        newer = {name: self._saver.get_next_version(self._versions.get(name), None) for name in values}
        self._versions.update(newer)
        made = create_checkpoint(self._checkpoint, None, step)
        made["channel_values"] = dict(values)
        made["channel_versions"] = dict(self._versions)
        self._checkpoint = made
        metadata = {"source": "loop", "step": step, "parents": {}}
        self._config = self._saver.put(self._config, made, metadata, newer)

    def close(self) -> None:
        """Close."""
        self._stack.close()


class Turns(OneByOne):
    """A graph that is invoked once for each update."""

    def __init__(self, url: str) -> None:
        self._stack = ExitStack()
        graph = StateGraph(Notes)
        graph.add_node("note", lambda _: {})
        graph.add_edge(START, "note")
        graph.add_edge("note", END)
        self._graph: Any = graph.compile(checkpointer=saver_for(url, self._stack))
        self._config: Any = {"configurable": {"thread_id": THREAD}}

    def commit(self, update: Update) -> None:
        """One run."""
        self._graph.invoke(_as_state(update), self._config)

    def findings(self) -> list[str]:
        """The ids of the newest state."""
        return [found["id"] for found in self._graph.get_state(self._config).values.get("findings", [])]

    def close(self) -> None:
        """Close."""
        self._stack.close()
