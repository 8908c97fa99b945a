"""The history as a session tells it: its log, what differs between two versions, what else happened."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from . import comparing, history, indexing
from . import diff as diffs
from .comparing import Side
from .diff import ABSENT
from .engines import Database, Work
from .errors import NotFound
from .lineages import BEYOND
from .moments import Moment
from .sifting import sieve
from .values import JSON, parse_path, pointer


class Place(Protocol):
    """A branch of a session that can be read."""

    @property
    def database(self) -> Database:
        """The database that keeps it."""

    @property
    def name(self) -> str:
        """The session's name."""

    @property
    def session_id(self) -> int:
        """The number under which the database keeps the session."""

    @property
    def branch(self) -> str:
        """The branch."""

    def reading(self, **context: Any) -> AbstractContextManager[Work]:
        """A transaction that reads."""

    def _version(self, work: Work, version: int | None, branch: str | None = None) -> int: ...


class Telling:
    """What a session says of its history."""

    def log(
        self: Place,
        limit: int = 50,
        before: int | None = None,
        *,
        author: str | None = None,
        path: str | None = None,
        kind: str | Iterable[str] | None = None,
        step: str | None = None,
        text: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        reading: str | None = None,
    ) -> history.Page:
        """The newest commits, newest first, with those of what the branch was forked from.

        What is asked for is asked for together: a commit must be all of it.

        Args:
            limit: How many a page holds.
            before: Only commits before this version: the `next` of the page before.
            author: Who committed it, or an agent whose proposal was accepted in its round.
            path: It wrote there, above, or below (JSON pointer); an `append` wrote the items that it added.
            kind: `write` (by hand), `round`, `merge`, `revert`, `migration`, `redaction`, `prune`,
                `retraction`, `carry`; one or several.
            step: The transition it took, or the step of its round.
            text: In no case, part of a text or number it wrote, of the reason of a ruling, or of the
                reasoning in its round; the page's `places` says of which.
            since: At or after this moment: a datetime, ISO 8601, milliseconds since 1970. It is a filter:
                the time of a commit tells nothing about its order.
            until: At or before this moment; of a day, until its end (UTC).
            reading: It had read something there, above, or below (JSON pointer).

        Raises:
            NotFound: there is no such kind of commit.
            ValueRefused: a time is none.
        """
        wanted = sieve(author, step, kind, since, until, path, reading, text)
        if wanted.path:
            indexing.ready(self.database, self.session_id, self.branch)
        with self.reading() as work:
            upto = BEYOND if before is None else before
            return history.log(work, self.session_id, self.branch, limit, upto, wanted)

    def diff(
        self: Place,
        before: int,
        after: int | None = None,
        *,
        of: str | Place | None = None,
        path: str | None = None,
    ) -> diffs.Diff:
        """What differs between two versions (None: the head) as they are stored, in the order of the paths.

        Items of a list that merges by key are compared by it, where both sides have it; those of other
        lists where they stand after what went and came in front of them. Long texts are told word by word.

        Args:
            of: What `before` is a version of: another branch of this session by its name, or a session
                on the branch that it is on, be it in another database; this branch where None.
            path: Only what stands there (JSON pointer), at or below.

        Raises:
            NotFound: there is no such version or branch, or nothing at the path on either side.
        """
        place = () if path is None else parse_path(path)
        origin, whose = (self, of or self.branch) if of is None or isinstance(of, str) else (of, of.branch)
        for one, name in dict.fromkeys(((origin, whose), (self, self.branch))):
            indexing.ready(one.database, one.session_id, name)
        last, found, old = None, None, None
        with origin.reading(version=before) as work:
            first = Side(origin.session_id, whose, origin._version(work, before, whose))  # noqa: SLF001
            if origin is self:
                last = Side(self.session_id, self.branch, self._version(work, after))
                found = None if place else comparing.on_one_line(work, first, last)
            if found is None:
                old = comparing.at(work, first, place)
        if last is None or old is not None:
            with self.reading(version=after) as work:
                last = last or Side(self.session_id, self.branch, self._version(work, after))
                new = comparing.at(work, last, place)
            found = comparing.compared(old or new, new, place)
        return diffs.Diff(
            found or (),
            diffs.Version(origin.name, whose, first.version),
            diffs.Version(self.name, self.branch, last.version),
        )

    def peek(self: Place, path: str, version: int | None = None) -> JSON:
        """The value at a path in a version (None: the head) as it is stored, without the whole state.

        Raises:
            NotFound: nothing stands there, or there is no such version.
            Pruned: the values of that version are gone.
        """
        place = parse_path(path)
        indexing.ready(self.database, self.session_id, self.branch)
        with self.reading(path=path, version=version) as work:
            number = self._version(work, version)
            found = comparing.at(work, Side(self.session_id, self.branch, number), place).value
        if found is ABSENT:
            raise NotFound(f"There is nothing at {pointer(place)} in version {number}")
        return found

    def events(
        self: Place,
        kind: str | None = None,
        *,
        limit: int | None = None,
        before: int | None = None,
        rounds: tuple[int, int] | None = None,
    ) -> history.Events:
        """What happened beside commits: denied attempts, abstentions, refusals; all of it, or one kind.

        Args:
            limit: Only the newest so many, still in order; the page's `next` is the `before` of the one
                with older events.
            before: Only what happened before this event.
            rounds: Only what belongs to a round from the first of these to the last.
        """
        with self.reading() as work:
            return history.happenings(work, self.session_id, kind, limit=limit, before=before, rounds=rounds)
