"""Who did what in a superstep: the tasks that ran, in order, and what each of them changed. Pure.

A checkpoint tells what its channels hold, the writes stored with the one before it tell which task wrote
into which channel. A channel that one task wrote is that task's change. An addition to a list that several
made is divided among them where the items that were added are those that they wrote, in the order in which
LangGraph applied them. What cannot be divided, a sum for instance, is the change of all of them together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from dissensus_state.patches import Operation
from dissensus_state.values import JSON

from .channels import START
from .decoding import text_of
from .records import Checkpoint, Write

JOINT = "+"
GRAPH = "graph"
"""Whom the history names for what no node did: the empty list with which a channel begins."""

SAID = "said"
"""The path of a write that the metadata tells of."""

NOBODY = "00000000-0000-0000-0000-000000000000"
"""The task under which is written what the caller brings with a `Command`."""

PULL, _PUSH = "~__pregel_pull, ", "~__pregel_push, "
"""How the path of a task begins that a channel triggered, and of one that a packet was sent to."""


@dataclass(slots=True)
class Part:
    """What one node, or several together, did in a superstep; `first` is what the others go on from."""

    nodes: tuple[str, ...]
    tasks: tuple[str, ...] = ()
    operations: list[Operation] = field(default_factory=list)
    first: bool = False

    @property
    def name(self) -> str:
        """The names of the nodes."""
        return JOINT.join(self.nodes)


@dataclass(slots=True)
class Run:
    """A task, or several of one node after each other, with what they wrote."""

    node: str
    tasks: list[str]
    writes: list[Write]


def tasks_of(writes: Sequence[Write], sends: Sequence[str], ran: Sequence[str]) -> list[Run]:
    """The tasks that wrote something, by node, in the order in which what they wrote was applied.

    Args:
        writes: In that order, without those that say nothing of the state of a task.
        sends: The nodes to which packets were on their way (`Send`), in their order.
        ran: The nodes of which the checkpoint after it says that they ran.
    """
    runs: list[Run] = []
    for task, group in groupby(writes, key=lambda one: one.task):
        mine = list(group)
        node = task if mine[0].path == SAID else _node_of(mine, sends, ran)
        if node is None:
            continue
        if runs and runs[-1].node == node:
            runs[-1].tasks.append(task)
            runs[-1].writes += mine
        else:
            runs.append(Run(node, [task], mine))
    return runs


def _node_of(writes: list[Write], sends: Sequence[str], ran: Sequence[str]) -> str | None:
    """The node of a task: from its path, from a channel of the node's name, or because no other ran."""
    path = writes[0].path
    if writes[0].task == NOBODY:
        return START
    if path.startswith(PULL):
        node = path.removeprefix(PULL)
        return node if node in ran or not ran else None
    if path.startswith(_PUSH):
        number = path.removeprefix(_PUSH).partition(",")[0]
        return sends[int(number)] if number.isdecimal() and int(number) < len(sends) else None
    own = [one.channel for one in writes if one.channel in ran]
    if own:
        return own[0]
    return ran[0] if len(ran) == 1 else None


def sent_path(number: int) -> str:
    """The path of a task to which the packet of this number was sent."""
    return f"{_PUSH}{number:010d}"


def said_by(metadata: Mapping[str, Any], runs: Sequence[Run], ran: Sequence[str]) -> dict[Write, Any]:
    """What nodes returned of which no write is kept: older versions told it in the metadata."""
    said, known = metadata.get("writes"), {run.node for run in runs}
    found: dict[Write, Any] = {}
    for node in ran:
        returned = said.get(node) if node not in known and isinstance(said, dict) else None
        each = returned if isinstance(returned, list) else [returned]
        pairs = [pair for one in each if isinstance(one, dict) for pair in one.items()]
        found |= {Write("", node, SAID, n, str(key)): value for n, (key, value) in enumerate(pairs)}
    return found


def is_pulled(write: Write) -> bool:
    """Whether a write is that of a task which a channel triggered."""
    return write.path.startswith(PULL)


def who_ran(before: Checkpoint | None, after: Checkpoint) -> list[str]:
    """The nodes of which a checkpoint says that they have seen more than before, by name."""
    known = before.seen if before else {}
    return sorted(
        node
        for node, seen in after.seen.items()
        if seen != known.get(node) and (node == START or not node.startswith("__"))
    )


def divided(
    changed: dict[str, list[Operation]],
    runs: Sequence[Run],
    ran: Sequence[str],
    value_of: Callable[[Write], JSON],
) -> list[Part]:
    """The changes of a superstep, each with whoever made it; in the order in which they were applied.

    Args:
        changed: What became of each channel.
        value_of: Reads what was written.
    """
    if not runs:
        whole = Part(tuple(ran) or (GRAPH,))
        whole.operations = [one for name in changed for one in changed[name]]
        return [whole]
    unknown = [Run(node, [], []) for node in ran if node not in {run.node for run in runs}]
    everyone = [*runs, *unknown]
    parts = [Part((run.node,), tuple(run.tasks)) for run in everyone]
    begun = Part((GRAPH,), first=True)
    together: dict[tuple[int, ...], list[Operation]] = {}
    for channel, operations in changed.items():
        writers = [n for n, run in enumerate(runs) if any(one.channel == channel for one in run.writes)]
        reset = not writers and operations[0].verb == "remove"  # a channel that holds a value for one step
        if reset or (not unknown and len(writers) < 2):
            parts[writers[0] if writers else 0].operations += operations
            continue
        shares = _shares(channel, operations, [runs[n] for n in writers], value_of) if writers else None
        if shares is None:
            whose = (*writers, *range(len(runs), len(everyone)))
            together.setdefault(whose, []).extend(operations)
        elif len(writers) == 1:
            parts[writers[0]].operations += operations
        else:
            if operations[0].verb == "set":
                begun.operations.append(Operation("set", operations[0].path, []))
            for n, items in zip(writers, shares, strict=True):
                if items:
                    parts[n].operations.append(Operation("append", operations[0].path, items))
    joint = [_joint([parts[n] for n in writers], made) for writers, made in together.items()]
    alone = [part for part in parts if part.operations or not _spoken_for(part, joint)]
    alone.sort(key=lambda part: bool(part.tasks or part.operations))  # functions that others called are first
    return [*([begun] if begun.operations else ()), *alone, *joint]


def _joint(parts: Iterable[Part], operations: list[Operation]) -> Part:
    found = list(parts)
    nodes = tuple(dict.fromkeys(part.nodes[0] for part in found))
    return Part(nodes, tuple(task for part in found for task in part.tasks), operations)


def _spoken_for(part: Part, joint: Iterable[Part]) -> bool:
    """Whether all that a part would say is said by a change that it made together with others."""
    return any(set(part.nodes) <= set(other.nodes) and set(part.tasks) <= set(other.tasks) for other in joint)


def _shares(
    channel: str, operations: list[Operation], runs: Sequence[Run], value_of: Callable[[Write], JSON]
) -> list[list[JSON]] | None:
    """What each of them added to a list; None where what was added is not just what they wrote.

    Of a value that is no list, whether it is just what the only one of them wrote.
    """
    if not _adds(operations):
        wrote = [one for run in runs for one in run.writes if one.channel == channel]
        sets = [one.value for one in operations if one.verb == "set" and len(one.path) == 1]
        known = len(wrote) == len(sets) == 1 and _alike(value_of(wrote[0]), sets[0])
        return [[]] if known else None
    added: list[JSON] = operations[0].value
    shares: list[list[JSON]] = []
    at = 0
    for run in runs:
        share: list[JSON] = []
        for write in run.writes:
            if write.channel == channel:
                value = value_of(write)
                items = value if isinstance(value, list) else [value]
                there = added[at : at + len(items)]
                if len(there) < len(items) or not all(map(_alike, items, there)):
                    return None
                share += there
                at += len(items)
        shares.append(share)
    return shares if at == len(added) else None


def _adds(operations: Sequence[Operation]) -> bool:
    """Whether a channel's change is that a list was added to, or begun."""
    if len(operations) != 1 or len(operations[0].path) != 1:
        return False
    [only] = operations
    return only.verb == "append" or (only.verb == "set" and isinstance(only.value, list))


def _alike(written: JSON, there: JSON) -> bool:
    """Whether an item is the one that was written; a reducer may have given it an id."""
    if isinstance(written, dict) and isinstance(there, dict) and "id" not in written:
        there = {key: item for key, item in there.items() if key != "id"}
    return text_of(written) == text_of(there)
