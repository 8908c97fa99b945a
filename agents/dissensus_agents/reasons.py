"""Why a round needs a ruling before anything of it is committed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dissensus_state.doors import check_unruled
from dissensus_state.errors import Denied
from dissensus_state.journal import Outcome
from dissensus_state.patches import Operation

from .judgement.audit import drawn
from .judgement.evidence import Evidence
from .positions import author_of
from .running import Run, Running
from .weighing import told_of


def reasons(run: Run, running: Running) -> dict[str, Any] | None:
    """Why a ruling is needed, as it is stored with the round; None where the proposals may stand."""
    step, disputed = running.step, running.comparison.disagreements
    asked = bool(step.transition and run.shape.machine.transitions[step.transition].review)
    asked = asked or not (disputed or _may_stand(run, running))
    hollow = not disputed and step.hollow_below is not None and running.votes < step.hollow_below
    hollow = hollow and running.trivial is None  # where one agent was enough, one vote is
    checked = _witnesses(running)
    failed = [item for item in checked if not item["passed"]]
    unsettled = running.stop.unsettled if running.stop is not None else ""
    asked_for = disputed or hollow or failed or asked or unsettled
    audit = None if asked_for else _drawn(run, running)
    if not (asked_for or audit):
        return None
    why: dict[str, Any] = {
        "disagreements": [item.as_dict() for item in disputed],
        "failed": failed,
        "passed": [item for item in checked if item["passed"]],
        "hollow": hollow,
        "asked": asked,
        "audit": audit is not None,
        "share": step.audit if audit else None,
        "seed": audit,
        "unsettled": unsettled,
        "votes": round(running.votes, 3) if hollow else None,
        "weighed": told_of(running) if disputed or running.weighed.shares is not None else None,
        "immaterial": [item.as_dict() for item in running.comparison.immaterial],
        "transition": step.transition if step.transition != step.name else None,
    }
    return {name: value for name, value in why.items() if value}


def _drawn(run: Run, running: Running) -> str | None:
    """The seed of the audit's lot, where it has drawn this agreement."""
    step = running.step
    return drawn(step.audit, run.journal.session.name, step.name, running.lot or running.round.round)


def unreviewed(running: Running) -> Iterator[Outcome]:
    """What the history says of a round that nobody had to rule on; of a plain one, nothing."""
    if running.review is not None:
        return
    for item in running.comparison.immaterial:
        yield Outcome("immaterial", item.as_dict())
    if running.weighed.shares is not None:
        yield Outcome("weighed", told_of(running))


def _may_stand(run: Run, running: Running) -> bool:
    """Whether the agents have the right to commit what they all say; else somebody has to rule on it."""
    transition = run.shape.machine.transitions.get(running.step.transition or "")
    moves = transition is not None and running.state.get("phase") != transition.target
    phase = (Operation("set", ("phase",), transition.target),) if transition and moves else ()
    side = running.sides[0]
    patch = (*side.patch, *phase)
    try:
        check_unruled(run.shape.rights, author_of(side), patch, running.made)
    except Denied:
        return False
    return True


def _witnesses(running: Running) -> list[dict[str, Any]]:
    """Every check with the agents whose proposals it was found on."""
    found: dict[Evidence, list[str]] = {}
    for agent, checks in running.evidence.items():
        for check in checks:
            found.setdefault(check, []).append(agent)
    return [{"agents": agents, **check.as_dict()} for check, agents in found.items()]
