"""Which channels of a LangGraph checkpoint are the state of the graph, and which its machinery."""

from __future__ import annotations

from .naming import shown

INTERRUPT, RESUME, ERROR = "__interrupt__", "__resume__", "__error__"
RETURN = "__return__"
SPECIAL = (INTERRUPT, ERROR, RESUME, RETURN)
"""Channels of writes that never enter a checkpoint, in the order in which they are written."""

TASKS = "__pregel_tasks"
START = "__start__"

_MACHINERY = ("branch:", "start:", "join:", "__pregel_", "__snapshot_")
_MARKS = frozenset({INTERRUPT, RESUME, ERROR, RETURN, "__input__", "__no_writes__", "__error_source_node__"})
_NEXT = "branch:to:"

_NEVER_PATHS = {"": "(unnamed)"}
"""A field without a name would be the pointer of the whole state."""


def is_machinery(channel: str, value: object, nodes: frozenset[str]) -> bool:
    """Whether a channel only says what runs next.

    Old versions had one for each node, which held the node's name.
    """
    if channel.startswith(_MACHINERY) or channel in _MARKS:
        return True
    return channel in nodes and value == channel


def field_of(channel: str) -> str:
    """The field that a channel becomes."""
    return _NEVER_PATHS.get(channel) or shown(channel, 1000)


def runs_next(channels: list[str]) -> list[str]:
    """The nodes that the channels say run next, where they say it."""
    return sorted(name.removeprefix(_NEXT) for name in channels if name.startswith(_NEXT))
