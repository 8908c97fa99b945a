"""The part of a session that searches its history: what rests on what."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from . import branches, commits, heads
from .later import Later
from .lineages import BEYOND
from .readers import Reader, StateT
from .showing import Listing
from .values import parse_path

if TYPE_CHECKING:
    from . import bisect as bisection
    from . import comparison, impact, readings
    from . import suspects as suspicion
    from .bisect import Bisected, Verdict
    from .comparison import Comparison
    from .impact import Impact
    from .readings import Reads
    from .standins import Stands
    from .suspects import Suspects
else:
    bisection = Later("bisect")
    comparison = Later("comparison")
    impact = Later("impact")
    readings = Later("readings")
    suspicion = Later("suspects")

_MOST_KNOWN = 4
_KNOWN: dict[tuple[object, ...], Suspects] = {}
"""The suspects of branches at their heads, which a program may ask for at each commit that it shows."""


class Searcher(Reader[StateT]):
    """A session as far as its history can be searched."""

    def impact(self, of: int | str, version: int | None = None) -> Impact:
        """Everything that rests on a commit or on a value: through what was read, on every branch.

        A commit rests on another one if that one contributed to a value that it had read (or that an agent
        of the round that it ended had read, where a ruling compared their proposals), or if it merged it,
        took it back, carried it over or lifted it to a newer schema; and so on from there. To a value
        contribute the commits that touched it, something above or below it, beginning with the last one
        that replaced the whole of it; `dissensus_state.impact` says it in full.

        Args:
            of: A version of this branch, for the commit that made it; or a path, for the value there.
            version: Of a path, the version in which the value stands (None: the head). What rests on the
                value is what rests on one of its contributors by what that one wrote of it, whether it had
                read it in that version or an earlier one.

        Raises:
            NotFound: there is no such version, or nothing stands at the path in it.
            Pruned: the value at the path was pruned.
        """
        if isinstance(of, str):
            with self.reading(path=of) as work:
                number = self._version(work, version)
                return impact.of_value(work, self.session_id, self.branch, parse_path(of), number)
        with self.reading(version=of) as work:
            return impact.of_commit(work, self.session_id, self.branch, self._version(work, of))

    def reads(self, path: str, *, limit: int = 50, before: int | None = None) -> Reads:
        """Who saw what stands at a path, and when: commits by hand, proposals, rulings; the newest first.

        Whoever had read the path itself, something above it or something inside of it. Proposals count
        whatever became of them; a supervisor saw what the proposals that it ruled on had seen.

        Args:
            path: The path.
            limit: How many at least, as far as there are so many; the page ends with a whole version.
            before: Only what came of it before this version: the `before` of the page before.
        """
        with self.reading(path=path) as work:
            upto = BEYOND if before is None else before
            return readings.reads(work, self.session_id, self.branch, parse_path(path), max(limit, 1), upto)

    def suspects(self) -> Suspects:
        """What rests on retracted commits, on this branch; it is found anew when the branch has moved.

        Whatever went into the branch counts: a merge brings the retractions of the other side along. A
        revert of a retracted commit is not suspect for that. What a merged branch supersedes counts as that
        one has it from then on; the commits that it settled are `repaired`.
        """
        with self.reading() as work:
            found = heads.peeked(work, self.session_id, self.branch)
            key = (self.database.name, self.session_id, self.branch, found.hash, found.rewritten)
            if key not in _KNOWN:
                told = suspicion.suspects(work, self.session_id, self.branch, found.version)
                while len(_KNOWN) >= _MOST_KNOWN:
                    _KNOWN.pop(next(iter(_KNOWN)), None)
                _KNOWN[key] = told
            return _KNOWN[key]

    def _stands(self) -> Stands | None:
        """Which branches stand for others, where there are others and something is retracted."""
        with self.reading() as work:
            if not branches.forked(work, self.session_id):
                return None
        told = self.suspects()
        return told.stand_in if told.retractions else None

    def compare(self, other: str | Searcher[Any]) -> Comparison:
        """This branch and another one, or another session, from where they part.

        Branches of one session part where they were forked; two sessions (also of two databases) after
        the last version up to which their commits have the same authors and patches.

        Args:
            other: A branch of this session by its name, or a session on the branch that it is on.

        Raises:
            NotFound: there is no such branch.
        """
        its: Searcher[Any] = self.on(other) if isinstance(other, str) else other
        heads_ = self.head, its.head
        common = comparison.parting(self, its, heads_)
        halves = []
        for side, head in zip((self, its), heads_, strict=True):
            with side.reading() as work:
                halves.append(comparison.half(work, side, head, common))
        one, two = halves
        return comparison.Comparison(
            common,
            one.totals,
            two.totals,
            Listing(comparison.pairs(one.commits, two.commits)),
            Listing(comparison.decisions(one, two)),
            its.diff(heads_[0], heads_[1], of=self),
        )

    def bisect(
        self,
        test: Callable[[Any], Verdict],
        good: int = 0,
        bad: int | None = None,
        *,
        find: Literal["fails", "holds"] = "fails",
    ) -> Bisected:
        """The first version at which a test fails, in log2(versions) + 1 reads of the state.

        As in `git bisect` the history is taken to change once between the two ends; where it changes more
        often, one of the changes is found. An end is tested itself only if no other version has told.

        Args:
            test: Takes the state (typed where the session has its schema, else as it is stored) and says
                whether it is still good; None for a version of which it cannot be told, which is skipped.
            good: A version at which it holds.
            bad: A later one at which it fails; None for the head.
            find: `"holds"` to find the first version at which the test holds, and does not before.

        Raises:
            NoneBad: `good` is bad already, `bad` is good, or only skipped versions are left.
            NotFound: there is no such version.
        """
        read = self.raw if self._shape is None else self.at
        holds = find == "holds"

        def verdict(version: int) -> Verdict:
            found = test(read(version))
            return None if found is None else bool(found) is not holds

        return self.bisect_versions(verdict, good, bad)

    def bisect_versions(
        self, verdict: Callable[[int], Verdict], good: int = 0, bad: int | None = None
    ) -> Bisected:
        """The same with a test of version numbers, which reads what it needs: True for a good one."""
        with self.reading() as work:
            last = self._version(work, bad)
            first = self._version(work, good)
        search = bisection.Search(verdict, first, last)
        before, version = search.run()
        with self.reading() as work:
            commit = commits.commit(work, self.session_id, self.branch, version)
        tested = tuple(search.tested.items())
        return bisection.Bisected(self.branch, version, before, commit, len(tested), tested)
