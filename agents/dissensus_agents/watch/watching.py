"""Alarms while a graph runs: after each settled round, the streams of its models are looked at."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from dissensus_state.standing import Settled, settled
from dissensus_state.store import Store

from ..judgement.standing import Standing
from ..quality import resets, standing, tell, told
from .alarms import Alarm, Alarms, Watch

if TYPE_CHECKING:
    from dissensus_state.sessions import Session


class Watching:
    """The streams of a store, brought up to date with what one run settles.

    What other runs settle meanwhile, and what is graded afterwards, is seen when the next run begins: an
    alarm that stands then, and that nobody told, rings with its first settled round. One that is in the
    history rings no second time before it is reset.

    Args:
        session: The session that runs; the streams are those of its whole store (or tenant).
        alarms: What rings.
    """

    def __init__(self, session: Session[Any], alarms: Alarms) -> None:
        self._session, self._whole = session, Store(session.database)
        self._watch = Watch(alarms, resets(self._whole))
        self._due = self._watch.over(standing(self._whole))

    def settled(self, number: int) -> list[Alarm]:
        """Look at a round that was just settled; the alarms that ring by it, put into the history."""
        rung, self._due = self._due, []
        for one in self._read(number):
            for record in Standing.of([one]).records.values():
                for entry in record.ordered():
                    rung += self._watch.heed(record.model, record.task, entry)
        known = told(self._whole) if rung else set()  # another run may have been sooner
        new = [alarm for alarm in rung if alarm.key not in known]
        for alarm in new:
            tell(self._whole, alarm)
        return new

    def _read(self, number: int) -> list[Settled]:
        with self._session.reading() as work:
            found = settled(work, self._session.session_id, after=number - 1, size=1)
            return [one for one in islice(found, 1) if one.round == number]
