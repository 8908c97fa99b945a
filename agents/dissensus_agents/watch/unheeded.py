"""Limits that no call will ever fall under, because their agent or task is not in the graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from dissensus_state.budgets import Budget

from ..judgement.meaning import SEAT as COMPARATOR
from ..judgement.supervisor import REVERSED, SEAT
from ..patterns.route import routing_seats
from ..running import Progress
from ..steps import Step


def unheeded(limits: Budget, steps: Mapping[str, Step]) -> list[Progress]:
    """A warning for each limit of an agent or a task that this graph has not: a name may be misspelt."""
    seats = {agent.name for step in steps.values() for agent in step.everybody} | {SEAT}
    ruling = [(seat, judge) for step in steps.values() for seat, judge in step.seats.items()]
    seats |= {seat for seat, _ in ruling} | {
        f"{seat}{REVERSED}" for seat, judge in ruling if judge.orders == 2
    }
    seats |= {COMPARATOR for step in steps.values() if step.fetching}
    seats |= {one.seat for step in steps.values() for one in step.askers}
    seats |= {seat for step in steps.values() for seat in routing_seats(step.pattern)}
    return [*_unknown("agent", limits.agents, seats), *_unknown("task", limits.tasks, steps)]


def _unknown(kind: str, named: Iterable[str], known: Iterable[str]) -> Iterable[Progress]:
    there = sorted(known)
    for name in sorted(set(named) - set(there)):
        close = get_close_matches(name, there, n=1)
        meant = f" Did you mean {close[0]!r}?" if close else ""
        message = f"The budget limits the {kind} {name!r}, which is not in this graph.{meant}"
        yield Progress("warning", body={"account": f"{kind}:{name}", "message": message})
