"""The part of a session that writes what is no commit: events, and grades."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from . import grades, heads
from .engines import Statement, Work, insert_absent
from .errors import Denied, Refused, located
from .readers import StateT
from .records import Grade, GradeBasis
from .searching import Searcher
from .tables import events
from .values import store

_insert_event = insert_absent(events)
_last_event = Statement(
    sa.select(sa.func.max(events.c.event)).where(events.c.session_id == sa.bindparam("session_id"))
)


class Recorder(Searcher[StateT]):
    """A session as far as it can put things beside its commits."""

    def record(self, kind: str, body: dict[str, Any], *, round_: int | None = None) -> None:
        """Put something that is not a commit into the history."""
        with self.writing() as work:
            self.record_in(work, kind, body, round_=round_)

    def record_in(self, work: Work, kind: str, body: dict[str, Any], *, round_: int | None = None) -> None:
        """The same inside an open transaction."""
        heads.read(work, self.session_id, self.branch)
        said = {"kind": kind, "branch": self.branch, "round": round_, "body": store(body)}
        while True:  # another branch of the session may take the same number at once
            row = work.one(_last_event, session_id=self.session_id)
            number = 1 + ((row and row[0]) or 0)
            if work.run(_insert_event, session_id=self.session_id, event=number, at=work.clock(), **said):
                return

    def grade(
        self,
        number: int,
        right: Iterable[str] = (),
        wrong: Iterable[str] = (),
        *,
        by: str,
        basis: GradeBasis = "person",
        detail: str | None = None,
        version: str | None = None,
    ) -> list[Grade]:
        """Say of a settled round whose proposals were right, and whose were wrong.

        Grades feed what comes next: weights, routing, thresholds, quality. None is ever taken back; of
        several on one proposal the newest of the strongest basis counts (`reference`, then `person`, then
        `verifier`). The same said again changes nothing.

        Args:
            number: The round.
            right: The agents who were right; `"supervisor"` is the ruling over them.
            wrong: The agents who were wrong.
            by: Who says so; needs the right to rule on what was proposed.
            basis: Whence that is known: `reference` is a known answer.
            detail: Why; up to 2,000 characters.
            version: Of the verifier, where one has found it.

        Returns:
            The grades as they are stored.

        Raises:
            NotFound: there is no such round, no such agent in it, or no ruling.
            Conflict: the round is not settled yet.
            Denied: `by` may not rule on what was proposed.
            Refused: nobody is named, somebody both ways, or one who abstained.
        """
        stated = [
            Grade(agent, is_right, basis, by, version, detail)
            for is_right, names in ((True, right), (False, wrong))
            for agent in dict.fromkeys(names)
        ]
        shape = self.shape
        with self._refusing(by), self.writing(round=number) as work:
            return grades.grade(work, self.session_id, shape.rights, number, stated)

    @contextmanager
    def _refusing(self, author: str) -> Iterator[None]:
        """Put what is denied or refused in this block into the history (G6)."""
        try:
            yield
        except (Denied, Refused) as error:
            self.record("refused", {"author": author, **error.as_dict()})
            raise

    @contextmanager
    def writing(self, **context: Any) -> Iterator[Work]:
        """A transaction that writes; errors that leave it know this session."""
        with (
            located(session=self.name, branch=self.branch, **context),
            self.database.writing() as work,
        ):
            yield work
