"""Which node a task was of, where its writes do not tell: an id follows from the node. Pure.

Older savers kept no path with a write (langgraph-checkpoint-sqlite before 3.0). But the id of a task is a
hash over its checkpoint, the namespace, the step, the node, and what triggered it (`prepare_single_task` in
`langgraph.pregel`, alike from 0.2 to 1.2), so that every node which may have run can be tried.
"""

from __future__ import annotations

import hashlib
from binascii import unhexlify
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from .supersteps import PULL, sent_path

if TYPE_CHECKING:
    from .records import Checkpoint, Write

_PULL, _PUSH = "__pregel_pull", "__pregel_push"


def with_paths(
    writes: Sequence[Write], before: Checkpoint, after: Checkpoint, sends: Sequence[str]
) -> list[Write]:
    """The writes of a superstep with the paths of their tasks, in the order in which they were applied.

    Args:
        writes: Those on top of `before`.
        sends: The nodes to which packets were on their way.
    """
    if all(one.path for one in writes):
        return list(writes)
    paths = _paths(before, after, sends)
    found = [one if one.path else one._replace(path=paths.get(one.task, "")) for one in writes]
    return sorted(found, key=lambda one: (one.path, one.task, one.n))


def _paths(before: Checkpoint, after: Checkpoint, sends: Sequence[str]) -> dict[str, str]:
    """The path of each task that may have run, by its id."""
    step = after.metadata.get("step")
    paths: dict[str, str] = {}
    for node, seen in after.seen.items():
        known = before.seen.get(node, {})
        fresh = sorted(name for name, version in seen.items() if known.get(name) != version)
        for triggers in (fresh, sorted(seen)):
            for one in _ids(before, str(step), node, _PULL, triggers):
                paths[one] = f"{PULL}{node}"
    for n, node in enumerate(sends):
        for one in _ids(before, str(step), node, _PUSH, [str(n)]):
            paths[one] = sent_path(n)
    return paths


def _ids(before: Checkpoint, step: str, node: str, kind: str, rest: Iterable[str]) -> list[str]:
    """The ids that a task may have, of each way in which LangGraph made them."""
    try:
        whole = unhexlify(before.node.id.replace("-", ""))
    except ValueError:
        return []
    space = f"{before.node.namespace}|{node}" if before.node.namespace else node
    parts = (space, step, node, kind, *rest)
    whole += "".join(parts).encode("utf-8", "backslashreplace")
    digests = [hashlib.sha1(whole, usedforsecurity=False).hexdigest()]
    try:
        import xxhash
    except ImportError:  # LangGraph brings it
        pass
    else:
        digests.append(xxhash.xxh3_128_hexdigest(whole))
    return [f"{one[:8]}-{one[8:12]}-{one[12:16]}-{one[16:20]}-{one[20:32]}" for one in digests]
