"""The graph of which transaction depends on which, and the circles in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import pairwise

WW, WR, RW, RT = 1, 2, 4, 8
"""Overwrites; reads what the other wrote; did not see what the other wrote; began after its end."""

ALL = WW | WR | RW
_NAMES = {WW: "ww", WR: "wr", RW: "rw", RT: "rt"}


class Graph:
    """Transactions by number, with edges of one or several kinds."""

    def __init__(self, size: int) -> None:
        self._edges: list[dict[int, int]] = [{} for _ in range(size)]

    def add(self, before: int | None, after: int | None, kind: int) -> None:
        """Let one come after another; nobody comes after itself, or after somebody unknown."""
        if before is not None and after is not None and before != after:
            self._edges[before][after] = self._edges[before].get(after, 0) | kind

    def components(self, kinds: int) -> list[set[int]]:
        """The sets of two or more that all reach each other over edges of these kinds.

        R. Tarjan, "Depth-first search and linear graph algorithms" (SIAM J. Comput., 1972), with a
        stack of its own instead of recursion.
        """
        return _Components(self, kinds).found

    def circle(self, component: set[int], needed: int, others: int) -> str | None:
        """A circle inside of a component with one edge of the needed kind, as text; None without one."""
        for before in sorted(component):
            for after, kinds in self._edges[before].items():
                if kinds & needed and after in component:
                    path = self._path(after, before, others, component)
                    if path is not None:
                        return self._shown([before, *path], needed, others)
        return None

    def after(self, number: int, kinds: int) -> Iterator[int]:
        """What comes directly after one, over edges of these kinds."""
        return (other for other, edge in self._edges[number].items() if edge & kinds)

    def _path(self, start: int, end: int, kinds: int, component: set[int]) -> list[int] | None:
        """The shortest way from one to another that does not leave the component."""
        came_from: dict[int, int] = {start: start}
        waiting = deque([start])
        while waiting and end not in came_from:
            number = waiting.popleft()
            for other in self.after(number, kinds):
                if other in component and other not in came_from:
                    came_from[other] = number
                    waiting.append(other)
        if end not in came_from:
            return None
        path = [end]
        while path[-1] != start:
            path.append(came_from[path[-1]])
        return path[::-1]

    def _shown(self, circle: list[int], needed: int, others: int) -> str:
        text, allowed = f"T{circle[0]}", needed
        for before, after in pairwise(circle):
            kinds = self._edges[before][after] & allowed
            text += f" -{'/'.join(name for kind, name in _NAMES.items() if kinds & kind)}-> T{after}"
            allowed = others
        return text


class _Components:
    """One depth-first search over all of a graph."""

    def __init__(self, graph: Graph, kinds: int) -> None:
        self.found: list[set[int]] = []
        self._graph, self._kinds = graph, kinds
        self._number: dict[int, int] = {}
        self._lowest: dict[int, int] = {}
        self._open: dict[int, None] = {}
        for root in range(len(graph._edges)):
            if root not in self._number:
                self._search(root)

    def _search(self, root: int) -> None:
        path = [(root, self._enter(root))]
        while path:
            here, rest = path[-1]
            for other in rest:
                if other not in self._number:
                    path.append((other, self._enter(other)))
                    break
                if other in self._open:
                    self._lowest[here] = min(self._lowest[here], self._number[other])
            else:
                path.pop()
                self._leave(here, path[-1][0] if path else None)

    def _enter(self, here: int) -> Iterator[int]:
        self._number[here] = self._lowest[here] = len(self._number)
        self._open[here] = None
        return self._graph.after(here, self._kinds)

    def _leave(self, here: int, parent: int | None) -> None:
        if parent is not None:
            self._lowest[parent] = min(self._lowest[parent], self._lowest[here])
        if self._lowest[here] < self._number[here]:
            return
        component: set[int] = set()
        while here not in component:
            component.add(self._open.popitem()[0])
        if len(component) > 1:
            self.found.append(component)
