"""The part of a session that searches its history: what rests on what."""

from __future__ import annotations

from . import impact
from .impact import Impact
from .readers import Reader, StateT
from .values import parse_path


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
