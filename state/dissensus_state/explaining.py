"""The history as a session explains it: who wrote a value and on what grounds, and one version told whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from . import blame as blames
from . import indexing
from . import story as stories
from .engines import Database
from .telling import Place as Told
from .values import parse_path

if TYPE_CHECKING:
    from .standins import Stands


class Place(Told, Protocol):
    """A branch of a session that can be read."""

    @property
    def database(self) -> Database: ...  # noqa: D102

    def _stands(self) -> Stands | None: ...


class Explaining:
    """What a session says of why something is as it is."""

    def blame(self: Place, path: str, version: int | None = None, *, chain: bool = False) -> blames.Blame:
        """Who wrote the value at a path, from which reads and reasoning, under which ruling.

        It reads the few commits that the index names: as much of a long history as of a short one. The
        first of these verbs indexes a database from before there was an index, if it may write. Where
        something is retracted, and a branch that was merged stands for the writer (`suspects`), it is that
        branch's writer of the same value.

        Args:
            path: A JSON pointer, or the name of a field.
            version: As of this one; None for the head.
            chain: Also on what that rests, and those who wrote it, back to the sources.

        Raises:
            NotFound: nothing stands at the path in that version, or there is no such version.
            Pruned: it was written before the values that are still there.
        """
        indexing.ready(self.database, self.session_id, self.branch)
        stands = self._stands()
        with self.reading(path=path) as work:
            number = self._version(work, version)
            place = parse_path(path)
            return blames.blame(work, self.session_id, self.branch, place, number, deep=chain, stands=stands)

    def _stands(self: Place) -> Stands | None:
        """Which branches stand for others, where something is retracted; nothing, for who cannot search."""
        return None

    def show(self: Place, version: int | None = None) -> stories.Story:
        """A version (None: the head), told whole: its commit, the round it ended, proposals, calls, rulings.

        Raises:
            NotFound: there is no such version.
        """
        with self.reading(version=version) as work:
            number = self._version(work, version)
            return stories.story(work, self.session_id, self.branch, number)
