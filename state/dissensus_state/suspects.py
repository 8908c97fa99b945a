"""What is suspect: the versions that rest on a commit that was retracted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import impact, joining, takeovers
from .dependence import Seed, Walk
from .engines import Work
from .impact import Impacted
from .joining import Tip
from .lineages import lineage
from .showing import Listing, Shown, visible
from .takeovers import Retraction


@dataclass(frozen=True, slots=True)
class Suspect(Shown):
    """A commit that rests on a retracted one: on which, and by which links."""

    commit: Impacted
    retracted: Tip

    @property
    def version(self) -> int:
        """Its version."""
        return self.commit.version

    def as_dict(self) -> dict[str, Any]:
        """The suspect as plain data: what `Impacted` says, and the retracted commit."""
        branch, version = self.retracted
        return {**self.commit.as_dict(), "retracted": {"branch": branch, "version": version}}

    def __str__(self) -> str:
        return visible(f"{self.commit}  (retracted: v{self.retracted[1]} of {self.retracted[0]})")


class Suspects(Listing[Suspect]):
    """The suspect commits of a branch, oldest first, and the retractions that make them so.

    Attributes:
        retractions: Those that stand, by the commit that each retracts.
    """

    def __init__(self, items: Any = (), retractions: dict[Tip, tuple[Retraction, ...]] | None = None) -> None:
        super().__init__(items)
        self.retractions = retractions or {}
        self._by_tip = {(one.commit.branch, one.commit.version): one for one in self}

    @property
    def rest(self) -> str:
        """What was retracted."""
        return "\n".join(
            f"retracted: v{one.of[1]} of {one.of[0]}, by {one.author} in v{one.version}: {one.reason}"
            for its in self.retractions.values()
            for one in its
        )

    @property
    def versions(self) -> list[int]:
        """Their versions."""
        return [one.version for one in self]

    def of(self, branch: str, version: int) -> Suspect | None:
        """The suspect that is stored under a branch; None where that commit is not suspect."""
        return self._by_tip.get((branch, version))

    def retracted(self, branch: str, version: int) -> Retraction | None:
        """The newest retraction of a commit that is stored under a branch; None where it is not retracted."""
        found = self.retractions.get((branch, version))
        return found[-1] if found else None

    def marks(self, branch: str, version: int) -> dict[str, Any]:
        """What `log`, `show` and `blame` say of a commit: `retracted`, `suspect`, or nothing."""
        gone, found = self.retracted(branch, version), self.of(branch, version)
        return {
            "retracted": None if gone is None else gone.as_dict(),
            "suspect": None if found is None else found.as_dict(),
        }


def suspects(work: Work, session_id: int, branch: str, head: int) -> Suspects:
    """The commits of a branch that rest on retracted ones.

    A revert that takes a retracted commit back does not rest on it here: it is the cure.
    """
    reach = joining.reach(work, session_id, branch, head)
    standing = takeovers.standing(work, session_id, reach)
    if not standing:
        return Suspects()
    walk = impact.walked(work, session_id, lambda _: [Seed(*tip) for tip in standing], cures=True)
    segments = lineage(work, session_id, branch)
    last = {one.branch: (one.after, min(one.upto, head)) for one in segments}
    roots = _roots(walk, standing)
    found = [
        Suspect(one, roots[one.branch, one.version])
        for one in impact.told(walk, last)
        if one.branch in last and last[one.branch][0] < one.version <= last[one.branch][1]
    ]
    return Suspects(found, standing)


def _roots(walk: Walk, standing: dict[Tip, Any]) -> dict[Tip, Tip]:
    """The retracted commit that each one rests on by the shortest way."""
    distances = walk.distances()
    found: dict[Tip, Tip] = {tip: tip for tip in standing}
    ties = [(name, version, its) for name, line in walk.lines.items() for version, its in line.ties.items()]
    for name, version, its in sorted(ties, key=lambda one: distances[one[0], one[1]]):
        if (name, version) in standing:
            continue
        nearest = min(((tie.branch, tie.version) for tie in its), key=distances.__getitem__)
        found[name, version] = found[nearest]
    for tip in standing:
        own = walk.lines[tip[0]].ties.get(tip[1], []) if tip[0] in walk.lines else []
        others = [found[tie.branch, tie.version] for tie in own if (tie.branch, tie.version) != tip]
        found[tip] = others[0] if others else tip
    return found
