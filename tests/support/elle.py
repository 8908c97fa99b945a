"""Is a history of concurrent transactions serializable? What each must have seen of the others tells.

A transaction appends values to lists and reads whole lists. Each value is appended to a list once, so
a list that was read tells the order of its writers, and whoever read it tells what it had seen: from
that the dependencies between transactions are known, not guessed. A history is serializable unless
its dependencies go round in a circle.

| anomaly | what it is |
|---|---|
| G0 | a circle of writes: two transactions each overwrote the other (dirty write) |
| G1a, G1b | what was read was rolled back, or only half of what its writer did |
| G1c | a circle of writes and reads: two transactions each saw the other |
| G-single | one read missed a write that it depends on all the same (read skew, lost update) |
| G2-item | several reads each missed a write of the next (write skew) |
| …-realtime | the same circle, closed by one having ended before another began |
| internal | a transaction did not see what it had read or written itself |
| incompatible-order | two reads of one list do not agree on its order |
| duplicate-elements | a value was applied twice |
| duplicate-append | not the store's fault: the test itself appended a value twice |
| unwritten-read | a value that nobody wrote |
| lost-write | an acknowledged write that no later read has |

Sources: A. Adya, "Weak Consistency: A Generalized Theory and Optimistic Implementations for
Distributed Transactions" (MIT, 1999), for the names; K. Kingsbury and P. Alvaro, "Elle: Inferring
Isolation Anomalies from Experimental Observations" (VLDB 2020), for the method.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from dependencies import ALL, RT, RW, WR, WW, Graph
from histories import Append, Read, Txn

_Found = Iterator[tuple[str, str]]
"""The name of an anomaly, and a sentence that shows it."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a history shows.

    Attributes:
        anomalies: Each anomaly that was found, with what shows it; empty if the history is
            (strictly) serializable.
        outcomes: How many transactions ended `ok`, `fail` and `info`.
    """

    anomalies: dict[str, list[str]]
    outcomes: Counter[str] = field(default_factory=Counter)

    @property
    def valid(self) -> bool:
        """Whether nothing was found."""
        return not self.anomalies

    def __str__(self) -> str:
        found = [f"{name} × {len(shown)}: {shown[0]}" for name, shown in sorted(self.anomalies.items())]
        counted = ", ".join(f"{number} {name}" for name, number in sorted(self.outcomes.items()))
        return "\n".join([f"{counted}: {'valid' if self.valid else 'INVALID'}", *found])


def check(history: Sequence[Txn], *, realtime: bool = True) -> Report:
    """Find every anomaly of a history.

    Args:
        realtime: Ask for strict serializability: who began after another had ended comes after it.
    """
    seen = _Observed(history)
    anomalies: dict[str, list[str]] = defaultdict(list)
    for name, shown in _anomalies(seen, realtime=realtime):
        anomalies[name].append(shown)
    return Report(dict(anomalies), Counter(txn.outcome for txn in history))


class _Observed:
    """A history, and what can be told from it: who wrote a value, and the order of each list."""

    def __init__(self, history: Sequence[Txn]) -> None:
        self.history = history

    @cached_property
    def ok(self) -> list[tuple[int, Txn]]:
        """The transactions that were acknowledged, with their numbers."""
        return [(number, txn) for number, txn in enumerate(self.history) if txn.outcome == "ok"]

    @cached_property
    def reads(self) -> list[tuple[int, Read]]:
        """Every list that an acknowledged transaction read, with its reader."""
        return [(number, op) for number, txn in self.ok for op in txn.ops if isinstance(op, Read)]

    @cached_property
    def appends(self) -> list[tuple[int, Append]]:
        """Every append that anybody tried, with its writer."""
        return [
            (number, op)
            for number, txn in enumerate(self.history)
            for op in txn.ops
            if isinstance(op, Append)
        ]

    @cached_property
    def writer(self) -> dict[tuple[str, int], int]:
        """Who appended a value to a list."""
        return {(op.key, op.value): number for number, op in self.appends}

    @cached_property
    def final(self) -> dict[tuple[int, str], int]:
        """The last value that a transaction appended to a list."""
        return {(number, op.key): op.value for number, op in self.appends}

    @cached_property
    def order(self) -> dict[str, tuple[int, ...]]:
        """The longest that was seen of each list: the order of its writes."""
        longest: dict[str, tuple[int, ...]] = defaultdict(tuple)
        for _, op in self.reads:
            longest[op.key] = max(longest[op.key], op.seen, key=len)
        return longest

    @cached_property
    def unread(self) -> dict[str, set[int]]:
        """Who wrote to a list, and was acknowledged, after all that anybody read of it."""
        writers: dict[str, set[int]] = defaultdict(set)
        kept = {key: set(order) for key, order in self.order.items()}
        for number, op in self.appends:
            if self.history[number].outcome == "ok" and op.value not in kept.get(op.key, ()):
                writers[op.key].add(number)
        return writers


def _anomalies(seen: _Observed, *, realtime: bool) -> _Found:
    yield from _appended_twice(seen)
    for number, txn in seen.ok:
        yield from _internal(number, txn)
    for number, read in seen.reads:
        yield from _elements(seen, number, read)
        yield from _order(seen, number, read)
    yield from _lost(seen)
    yield from _circles(_dependencies(seen, realtime=realtime), realtime=realtime)


def _appended_twice(seen: _Observed) -> _Found:
    for number, op in seen.appends:
        if seen.writer[op.key, op.value] != number:
            yield "duplicate-append", f"T{number} appends {op.value} to {op.key} once more"


def _internal(number: int, txn: Txn) -> _Found:
    """A transaction must see its own appends, on top of what it read before."""
    known: dict[str, tuple[int, ...]] = {}
    own: dict[str, tuple[int, ...]] = defaultdict(tuple)
    for op in txn.ops:
        if isinstance(op, Append):
            own[op.key] += (op.value,)
            if op.key in known:
                known[op.key] += (op.value,)
            continue
        expected = known.get(op.key, op.seen)
        if op.seen != expected or (own[op.key] and op.seen[-len(own[op.key]) :] != own[op.key]):
            yield "internal", f"T{number} read {list(op.seen)} of {op.key} after {list(expected)}"
        known[op.key] = op.seen


def _elements(seen: _Observed, number: int, read: Read) -> _Found:
    if len(set(read.seen)) < len(read.seen):
        yield "duplicate-elements", f"T{number} read {list(read.seen)} of {read.key}"
    for value in read.seen:
        writer = seen.writer.get((read.key, value))
        if writer is None:
            yield "unwritten-read", f"T{number} read {value} in {read.key}"
        elif seen.history[writer].outcome == "fail":
            yield "G1a", f"T{number} read {value} in {read.key}, which T{writer} never committed"
    if read.seen:
        last = seen.writer.get((read.key, read.seen[-1]))
        if last not in {None, number} and seen.final[last, read.key] != read.seen[-1]:
            yield "G1b", f"T{number} read {read.key} in the middle of T{last}, at {read.seen[-1]}"


def _order(seen: _Observed, number: int, read: Read) -> _Found:
    order = seen.order[read.key]
    if read.seen != order[: len(read.seen)]:
        yield "incompatible-order", f"T{number} read {read.seen} of {read.key}, others read {order}"


def _lost(seen: _Observed) -> _Found:
    """An acknowledged append that nobody saw; only a read that began after it proves the loss."""
    kept = {key: set(order) for key, order in seen.order.items()}
    newest: dict[str, int] = {}
    for number, read in seen.reads:
        newest[read.key] = max(newest.get(read.key, 0), seen.history[number].began)
    for number, op in seen.appends:
        ended = seen.history[number].ended
        if seen.history[number].outcome != "ok" or ended is None or op.value in kept.get(op.key, ()):
            continue
        if newest.get(op.key, 0) > ended:
            yield "lost-write", f"T{number} appended {op.value} to {op.key}, and it is not there"


def _dependencies(seen: _Observed, *, realtime: bool) -> Graph:
    graph = Graph(len(seen.history))
    for key, order in seen.order.items():
        for before, after in pairwise(order):
            graph.add(seen.writer.get((key, before)), seen.writer.get((key, after)), WW)
        for writer in seen.unread[key] if order else ():
            graph.add(seen.writer.get((key, order[-1])), writer, WW)
    for number, read in seen.reads:
        order = seen.order[read.key]
        others = [value for value in read.seen if seen.writer.get((read.key, value)) != number]
        if others:
            graph.add(seen.writer.get((read.key, others[-1])), number, WR)
        if len(read.seen) < len(order):
            graph.add(number, seen.writer.get((read.key, order[len(read.seen)])), RW)
        for writer in seen.unread[read.key] if read.seen == order else ():
            graph.add(number, writer, RW)
    if realtime:
        _add_real_time(graph, seen.history)
    return graph


def _add_real_time(graph: Graph, history: Sequence[Txn]) -> None:
    """An edge from whatever had ended to what began then, without those that follow from others.

    `frontier` holds the ended transactions that no other ended one comes after.
    """
    events = [(txn.began, 0, number) for number, txn in enumerate(history) if txn.outcome != "fail"]
    events += [(txn.ended, 1, number) for number, txn in enumerate(history) if txn.acknowledged_at(txn.ended)]
    frontier: list[int] = []
    before: dict[int, set[int]] = {}
    for _, ended, number in sorted(events):
        if ended:
            frontier = [other for other in frontier if other not in before[number]] + [number]
        else:
            before[number] = set(frontier)
            for other in frontier:
                graph.add(other, number, RT)


_LEVELS = (
    ("G0", WW, WW, WW),
    ("G1c", WW | WR, WR, WW | WR),
    ("G-single", ALL, RW, WW | WR),
    ("G2-item", ALL, RW, ALL),
)
"""A circle's name; the edges that tie its component; the one that it must have; all the others."""


def _circles(graph: Graph, *, realtime: bool) -> _Found:
    plain: list[set[int]] = []
    for name, component, shown in _named(graph, 0):
        plain.append(component)
        yield name, shown
    if not realtime:
        return
    for name, component, shown in _named(graph, RT):
        if not any(known <= component for known in plain):
            yield f"{name}-realtime", shown


def _named(graph: Graph, always: int) -> Iterator[tuple[str, set[int], str]]:
    single: list[set[int]] = []
    for name, within, needed, others in _LEVELS:
        for component in graph.components(within | always):
            if name == "G2-item" and component in single:
                continue
            circle = graph.circle(component, needed, others | always)
            if circle is not None:
                single += [component] if name == "G-single" else []
                yield name, component, circle
