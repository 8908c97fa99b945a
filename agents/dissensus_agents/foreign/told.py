"""What a commit says of itself: who made it, what they had before them, where it comes from. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dissensus_state.values import JSON, Path

from .channels import START, field_of, runs_next
from .decoding import Decoder, text_of
from .naming import shown
from .records import Checkpoint
from .supersteps import JOINT, Part

USER = "user"

_LONGEST = 16 * 1024
"""In bytes: what a commit says of one thing; a digest stands for more."""

_ENGINES_OWN = frozenset(
    {
        "counters_since_delta_snapshot", "delta_writes_versioned", "parents", "run_id", "source", "step",
        "thread_id", "writes",
    }
)  # fmt: skip
"""What LangGraph itself writes into the metadata of a checkpoint."""


def author(part: Part, found: Checkpoint) -> str:
    """Who did it: the nodes; the user, or the node that called a subgraph, where it came from outside."""
    source = found.metadata.get("source", "loop")
    caller = found.node.namespace.rpartition("|")[2].partition(":")[0] or USER
    given = caller if source == "input" else USER
    names = [given if source != "loop" else caller if node == START else node for node in part.nodes]
    return JOINT.join(dict.fromkeys(names)) or USER


def reads(
    part: Part, before: Mapping[str, bytes], parent: Checkpoint | None, found: Checkpoint
) -> tuple[Path, ...]:
    """What the nodes had before them.

    A node of a `StateGraph` is given the state as it was before its superstep; which of it its input schema
    lets through is not recorded, so all of it counts. Nodes that are triggered by channels of the state
    themselves, as in a `Pregel` put together by hand, have seen just these.
    """
    if part.first or found.metadata.get("source", "loop") != "loop":
        return ()
    if part.nodes == (START,):
        return ((START,),) if START in before else ()
    if parent is None:
        return ()
    seen = {field_of(name) for node in part.nodes for name in found.seen.get(node, ())}
    return tuple((name,) for name in sorted((seen & before.keys()) or before.keys()))


def evidence(
    part: Part, found: Checkpoint, decoder: Decoder, relations: Mapping[str, JSON]
) -> dict[str, JSON]:
    """Where a commit comes from, in the words of LangGraph; what is empty is left out."""
    metadata: dict[str, Any] = found.metadata
    step = metadata.get("step")
    said: dict[str, JSON] = {
        "checkpoint": shown(found.node.id, 1000),
        "source": shown(str(metadata.get("source", "loop")), 100),
        "step": step if isinstance(step, int) and abs(step) < 2**63 else None,
    }
    more = {
        "tasks": [shown(task, 100) for task in part.tasks],
        "seen": {name: found.seen[name] for name in part.nodes if found.seen.get(name)},
        "next": runs_next(list(found.values)),
        "run": metadata.get("run_id"),
        "metadata": {key: value for key, value in sorted(metadata.items()) if key not in _ENGINES_OWN},
        **relations,
    }
    for key, value in more.items():
        if value:
            plain = decoder.plain(value)
            text = text_of(plain)
            said[key] = plain if len(text) <= _LONGEST else decoder.unread("too large", text)
    return {"langgraph": said}
