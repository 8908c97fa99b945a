"""The two verbs of a graph that run a session again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Unpack, cast

from .answers import Rerun
from .changes import Graph
from .repairing import Repair, RepairWanted, repair
from .rerunning import Wanted, rerun

if TYPE_CHECKING:
    from dissensus_state.sessions import Session


class Reruns:
    """The part of a graph that runs sessions again."""

    async def rerun(self, session: Session[Any], from_version: int, **wanted: Unpack[Wanted]) -> Rerun:
        """Run what followed a version again, on new branches, with something changed.

        The part up to the version is shared, and free. The rounds after it are gone again by this graph's
        edges, from the step that made the next version on, so that another answer may lead another way; what
        others committed in between is carried in its place. A recorded answer to a request that did not
        change is used again at no cost; a seat that was given another model or prompt is asked on every
        branch, and so is everything downstream whose prompt changed. The branch that is run again is
        not written to. The session's own budget holds.

        A rerun that was stopped goes on: the same call finds its branches and what they have come to. One
        that is finished is told again, without a call; with more `times`, only the further ones are run.

        Args:
            session: The session, on the branch that is run again, opened with its schema.
            from_version: The version to begin at.
            wanted: What is changed, how often, and what it may cost: see `Wanted`.

        Returns:
            Which decisions flipped and how often, where each branch went, and what it cost.

        Raises:
            NotFound: there is no such version, or no settled round follows it.
            GraphError: there is no such seat.
        """
        return await rerun(cast("Graph", self), session, from_version, wanted)

    async def repair(
        self,
        session: Session[Any],
        retracted: int | Iterable[int] | None = None,
        **wanted: Unpack[RepairWanted],
    ) -> Repair:
        """Make what rests on retracted commits anew on a branch, which can then be merged.

        The branch begins before the first retracted commit. From there on each commit is dealt with in its
        turn: a retracted one is left out; one that does not rest on it is carried as it is; a round that
        does is asked again, its recorded answers used again where nothing changed for them; what was
        committed by hand and rests on it is carried, and listed as still suspect. At its end the branch says
        that it stands for the original up to there: `session.merge(repair.branch, …)` brings exactly the
        difference, beside what was committed there in the meantime.

        A repair that was stopped, or parked at a round that a person has ruled on since, goes on with the
        same call.

        Args:
            session: The session, on the branch that is repaired, opened with its schema.
            retracted: The retracted versions; by default all that are retracted there.
            wanted: See `RepairWanted`.

        Raises:
            NotFound: nothing is retracted there, or not what is named.
            GraphError: there is no such seat.
        """
        return await repair(cast("Graph", self), session, retracted, wanted)
