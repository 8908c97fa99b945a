"""What `quality` knows, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .texts import usd

if TYPE_CHECKING:
    from dissensus_agents.judgement.standing import Judge
    from dissensus_agents.watch.alarms import Alarm
    from dissensus_agents.watch.quality import Quality, Report

    from .data import Data


def report_data(found: Report, names: Mapping[int, str], session: str) -> Data:
    """A report on models.

    Args:
        found: What there is to say.
        names: The sessions of the store by their numbers, where alarms may have rung.
        session: The one that was asked for, where it was one.
    """
    learned, streams = found.watched
    return {
        "rounds": found.rounds,
        "models": [_quality(item) for item in found.models],
        "pairs": [item.as_dict() for item in found.pairs],
        "audits": [item.as_dict() for item in found.audits],
        "judges": [_judge(item) for item in found.judges],
        "alarms": [_alarm(item, names.get(item.session_id, session)) for item in found.alarms],
        "watched": {"learned": learned, "streams": streams},
    }


def _quality(item: Quality) -> Data:
    body: dict[str, Any] = item.as_dict()
    money = body.pop("cost_nano_usd")
    return {**body, "usd": usd(money)}


def _judge(item: Judge) -> Data:
    from dissensus_agents.judgement.rates import Share

    return {
        "task": item.task,
        "author": item.author,
        "by": item.by,
        "model": item.model or None,
        "lineage": item.lineage or None,
        "decisions": dict(item.decisions),
        "overturned": Share.counted(item.overturned, item.overturned + item.held).as_dict(),
    }


def _alarm(item: Alarm, session: str) -> Data:
    return {**item.as_dict(), "session": session}
