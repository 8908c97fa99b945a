"""LangGraph with its own savers, on the workload of the commits.

- `Graph`: one run of a graph with one node that goes round, `durability="sync"` (each superstep is
  stored before the next begins): the cheapest way to N checkpoints through LangGraph's own door. The
  channel of the findings is a list with a reducer.
- `DeltaGraph`: the same with a `DeltaChannel` of its default frequency.
- `SaverAlone`: `put_writes` and `put` by hand, no graph at all.
- `Turns`: one `invoke` for each transition on the same thread, as a conversation is run. Concurrent
  writers are shown with this one.

All have the savers' own durability: on SQLite WAL with `synchronous` at its default FULL.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Annotated, Any, TypedDict, cast

from findings import Json, Update
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import create_checkpoint, empty_checkpoint
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from places import conninfo, is_sqlite, path_of

THREAD = "thread"
FOREVER = 10**9


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


def _as_state(update: Update) -> Json:
    return {"findings": [update.finding], "status": update.status, "step": update.step}


class Graph:
    """One run whose only node takes the next update; each step of the stream is a checkpoint."""

    state: type = Notes

    def __init__(self, url: str) -> None:
        self._stack = ExitStack()
        graph = StateGraph(cast(Any, self.state))
        graph.add_node("note", self._note)
        graph.add_edge(START, "note")
        graph.add_conditional_edges("note", lambda _: "note", ["note", END])
        compiled = graph.compile(checkpointer=saver_for(url, self._stack))
        self._next: Update | None = None
        self._run: Iterator[Any] = compiled.stream(
            {"findings": [], "status": "open", "step": 0},
            {"configurable": {"thread_id": THREAD}, "recursion_limit": FOREVER},
            stream_mode="updates",
            durability="sync",
        )

    def _note(self, _: Any) -> Json:
        if self._next is None:
            raise RuntimeError("There is no update to take")
        return _as_state(self._next)

    def commit(self, update: Update) -> None:
        """One superstep."""
        self._next = update
        next(self._run)

    def close(self) -> None:
        """Leave the run where it is, and close."""
        self._stack.close()


class DeltaGraph(Graph):
    """The same with `DeltaChannel`."""

    state = DeltaNotes


class SaverAlone:
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


class Turns:
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
