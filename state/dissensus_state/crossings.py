"""Where the branches of a session meet, and what its rounds had read: all of it, as `dependence` asks.

`joining` asks the same of one version at a time, in the database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import sqlalchemy as sa

from .branches import BranchInfo
from .engines import Statement, Work
from .footprints import Places
from .joining import Reach, Tip
from .tables import commits, proposals, rounds, rulings
from .takeovers import carried_from, supersedes
from .values import parse_object

_session = sa.bindparam("session_id", type_=sa.BigInteger)
_sources = Statement(
    sa.select(*commits.c["branch", "version", "source"])
    .where(commits.c.session_id == _session, commits.c.source.is_not(None))
    .order_by(commits.c.version)
)
_ended = Statement(
    sa.select(*commits.c["version", "round"]).where(
        commits.c.session_id == _session,
        commits.c.branch == sa.bindparam("branch"),
        commits.c.round.is_not(None),
    )
)
_rounds = Statement(
    sa.select(*rounds.c["round", "branch", "step", "base", "status"]).where(rounds.c.session_id == _session)
)
_ruled = Statement(sa.select(rulings.c.round).where(rulings.c.session_id == _session).distinct())
_proposed = Statement(
    sa.select(*proposals.c["round", "agent", "status", "reads"]).where(
        proposals.c.session_id == _session,
        proposals.c.round >= sa.bindparam("first"),
        proposals.c.reads.is_not(None),
    )
)


Reader = tuple[str, str, tuple[int, ...]]
"""Of a proposal: the agent, its status, and its read set as numbers of paths."""


class Asked(NamedTuple):
    """A round as far as dependence goes, with the readers of its proposals by agent."""

    round: int
    branch: str
    step: str
    base: int
    status: str
    ruled: bool
    readers: list[Reader]


class _Crossing(NamedTuple):
    version: int
    tip: Tip
    ours: bool


class Crossings:
    """The forks, merges and carried commits of a session.

    Args:
        heads: Its branches, by name.
    """

    def __init__(self, work: Work, session_id: int, heads: Mapping[str, BranchInfo]) -> None:
        self._work = work
        self._session_id = session_id
        self._heads = heads
        self._merges: dict[str, list[_Crossing]] = {}
        self._reverts: dict[str, list[tuple[int, int, int]]] = {}
        self._carried: dict[Tip, Tip] = {}
        self._ended: dict[str, dict[int, int]] = {}
        self._reached: dict[tuple[str, int, bool], Reach] = {}
        for branch, version, source in work.all(_sources, session_id=session_id):
            said = parse_object(source)
            tip = carried_from(said)
            if tip is not None:
                self._carried[branch, version] = tip
            match said:
                case {"merge": {"branch": str(name), "version": int(number)}}:
                    one = _Crossing(version, (name, number), supersedes(said))
                    self._merges.setdefault(branch, []).append(one)
                case {"revert": {"first": int(first), "last": int(last)}}:
                    self._reverts.setdefault(branch, []).append((version, first, last))

    @property
    def carries(self) -> bool:
        """Whether any commit was carried over."""
        return bool(self._carried)

    @property
    def superseding(self) -> bool:
        """Whether any branch says that it stands for another one."""
        return any(one.ours for merges in self._merges.values() for one in merges)

    def origins(self, tip: Tip) -> Iterator[Tip]:
        """What a commit was carried over from, and so on to the first."""
        for _ in range(len(self._carried)):
            if tip not in self._carried:
                return
            tip = self._carried[tip]
            yield tip

    def merges(self, branch: str, after: int, upto: int) -> list[int]:
        """The versions of a branch in a stretch that merged something, and not only said so."""
        return [
            one.version
            for one in self._merges.get(branch, ())
            if not one.ours and after < one.version <= upto
        ]

    def reverts(self, branch: str, after: int, upto: int) -> list[tuple[int, int, int]]:
        """The reverts of a branch in a stretch: each version, the first and the last that it took back."""
        return [one for one in self._reverts.get(branch, ()) if after < one[0] <= upto]

    def merged(self, branch: str, version: int) -> Tip:
        """What a version has merged."""
        return next(one.tip for one in self._merges[branch] if one.version == version)

    def round_behind(self, tip: Tip) -> int | None:
        """The round that a commit had ended where it was first made."""
        branch, version = next(reversed([*self.origins(tip)]), tip)
        if branch not in self._ended:
            rows = self._work.all(_ended, session_id=self._session_id, branch=branch)
            self._ended[branch] = {row[0]: row[1] for row in rows}
        return self._ended[branch].get(version)

    def segments(self, branch: str, upto: int) -> Iterator[tuple[str, int, int]]:
        """The stretches `after < version <= upto` that a version is made of, its own branch's first."""
        seen = set[str]()
        name: str | None = branch
        while name is not None and name in self._heads and name not in seen:
            seen.add(name)
            info = self._heads[name]
            after = -1 if info.base_branch is None else min(info.base_version or 0, upto)
            if after < upto:
                yield name, after, upto
            name, upto = info.base_branch, after

    def reach(self, branch: str, version: int, *, ours: bool) -> Reach:
        """Which versions went into a version (`joining.reach`).

        Args:
            ours: Go on through merges that brought nothing, too.
        """
        known = self._reached.get((branch, version, ours))
        if known is not None:
            return known
        found: Reach = {}
        todo = [(branch, version)]
        while todo:
            for name, after, upto in self.segments(*todo.pop()):
                before = found.get(name, after)
                if upto > before:
                    found[name] = upto
                    todo += [
                        one.tip
                        for one in self._merges.get(name, ())
                        if before < one.version <= upto and (ours or not one.ours)
                    ]
        self._reached[branch, version, ours] = found
        return found

    def brought(self, branch: str, version: int) -> list[tuple[str, int, int]]:
        """The stretches `low <= version <= high` that a merge brought, by the branch of each."""
        tip = self.merged(branch, version)
        mine = self.reach(branch, version - 1, ours=True)
        theirs = self.reach(*tip, ours=False)
        return [
            (name, mine.get(name, -1) + 1, high)
            for name, high in sorted(theirs.items())
            if high > mine.get(name, -1)
        ]

    def superseded(self, branch: str, low: int, high: int) -> Iterator[Tip]:
        """What the commits of a branch from one version to another say that it stands for."""
        for one in self._merges.get(branch, ()):
            if one.ours and low <= one.version <= high:
                yield one.tip

    def concerned(self, firsts: Mapping[str, int]) -> dict[str, int]:
        """The branches that took something from others, from those versions on, and since which version."""
        found: dict[str, int] = {}
        for branch, merges in self._merges.items():
            for one in merges:
                if not one.ours and one.version < min(firsts.get(branch, _NEVER), found.get(branch, _NEVER)):
                    theirs = self.reach(*one.tip, ours=False)
                    if any(firsts.get(name, _NEVER) <= high for name, high in theirs.items()):
                        found[branch] = one.version
        for (branch, version), (name, number) in self._carried.items():
            if firsts.get(name, _NEVER) <= number:
                found[branch] = min(version, found.get(branch, version))
        return found

    def forked(self, firsts: Mapping[str, int]) -> dict[str, int]:
        """The branches that were forked after those versions of others, and since which version."""
        return {
            name: (info.base_version or 0) + 1
            for name, info in self._heads.items()
            if info.base_branch is not None
            and any(
                firsts.get(upper, _NEVER) <= upto
                for upper, _, upto in self.segments(info.base_branch, info.base_version or 0)
            )
        }


_NEVER = 2**63


def rounds_on(
    work: Work, session_id: int, places: Places, firsts: Mapping[str, int], *, everywhere: bool
) -> dict[int, Asked]:
    """The rounds that were asked on these branches from the first of those versions on, by number.

    Args:
        everywhere: All rounds of the session.
    """
    rows = work.all(_rounds, session_id=session_id)
    first = min(firsts.values())  # a branch may begin with a round on what it was forked from
    wanted = {row[0]: row for row in rows if everywhere or (row[1] in firsts and first <= row[3])}
    if not wanted:
        return {}
    ruled = {row[0] for row in work.all(_ruled, session_id=session_id)}
    found = {
        number: Asked(number, branch, step, base, status, number in ruled, [])
        for number, branch, step, base, status in wanted.values()
    }
    for number, agent, status, reads in work.all(_proposed, session_id=session_id, first=min(wanted)):
        if number in found:
            found[number].readers.append((agent, status, places.read_set(reads)))
    for one in found.values():
        one.readers.sort(key=_agent)
    return found


def _agent(reader: Reader) -> str:
    """Rows are put in order here and not by the database, which sorts by its locale."""
    return reader[0]
