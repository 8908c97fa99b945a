"""The checkpoints of a thread as a tree: in which order, and on which branch, each is brought in. Pure.

A branch goes on with the child that leads to the newest checkpoint; every other child begins a branch at
the version of its parent. So the line of the newest checkpoint is `main`. What was brought in stays where
it is: when a thread goes on elsewhere later, that becomes a branch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heappop, heappush

from .records import Node


def ordered(nodes: Sequence[Node]) -> list[Node]:
    """The checkpoints of one namespace, parents first, else by id: the ids grow with time.

    What stands in a circle, which no saver makes, comes last.
    """
    there = {node.id: node for node in nodes}
    children: dict[str, list[Node]] = {}
    waiting: list[tuple[str, Node]] = []
    for node in there.values():
        if node.parent in there and node.parent != node.id:
            children.setdefault(str(node.parent), []).append(node)
        else:
            heappush(waiting, (node.id, node))
    found: list[Node] = []
    while waiting:
        _, node = heappop(waiting)
        found.append(node)
        for child in children.pop(node.id, ()):
            heappush(waiting, (child.id, child))
    done = {node.id for node in found}
    return found + [there[name]._replace(parent=None) for name in sorted(there.keys() - done)]


def heirs(nodes: Sequence[Node]) -> frozenset[str]:
    """The checkpoints that go on with the branch of their parent: of each, the child with the newest below.

    Args:
        nodes: Parents first.
    """
    newest: dict[str, str] = {node.id: node.id for node in nodes}
    for node in reversed(nodes):
        if node.parent in newest:
            newest[node.parent] = max(newest[node.parent], newest[node.id])
    first: dict[str | None, Node] = {}
    for node in nodes:
        parent = node.parent if node.parent in newest else None
        if parent not in first or newest[first[parent].id] < newest[node.id]:
            first[parent] = node
    return frozenset(node.id for node in first.values())


def by_namespace(nodes: Iterable[Node]) -> dict[str, list[Node]]:
    """The checkpoints of the graph itself, and of each run of a subgraph."""
    found: dict[str, list[Node]] = {"": []}
    for node in nodes:
        found.setdefault(node.namespace, []).append(node)
    return dict(sorted(found.items()))
