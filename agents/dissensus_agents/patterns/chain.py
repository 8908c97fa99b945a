"""Steps one after the other, with a commit at each joint: typed, verified, and caught where it fails."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..errors import GraphError


class Link:
    """One step of a chain.

    Args:
        name: Unique in the chain; its step is called `CHAIN.LINK`.
        work: An agent, agents, a pattern, or another chain.
        writes: The fields that it may write: what is handed on is typed by them.
        settings: Whatever else `AgentGraph.add_step` takes: `verifiers`, `supervisor`, `transition`…; what is
            not given is as for the chain.
    """

    def __init__(self, name: str, work: Any, *, writes: Iterable[str] = (), **settings: Any) -> None:
        self.name, self.work = name, work
        self.writes = frozenset((writes,) if isinstance(writes, str) else writes)
        self.settings = settings

    def __repr__(self) -> str:
        return f"Link({self.name!r}, {self.work!r})"


class Chain:
    """Links that are run one after the other, each a step of its own with its own round and commit.

    A proposal that fails a check is reviewed at its own link. Where a link is rejected or parked the chain
    stops there, and nothing is handed on; the next run begins with that link again.

    Args:
        links: At least one, with names of their own.
    """

    def __init__(self, links: Sequence[Link]) -> None:
        for one in links:
            if not isinstance(one, Link):
                raise GraphError(
                    f"{one!r} is no link of a chain", next_step="Give Link(name, work, writes=…)"
                )
        names = [link.name for link in links]
        if not names or len(set(names)) < len(names):
            raise GraphError(
                f"A chain needs links with names of their own, not {names}",
                next_step="Give Link(name, work, writes=…) for each step",
            )
        self.links = tuple(links)

    def __repr__(self) -> str:
        return f"Chain({list(self.links)!r})"


def several_steps(given: Any) -> bool:
    """Whether this is more than one step: a chain, or a route of which an option is one."""
    return isinstance(given, Chain) or bool(getattr(given, "unfolds", False))
