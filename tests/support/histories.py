"""Histories of concurrent transactions on lists: as records, and in the formats of Jepsen.

`write_json` and `write_edn` write what `elle-cli --model list-append` reads, so that anybody can check
a history again with Jepsen's own checker.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeGuard

Outcome = Literal["ok", "fail", "info"]
"""Acknowledged; certainly not applied; nobody knows."""


@dataclass(frozen=True, slots=True)
class Append:
    """A value added at the end of a list; the same value is never added to it again."""

    key: str
    value: int


@dataclass(frozen=True, slots=True)
class Read:
    """A whole list as it was seen."""

    key: str
    seen: tuple[int, ...] = ()


Op = Append | Read


@dataclass(frozen=True, slots=True)
class Txn:
    """One transaction of one process; the times are of one clock for all processes.

    Attributes:
        ended: When its outcome was known; None where it never was.
    """

    process: int
    ops: tuple[Op, ...]
    began: int
    ended: int | None
    outcome: Outcome = "ok"

    def acknowledged_at(self, ended: int | None) -> TypeGuard[int]:
        """Whether it was acknowledged, so that whatever begins after its end comes after it."""
        return self.outcome == "ok" and ended is not None


def events(history: Iterable[Txn]) -> list[dict[str, Any]]:
    """A history as Jepsen's events: one when a transaction begins, one when it ends, in their order.

    After an unknown outcome a process is not used again: what it does next bears another number.
    """
    told: list[tuple[int, int, dict[str, Any]]] = []
    for txn, process in _processes(history):
        asked = [as_value(op, known=False) for op in txn.ops]
        answered = [as_value(op, known=True) for op in txn.ops] if txn.outcome == "ok" else asked
        ended = txn.began if txn.ended is None else txn.ended
        told.append((txn.began, 0, _event("invoke", process, txn.began, asked)))
        told.append((ended, 1, _event(txn.outcome, process, ended, answered)))
    told.sort(key=lambda item: item[:2])
    return [{"index": index, **event} for index, (_, _, event) in enumerate(told)]


def _processes(history: Iterable[Txn]) -> Iterator[tuple[Txn, int]]:
    ordered = sorted(history, key=lambda txn: txn.began)
    many = 1 + max((txn.process for txn in ordered), default=0)
    ended: dict[int, int] = {}
    for txn in ordered:
        yield txn, txn.process + many * ended.get(txn.process, 0)
        if txn.outcome == "info":
            ended[txn.process] = ended.get(txn.process, 0) + 1


def as_value(op: Op, *, known: bool) -> list[Any]:
    """An operation as it stands in an event; what was read is known once it is acknowledged."""
    if isinstance(op, Append):
        return ["append", op.key, op.value]
    return ["r", op.key, list(op.seen) if known else None]


def _event(kind: str, process: int, time: int, value: list[Any]) -> dict[str, Any]:
    return {"type": kind, "process": process, "f": "txn", "value": value, "time": time}


def write_json(history: Iterable[Txn], path: Path) -> None:
    """Write a history as a JSON array, one event a line."""
    lines = ",\n".join(json.dumps(event) for event in events(history))
    path.write_text(f"[{lines}]\n", encoding="utf-8")


def write_edn(history: Iterable[Txn], path: Path) -> None:
    """Write a history as EDN, one map a line."""
    path.write_text("".join(f"{_edn(event)}\n" for event in events(history)), encoding="utf-8")


def _edn(event: dict[str, Any]) -> str:
    ops = " ".join(
        f"[:{verb} {json.dumps(key)} {json.dumps(value).replace(',', '').replace('null', 'nil')}]"
        for verb, key, value in event["value"]
    )
    return (
        f"{{:index {event['index']}, :type :{event['type']}, :process {event['process']}, "
        f":f :{event['f']}, :time {event['time']}, :value [{ops}]}}"
    )


def read_json(path: Path) -> list[Txn]:
    """Read a history back from its events."""
    return from_events(json.loads(path.read_text("utf-8")))


def from_events(told: Sequence[dict[str, Any]]) -> list[Txn]:
    """The transactions of a list of events; one that never ended has an unknown outcome."""
    running: dict[int, dict[str, Any]] = {}
    history: list[Txn] = []
    for event in told:
        if event["type"] == "invoke":
            running[event["process"]] = event
        else:
            history.append(_txn(running.pop(event["process"]), event))
    return history + [_txn(event, None) for event in running.values()]


def _txn(began: dict[str, Any], ended: dict[str, Any] | None) -> Txn:
    told = began if ended is None else ended
    outcome: Outcome = "info" if ended is None else ended["type"]
    until = None if outcome == "info" or ended is None else ended["time"]
    return Txn(began["process"], tuple(map(_op, told["value"])), began["time"], until, outcome)


def _op(value: list[Any]) -> Op:
    verb, key, item = value
    return Append(key, item) if verb == "append" else Read(key, tuple(item or ()))
