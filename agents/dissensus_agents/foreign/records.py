"""What is read of LangGraph's checkpoints, and what its tables must have for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from dissensus_agents.errors import HistoryUnreadable
from dissensus_state.showing import Shown

NEWEST = 4
"""The newest format of a checkpoint that is known: `v` in each of them, `LATEST_VERSION` in LangGraph."""

SQLITE = {
    "checkpoints": {"thread_id", "checkpoint_ns", "checkpoint_id", "parent_checkpoint_id", "checkpoint"},
    "writes": {"thread_id", "checkpoint_ns", "checkpoint_id", "task_id", "idx", "channel", "value"},
}
POSTGRESQL = {
    "checkpoints": {"thread_id", "checkpoint_ns", "checkpoint_id", "parent_checkpoint_id", "checkpoint"},
    "checkpoint_blobs": {"thread_id", "checkpoint_ns", "channel", "version", "type", "blob"},
    "checkpoint_writes": {"thread_id", "checkpoint_ns", "checkpoint_id", "task_id", "idx", "channel", "blob"},
}
_MADE_BY = "langgraph-checkpoint-sqlite, or langgraph-checkpoint-postgres"


class Node(NamedTuple):
    """A checkpoint's place in its thread; `parent` may not be there any more."""

    namespace: str
    id: str
    parent: str | None


@dataclass(frozen=True, slots=True)
class Thread(Shown):
    """A thread: how many checkpoints it has, how many runs of subgraphs, and the newest checkpoint."""

    thread: str
    checkpoints: int
    subgraphs: int
    newest: str


class Write(NamedTuple):
    """What a task wrote into a channel on top of a checkpoint; the value is read when it is asked for."""

    checkpoint: str
    task: str
    path: str
    n: int
    channel: str


class Checkpoint(NamedTuple):
    """A checkpoint; `values` are parsed and not yet plain, or stand apart (`stored`)."""

    node: Node
    at: str
    values: dict[str, Any]
    versions: dict[str, Any]
    seen: dict[str, dict[str, Any]]
    metadata: dict[str, Any]
    stored: bool
    """Whether values stand apart, under the versions of their channels."""


def check(name: str, found: dict[str, set[str]], wanted: dict[str, set[str]]) -> None:
    """Raise `HistoryUnreadable` where a table or a column is missing, and say what is there instead."""
    missing = [table for table in wanted if not found[table]]
    checkpoints = found["checkpoints"]
    if "thread_ts" in checkpoints:
        raise HistoryUnreadable(
            f"{name} was written by LangGraph before 0.1, which pickled its checkpoints: they are not opened",
            next_step="Open it with a LangGraph of that time and save the thread again with a newer one",
        )
    if checkpoints and "checkpoint_id" not in checkpoints:
        raise HistoryUnreadable(
            f"{name} was written by a ShallowPostgresSaver, which keeps no history",
            next_step="Use PostgresSaver from now on; what is gone cannot be brought in",
        )
    if missing:
        raise HistoryUnreadable(f"{name} has no table {', '.join(missing)}: {_MADE_BY} did not make it")
    for table, columns in wanted.items():
        if lacking := sorted(columns - found[table]):
            raise HistoryUnreadable(f"The table {table} of {name} has no column {', '.join(lacking)}")
