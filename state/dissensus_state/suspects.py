"""What is suspect: the versions that rest on a commit that was retracted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

from . import impact, joining, takeovers
from .dependence import Walk
from .engines import Work
from .impact import Impacted
from .joining import Tip
from .lineages import Segment, lineage
from .showing import MOST_ROWS, Listing, Shown, table, visible
from .standins import StandIn
from .tainting import Seed
from .takeovers import Retraction


@dataclass(frozen=True, slots=True)
class Suspect(Shown):
    """A commit that rests on a retracted one: on which, and by which links.

    Attributes:
        repaired: The version that settled it, merging what stands for it; None where it is suspect.
    """

    commit: Impacted
    retracted: Tip
    repaired: int | None = None

    @property
    def version(self) -> int:
        """Its version."""
        return self.commit.version

    def as_dict(self) -> dict[str, Any]:
        """The suspect as plain data: what `Impacted` says, and the retracted commit."""
        branch, version = self.retracted
        gone = {"branch": branch, "version": version}
        return {**self.commit.as_dict(), "retracted": gone, "repaired": self.repaired}

    def __str__(self) -> str:
        done = f"; repaired by v{self.repaired}" if self.repaired is not None else ""
        return visible(f"{self.commit}  (retracted: v{self.retracted[1]} of {self.retracted[0]}{done})")


class Suspects(Sequence[Suspect]):
    """The suspect commits of a branch, oldest first, and the retractions that make them so.

    Attributes:
        retractions: Those that stand, by the commit that each retracts.
    """

    def __init__(
        self,
        retractions: Mapping[Tip, tuple[Retraction, ...]] | None = None,
        walk: Walk | None = None,
        segments: Iterable[Segment] = (),
    ) -> None:
        self.retractions = retractions or {}
        self._walk = walk
        self._roots: dict[Tip, Tip] = {}
        self._segments = tuple(segments)
        self._branch, self._head = (
            (self._segments[-1].branch, self._segments[-1].upto) if self._segments else ("", 0)
        )

    @cached_property
    def _mine(self) -> list[Tip]:
        """The commits of this branch that rest on retracted ones, settled or not, oldest first."""
        lines = {} if self._walk is None else self._walk.lines
        return [
            (name, version)
            for name, after, upto in self._segments
            if name in lines
            for version in lines[name].ties
            if after < version <= upto
        ]

    @cached_property
    def _known(self) -> frozenset[Tip]:
        """All that went into this branch, and is suspect."""
        if self._walk is None or self._walk.stands is None:
            return frozenset()
        return frozenset(self._walk.stands.left(self._walk.lines, self._branch, self._head))

    @cached_property
    def _tips(self) -> list[Tip]:
        return [tip for tip in self._mine if tip in self._known]

    @cached_property
    def _settled(self) -> dict[Tip, int]:
        """The commits of this branch that were settled, each with the version that did it."""
        one = self.stand_in(self._branch, self._head)
        return {} if one is None else {tip: one.at for tip in self._mine if tip not in self._known}

    def stand_in(self, branch: str, version: int) -> StandIn | None:
        """Which branch stands for one in a version, where anything is retracted; None for none."""
        return (
            None if self._walk is None or self._walk.stands is None else self._walk.stands.at(branch, version)
        )

    @cached_property
    def _distances(self) -> dict[Tip, int]:
        return {} if self._walk is None else self._walk.distances()

    def __len__(self) -> int:
        return len(self._tips)

    @overload
    def __getitem__(self, index: int) -> Suspect: ...
    @overload
    def __getitem__(self, index: slice) -> Listing[Suspect]: ...
    def __getitem__(self, index: int | slice) -> Suspect | Listing[Suspect]:
        if isinstance(index, slice):
            return Listing(self._told(tip) for tip in self._tips[index])
        return self._told(self._tips[index])

    def _told(self, tip: Tip) -> Suspect:
        if self._walk is None:
            raise IndexError(tip)
        told = impact.impacted(self._walk, *tip, self._distances)
        return Suspect(told, self._root(tip), self._settled.get(tip))

    def _root(self, tip: Tip) -> Tip:
        """The retracted commit that one rests on by the shortest way; another one than itself."""
        at, way = tip, list[Tip]()
        while self._walk is not None and at not in self._roots:
            way.append(at)
            its = [(tie.branch, tie.version) for tie in self._walk.lines[at[0]].ties[at[1]]]
            at = min(its, key=self._distances.__getitem__)
            if at in self.retractions:
                break
        else:
            at = self._roots.get(at, at)
        self._roots |= dict.fromkeys(way, at)
        return at

    @property
    def versions(self) -> list[int]:
        """Their versions."""
        return [version for _, version in self._tips]

    @property
    def repaired(self) -> Listing[Suspect]:
        """The commits of this branch that were suspect until a repair of them was merged, oldest first."""
        return Listing(self._told(tip) for tip in self._settled)

    def of(self, branch: str, version: int) -> Suspect | None:
        """The suspect that is stored under a branch, this or one that it merged; None where none is."""
        return self._told((branch, version)) if (branch, version) in self._known else None

    def retracted(self, branch: str, version: int) -> Retraction | None:
        """The newest retraction of a commit that is stored under a branch; None where it is not retracted."""
        found = self.retractions.get((branch, version))
        return found[-1] if found else None

    def marks(self, branch: str, version: int) -> dict[str, Any]:
        """What `log`, `show` and `blame` say of a commit: `retracted`, `suspect`, `repaired`, or nothing."""
        gone, found = self.retracted(branch, version), self.of(branch, version)
        done = (branch, version) in self._settled
        return {
            "retracted": None if gone is None else gone.as_dict(),
            "suspect": None if found is None else found.as_dict(),
            "repaired": self._told((branch, version)).as_dict() if done else None,
        }

    def as_dict(self) -> list[Any]:
        """All of them as plain data."""
        return [one.as_dict() for one in self]

    def _rest(self) -> str:
        left = len(self) - MOST_ROWS
        more = [f"… and {left:,} more of these {len(self):,}"] if left > 0 else []
        gone = [
            f"retracted: v{one.of[1]} of {one.of[0]}, by {one.author} in v{one.version}: {one.reason}"
            for its in self.retractions.values()
            for one in its
        ]
        gone += [f"repaired: {len(self._settled):,} that were suspect"] if self._settled else []
        return "\n".join(map(visible, [*more, *gone]))

    def __str__(self) -> str:
        """A suspect a line, and what was retracted."""
        return "\n".join(filter(None, [str(self[:MOST_ROWS]), self._rest()]))

    def _repr_html_(self) -> str:
        return self[:MOST_ROWS]._repr_html_() + table((), [("", self._rest())])


def suspects(work: Work, session_id: int, branch: str, head: int) -> Suspects:
    """The commits of a branch that rest on retracted ones.

    A revert that takes a retracted commit back does not rest on it here: it is the cure; but a revert is as
    suspect as what it puts back. From the version M on in which a branch was merged that supersedes this
    one up to s (and until M is reverted), what was held up to s counts as the merged branch has it: who reads
    it is suspect only for what is suspect there, and the commits up to s are told as repaired by M, but
    for those that are in the merged branch as well, or were carried over to it and are suspect there.
    """
    reach = joining.reach(work, session_id, branch, head)
    standing = takeovers.standing(work, session_id, reach)
    if not standing:
        return Suspects()
    walk = impact.walked(work, session_id, lambda _: [Seed(*tip) for tip in standing], cures=True)
    segments = [one._replace(upto=min(one.upto, head)) for one in lineage(work, session_id, branch)]
    return Suspects(standing, walk, segments)
