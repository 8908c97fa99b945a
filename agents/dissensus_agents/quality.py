"""Standings and quality of a store or of one session, and resetting an alarm: what users call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dissensus_state.standing import happened, known, settled
from dissensus_state.store import Store

from .judgement.audit import Audit
from .judgement.audit import audits as audits_of
from .judgement.measured import MOST, Measured
from .judgement.standing import Standing
from .watch.alarms import Alarm, Alarms
from .watch.quality import Report, report

if TYPE_CHECKING:
    from dissensus_state.sessions import Session

RANG, RESET = "alarm", "alarm.reset"
"""The events that an alarm rang, and that what it is on is to learn anew."""

Key = tuple[str, str, str]
"""Model, task and measure of a stream."""


def standing(
    of: Store | Session[Any],
    *,
    task: str | None = None,
    model: str | None = None,
    since: int | None = None,
    rulings: float = 0.0,
) -> Standing:
    """What settled rounds show of each model at each task.

    Args:
        of: A store (of one tenant), or one session.
        task: Only rounds of this step.
        model: Only this model.
        since: Only rounds that began then or later, in milliseconds since 1970.
        rulings: For how much of a graded round a model's ruling counts in what weights rest on, 0 to 1.
    """
    with of.database.reading() as work:
        found = settled(work, _session_id(of), task=task, since=since)
        return Standing.of(found, model=model, rulings=rulings)


def audits(of: Store | Session[Any]) -> list[Audit]:
    """How often agreements drawn by lot were wrong, by step: by rulings, and by grades from outside."""
    with of.database.reading() as work:
        return audits_of(Standing.of(settled(work, _session_id(of))).audited)


def knowledge(of: Store | Session[Any]) -> Measured:
    """What graded rounds of the whole store (or tenant) say of models: what a weigher takes.

    It reads the newest 20,000 graded proposals, and no round that is not graded.
    """
    with of.database.reading() as work:
        return Measured.of(known(work, MOST))


def quality(
    of: Store | Session[Any],
    *,
    task: str | None = None,
    model: str | None = None,
    since: int | None = None,
    alarms: Alarms | None = None,
) -> Report:
    """The figures of each model at each task with their intervals, the audits, and the alarms that stand.

    Args:
        of: A store (of one tenant), or one session.
        task: Only rounds of this step.
        model: Only this model.
        since: Only rounds that began then or later, in milliseconds since 1970.
        alarms: What rings; by default every measure.
    """
    found = standing(of, task=task, model=model, since=since)
    return report(found, alarms or Alarms(), resets(of))


def resets(of: Store | Session[Any]) -> dict[Key, int]:
    """Until when each stream that was reset does not count, in milliseconds since 1970."""
    return _last(of, RESET)


def _last(of: Store | Session[Any], kind: str) -> dict[Key, int]:
    """When an event of a kind happened last, by stream."""
    found: dict[Key, int] = {}
    with of.database.reading() as work:
        for at, body in happened(work, kind, _session_id(of)):
            key = str(body.get("model")), str(body.get("task")), str(body.get("measure"))
            found[key] = max(at, found.get(key, at))
    return found


def told(of: Store | Session[Any]) -> set[Key]:
    """The streams whose alarm stands in the history, and was not reset since."""
    again = resets(of)
    return {key for key, at in _last(of, RANG).items() if at > again.get(key, -1)}


def tell(of: Store | Session[Any], alarm: Alarm) -> None:
    """Put an alarm into the history of the session in which it rang."""
    _where(of, alarm).record(RANG, alarm.as_dict(), round_=alarm.round)


def reset(of: Store | Session[Any], alarm: Alarm, *, by: str) -> None:
    """Let the stream of an alarm learn anew what is normal, from what comes from now on.

    Args:
        of: The store or session that the alarm was found in.
        alarm: One that stands.
        by: Who says so; it stands in the history of the session in which it rang.
    """
    model, task, measure = alarm.key
    _where(of, alarm).record(RESET, {"model": model, "task": task, "measure": measure, "author": by})


def _where(of: Store | Session[Any], alarm: Alarm) -> Session[Any]:
    """The session in which an alarm rang."""
    if not isinstance(of, Store):
        return of
    return of.session(next(info.name for info in of.sessions() if info.session_id == alarm.session_id))


def _session_id(of: Store | Session[Any]) -> int | None:
    return getattr(of, "session_id", None)
