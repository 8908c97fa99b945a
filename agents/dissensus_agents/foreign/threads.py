"""One thread of LangGraph into one session: checkpoint by checkpoint, in transactions of many."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

from dissensus_agents.errors import HistoryUnreadable
from dissensus_state.chronicle import Batch, Chronicle
from dissensus_state.lineages import MAIN
from dissensus_state.patches import Operation
from dissensus_state.records import Change
from dissensus_state.values import JSON, MAX_BYTES

from . import supersteps, told, trees
from .changes import Texts, added, changes
from .channels import SPECIAL, START, TASKS, field_of, is_machinery
from .decoding import Decoder, forms, text_of
from .events import Happened, happened
from .naming import branch_name, key_of, shown
from .records import Checkpoint, Node, Write
from .supersteps import Part
from .tables import Source
from .task_ids import with_paths

AT_ONCE, LONGEST = 100, 0.5
"""How many checkpoints share a transaction, and how many seconds it may last."""

_LONGEST = 900
"""In bytes: the names of authors and transitions."""

Place = tuple[str, int]
Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Values:
    """The state at a checkpoint: its fields, their texts, and the versions of their channels."""

    fields: dict[str, JSON] = field(default_factory=dict)
    texts: Texts = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Counts:
    """What was brought in, by kind."""

    checkpoints: int = 0
    commits: int = 0
    branches: int = 0
    events: int = 0
    orphans: int = 0
    pending: int = 0
    converted: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    rebuilt: Counter[str] = field(default_factory=Counter)


class Thread:
    """A thread that is being brought in."""

    def __init__(self, source: Source, thread: str, nodes: list[Node], chronicle: Chronicle) -> None:
        self.source = source
        self.thread = thread
        self.chronicle = chronicle
        self.decoder = Decoder()
        self.counts = Counts()
        self.nodes = trees.by_namespace(nodes)
        self.places = chronicle.places()
        self._heads = chronicle.branches()
        self._numbers: dict[str, Iterator[int]] = {}
        self._events = happened(chronicle.session)
        self._special: dict[tuple[str, str], list[Write]] = {}
        self._last: tuple[tuple[str, str], Values, Checkpoint] | None = None

    def bring(self, progress: Progress) -> None:
        """Bring in what is not there yet."""
        for namespace, write in self.source.special(self.thread, SPECIAL):
            self._special.setdefault((namespace, write.checkpoint), []).append(write)
        plan, done = list(self._plan()), 0
        while chunk := plan[done : done + AT_ONCE]:
            brought, trouble = self._chunk(chunk)
            if trouble is not None:
                raise trouble
            done += brought
            progress(done, len(plan))
        self.counts.pending = self._pending()

    def _pending(self) -> int:
        """How much tasks of the graph have written that no checkpoint holds yet."""
        nodes = self.nodes[""]
        ends = {node.id for node in nodes} - {node.parent for node in nodes}
        writes = (one for end in sorted(ends) for one in self.source.writes(self.thread, "", end))
        return sum(not is_machinery(one.channel, None, frozenset()) for one in writes)

    def _chunk(self, chunk: list[tuple[Node, bool]]) -> tuple[int, HistoryUnreadable | None]:
        """Bring in a few, and say how many; what comes before one that cannot be read stays.

        Others wait for their turn to write meanwhile, so that it ends after a time.
        """
        until = time.monotonic() + LONGEST
        with self.chronicle.batch() as batch:
            for done, (node, heir) in enumerate(chunk):
                if done and time.monotonic() > until:
                    return done, None
                try:
                    self._one(batch, node, heir=heir)
                except HistoryUnreadable as trouble:
                    return done, trouble
        return len(chunk), None

    def _plan(self) -> Iterator[tuple[Node, bool]]:
        """The checkpoints that are not there yet, or have events; and whether each goes on with a branch."""
        for nodes in self.nodes.values():
            line = trees.ordered(nodes)
            first = trees.heirs(line)
            for node in line:
                there = key_of(node.namespace, node.id) in self.places
                if not there or (node.namespace, node.id) in self._special:
                    yield node, node.id in first

    def _one(self, batch: Batch, node: Node, *, heir: bool) -> None:
        place = self.places.get(key_of(node.namespace, node.id))
        if place is None:
            place = self._checkpoint(batch, node, heir=heir)
        for write in self._special.get((node.namespace, node.id), ()):
            self._event(batch, place, node, write)

    # Branches

    def _base(self, node: Node) -> Place | None:
        """Where the parent of a checkpoint stands; None where it is not there any more, or never was."""
        return None if node.parent is None else self.places.get(key_of(node.namespace, node.parent))

    def _branch(self, batch: Batch, node: Node, base: Place | None, at: int, *, heir: bool) -> Place:
        """The branch on which a checkpoint goes, and its version there, on which the checkpoint is based."""
        if base is None and node.parent is not None:
            self.counts.orphans += 1
        origin = MAIN if not node.namespace else branch_name(node.namespace)
        branch, version = base or (origin, 0)
        if heir and self._heads.get(branch) == version:
            return branch, version
        if base is None:
            branch = MAIN
        name = origin
        if origin in self._heads:
            prefix = "fork" if origin == MAIN else f"{origin}-fork"
            numbers = self._numbers.setdefault(prefix, count(1))
            name = next(name for n in numbers if (name := f"{prefix}-{n}") not in self._heads)
        batch.fork(branch, version, name, at)
        self._heads[name] = version
        self.counts.branches += 1
        return name, version

    # Checkpoints

    def _checkpoint(self, batch: Batch, node: Node, *, heir: bool) -> Place:
        """Bring one checkpoint in: a commit for each node that did something; where the last one stands."""
        found = self.source.checkpoint(self.thread, node, self.decoder)
        at = _milliseconds(found.at)
        branch, version = self._branch(batch, node, self._base(node), at, heir=heir)
        before, parent = self._before(batch, node, branch, version)
        values = self._values(found, before, parent)
        parts = self._parts(node, found, parent, self._changed(before, values))
        base = version
        for n, part in enumerate(parts, start=1):
            last = n == len(parts)
            key = key_of(node.namespace, node.id)
            change = Change(
                author=shown(told.author(part, found), _LONGEST),
                patch=tuple(part.operations),
                base=base,
                reads=told.reads(part, before.texts, parent, found),
                transition=shown(part.name, _LONGEST) or None,
                isolation="serializable" if len(parts) == 1 else "snapshot",
                evidence=(told.evidence(part, found, self.decoder, self._relations(node, found, part)),),
                key=key if last else f"{key}#{n}",
            )
            version = batch.commit(branch, change, at).version
            base = version if part.first else base
        self.counts.checkpoints += 1
        self.counts.commits += len(parts)
        for part in parts:
            for operation in part.operations:
                self.counts.converted.update(forms(operation.value))
        self._heads[branch] = version
        self._last = ((node.namespace, node.id), values, found)
        self.places[key_of(node.namespace, node.id)] = (branch, version)
        return branch, version

    def _before(
        self, batch: Batch, node: Node, branch: str, version: int
    ) -> tuple[Values, Checkpoint | None]:
        """The state before a checkpoint, and the checkpoint before it, if it is there."""
        if self._last is not None and self._last[0] == (node.namespace, node.parent):
            return self._last[1], self._last[2]
        fields = batch.state(branch) if version else {}
        values = Values(dict(fields), {name: text_of(value) for name, value in fields.items()})
        known = {one.id for one in self.nodes.get(node.namespace, ())}
        if node.parent is None or node.parent not in known or not version:
            return values, None
        parent = self.source.checkpoint(self.thread, Node(node.namespace, node.parent, None), self.decoder)
        values.versions = parent.versions
        return values, parent

    def _values(self, found: Checkpoint, before: Values, parent: Checkpoint | None) -> Values:
        """The state at a checkpoint; channels whose version is that of before are not read again."""
        made = Values(versions=found.versions)
        nodes = frozenset(found.seen)
        for channel in sorted({*found.values, *(found.versions if found.stored else ())}):
            name = field_of(channel)
            known = found.stored and parent is not None and channel in before.versions
            if known and str(before.versions[channel]) == str(found.versions.get(channel)):
                if name in before.texts:
                    made.fields[name], made.texts[name] = before.fields[name], before.texts[name]
                continue
            if is_machinery(channel, None, nodes):
                self.counts.left_out[channel] += 1
                continue
            there, value = self.source.value(self.thread, found, channel, self.decoder)
            if not there:
                continue
            if is_machinery(channel, value, nodes):
                self.counts.left_out[channel] += 1
                continue
            self._put(made, name, value)
        if parent is not None:
            self._rebuild(found, before, parent, made)
        return made

    def _put(self, made: Values, name: str, value: JSON) -> None:
        text = text_of(value)
        if len(text) > MAX_BYTES:
            value = self.decoder.unread("too large", text)
            text = text_of(value)
        made.fields[name], made.texts[name] = value, text

    def _rebuild(self, found: Checkpoint, before: Values, parent: Checkpoint, made: Values) -> None:
        """Channels that keep what was written, and a whole value only now and then (`DeltaChannel`).

        How the graph's reducer brings the writes together is not recorded: lists are appended to,
        dictionaries are merged by key. The next whole value sets right what the reducer did otherwise.
        """
        counters = found.metadata.get("counters_since_delta_snapshot")
        for channel in sorted(counters) if isinstance(counters, dict) else ():
            name = field_of(str(channel))
            if name in made.texts:
                continue
            space, writes = found.node.namespace, []
            if found.versions.get(channel) != parent.versions.get(channel):
                writes = self.source.writes(self.thread, space, parent.node.id)
            value, there = before.fields.get(name), name in before.fields
            for write in writes:
                if write.channel == channel:
                    value = added(value, self.source.written(self.thread, space, write, self.decoder))
                    there = True
                    self.counts.rebuilt[name] += 1
            if there:
                self._put(made, name, value)

    @staticmethod
    def _changed(before: Values, after: Values) -> dict[str, list[Operation]]:
        """What became of each field that changed."""
        made: dict[str, list[Operation]] = {}
        for name in sorted({*before.texts, *after.texts}):
            old, new = before.texts.get(name), after.texts.get(name)
            if old == new:
                continue
            if new is None:
                made[name] = [Operation("remove", (name,))]
            elif old is None:
                made[name] = [Operation("set", (name,), after.fields[name])]
            else:
                made[name] = changes(name, before.fields[name], after.fields[name], old, new)
        return made

    # Who, and what they had read

    def _parts(
        self, node: Node, found: Checkpoint, parent: Checkpoint | None, changed: dict[str, list[Operation]]
    ) -> list[Part]:
        ran = supersteps.who_ran(parent, found)
        said = str(found.metadata.get("source", "loop"))
        if said == "loop" and parent is None:
            return [Part((supersteps.GRAPH,), (), [one for name in changed for one in changed[name]])]
        if said != "loop" or parent is None:
            given = [name for name in ran if name != START]
            step = START if said == "input" else "+".join(given) or said
            return [Part((step,), (), [one for name in changed for one in changed[name]])]
        writes = self.source.writes(self.thread, node.namespace, parent.node.id)
        own = [one for one in writes if one.channel not in SPECIAL]
        sends = self._sends(parent) if not all(map(supersteps.is_pulled, own)) else []
        placed = with_paths(own, parent, found, sends)
        named = [one._replace(channel=field_of(one.channel)) for one in placed]
        runs = supersteps.tasks_of(named, sends, ran)
        returned = supersteps.said_by(found.metadata, runs, ran)
        runs += supersteps.tasks_of([*returned], (), ran)

        def value_of(write: Write) -> JSON:
            if write in returned:
                return self.decoder.plain(returned[write])
            return self.source.written(self.thread, node.namespace, write, self.decoder)

        return supersteps.divided(changed, runs, ran or self._wrote(found), value_of)

    @staticmethod
    def _wrote(found: Checkpoint) -> list[str]:
        """The nodes that wrote, as the metadata of older versions say."""
        writes = found.metadata.get("writes")
        return sorted(map(str, writes)) if isinstance(writes, dict) else []

    def _sends(self, parent: Checkpoint) -> list[str]:
        """The nodes to which packets were on their way."""
        if TASKS not in parent.values and TASKS not in parent.versions:
            return []
        there, packets = self.source.value(self.thread, parent, TASKS, self.decoder)
        if not there or not isinstance(packets, list):
            return []
        found = []
        for packet in packets:
            given = packet.get("value") if isinstance(packet, dict) else None
            found.append(str(given[0]) if isinstance(given, list) and given else "")
        return found

    def _relations(self, node: Node, found: Checkpoint, part: Part) -> dict[str, JSON]:
        """The branches of the subgraphs that these tasks called; where the caller of this one stood."""
        space = f"{node.namespace}|" if node.namespace else ""
        called = [f"{space}{name}:{task}" for name in part.nodes for task in part.tasks]
        above, parents = node.namespace.rpartition("|")[0], found.metadata.get("parents")
        caller = parents.get(above) if node.namespace and isinstance(parents, dict) else None
        place = self.places.get(key_of(above, str(caller))) if caller else None
        return {
            "subgraphs": [branch_name(one) for one in called if one in self.nodes],
            "called_from": place and {"branch": place[0], "version": place[1]},
        }

    # Events

    def _event(self, batch: Batch, place: Place, node: Node, write: Write) -> None:
        """What interrupted a task, resumed it or ended it in an error, as an event, unless it is there."""
        value = self.source.written(self.thread, node.namespace, write, self.decoder)
        event = Happened.of(write, value, place[1], key_of(node.namespace, node.id))
        if event.id in self._events:
            return
        self._events.add(event.id)
        batch.record(place[0], event.kind, event.body, batch.at(*place))
        self.counts.events += 1


def _milliseconds(text: str) -> int:
    """A time as LangGraph writes it, in milliseconds since 1970; 0 where it is none."""
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        return 0
